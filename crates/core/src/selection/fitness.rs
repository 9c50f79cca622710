//! May a candidate take part at all? (RFC 5905 §11.2: `fit`.)

use timeball_wire::LeapIndicator;

use super::Settings;
use super::candidate::{Candidate, Contender, Options, Reach};
use super::verdict::{State, Verdict, Verdicts};
use super::wording::{Configured, Measured};

/// Strata from here on mean "not synchronised" (RFC 5905 §7.3).
const MAXIMUM_STRATUM: u8 = 16;

/// The contender in a candidate with these options in effect, or why there is none. The first rule that
/// it breaks is the reason.
pub(super) fn contender(
    candidate: &Candidate,
    options: Options,
    settings: &Settings,
) -> Result<Contender, Verdict> {
    let &Candidate { source, reach, updated, leap, stratum, reference_id, view, .. } = candidate;
    if candidate.options.noselect {
        return Err(Verdict::new(State::Unselectable, "noselect: watched, never used"));
    }
    if options.noselect {
        let reason = "not authenticated, and only authenticated sources may be used";
        return Err(Verdict::new(State::Unselectable, reason));
    }
    let Some(view) = view else {
        return Err(match reach {
            Reach::Reachable => Verdict::new(State::Measuring, "no measurement yet"),
            Reach::Silent { .. } | Reach::GivenUp => {
                Verdict::new(State::Unreachable, "no answer yet")
            }
        });
    };
    if reach == Reach::GivenUp {
        return Err(unreachable(reach));
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
    let (least, most) = (settings.minimum_stratum, settings.maximum_stratum);
    if stratum < least {
        let reason = format!("its stratum {stratum} is below the limit of {least}");
        return Err(Verdict::new(State::StratumTooLow, reason));
    }
    if stratum > most {
        let reason = format!("its stratum {stratum} is above the limit of {most}");
        return Err(Verdict::new(State::StratumTooHigh, reason));
    }
    if !view.is_sane() {
        return Err(Verdict::new(State::Distant, "its measurements make no usable number"));
    }
    // Before the distance, which jitter makes large.
    if view.jitter > settings.maximum_jitter {
        let (jitter, limit) = (Measured(view.jitter), Configured(settings.maximum_jitter));
        let reason = format!("jitter {jitter} is above the limit of {limit}");
        return Err(Verdict::new(State::Jittery, reason));
    }
    let distance = view.root_distance();
    if distance > settings.maximum_distance {
        let (distance, limit) = (Measured(distance), Configured(settings.maximum_distance));
        let reason = format!("root distance {distance} is above the limit of {limit}");
        return Err(Verdict::new(State::Distant, reason));
    }
    let seasoned = view.samples >= settings.minimum_samples;
    Ok(Contender { source, options, reach, updated, leap, stratum, reference_id, view, seasoned })
}

/// Takes out the silent whose newest measurement is older than the oldest that those who answer are
/// judged by. A silent source is as good as its prediction, which says itself how uncertain it is; but
/// when others know all the time since it spoke, they know better.
pub(super) fn drop_stale(contenders: &mut Vec<Contender>, verdicts: &mut Verdicts) {
    let answering = contenders.iter().filter(|contender| contender.reach == Reach::Reachable);
    let known = answering.map(|contender| contender.view.oldest).fold(f64::NEG_INFINITY, f64::max);
    contenders.retain(|contender| {
        let stale = contender.reach != Reach::Reachable && contender.view.newest > known;
        if stale {
            verdicts.settle(contender.source, unreachable(contender.reach));
        }
        !stale
    });
}

/// Of the silent, those that agree but are too far off to be followed: that they say nothing is why.
pub(super) fn name_the_silent(contenders: &[Contender], verdicts: &mut Verdicts) {
    for contender in contenders.iter().filter(|contender| contender.reach != Reach::Reachable) {
        if verdicts.state(contender.source) == Some(State::Outlier) {
            verdicts.settle(contender.source, unreachable(contender.reach));
        }
    }
}

fn unreachable(reach: Reach) -> Verdict {
    let reason = match reach {
        Reach::GivenUp => "it refuses to serve, or has been silent for too long",
        Reach::Reachable | Reach::Silent { .. } => "no answer to the last 8 polls",
    };
    Verdict::new(State::Unreachable, reason)
}

/// What is said of a contender that agrees but has too few measurements to be followed.
pub(super) fn unseasoned(contender: &Contender, settings: &Settings) -> Verdict {
    let (samples, needed) = (contender.view.samples, settings.minimum_samples);
    Verdict::new(State::Measuring, format!("{samples} of {needed} measurements yet"))
}
