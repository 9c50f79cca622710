//! Whom to ask: addresses, names and ranges, and which ranges need an authorisation.

use std::collections::HashSet;
use std::io::BufRead;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::rc::Rc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What was asked for, and the addresses it means.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    items: Vec<Item>,
    left_out: Vec<String>,
}

#[derive(Clone, Debug)]
enum Item {
    /// One address, perhaps under a name.
    Host { address: IpAddr, name: Option<String> },
    /// All addresses of a range; without network and broadcast address.
    Range(IpNet),
}

/// One address to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where.
    pub address: IpAddr,
    /// By which name it was given.
    pub name: Option<String>,
}

/// Why a target is none.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Neither an address nor a range nor a name that leads to an address.
    #[error("{text}: {reason}")]
    Unusable {
        /// As it was given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A name that leads to no address, now.
    #[error("{name} cannot be resolved: {error}")]
    Unresolved {
        /// The name.
        name: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// An address of many, or of nobody.
    #[error("{text}: only single hosts are asked; `--local-link` asks everybody on a network")]
    NotOneHost {
        /// As it was given.
        text: String,
    },
    /// A line of a list is no target.
    #[error("{name}, line {number}: {error}")]
    Line {
        /// The list's name.
        name: String,
        /// The first line is 1.
        number: usize,
        /// What is wrong with it.
        error: Box<TargetError>,
    },
    /// More addresses than anybody asks.
    #[error("{range}: more than {} addresses", 1_u32 << MAX_HOST_BITS)]
    TooLarge {
        /// The range.
        range: IpNet,
    },
    /// The list cannot be read.
    #[error("{name}: {error}")]
    List {
        /// The file's name.
        name: String,
        /// What the system says.
        error: std::io::Error,
    },
}

/// The longest range: 2²⁴ addresses.
const MAX_HOST_BITS: u8 = 24;

impl Targets {
    /// Adds an address, a range in CIDR notation, or a name with all its addresses.
    ///
    /// # Errors
    /// [`TargetError`], for a name also when nobody knows it.
    pub fn add(&mut self, text: &str) -> Result<(), TargetError> {
        let unusable = |reason: String| TargetError::Unusable { text: text.to_owned(), reason };
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        let not_one_host = || TargetError::NotOneHost { text: text.to_owned() };
        if let Ok(address) = bare.parse::<IpAddr>() {
            let address = address.to_canonical();
            if address.is_unspecified() || is_of_many(&IpNet::from(address)) {
                return Err(not_one_host());
            }
            self.items.push(Item::Host { address, name: None });
            return Ok(());
        }
        if text.contains('/') {
            let range: IpNet =
                text.parse().map_err(|_| unusable("no range such as 192.0.2.0/24".into()))?;
            if range.max_prefix_len().saturating_sub(range.prefix_len()) > MAX_HOST_BITS {
                return Err(TargetError::TooLarge { range });
            }
            let range = canonical(range.trunc());
            if is_of_many(&range) {
                return Err(not_one_host());
            }
            self.items.push(Item::Range(range));
            return Ok(());
        }
        if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c == ':') {
            return Err(unusable("an address, a range or a name is needed".into()));
        }
        let addresses = (text, 0)
            .to_socket_addrs()
            .map_err(|error| TargetError::Unresolved { name: text.to_owned(), error })?;
        let mut addresses: Vec<IpAddr> =
            addresses.map(|address: SocketAddr| address.ip()).collect();
        addresses.sort();
        addresses.dedup();
        self.items.extend(
            addresses.into_iter().map(|address| Item::Host { address, name: Some(text.into()) }),
        );
        Ok(())
    }

    /// Adds what stands in a list, one to a line; `#` begins a comment. A name that cannot be resolved is
    /// [left out](Self::left_out): it is no reason not to ask all the others.
    ///
    /// # Errors
    /// As [`Targets::add`], and when the list cannot be read.
    pub fn add_list(&mut self, name: &str, list: impl BufRead) -> Result<(), TargetError> {
        for (number, line) in (1..).zip(list.lines()) {
            let line = line.map_err(|error| TargetError::List { name: name.to_owned(), error })?;
            let line = line.trim_start_matches(BYTE_ORDER_MARK);
            let text = line.split('#').next().unwrap_or_default().trim();
            if text.is_empty() {
                continue;
            }
            match self.add(text) {
                Ok(()) => {}
                Err(error @ TargetError::Unresolved { .. }) => {
                    self.left_out.push(error.to_string());
                }
                Err(error) => {
                    let error = Box::new(error);
                    return Err(TargetError::Line { name: name.to_owned(), number, error });
                }
            }
        }
        Ok(())
    }

    /// What of the lists could not be added, one sentence each.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// How many addresses these are; some may be the same.
    pub fn count(&self) -> u64 {
        self.items
            .iter()
            .map(|item| match item {
                Item::Host { .. } => 1,
                Item::Range(range) => count_of(range),
            })
            .sum()
    }

    /// The ranges that hold more than one public address: asking those wants an authorisation.
    pub fn public_ranges(&self) -> impl Iterator<Item = IpNet> {
        self.items.iter().filter_map(|item| match item {
            Item::Range(range) if count_of(range) > 1 && !is_inside_private(range) => Some(*range),
            Item::Range(_) | Item::Host { .. } => None,
        })
    }

    /// The addresses, one after the other, each once.
    pub fn into_addresses(self) -> impl Iterator<Item = Target> {
        let named: Rc<HashSet<IpAddr>> = Rc::new(
            self.items
                .iter()
                .filter_map(|item| match item {
                    Item::Host { address, .. } => Some(*address),
                    Item::Range(_) => None,
                })
                .collect(),
        );
        let (mut asked, mut ranges) = (HashSet::new(), Vec::new());
        self.items.into_iter().flat_map(move |item| {
            let addresses: Box<dyn Iterator<Item = Target>> = match item {
                Item::Host { address, name } => {
                    let is_new = asked.insert(address);
                    Box::new(is_new.then_some(Target { address, name }).into_iter())
                }
                Item::Range(range) => {
                    let (named, before) = (Rc::clone(&named), ranges.clone());
                    ranges.push(range);
                    let is_new = move |address: &IpAddr| {
                        !named.contains(address)
                            && !before.iter().any(|range| asks(range, *address))
                    };
                    let addresses = range.hosts().filter(is_new);
                    Box::new(addresses.map(|address| Target { address, name: None }))
                }
            };
            addresses
        })
    }
}

