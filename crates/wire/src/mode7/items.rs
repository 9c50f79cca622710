//! What the items of an answer say. ntpd's layouts grew when it learnt of IPv6; the length of an item
//! tells the old from the new.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::reference_id::ReferenceId;

/// A client in the list of `monlist`: `info_monitor_1` of 72 or 32 bytes, `info_monitor` of 52 or 24.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Where it asks from.
    pub address: IpAddr,
    /// The address it asked, where the layout has one.
    pub local_address: Option<IpAddr>,
    /// The port it asked from last.
    pub port: u16,
    /// The mode of its last packet.
    pub mode: u8,
    /// The version of its last packet.
    pub version: u8,
    /// Packets so far.
    pub count: u32,
    /// Seconds since the last one.
    pub last_seconds: u32,
}

impl Client {
    /// Reads an item; `None` for a length that no ntpd has sent.
    pub fn parse(item: &[u8]) -> Option<Self> {
        let bytes = Bytes(item);
        let (local, port, v6) = match item.len() {
            72 => (Some(20), 28, Some((32, 40, Some(56)))),
            32 => (Some(20), 28, None),
            52 => (None, 20, Some((24, 32, None))),
            24 => (None, 20, None),
            _ => return None,
        };
        let is_v6 = match v6 {
            Some((flag, ..)) => bytes.u32(flag)? != 0,
            None => false,
        };
        let (address, local_address) = match v6 {
            Some((_, address, local)) if is_v6 => {
                (bytes.v6(address)?, local.and_then(|at| bytes.v6(at)))
            }
            _ => (bytes.v4(16)?, local.and_then(|at| bytes.v4(at))),
        };
        Some(Self {
            address,
            local_address,
            port: bytes.u16(port)?,
            mode: bytes.u8(port + 2)?,
            version: bytes.u8(port + 3)?,
            count: bytes.u32(12)?,
            last_seconds: bytes.u32(4)?,
        })
    }
}

/// A peer: `info_peer_list` of 32 or 8 bytes, or `info_peer_summary` of 72 or 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerEntry {
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// The mode in which the server talks to it.
    pub mode: u8,
    /// Its stratum, in a summary.
    pub stratum: Option<u8>,
}

impl PeerEntry {
    /// Reads an item of the plain list; `None` for a length that no ntpd has sent.
    pub fn parse(item: &[u8]) -> Option<Self> {
        let bytes = Bytes(item);
        let address = match item.len() {
            32 if bytes.u32(8)? != 0 => bytes.v6(16)?,
            8 | 32 => bytes.v4(0)?,
            _ => return None,
        };
        Some(Self { address, port: bytes.u16(4)?, mode: bytes.u8(6)?, stratum: None })
    }

    /// Reads an item of the summary; `None` for a length that no ntpd has sent.
    pub fn parse_summary(item: &[u8]) -> Option<Self> {
        let bytes = Bytes(item);
        let address = match item.len() {
            72 if bytes.u32(32)? != 0 => bytes.v6(56)?,
            32 | 72 => bytes.v4(4)?,
            _ => return None,
        };
        let stratum = Some(bytes.u8(10)?);
        Some(Self { address, port: bytes.u16(8)?, mode: bytes.u8(15)?, stratum })
    }
}

/// The system: `info_sys`, of which the first 36 bytes were always the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemInformation {
    /// The system peer, if it has an IPv4 address.
    pub peer: Ipv4Addr,
    /// Leap warning, 0 to 3.
    pub leap: u8,
    /// Distance from a reference clock.
    pub stratum: u8,
    /// Precision of the clock, log₂ seconds.
    pub precision: i8,
    /// What it is synchronised to.
    pub reference_id: ReferenceId,
}

impl SystemInformation {
    /// Reads the item; `None` for one that is too short.
    pub fn parse(item: &[u8]) -> Option<Self> {
        let bytes = Bytes(item);
        Some(Self {
            peer: Ipv4Addr::from(bytes.chunk::<4>(0)?),
            leap: bytes.u8(5)?,
            stratum: bytes.u8(6)?,
            precision: bytes.u8(7)?.cast_signed(),
            reference_id: ReferenceId::from_bytes(bytes.chunk(16)?),
        })
    }
}

/// An access rule: `info_restrict` of 56 or 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restriction {
    /// The network.
    pub address: IpAddr,
    /// Its mask.
    pub mask: IpAddr,
    /// How often it has matched.
    pub count: u32,
    /// What is forbidden, one bit each.
    pub flags: u16,
}

impl Restriction {
    /// Reads an item; `None` for a length that no ntpd has sent.
    pub fn parse(item: &[u8]) -> Option<Self> {
        let bytes = Bytes(item);
        let (address, mask) = match item.len() {
            56 if bytes.u32(16)? != 0 => (bytes.v6(24)?, bytes.v6(40)?),
            16 | 56 => (bytes.v4(0)?, bytes.v4(4)?),
            _ => return None,
        };
        Some(Self { address, mask, count: bytes.u32(8)?, flags: bytes.u16(12)? })
    }
}

