//! `timeball wait`: for whatever must not start before the clock is right.

use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use timeball_core::report::{Report, Tracking};
use timeball_daemon::control::{self, Answer, ClientError, Request, Response};

use super::unexpected_answer;
use crate::arguments::{DaemonSocket, seconds};
use crate::display::{print, print_json, units};
use crate::outcome::{Failure, Outcome};

/// How often the daemon is asked.
const INTERVAL: Duration = Duration::from_millis(500);

#[derive(Args, Debug)]
#[command(
    after_help = "Exit status: 0 if the clock is right, 1 if it was not in time, 3 if no daemon was \
there in time."
)]
pub(crate) struct WaitArguments {
    #[command(flatten)]
    daemon: DaemonSocket,
    /// Give up after this many seconds; without it, never
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<f64>,
    #[command(flatten)]
    limits: Limits,
    /// Print everything that is known in the end, as JSON
    #[arg(long)]
    json: bool,
}

/// When a synchronised clock is good enough.
#[derive(Args, Clone, Copy, Debug, Default)]
struct Limits {
    /// Wait until the clock is estimated to be no further off than this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    max_offset: Option<f64>,
    /// Wait until the clock is certain to be no further off than this many seconds, if the sources
    /// are right
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    max_bound: Option<f64>,
}

pub(crate) fn run(arguments: &WaitArguments) -> Result<Outcome, Failure> {
    // A wait too long for the clock to count is a wait without end.
    let limit = arguments.timeout.and_then(|limit| Duration::try_from_secs_f64(limit).ok());
    let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
    let mut told = None;
    loop {
        let look = look(arguments)?;
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if look.verdict == Verdict::Good || left == Some(Duration::ZERO) {
            return look.conclude(arguments.json);
        }
        // Reasons come with numbers that change all the time: only another kind is news.
        if told != Some(look.verdict) {
            anstream::eprintln!("waiting: {}", look.words);
            told = Some(look.verdict);
        }
        thread::sleep(left.map_or(INTERVAL, |left| left.min(INTERVAL)));
    }
}

/// What one look at the daemon tells.
#[derive(Debug, PartialEq)]
struct Look {
    verdict: Verdict,
    /// The same for people.
    words: String,
    /// The daemon's own words, if there is one.
    report: Option<Box<Report>>,
}

/// May the waiting end?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    NotSynchronised,
    TooFarOff,
    NoDaemon,
}

impl Look {
    fn conclude(self, json: bool) -> Result<Outcome, Failure> {
        let outcome = match self.verdict {
            Verdict::Good => Outcome::Yes,
            Verdict::NotSynchronised | Verdict::TooFarOff => Outcome::No,
            Verdict::NoDaemon => return Err(Failure::System(self.words)),
        };
        match &self.report {
            Some(report) if json => print_json(report)?,
            _ => print(&format!("{}{}", self.verdict.introduction(), self.words))?,
        }
        Ok(outcome)
    }
}

impl Verdict {
    const fn introduction(self) -> &'static str {
        match self {
            Self::Good => "synchronised: ",
            Self::NotSynchronised | Self::TooFarOff => "not synchronised: ",
            Self::NoDaemon => "",
        }
    }
}

fn look(arguments: &WaitArguments) -> Result<Look, Failure> {
    match control::ask(&arguments.daemon.path, Request::Status) {
        Ok(Response::Ok(Answer::Report(report))) => {
            let (verdict, words) = judge(&report.tracking, arguments.limits);
            Ok(Look { verdict, words, report: Some(report) })
        }
        Ok(Response::Ok(_)) => Err(unexpected_answer()),
        Ok(Response::Error(reason)) => Err(Failure::Refused(reason)),
        // The daemon may be about to start, or to start again.
        Err(
            error @ (ClientError::NoSocket { .. }
            | ClientError::Refused { .. }
            | ClientError::Io { .. }),
        ) => Ok(Look { verdict: Verdict::NoDaemon, words: error.to_string(), report: None }),
        Err(error @ (ClientError::NoPermission { .. } | ClientError::BadAnswer { .. })) => {
            Err(error.into())
        }
    }
}

fn judge(tracking: &Tracking, limits: Limits) -> (Verdict, String) {
    if !tracking.synchronised {
        return (Verdict::NotSynchronised, tracking.reason.clone());
    }
    let within = |value: Option<f64>, limit: Option<f64>| match (value, limit) {
        (_, None) => true,
        (Some(value), Some(limit)) => value.abs() <= limit,
        (None, Some(_)) => false,
    };
    let offset = tracking.offset.unwrap_or_default();
    let clock =
        format!("the clock is off by {}", units::offset_and_bound(offset, tracking.offset_bound));
    if within(tracking.offset, limits.max_offset) && within(tracking.offset_bound, limits.max_bound)
    {
        (Verdict::Good, clock)
    } else {
        (Verdict::TooFarOff, format!("{clock}, which is more than was asked for"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracking(offset: f64, bound: f64) -> Tracking {
        Tracking {
            synchronised: true,
            offset: Some(offset),
            offset_bound: Some(bound),
            ..Tracking::default()
        }
    }

    fn is_good(tracking: &Tracking, max_offset: Option<f64>, max_bound: Option<f64>) -> bool {
        judge(tracking, Limits { max_offset, max_bound }).0 == Verdict::Good
    }

    #[test]
    fn a_clock_that_is_not_synchronised_is_not_good_whatever_its_offset() {
        let tracking = Tracking { synchronised: false, ..tracking(0.0, 0.0) };
        let reason = (Verdict::NotSynchronised, "starting".into());
        assert_eq!(judge(&tracking, Limits::default()), reason);
    }

    #[test]
    fn limits_hold_for_magnitudes() {
        let clock = tracking(-2e-3, 10e-3);
        assert!(is_good(&clock, None, None));
        assert!(is_good(&clock, Some(2e-3), Some(10e-3)));
        assert!(!is_good(&clock, Some(1e-3), None));
        assert!(!is_good(&clock, None, Some(9e-3)));
        let unknown = Tracking { offset: None, offset_bound: None, ..clock };
        assert!(is_good(&unknown, None, None));
        assert!(!is_good(&unknown, Some(1.0), None));
    }
}
