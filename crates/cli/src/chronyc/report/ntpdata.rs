//! `ntpdata`: the last valid measurement of each NTP source.

use std::io::Write;

use timeball_wire::ReferenceId;
use timeball_wire::cmdmon::{
    Address, Answer, NtpData2, NtpFlags, NtpMeasurement, Request, SourceMode,
};

use super::{address_value, leap_value, leap_words, seconds, sources, time_value};
use crate::chronyc::names::{numeric, reference_hex, reference_text};
use crate::chronyc::record::{Cell, Record};
use crate::chronyc::session::Session;
use crate::chronyc::trouble::{Outcome, Trouble};

pub(super) fn show_all<W: Write>(session: &mut Session<W>) -> Outcome {
    let count = session.count_sources()?;
    session.output.list();
    for index in 0..count {
        let source = sources::fetch(session, index)?;
        if source.mode == SourceMode::ReferenceClock || source.address.ip().is_none() {
            continue;
        }
        let record = fetch(session, source.address)?;
        session.output.words("\n")?;
        session.output.row(record)?;
    }
    Ok(session.output.end_of_table()?)
}

pub(super) fn show_one<W: Write>(session: &mut Session<W>, source: Address) -> Outcome {
    let record = fetch(session, source)?;
    Ok(session.output.report(&record)?)
}

fn fetch<W: Write>(session: &mut Session<W>, address: Address) -> Outcome<Record> {
    match session.fetch(&Request::NtpData { address })? {
        Answer::NtpData(data) => Ok(record(&data.measurement)),
        Answer::NtpData2(data) => Ok(with_stamps(record(&data.measurement), &data)),
        _ => Err(Trouble::BadReply),
    }
}

fn record(data: &NtpMeasurement) -> Record {
    let record = addresses(data);
    let record = packet(record, data);
    let record = measurement(record, data);
    counters(record, data)
}

fn addresses(data: &NtpMeasurement) -> Record {
    let [remote, local] = [data.remote_address, data.local_address];
    Record::new()
        .words("Remote address  : ")
        .value("remote_address", address_value(remote), Cell::plain(numeric(remote)))
        .words(" (")
        .cell(Cell::plain(reference_hex(reference_id_of(remote))))
        .words(")\nRemote port     : ")
        .value("remote_port", data.remote_port, Cell::plain(data.remote_port))
        .words("\nLocal address   : ")
        .value("local_address", address_value(local), Cell::plain(numeric(local)))
        .words(" (")
        .cell(Cell::plain(reference_hex(reference_id_of(local))))
        .words(")")
}

/// What a client of the source would have as its reference ID.
fn reference_id_of(address: Address) -> ReferenceId {
    address.ip().map_or(ReferenceId::NONE, ReferenceId::of_address)
}

fn packet(record: Record, data: &NtpMeasurement) -> Record {
    let (mode_words, mode) = match data.mode {
        1 => ("Symmetric active", "symmetric-active"),
        2 => ("Symmetric passive", "symmetric-passive"),
        4 => ("Server", "server"),
        _ => ("Invalid", "invalid"),
    };
    let [poll, precision] = [data.poll, data.precision].map(|log2| f64::from(log2).exp2());
    let [delay, dispersion] = [data.root_delay, data.root_dispersion].map(seconds);
    let id = reference_hex(data.reference_id);
    // Above stratum 1 it is an address, or its hash.
    let text = if data.stratum <= 1 { reference_text(data.reference_id) } else { String::new() };
    let time = data.reference_time;
    record
        .words("\nLeap status     : ")
        .value("leap", leap_value(data.leap), Cell::plain(leap_words(data.leap)))
        .words("\nVersion         : ")
        .value("version", data.version, Cell::plain(data.version))
        .words("\nMode            : ")
        .value("mode", mode, Cell::plain(mode_words))
        .words("\nStratum         : ")
        .value("stratum", data.stratum, Cell::plain(data.stratum))
        .words("\nPoll interval   : ")
        .value("poll_log2_seconds", data.poll, Cell::plain(data.poll))
        .words(" (")
        .value("poll_seconds", poll, Cell::decimals(poll, 0))
        .words(" seconds)\nPrecision       : ")
        .value("precision_log2_seconds", data.precision, Cell::plain(data.precision))
        .words(" (")
        .value("precision_seconds", precision, Cell::decimals(precision, 9))
        .words(" seconds)\nRoot delay      : ")
        .value("root_delay_seconds", delay, Cell::decimals(delay, 6))
        .words(" seconds\nRoot dispersion : ")
        .value("root_dispersion_seconds", dispersion, Cell::decimals(dispersion, 6))
        .words(" seconds\nReference ID    : ")
        .value("reference_id", id.as_str(), Cell::plain(&id))
        .words(" (")
        .value("reference_name", text.as_str(), Cell::plain(&text))
        .words(")\nReference time  : ")
        .value("reference_time", time_value(time), Cell::time(time))
}

