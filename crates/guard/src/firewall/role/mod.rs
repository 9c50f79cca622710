//! What a host is to NTP, and the rules that follow from it.

mod groups;

use std::net::IpAddr;

use ipnet::IpNet;

use super::rule::{Match, Rule, Verdict};
use groups::{
    KEYS, NTP, NTS_KE, SERVED, access, allowed, answers, broadcasts, closed, commands,
    fixed_port_answers, gateway, input, key_exchanges, no_answers_from_here, no_misuse,
    no_other_keys, own, peer, requests, to_keys, untracked,
};

/// What a host is to NTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Asks servers from random ports, as RFC 9109 has it.
    Client,
    /// Asks servers from port 123, as older clients do.
    FixedPortClient,
    /// Answers these networks, and asks servers of its own.
    Server {
        /// Whom it answers; empty for everybody.
        allow: Vec<IpNet>,
    },
    /// Is a symmetric peer of these, and asks servers of its own.
    Peer {
        /// The other peers.
        peers: Vec<IpAddr>,
    },
    /// Listens to broadcasts, and asks servers.
    BroadcastClient,
    /// Answers, and gives keys for NTS.
    NtsServer {
        /// Whom it answers; empty for everybody.
        allow: Vec<IpNet>,
    },
    /// What a configuration makes of a host.
    Configured(Duties),
    /// Stands between these networks and the rest.
    Gateway {
        /// The networks behind it.
        inside: Vec<IpNet>,
    },
}

/// What a configuration makes of a host. It asks servers in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Duties {
    /// Whom it answers; empty for nobody.
    pub allow: Vec<IpNet>,
    /// Whom it does not answer though they are within an allowed network; the longest prefix wins.
    pub deny: Vec<IpNet>,
    /// Its symmetric peers.
    pub peers: Vec<IpAddr>,
    /// Whose answers it takes; empty for those of anybody whom it asks.
    pub servers: Vec<IpAddr>,
    /// Its requests leave from port 123.
    pub asks_from_ntp_port: bool,
    /// The TCP port at which it gives keys for NTS, to those whom it answers; `None` gives none.
    pub key_port: Option<u16>,
    /// Who may send it chronyc's requests from elsewhere; `None` takes none from there.
    pub commands: Option<Commands>,
}

/// chronyc's requests from other hosts (chronyd's `bindcmdaddress` and `cmdallow`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commands {
    /// The UDP port.
    pub port: u16,
    /// Who may send them; empty for nobody.
    pub allow: Vec<IpNet>,
    /// Who may not though they are within an allowed network; the longest prefix wins.
    pub deny: Vec<IpNet>,
}

/// Whether the firewall remembers what it has let out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// It does: answers are known as such.
    Stateful,
    /// It does not: answers are known by where they come from.
    Stateless,
}

/// The rules for a role, to be tried in this order.
pub fn rules(role: &Role, memory: Memory) -> Vec<Rule> {
    match role {
        Role::Client => [own(), answers(memory), closed(), no_answers_from_here()].concat(),
        Role::FixedPortClient => [own(), fixed_port_answers(memory), closed()].concat(),
        Role::Server { allow } => {
            [untracked(), own(), answers(memory), requests(allow), closed()].concat()
        }
        Role::Peer { peers } => [own(), answers(memory), peer(peers), closed()].concat(),
        Role::BroadcastClient => [own(), answers(memory), broadcasts(), closed()].concat(),
        Role::NtsServer { allow } => {
            let mut keys = key_exchanges(NTS_KE, allowed(allow, to_keys(NTS_KE), KEYS));
            if !allow.is_empty() {
                keys.push(no_other_keys(NTS_KE));
            }
            [untracked(), own(), answers(memory), requests(allow), keys, closed()].concat()
        }
        Role::Configured(duties) => configured(duties, memory),
        Role::Gateway { inside } => gateway(inside),
    }
}

fn configured(duties: &Duties, memory: Memory) -> Vec<Rule> {
    let serves = !duties.allow.is_empty();
    let mut rules = Vec::new();
    // What is not remembered could not be known as an answer to a request from the same port.
    if serves && !duties.asks_from_ntp_port {
        rules.extend(untracked());
    }
    rules.extend(own());
    let answers =
        if duties.asks_from_ntp_port { fixed_port_answers(memory) } else { answers(memory) };
    rules.extend(answers_of(&duties.servers, answers));
    rules.extend(peer(&duties.peers));
    if serves {
        rules.extend(no_misuse());
        let to_us = [Match::Udp, Match::DestinationPort(NTP)];
        let words = [SERVED, "Requests from those who are not."];
        rules.extend(access(&duties.allow, &duties.deny, &to_us, words));
    }
    if let Some(port) = duties.key_port {
        let words = [KEYS, "Those who are not served get no keys."];
        let served = access(&duties.allow, &duties.deny, &to_keys(port), words);
        rules.extend(key_exchanges(port, served));
        rules.push(no_other_keys(port));
    }
    if let Some(wanted) = &duties.commands {
        rules.extend(commands(wanted));
    }
    rules.extend(closed());
    if !duties.servers.is_empty() {
        rules.push(input(
            [Match::Udp, Match::SourcePort(NTP)],
            Verdict::Drop,
            "Nobody else is asked for the time, so nobody else has an answer to give.",
        ));
    }
    if !serves && duties.peers.is_empty() && !duties.asks_from_ntp_port {
        rules.extend(no_answers_from_here());
    }
    rules
}

/// The same from these addresses alone; from everybody if there are none.
fn answers_of(servers: &[IpAddr], answers: Vec<Rule>) -> Vec<Rule> {
    if servers.is_empty() {
        return answers;
    }
    let from = |server: &IpAddr, answer: &Rule| {
        let mut answer = answer.clone();
        answer.matches.push(Match::Source(IpNet::from(*server)));
        answer
    };
    servers
        .iter()
        .flat_map(|server| answers.iter().map(move |answer| from(server, answer)))
        .collect()
}

#[cfg(test)]
mod tests;
