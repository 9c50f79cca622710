//! Setting the clock before anything else: chrony's `initstepslew`, and its options `-q` and `-Q`.
//!
//! The engine works by settings of their own until the clock has been corrected once, or until no
//! source can be expected to tell any more.

use timeball_config::Config;
use timeball_core::Settings;
use timeball_core::report::{Report, SourceMode, SourceReport};
use timeball_core::settings::{Family, SourceSettings};
use timeball_wire::{Instant, Span};

use crate::error::Error;
use crate::event_loop::EventLoop;

/// What the clock is corrected for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Purpose {
    /// The daemon goes on by its configuration then; offsets from here on (s) are stepped.
    Start {
        /// The smallest offset (s) that is stepped and not slewed.
        threshold: f64,
    },
    /// There is nothing more to do then.
    SetOnce,
    /// Not even that: it is only to be known.
    Measure,
}

/// Where the first correction stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Progress {
    /// It goes on.
    Waiting,
    /// The clock was so far off (s; true time minus system clock). It has been stepped if that is
    /// what the purpose asks for.
    Corrected(f64),
    /// No source could be used.
    NoSource,
}

/// A correction under way.
#[derive(Debug)]
pub(crate) struct FirstCorrection {
    purpose: Purpose,
    began: Instant,
}

/// Polls of a source that has the time it takes: the volley at the start, and one more.
const POLLS: u64 = 7;
/// A name that has no address after so long is not waited for.
const RESOLVE_PATIENCE: Span = Span::from_secs(20);
/// Time between the first correction and what comes after: a server of both is asked no more often
/// than in a volley.
pub(crate) const PAUSE: Span = Span::from_secs(2);

impl Purpose {
    /// What the engine works by meanwhile.
    pub(crate) fn settings(self, config: &Config, family: Option<Family>) -> Settings {
        let mut settings = config.engine.clone();
        settings.local = None;
        // A glance at the sources must not change how fast the clock runs.
        settings.discipline.control = false;
        match self {
            Self::Start { .. } => {
                let servers = config.clock.initial.iter().flat_map(|initial| &initial.servers);
                settings.sources = servers
                    .map(|name| SourceSettings { family, ..SourceSettings::server(name) })
                    .collect();
                settings.reference_clocks.clear();
            }
            Self::SetOnce | Self::Measure => {}
        }
        for source in &mut settings.sources {
            // However soon an estimator is sure, nobody waits longer than must be.
            source.association.maxpoll = source.association.minpoll;
        }
        settings
    }
}

impl Purpose {
    /// An offset of this size (s) is stepped away.
    pub(crate) fn steps(self, offset: f64) -> bool {
        match self {
            Self::Start { threshold } => offset.abs() >= threshold,
            Self::SetOnce => true,
            Self::Measure => false,
        }
    }
}

impl FirstCorrection {
    pub(crate) const fn new(purpose: Purpose, began: Instant) -> Self {
        Self { purpose, began }
    }

    /// What for.
    pub(crate) const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Where it stands after another turn. What it has come to is logged.
    ///
    /// # Errors
    /// When this machine's clocks cannot be read.
    pub(crate) fn progress(&self, event_loop: &mut EventLoop) -> Result<Progress, Error> {
        let now = event_loop.monotonic()?;
        let progress = match event_loop.first_offset() {
            Some(offset) => {
                if self.purpose.steps(offset) {
                    event_loop.step(offset)?;
                }
                Progress::Corrected(offset)
            }
            None if exhausted(&event_loop.report()?, now - self.began) => Progress::NoSource,
            None => Progress::Waiting,
        };
        self.log(progress);
        Ok(progress)
    }