fn measurement(record: Record, data: &NtpMeasurement) -> Record {
    let [offset, delay, dispersion, response] =
        [data.offset, data.peer_delay, data.peer_dispersion, data.response_time].map(seconds);
    let asymmetry = f64::from(data.jitter_asymmetry);
    let interleaved = data.flags.contains(NtpFlags::INTERLEAVED);
    let authenticated = data.flags.contains(NtpFlags::AUTHENTICATED);
    // In text as one column, otherwise by their groups: 1 to 3, 5 to 7, A to D.
    let tests = format!("{:010b}", data.flags.0 & NtpFlags::ALL_TESTS.0);
    let group = |range| Cell::plain(tests.get(range).unwrap_or_default());
    record
        .words("\nOffset          : ")
        .value("offset_seconds", offset, Cell::signed(offset, 9))
        .words(" seconds\nPeer delay      : ")
        .value("peer_delay_seconds", delay, Cell::decimals(delay, 9))
        .words(" seconds\nPeer dispersion : ")
        .value("peer_dispersion_seconds", dispersion, Cell::decimals(dispersion, 9))
        .words(" seconds\nResponse time   : ")
        .value("response_time_seconds", response, Cell::decimals(response, 9))
        .words(" seconds\nJitter asymmetry: ")
        .value("jitter_asymmetry", asymmetry, Cell::signed(asymmetry, 2))
        .words("\nNTP tests       : ")
        .member("tests_passed", tests.as_str())
        .cell(group(0..3))
        .words(" ")
        .cell(group(3..6))
        .words(" ")
        .cell(group(6..10))
        .words("\nInterleaved     : ")
        .value("interleaved", interleaved, Cell::yes_or_no(interleaved))
        .words("\nAuthenticated   : ")
        .value("authenticated", authenticated, Cell::yes_or_no(authenticated))
}

fn counters(record: Record, data: &NtpMeasurement) -> Record {
    let [transmit, receive] =
        [data.transmit_timestamping, data.receive_timestamping].map(timestamping);
    record
        .words("\nTX timestamping : ")
        .value("tx_timestamping", transmit.to_lowercase(), Cell::plain(transmit))
        .words("\nRX timestamping : ")
        .value("rx_timestamping", receive.to_lowercase(), Cell::plain(receive))
        .words("\nTotal TX        : ")
        .value("total_tx", data.total_sent, Cell::plain(data.total_sent))
        .words("\nTotal RX        : ")
        .value("total_rx", data.total_received, Cell::plain(data.total_received))
        .words("\nTotal valid RX  : ")
        .value("total_valid_rx", data.total_valid, Cell::plain(data.total_valid))
        .words("\nTotal good RX   : ")
        .value("total_good_rx", data.total_good, Cell::plain(data.total_good))
}

fn timestamping(letter: u8) -> &'static str {
    match letter {
        b'D' => "Daemon",
        b'K' => "Kernel",
        b'H' => "Hardware",
        _ => "Invalid",
    }
}

/// What daemons since chrony 4.4 count as well.
fn with_stamps(record: Record, data: &NtpData2) -> Record {
    record
        .words("\nTotal kernel TX : ")
        .value(
            "total_kernel_tx",
            data.total_kernel_transmit,
            Cell::plain(data.total_kernel_transmit),
        )
        .words("\nTotal kernel RX : ")
        .value("total_kernel_rx", data.total_kernel_receive, Cell::plain(data.total_kernel_receive))
        .words("\nTotal HW TX     : ")
        .value(
            "total_hw_tx",
            data.total_hardware_transmit,
            Cell::plain(data.total_hardware_transmit),
        )
        .words("\nTotal HW RX     : ")
        .value("total_hw_rx", data.total_hardware_receive, Cell::plain(data.total_hardware_receive))
}

