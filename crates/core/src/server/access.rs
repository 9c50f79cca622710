//! Who may be served: `allow` and `deny` networks, the longest prefix wins.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What becomes of the clients in a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// They are served.
    Allow,
    /// They are not.
    Deny,
}

/// How far a change of the rules goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Rules for smaller networks within go on to hold. As in chronyd, those are networks of another
    /// digit of the address in hexadecimal: of two rules that end in the same digit the later holds.
    Default,
    /// Rules for smaller networks within are dropped.
    All,
}

/// Access rules, compiled so that a lookup is one binary search and allocates nothing.
///
/// An IPv4-mapped IPv6 address or network is the IPv4 one it maps; otherwise a rule of one family
/// says nothing about the other (`::/0` allows no IPv4 client). A network that is both allowed and
/// denied is denied. Whom no rule names is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRules {
    rules: Vec<(IpNet, Access)>,
    v4: Ranges,
    v6: Ranges,
}

impl AccessRules {
    /// Compiles the rules.
    pub fn new(allow: &[IpNet], deny: &[IpNet]) -> Self {
        let allow = allow.iter().map(|net| (canonical(*net), Access::Allow));
        let deny = deny.iter().map(|net| (canonical(*net), Access::Deny));
        Self::compile(allow.chain(deny).collect())
    }

    /// Changes the rule for one network; an older one for the same network is replaced.
    pub fn change(&mut self, net: IpNet, access: Access, extent: Extent) {
        let net = canonical(net);
        let mut rules = std::mem::take(&mut self.rules);
        rules.retain(|(other, _)| match extent {
            Extent::Default => !(net.contains(other) && other.prefix_len() <= digit_end(&net)),
            Extent::All => !net.contains(other),
        });
        rules.push((net, access));
        *self = Self::compile(rules);
    }

    /// Is there anybody who may be served?
    pub fn allow_anybody(&self) -> bool {
        self.v4.allow_any() || self.v6.allow_any()
    }

    fn compile(rules: Vec<(IpNet, Access)>) -> Self {
        let mut v4 = Vec::new();
        let mut v6 = Vec::new();
        for (net, access) in &rules {
            let allowed = *access == Access::Allow;
            match net {
                IpNet::V4(net) => v4.push(Block {
                    first: net.network().to_bits().into(),
                    last: net.broadcast().to_bits().into(),
                    allowed,
                }),
                IpNet::V6(net) => v6.push(Block {
                    first: net.network().to_bits(),
                    last: net.broadcast().to_bits(),
                    allowed,
                }),
            }
        }
        Self { rules, v4: Ranges::compile(v4), v6: Ranges::compile(v6) }
    }

    /// May this client be served?
    pub fn allows(&self, client: IpAddr) -> bool {
        match client.to_canonical() {
            IpAddr::V4(address) => self.v4.allow(address.to_bits().into()),
            IpAddr::V6(address) => self.v6.allow(address.to_bits()),
        }
    }
}

/// The prefix length at which the digit ends that a network ends in.
fn digit_end(net: &IpNet) -> u8 {
    net.prefix_len().next_multiple_of(4)
}

/// The network of IPv4 addresses that an IPv4-mapped network stands for, every other as it is; without
/// the host's part of the address.
fn canonical(net: IpNet) -> IpNet {
    match net.trunc() {
        IpNet::V6(v6) => mapped(v6).map_or(IpNet::V6(v6), IpNet::V4),
        IpNet::V4(v4) => IpNet::V4(v4),
    }
}

fn mapped(net: Ipv6Net) -> Option<Ipv4Net> {
    let address: Ipv4Addr = net.network().to_ipv4_mapped()?;
    Ipv4Net::new(address, net.prefix_len().checked_sub(96)?).ok()
}

/// One rule, as the addresses from `first` to `last`. Of two blocks one contains the other, or they
/// have no address in common.
#[derive(Clone, Copy, Debug)]
struct Block {
    first: u128,
    last: u128,
    allowed: bool,
}

/// The rules of one family, flattened: each entry is the first address of a range and what holds
/// from there to the next entry.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ranges(Vec<(u128, bool)>);

