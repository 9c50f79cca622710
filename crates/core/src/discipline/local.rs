//! This machine's clock as a reference when there is no better one.

use timeball_wire::{Instant, Span};

use super::Reference;
use crate::settings::Local;

/// How often it is said anew when the clock was its own reference.
pub(crate) const RENEWAL: Span = Span::from_secs(64);

/// Whether the clock is its own reference.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalReference {
    settings: Local,
    /// The clock was once as good as the settings ask for.
    proven: bool,
    /// Since when there is no other reference.
    unsynchronised_since: Option<Instant>,
}

impl LocalReference {
    /// A local reference that has not seen any other.
    pub(crate) fn new(settings: Local, now: Instant) -> Self {
        Self { settings, proven: settings.activate == 0.0, unsynchronised_since: Some(now) }
    }

    /// Works by other settings from now on.
    pub(crate) fn configure(&mut self, settings: Local) {
        self.settings = settings;
        self.proven |= settings.activate == 0.0;
    }

    pub(crate) const fn settings(&self) -> &Local {
        &self.settings
    }

    /// Takes note of the reference that the clock follows now, or that there is none.
    pub(crate) fn note(&mut self, now: Instant, reference: Option<&Reference>) {
        match reference {
            Some(reference) => {
                self.unsynchronised_since = None;
                self.proven |= reference.distance(now) < self.settings.activate;
            }
            None => {
                self.unsynchronised_since.get_or_insert(now);
            }
        }
    }

    /// When the clock becomes its own reference if nothing changes until then; in the past if it is.
    pub(crate) fn takes_over_at(&self, reference: Option<&Reference>) -> Option<Instant> {
        if !self.proven {
            return None;
        }
        let after = |at: Instant, seconds: f64| at + Span::from_seconds(seconds);
        match (reference, self.unsynchronised_since) {
            (Some(reference), _) => {
                let waited = after(reference.at, self.settings.wait_synchronised);
                Some(waited.max(reference.exceeds_at(self.settings.distance)))
            }
            (None, since) => since.map(|at| after(at, self.settings.wait_unsynchronised)),
        }
    }
}

#[cfg(test)]
mod tests {
    use timeball_wire::Timestamp;

    use super::*;
    use crate::selection::SourceId;

    fn at(seconds: i64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    fn reference(updated: i64) -> Reference {
        Reference {
            system_peer: SourceId(0),
            stratum: 1,
            time: Timestamp::from_nanos(0),
            at: at(updated),
            root_delay: 0.02,
            root_dispersion: 0.04,
            dispersion_rate: 1e-3,
            offset_sd: 1e-3,
        }
    }

    #[test]
    fn without_any_other_reference_it_waits_as_long_as_told() {
        let settings = Local { wait_unsynchronised: 300.0, ..Local::default() };
        let mut local = LocalReference::new(settings, at(10));
        assert_eq!(local.takes_over_at(None), Some(at(310)));
        local.note(at(100), Some(&reference(100)));
        local.note(at(200), None);
        local.note(at(220), None);
        assert_eq!(local.takes_over_at(None), Some(at(500)));
    }

    #[test]
    fn it_takes_over_when_the_distance_has_grown_too_large() {
        let mut local = LocalReference::new(Local::default(), at(0));
        let followed = reference(1000);
        local.note(at(1000), Some(&followed));
        // 0.95 s more at 1 ms/s.
        assert_eq!(local.takes_over_at(Some(&followed)), Some(at(1950)));
        local.configure(Local { wait_synchronised: 2000.0, ..Local::default() });
        assert_eq!(local.takes_over_at(Some(&followed)), Some(at(3000)));
    }

    #[test]
    fn a_clock_that_was_never_good_is_no_reference() {
        let settings = Local { activate: 0.05, ..Local::default() };
        let mut local = LocalReference::new(settings, at(0));
        assert_eq!(local.takes_over_at(None), None);
        local.note(at(100), Some(&reference(100)));
        assert_eq!(local.takes_over_at(None), None, "50 ms are not less than 50 ms");
        let closer = Reference { root_dispersion: 0.03, ..reference(200) };
        local.note(at(200), Some(&closer));
        local.note(at(300), None);
        assert_eq!(local.takes_over_at(None), Some(at(300)));
    }
}
