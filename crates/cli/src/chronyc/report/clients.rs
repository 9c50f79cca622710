//! `clients`: who asked for the time, and how often.

use std::io::Write;

use timeball_wire::cmdmon::{Address, Answer, ClientAccess, Request};

use super::{NAME_WIDTH, address_value, known};
use crate::chronyc::command::{BesideNtp, ClientOptions};
use crate::chronyc::record::{Cell, Record};
use crate::chronyc::session::{Named, Session};
use crate::chronyc::trouble::{Outcome, Trouble};

/// As many as an answer has room for.
const CLIENTS_AT_A_TIME: u32 = 8;

pub(super) fn show<W: Write>(session: &mut Session<W>, options: ClientOptions) -> Outcome {
    session.output.table(header(options.beside_ntp))?;
    let mut first_index = 0;
    loop {
        let request = Request::ClientAccesses {
            first_index,
            clients: CLIENTS_AT_A_TIME,
            min_hits: options.min_hits,
            reset: options.reset.into(),
        };
        let Answer::ClientAccesses(found) = session.fetch(&request)? else {
            return Err(Trouble::BadReply);
        };
        for client in found.clients.iter().filter(|client| client.address != Address::Unspecified) {
            let name = session.name_of(Named::Client(client.address), NAME_WIDTH);
            session.output.row(record(client, options.beside_ntp, &name))?;
        }
        let is_full = found.clients.len() == CLIENTS_AT_A_TIME as usize;
        // A daemon that does not go on would be asked for ever.
        let goes_on = found.next_index > first_index && found.next_index < found.indices;
        if !is_full || !goes_on {
            return Ok(session.output.end_of_table()?);
        }
        first_index = found.next_index;
    }
}

fn header(beside_ntp: BesideNtp) -> &'static str {
    match beside_ntp {
        BesideNtp::Commands => {
            "Hostname                      NTP   Drop Int IntL Last     Cmd   Drop Int  Last"
        }
        BesideNtp::KeyEstablishments => {
            "Hostname                      NTP   Drop Int IntL Last  NTS-KE   Drop Int  Last"
        }
    }
}

fn record(client: &ClientAccess, beside_ntp: BesideNtp, name: &str) -> Record {
    let interval = |log2: i8| (log2 != i8::MAX).then_some(log2);
    let ntp_interval = interval(client.ntp_interval);
    let timeout_interval = interval(client.ntp_timeout_interval);
    let last_ntp = known(client.last_ntp_hit_ago);
    let record = Record::new()
        .value("name", name, Cell::left(name, NAME_WIDTH))
        .member("address", address_value(client.address))
        .words("  ")
        .value("ntp_packets", client.ntp_hits, Cell::right(client.ntp_hits, 6))
        .words("  ")
        .value("ntp_dropped", client.ntp_drops, Cell::right(client.ntp_drops, 5))
        .words("  ")
        .value("ntp_interval_log2_seconds", ntp_interval, Cell::log2_interval(ntp_interval))
        .words("  ")
        .value(
            "ntp_timeout_interval_log2_seconds",
            timeout_interval,
            Cell::log2_interval(timeout_interval),
        )
        .words("  ")
        .value("last_ntp_seconds_ago", last_ntp, Cell::interval(last_ntp));
    match beside_ntp {
        BesideNtp::Commands => {
            let command_interval = interval(client.command_interval);
            let last = known(client.last_command_hit_ago);
            record
                .words("  ")
                .value("commands", client.command_hits, Cell::right(client.command_hits, 6))
                .words("  ")
                .value(
                    "commands_dropped",
                    client.command_drops,
                    Cell::right(client.command_drops, 5),
                )
                .words("  ")
                .value(
                    "command_interval_log2_seconds",
                    command_interval,
                    Cell::log2_interval(command_interval),
                )
                .words("  ")
                .value("last_command_seconds_ago", last, Cell::interval(last))
        }
        BesideNtp::KeyEstablishments => {
            let nke_interval = interval(client.nke_interval);
            let last = known(client.last_nke_hit_ago);
            record
                .words("  ")
                .value("nts_ke_connections", client.nke_hits, Cell::right(client.nke_hits, 6))
                .words("  ")
                .value("nts_ke_dropped", client.nke_drops, Cell::right(client.nke_drops, 5))
                .words("  ")
                .value(
                    "nts_ke_interval_log2_seconds",
                    nke_interval,
                    Cell::log2_interval(nke_interval),
                )
                .words("  ")
                .value("last_nts_ke_seconds_ago", last, Cell::interval(last))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows() {
        let client = ClientAccess {
            address: Address::Ip("192.0.2.1".parse().unwrap()),
            ntp_hits: 1234,
            nke_hits: 3,
            command_hits: 17,
            ntp_drops: 5,
            nke_drops: 1,
            command_drops: 2,
            ntp_interval: 6,
            nke_interval: 127,
            command_interval: -4,
            ntp_timeout_interval: 127,
            last_ntp_hit_ago: 30,
            last_nke_hit_ago: u32::MAX,
            last_command_hit_ago: 2000,
        };
        let row = record(&client, BesideNtp::Commands, "192.0.2.1");
        assert_eq!(
            row.text(),
            "192.0.2.1                    1234      5   6   -    30      17      2  -4   33m"
        );
        assert_eq!(row.text().len(), header(BesideNtp::Commands).len());
        assert_eq!(row.csv(), "192.0.2.1,1234,5,6,127,30,17,2,-4,2000");
        let row = record(&client, BesideNtp::KeyEstablishments, "192.0.2.1");
        assert_eq!(row.csv(), "192.0.2.1,1234,5,6,127,30,3,1,127,4294967295");
        assert!(row.json()["last_nts_ke_seconds_ago"].is_null());
        assert_eq!(row.json()["ntp_packets"], 1234);
    }
}
