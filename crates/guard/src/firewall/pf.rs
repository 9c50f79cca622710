//! The rules as OpenBSD's pf has them: an anchor of our own.

use std::fmt::Write as _;

use super::rule::{Chain, Match, Rule, Verdict};

/// The name of the anchor.
pub const ANCHOR: &str = "timeball";

/// A file for `pfctl -a timeball -f`, with a comment for what pf does by itself or cannot do.
pub fn render(rules: &[Rule]) -> String {
    let mut text = format!(
        "# pf.conf must have the line: anchor \"{ANCHOR}\"\n# and this file goes there by: pfctl -a \
         {ANCHOR} -f FILE\n"
    );
    for rule in rules {
        let line = line(rule).unwrap_or_else(|reason| format!("# not here: {reason}"));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n# {}\n{line}", rule.why);
    }
    text
}

fn line(rule: &Rule) -> Result<String, &'static str> {
    let way = match rule.chain {
        Chain::Input => "in",
        Chain::Output => "out",
        // pf has no way of its own for these: they come in through one side.
        Chain::Forward => "in",
        Chain::BeforeTrackingIn | Chain::BeforeTrackingOut => {
            return Err("pf tracks by rule: see `no state` below");
        }
    };
    let mut protocol = "";
    let (mut interface, mut options) = ("", String::new());
    let (mut from, mut to) = (String::from("any"), String::from("any"));
    let (mut from_port, mut to_port) = (String::new(), String::new());
    for condition in &rule.matches {
        match condition {
            Match::Loopback => interface = " on lo",
            Match::Established => return Err("pf lets answers in by itself"),
            Match::Modes(_) if rule.verdict == Verdict::Drop => {
                return Err("pf cannot look into packets");
            }
            Match::Modes(_) => {}
            Match::Above { .. } => return Err("pf limits connections, not datagrams"),
            Match::Udp => protocol = " proto udp",
            Match::Tcp => protocol = " proto tcp",
            Match::SourcePort(port) => from_port = format!(" port {port}"),
            Match::DestinationPort(port) => to_port = format!(" port {port}"),
            Match::UnprivilegedDestination => to_port = " port 1024:65535".into(),
            Match::Source(net) => from = net.to_string(),
            Match::NotSource(nets) => from = not_among(nets)?,
            Match::NotDestination(nets) => to = not_among(nets)?,
        }
    }
    from.push_str(&from_port);
    to.push_str(&to_port);
    let verdict = match rule.verdict {
        Verdict::Accept => "pass",
        Verdict::Drop => "block drop",
        Verdict::DoNotTrack => return Err("pf tracks by rule: see `no state` below"),
    };
    if rule.verdict == Verdict::Accept && protocol == " proto udp" && !to_port.is_empty() {
        options.push_str(" no state");
    }
    Ok(format!("{verdict} {way} quick{interface}{protocol} from {from} to {to}{options}"))
}

fn not_among(nets: &[ipnet::IpNet]) -> Result<String, &'static str> {
    match nets {
        [net] => Ok(format!("! {net}")),
        _ => Err("more than one network to leave out wants a table: see pf.conf(5)"),
    }
}