/// Numbers and addresses at their places, in network byte order.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn chunk<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..)?.first_chunk().copied()
    }

    fn u8(&self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }

    fn u16(&self, at: usize) -> Option<u16> {
        self.chunk(at).map(u16::from_be_bytes)
    }

    fn u32(&self, at: usize) -> Option<u32> {
        self.chunk(at).map(u32::from_be_bytes)
    }

    fn v4(&self, at: usize) -> Option<IpAddr> {
        self.chunk::<4>(at).map(IpAddr::from)
    }

    fn v6(&self, at: usize) -> Option<IpAddr> {
        self.chunk::<16>(at).map(|octets| Ipv6Addr::from(octets).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An item of zeros with these bytes at these places.
    fn item(len: usize, places: &[(usize, &[u8])]) -> Vec<u8> {
        let mut item = vec![0; len];
        for (at, bytes) in places {
            item[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        item
    }

    #[test]
    fn clients_in_the_four_layouts() {
        let expected = Client {
            address: Ipv4Addr::new(192, 0, 2, 1).into(),
            local_address: Some(Ipv4Addr::new(198, 51, 100, 2).into()),
            port: 123,
            mode: 3,
            version: 4,
            count: 7,
            last_seconds: 60,
        };
        let common = [(4, &[0, 0, 0, 60][..]), (12, &[0, 0, 0, 7]), (16, &[192, 0, 2, 1])];
        let with_local = [&common[..], &[(20, &[198, 51, 100, 2]), (28, &[0, 123, 3, 4])]].concat();
        assert_eq!(Client::parse(&item(72, &with_local)), Some(expected));
        assert_eq!(Client::parse(&item(32, &with_local)), Some(expected));
        let without = [&common[..], &[(20, &[0, 123, 3, 4][..])]].concat();
        let expected = Client { local_address: None, ..expected };
        assert_eq!(Client::parse(&item(52, &without)), Some(expected));
        assert_eq!(Client::parse(&item(24, &without)), Some(expected));
        assert_eq!(Client::parse(&item(48, &without)), None);
    }

    #[test]
    fn clients_with_ipv6_addresses() {
        let v6 = |last| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last);
        let places =
            [(32, &[0, 0, 0, 1][..]), (40, &v6(1).octets()[..]), (56, &v6(2).octets()[..])];
        let client = Client::parse(&item(72, &places)).unwrap();
        assert_eq!((client.address, client.local_address), (v6(1).into(), Some(v6(2).into())));
        let places = [(24, &[0, 0, 0, 1][..]), (32, &v6(3).octets()[..])];
        let client = Client::parse(&item(52, &places)).unwrap();
        assert_eq!((client.address, client.local_address), (v6(3).into(), None));
    }

    #[test]
    fn peers_in_both_lists() {
        let places = [(0, &[192, 0, 2, 9][..]), (4, &[0, 123, 1])];
        let peer = PeerEntry {
            address: Ipv4Addr::new(192, 0, 2, 9).into(),
            port: 123,
            mode: 1,
            stratum: None,
        };
        assert_eq!(PeerEntry::parse(&item(8, &places)), Some(peer));
        assert_eq!(PeerEntry::parse(&item(32, &places)), Some(peer));
        let places = [(4, &[192, 0, 2, 9][..]), (8, &[0, 123]), (10, &[2]), (15, &[1])];
        let peer = PeerEntry { stratum: Some(2), ..peer };
        assert_eq!(PeerEntry::parse_summary(&item(72, &places)), Some(peer));
        assert_eq!(PeerEntry::parse_summary(&item(32, &places)), Some(peer));
        assert_eq!(PeerEntry::parse(&[0; 9]), None);
        assert_eq!(PeerEntry::parse_summary(&[0; 9]), None);
    }

    #[test]
    fn the_system_and_its_rules() {
        let places = [(0, &[192, 0, 2, 9, 3, 3, 2, 0xec][..]), (16, b"GPS\0")];
        let system = SystemInformation::parse(&item(80, &places)).unwrap();
        assert_eq!((system.peer, system.leap), (Ipv4Addr::new(192, 0, 2, 9), 3));
        assert_eq!((system.stratum, system.precision), (2, -20));
        assert_eq!(system.reference_id.to_bytes(), *b"GPS\0");
        assert_eq!(SystemInformation::parse(&[0; 19]), None);

        let places = [(0, &[10, 0, 0, 0, 255, 0, 0, 0][..]), (8, &[0, 0, 0, 5]), (12, &[1, 0x90])];
        let rule = Restriction::parse(&item(16, &places)).unwrap();
        assert_eq!(rule.address, Ipv4Addr::new(10, 0, 0, 0));
        assert_eq!((rule.count, rule.flags), (5, 0x190));
        assert_eq!(Restriction::parse(&item(56, &places)), Some(rule));
        assert_eq!(Restriction::parse(&[0; 17]), None);
    }
}
