//! `add server|peer|pool NAME OPTIONS`, with the options of chrony.conf.

use std::ops::RangeInclusive;

use timeball_host::resolver::AddressFamily;
use timeball_wire::cmdmon::{Float, Name, NewSource, NewSourceKind, SourceFlags};
use timeball_wire::nts_ke::NTS_KE_PORT;

use super::words::Words;
use crate::chronyc::names;
use crate::chronyc::trouble::{Outcome, Trouble};

const MAX_STRATUM: u32 = 16;
const MAX_VERSION: u32 = 4;
const POLLS: RangeInclusive<i32> = -32..=32;
const COUNTS: RangeInclusive<i32> = 0..=i32::MAX;
const PORTS: RangeInclusive<u32> = 0..=65_535;

pub(super) fn parse(mut words: Words<'_>, family: AddressFamily) -> Outcome<NewSource> {
    let invalid = |what| Trouble::usage(format!("Invalid {what} add command"));
    let kind = match words.next().map(str::to_ascii_lowercase).as_deref() {
        Some("server") => NewSourceKind::Server,
        Some("peer") => NewSourceKind::Peer,
        Some("pool") => NewSourceKind::Pool,
        _ => return Err(invalid("syntax for")),
    };
    let text = words.next().ok_or_else(|| invalid("syntax for"))?;
    let mut source = with_defaults(kind, Name::new(text).ok_or_else(no_such_host)?);
    while let Some(word) = words.next() {
        let option = word.to_ascii_lowercase();
        if let Some(flag) = flag(&option) {
            source.flags = source.flags | flag;
        } else if option == "offline" {
            source.flags = SourceFlags(source.flags.0 & !SourceFlags::ONLINE.0);
        } else {
            match set(&mut source, &option, &mut words) {
                Set::Done => {}
                Set::BadValue => return Err(invalid("value in")),
                Set::Unknown => return Err(invalid("option in")),
            }
        }
    }
    // The daemon is on this machine as a rule: a name that is unknown here is a mistake.
    names::resolve(text, family).map(|_| source).ok_or_else(no_such_host)
}

fn no_such_host() -> Trouble {
    Trouble::usage("Invalid host/IP address")
}

/// The options by which a source takes part in selection.
pub(super) fn selection_option(name: &str) -> Option<SourceFlags> {
    Some(match name.to_ascii_lowercase().as_str() {
        "noselect" => SourceFlags::NOSELECT,
        "prefer" => SourceFlags::PREFER,
        "trust" => SourceFlags::TRUST,
        "require" => SourceFlags::REQUIRE,
        _ => return None,
    })
}

/// The options without a value that switch something on.
fn flag(name: &str) -> Option<SourceFlags> {
    Some(match name {
        "auto_offline" => SourceFlags::AUTO_OFFLINE,
        "burst" => SourceFlags::BURST,
        "copy" => SourceFlags::COPY,
        "iburst" => SourceFlags::IBURST,
        "ipv4" => SourceFlags::IPV4,
        "ipv6" => SourceFlags::IPV6,
        "nts" => SourceFlags::NTS,
        "xleave" => SourceFlags::INTERLEAVED,
        name => return selection_option(name),
    })
}

/// By its type, in hexadecimal. The network correction has had two.
fn extension_field(word: &str) -> Option<SourceFlags> {
    match word.to_ascii_uppercase().as_str() {
        "F323" => Some(SourceFlags::MONOTONIC_ROOT),
        "F324" | "10A" => Some(SourceFlags::NETWORK_CORRECTION),
        _ => None,
    }
}

enum Set {
    Done,
    BadValue,
    Unknown,
}