impl Ranges {
    fn compile(mut blocks: Vec<Block>) -> Self {
        // The containing block before the contained, and of two equal ones the allowing first: what
        // comes later has the last word.
        blocks.sort_by_key(|block| (block.first, std::cmp::Reverse((block.last, block.allowed))));
        let mut ranges = Self(vec![(0, false)]);
        let mut open: Vec<Block> = Vec::new();
        for block in blocks {
            while let Some(ended) = open.pop_if(|outer| outer.last < block.first) {
                ranges.close(ended, &open);
            }
            ranges.begin(block.first, block.allowed);
            open.push(block);
        }
        while let Some(ended) = open.pop() {
            ranges.close(ended, &open);
        }
        ranges.0.dedup_by_key(|(_, allowed)| *allowed);
        ranges
    }

    /// Behind a block, the innermost one that still contains us decides again.
    fn close(&mut self, ended: Block, still_open: &[Block]) {
        if let Some(next) = ended.last.checked_add(1) {
            self.begin(next, still_open.last().is_some_and(|outer| outer.allowed));
        }
    }

    fn begin(&mut self, first: u128, allowed: bool) {
        match self.0.last_mut() {
            Some(last) if last.0 == first => last.1 = allowed,
            _ => self.0.push((first, allowed)),
        }
    }

    fn allow_any(&self) -> bool {
        self.0.iter().any(|(_, allowed)| *allowed)
    }

