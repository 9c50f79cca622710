//! Commands that are one request to the daemon, which answers with a status.

use std::str::FromStr;

use timeball_host::resolver::AddressFamily;
use timeball_wire::cmdmon::{Address, Float, Request, SourceFlags};

use super::place;
use super::words::Words;
use super::{access, add, local};
use crate::chronyc::trouble::{Outcome, Trouble};

/// The request; `None` for an unknown name.
pub(super) fn parse(
    name: &str,
    mut words: Words<'_>,
    family: AddressFamily,
) -> Outcome<Option<Request>> {
    let invalid = || Trouble::usage(format!("Invalid syntax for {name} command"));
    if let Some(request) = without_arguments(name) {
        return Ok(Some(request));
    }
    Ok(Some(match name {
        "minpoll" => {
            let (address, min_poll) = address_and(words, family)?;
            Request::ModifyMinpoll { address, min_poll }
        }
        "maxpoll" => {
            let (address, max_poll) = address_and(words, family)?;
            Request::ModifyMaxpoll { address, max_poll }
        }
        "minstratum" => {
            let (address, min_stratum) = address_and(words, family)?;
            Request::ModifyMinstratum { address, min_stratum }
        }
        "polltarget" => {
            let (address, poll_target) = address_and(words, family)?;
            Request::ModifyPolltarget { address, poll_target }
        }
        "maxdelay" => {
            let (address, max_delay) = address_and(words, family)?;
            Request::ModifyMaxdelay { address, max_delay: float(max_delay) }
        }
        "maxdelayratio" => {
            let (address, ratio) = address_and(words, family)?;
            Request::ModifyMaxdelayratio { address, ratio: float(ratio) }
        }
        "maxdelaydevratio" => {
            let (address, ratio) = address_and(words, family)?;
            Request::ModifyMaxdelaydevratio { address, ratio: float(ratio) }
        }
        "online" => {
            let (mask, address) = place::sources(words, family)?;
            Request::Online { mask, address }
        }
        "offline" => {
            let (mask, address) = place::sources(words, family)?;
            Request::Offline { mask, address }
        }
        "burst" => {
            let counts = words.next().and_then(|word| word.split_once('/'));
            let (good, total) = counts.ok_or_else(invalid)?;
            let count = |word: &str| word.parse().map_err(|_| invalid());
            let (good, total) = (count(good)?, count(total)?);
            let (mask, address) = place::sources(words, family)?;
            Request::Burst { mask, address, good, total }
        }
        "delete" => match words.next() {
            Some(word) => Request::DeleteSource { address: place::source(word, family)? },
            None => return Err(Trouble::usage("Invalid syntax for address")),
        },
        "accheck" => Request::AccessCheck { address: host(words, family)? },
        "cmdaccheck" => Request::CommandAccessCheck { address: host(words, family)? },
        "add" => Request::AddSource { source: add::parse(words, family)? },
        "local" => local::parse(words)?,
        "makestep" => match words.clone().next() {
            None => Request::MakeStep,
            Some(_) => match (words.parse(), words.parse()) {
                (Some(threshold), Some(limit)) => {
                    Request::ModifyMakestep { limit, threshold: float(threshold) }
                }
                _ => return Err(invalid()),
            },
        },
        "maxupdateskew" => Request::ModifyMaxupdateskew {
            max_update_skew: float(words.parse().ok_or_else(invalid)?),
        },
        "reselectdist" => {
            Request::ReselectDistance { distance: float(words.parse().ok_or_else(invalid)?) }
        }
        "dfreq" => {
            Request::ChangeFrequency { frequency: float(words.parse().ok_or_else(invalid)?) }
        }
        "doffset" => Request::ChangeOffset { offset: float(words.parse().ok_or_else(invalid)?) },
        "manual" => match (words.next(), words.parse()) {
            (Some("off"), _) => Request::Manual { option: 0 },
            (Some("on"), _) => Request::Manual { option: 1 },
            (Some("reset"), _) => Request::Manual { option: 2 },
            (Some("delete"), Some(index)) => Request::ManualDelete { index },
            _ => return Err(invalid()),
        },
        "smoothtime" => match words.next() {
            Some("reset") => Request::Smoothtime { option: 0 },
            Some("activate") => Request::Smoothtime { option: 1 },
            _ => return Err(invalid()),
        },
        "reload" if words.clone().eq(["sources"]) => Request::ReloadSources,
        "reset" if words.clone().eq(["sources"]) => Request::ResetSources,
        "reload" | "reset" => return Err(invalid()),
        "offset" => {
            let source = words.next().and_then(place::source_or_reference_clock);
            let (address, reference_id) = source.ok_or_else(invalid)?;
            let offset = float(words.parse().ok_or_else(invalid)?);
            Request::ModifyOffset { address, reference_id, offset }
        }
        "selectopts" => {
            let source = words.next().and_then(place::source_or_reference_clock);
            let (address, reference_id) = source.ok_or_else(invalid)?;
            let (mask, options) = selection_changes(words).ok_or_else(invalid)?;
            Request::ModifySelectOptions { address, reference_id, mask: mask.into(), options }
        }
        name => return access::parse(name, words, family),
    }))
}

