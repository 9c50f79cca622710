use super::super::rule::Chain;
use super::*;

#[test]
fn a_client_behind_a_firewall_with_memory_opens_nothing() {
    for rule in rules(&Role::Client, Memory::Stateful) {
        let lets_in = rule.chain == Chain::Input && rule.verdict == Verdict::Accept;
        let is_harmless = rule.has(&Match::Established) || rule.has(&Match::Loopback);
        assert!(!lets_in || is_harmless, "{rule:?}");
    }
}

#[test]
fn only_peers_and_broadcasts_need_port_123_on_both_sides() {
    let needs = |role: Role| {
        rules(&role, Memory::Stateful).iter().any(|rule| {
            rule.verdict == Verdict::Accept
                && rule.has(&Match::SourcePort(NTP))
                && rule.has(&Match::DestinationPort(NTP))
                && !rule.has(&Match::Established)
        })
    };
    assert!(needs(Role::Peer { peers: vec!["192.0.2.1".parse().unwrap()] }));
    assert!(needs(Role::BroadcastClient));
    assert!(!needs(Role::Client));
    assert!(!needs(Role::FixedPortClient));
    assert!(!needs(Role::Server { allow: Vec::new() }));
}

#[test]
fn the_longest_prefix_decides_as_in_the_configuration() {
    let net = |text: &str| text.parse::<IpNet>().unwrap();
    let duties = Duties {
        allow: vec![net("10.0.0.0/8"), net("10.1.1.0/24"), net("10.2.0.0/16")],
        deny: vec![net("10.1.0.0/16"), net("10.2.0.0/16")],
        ..Duties::default()
    };
    let order: Vec<(IpNet, Verdict)> = rules(&Role::Configured(duties), Memory::Stateful)
        .iter()
        .filter_map(|rule| Some((*rule.source()?, rule.verdict)))
        .collect();
    let expected = [
        (net("10.1.1.0/24"), Verdict::Accept),
        (net("10.1.0.0/16"), Verdict::Drop),
        (net("10.2.0.0/16"), Verdict::Drop),
        (net("10.2.0.0/16"), Verdict::Accept),
        (net("10.0.0.0/8"), Verdict::Accept),
    ];
    assert_eq!(order, expected);
}

#[test]
fn answers_come_from_whom_is_asked_alone() {
    let servers: Vec<IpAddr> = vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
    for memory in [Memory::Stateful, Memory::Stateless] {
        let duties = Duties { servers: servers.clone(), ..Duties::default() };
        let rules = rules(&Role::Configured(duties), memory);
        let answers: Vec<&Rule> = rules
            .iter()
            .filter(|rule| rule.chain == Chain::Input && rule.has(&Match::SourcePort(NTP)))
            .collect();
        let (last, accepted) = answers.split_last().unwrap();
        let sources: Vec<IpNet> =
            accepted.iter().filter_map(|rule| rule.source().copied()).collect();
        assert_eq!(sources, servers.iter().copied().map(IpNet::from).collect::<Vec<_>>());
        assert_eq!((last.verdict, last.source()), (Verdict::Drop, None));
    }
}

#[test]
fn a_server_that_asks_from_port_123_is_tracked() {
    let tracked = |asks_from_ntp_port| {
        let allow = vec!["10.0.0.0/8".parse().unwrap()];
        let duties = Duties { allow, asks_from_ntp_port, ..Duties::default() };
        let rules = rules(&Role::Configured(duties), Memory::Stateful);
        rules.iter().all(|rule| rule.verdict != Verdict::DoNotTrack)
    };
    assert!(tracked(true) && !tracked(false));
}

#[test]
fn who_is_served_is_named() {
    let allow: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
    let rules = rules(&Role::NtsServer { allow: allow.clone() }, Memory::Stateful);
    for port in [NTP, NTS_KE] {
        let sources: Vec<IpNet> = rules
            .iter()
            .filter(|rule| rule.destination_port() == Some(port))
            .filter(|rule| rule.verdict == Verdict::Accept)
            .filter_map(|rule| rule.source().copied())
            .collect();
        assert_eq!(sources, allow);
    }
}
