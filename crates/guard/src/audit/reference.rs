//! The time of servers that are trusted, in place of this machine's clock.

use super::answer::{Answer, Content, TimeAnswer};
use super::report::ReferenceReport;
use super::scan::Outcome;
use timeball_wire::{LeapIndicator, Mode};

/// What the reference servers say together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReferenceTime {
    /// Their time minus this machine's clock (s).
    pub offset: f64,
    /// How wrong that may be (s).
    pub uncertainty: f64,
    /// How many of them agree.
    pub agreeing: usize,
}

/// Why they say nothing together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// None of them gives the time.
    #[error("none of the reference servers gives the time")]
    Silent,
    /// No majority of them agrees.
    #[error("the reference servers do not agree: {0}")]
    Disagree(String),
}

/// How often each of them is asked.
pub const SAMPLES: usize = 4;

/// The time that more than half of those agree on that give any: each says between which limits the
/// true time is, and the majority's limits have it in common (RFC 5905 §11.2.1).
///
/// # Errors
/// [`ReferenceError`].
pub fn combine(
    outcomes: &[Outcome],
) -> Result<(ReferenceTime, Vec<ReferenceReport>), ReferenceError> {
    let intervals: Vec<Option<Interval>> = outcomes.iter().map(Interval::of).collect();
    let known: Vec<Interval> = intervals.iter().copied().flatten().collect();
    if known.is_empty() {
        return Err(ReferenceError::Silent);
    }
    let common = Interval::common(&known);
    let Some((common, agreeing)) = common.filter(|(_, count)| count * 2 > known.len()) else {
        let said = outcomes.iter().zip(&intervals).filter_map(|(outcome, interval)| {
            let (offset, uncertainty) = ((*interval)?.middle(), (*interval)?.half());
            Some(format!("{} says {offset:+.6} s ± {uncertainty:.6} s", outcome.target.address))
        });
        return Err(ReferenceError::Disagree(said.collect::<Vec<_>>().join(", ")));
    };
    let reports = outcomes.iter().zip(&intervals).map(|(outcome, interval)| ReferenceReport {
        address: outcome.target.address,
        name: outcome.target.name.clone(),
        offset: interval.map(Interval::middle),
        uncertainty: interval.map(Interval::half),
        agrees: interval.is_some_and(|interval| interval.overlaps(common)),
    });
    let time = ReferenceTime { offset: common.middle(), uncertainty: common.half(), agreeing };
    Ok((time, reports.collect()))
}

/// Between these limits the true time is, minus this machine's clock (s).
#[derive(Clone, Copy, Debug, PartialEq)]
struct Interval {
    low: f64,
    high: f64,
}

impl Interval {
    /// By the answer that was on its way for the shortest time.
    fn of(outcome: &Outcome) -> Option<Self> {
        let intervals = outcome.answers.iter().filter_map(Self::of_answer);
        intervals.min_by(|a, b| a.half().total_cmp(&b.half()))
    }

    fn of_answer(answer: &Answer) -> Option<Self> {
        let Content::Time(time) = &answer.content else { return None };
        if !is_synchronised(time) {
            return None;
        }
        let header = &time.header;
        let delay = time.delay()?.seconds().max(0.0) + header.root_delay.seconds();
        let half = delay / 2.0 + header.root_dispersion.seconds();
        let middle = time.offset()?.seconds();
        Some(Self { low: middle - half, high: middle + half })
    }

    fn middle(self) -> f64 {
        f64::midpoint(self.low, self.high)
    }

    fn half(self) -> f64 {
        (self.high - self.low) / 2.0
    }

    fn overlaps(self, other: Self) -> bool {
        self.low <= other.high && other.low <= self.high
    }

    /// What most of these have in common, and how many these are.
    fn common(all: &[Self]) -> Option<(Self, usize)> {
        // The common part begins where one of them does.
        let best = all.iter().map(|start| {
            let within: Vec<&Self> = all
                .iter()
                .filter(|interval| (interval.low..=interval.high).contains(&start.low))
                .collect();
            let high = within.iter().map(|interval| interval.high).fold(f64::INFINITY, f64::min);
            (Self { low: start.low, high }, within.len())
        });
        best.max_by_key(|(_, count)| *count)
    }
}

fn is_synchronised(time: &TimeAnswer) -> bool {
    let header = &time.header;
    header.mode == Mode::Server
        && header.leap != LeapIndicator::Unsynchronised
        && (1..16).contains(&header.stratum)
}

#[cfg(test)]
mod tests {
    use timeball_wire::{Header, NtpShort, NtpTimestamp, Span, Timestamp};

    use super::super::probe::Probe;
    use super::super::target::Target;
    use super::*;

    const NOW: Timestamp = Timestamp::from_nanos(1_700_000_000_000_000_000);

    /// A server that is this far from this machine's clock and admits so much (s).
    fn server(last: u8, offset: f64, dispersion: f64) -> Outcome {
        let mut header = Header::from_bytes(&[0; 48]);
        header.version = 4;
        header.mode = Mode::Server;
        header.stratum = 1;
        header.root_dispersion = NtpShort::from_seconds_ceil(dispersion);
        let stamp = NtpTimestamp::from(NOW + Span::from_seconds(offset));
        (header.receive_timestamp, header.transmit_timestamp) = (stamp, stamp);
        let mut answer = Answer::new(Probe::TimeV4);
        answer.sent(&[0; 48]);
        answer.take(&header.to_bytes(), &[], NOW, NOW);
        let target = Target { address: [192, 0, 2, last].into(), name: None };
        Outcome { target, answers: vec![answer], unreachable: None }
    }

    #[test]
    fn the_majority_says_what_time_it_is() {
        let servers = [
            server(1, 3.00, 0.02),
            server(2, 3.01, 0.02),
            server(3, 9.0, 0.1),
            server(4, 2.99, 0.02),
        ];
        let (time, reports) = combine(&servers).unwrap();
        assert!((time.offset - 3.0).abs() < 1e-3, "{time:?}");
        assert!((time.uncertainty - 0.01).abs() < 1e-3, "{time:?}");
        assert_eq!(time.agreeing, 3);
        let agree: Vec<bool> = reports.iter().map(|report| report.agrees).collect();
        assert_eq!(agree, [true, true, false, true]);
    }

    #[test]
    fn one_is_a_majority_of_one_and_not_of_two() {
        let (time, _) = combine(&[server(1, -1.0, 0.5)]).unwrap();
        assert!((time.offset + 1.0).abs() < 1e-6 && (time.uncertainty - 0.5).abs() < 1e-3);
        let error = combine(&[server(1, 0.0, 0.1), server(2, 1.0, 0.1)]).unwrap_err();
        assert!(error.to_string().contains("192.0.2.2 says +1.000000 s"), "{error}");
    }

    #[test]
    fn who_does_not_know_the_time_is_not_asked_for_it() {
        let mut lost = server(1, 5.0, 0.1);
        if let Content::Time(time) = &mut lost.answers[0].content {
            time.header.stratum = 16;
        }
        let (time, reports) = combine(&[lost.clone(), server(2, 0.0, 0.1)]).unwrap();
        assert!(time.offset.abs() < 1e-6);
        assert_eq!((reports[0].offset, reports[0].agrees), (None, false));
        assert_eq!(combine(&[lost]).unwrap_err(), ReferenceError::Silent);
    }
}
