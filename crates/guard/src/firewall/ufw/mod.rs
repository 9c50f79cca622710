//! The rules as ufw has them: commands, and a piece of its files of rules for what it has no command for.
//! Both can be told from everybody else's: commands by their comment, pieces by two marks.

mod installed;

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::iptables;
use super::rule::{Chain, Family, Match, Rule, Verdict};

pub(super) use installed::{LIST, NOT_LOADED, is_rule, on_a_copy, rehearsal, removal, restoration};

/// A script for `sh`, with a comment for what ufw does by itself or cannot do. Running it again changes
/// nothing.
pub fn render(rules: &[Rule]) -> String {
    let in_files = rules.iter().any(needs_file);
    let mut text = String::from("#!/bin/sh\nset -e\n");
    let mut decided = Vec::new();
    for rule in rules.iter().filter(|rule| !(in_files && goes_into_file(rule))) {
        let line = match command(rule, &mut decided) {
            Ok(command) => command,
            Err(reason) => format!("# not here: {reason}"),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n# {}\n{line}", rule.why);
    }
    if in_files {
        text.push_str(INTO_FILE);
        for (file, prefix, family) in FILES {
            let _ =
                write!(text, "\ninto_file {file} <<'END'\n{}END\n", piece(rules, prefix, family));
        }
        text.push_str("ufw reload\n");
    }
    text
}

/// ufw's files, the prefix of the chains in each, and the family it is for.
const FILES: [(&str, &str, Family); 2] = [
    ("/etc/ufw/before.rules", "ufw-before", Family::V4),
    ("/etc/ufw/before6.rules", "ufw6-before", Family::V6),
];

/// A function of the shell that replaces our piece of a file by what it reads, or adds it before the end of
/// the table of filters; if it reads nothing, the piece goes. The file is changed as a whole or not at all.
const INTO_FILE: &str = r##"
# What ufw has no command for stands between two marks in its own files of rules. Those are read before
# the rules of commands.
into_file() {
	awk 'is_piece { piece = piece $0 "\n"; next }
		/^# timeball: begin$/ { ours = 1 }
		/^[*]/ { table = $0 }
		/^COMMIT/ && table == "*filter" && piece { printf "# timeball: begin\n%s# timeball: end\n", piece }
		!ours { print }
		/^# timeball: end$/ { ours = 0 }
		END { exit ours }' is_piece=1 - is_piece=0 "$1" > "$1.timeball" || {
		echo "$1: the mark '# timeball: end' is missing, so it is left as it is" >&2
		rm "$1.timeball"
		return 1
	}
	chmod --reference="$1" "$1.timeball"
	mv "$1.timeball" "$1"
}
"##;

/// The rules for one of the files, before everything else that stands there: what ufw lets in as part of
/// a conversation is looked at all the same.
fn piece(rules: &[Rule], prefix: &str, family: Family) -> String {
    let mut text = String::new();
    for (chain, suffix) in [(Chain::Input, "input"), (Chain::Forward, "forward")] {
        let ours = rules.iter().filter(|rule| rule.chain == chain);
        let ours = ours.filter(|rule| goes_into_file(rule) && rule.concerns(family));
        for (place, rule) in (1..).zip(ours) {
            // In these files only double quotes are quotes.
            let mut words = iptables::specification(rule, family).replace('\'', "\"");
            // ufw remembers requests of others, too; whoever was answered has not answered us.
            if rule.has(&Match::Udp) && !rule.matches.iter().any(|m| matches!(m, Match::Modes(_))) {
                words =
                    words.replace("--ctstate ESTABLISHED", "--ctstate ESTABLISHED --ctdir REPLY");
            }
            let _ = writeln!(text, "# {}\n-I {prefix}-{suffix} {place}{words}", rule.why);
        }
    }
    text
}

/// Whether there is no command for it.
fn needs_file(rule: &Rule) -> bool {
    let is_beyond_commands = |condition: &Match| {
        matches!(
            condition,
            Match::Modes(_) | Match::Above { .. } | Match::NotSource(_) | Match::NotDestination(_)
        )
    };
    match rule.chain {
        Chain::Forward => true,
        Chain::Input => rule.matches.iter().any(is_beyond_commands),
        Chain::Output | Chain::BeforeTrackingIn | Chain::BeforeTrackingOut => false,
    }
}

/// Whether it stands in the file if anything does: what ufw does by itself comes too late there.
fn goes_into_file(rule: &Rule) -> bool {
    let is_by_itself = rule.has(&Match::Loopback) || rule.has(&Match::Established);
    needs_file(rule) || rule.chain == Chain::Input && is_by_itself
}

/// The packets of a command that stands above, but for where they are from; and where that is.
type Decided = (String, IpNet);

/// The command for a rule, of which those above have `decided` a part. Of two commands for the same packets
/// ufw keeps the one that comes later, and here the first has to count.
fn command(rule: &Rule, decided: &mut Vec<Decided>) -> Result<String, &'static str> {
    let way = match rule.chain {
        Chain::Input => "in",
        Chain::Output => "out",
        Chain::Forward => return Err("forwarded packets stand in a file"),
        Chain::BeforeTrackingIn | Chain::BeforeTrackingOut => {
            return Err("ufw tracks everything: put `-j CT --notrack` into /etc/ufw/before.rules");
        }
    };
    let mut protocol = "any";
    let mut from = EVERYWHERE.to_vec();
    let (mut from_port, mut to_port) = (String::new(), String::new());
    for condition in &rule.matches {
        match condition {
            Match::Loopback => return Err("ufw lets this host talk to itself"),
            Match::Established => return Err("ufw lets answers in by itself"),
            Match::Modes(_) | Match::Above { .. } => return Err("ufw cannot look into packets"),
            Match::NotSource(_) | Match::NotDestination(_) => {
                return Err("ufw has no command for all but these");
            }
            Match::Udp => protocol = "udp",
            Match::Tcp => protocol = "tcp",
            Match::SourcePort(port) => from_port = format!(" port {port}"),
            Match::DestinationPort(port) => to_port = format!(" port {port}"),
            Match::UnprivilegedDestination => to_port = " port 1024:65535".into(),
            Match::Source(net) => from = vec![net.trunc()],
        }
    }
    let packets = format!("{way} {protocol}{from_port} to{to_port}");
    from.retain(|net| !decided.contains(&(packets.clone(), *net)));
    decided.extend(from.iter().map(|net| (packets.clone(), *net)));
    let from = match from.as_slice() {
        [] => return Err("a command above decides that already"),
        [net] => net.to_string(),
        _ => "any".to_owned(),
    };
    let verb = match rule.verdict {
        Verdict::Accept => "allow",
        Verdict::Drop => "deny",
        Verdict::DoNotTrack => return Err("ufw tracks everything"),
    };
    Ok(format!(
        "ufw {verb} {way} proto {protocol} from {from}{from_port} to any{to_port} comment timeball"
    ))
}

/// What ufw calls `any`.
const EVERYWHERE: [IpNet; 2] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0)),
];
