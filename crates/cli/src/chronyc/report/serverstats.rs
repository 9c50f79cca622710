//! `serverstats`: what the servers counted.

use std::io::Write;

use serde_json::Value;
use timeball_wire::cmdmon::{Answer, Request, ServerStats3, ServerStats4};

use crate::chronyc::record::{Cell, Record};
use crate::chronyc::session::Session;
use crate::chronyc::trouble::{Outcome, Trouble};

/// A counter: what it is called by people and by programs, and its value.
type Counter = (&'static str, &'static str, u64);

pub(super) fn show<W: Write>(session: &mut Session<W>) -> Outcome {
    let record = match session.fetch(&Request::ServerStats)? {
        Answer::ServerStats4(stats) => record(&counters(&stats)),
        Answer::ServerStats3(stats) => record(&counters_of_older_daemons(&stats)),
        _ => return Err(Trouble::BadReply),
    };
    Ok(session.output.report(&record)?)
}

fn counters(stats: &ServerStats4) -> [Counter; 17] {
    [
        ("NTP packets received       : ", "ntp_received", stats.ntp_hits),
        ("NTP packets dropped        : ", "ntp_dropped", stats.ntp_drops),
        ("Command packets received   : ", "commands_received", stats.command_hits),
        ("Command packets dropped    : ", "commands_dropped", stats.command_drops),
        ("Client log records dropped : ", "client_log_dropped", stats.log_drops),
        ("NTS-KE connections accepted: ", "nts_ke_accepted", stats.nke_hits),
        ("NTS-KE connections dropped : ", "nts_ke_dropped", stats.nke_drops),
        ("Authenticated NTP packets  : ", "ntp_authenticated", stats.ntp_authenticated_hits),
        ("Interleaved NTP packets    : ", "ntp_interleaved", stats.ntp_interleaved_hits),
        ("NTP timestamps held        : ", "ntp_timestamps_held", stats.ntp_timestamps),
        ("NTP timestamp span         : ", "ntp_timestamp_span_seconds", stats.ntp_span),
        (
            "NTP daemon RX timestamps   : ",
            "ntp_daemon_rx_timestamps",
            stats.daemon_receive_timestamps,
        ),
        (
            "NTP daemon TX timestamps   : ",
            "ntp_daemon_tx_timestamps",
            stats.daemon_transmit_timestamps,
        ),
        (
            "NTP kernel RX timestamps   : ",
            "ntp_kernel_rx_timestamps",
            stats.kernel_receive_timestamps,
        ),
        (
            "NTP kernel TX timestamps   : ",
            "ntp_kernel_tx_timestamps",
            stats.kernel_transmit_timestamps,
        ),
        (
            "NTP hardware RX timestamps : ",
            "ntp_hardware_rx_timestamps",
            stats.hardware_receive_timestamps,
        ),
        (
            "NTP hardware TX timestamps : ",
            "ntp_hardware_tx_timestamps",
            stats.hardware_transmit_timestamps,
        ),
    ]
}

/// They counted less, and their chronyc showed less.
fn counters_of_older_daemons(stats: &ServerStats3) -> [Counter; 11] {
    [
        ("NTP packets received       : ", "ntp_received", stats.ntp_hits),
        ("NTP packets dropped        : ", "ntp_dropped", stats.ntp_drops),
        ("Command packets received   : ", "commands_received", stats.command_hits),
        ("Command packets dropped    : ", "commands_dropped", stats.command_drops),
        ("Client log records dropped : ", "client_log_dropped", stats.log_drops),
        ("NTS-KE connections accepted: ", "nts_ke_accepted", stats.nke_hits),
        ("NTS-KE connections dropped : ", "nts_ke_dropped", stats.nke_drops),
        ("Authenticated NTP packets  : ", "ntp_authenticated", stats.ntp_authenticated_hits),
        ("Interleaved NTP packets    : ", "ntp_interleaved", stats.ntp_interleaved_hits),
        ("NTP timestamps held        : ", "ntp_timestamps_held", stats.ntp_timestamps),
        ("NTP timestamp span         : ", "ntp_timestamp_span_seconds", stats.ntp_span),
    ]
    .map(|(words, name, count)| (words, name, count.into()))
}

fn record(counters: &[Counter]) -> Record {
    counters.iter().enumerate().fold(Record::new(), |record, (index, (words, name, count))| {
        let record = if index == 0 { record } else { record.words("\n") };
        // What is not counted is the highest number.
        let value = if *count == u64::MAX { Value::Null } else { (*count).into() };
        record.words(words).value(name, value, Cell::plain(count))
    })
}

#[cfg(test)]
mod tests {
    use timeball_wire::cmdmon::Reserved;

    use super::*;

    #[test]
    fn counters_stand_in_chronycs_order() {
        let stats = ServerStats4 {
            ntp_hits: 1,
            ntp_drops: 2,
            command_hits: 3,
            command_drops: 4,
            log_drops: 5,
            nke_hits: 6,
            nke_drops: 7,
            ntp_authenticated_hits: 8,
            ntp_interleaved_hits: 9,
            ntp_timestamps: 10,
            ntp_span: 11,
            daemon_receive_timestamps: 12,
            daemon_transmit_timestamps: 13,
            kernel_receive_timestamps: 14,
            kernel_transmit_timestamps: 15,
            hardware_receive_timestamps: 16,
            hardware_transmit_timestamps: u64::MAX,
            reserved: Reserved,
        };
        let record = record(&counters(&stats));
        assert_eq!(record.csv(), "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,18446744073709551615");
        let text = record.text();
        assert!(
            text.starts_with("NTP packets received       : 1\nNTP packets dropped        : 2\n")
        );
        assert!(text.ends_with("NTP hardware TX timestamps : 18446744073709551615"));
        assert!(record.json()["ntp_hardware_tx_timestamps"].is_null());
    }

    #[test]
    fn older_daemons_have_fewer() {
        let stats = ServerStats3 {
            ntp_hits: 1,
            ntp_drops: 2,
            command_hits: 3,
            command_drops: 4,
            log_drops: 5,
            nke_hits: 6,
            nke_drops: 7,
            ntp_authenticated_hits: 8,
            ntp_interleaved_hits: 9,
            ntp_timestamps: 10,
            ntp_span: 11,
        };
        assert_eq!(record(&counters_of_older_daemons(&stats)).csv(), "1,2,3,4,5,6,7,8,9,10,11");
    }
}
