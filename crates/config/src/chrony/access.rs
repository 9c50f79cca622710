//! `allow` and `deny`: chronyd's table of networks, in which a later line may take back an earlier one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::Outcome;
use super::arguments::{Arguments, wrong};
use super::line::Word;
use crate::diagnostic::Diagnostic;

/// May these ask?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Allowed,
    Denied,
}

/// What was said of networks, the last word on each.
#[derive(Clone, Debug, Default)]
pub(super) struct AccessTable {
    entries: Vec<(IpNet, Access)>,
}

impl AccessTable {
    /// One line: `[all] [NETWORK]`.
    pub(super) fn read(&mut self, arguments: &mut Arguments<'_>, access: Access) -> Outcome<()> {
        let mut network = arguments.next();
        let all = network.is_some_and(|word| word.is("all"));
        if all {
            network = arguments.next();
        }
        let networks = match network {
            Some(word) => vec![read_network(word)?],
            None => vec![IpNet::from(EVERY_IPV4), IpNet::from(EVERY_IPV6)],
        };
        for network in networks {
            if all {
                self.entries.retain(|(known, _)| !network.contains(known));
            } else {
                self.entries.retain(|(known, _)| !overwritten(known, &network));
            }
            self.entries.push((network, access));
        }
        Ok(())
    }

    /// Networks that are allowed, and those within them that are not; where they overlap the longest
    /// prefix decides.
    pub(super) fn into_lists(self) -> (Vec<IpNet>, Vec<IpNet>) {
        let of = |wanted: Access| -> Vec<IpNet> {
            let with = self.entries.iter().filter(|(_, access)| *access == wanted);
            with.map(|(network, _)| *network).collect()
        };
        let (allowed, mut denied) = (of(Access::Allowed), of(Access::Denied));
        // Nobody is allowed unless it is said.
        denied.retain(|network| allowed.iter().any(|allowed| allowed.contains(network)));
        (allowed, denied)
    }
}

const EVERY_IPV4: ipnet::Ipv4Net = ipnet::Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0);
const EVERY_IPV6: ipnet::Ipv6Net = ipnet::Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0);

/// Whether a line about `network` takes back what was said of `known`. The table divides addresses
/// four bits at a time and keeps a prefix between two such steps as all the entries of the next one:
/// a line about a /9 overwrites an earlier one about a /10 in it, but not one about a /13.
fn overwritten(known: &IpNet, network: &IpNet) -> bool {
    let step = |network: &IpNet| network.prefix_len().div_ceil(4);
    network.contains(known) && step(known) == step(network)
}

fn read_network(word: &Word<'_>) -> Outcome<IpNet> {
    let (address, prefix) = match word.text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (word.text, None),
    };
    let Some((address, implied)) = full(address).or_else(|| shortened(address)) else {
        return Err(not_a_network(word));
    };
    let prefix = match prefix {
        None => Some(implied),
        Some(prefix) => prefix.parse().ok(),
    };
    match prefix.and_then(|prefix| IpNet::new(address, prefix).ok()) {
        Some(network) => Ok(network.trunc()),
        None => Err(wrong(
            word,
            "the network",
            match address {
                IpAddr::V4(_) => "a prefix from 0 to 32 after the `/`",
                IpAddr::V6(_) => "a prefix from 0 to 128 after the `/`",
            },
        )),
    }
}

/// An address, and the prefix of one machine.
fn full(text: &str) -> Option<(IpAddr, u8)> {
    let address: IpAddr = text.parse().ok()?;
    let prefix = match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    };
    Some((address, prefix))
}

/// The first one, two or three numbers of an IPv4 address, and the prefix that they are.
fn shortened(text: &str) -> Option<(IpAddr, u8)> {
    let numbers: Vec<u8> =
        text.split('.').map(|number| number.parse().ok()).collect::<Option<_>>()?;
    let (octets, prefix) = match *numbers.as_slice() {
        [a] => ([a, 0, 0, 0], 8),
        [a, b] => ([a, b, 0, 0], 16),
        [a, b, c] => ([a, b, c, 0], 24),
        _ => return None,
    };
    Some((IpAddr::from(octets), prefix))
}

fn not_a_network(word: &Word<'_>) -> Box<Diagnostic> {
    let expected = "a network such as 192.0.2.0/24, 192.0.2 or 2001:db8::/32, or an address";
    let diagnostic = wrong(word, "the network", expected);
    if word.text.starts_with(|c: char| c.is_ascii_alphabetic()) && !word.text.contains(['/', ':']) {
        return Box::new(diagnostic.help(
            "names cannot be used here: who may ask must not depend on the DNS; write the address",
        ));
    }
    diagnostic
}