    fn log(&self, progress: Progress) {
        match (progress, self.purpose) {
            (Progress::Waiting, _) => {}
            (Progress::Corrected(offset), Purpose::Start { .. }) => tracing::info!(
                "System's initial offset : {:.6} seconds {} of true ({})",
                offset.abs(),
                if offset <= 0.0 { "fast" } else { "slow" },
                if self.purpose.steps(offset) { "step" } else { "slew" }
            ),
            (Progress::Corrected(offset), Purpose::SetOnce) => {
                tracing::info!("System clock wrong by {offset:.6} seconds (step)");
            }
            (Progress::Corrected(offset), Purpose::Measure) => {
                tracing::info!("System clock wrong by {offset:.6} seconds (ignored)");
            }
            (Progress::NoSource, Purpose::Start { .. }) => {
                tracing::warn!("No suitable source for initstepslew");
            }
            (Progress::NoSource, Purpose::SetOnce | Purpose::Measure) => {
                tracing::warn!("No suitable source for synchronisation");
            }
        }
    }
}

/// No source can be expected to tell more than it has.
fn exhausted(report: &Report, elapsed: Span) -> bool {
    report.sources.iter().all(|source| match (source.mode, source.address) {
        (SourceMode::ReferenceClock, _) => elapsed.seconds() > POLLS as f64 * seconds(source.poll),
        (_, Some(_)) => polls_done(source) >= POLLS,
        (_, None) => elapsed > RESOLVE_PATIENCE,
    })
}

/// A poll interval.
fn seconds(exponent: i8) -> f64 {
    f64::from(exponent).exp2()
}

/// Requests that were answered, or that the next one has followed.
fn polls_done(source: &SourceReport) -> u64 {
    let answered = source.reach & 1 != 0;
    source.sent.saturating_sub(u64::from(!answered))
}

#[cfg(test)]
mod tests {
    use timeball_config::InitialCorrection;

    use super::*;

    fn asked(sent: u64, reach: u8) -> SourceReport {
        let address = "192.0.2.1".parse().ok();
        SourceReport { address, sent, reach, ..SourceReport::default() }
    }

    #[test]
    fn a_silent_source_is_given_up_after_its_volley() {
        let report = |source| Report { sources: vec![source], ..Report::default() };
        assert!(!exhausted(&report(asked(7, 0)), Span::from_secs(13)));
        assert!(exhausted(&report(asked(8, 0)), Span::from_secs(14)));
        assert!(exhausted(&report(asked(7, 1)), Span::from_secs(14)));
        let mut unresolved = asked(0, 0);
        unresolved.address = None;
        assert!(!exhausted(&report(unresolved.clone()), Span::from_secs(20)));
        assert!(exhausted(&report(unresolved), Span::from_secs(21)));
        assert!(exhausted(&Report::default(), Span::ZERO), "nobody to wait for");
        let mode = SourceMode::ReferenceClock;
        let clock = SourceReport { mode, poll: 4, ..SourceReport::default() };
        assert!(!exhausted(&report(clock.clone()), Span::from_secs(112)));
        assert!(exhausted(&report(clock), Span::from_secs(113)));
    }

    #[test]
    fn the_start_asks_servers_of_its_own() {
        let mut config = Config::default();
        config.engine.sources.push(SourceSettings::server("192.0.2.9"));
        config.clock.initial =
            Some(InitialCorrection { threshold: 5.0, servers: vec!["192.0.2.1".to_owned()] });
        let start = Purpose::Start { threshold: 5.0 }.settings(&config, Some(Family::Ipv4));
        assert_eq!(start.sources.len(), 1);
        assert_eq!(start.sources[0].name, "192.0.2.1");
        assert_eq!(start.sources[0].family, Some(Family::Ipv4));
        assert!(start.sources[0].association.iburst);
        let once = Purpose::SetOnce.settings(&config, None);
        assert_eq!(once.sources.len(), 1);
        assert_eq!(once.sources[0].name, "192.0.2.9");
        let association = &once.sources[0].association;
        assert_eq!((association.minpoll.exponent(), association.maxpoll.exponent()), (6, 6));
        assert!(!once.discipline.control && !start.discipline.control);
    }

    #[test]
    fn what_is_stepped_depends_on_what_for() {
        let start = Purpose::Start { threshold: 5.0 };
        assert!(start.steps(-5.0) && !start.steps(4.9));
        assert!(Purpose::SetOnce.steps(1e-6) && !Purpose::Measure.steps(100.0));
    }
}
