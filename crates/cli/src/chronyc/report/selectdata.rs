//! `selectdata`: how each source fares in selection.

use std::io::Write;

use timeball_wire::cmdmon::{Address, Answer, Request, SelectData, SelectOptions};

use super::{NAME_WIDTH, address_value, known, leap_sign, leap_value, leap_words, seconds};
use crate::chronyc::command::SourceOptions;
use crate::chronyc::record::{Cell, Record};
use crate::chronyc::session::{Named, Session};
use crate::chronyc::trouble::{Outcome, Trouble};

const HEADER: &str = "S Name/IP Address        Auth COpts EOpts Last Score     Interval  Leap";

const LEGEND: &str = r"  . State: * selected, + combined, N noselect, s unsynchronised, M too few samples,
 /         d D large distance, ~ varies too much, w W waits for others, S stale,
|          O orphan, T not trusted, P not preferred, U waits for an update,
|          x falseticker, L outlier.
|   Options in effect     ---------.  N noselect, P prefer, T trust, R require.
|   Options configured    ----.     \
|   Authenticated, Y or N -.   \     \     Interval of the offset --.
|                          |    |     |                             |
";

pub(super) fn show<W: Write>(session: &mut Session<W>, options: SourceOptions) -> Outcome {
    let count = session.count_sources()?;
    if options.verbose {
        session.output.words(LEGEND)?;
    }
    session.output.table(HEADER)?;
    for index in 0..count {
        let Answer::SelectData(source) = session.fetch(&Request::SelectData { index })? else {
            return Err(Trouble::BadReply);
        };
        if matches!(source.address, Address::Id(_)) && !options.all {
            continue;
        }
        let name = session.name_of(Named::source(source.address, source.reference_id), NAME_WIDTH);
        session.output.row(record(&source, &name))?;
    }
    Ok(session.output.end_of_table()?)
}

fn record(source: &SelectData, name: &str) -> Record {
    let authenticated = source.authenticated != 0;
    let ago = known(source.last_sample_ago);
    let [low, high] = [source.low_limit, source.high_limit].map(seconds);
    let score = f64::from(source.score);
    let record = Record::new()
        .value("state", state_words(source.state), Cell::plain(char::from(source.state)))
        .words(" ")
        .value("name", name, Cell::left(name, NAME_WIDTH))
        .member("address", address_value(source.address))
        .words(" ")
        .value("authenticated", authenticated, Cell::plain(if authenticated { 'Y' } else { 'N' }))
        .words(" ");
    let record = with_options(record, "configured_options", source.configured).words(" ");
    with_options(record, "effective_options", source.effective)
        .words(" ")
        .value("last_sample_seconds_ago", ago, Cell::interval(ago))
        .words(" ")
        .value("score", score, Cell::decimals_right(score, 1, 5))
        .words(" ")
        .value("low_limit_seconds", low, Cell::offset(low))
        .words(" ")
        .value("high_limit_seconds", high, Cell::offset(high))
        .words("  ")
        .value(
            "leap",
            leap_value(source.leap),
            Cell::sign(leap_sign(source.leap), leap_words(source.leap)),
        )
}

const OPTIONS: [(SelectOptions, char, &str); 4] = [
    (SelectOptions::NOSELECT, 'N', "noselect"),
    (SelectOptions::PREFER, 'P', "prefer"),
    (SelectOptions::TRUST, 'T', "trust"),
    (SelectOptions::REQUIRE, 'R', "require"),
];

/// A letter for each option, and one place that is free.
fn with_options(record: Record, name: &'static str, options: SelectOptions) -> Record {
    let on = |option: &SelectOptions| options.contains(*option);
    let names: Vec<&str> =
        OPTIONS.iter().filter(|(option, ..)| on(option)).map(|(.., name)| *name).collect();
    let letters = OPTIONS.iter().map(|(option, letter, _)| if on(option) { *letter } else { '-' });
    letters
        .chain(['-'])
        .fold(record.member(name, names), |record, letter| record.cell(Cell::plain(letter)))
}

fn state_words(state: u8) -> String {
    let words = match state {
        b'N' => "noselect",
        b's' => "unsynchronised",
        b'M' => "missing-samples",
        b'd' => "large-distance",
        b'D' => "distant",
        b'~' => "jittery",
        b'w' | b'W' => "waits-for-others",
        b'S' => "stale",
        b'O' => "orphan",
        b'T' => "not-trusted",
        b'P' => "not-preferred",
        b'U' => "waits-for-update",
        b'x' => "falseticker",
        b'+' => "combined",
        b'*' => "selected",
        b'L' => "outlier",
        other => return char::from(other).to_string(),
    };
    words.into()
}

#[cfg(test)]
mod tests {
    use timeball_wire::cmdmon::{Float, Reserved};
    use timeball_wire::{LeapIndicator, ReferenceId};

    use super::*;

    #[test]
    fn a_row() {
        let source = SelectData {
            reference_id: ReferenceId::from_bytes(*b"PPS\0"),
            address: Address::Unspecified,
            state: b'*',
            authenticated: 0,
            leap: LeapIndicator::Insert,
            reserved: Reserved,
            configured: SelectOptions::PREFER,
            effective: SelectOptions::PREFER | SelectOptions::TRUST,
            last_sample_ago: 5,
            score: Float::from(1.0),
            low_limit: Float::from(-0.002),
            high_limit: Float::from(0.000_000_7),
        };
        let record = record(&source, "PPS");
        assert_eq!(
            record.text(),
            "* PPS                       N -P--- -PT--    5   1.0 -2000us  +700ns  +"
        );
        assert_eq!(
            record.csv(),
            "*,PPS,N,-,P,-,-,-,-,P,T,-,-,5,1.0,-0.002000000,0.000000700,Insert second"
        );
        let json = record.json();
        assert_eq!(json["state"], "selected");
        assert_eq!(json["effective_options"], serde_json::json!(["prefer", "trust"]));
        assert_eq!(json["leap"], "insert-second");
        assert_eq!(state_words(b'?'), "?");
    }
}
