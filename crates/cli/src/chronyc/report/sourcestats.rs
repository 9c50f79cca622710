//! `sourcestats`: what the measurements of each source amount to.

use std::io::Write;

use timeball_wire::cmdmon::{Address, Answer, Request, SourceStats};

use super::{NAME_WIDTH, address_value, seconds};
use crate::chronyc::command::SourceOptions;
use crate::chronyc::record::{Cell, Record};
use crate::chronyc::session::{Named, Session};
use crate::chronyc::trouble::{Outcome, Trouble};

const HEADER: &str =
    "Name/IP Address            NP  NR  Span  Frequency  Freq Skew  Offset  Std Dev";

const LEGEND: &str = r"                            .- Measurements in use.
                            |   .- Runs of residuals with the same sign.
                            |   |    .- Time from the first to the last of them.
                            |   |    |        .- Frequency against the source (ppm).
                            |   |    |        |          .- Bound of its error (ppm).
                            |   |    |        |          |       .- Offset.
                            |   |    |        |          |       |       .- Deviation of
                            |   |    |        |          |       |       |  the samples.
";

pub(super) fn show<W: Write>(session: &mut Session<W>, options: SourceOptions) -> Outcome {
    let count = session.count_sources()?;
    if options.verbose {
        session.output.words(LEGEND)?;
    }
    session.output.table(HEADER)?;
    for index in 0..count {
        let Answer::SourceStats(stats) = session.fetch(&Request::SourceStats { index })? else {
            return Err(Trouble::BadReply);
        };
        if matches!(stats.address, Address::Id(_)) && !options.all {
            continue;
        }
        let name = session.name_of(Named::source(stats.address, stats.reference_id), NAME_WIDTH);
        session.output.row(record(&stats, &name))?;
    }
    Ok(session.output.end_of_table()?)
}

fn record(stats: &SourceStats, name: &str) -> Record {
    let [frequency, skew] = [stats.residual_frequency, stats.skew].map(f64::from);
    let [offset, error] = [stats.offset, stats.offset_error].map(seconds);
    let deviation = seconds(stats.standard_deviation);
    Record::new()
        .value("name", name, Cell::left(name, NAME_WIDTH))
        .member("address", address_value(stats.address))
        .words(" ")
        .value("samples", stats.samples, Cell::right(stats.samples, 3))
        .words(" ")
        .value("runs", stats.runs, Cell::right(stats.runs, 3))
        .words("  ")
        .value("span_seconds", stats.span, Cell::interval(Some(stats.span)))
        .words(" ")
        .value("frequency_ppm", frequency, Cell::signed_frequency(frequency))
        .words(" ")
        .value("frequency_skew_ppm", skew, Cell::frequency(skew))
        .words("  ")
        .value("offset_seconds", offset, Cell::offset(offset))
        .member("offset_error_seconds", error)
        .words("  ")
        .value("standard_deviation_seconds", deviation, Cell::magnitude(deviation))
}

#[cfg(test)]
mod tests {
    use timeball_wire::ReferenceId;
    use timeball_wire::cmdmon::Float;

    use super::*;

    #[test]
    fn a_row() {
        let stats = SourceStats {
            reference_id: ReferenceId::NONE,
            address: Address::Ip("2001:db8::1".parse().unwrap()),
            samples: 12,
            runs: 7,
            span: 6000,
            standard_deviation: Float::from(0.000_012),
            residual_frequency: Float::from(-0.003),
            skew: Float::from(0.125),
            offset: Float::from(-0.001_5),
            offset_error: Float::from(0.5),
        };
        let record = record(&stats, "2001:db8::1");
        assert_eq!(
            record.text(),
            "2001:db8::1                12   7  100m     -0.003      0.125  -1500us    12us"
        );
        assert_eq!(record.text().len(), HEADER.len());
        assert_eq!(record.csv(), "2001:db8::1,12,7,6000,-0.003,0.125,-0.001500000,0.000012000");
        assert_eq!(record.json()["span_seconds"], 6000);
        assert_eq!(record.json()["offset_error_seconds"], 0.5);
    }
}
