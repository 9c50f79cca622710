//! Groups of rules, each with its reasons; a role is made of some of them.

use std::net::IpAddr;

use ipnet::IpNet;

use super::super::rule::{Chain, Match, Rule, Verdict};
use super::{Commands, Memory};

pub(super) const NTP: u16 = timeball_wire::NTP_PORT;
/// chrony's command port.
const CHRONY: u16 = 323;
/// NTS key establishment (RFC 8915 §4).
pub(super) const NTS_KE: u16 = timeball_wire::nts_ke::NTS_KE_PORT;
/// Eight requests two seconds apart are what a client may send at its start; a network of many behind
/// one address sends more. Beyond this nobody wants the time.
const REQUESTS: Match = Match::Above { per_second: 16, burst: 64 };
/// A client needs keys once, and again when they have become old.
const KEY_EXCHANGES: Match = Match::Above { per_second: 2, burst: 16 };
const MANAGEMENT: Match = Match::Modes(&[6, 7]);

/// Who may use a port and who may not, with a reason for each. The longest prefix comes first, so that
/// the first rule that matches is the one that counts.
pub(super) fn access(
    allow: &[IpNet],
    deny: &[IpNet],
    to_us: &[Match; 2],
    [may, may_not]: [&'static str; 2],
) -> Vec<Rule> {
    let allow = allow.iter().map(|net| (*net, Verdict::Accept, may));
    let deny = deny.iter().map(|net| (*net, Verdict::Drop, may_not));
    // Of equal ones a denial comes first, as in the configuration.
    let mut nets: Vec<_> = deny.chain(allow).collect();
    nets.sort_by_key(|(net, ..)| std::cmp::Reverse(net.prefix_len()));
    nets.into_iter()
        .map(|(net, verdict, why)| {
            input(to_us.iter().cloned().chain([Match::Source(net)]), verdict, why)
        })
        .collect()
}

fn rule(
    chain: Chain,
    matches: impl IntoIterator<Item = Match>,
    verdict: Verdict,
    why: &'static str,
) -> Rule {
    Rule { chain, matches: matches.into_iter().collect(), verdict, why }
}

pub(super) fn input(
    matches: impl IntoIterator<Item = Match>,
    verdict: Verdict,
    why: &'static str,
) -> Rule {
    rule(Chain::Input, matches, verdict, why)
}

pub(super) fn own() -> Vec<Rule> {
    vec![input([Match::Loopback], Verdict::Accept, "Programs of this host may talk to each other.")]
}

pub(super) fn answers(memory: Memory) -> Vec<Rule> {
    let from_servers = [Match::Udp, Match::SourcePort(NTP)];
    vec![match memory {
        Memory::Stateful => input(
            from_servers.into_iter().chain([Match::Established]),
            Verdict::Accept,
            "Answers to this host's own requests. The firewall remembers each request, so no port has \
             to be opened for them.",
        ),
        Memory::Stateless => input(
            from_servers.into_iter().chain([Match::UnprivilegedDestination, Match::Modes(&[4])]),
            Verdict::Accept,
            "Answers. Without memory they are known only by their port and mode, so that anybody who \
             sends from port 123 gets this far.",
        ),
    }]
}

pub(super) fn fixed_port_answers(memory: Memory) -> Vec<Rule> {
    let from_servers = [Match::Udp, Match::SourcePort(NTP), Match::DestinationPort(NTP)];
    vec![match memory {
        Memory::Stateful => input(
            from_servers.into_iter().chain([Match::Established, Match::Modes(&[4])]),
            Verdict::Accept,
            "Answers to requests that left from port 123. With memory, even they need no open port: \
             only who was asked may answer, and only by mode 4.",
        ),
        Memory::Stateless => input(
            from_servers.into_iter().chain([Match::Modes(&[4])]),
            Verdict::Accept,
            "Answers to requests that left from port 123. Without memory this opens port 123 to \
             everybody; of all that could come, only mode 4 is an answer.",
        ),
    }]
}

pub(super) fn closed() -> Vec<Rule> {
    vec![
        input(
            [Match::Udp, Match::DestinationPort(NTP)],
            Verdict::Drop,
            "Nobody else is answered: what comes to port 123 beyond the above is a mistake or a probe.",
        ),
        input(
            [Match::Tcp, Match::DestinationPort(NTP)],
            Verdict::Drop,
            "NTP does not use TCP; who tries it looks for something else.",
        ),
        input(
            [Match::Udp, Match::DestinationPort(CHRONY)],
            Verdict::Drop,
            "chronyc asks over this port, on this host only.",
        ),
    ]
}

pub(super) fn no_answers_from_here() -> Vec<Rule> {
    vec![rule(
        Chain::Output,
        [Match::Udp, Match::SourcePort(NTP)],
        Verdict::Drop,
        "A client asks from random ports (RFC 9109): what leaves from port 123 is an answer that should \
         not be given.",
    )]
}

pub(super) fn untracked() -> Vec<Rule> {
    vec![
        rule(
            Chain::BeforeTrackingIn,
            [Match::Udp, Match::DestinationPort(NTP)],
            Verdict::DoNotTrack,
            "Requests are not remembered: a busy server would fill the table of connections, and then \
             everything else on this host suffers.",
        ),
        rule(
            Chain::BeforeTrackingOut,
            [Match::Udp, Match::SourcePort(NTP)],
            Verdict::DoNotTrack,
            "Nor are the answers to them. This host's own requests leave from other ports and are \
             remembered.",
        ),
    ]
}

pub(super) const SERVED: &str = "Requests from those who are served.";

pub(super) fn requests(allow: &[IpNet]) -> Vec<Rule> {
    let to_us = [Match::Udp, Match::DestinationPort(NTP)];
    [no_misuse(), allowed(allow, to_us, SERVED)].concat()
}

pub(super) fn no_misuse() -> Vec<Rule> {
    let to_us = || [Match::Udp, Match::DestinationPort(NTP)];
    vec![
        input(
            to_us().into_iter().chain([MANAGEMENT]),
            Verdict::Drop,
            "Modes 6 and 7 are management: what amplifies (monlist, CVE-2013-5211) and what leaks.",
        ),
        input(
            to_us().into_iter().chain([Match::Modes(&[2, 4, 5])]),
            Verdict::Drop,
            "A server wants requests. Answers to its port are how two servers are made to keep each \
             other busy (CVE-2024-2169).",
        ),
        input(
            to_us().into_iter().chain([REQUESTS]),
            Verdict::Drop,
            "Far more than any client asks, even one that starts with a burst, or a few behind one \
             address.",
        ),
    ]
}

pub(super) const KEYS: &str = "NTS key exchanges, which are TLS over TCP (RFC 8915 §4).";

pub(super) const fn to_keys(port: u16) -> [Match; 2] {
    [Match::Tcp, Match::DestinationPort(port)]
}

/// Key exchanges at this port with those whom `served` lets in.
pub(super) fn key_exchanges(port: u16, served: Vec<Rule>) -> Vec<Rule> {
    let mut rules = vec![
        input(
            to_keys(port).into_iter().chain([Match::Established]),
            Verdict::Accept,
            "The rest of a key exchange that has begun.",
        ),
        input(
            to_keys(port).into_iter().chain([KEY_EXCHANGES]),
            Verdict::Drop,
            "A key exchange costs a server far more than an answer; no client needs many.",
        ),
    ];
    rules.extend(served);
    rules
}

pub(super) fn no_other_keys(port: u16) -> Rule {
    input(to_keys(port), Verdict::Drop, "Nobody else gets keys.")
}

pub(super) fn commands(commands: &Commands) -> Vec<Rule> {
    let to_us = [Match::Udp, Match::DestinationPort(commands.port)];
    let words = ["chronyc on hosts that may ask.", "chronyc on hosts that may not."];
    let mut rules = access(&commands.allow, &commands.deny, &to_us, words);
    // The usual port is closed to the rest anyway.
    if commands.port != CHRONY {
        rules.push(input(to_us, Verdict::Drop, "Nobody else gives commands."));
    }
    rules
}

/// One rule for each network, or one for everybody.
pub(super) fn allowed(allow: &[IpNet], matches: [Match; 2], why: &'static str) -> Vec<Rule> {
    if allow.is_empty() {
        return vec![input(matches, Verdict::Accept, why)];
    }
    let from = |net: &IpNet| {
        input(matches.clone().into_iter().chain([Match::Source(*net)]), Verdict::Accept, why)
    };
    allow.iter().map(from).collect()
}

pub(super) fn peer(peers: &[IpAddr]) -> Vec<Rule> {
    peers
        .iter()
        .map(|peer| {
            let both_ports = [Match::Udp, Match::SourcePort(NTP), Match::DestinationPort(NTP)];
            let from_peer = [Match::Source(IpNet::from(*peer)), Match::Modes(&[1, 2])];
            input(
                both_ports.into_iter().chain(from_peer),
                Verdict::Accept,
                "A symmetric peer. Both sides send when they like, both from port 123: this is the one \
                 use of NTP that needs that port open in both directions.",
            )
        })
        .collect()
}

pub(super) fn broadcasts() -> Vec<Rule> {
    vec![input(
        [Match::Udp, Match::SourcePort(NTP), Match::DestinationPort(NTP), Match::Modes(&[5])],
        Verdict::Accept,
        "Broadcasts come unasked, so the firewall's memory does not help. Authenticate them: anybody \
         on the network can send one.",
    )]
}

pub(super) fn gateway(inside: &[IpNet]) -> Vec<Rule> {
    let forward = |matches: Vec<Match>, why| rule(Chain::Forward, matches, Verdict::Drop, why);
    let outside = || Match::NotSource(inside.to_vec());
    let from_nowhere = |port: Match, why| {
        forward(vec![outside(), Match::NotDestination(inside.to_vec()), Match::Udp, port], why)
    };
    vec![
        from_nowhere(
            Match::DestinationPort(NTP),
            "BCP 38, for requests: what neither comes from the networks inside nor goes there carries a \
             forged address. Amplification lives by such packets. Better drop all of them, not only NTP.",
        ),
        from_nowhere(Match::SourcePort(NTP), "The same for answers."),
        forward(
            vec![outside(), Match::Udp, Match::DestinationPort(NTP), MANAGEMENT],
            "Nobody outside manages the servers inside.",
        ),
        forward(
            vec![
                Match::Udp,
                Match::SourcePort(NTP),
                Match::NotDestination(inside.to_vec()),
                MANAGEMENT,
            ],
            "Should a server inside answer such a thing all the same, the answer stays here.",
        ),
        forward(
            vec![outside(), Match::Udp, Match::DestinationPort(CHRONY)],
            "chronyc from outside.",
        ),
    ]
}
