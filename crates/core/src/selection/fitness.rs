//! May a candidate take part at all? (RFC 5905 §11.2: `fit`.)

use timeball_wire::LeapIndicator;

use super::Settings;
use super::candidate::{Candidate, Contender};
use super::verdict::{State, Verdict};
use super::wording::{Configured, Measured};

/// Strata from here on mean "not synchronised" (RFC 5905 §7.3).
const MAXIMUM_STRATUM: u8 = 16;

/// The contender in a candidate, or why there is none. The first rule that it breaks is the reason.
pub(super) fn contender(candidate: &Candidate, settings: &Settings) -> Result<Contender, Verdict> {
    let &Candidate { source, options, reachable, updated, leap, stratum, view } = candidate;
    if options.noselect {
        return Err(Verdict::new(State::Unselectable, "noselect: watched, never used"));
    }
    let Some(view) = view else {
        return Err(if reachable {
            Verdict::new(State::Measuring, "no measurement yet")
        } else {
            Verdict::new(State::Unreachable, "no answer yet")
        });
    };
    if !reachable {
        return Err(Verdict::new(State::Unreachable, "no answer to the last 8 polls"));
    }
    if leap == LeapIndicator::Unsynchronised {
        return Err(Verdict::new(
            State::Unsynchronised,
            "its leap indicator says that it is not synchronised",
        ));
    }
    if stratum >= MAXIMUM_STRATUM {
        return Err(Verdict::new(
            State::Unsynchronised,
            format!("its stratum {stratum} says that it is not synchronised"),
        ));
    }
    if !view.is_sane() {
        return Err(Verdict::new(State::Distant, "its measurements make no usable number"));
    }
    let distance = view.root_distance();
    if distance > settings.maximum_distance {
        let (distance, limit) = (Measured(distance), Configured(settings.maximum_distance));
        let reason = format!("root distance {distance} is above the limit of {limit}");
        return Err(Verdict::new(State::Distant, reason));
    }
    if view.jitter > settings.maximum_jitter {
        let (jitter, limit) = (Measured(view.jitter), Configured(settings.maximum_jitter));
        let reason = format!("jitter {jitter} is above the limit of {limit}");
        return Err(Verdict::new(State::Jittery, reason));
    }
    let seasoned = view.samples >= settings.minimum_samples;
    Ok(Contender { source, options, updated, leap, stratum, view, seasoned })
}

/// What is said of a contender that agrees but has too few measurements to be followed.
pub(super) fn unseasoned(contender: &Contender, settings: &Settings) -> Verdict {
    let (samples, needed) = (contender.view.samples, settings.minimum_samples);
    Verdict::new(State::Measuring, format!("{samples} of {needed} measurements yet"))
}
