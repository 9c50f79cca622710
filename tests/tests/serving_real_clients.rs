//! timeball as a server of other implementations, judged by them and by tshark.

use std::net::SocketAddr;
use std::time::Duration;

use timeball_interop::capture::{CAPTURE, Capture};
use timeball_interop::namespace::{Host, Laboratory};
use timeball_interop::need::{self, LABORATORY, Need};
use timeball_interop::peer::chrony::{self, Chronyd, Truth};
use timeball_interop::peer::installation::Peer;
use timeball_interop::peer::{ntpsec, openntpd};
use timeball_interop::probe;
use timeball_interop::timeball::Timeball;

const PEERS: [Need; 3] =
    [Need::Unpacked(Peer::Chrony), Need::Unpacked(Peer::Ntpsec), Need::Unpacked(Peer::Openntpd)];

/// How far from the truth, zero, chronyd may find us on a busy machine.
const CHRONY_AGREES: f64 = 1e-3;
/// What openntpd rounds to, and what its clock reading costs.
const OPENNTPD_RESOLUTION: f64 = 10e-6;
const SYNCHRONISES_WITHIN: Duration = Duration::from_secs(60);

/// Starts chronyd on one host, and timeball on another that follows it and serves everybody.
fn server_that_follows_chrony(upstream: &Host, server: &Host) -> (Chronyd, Timeball) {
    let chronyd = Chronyd::start(upstream, Truth::Honest);
    let configuration = format!(
        "[[server]]\naddress = \"{}\"\nminpoll = 0\nmaxpoll = 2\n[serve]\nallow = [\"0.0.0.0/0\", \"::/0\"]\n",
        upstream.ipv4
    );
    let mut timeball = Timeball::start(server, &configuration);
    timeball.wait_until("is synchronised", SYNCHRONISES_WITHIN, |status| status.synchronised);
    (chronyd, timeball)
}

#[test]
fn chronyd_and_ntpdig_take_time_and_agree() {
    if !need::met(&[&LABORATORY[..], &CAPTURE, &PEERS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [upstream, server, client] =
        ["upstream", "server", "client"].map(|name| laboratory.host(name));
    let capture = Capture::start(&laboratory);
    let (_chronyd, _timeball) = server_that_follows_chrony(&upstream, &server);

    for address in [server.ipv4.into(), server.ipv6.into()] {
        let offset = chrony::measure(&client, SocketAddr::new(address, 123));
        assert!(offset.abs() < CHRONY_AGREES, "chronyd -Q measured {offset} by {address}");
        let dug = ntpsec::dig(&client, address);
        dug.assert_agrees_with(0.0);
        assert_eq!((dug.stratum, dug.leap.as_str()), (2, "no-leap"));
    }

    let packets = capture.finish();
    let [source4, source6] = [server.ipv4.to_string(), server.ipv6.to_string()];
    let answers = packets.iter().filter(|packet| {
        (packet.source == source4 || packet.source == source6) && packet.mode == 4
    });
    let answers: Vec<_> = answers.collect();
    assert!(answers.len() >= 8, "only {} answers: {packets:#?}", answers.len());
    // Our own requests to chronyd say nothing that they need not, and are no longer than NTP.
    let requests = packets.iter().filter(|packet| packet.source == source4 && packet.mode == 3);
    assert!(requests.clone().count() >= 4, "{packets:#?}");
    assert!(requests.clone().all(|packet| packet.length == 48), "{packets:#?}");
}

#[test]
fn openntpd_takes_time_and_agrees() {
    if !need::met(&[&LABORATORY[..], &CAPTURE, &PEERS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [upstream, server, client] =
        ["upstream", "server", "client"].map(|name| laboratory.host(name));
    let capture = Capture::start(&laboratory);
    let (_chronyd, timeball) = server_that_follows_chrony(&upstream, &server);
    // The clock is not ours to correct: we serve the time that we believe in, which is good to this.
    let claimed = timeball.status().expect("a status").offset_bound.expect("a bound");
    assert!(claimed < 10e-3, "{claimed}");
    let mut openntpd = openntpd::Ntpd::start(&client, &server);
    openntpd.wait_until_synchronised();
    let measurements = openntpd.measurements();
    assert!(measurements.len() >= 8, "{measurements:?}");
    for measurement in &measurements {
        let farthest = claimed + measurement.delay / 2.0 + OPENNTPD_RESOLUTION;
        assert!(measurement.offset.abs() <= farthest, "{measurement:?}");
        assert!(measurement.delay < 0.1, "{measurement:?}");
    }
    let addresses = [client.ipv4.to_string(), client.ipv6.to_string()];
    let packets = capture.finish();
    let answers =
        packets.iter().filter(|packet| addresses.contains(&packet.destination) && packet.mode == 4);
    assert!(answers.count() >= measurements.len());
}

#[test]
fn an_isolated_server_serves_its_local_stratum() {
    if !need::met(&[&LABORATORY[..], &PEERS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [server, client] = ["server", "client"].map(|name| laboratory.host(name));
    let mut timeball = Timeball::start(
        &server,
        "[serve]\nallow = [\"10.123.0.0/24\"]\n[serve.local]\nstratum = 10\n",
    );
    timeball.wait_until("answers", SYNCHRONISES_WITHIN, |_| true);
    let dug = ntpsec::dig(&client, server.address());
    dug.assert_agrees_with(0.0);
    assert_eq!((dug.stratum, dug.leap.as_str()), (10, "no-leap"));
    let offset = chrony::measure(&client, SocketAddr::new(server.address(), 123));
    assert!(offset.abs() < CHRONY_AGREES, "chronyd -Q measured {offset}");
}

#[test]
fn nobody_is_served_who_is_not_allowed() {
    if !need::met(&[&LABORATORY[..], &PEERS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [silent, choosy, allowed, denied] =
        ["silent", "choosy", "allowed", "denied"].map(|name| laboratory.host(name));
    let mut nobody = Timeball::start(&silent, "[[server]]\naddress = \"10.123.0.99\"\n");
    let configuration = format!(
        "[serve]\nallow = [\"10.123.0.0/24\"]\ndeny = [\"{}/32\"]\n[serve.local]\nstratum = 10\n",
        denied.ipv4
    );
    let mut somebody = Timeball::start(&choosy, &configuration);
    nobody.wait_until("answers", SYNCHRONISES_WITHIN, |_| true);
    somebody.wait_until("answers", SYNCHRONISES_WITHIN, |_| true);

    let [silent, choosy] = [&silent, &choosy].map(|host| SocketAddr::new(host.address(), 123));
    let answer = probe::ask(&allowed, choosy).expect("an allowed client is served");
    assert_eq!(answer.stratum, 10);
    let refused = probe::ask(&denied, choosy).expect_err("a denied client is not served");
    assert_eq!(refused.kind(), std::io::ErrorKind::WouldBlock, "{refused}");
    // No socket at all: the kernel itself refuses.
    let refused = probe::ask(&allowed, silent).expect_err("by default nobody is served");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused, "{refused}");
}
