//! `sources`: the sources, their state and their last measurement.

use std::io::Write;

use timeball_wire::ReferenceId;
use timeball_wire::cmdmon::{Address, Answer, Request, SourceData, SourceMode, SourceState};

use super::{NAME_WIDTH, address_value, known, seconds};
use crate::chronyc::command::SourceOptions;
use crate::chronyc::record::{Cell, Record};
use crate::chronyc::session::{Named, Session};
use crate::chronyc::trouble::{Outcome, Trouble};

const HEADER: &str =
    "MS Name/IP address         Stratum Poll Reach LastRx Last sample               ";

const LEGEND: &str = r"
  .-- Mode: ^ server, = peer, # reference clock.
 / .- State: * the system clock follows it, + combined with that, - not combined,
| /          x falseticker, ~ varies too much, ? cannot be selected.
||                                                 .- Offset, less what was corrected
||      Reachability, in octal -------.            |  since [as it was measured]
||      Poll interval, log2 s --.      |           |  +/- bound of its error; with +
||                               |     |           |  the system clock was fast.
";

pub(super) fn show<W: Write>(session: &mut Session<W>, options: SourceOptions) -> Outcome {
    let count = session.count_sources()?;
    if options.verbose {
        session.output.words(LEGEND)?;
    }
    session.output.table(HEADER)?;
    for index in 0..count {
        let source = fetch(session, index)?;
        if matches!(source.address, Address::Id(_)) && !options.all {
            continue;
        }
        let name = session.name_of(named(&source), NAME_WIDTH);
        session.output.row(record(&source, &name))?;
    }
    Ok(session.output.end_of_table()?)
}

/// One of the daemon's sources.
pub(super) fn fetch<W: Write>(session: &mut Session<W>, index: u32) -> Outcome<SourceData> {
    match session.fetch(&Request::SourceData { index })? {
        Answer::SourceData(source) => Ok(source),
        _ => Err(Trouble::BadReply),
    }
}

/// The reference ID of a reference clock stands in an IPv4 address.
fn named(source: &SourceData) -> Named {
    match (source.mode, source.address) {
        (SourceMode::ReferenceClock, Address::Ip(std::net::IpAddr::V4(id))) => {
            Named::ReferenceClock(ReferenceId::from_bytes(id.octets()))
        }
        (_, address) => Named::Source(address),
    }
}

fn record(source: &SourceData, name: &str) -> Record {
    let (mode_sign, mode) = match source.mode {
        SourceMode::Client => ("^", "server"),
        SourceMode::Peer => ("=", "peer"),
        SourceMode::ReferenceClock => ("#", "reference-clock"),
    };
    let (state_sign, state) = match source.state {
        SourceState::Selected => ("*", "selected"),
        SourceState::Nonselectable => ("?", "unselectable"),
        SourceState::Falseticker => ("x", "falseticker"),
        SourceState::Jittery => ("~", "jittery"),
        SourceState::Combined => ("+", "combined"),
        SourceState::Selectable => ("-", "not-combined"),
    };
    let address = match named(source) {
        Named::ReferenceClock(_) => Address::Unspecified,
        Named::Source(address) | Named::Client(address) => address,
    };
    let reach = format!("{:o}", source.reachability);
    let since = known(source.since_sample);
    let [adjusted, measured, error] =
        [source.adjusted_offset, source.measured_offset, source.error].map(seconds);
    Record::new()
        .value("mode", mode, Cell::plain(mode_sign))
        .value("state", state, Cell::plain(state_sign))
        .words(" ")
        .value("name", name, Cell::left(name, 27))
        .member("address", address_value(address))
        .words("  ")
        .value("stratum", source.stratum, Cell::right(source.stratum, 2))
        .words("  ")
        .value("poll_log2_seconds", source.poll, Cell::right(source.poll, 2))
        .words("   ")
        .value("reachability_octal", reach.as_str(), Cell::right(&reach, 3))
        .words("  ")
        .value("last_sample_seconds_ago", since, Cell::interval(since))
        .words("  ")
        .value("adjusted_offset_seconds", adjusted, Cell::offset(adjusted))
        .words("[")
        .value("measured_offset_seconds", measured, Cell::offset(measured))
        .words("] +/- ")
        .value("error_bound_seconds", error, Cell::magnitude(error))
}

#[cfg(test)]
mod tests {
    use timeball_wire::cmdmon::Float;

    use super::*;

    fn source() -> SourceData {
        SourceData {
            address: Address::Ip("192.0.2.1".parse().unwrap()),
            poll: 6,
            stratum: 2,
            state: SourceState::Selected,
            mode: SourceMode::Client,
            flags: 0,
            reachability: 0o377,
            since_sample: 12,
            measured_offset: Float::from(-0.000_25),
            adjusted_offset: Float::from(0.000_000_5),
            error: Float::from(0.015),
        }
    }

    #[test]
    fn a_row() {
        let record = record(&source(), "ntp.example.net");
        assert_eq!(
            record.text(),
            "^* ntp.example.net               2   6   377    12   +500ns[ -250us] +/-   15ms"
        );
        assert_eq!(
            record.csv(),
            "^,*,ntp.example.net,2,6,377,12,0.000000500,-0.000250000,0.015000000"
        );
        let json = record.json();
        assert_eq!(
            (json["mode"].as_str(), json["state"].as_str()),
            (Some("server"), Some("selected"))
        );
        assert_eq!(json["address"], "192.0.2.1");
        assert_eq!(json["last_sample_seconds_ago"], 12);
    }

    #[test]
    fn a_reference_clock_that_was_never_heard() {
        let source = SourceData {
            address: Address::Ip("71.80.83.0".parse().unwrap()),
            mode: SourceMode::ReferenceClock,
            state: SourceState::Nonselectable,
            poll: -3,
            stratum: 0,
            reachability: 0,
            since_sample: u32::MAX,
            measured_offset: Float::ZERO,
            adjusted_offset: Float::ZERO,
            error: Float::ZERO,
            ..source()
        };
        assert!(matches!(named(&source), Named::ReferenceClock(id) if id.to_bytes() == *b"GPS\0"));
        let record = record(&source, "GPS");
        assert_eq!(
            record.text(),
            "#? GPS                           0  -3     0     -     +0ns[   +0ns] +/-    0ns"
        );
        assert_eq!(record.csv(), "#,?,GPS,0,-3,0,4294967295,0.000000000,0.000000000,0.000000000");
        assert!(record.json()["address"].is_null());
        assert!(record.json()["last_sample_seconds_ago"].is_null());
    }

    #[test]
    fn the_header_is_as_wide_as_a_row() {
        assert_eq!(record(&source(), "x").text().len(), HEADER.len());
    }
}
