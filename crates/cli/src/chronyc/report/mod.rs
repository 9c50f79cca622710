//! The reports: what is asked for, and how the answer is presented. One file each.

mod activity;
mod authdata;
mod clients;
pub(super) mod manual;
mod ntpdata;
mod rtcdata;
mod selectdata;
mod serverstats;
mod smoothing;
mod sources;
mod sourcestats;
mod tracking;
pub(super) mod waitsync;

use std::io::Write;

use serde_json::{Value, json};
use timeball_wire::LeapIndicator;
use timeball_wire::cmdmon::{Address, Float, Timespec};

use super::command::Report;
use super::dates;
use super::names;
use super::record::{Cell, Record};
use super::session::Session;
use super::trouble::{Outcome, Trouble};

/// Asks for a report and prints it.
pub(super) fn show<W: Write>(session: &mut Session<W>, wanted: Report) -> Outcome {
    match wanted {
        Report::Tracking => tracking::show(session),
        Report::Sources(options) => sources::show(session, options),
        Report::SourceStats(options) => sourcestats::show(session, options),
        Report::SelectData(options) => selectdata::show(session, options),
        Report::AuthData(options) => authdata::show(session, options),
        Report::NtpData(None) => ntpdata::show_all(session),
        Report::NtpData(Some(source)) => ntpdata::show_one(session, source),
        Report::SourceName(source) => show_source_name(session, source),
        Report::Activity => activity::show(session),
        Report::Clients(options) => clients::show(session, options),
        Report::ServerStats => serverstats::show(session),
        Report::Smoothing => smoothing::show(session),
        Report::RtcData => rtcdata::show(session),
        Report::ManualList => manual::show(session),
    }
}

fn show_source_name<W: Write>(session: &mut Session<W>, source: Address) -> Outcome {
    use timeball_wire::cmdmon::{Answer, Request};
    let Answer::SourceName(name) = session.fetch(&Request::SourceName { address: source })? else {
        return Err(Trouble::BadReply);
    };
    let printable = |name: &&str| name.bytes().all(|byte| byte.is_ascii_graphic());
    let name = name.as_str().filter(printable).ok_or(Trouble::BadReply)?;
    let record = Record::new().member("address", address_value(source)).value(
        "name",
        name,
        Cell::plain(name),
    );
    Ok(session.output.report(&record)?)
}

/// The column in which sources and clients are named, in characters.
const NAME_WIDTH: usize = 25;

/// Numbers of the protocol where "none" is the highest one.
fn known(number: u32) -> Option<u32> {
    (number != u32::MAX).then_some(number)
}

fn seconds(float: Float) -> f64 {
    float.into()
}

fn address_value(address: Address) -> Value {
    match address {
        Address::Unspecified => Value::Null,
        address => names::numeric(address).into(),
    }
}

fn time_value(time: Timespec) -> Value {
    json!(dates::in_iso_8601(time))
}

fn leap_words(leap: LeapIndicator) -> &'static str {
    match leap {
        LeapIndicator::NoWarning => "Normal",
        LeapIndicator::Insert => "Insert second",
        LeapIndicator::Delete => "Delete second",
        LeapIndicator::Unsynchronised => "Not synchronised",
    }
}

fn leap_sign(leap: LeapIndicator) -> char {
    match leap {
        LeapIndicator::NoWarning => 'N',
        LeapIndicator::Insert => '+',
        LeapIndicator::Delete => '-',
        LeapIndicator::Unsynchronised => '?',
    }
}

/// For JSON.
fn leap_value(leap: LeapIndicator) -> &'static str {
    match leap {
        LeapIndicator::NoWarning => "normal",
        LeapIndicator::Insert => "insert-second",
        LeapIndicator::Delete => "delete-second",
        LeapIndicator::Unsynchronised => "unsynchronised",
    }
}