/// What some editors begin a text with.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Whether this address is asked if the range is.
fn asks(range: &IpNet, address: IpAddr) -> bool {
    let is_edge = matches!(range, IpNet::V4(_))
        && range.prefix_len() < 31
        && (address == range.network() || address == range.broadcast());
    range.contains(&address) && !is_edge
}

/// IPv4-mapped addresses (RFC 4291 §2.5.5.2) as those of IPv4.
fn canonical(range: IpNet) -> IpNet {
    let IpAddr::V4(address) = range.network().to_canonical() else { return range };
    let length = range.prefix_len().checked_sub(if address == range.network() { 0 } else { 96 });
    length.and_then(|length| Ipv4Net::new(address, length).ok()).map_or(range, IpNet::V4)
}

/// Whether what is sent there comes to more than one host.
fn is_of_many(net: &IpNet) -> bool {
    match net {
        IpNet::V4(net) => net.network().is_multicast() || net.addr() == Ipv4Addr::BROADCAST,
        IpNet::V6(net) => net.network().is_multicast(),
    }
}

fn count_of(range: &IpNet) -> u64 {
    let bits = range.max_prefix_len().saturating_sub(range.prefix_len());
    let all = 1_u64.checked_shl(bits.into()).unwrap_or(u64::MAX);
    match range {
        IpNet::V4(_) if bits >= 2 => all.saturating_sub(2),
        IpNet::V4(_) | IpNet::V6(_) => all,
    }
}

/// Networks that are not the public internet's (RFC 6890).
const PRIVATE_V4: [(Ipv4Addr, u8); 13] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];
/// What is public of IPv6: its own addresses and those of IPv4 behind a translator (RFC 6052 §2.1); and the
/// hole in it for documentation.
const PUBLIC_V6: [(Ipv6Addr, u8); 2] = [
    (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96),
];
const DOCUMENTATION_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32);

fn is_inside_private(range: &IpNet) -> bool {
    let contains_v6 = |(address, length), range: &Ipv6Net| {
        Ipv6Net::new(address, length).is_ok_and(|net: Ipv6Net| net.contains(range))
    };
    match range {
        IpNet::V4(range) => PRIVATE_V4.iter().any(|(address, length)| {
            Ipv4Net::new(*address, *length).is_ok_and(|net| net.contains(range))
        }),
        IpNet::V6(range) => {
            let is_public = PUBLIC_V6.into_iter().any(|net| contains_v6(net, range));
            !is_public || contains_v6(DOCUMENTATION_V6, range)
        }
    }
}

