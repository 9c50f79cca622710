//! `rtcdata`: how the real-time clock is doing.

use std::io::Write;

use timeball_wire::cmdmon::{Answer, Request, RtcReport};

use super::{seconds, time_value};
use crate::chronyc::record::{Cell, Record};
use crate::chronyc::session::Session;
use crate::chronyc::trouble::{Outcome, Trouble};

pub(super) fn show<W: Write>(session: &mut Session<W>) -> Outcome {
    let Answer::RtcReport(rtc) = session.fetch(&Request::RtcReport)? else {
        return Err(Trouble::BadReply);
    };
    Ok(session.output.report(&record(&rtc))?)
}

fn record(rtc: &RtcReport) -> Record {
    let fast = seconds(rtc.fast);
    let gain = f64::from(rtc.gain);
    Record::new()
        .words("RTC ref time (UTC) : ")
        .value("reference_time", time_value(rtc.reference_time), Cell::time(rtc.reference_time))
        .words("\nNumber of samples  : ")
        .value("samples", rtc.samples, Cell::plain(rtc.samples))
        .words("\nNumber of runs     : ")
        .value("runs", rtc.runs, Cell::plain(rtc.runs))
        .words("\nSample span period : ")
        .value("span_seconds", rtc.span, Cell::interval(Some(rtc.span)))
        .words("\nRTC is fast by     : ")
        .value("fast_seconds", fast, Cell::decimals_right(fast, 6, 12))
        .words(" seconds\nRTC gains time at  : ")
        .value("gain_ppm", gain, Cell::decimals_right(gain, 3, 9))
        .words(" ppm")
}

#[cfg(test)]
mod tests {
    use timeball_wire::cmdmon::{Float, Timespec};

    use super::*;

    #[test]
    fn a_clock_that_gains() {
        let record = record(&RtcReport {
            reference_time: Timespec { seconds: 1_795_321_335, nanoseconds: 0 },
            samples: 10,
            runs: 5,
            span: 1300,
            fast: Float::from(-1.5),
            gain: Float::from(12.25),
        });
        insta::assert_snapshot!(record.text(), @r"
        RTC ref time (UTC) : Sun Nov 22 04:22:15 2026
        Number of samples  : 10
        Number of runs     : 5
        Sample span period :  21m
        RTC is fast by     :    -1.500000 seconds
        RTC gains time at  :    12.250 ppm
        ");
        assert_eq!(record.csv(), "1795321335.000000000,10,5,1300,-1.500000,12.250");
    }
}
