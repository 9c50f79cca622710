//! `timeball firewall` in network namespaces: traffic proves the rules.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use timeball_interop::firewall::{
    ALL_BACKENDS, ANSWERS_WITHIN, BACKENDS, TOOLS, expect_status, firewall, install,
};
use timeball_interop::namespace::{Host, Laboratory};
use timeball_interop::need::{self, LABORATORY};
use timeball_interop::peer::chrony::{self, Chronyd, Truth};
use timeball_interop::process::output_of;

/// What no rule is about: a datagram to it that arrives shows that one sent before has had its time.
const MARKER: u16 = 9999;
const RANDOM: u16 = 40_123;

/// One datagram: from and to which port, and what its first byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Flow {
    source: u16,
    destination: u16,
    first: u8,
}

const fn flow(source: u16, destination: u16, first: u8) -> Flow {
    Flow { source, destination, first }
}

/// Whether a datagram from one host arrives at the other. It is followed by a marker on the same way,
/// and has arrived before that or never.
fn arrives(from: &Host, to: &Host, flow: Flow) -> bool {
    arrives_at((from, from.address()), (to, to.address()), flow)
}

/// The same between other addresses of these hosts.
fn arrives_at(from: (&Host, IpAddr), to: (&Host, IpAddr), flow: Flow) -> bool {
    let bind = |port: u16, (host, address): (&Host, IpAddr)| {
        let socket = host.udp(address, port);
        socket.set_read_timeout(Some(ANSWERS_WITHIN)).expect("set a timeout");
        socket
    };
    let (probed, marked) = (bind(flow.destination, to), bind(MARKER, to));
    let (probe, marker) = (bind(flow.source, from), bind(MARKER, from));
    let to = to.1;
    let mut datagram = [0; 48];
    datagram[0] = flow.first;
    // A rule about what leaves says so by an error of permission.
    if probe.send_to(&datagram, (to, flow.destination)).is_err() {
        return false;
    }
    marker.send_to(b"marker", (to, MARKER)).expect("send a marker");
    let mut buffer = [0; 64];
    marked.recv(&mut buffer).expect("the marker arrives");
    probed.set_nonblocking(true).expect("set a socket's mode");
    probed.recv(&mut buffer).is_ok()
}

/// Whether a request that leaves from this port is answered.
fn is_answered(client: &Host, server: &Host, port: u16) -> bool {
    let serving = SocketAddr::new(server.address(), 123);
    let listener = server.udp(server.address(), 123);
    listener.set_read_timeout(Some(ANSWERS_WITHIN)).expect("set a timeout");
    let asking = SocketAddr::new(client.address(), port);
    let socket = client.udp(client.address(), port);
    let mut datagram = [0; 48];
    datagram[0] = 0x23;
    if socket.send_to(&datagram, serving).is_err() {
        return false;
    }
    listener.recv(&mut datagram).expect("the request arrives");
    datagram[0] = 0x24;
    listener.send_to(&datagram, asking).expect("answer");
    let marked = SocketAddr::new(client.address(), MARKER);
    let marker = client.udp(client.address(), MARKER);
    marker.set_read_timeout(Some(ANSWERS_WITHIN)).expect("set a timeout");
    let sender = server.udp(server.address(), 0);
    sender.send_to(b"marker", marked).expect("send a marker");
    marker.recv(&mut datagram).expect("the marker arrives");
    socket.set_nonblocking(true).expect("set a socket's mode");
    socket.recv(&mut datagram).is_ok()
}

/// Whether management passes on a way on which a request was just answered.
fn manages_after_an_answer(client: &Host, server: &Host) -> bool {
    let bind = |host: &Host, port: u16| {
        let socket = host.udp(host.address(), port);
        socket.set_read_timeout(Some(ANSWERS_WITHIN)).expect("set a timeout");
        socket
    };
    let (listener, marked) = (bind(server, 123), bind(server, MARKER));
    let (socket, marker) = (bind(client, 123), bind(client, MARKER));
    let mut datagram = [0; 48];
    datagram[0] = 0x23;
    socket.send_to(&datagram, (server.ipv4, 123)).expect("ask");
    let (_, from) = listener.recv_from(&mut datagram).expect("the request arrives");
    datagram[0] = 0x24;
    listener.send_to(&datagram, from).expect("answer");
    socket.recv(&mut datagram).expect("the answer arrives");
    datagram[0] = 0x16;
    socket.send_to(&datagram, (server.ipv4, 123)).expect("send");
    marker.send_to(b"marker", (server.ipv4, MARKER)).expect("send a marker");
    marked.recv(&mut datagram).expect("the marker arrives");
    listener.set_nonblocking(true).expect("set a socket's mode");
    listener.recv(&mut datagram).is_ok()
}