/// What follows these names is not looked at.
fn without_arguments(name: &str) -> Option<Request> {
    Some(match name {
        "cyclelogs" => Request::CycleLogs,
        "dump" => Request::Dump,
        "onoffline" => Request::Onoffline,
        "refresh" => Request::Refresh,
        "rekey" => Request::Rekey,
        "reselect" => Request::Reselect,
        "shutdown" => Request::Shutdown,
        "trimrtc" => Request::TrimRtc,
        "writertc" => Request::WriteRtc,
        _ => return None,
    })
}

fn float(value: f64) -> Float {
    value.into()
}

fn host(mut words: Words<'_>, family: AddressFamily) -> Outcome<Address> {
    match words.next() {
        Some(word) => place::host(word, family),
        None => Err(Trouble::usage("Could not read address")),
    }
}

fn address_and<T: FromStr>(mut words: Words<'_>, family: AddressFamily) -> Outcome<(Address, T)> {
    match (words.next(), words.parse()) {
        (Some(source), Some(value)) => Ok((place::source(source, family)?, value)),
        _ => Err(Trouble::usage("Invalid syntax for address value")),
    }
}

/// `+prefer -trust …`: the options that change, and those that are on after it.
fn selection_changes(words: Words<'_>) -> Option<(SourceFlags, SourceFlags)> {
    let (mut mask, mut options) = (SourceFlags::NONE, SourceFlags::NONE);
    for word in words {
        let (sign, name) = word.split_at_checked(1)?;
        let option = add::selection_option(name)?;
        mask = mask | option;
        match sign {
            "+" => options = options | option,
            "-" => {}
            _ => return None,
        }
    }
    Some((mask, options))
}

#[cfg(test)]
mod tests {
    use timeball_wire::ReferenceId;
    use timeball_wire::cmdmon::SelectMask;

    use super::*;

    fn ask(line: &str) -> Outcome<Option<Request>> {
        let mut words = Words::of(line);
        let name = words.next().unwrap();
        parse(name, words, AddressFamily::Any)
    }

    #[test]
    fn every_kind_of_argument() {
        let address = Address::Ip("192.0.2.1".parse().unwrap());
        let everybody = Address::Unspecified;
        for (line, request) in [
            ("minpoll 192.0.2.1 -3", Request::ModifyMinpoll { address, min_poll: -3 }),
            ("maxdelay 192.0.2.1 0.5", Request::ModifyMaxdelay { address, max_delay: float(0.5) }),
            ("makestep", Request::MakeStep),
            ("makestep 0.1 -1", Request::ModifyMakestep { limit: -1, threshold: float(0.1) }),
            ("dfreq 1e-3", Request::ChangeFrequency { frequency: float(1e-3) }),
            ("manual delete 3", Request::ManualDelete { index: 3 }),
            ("manual reset", Request::Manual { option: 2 }),
            ("delete ID#9", Request::DeleteSource { address: Address::Id(9) }),
            (
                "burst 2/4",
                Request::Burst { mask: everybody, address: everybody, good: 2, total: 4 },
            ),
            ("reload sources", Request::ReloadSources),
            ("shutdown", Request::Shutdown),
            (
                "offset PPS0 -1e-3",
                Request::ModifyOffset {
                    address: everybody,
                    reference_id: ReferenceId::from_bytes(*b"PPS0"),
                    offset: float(-1e-3),
                },
            ),
            (
                "selectopts 192.0.2.1 +prefer -trust +Noselect",
                Request::ModifySelectOptions {
                    address,
                    reference_id: ReferenceId::NONE,
                    mask: SelectMask::PREFER | SelectMask::TRUST | SelectMask::NOSELECT,
                    options: SourceFlags::PREFER | SourceFlags::NOSELECT,
                },
            ),
        ] {
            assert_eq!(ask(line).unwrap(), Some(request), "{line}");
        }
        assert_eq!(ask("unheard-of").unwrap(), None);
    }

    #[test]
    fn nonsense_is_not_sent() {
        for line in [
            "minpoll 192.0.2.1",
            "minpoll 192.0.2.1 x",
            "maxpoll",
            "burst 2",
            "burst x/4",
            "makestep 1",
            "makestep x 1",
            "delete",
            "accheck",
            "manual",
            "manual delete",
            "smoothtime maybe",
            "reload",
            "reload keys",
            "reset",
            "offset 192.0.2.1",
            "offset LONGNAME 1",
            "selectopts 192.0.2.1 prefer",
            "selectopts 192.0.2.1 +fast",
            "selectopts",
            "dfreq fast",
            "reselectdist",
            "maxupdateskew",
        ] {
            assert!(matches!(ask(line), Err(Trouble::Usage(_))), "{line}");
        }
    }
}
