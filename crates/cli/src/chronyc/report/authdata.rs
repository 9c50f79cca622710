//! `authdata`: how the packets of each source are authenticated.

use std::io::Write;

use timeball_wire::cmdmon::{
    Address, Answer, AuthenticationData, AuthenticationMode, Request, SourceMode,
};

use super::{NAME_WIDTH, address_value, known, sources};
use crate::chronyc::command::SourceOptions;
use crate::chronyc::record::{Cell, Record};
use crate::chronyc::session::{Named, Session};
use crate::chronyc::trouble::{Outcome, Trouble};

const HEADER: &str = "Name/IP address             Mode KeyID Type KLen Last Atmp  NAK Cook CLen";

const LEGEND: &str = r"                             .- By what: NTS, SK (symmetric key).
                            |     Key: number, algorithm, bits.
                            |    |                .- Last key establishment, attempts.
                            |    |               |        Refusals (NAK).
                            |    |               |        |    Cookies, bytes of one.
";

pub(super) fn show<W: Write>(session: &mut Session<W>, options: SourceOptions) -> Outcome {
    let count = session.count_sources()?;
    if options.verbose {
        session.output.words(LEGEND)?;
    }
    session.output.table(HEADER)?;
    for index in 0..count {
        let source = sources::fetch(session, index)?;
        let address = source.address;
        let unresolved = matches!(address, Address::Id(_));
        if source.mode == SourceMode::ReferenceClock || unresolved && !options.all {
            continue;
        }
        let request = Request::AuthenticationData { address };
        let Answer::AuthenticationData(data) = session.fetch(&request)? else {
            return Err(Trouble::BadReply);
        };
        let name = session.name_of(Named::Source(address), NAME_WIDTH);
        session.output.row(record(address, &data, &name))?;
    }
    Ok(session.output.end_of_table()?)
}

fn record(address: Address, data: &AuthenticationData, name: &str) -> Record {
    let (short, mode) = match data.mode {
        AuthenticationMode::None => ("-", "none"),
        AuthenticationMode::Symmetric => ("SK", "symmetric-key"),
        AuthenticationMode::Nts => ("NTS", "nts"),
    };
    let ago = known(data.last_ke_ago);
    Record::new()
        .value("name", name, Cell::left(name, 27))
        .member("address", address_value(address))
        .words(" ")
        .value("mode", mode, Cell::right(short, 4))
        .words(" ")
        .value("key_id", data.key_id, Cell::right(data.key_id, 5))
        .words(" ")
        .value("key_type", data.key_type, Cell::right(data.key_type, 4))
        .words(" ")
        .value("key_length_bits", data.key_length, Cell::right(data.key_length, 4))
        .words(" ")
        .value("last_key_establishment_seconds_ago", ago, Cell::interval(ago))
        .words(" ")
        .value("key_establishment_attempts", data.ke_attempts, Cell::right(data.ke_attempts, 4))
        .words(" ")
        .value("naks", data.naks, Cell::right(data.naks, 4))
        .words(" ")
        .value("cookies", data.cookies, Cell::right(data.cookies, 4))
        .words(" ")
        .value("cookie_length_bytes", data.cookie_length, Cell::right(data.cookie_length, 4))
}

#[cfg(test)]
mod tests {
    use timeball_wire::cmdmon::Reserved;

    use super::*;

    #[test]
    fn rows() {
        let address = Address::Ip("192.0.2.1".parse().unwrap());
        let nothing = AuthenticationData {
            mode: AuthenticationMode::None,
            key_type: 0,
            key_id: 0,
            key_length: 0,
            ke_attempts: 0,
            last_ke_ago: u32::MAX,
            cookies: 0,
            cookie_length: 0,
            naks: 0,
            reserved: Reserved,
        };
        let row = record(address, &nothing, "192.0.2.1");
        assert_eq!(
            row.text(),
            "192.0.2.1                      -     0    0    0    -    0    0    0    0"
        );
        assert_eq!(row.text().len(), HEADER.len());
        assert_eq!(row.csv(), "192.0.2.1,-,0,0,0,4294967295,0,0,0,0");
        let nts = AuthenticationData {
            mode: AuthenticationMode::Nts,
            key_type: 15,
            key_id: 1,
            key_length: 256,
            ke_attempts: 1,
            last_ke_ago: 4000,
            cookies: 8,
            cookie_length: 100,
            naks: 2,
            reserved: Reserved,
        };
        let row = record(address, &nts, "ntp.example.net");
        assert_eq!(
            row.text(),
            "ntp.example.net              NTS     1   15  256  66m    1    2    8  100"
        );
        assert_eq!(row.csv(), "ntp.example.net,NTS,1,15,256,4000,1,2,8,100");
        assert_eq!(row.json()["mode"], "nts");
    }
}