/// Whether this is an address of the public internet.
pub fn is_public(address: IpAddr) -> bool {
    !is_inside_private(&IpNet::from(address.to_canonical()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(texts: &[&str]) -> Targets {
        let mut targets = Targets::default();
        for text in texts {
            targets.add(text).unwrap();
        }
        targets
    }

    #[test]
    fn addresses_ranges_and_lists() {
        let mut targets = targets(&["192.0.2.1", "[2001:db8::1]", "198.51.100.0/30"]);
        targets
            .add_list("a list", &b"# a comment\n\n203.0.113.7 # another\n2001:db8::8/127\n"[..])
            .unwrap();
        assert_eq!(targets.count(), 7);
        let shown: Vec<String> =
            targets.into_addresses().map(|target| target.address.to_string()).collect();
        let expected = [
            "192.0.2.1",
            "2001:db8::1",
            "198.51.100.1",
            "198.51.100.2",
            "203.0.113.7",
            "2001:db8::8",
            "2001:db8::9",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_name_has_all_its_addresses() {
        let targets: Vec<Target> = targets(&["localhost"]).into_addresses().collect();
        assert!(!targets.is_empty());
        for target in targets {
            assert!(target.address.is_loopback(), "{target:?}");
            assert_eq!(target.name.as_deref(), Some("localhost"));
        }
    }

    #[test]
    fn what_is_no_target_is_told_with_its_text() {
        for text in ["", "a b", "192.0.2.0/33", "10.0.0.0/7", "2001:db8::/64", "host:123"] {
            let error = Targets::default().add(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{text}: ")), "{error}");
        }
        let error = Targets::default().add_list("a list", &b"10.0.0.1\n1/2\n"[..]).unwrap_err();
        assert_eq!(error.to_string(), "a list, line 2: 1/2: no range such as 192.0.2.0/24");
    }

    #[test]
    fn lists_of_other_systems_are_read_and_unknown_names_left_out() {
        let mut targets = Targets::default();
        let list = "\u{feff}192.0.2.1\r\n\r\nno-such-name.invalid # gone\r\n192.0.2.2";
        targets.add_list("a list", list.as_bytes()).unwrap();
        assert_eq!(targets.count(), 2);
        let [left_out] = targets.left_out() else { panic!("{:?}", targets.left_out()) };
        assert!(left_out.starts_with("no-such-name.invalid cannot be resolved: "), "{left_out}");
        let error = Targets::default().add("no-such-name.invalid").unwrap_err();
        assert!(matches!(error, TargetError::Unresolved { .. }), "{error}");
    }

    #[test]
    fn each_address_is_asked_once() {
        let texts = [
            "192.0.2.1",
            "192.0.2.0/30",
            "192.0.2.1",
            "192.0.2.0/29",
            "192.0.2.3/32",
            "::ffff:192.0.2.2",
        ];
        let shown: Vec<String> =
            targets(&texts).into_addresses().map(|target| target.address.to_string()).collect();
        // The last of a range is not asked as part of it.
        let expected =
            ["192.0.2.1", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6", "192.0.2.2"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_is_of_many_or_of_nobody_is_no_target() {
        for text in [
            "224.0.1.1",
            "255.255.255.255",
            "0.0.0.0",
            "::",
            "ff02::101",
            "239.0.0.0/24",
            "ff05::/120",
            "::ffff:224.0.1.0/120",
        ] {
            let error = Targets::default().add(text).unwrap_err();
            assert!(matches!(error, TargetError::NotOneHost { .. }), "{text}: {error}");
        }
        for text in ["0.0.0.0/0", "::/0", "2000::/3", "10.0.0.0/7"] {
            let error = Targets::default().add(text).unwrap_err();
            assert!(matches!(error, TargetError::TooLarge { .. }), "{text}: {error}");
        }
    }

    #[test]
    fn only_public_ranges_want_an_authorisation() {
        let targets = targets(&[
            "8.8.8.8",
            "8.8.8.8/32",
            "8.8.8.0/31",
            "10.0.0.0/8",
            "192.168.0.0/15",
            "127.0.0.0/24",
            "fd00::/112",
            "2001:db8::/112",
            "2600::/127",
            "::ffff:8.8.4.0/127",
            "::ffff:10.0.0.0/120",
            "64:ff9b::8.8.8.0/126",
        ]);
        let public: Vec<String> = targets.public_ranges().map(|range| range.to_string()).collect();
        assert_eq!(
            public,
            ["8.8.8.0/31", "192.168.0.0/15", "2600::/127", "8.8.4.0/31", "64:ff9b::808:800/126",]
        );
    }

    #[test]
    fn public_addresses() {
        for address in ["8.8.8.8", "2600::1", "::ffff:8.8.8.8"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        for address in ["10.1.2.3", "127.0.0.1", "224.0.1.1", "::1", "fe80::1", "2001:db8::1"] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }
}