/// Sets the option with the value in the next word.
fn set(source: &mut NewSource, name: &str, words: &mut Words<'_>) -> Set {
    let done = match name {
        "port" => number(words, PORTS, &mut source.port),
        "minpoll" => number(words, POLLS, &mut source.min_poll),
        "maxpoll" => number(words, POLLS, &mut source.max_poll),
        "presend" => number(words, POLLS, &mut source.presend_min_poll),
        "minstratum" => number(words, 0..=MAX_STRATUM, &mut source.min_stratum),
        "polltarget" => number(words, 1..=u32::MAX, &mut source.poll_target),
        "version" => number(words, 1..=MAX_VERSION, &mut source.version),
        "maxsources" => number(words, 1..=u32::MAX, &mut source.max_sources),
        "minsamples" => number(words, COUNTS, &mut source.min_samples),
        "maxsamples" => number(words, COUNTS, &mut source.max_samples),
        "maxunreach" => number(words, COUNTS, &mut source.max_unreach),
        "filter" => number(words, COUNTS, &mut source.filter_length),
        "key" => number(words, 1..=u32::MAX, &mut source.key_id),
        "ntsport" => number(words, PORTS, &mut source.nts_port),
        "certset" => number(words, 0..=u32::MAX, &mut source.certificate_set),
        "maxdelay" => float(words, &mut source.max_delay),
        "maxdelayratio" => float(words, &mut source.max_delay_ratio),
        "maxdelaydevratio" => float(words, &mut source.max_delay_dev_ratio),
        "maxdelayquant" => float(words, &mut source.max_delay_quantile),
        "mindelay" => float(words, &mut source.min_delay),
        "asymmetry" => float(words, &mut source.asymmetry),
        "offset" => float(words, &mut source.offset),
        "extfield" => words.next().and_then(extension_field).map(|flag| {
            source.flags = source.flags | flag;
        }),
        _ => return Set::Unknown,
    };
    if done.is_some() { Set::Done } else { Set::BadValue }
}

fn number<T: std::str::FromStr + PartialOrd>(
    words: &mut Words<'_>,
    range: RangeInclusive<T>,
    to: &mut T,
) -> Option<()> {
    *to = words.parse().filter(|number| range.contains(number))?;
    Some(())
}

fn float(words: &mut Words<'_>, to: &mut Float) -> Option<()> {
    *to = words.parse::<f64>()?.into();
    Some(())
}

/// chrony's defaults.
fn with_defaults(kind: NewSourceKind, name: Name) -> NewSource {
    NewSource {
        kind,
        name,
        port: 123,
        min_poll: 6,
        max_poll: 10,
        presend_min_poll: 100,
        min_stratum: 0,
        poll_target: 8,
        version: 0,
        max_sources: 4,
        min_samples: -1,
        max_samples: -1,
        key_id: 0,
        nts_port: NTS_KE_PORT.into(),
        max_delay: Float::from(3.0),
        max_delay_ratio: Float::ZERO,
        max_delay_dev_ratio: Float::from(10.0),
        min_delay: Float::ZERO,
        asymmetry: Float::from(1.0),
        offset: Float::ZERO,
        flags: SourceFlags::ONLINE,
        filter_length: 0,
        certificate_set: 0,
        max_delay_quantile: Float::ZERO,
        max_unreach: 100_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(line: &str) -> Outcome<NewSource> {
        parse(Words::of(line), AddressFamily::Any)
    }

    fn complaint(line: &str) -> String {
        match add(line) {
            Err(Trouble::Usage(message)) => message,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_source_without_options_is_chronys() {
        let source = add("server 192.0.2.1").unwrap();
        assert_eq!(source.name.as_str(), Some("192.0.2.1"));
        assert_eq!(source, with_defaults(NewSourceKind::Server, source.name));
    }

    #[test]
    fn options_are_chronys() {
        let line = "PEER 2001:db8::1 minpoll -2 maxpoll 3 IBURST xleave offline key 5 offset 1e-3 \
                    maxdelayquant 0.5 extfield f323 prefer filter 5 port 11123 version 3 presend 9";
        let source = add(line).unwrap();
        assert_eq!(source.kind, NewSourceKind::Peer);
        assert_eq!((source.min_poll, source.max_poll, source.presend_min_poll), (-2, 3, 9));
        assert_eq!((source.key_id, source.port, source.version), (5, 11_123, 3));
        assert_eq!((source.filter_length, source.offset), (5, Float::from(1e-3)));
        assert_eq!(source.max_delay_quantile, Float::from(0.5));
        let flags = SourceFlags::IBURST
            | SourceFlags::INTERLEAVED
            | SourceFlags::PREFER
            | SourceFlags::MONOTONIC_ROOT;
        assert_eq!(source.flags, flags, "and not online");
    }

    #[test]
    fn mistakes_are_told_apart() {
        assert_eq!(complaint("clock 192.0.2.1"), "Invalid syntax for add command");
        assert_eq!(complaint("server"), "Invalid syntax for add command");
        assert_eq!(complaint("server 192.0.2.1 fast"), "Invalid option in add command");
        for bad in ["minpoll", "minpoll x", "port 65536", "key 0", "version 5", "extfield 1"] {
            let line = format!("server 192.0.2.1 {bad}");
            assert_eq!(complaint(&line), "Invalid value in add command", "{line}");
        }
        let long = format!("server {}", "a".repeat(256));
        assert_eq!(complaint(&long), "Invalid host/IP address");
    }
}
