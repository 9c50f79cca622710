//! `waitsync`: waits until the clock is synchronised, and well enough.

use std::io::Write;

use timeball_wire::ReferenceId;
use timeball_wire::cmdmon::{Address, Answer, Request, Tracking};

use super::seconds;
use crate::chronyc::command::Limits;
use crate::chronyc::names::reference_hex;
use crate::chronyc::record::{Cell, Record};
use crate::chronyc::session::Session;
use crate::chronyc::trouble::{Outcome, Trouble};

/// What chronyd refers to while it serves the time of its own clock.
const LOCAL: ReferenceId = ReferenceId::from_bytes([127, 127, 1, 1]);

pub(in crate::chronyc) fn wait<W: Write>(session: &mut Session<W>, limits: Limits) -> Outcome {
    let mut attempt = 0_u32;
    loop {
        attempt = attempt.saturating_add(1);
        let failure = match session.fetch(&Request::Tracking) {
            Ok(Answer::Tracking(tracking)) => {
                session.output.report(&record(attempt, &tracking))?;
                if is_good_enough(&tracking, limits) {
                    return Ok(());
                }
                None
            }
            Ok(_) => Some(Trouble::BadReply),
            Err(Trouble::Interrupted) => return Err(Trouble::Interrupted),
            Err(trouble) => Some(trouble),
        };
        if limits.tries != 0 && attempt >= limits.tries {
            return Err(failure.unwrap_or(Trouble::NotSynchronised));
        }
        if let Some(trouble) = failure {
            session.complain(&trouble);
        }
        session.flush()?;
        session.daemon.sleep(limits.interval)?;
    }
}

fn is_good_enough(tracking: &Tracking, limits: Limits) -> bool {
    let is_synchronised = tracking.address != Address::Unspecified
        || ![ReferenceId::NONE, LOCAL].contains(&tracking.reference_id);
    let within = |value: f64, limit: f64| limit == 0.0 || value <= limit;
    is_synchronised
        && within(seconds(tracking.system_offset).abs(), limits.correction)
        && within(tracking.skew.into(), limits.skew)
}

fn record(attempt: u32, tracking: &Tracking) -> Record {
    let id = reference_hex(tracking.reference_id);
    let correction = seconds(tracking.system_offset).abs();
    let skew = f64::from(tracking.skew);
    Record::new()
        .words("try: ")
        .value("try", attempt, Cell::plain(attempt))
        .words(", refid: ")
        .value("reference_id", id.as_str(), Cell::plain(&id))
        .words(", correction: ")
        .value("correction_seconds", correction, Cell::decimals(correction, 9))
        .words(", skew: ")
        .value("skew_ppm", skew, Cell::decimals(skew, 3))
}
