//! `smoothing`: how the time that is served differs from the system clock.

use std::io::Write;

use timeball_wire::cmdmon::{Answer, Request, Smoothing, SmoothingFlags};

use super::seconds;
use crate::chronyc::record::{Cell, Record};
use crate::chronyc::session::Session;
use crate::chronyc::trouble::{Outcome, Trouble};

pub(super) fn show<W: Write>(session: &mut Session<W>) -> Outcome {
    let Answer::Smoothing(smoothing) = session.fetch(&Request::Smoothing)? else {
        return Err(Trouble::BadReply);
    };
    Ok(session.output.report(&record(&smoothing))?)
}

fn record(smoothing: &Smoothing) -> Record {
    let active = smoothing.flags.contains(SmoothingFlags::ACTIVE);
    let leap_only = smoothing.flags.contains(SmoothingFlags::LEAP_ONLY);
    let [frequency, wander] = [smoothing.frequency, smoothing.wander].map(f64::from);
    let [offset, ago, left] =
        [smoothing.offset, smoothing.last_update_ago, smoothing.remaining_time].map(seconds);
    Record::new()
        .words("Active         : ")
        .value("active", active, Cell::yes_or_no(active))
        .words(" ")
        .value(
            "leap_only",
            leap_only,
            Cell::plain(if leap_only { "(leap second only)" } else { "" }),
        )
        .words("\nOffset         : ")
        .value("offset_seconds", offset, Cell::signed(offset, 9))
        .words(" seconds\nFrequency      : ")
        .value("frequency_ppm", frequency, Cell::signed(frequency, 6))
        .words(" ppm\nWander         : ")
        .value("wander_ppm_per_second", wander, Cell::signed(wander, 6))
        .words(" ppm per second\nLast update    : ")
        .value("last_update_seconds_ago", ago, Cell::decimals(ago, 1))
        .words(" seconds ago\nRemaining time : ")
        .value("remaining_seconds", left, Cell::decimals(left, 1))
        .words(" seconds")
}

#[cfg(test)]
mod tests {
    use timeball_wire::cmdmon::Float;

    use super::*;

    #[test]
    fn a_leap_second_that_is_smeared() {
        let record = record(&Smoothing {
            flags: SmoothingFlags::ACTIVE | SmoothingFlags::LEAP_ONLY,
            offset: Float::from(0.5),
            frequency: Float::from(-1.25),
            wander: Float::from(0.001_953_125),
            last_update_ago: Float::from(16.0),
            remaining_time: Float::from(500.5),
        });
        insta::assert_snapshot!(record.text(), @r"
        Active         : Yes (leap second only)
        Offset         : +0.500000000 seconds
        Frequency      : -1.250000 ppm
        Wander         : +0.001953 ppm per second
        Last update    : 16.0 seconds ago
        Remaining time : 500.5 seconds
        ");
        assert_eq!(
            record.csv(),
            "Yes,(leap second only),0.500000000,-1.250000,0.001953,16.0,500.5"
        );
        assert_eq!(record.json()["leap_only"], true);
    }
}
