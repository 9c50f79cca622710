//! The rules as firewalld has them: rich rules of the default zone, as far as they can say such a
//! thing.

use std::fmt::Write as _;

use super::rule::{Chain, Family, Match, Rule, Verdict};

/// Commands for a shell, with a comment for what firewalld does by itself or cannot do.
pub fn render(rules: &[Rule]) -> String {
    let mut text = String::from("#!/bin/sh\nset -e\n");
    // Rich rules are tried by priority, denials first among equals.
    for (place, rule) in rules.iter().enumerate() {
        let lines = match rich_rules(rule, place) {
            Ok(rules) => rules
                .iter()
                .map(|rule| format!("firewall-cmd --permanent --add-rich-rule='{rule}'"))
                .collect::<Vec<_>>()
                .join("\n"),
            Err(reason) => format!("# not here: {reason}"),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n# {}\n{lines}", rule.why);
    }
    text.push_str("\nfirewall-cmd --reload\n");
    text
}

fn rich_rules(rule: &Rule, place: usize) -> Result<Vec<String>, &'static str> {
    if rule.chain != Chain::Input {
        return Err("rich rules are for what comes to this host; see `--direct`");
    }
    let mut protocol = "udp";
    let mut source = String::new();
    for condition in &rule.matches {
        match condition {
            Match::Loopback => return Err("firewalld lets this host talk to itself"),
            Match::Established => return Err("firewalld lets answers in by itself"),
            Match::Modes(_) if rule.verdict == Verdict::Drop => {
                return Err("rich rules cannot look into packets");
            }
            Match::Above { .. } => return Err("rich rules limit all clients together, not each"),
            Match::NotSource(_) | Match::NotDestination(_) => {
                return Err("rich rules have one network each");
            }
            Match::Tcp => protocol = "tcp",
            Match::Source(net) => source = format!(" source address=\"{net}\""),
            Match::Udp
            | Match::Modes(_)
            | Match::SourcePort(_)
            | Match::DestinationPort(_)
            | Match::UnprivilegedDestination => {}
        }
    }
    // One port is all that a rich rule can name; without any it would be about everything.
    let port = match (rule.destination_port(), rule.source_port()) {
        (Some(port), _) => format!("port port=\"{port}\""),
        (None, Some(port)) => format!("source-port port=\"{port}\""),
        (None, None) => return Err("rich rules name a port"),
    };
    let verdict = match rule.verdict {
        Verdict::Accept => "accept",
        Verdict::Drop => "drop",
        Verdict::DoNotTrack => return Err("firewalld tracks everything"),
    };
    let families: &[&str] = match rule.family() {
        Some(Family::V4) => &["ipv4"],
        Some(Family::V6) => &["ipv6"],
        None => &["ipv4", "ipv6"],
    };
    Ok(families
        .iter()
        .map(|family| {
            format!(
                "rule priority=\"{place}\" family=\"{family}\"{source} {port} \
                 protocol=\"{protocol}\" {verdict}"
            )
        })
        .collect())
}
