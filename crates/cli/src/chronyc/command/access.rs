//! Networks that are allowed or denied.

use std::net::{IpAddr, Ipv4Addr};

use timeball_host::resolver::AddressFamily;
use timeball_wire::cmdmon::{Address, Request};

use super::words::Words;
use crate::chronyc::names;
use crate::chronyc::trouble::{Outcome, Trouble};

/// Whose access is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: Address,
    bits: i32,
}

/// `allow`, `deny`, `cmdallow`, `cmddeny`, each `[all] [NETWORK]`; `None` for another name.
pub(super) fn parse(
    name: &str,
    words: Words<'_>,
    family: AddressFamily,
) -> Outcome<Option<Request>> {
    if !matches!(name, "allow" | "deny" | "cmdallow" | "cmddeny") {
        return Ok(None);
    }
    let mut words = words.peekable();
    let all = words.next_if_eq(&"all").is_some();
    let network = match (words.next(), words.next()) {
        (None, _) => Some(Network { address: Address::Unspecified, bits: 0 }),
        (Some(word), None) => network(word, family),
        (Some(_), Some(_)) => None,
    };
    let Network { address, bits } =
        network.ok_or_else(|| Trouble::usage("Could not read address"))?;
    Ok(match (name, all) {
        ("allow", false) => Some(Request::Allow { address, bits }),
        ("allow", true) => Some(Request::AllowAll { address, bits }),
        ("deny", false) => Some(Request::Deny { address, bits }),
        ("deny", true) => Some(Request::DenyAll { address, bits }),
        ("cmdallow", false) => Some(Request::CommandAllow { address, bits }),
        ("cmdallow", true) => Some(Request::CommandAllowAll { address, bits }),
        ("cmddeny", false) => Some(Request::CommandDeny { address, bits }),
        ("cmddeny", true) => Some(Request::CommandDenyAll { address, bits }),
        _ => None,
    })
}

/// A network with or without its length, the first numbers of an IPv4 network (`192.168`), or a host
/// name.
fn network(word: &str, family: AddressFamily) -> Option<Network> {
    let (name, bits) = match word.split_once('/') {
        Some((name, bits)) => (name, Some(bits.parse::<u16>().ok()?)),
        None => (word, None),
    };
    let of = |ip: IpAddr, all_bits: u16| Network {
        address: Address::Ip(ip),
        bits: bits.unwrap_or(all_bits).into(),
    };
    if let Ok(ip) = name.parse::<IpAddr>() {
        return Some(of(ip, if ip.is_ipv4() { 32 } else { 128 }));
    }
    if let Some((ip, given)) = shortened_ipv4(name) {
        return Some(of(ip.into(), given));
    }
    // A host name is one host.
    let ip = bits.is_none().then(|| names::resolve(name, family)).flatten()?;
    Some(of(ip, if ip.is_ipv4() { 32 } else { 128 }))
}

/// One to three numbers, and how many bits they are.
fn shortened_ipv4(name: &str) -> Option<(Ipv4Addr, u16)> {
    let mut octets = [0; 4];
    let numbers: Vec<&str> = name.split('.').collect();
    if numbers.len() > 3 {
        return None;
    }
    for (octet, number) in octets.iter_mut().zip(&numbers) {
        *octet = number.parse().ok()?;
    }
    Some((octets.into(), 8 * u16::try_from(numbers.len()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(line: &str) -> Outcome<Option<Request>> {
        let mut words = Words::of(line);
        let name = words.next().unwrap();
        parse(name, words, AddressFamily::Any)
    }

    fn ip(text: &str) -> Address {
        Address::Ip(text.parse().unwrap())
    }

    #[test]
    fn networks_and_everybody() {
        let everybody = Address::Unspecified;
        for (line, request) in [
            ("allow", Request::Allow { address: everybody, bits: 0 }),
            ("deny all", Request::DenyAll { address: everybody, bits: 0 }),
            ("allow 192.0.2.0/24", Request::Allow { address: ip("192.0.2.0"), bits: 24 }),
            ("allow 192.168", Request::Allow { address: ip("192.168.0.0"), bits: 16 }),
            ("cmdallow 10", Request::CommandAllow { address: ip("10.0.0.0"), bits: 8 }),
            ("cmddeny all ::1", Request::CommandDenyAll { address: ip("::1"), bits: 128 }),
            ("deny 192.0.2.7", Request::Deny { address: ip("192.0.2.7"), bits: 32 }),
            (
                "cmdallow all 1.2.3/20",
                Request::CommandAllowAll { address: ip("1.2.3.0"), bits: 20 },
            ),
            ("cmddeny 2001:db8::/32", Request::CommandDeny { address: ip("2001:db8::"), bits: 32 }),
            ("allow all 1.2.3.4", Request::AllowAll { address: ip("1.2.3.4"), bits: 32 }),
        ] {
            assert_eq!(ask(line).unwrap(), Some(request), "{line}");
        }
        assert_eq!(ask("permit").unwrap(), None);
        for bad in ["allow 1.2.3.4 5", "allow 300.1", "allow 1.2.3.4/x", "deny all 1.2.3.4/-1"] {
            assert!(matches!(ask(bad), Err(Trouble::Usage(_))), "{bad}");
        }
    }
}