    fn allow(&self, address: u128) -> bool {
        let behind = self.0.partition_point(|(first, _)| *first <= address);
        behind.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|(_, allowed)| *allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn nobody_is_served_by_default() {
        let rules = AccessRules::new(&[], &[]);
        for client in ["127.0.0.1", "::1", "10.0.0.1", "0.0.0.0", "255.255.255.255", "fe80::1"] {
            assert!(!rules.allows(ip(client)), "{client}");
        }
    }

    #[test]
    fn the_longest_prefix_wins() {
        let rules = AccessRules::new(
            &nets(&["10.0.0.0/8", "10.1.2.0/24", "2001:db8::/32"]),
            &nets(&["10.1.0.0/16", "10.1.2.3/32", "2001:db8:1::/48"]),
        );
        for (client, served) in [
            ("9.255.255.255", false),
            ("10.0.0.0", true),
            ("10.0.255.255", true),
            ("10.1.0.0", false),
            ("10.1.1.255", false),
            ("10.1.2.2", true),
            ("10.1.2.3", false),
            ("10.1.2.4", true),
            ("10.1.3.0", false),
            ("10.2.0.0", true),
            ("10.255.255.255", true),
            ("11.0.0.0", false),
            ("2001:db8::1", true),
            ("2001:db8:1::1", false),
            ("2001:db8:2::1", true),
            ("2001:db9::", false),
        ] {
            assert_eq!(rules.allows(ip(client)), served, "{client}");
        }
    }

    #[test]
    fn a_network_both_allowed_and_denied_is_denied() {
        let both = nets(&["192.0.2.0/24", "2001:db8::/64"]);
        let rules = AccessRules::new(&both, &both);
        assert!(!rules.allows(ip("192.0.2.1")));
        assert!(!rules.allows(ip("2001:db8::1")));
    }

    #[test]
    fn mapped_addresses_and_networks_are_the_ipv4_ones() {
        let rules = AccessRules::new(&nets(&["192.0.2.0/24", "::ffff:198.51.100.0/120"]), &[]);
        assert!(rules.allows(ip("::ffff:192.0.2.1")));
        assert!(!rules.allows(ip("::ffff:192.0.3.1")));
        assert!(rules.allows(ip("198.51.100.255")));
        assert!(!rules.allows(ip("198.51.101.0")));
    }

    #[test]
    fn everybody_of_one_family_is_nobody_of_the_other() {
        let v4 = AccessRules::new(&nets(&["0.0.0.0/0"]), &[]);
        assert!(v4.allows(ip("255.255.255.255")) && v4.allows(ip("0.0.0.0")));
        assert!(!v4.allows(ip("::")));
        let v6 = AccessRules::new(&nets(&["::/0"]), &[]);
        assert!(v6.allows(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")) && v6.allows(ip("::")));
        assert!(!v6.allows(ip("192.0.2.1")) && !v6.allows(ip("::ffff:192.0.2.1")));
    }

    #[test]
    fn a_rule_can_be_changed_and_everything_within_it() {
        let mut rules = AccessRules::new(&nets(&["10.1.0.0/16"]), &nets(&["10.1.2.0/24"]));
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        rules.change(net("10.0.0.0/8"), Access::Allow, Extent::Default);
        assert!(rules.allows(ip("10.9.9.9")) && !rules.allows(ip("10.1.2.3")));
        rules.change(net("10.1.2.99/24"), Access::Allow, Extent::Default);
        assert!(rules.allows(ip("10.1.2.3")), "the same network, written otherwise");
        rules.change(net("10.1.2.0/24"), Access::Deny, Extent::Default);
        assert!(!rules.allows(ip("10.1.2.3")) && rules.allow_anybody());
        rules.change(net("0.0.0.0/0"), Access::Allow, Extent::All);
        assert!(rules.allows(ip("10.1.2.3")) && rules.allows(ip("192.0.2.1")));
        assert!(!rules.allows(ip("::1")), "another family");
        rules.change(net("0.0.0.0/0"), Access::Deny, Extent::All);
        assert!(!rules.allow_anybody());
        rules.change(net("::1/128"), Access::Allow, Extent::Default);
        assert!(rules.allow_anybody() && rules.allows(ip("::1")));
    }

    #[test]
    fn of_two_rules_that_end_in_the_same_digit_the_later_holds() {
        let mut rules = AccessRules::new(&[], &[]);
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        for (allowed, denied) in
            [("192.0.2.0/28", "192.0.2.0/27"), ("2001:db8::/64", "2001:db8::/63")]
        {
            rules.change(net(allowed), Access::Allow, Extent::Default);
            let host = net(allowed).addr();
            rules.change(IpNet::from(host), Access::Allow, Extent::Default);
            rules.change(net(denied), Access::Deny, Extent::Default);
            assert!(rules.allows(host), "{host}");
            let neighbour = net(allowed).hosts().nth(1).unwrap();
            assert!(!rules.allows(neighbour), "{neighbour}");
        }
    }

    #[test]
    fn rules_that_deny_all_that_others_allow_allow_nobody() {
        assert!(!AccessRules::new(&nets(&["10.0.0.0/8"]), &nets(&["10.0.0.0/8"])).allow_anybody());
        assert!(AccessRules::new(&nets(&["10.0.0.0/8"]), &nets(&["10.0.0.0/9"])).allow_anybody());
    }

    /// Straight from the definition.
    fn naive(allow: &[IpNet], deny: &[IpNet], client: IpAddr) -> bool {
        let client = client.to_canonical();
        let longest = |nets: &[IpNet]| {
            let matching =
                nets.iter().map(|net| canonical(*net)).filter(|net| net.contains(&client));
            matching.map(|net| net.prefix_len()).max()
        };
        match (longest(allow), longest(deny)) {
            (Some(allowed), Some(denied)) => allowed > denied,
            (allowed, _) => allowed.is_some(),
        }
    }

    /// Addresses out of a small space, so that networks nest and touch.
    fn address() -> impl Strategy<Value = IpAddr> {
        let v4 = prop_oneof![0u32..64, any::<u32>(), (u32::MAX - 63)..=u32::MAX];
        let v6 = prop_oneof![0u128..64, any::<u128>(), (u128::MAX - 63)..=u128::MAX];
        prop_oneof![
            v4.clone().prop_map(|bits| IpAddr::V4(bits.into())),
            v6.prop_map(|bits| IpAddr::V6(bits.into())),
            v4.prop_map(|bits| IpAddr::V6(Ipv4Addr::from(bits).to_ipv6_mapped())),
        ]
    }

    fn net() -> impl Strategy<Value = IpNet> {
        let bits_cut = prop_oneof![0u8..8, 0u8..=32, 0u8..=128];
        (address(), bits_cut).prop_map(|(address, cut)| {
            let longest: u8 = if address.is_ipv4() { 32 } else { 128 };
            IpNet::new(address, longest.saturating_sub(cut)).unwrap().trunc()
        })
    }

    proptest! {
        #[test]
        fn compiled_rules_decide_as_the_definition_does(
            allow in prop::collection::vec(net(), 0..12),
            deny in prop::collection::vec(net(), 0..12),
            clients in prop::collection::vec(address(), 1..40),
        ) {
            let rules = AccessRules::new(&allow, &deny);
            let edges = allow.iter().chain(&deny).flat_map(|net| [net.network(), net.broadcast()]);
            for client in edges.chain(clients) {
                prop_assert_eq!(
                    rules.allows(client), naive(&allow, &deny, client), "{}", client
                );
            }
        }
    }
}