#[cfg(test)]
mod tests {
    use timeball_wire::LeapIndicator;
    use timeball_wire::cmdmon::{Float, Reserved, Timespec};

    use super::*;

    fn measurement() -> NtpMeasurement {
        NtpMeasurement {
            remote_address: Address::Ip("192.0.2.1".parse().unwrap()),
            local_address: Address::Ip("192.0.2.7".parse().unwrap()),
            remote_port: 123,
            leap: LeapIndicator::NoWarning,
            version: 4,
            mode: 4,
            stratum: 1,
            poll: 6,
            precision: -23,
            root_delay: Float::from(0.25),
            root_dispersion: Float::from(0.000_030_5),
            reference_id: ReferenceId::from_bytes(*b"GPS\0"),
            reference_time: Timespec { seconds: 1_795_321_335, nanoseconds: 0 },
            offset: Float::from(-0.000_5),
            peer_delay: Float::from(0.001),
            peer_dispersion: Float::from(0.000_000_5),
            response_time: Float::from(0.000_01),
            jitter_asymmetry: Float::from(-0.25),
            flags: NtpFlags(0b11_1011_1110 | NtpFlags::INTERLEAVED.0),
            transmit_timestamping: b'K',
            receive_timestamping: b'?',
            total_sent: 10,
            total_received: 9,
            total_valid: 8,
            total_good: 7,
        }
    }

    #[test]
    fn a_measurement() {
        let record = record(&measurement());
        insta::assert_snapshot!(record.text(), @r"
        Remote address  : 192.0.2.1 (C0000201)
        Remote port     : 123
        Local address   : 192.0.2.7 (C0000207)
        Leap status     : Normal
        Version         : 4
        Mode            : Server
        Stratum         : 1
        Poll interval   : 6 (64 seconds)
        Precision       : -23 (0.000000119 seconds)
        Root delay      : 0.250000 seconds
        Root dispersion : 0.000030 seconds
        Reference ID    : 47505300 (GPS)
        Reference time  : Sun Nov 22 04:22:15 2026
        Offset          : -0.000500000 seconds
        Peer delay      : 0.001000000 seconds
        Peer dispersion : 0.000000500 seconds
        Response time   : 0.000010000 seconds
        Jitter asymmetry: -0.25
        NTP tests       : 111 011 1110
        Interleaved     : Yes
        Authenticated   : No
        TX timestamping : Kernel
        RX timestamping : Invalid
        Total TX        : 10
        Total RX        : 9
        Total valid RX  : 8
        Total good RX   : 7
        ");
        assert_eq!(
            record.csv(),
            "192.0.2.1,C0000201,123,192.0.2.7,C0000207,Normal,4,Server,1,6,64,-23,0.000000119,0.250000,\
             0.000030,47505300,GPS,1795321335.000000000,-0.000500000,0.001000000,0.000000500,\
             0.000010000,-0.25,111,011,1110,Yes,No,Kernel,Invalid,10,9,8,7"
        );
        assert_eq!(record.json()["tests_passed"], "1110111110");
        assert_eq!(record.json()["tx_timestamping"], "kernel");
    }

    #[test]
    fn newer_daemons_count_stamps() {
        let data = NtpData2 {
            measurement: NtpMeasurement { stratum: 2, ..measurement() },
            total_kernel_transmit: 6,
            total_kernel_receive: 5,
            total_hardware_transmit: 4,
            total_hardware_receive: 3,
            reserved: Reserved,
        };
        let record = with_stamps(record(&data.measurement), &data);
        assert!(record.csv().ends_with(",10,9,8,7,6,5,4,3"));
        assert!(record.text().contains("Reference ID    : 47505300 ()\n"));
        assert!(record.text().ends_with("Total HW TX     : 4\nTotal HW RX     : 3"));
    }
}
