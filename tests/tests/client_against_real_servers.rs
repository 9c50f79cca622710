//! timeball as a client of other implementations, in network namespaces, controlling no clock.
//! All hosts share one clock, so that an honest server's true offset is zero.

use std::net::IpAddr;
use std::time::Duration;

use timeball_interop::namespace::Laboratory;
use timeball_interop::need::{self, LABORATORY, Need};
use timeball_interop::peer::chrony::{Chronyd, Truth};
use timeball_interop::peer::installation::Peer;
use timeball_interop::peer::{ntpsec, openntpd};
use timeball_interop::timeball::{Status, Timeball};

const PEERS: [Need; 3] =
    [Need::Unpacked(Peer::Chrony), Need::Unpacked(Peer::Ntpsec), Need::Unpacked(Peer::Openntpd)];

/// How far from the truth a measurement may be: the hosts share their processors with whatever else
/// the machine does, and some servers steer the time they serve and are never quite there.
const TOLERANCE: f64 = 1e-3;
const SYNCHRONISES_WITHIN: Duration = Duration::from_secs(60);

fn servers(addresses: &[IpAddr]) -> String {
    let table =
        |address| format!("[[server]]\naddress = \"{address}\"\nminpoll = 0\nmaxpoll = 2\n");
    addresses.iter().map(table).collect()
}

/// Enough measurements everywhere that every word is meant.
fn every_source_has_been_judged(status: &Status) -> bool {
    status.synchronised && status.sources.iter().all(|source| source.reach.count_ones() >= 6)
}

#[test]
fn two_honest_servers_outvote_a_shifted_one() {
    if !need::met(&[&LABORATORY[..], &PEERS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [liar, honest, follower, client] =
        ["liar", "honest", "follower", "client"].map(|name| laboratory.host(name));
    let _honest = ntpsec::Ntpd::start(&honest);
    let mut openntpd = openntpd::Ntpd::start(&follower, &honest);
    let _liar = Chronyd::start(&liar, Truth::Shifted(0.5));
    openntpd.wait_until_synchronised();

    let all = [liar.address(), honest.address(), follower.address()];
    let mut timeball = Timeball::start(&client, &servers(&all));
    let status = timeball.wait_until(
        "has judged every source",
        SYNCHRONISES_WITHIN,
        every_source_has_been_judged,
    );

    for server in [honest.address(), follower.address()] {
        let source = status.source(server);
        assert!(source.is_believed(), "{source:#?}");
        assert!(source.measured_offset().abs() < TOLERANCE, "{source:#?}");
        assert!(!source.reason.is_empty(), "{source:#?}");
    }
    assert!(status.sources.iter().any(|source| source.state == "selected"), "{status:#?}");
    let source = status.source(liar.address());
    assert_eq!(source.state, "falseticker", "{source:#?}");
    assert!((source.measured_offset() - 0.5).abs() < TOLERANCE, "{source:#?}");
    // "falseticker: 500 ms outside the majority interval", or nearly.
    assert!(source.reason.contains("majority"), "{source:#?}");
    assert!(source.reason.contains("ms"), "{source:#?}");

    let offset = status.offset.expect("a synchronised clock has an offset");
    let bound = status.offset_bound.expect("a synchronised clock has a bound");
    assert!(offset.abs() < TOLERANCE, "{status:#?}");
    // The truth, zero, is within the bound, and the bound is worth something.
    assert!(offset.abs() <= bound && bound < 0.01, "{status:#?}");
    assert_eq!(timeball.sources().len(), 3);
    assert_eq!(timeball.stop().code(), Some(0), "{}", timeball.log());
}

#[test]
fn without_a_majority_nobody_is_followed() {
    if !need::met(&[&LABORATORY[..], &PEERS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [liar, honest, client] = ["liar", "honest", "client"].map(|name| laboratory.host(name));
    let _liar = Chronyd::start(&liar, Truth::Shifted(0.5));
    let _honest = ntpsec::Ntpd::start(&honest);
    let mut timeball = Timeball::start(&client, &servers(&[liar.address(), honest.address()]));
    let status = timeball.wait_until("has measured both", SYNCHRONISES_WITHIN, |status| {
        status.sources.iter().all(|source| source.reach.count_ones() >= 6)
    });
    assert!(!status.synchronised, "{status:#?}");
    assert!(status.sources.iter().all(|source| !source.is_followed()), "{status:#?}");
    assert!(!status.reason.is_empty(), "{status:#?}");
}

#[test]
fn servers_are_followed_over_ipv6() {
    if !need::met(&[&LABORATORY[..], &PEERS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [one, other, client] = ["one", "other", "client"].map(|name| laboratory.host(name));
    let _one = Chronyd::start(&one, Truth::Honest);
    let _other = ntpsec::Ntpd::start(&other);
    let all = [IpAddr::from(one.ipv6), IpAddr::from(other.ipv6)];
    let mut timeball = Timeball::start(&client, &servers(&all));
    let status =
        timeball.wait_until("is synchronised", SYNCHRONISES_WITHIN, every_source_has_been_judged);
    for server in all {
        let source = status.source(server);
        assert!(source.is_believed(), "{source:#?}");
        assert!(source.measured_offset().abs() < TOLERANCE, "{source:#?}");
    }
}

#[test]
fn a_server_that_dies_is_noticed_and_the_other_followed() {
    if !need::met(&[&LABORATORY[..], &PEERS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [mortal, other, client] = ["mortal", "other", "client"].map(|name| laboratory.host(name));
    let chronyd = Chronyd::start(&mortal, Truth::Honest);
    let _other = ntpsec::Ntpd::start(&other);
    let all = [mortal.address(), other.address()];
    let mut timeball = Timeball::start(&client, &servers(&all));
    timeball.wait_until("is synchronised", SYNCHRONISES_WITHIN, every_source_has_been_judged);
    drop(chronyd);
    let status =
        timeball.wait_until("misses the dead server", Duration::from_secs(120), |status| {
            status.source(mortal.address()).state == "unreachable"
        });
    assert!(status.synchronised, "{status:#?}");
    assert_eq!(status.source(other.address()).state, "selected", "{status:#?}");
}

#[test]
fn a_reload_keeps_what_was_measured_of_an_unchanged_server() {
    if !need::met(&[&LABORATORY[..], &PEERS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [kept, added, client] = ["kept", "added", "client"].map(|name| laboratory.host(name));
    let _kept = Chronyd::start(&kept, Truth::Honest);
    let _added = ntpsec::Ntpd::start(&added);
    let mut timeball = Timeball::start(&client, &servers(&[kept.address()]));
    timeball.wait_until("is synchronised", SYNCHRONISES_WITHIN, every_source_has_been_judged);
    timeball.reload(&servers(&[kept.address(), added.address()]));
    let status = timeball
        .wait_until("has a second source", SYNCHRONISES_WITHIN, |status| status.sources.len() == 2);
    let source = status.source(kept.address());
    assert!(source.reach.count_ones() >= 6, "{source:#?}");
    assert!(source.is_believed(), "{source:#?}");
    timeball.wait_until("believes both", SYNCHRONISES_WITHIN, |status| {
        status.sources.iter().all(|source| source.is_believed())
    });
}
