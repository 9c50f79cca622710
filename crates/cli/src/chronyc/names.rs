//! Names to addresses and back.

use std::net::{IpAddr, SocketAddr};

use dns_lookup::{AddrInfoHints, SockType, getaddrinfo, getnameinfo};
use timeball_host::resolver::AddressFamily;
use timeball_wire::ReferenceId;
use timeball_wire::cmdmon::Address;

/// How a source that has a name of its own is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameStyle {
    /// The host name of its address.
    HostName,
    /// Its address.
    Numeric,
    /// The name in the daemon's configuration.
    AsConfigured,
}

/// The first address of a host; its name may be an address. Waits for the name service.
pub(super) fn resolve(name: &str, family: AddressFamily) -> Option<IpAddr> {
    resolve_all(name, family).into_iter().next()
}

/// All addresses of a host, in the order in which they should be tried.
pub(super) fn resolve_all(name: &str, family: AddressFamily) -> Vec<IpAddr> {
    let wanted = |address: &IpAddr| match family {
        AddressFamily::Any => true,
        AddressFamily::V4 => address.is_ipv4(),
        AddressFamily::V6 => address.is_ipv6(),
    };
    if let Ok(address) = name.parse() {
        return Some(address).filter(wanted).into_iter().collect();
    }
    // Every kind of socket would give every address once more.
    let hints = AddrInfoHints { socktype: SockType::DGram.into(), ..AddrInfoHints::default() };
    let Ok(answers) = getaddrinfo(Some(name), None, Some(hints)) else {
        return Vec::new();
    };
    answers.flatten().map(|answer| answer.sockaddr.ip()).filter(wanted).collect()
}

/// The host name of an address, or the address. Waits for the name service.
pub(super) fn host_name(address: IpAddr) -> String {
    match getnameinfo(&SocketAddr::new(address, 0), 0) {
        Ok((name, _)) => name,
        Err(_) => address.to_string(),
    }
}

/// An address of the protocol.
pub(super) fn numeric(address: Address) -> String {
    match address {
        Address::Ip(ip) => ip.to_string(),
        Address::Id(id) => format!("{ID_PREFIX}{id:010}"),
        Address::Unspecified => "[UNSPEC]".into(),
    }
}

/// A source whose name has no address yet: `ID#0000000001`.
pub(super) fn parse_id(word: &str) -> Option<Address> {
    word.strip_prefix(ID_PREFIX)?.parse().ok().map(Address::Id)
}

const ID_PREFIX: &str = "ID#";

/// The printable characters of a reference ID.
pub(super) fn reference_text(id: ReferenceId) -> String {
    let printable = id.to_bytes().into_iter().filter(|byte| (b' '..=b'~').contains(byte));
    printable.map(char::from).collect()
}

/// A reference ID for people who want to see its bytes.
pub(super) fn reference_hex(id: ReferenceId) -> String {
    format!("{:08X}", u32::from_be_bytes(id.to_bytes()))
}

/// Cuts a host name that is too long for its column, and shows that it was cut.
pub(super) fn shortened(name: String, width: usize) -> String {
    if name.chars().count() <= width {
        return name;
    }
    name.chars().take(width.saturating_sub(1)).chain(['>']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_addresses_need_nobody_to_ask() {
        let v4: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(resolve("192.0.2.1", AddressFamily::Any), Some(v4));
        assert_eq!(resolve("192.0.2.1", AddressFamily::V6), None);
        assert_eq!(resolve("2001:db8::1", AddressFamily::V4), None);
    }

    #[test]
    fn addresses_without_a_host() {
        assert_eq!(numeric(Address::Id(7)), "ID#0000000007");
        assert_eq!(parse_id("ID#0000000007"), Some(Address::Id(7)));
        assert_eq!(parse_id("ID#x"), None);
        assert_eq!(parse_id("192.0.2.1"), None);
        assert_eq!(numeric(Address::Unspecified), "[UNSPEC]");
    }

    #[test]
    fn reference_ids() {
        let gps = ReferenceId::from_bytes(*b"GPS\0");
        assert_eq!(reference_text(gps), "GPS");
        assert_eq!(reference_hex(gps), "47505300");
        assert_eq!(reference_text(ReferenceId::from_bytes([127, 127, 1, 1])), "");
    }

    #[test]
    fn long_names_are_cut_visibly() {
        let name = "a-server-with-a-long-name.example.net";
        assert_eq!(shortened(name.into(), 25), "a-server-with-a-long-nam>");
        assert_eq!(shortened("a".repeat(25), 25), "a".repeat(25));
    }
}
