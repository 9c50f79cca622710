//! The rules as nftables has them: one table of our own, replaced as a whole.

use std::fmt::Write as _;

use ipnet::IpNet;

use super::rule::{Chain, Family, Match, Rule, Verdict};

/// The name of the table.
pub const TABLE: &str = "timeball";

/// A file for `nft -f`. Loading it again changes nothing.
pub fn render(rules: &[Rule]) -> String {
    // Making it first, so that removing it cannot fail.
    let mut text =
        format!("table inet {TABLE}\ndelete table inet {TABLE}\n\ntable inet {TABLE} {{\n");
    for port in limited_ports(rules) {
        for (family, kind) in [("4", "ipv4_addr"), ("6", "ipv6_addr")] {
            push(
                &mut text,
                format_args!(
                    "\tset clients{family}_{port} {{\n\t\ttype {kind}\n\t\tsize 65535\n\t\tflags \
                     dynamic,timeout\n\t\ttimeout 1m\n\t}}\n"
                ),
            );
        }
    }
    let mut chains: Vec<Chain> = rules.iter().map(|rule| rule.chain).collect();
    chains.sort();
    chains.dedup();
    for chain in chains {
        let (name, hook) = hook(chain);
        push(
            &mut text,
            format_args!("\n\tchain {name} {{\n\t\ttype filter hook {hook}; policy accept;\n"),
        );
        for rule in rules.iter().filter(|rule| rule.chain == chain) {
            push(&mut text, format_args!("\n\t\t# {}\n", rule.why));
            for expression in expressions(rule) {
                push(&mut text, format_args!("\t\t{expression}\n"));
            }
        }
        text.push_str("\t}\n");
    }
    text.push_str("}\n");
    text
}

/// What removes all of it.
pub fn removal() -> String {
    format!("table inet {TABLE}\ndelete table inet {TABLE}\n")
}

const fn hook(chain: Chain) -> (&'static str, &'static str) {
    match chain {
        Chain::BeforeTrackingIn => ("before_tracking_in", "prerouting priority raw"),
        Chain::BeforeTrackingOut => ("before_tracking_out", "output priority raw"),
        Chain::Input => ("input", "input priority filter - 10"),
        Chain::Output => ("output", "output priority filter - 10"),
        Chain::Forward => ("forward", "forward priority filter - 10"),
    }
}

/// The ports whose clients are counted.
fn limited_ports(rules: &[Rule]) -> Vec<u16> {
    let limited = |rule: &&Rule| {
        rule.matches.iter().any(|condition| matches!(condition, Match::Above { .. }))
    };
    rules.iter().filter(limited).filter_map(Rule::destination_port).collect()
}

/// A rule as one line, or two where the families differ.
fn expressions(rule: &Rule) -> Vec<String> {
    let by_family = rule.matches.iter().any(|condition| {
        matches!(condition, Match::Above { .. } | Match::NotSource(_) | Match::NotDestination(_))
    });
    if !by_family {
        return vec![expression(rule, Family::V4)];
    }
    let families = [Family::V4, Family::V6].into_iter().filter(|family| rule.concerns(*family));
    families.map(|family| expression(rule, family)).collect()
}

fn expression(rule: &Rule, family: Family) -> String {
    let protocol = if rule.has(&Match::Tcp) { "tcp" } else { "udp" };
    let port = rule.destination_port().unwrap_or_default();
    let words: Vec<String> =
        rule.matches.iter().map(|condition| words(condition, family, protocol, port)).collect();
    let verdict = match rule.verdict {
        Verdict::Accept => "accept",
        Verdict::Drop => "counter drop",
        Verdict::DoNotTrack => "notrack",
    };
    let words = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    format!("{words} {verdict}")
}

fn words(condition: &Match, family: Family, protocol: &str, port: u16) -> String {
    match condition {
        Match::Loopback => "iif \"lo\"".into(),
        // Named with the ports.
        Match::Udp | Match::Tcp => String::new(),
        Match::SourcePort(port) => format!("{protocol} sport {port}"),
        Match::DestinationPort(port) => format!("{protocol} dport {port}"),
        Match::UnprivilegedDestination => format!("{protocol} dport 1024-65535"),
        Match::Source(net) => format!("{} saddr {net}", network(Family::of(net))),
        Match::NotSource(nets) => not_among("saddr", nets, family),
        Match::NotDestination(nets) => not_among("daddr", nets, family),
        Match::Established => "ct state established".into(),
        // The mode is in the three lowest bits of the first byte behind the UDP header.
        Match::Modes(modes) => format!("@th,69,3 {{ {} }}", list(modes.iter())),
        Match::Above { per_second, burst } => {
            let limit = format!("limit rate over {per_second}/second burst {burst} packets");
            match family {
                Family::V6 => {
                    format!("add @clients6_{port} {{ ip6 saddr & ffff:ffff:ffff:ffff:: {limit} }}")
                }
                Family::V4 => format!("add @clients4_{port} {{ ip saddr {limit} }}"),
            }
        }
    }
}

fn not_among(field: &str, nets: &[IpNet], family: Family) -> String {
    let nets = list(Rule::of_family(nets, family));
    format!("{} {field} != {{ {nets} }}", network(family))
}

const fn network(family: Family) -> &'static str {
    match family {
        Family::V4 => "ip",
        Family::V6 => "ip6",
    }
}

fn list<T: ToString>(items: impl Iterator<Item = T>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

fn push(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(words);
}
