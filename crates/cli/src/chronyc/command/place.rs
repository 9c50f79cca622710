//! Sources and networks, as commands name them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use timeball_host::resolver::AddressFamily;
use timeball_wire::ReferenceId;
use timeball_wire::cmdmon::Address;

use super::super::names;
use super::words::Words;
use crate::chronyc::trouble::{Outcome, Trouble};

/// A source by its address, its host name, or its number while it has no address.
pub(super) fn source(word: &str, family: AddressFamily) -> Outcome<Address> {
    match names::parse_id(word) {
        Some(id) => Ok(id),
        None => host(word, family),
    }
}

/// A host by its address or name.
pub(super) fn host(word: &str, family: AddressFamily) -> Outcome<Address> {
    let unknown = || Trouble::usage("Could not get address for hostname");
    names::resolve(word, family).map(Address::Ip).ok_or_else(unknown)
}

/// A source by its address, or a reference clock by its reference ID. Host names would be taken for
/// reference IDs.
pub(super) fn source_or_reference_clock(word: &str) -> Option<(Address, ReferenceId)> {
    if let Some(id) = names::parse_id(word) {
        return Some((id, ReferenceId::NONE));
    }
    if let Ok(ip) = word.parse() {
        return Some((Address::Ip(ip), ReferenceId::NONE));
    }
    let mut id = [0; 4];
    id.get_mut(..word.len())?.copy_from_slice(word.as_bytes());
    Some((Address::Unspecified, ReferenceId::from_bytes(id)))
}

/// The sources of a command such as `offline [[MASK/]ADDRESS]`: mask and address.
pub(super) fn sources(mut words: Words<'_>, family: AddressFamily) -> Outcome<(Address, Address)> {
    let Some(word) = words.next() else {
        return Ok((Address::Unspecified, Address::Unspecified));
    };
    let Some((first, second)) = word.split_once('/') else {
        let address = source(word, family)?;
        return Ok((address.ip().map(|ip| mask(ip, u32::MAX)).into(), address));
    };
    let network = match (first.parse::<IpAddr>(), second.parse::<IpAddr>(), second.parse::<u32>()) {
        (Ok(mask), Ok(address), _) if mask.is_ipv4() == address.is_ipv4() => Some((mask, address)),
        (Ok(address), _, Ok(bits)) => Some((mask(address, bits), address)),
        _ => None,
    };
    let (mask, address) =
        network.ok_or_else(|| Trouble::usage("Invalid syntax for mask/address"))?;
    Ok((mask.into(), address.into()))
}

/// The mask of a network; too many bits are all of them.
fn mask(address: IpAddr, bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(_) => {
            let host_bits = 32_u32.saturating_sub(bits);
            Ipv4Addr::from_bits(u32::MAX.checked_shl(host_bits).unwrap_or(0)).into()
        }
        IpAddr::V6(_) => {
            let host_bits = 128_u32.saturating_sub(bits);
            Ipv6Addr::from_bits(u128::MAX.checked_shl(host_bits).unwrap_or(0)).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Address {
        Address::Ip(text.parse().unwrap())
    }

    fn sources_of(line: &str) -> Outcome<(Address, Address)> {
        sources(Words::of(line), AddressFamily::Any)
    }

    #[test]
    fn networks_of_sources() {
        for (line, mask, address) in [
            ("192.0.2.0/24", "255.255.255.0", "192.0.2.0"),
            ("255.255.0.0/192.0.2.0", "255.255.0.0", "192.0.2.0"),
            ("192.0.2.1", "255.255.255.255", "192.0.2.1"),
            ("192.0.2.1/0", "0.0.0.0", "192.0.2.1"),
            ("192.0.2.1/33", "255.255.255.255", "192.0.2.1"),
            ("2001:db8::/33", "ffff:ffff:8000::", "2001:db8::"),
            ("::1/200", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::1"),
        ] {
            assert_eq!(sources_of(line).unwrap(), (ip(mask), ip(address)), "{line}");
        }
        let everybody = (Address::Unspecified, Address::Unspecified);
        assert_eq!(sources_of("").unwrap(), everybody);
        assert_eq!(sources_of("ID#3").unwrap(), (Address::Unspecified, Address::Id(3)));
        for bad in ["192.0.2.0/::1", "x/24", "192.0.2.0/x"] {
            assert!(matches!(sources_of(bad), Err(Trouble::Usage(_))), "{bad}");
        }
    }

    #[test]
    fn reference_clocks_are_named_by_their_reference_id() {
        let nobody = Address::Unspecified;
        let gps = ReferenceId::from_bytes(*b"GPS\0");
        assert_eq!(source_or_reference_clock("GPS"), Some((nobody, gps)));
        assert_eq!(source_or_reference_clock("::1"), Some((ip("::1"), ReferenceId::NONE)));
        assert_eq!(source_or_reference_clock("TOOLONG"), None);
    }
}
