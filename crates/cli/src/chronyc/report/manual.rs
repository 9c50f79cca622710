//! Times that were entered by hand: the list of them, and a new one.

use std::io::Write;

use serde_json::json;
use timeball_wire::cmdmon::{Answer, ManualSample, ManualTimestamp, Request, Status, Timespec};

use super::{seconds, time_value};
use crate::chronyc::dates;
use crate::chronyc::record::{Cell, Presentation, Record};
use crate::chronyc::session::Session;
use crate::chronyc::trouble::{Outcome, Trouble, status_line, words};

const HEADER: &str = "#    Date     Time(UTC)    Slewed   Original   Residual";

pub(super) fn show<W: Write>(session: &mut Session<W>) -> Outcome {
    let Answer::ManualSamples(list) = session.fetch(&Request::ManualList)? else {
        return Err(Trouble::BadReply);
    };
    session.output.words(&format!("210 n_samples = {}\n", list.samples.len()))?;
    session.output.table(HEADER)?;
    for (index, sample) in list.samples.iter().enumerate() {
        session.output.row(record(index, sample))?;
    }
    Ok(session.output.end_of_table()?)
}

fn record(index: usize, sample: &ManualSample) -> Record {
    let [slewed, original, residual] =
        [sample.slewed_offset, sample.original_offset, sample.residual].map(seconds);
    Record::new()
        .value("index", index, Cell::right(index, 2))
        .words(" ")
        .value("time", time_value(sample.when), Cell::plain(dates::in_a_log(sample.when)))
        .words(" ")
        .value("slewed_offset_seconds", slewed, Cell::decimals_right(slewed, 2, 10))
        .words(" ")
        .value("original_offset_seconds", original, Cell::decimals_right(original, 2, 10))
        .words(" ")
        .value("residual_seconds", residual, Cell::decimals_right(residual, 2, 10))
}

/// Tells the daemon the time, and says what came of it.
pub(in crate::chronyc) fn set_time<W: Write>(session: &mut Session<W>, time: Timespec) -> Outcome {
    let Answer::ManualTimestamp(effect) = session.fetch(&Request::Settime { time })? else {
        return Err(Trouble::BadReply);
    };
    let ManualTimestamp { offset, frequency_change, frequency } = effect;
    let offset = seconds(offset);
    let [change, frequency] = [frequency_change, frequency].map(f64::from);
    if session.output.presentation() != Presentation::Json {
        let (line, json) = status_line(words(Status::Success));
        session.output.line(&line, &json)?;
    }
    let line = format!(
        "Clock was {offset:.2} seconds fast.  Frequency change = {change:.2}ppm, \
         new frequency = {frequency:.2}ppm"
    );
    let json = json!({
        "clock_fast_seconds": offset,
        "frequency_change_ppm": change,
        "new_frequency_ppm": frequency,
    });
    Ok(session.output.line(&line, &json)?)
}

#[cfg(test)]
mod tests {
    use timeball_wire::cmdmon::Float;

    use super::*;

    #[test]
    fn a_row() {
        let record = record(
            3,
            &ManualSample {
                when: Timespec { seconds: 1_795_321_335, nanoseconds: 0 },
                slewed_offset: Float::from(0.25),
                original_offset: Float::from(-120.5),
                residual: Float::ZERO,
            },
        );
        assert_eq!(record.text(), " 3 2026-11-22 04:22:15       0.25    -120.50       0.00");
        assert_eq!(record.csv(), "3,2026-11-22 04:22:15,0.25,-120.50,0.00");
    }
}