/// What nobody but a server of that kind should get: management, answers, commands, in every version.
const UNASKED: [Flow; 20] = [
    flow(RANDOM, 123, 0x16),
    flow(RANDOM, 123, 0x17),
    flow(RANDOM, 123, 0x1e),
    flow(RANDOM, 123, 0x1f),
    flow(RANDOM, 123, 0x26),
    flow(RANDOM, 123, 0x27),
    flow(RANDOM, 123, 0x96),
    flow(RANDOM, 123, 0xd6),
    flow(RANDOM, 123, 0x97),
    flow(RANDOM, 123, 0xd7),
    flow(RANDOM, 123, 0x24),
    flow(RANDOM, 123, 0x1c),
    flow(RANDOM, 123, 0x22),
    flow(RANDOM, 123, 0x25),
    flow(123, 123, 0x16),
    flow(123, 123, 0x17),
    flow(123, 123, 0x24),
    flow(123, 123, 0xe4),
    flow(RANDOM, 323, 0x06),
    flow(323, 323, 0x06),
];

#[test]
fn what_a_role_needs_passes_and_the_rest_does_not() {
    if !need::met(&[&LABORATORY[..], &TOOLS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [there, third] = ["there", "third"].map(|name| laboratory.host(name));
    let allow = format!("--allow {}/32", there.ipv4);
    let roles: [(String, &[Flow], &[Flow]); 6] = [
        ("client".into(), &[], &[flow(RANDOM, 123, 0x23), flow(123, 123, 0x21)]),
        ("client --fixed-port".into(), &[], &[flow(RANDOM, 123, 0x23), flow(123, 123, 0x25)]),
        (
            format!("server {allow}"),
            &[
                flow(RANDOM, 123, 0x23),
                flow(123, 123, 0x1b),
                flow(RANDOM, 123, 0x08),
                flow(123, 123, 0x21),
            ],
            &[flow(123, 123, 0x25)],
        ),
        (
            format!("peer {}", there.ipv4),
            &[flow(123, 123, 0x21), flow(123, 123, 0x22)],
            &[flow(RANDOM, 123, 0x23), flow(RANDOM, 123, 0x21)],
        ),
        ("broadcast-client".into(), &[flow(123, 123, 0x25)], &[flow(RANDOM, 123, 0x23)]),
        (format!("nts-server {allow}"), &[flow(RANDOM, 123, 0x23)], &[flow(123, 123, 0x25)]),
    ];
    for backend in ALL_BACKENDS {
        for (number, (role, passing, stopped)) in roles.iter().enumerate() {
            // A new one each time: the memory of a firewall outlives its rules.
            let here = laboratory.host(&format!("{backend}{number}"));
            install(&here, role, backend);
            for &flow in *passing {
                assert!(arrives(&there, &here, flow), "{backend} {role}: {flow:x?} should pass");
            }
            for &flow in stopped.iter().chain(&UNASKED) {
                assert!(!arrives(&there, &here, flow), "{backend} {role}: {flow:x?} should not");
            }
            // Only who is named is served.
            let stranger = flow(RANDOM, 123, 0x23);
            assert!(!arrives(&third, &here, stranger), "{backend} {role}: a stranger");
            let port = if role.contains("fixed") { 123 } else { RANDOM };
            assert!(is_answered(&here, &there, port), "{backend} {role}: own requests");
            if role.contains("server") {
                let managed = manages_after_an_answer(&there, &here);
                assert!(!managed, "{backend} {role}: management behind a request");
            }
            // A client gives no answers, whoever asks.
            let leaves = arrives(&here, &there, flow(123, RANDOM, 0x24));
            assert_eq!(leaves, role != "client", "{backend} {role}");
            if !BACKENDS.contains(&backend) {
                continue;
            }
            expect_status(&firewall(&here, &format!("client --backend {backend} --remove")), 0);
            for flow in UNASKED {
                assert!(arrives(&there, &here, flow), "{backend}: nothing is left of the rules");
            }
        }
    }
}

#[test]
fn a_server_of_everybody_serves_everybody() {
    if !need::met(&[&LABORATORY[..], &TOOLS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let there = laboratory.host("there");
    let request = flow(RANDOM, 123, 0x23);
    for backend in ALL_BACKENDS {
        for (number, (role, over_ipv4, over_ipv6)) in [
            ("server", true, true),
            ("nts-server", true, true),
            ("server --allow 0.0.0.0/0", true, false),
            ("server --allow ::/0 --allow 10.123.0.0/24", true, true),
        ]
        .into_iter()
        .enumerate()
        {
            let here = laboratory.host(&format!("{backend}{number}"));
            install(&here, role, backend);
            assert_eq!(arrives(&there, &here, request), over_ipv4, "{backend} {role}");
            let [from, to] = [&there, &here].map(|host| (host, IpAddr::V6(host.ipv6)));
            assert_eq!(arrives_at(from, to, request), over_ipv6, "{backend} {role} over IPv6");
            assert!(!arrives(&there, &here, flow(RANDOM, 123, 0x17)), "{backend} {role}: monlist");
        }
    }
}

/// What makes a host a router, or sends it by one.
fn ip(host: &Host, words: &str) {
    output_of(host.command(&need::program("ip")).args(words.split_whitespace()));
}

#[test]
fn a_gateway_keeps_management_apart_and_lets_no_forged_address_out() {
    if !need::met(&[&LABORATORY[..], &TOOLS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [inside, gateway, outside] =
        ["inside", "gateway", "outside"].map(|name| laboratory.host(name));
    ip(&gateway, "address add 10.201.0.1/24 dev eth0");
    ip(&gateway, "address add 10.202.0.1/24 dev eth0");
    let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward; \
                   echo 0 > /proc/sys/net/ipv4/conf/all/send_redirects; \
                   echo 0 > /proc/sys/net/ipv4/conf/eth0/send_redirects; \
                   echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter; \
                   echo 0 > /proc/sys/net/ipv4/conf/eth0/rp_filter";
    output_of(gateway.command(&need::program("sh")).args(["-c", forward]));
    ip(&inside, "address add 10.201.0.2/24 dev eth0");
    // An address that is none of the network's: a forged one.
    ip(&inside, "address add 10.203.0.2/32 dev eth0");
    ip(&inside, "route add 10.202.0.0/24 via 10.201.0.1");
    ip(&outside, "address add 10.202.0.2/24 dev eth0");
    ip(&outside, "route add 10.201.0.0/24 via 10.202.0.1");
    ip(&outside, "route add 10.203.0.0/24 via 10.202.0.1");
    let address = |text: &str| text.parse::<IpAddr>().expect("an address");
    let within = (&inside, address("10.201.0.2"));
    let without = (&outside, address("10.202.0.2"));
    let forged = (&inside, address("10.203.0.2"));

    assert!(sends_to(forged, without, flow(RANDOM, 123, 0x23)), "without rules it leaves");
    for backend in ALL_BACKENDS {
        let role = "gateway --inside 10.201.0.0/24 --inside 192.0.2.0/24";
        install(&gateway, role, backend);
        for first in [0x23, 0x1b, 0x24] {
            assert!(arrives_at(within, without, flow(RANDOM, 123, first)), "{backend} {first:x}");
            assert!(arrives_at(without, within, flow(RANDOM, 123, first)), "{backend} {first:x}");
            assert!(arrives_at(within, without, flow(123, RANDOM, first)), "{backend} {first:x}");
        }
        // Those inside may manage servers outside, and not the other way round.
        for first in [0x16, 0x17, 0xd6, 0x97] {
            assert!(arrives_at(within, without, flow(RANDOM, 123, first)), "{backend} {first:x}");
            assert!(!arrives_at(without, within, flow(RANDOM, 123, first)), "{backend} {first:x}");
            assert!(!arrives_at(within, without, flow(123, RANDOM, first)), "{backend} {first:x}");
        }
        assert!(!arrives_at(without, within, flow(RANDOM, 323, 6)), "{backend}");
        for ntp in [flow(RANDOM, 123, 0x23), flow(123, 123, 0x24), flow(123, RANDOM, 0x24)] {
            assert!(!sends_to(forged, without, ntp), "{backend}: {ntp:x?} with a forged address");
        }
        // What is not NTP is none of these rules' business.
        assert!(sends_to(forged, without, flow(RANDOM, 9998, 0x23)), "{backend}");
        {
            let _chronyd = Chronyd::start(&outside, Truth::Honest);
            let offset = chrony::measure(&inside, SocketAddr::new(without.1, 123));
            assert!(offset.abs() < 0.01, "{backend}: chronyd -Q measured {offset}");
        }
        if BACKENDS.contains(&backend) {
            expect_status(&firewall(&gateway, &format!("{role} --backend {backend} --check")), 0);
            expect_status(&firewall(&gateway, &format!("{role} --backend {backend} --remove")), 0);
            let request = flow(RANDOM, 123, 0x23);
            assert!(sends_to(forged, without, request), "{backend}: nothing is left of the rules");
        }
    }
}

/// Whether a datagram arrives, with a marker from the address that routes are made for.
fn sends_to(from: (&Host, IpAddr), to: (&Host, IpAddr), flow: Flow) -> bool {
    let bind = |(host, address): (&Host, IpAddr), port: u16| host.udp(address, port);
    let (probed, marked) = (bind(to, flow.destination), bind(to, MARKER));
    marked.set_read_timeout(Some(ANSWERS_WITHIN)).expect("set a timeout");
    let genuine = (from.0, "10.201.0.2".parse().expect("an address"));
    let sender = bind(from, flow.source);
    sender.send_to(&[flow.first; 48], (to.1, flow.destination)).expect("send a datagram");
    bind(genuine, MARKER).send_to(b"marker", (to.1, MARKER)).expect("send a marker");
    let mut buffer = [0; 64];
    marked.recv(&mut buffer).expect("the marker arrives");
    probed.set_nonblocking(true).expect("set a socket's mode");
    probed.recv(&mut buffer).is_ok()
}

#[test]
fn chronyc_from_elsewhere_gets_through_where_the_configuration_lets_it() {
    if !need::met(&[&LABORATORY[..], &TOOLS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [there, third] = ["there", "third"].map(|name| laboratory.host(name));
    let folder = tempfile::tempdir().expect("create a folder");
    let file = folder.path().join("chrony.conf");
    let ask = |port: u16| flow(RANDOM, port, 0x06);
    let cases = [
        // Nobody may, or only at this machine, or not over the network at all.
        ("server 192.0.2.1\n".to_owned(), 323, false),
        (format!("cmdallow {}\n", there.ipv4), 323, false),
        ("bindcmdaddress 0.0.0.0\n".to_owned(), 323, false),
        (format!("cmdport 0\nbindcmdaddress 0.0.0.0\ncmdallow {}\n", there.ipv4), 323, false),
        (format!("bindcmdaddress 0.0.0.0\ncmdallow {}\n", there.ipv4), 323, true),
        (format!("bindcmdaddress 0.0.0.0\ncmdport 1323\ncmdallow {}\n", there.ipv4), 1323, true),
    ];
    for backend in ALL_BACKENDS {
        for (number, (text, port, passes)) in cases.iter().enumerate() {
            std::fs::write(&file, text).expect("write a configuration");
            let here = laboratory.host(&format!("{backend}{number}"));
            install(&here, &format!("config {}", file.display()), backend);
            assert_eq!(arrives(&there, &here, ask(*port)), *passes, "{backend}: {text}");
            assert!(!arrives(&third, &here, ask(*port)), "{backend}: {text}: a stranger");
            assert!(is_answered(&here, &there, RANDOM), "{backend}: {text}");
        }
    }
}

#[test]
fn resolved_names_let_in_answers_from_their_addresses_alone() {
    if !need::met(&[&LABORATORY[..], &TOOLS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [there, third] = ["there", "third"].map(|name| laboratory.host(name));
    let folder = tempfile::tempdir().expect("create a folder");
    let file = folder.path().join("chrony.conf");
    // The only name that is known without asking anybody.
    std::fs::write(&file, format!("server {}\nserver localhost\n", there.ipv4)).expect("write");
    for backend in BACKENDS {
        for (resolve, is_third_answered) in [("", true), ("--resolve", false)] {
            let here = laboratory.host(&format!("{backend}{}", resolve.len()));
            let role = format!("config {} {resolve} --backend {backend}", file.display());
            let applied = firewall(&here, &format!("{role} --apply"));
            expect_status(&applied, 0);
            let note = String::from_utf8_lossy(&applied.stderr).contains("have now");
            assert_eq!(note, !resolve.is_empty(), "{applied:?}");
            expect_status(&firewall(&here, &format!("{role} --check")), 0);
            assert!(is_answered(&here, &there, RANDOM), "{backend} {resolve}");
            assert_eq!(
                is_answered(&here, &third, RANDOM),
                is_third_answered,
                "{backend} {resolve}"
            );
        }
    }
    let ntp = folder.path().join("ntp.conf");
    std::fs::write(&ntp, "restrict default noquery\n").expect("write");
    let refused = firewall(&there, &format!("config {}", ntp.display()));
    expect_status(&refused, 2);
    let complaint = String::from_utf8_lossy(&refused.stderr);
    assert!(complaint.contains("ntpd's language"), "{complaint}");
}

/// Whether a TCP connection is made.
fn connects(from: &Host, to: &Host, port: u16) -> bool {
    let address = SocketAddr::new(to.address(), port);
    let _listener = to.tcp(to.address(), port);
    from.inside(|| TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok())
}

#[test]
fn keys_are_given_over_tcp_to_those_who_are_served() {
    if !need::met(&[&LABORATORY[..], &TOOLS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [here, there, third] = ["here", "there", "third"].map(|name| laboratory.host(name));
    for backend in BACKENDS {
        let role = format!("nts-server --allow {}/32 --backend {backend} --apply", there.ipv4);
        expect_status(&firewall(&here, &role), 0);
        assert!(connects(&there, &here, 4460), "{backend}");
        assert!(!connects(&third, &here, 4460), "{backend}");
        assert!(!connects(&there, &here, 123), "{backend}");
        assert!(connects(&there, &here, 22), "{backend}: what is not NTP is left alone");
        expect_status(&firewall(&here, &format!("client --backend {backend} --remove")), 0);
    }
}
