//! The rules of every role as every tool has them, as they were read and found good.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use timeball_guard::firewall::{
    Commands, Duties, Memory, Role, Rule, firewalld, iptables, nftables, pf, rules, ufw,
};

type Renderer = fn(&[Rule]) -> String;

const TOOLS: [(&str, Renderer); 5] = [
    ("nftables", nftables::render),
    ("iptables", iptables::render),
    ("ufw", ufw::render),
    ("firewalld", firewalld::render),
    ("pf", pf::render),
];

fn roles() -> [(&'static str, Role); 9] {
    let nets = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    [
        ("client", Role::Client),
        ("fixed-port-client", Role::FixedPortClient),
        ("server", Role::Server { allow: nets(&["192.0.2.0/24", "2001:db8::/32"]) }),
        (
            "peer",
            Role::Peer {
                peers: vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
            },
        ),
        ("broadcast-client", Role::BroadcastClient),
        ("nts-server", Role::NtsServer { allow: Vec::new() }),
        (
            "configured",
            Role::Configured(Duties {
                allow: nets(&["192.0.2.0/24", "2001:db8::/32"]),
                deny: nets(&["192.0.2.128/25"]),
                peers: vec!["198.51.100.1".parse().unwrap()],
                servers: Vec::new(),
                asks_from_ntp_port: true,
                key_port: Some(4460),
                commands: Some(Commands {
                    port: 1323,
                    allow: nets(&["198.51.100.0/24"]),
                    deny: nets(&["198.51.100.128/25"]),
                }),
            }),
        ),
        (
            "resolved",
            Role::Configured(Duties {
                servers: vec!["198.51.100.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
                ..Duties::default()
            }),
        ),
        ("gateway", Role::Gateway { inside: nets(&["192.0.2.0/24", "198.51.100.0/24"]) }),
    ]
}

#[test]
fn the_rules_are_as_they_were_read() {
    for (role_name, role) in roles() {
        for (tool, render) in TOOLS {
            insta::assert_snapshot!(
                format!("{tool}-{role_name}"),
                render(&rules(&role, Memory::Stateful))
            );
        }
    }
    for (role_name, role) in
        [("client", Role::Client), ("fixed-port-client", Role::FixedPortClient)]
    {
        for (tool, render) in TOOLS {
            insta::assert_snapshot!(
                format!("{tool}-{role_name}-stateless"),
                render(&rules(&role, Memory::Stateless))
            );
        }
    }
}

#[test]
fn a_gateway_touches_the_ports_of_time_services_alone() {
    let (_, gateway) = roles().into_iter().last().unwrap();
    for rule in rules(&gateway, Memory::Stateful) {
        let ports = [rule.source_port(), rule.destination_port()];
        assert!(ports.into_iter().flatten().any(|port| [123, 323].contains(&port)), "{rule:?}");
    }
}

#[test]
fn every_rule_is_explained_once_for_each_tool() {
    for (_, role) in roles() {
        let rules = rules(&role, Memory::Stateful);
        for (tool, render) in TOOLS {
            let text = render(&rules);
            for rule in &rules {
                assert!(text.contains(&format!("# {}\n", rule.why)), "{tool}: {}", rule.why);
            }
        }
    }
}
