//! The rules as iptables and ip6tables have them: chains of our own, filled anew, and one jump to each
//! from the chain that packets come through.

use std::fmt::Write as _;

use super::rule::{Chain, Family, Match, Rule, Verdict};

/// A script for `sh`. Running it again changes nothing.
pub fn render(rules: &[Rule]) -> String {
    let mut text = String::from("#!/bin/sh\nset -e\n");
    for (program, family) in [("iptables", Family::V4), ("ip6tables", Family::V6)] {
        for chain in CHAINS {
            let mut lines = rules
                .iter()
                .filter(|rule| rule.chain == chain)
                .filter(|rule| rule.concerns(family))
                .peekable();
            if lines.peek().is_none() {
                continue;
            }
            let (table, from, name) = names(chain);
            push(
                &mut text,
                format_args!(
                    "\n{program} -w -t {table} -N {name} 2>/dev/null || {program} -w -t {table} -F \
                     {name}\n{program} -w -t {table} -C {from} -j {name} 2>/dev/null || {program} -w \
                     -t {table} -I {from} -j {name}\n"
                ),
            );
            for rule in lines {
                push(
                    &mut text,
                    format_args!(
                        "# {}\n{program} -w -t {table} -A {name}{}\n",
                        rule.why,
                        specification(rule, family)
                    ),
                );
            }
        }
    }
    text
}

/// A script for `sh` that removes all of it, however much is there.
pub fn removal() -> String {
    let mut text = String::from("#!/bin/sh\n");
    for program in ["iptables", "ip6tables"] {
        for chain in CHAINS {
            let (table, from, name) = names(chain);
            push(
                &mut text,
                format_args!(
                    "if {program} -w -t {table} -C {from} -j {name} 2>/dev/null; then\n    {program} \
                     -w -t {table} -D {from} -j {name} || exit 1\n    {program} -w -t {table} -F \
                     {name} || exit 1\n    {program} -w -t {table} -X {name} || exit 1\nfi\n"
                ),
            );
        }
    }
    text
}

const CHAINS: [Chain; 5] = [
    Chain::BeforeTrackingIn,
    Chain::BeforeTrackingOut,
    Chain::Input,
    Chain::Output,
    Chain::Forward,
];

/// Table, the chain that packets come through, and ours.
const fn names(chain: Chain) -> (&'static str, &'static str, &'static str) {
    match chain {
        Chain::BeforeTrackingIn => ("raw", "PREROUTING", "TIMEBALL-RAW-IN"),
        Chain::BeforeTrackingOut => ("raw", "OUTPUT", "TIMEBALL-RAW-OUT"),
        Chain::Input => ("filter", "INPUT", "TIMEBALL-INPUT"),
        Chain::Output => ("filter", "OUTPUT", "TIMEBALL-OUTPUT"),
        Chain::Forward => ("filter", "FORWARD", "TIMEBALL-FORWARD"),
    }
}

/// All conditions of a rule, and what becomes of what meets them.
pub(super) fn specification(rule: &Rule, family: Family) -> String {
    let mut words = String::new();
    for condition in &rule.matches {
        push(&mut words, format_args!("{}", option(condition, rule, family)));
    }
    let verdict = match rule.verdict {
        Verdict::Accept => "ACCEPT",
        Verdict::Drop => "DROP",
        Verdict::DoNotTrack => "CT --notrack",
    };
    format!("{words} -j {verdict}")
}

fn option(condition: &Match, rule: &Rule, family: Family) -> String {
    match condition {
        Match::Loopback => " -i lo".into(),
        Match::Udp => " -p udp".into(),
        Match::Tcp => " -p tcp".into(),
        Match::SourcePort(port) => format!(" --sport {port}"),
        Match::DestinationPort(port) => format!(" --dport {port}"),
        Match::UnprivilegedDestination => " --dport 1024:65535".into(),
        Match::Source(net) => format!(" -s {net}"),
        Match::NotSource(nets) => not_among("-s", Rule::of_family(nets, family)),
        Match::NotDestination(nets) => not_among("-d", Rule::of_family(nets, family)),
        Match::Established => " -m conntrack --ctstate ESTABLISHED".into(),
        Match::Modes(modes) => {
            let modes = modes.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
            // The word behind the UDP header, whose first byte has the mode: behind as many words of
            // header as IPv4 says, or behind the 40 bytes of IPv6.
            let word = match family {
                Family::V4 => "0>>22&0x3C@8",
                Family::V6 => "48",
            };
            format!(" -m u32 --u32 '{word}>>24&0x07={modes}'")
        }
        Match::Above { per_second, burst } => {
            let port = rule.destination_port().unwrap_or_default();
            let mask = match family {
                Family::V4 => "--hashlimit-srcmask 32",
                Family::V6 => "--hashlimit-srcmask 64",
            };
            format!(
                " -m hashlimit --hashlimit-name timeball-{port} --hashlimit-mode srcip {mask} \
                 --hashlimit-above {per_second}/second --hashlimit-burst {burst}"
            )
        }
    }
}

/// `! -s` takes one network; with more than one they are told one by one by a module.
fn not_among<'a>(flag: &str, nets: impl Iterator<Item = &'a ipnet::IpNet>) -> String {
    nets.fold(String::new(), |mut words, net| {
        if words.is_empty() {
            push(&mut words, format_args!(" ! {flag} {net}"));
        } else {
            let side = if flag == "-s" { "--src-range" } else { "--dst-range" };
            push(
                &mut words,
                format_args!(" -m iprange ! {side} {}-{}", net.network(), net.broadcast()),
            );
        }
        words
    })
}

fn push(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(words);
}
