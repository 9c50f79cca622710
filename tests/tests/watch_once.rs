//! `timeball watch --once` in network namespaces: what it finds, and its exit status.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;

use timeball_interop::namespace::{Host, Laboratory};
use timeball_interop::need::{self, LABORATORY, Need};
use timeball_interop::nts::{Place, Valid};
use timeball_interop::peer::chrony::{Chronyd, Truth};
use timeball_interop::peer::installation::Peer;
use timeball_interop::probe;
use timeball_interop::watch::{Filter, LIMIT, once};

const NEEDS: [Need; 2] = [Need::Unpacked(Peer::Chrony), Need::Program("nft")];

#[test]
fn once_tells_by_its_exit_status() {
    if !need::met(&[&LABORATORY[..], &NEEDS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [watcher, server, nobody] =
        ["watcher", "server", "nobody"].map(|name| laboratory.host(name));
    let folder = tempfile::tempdir().expect("create a folder");
    let key_file = |name: &str, secret: &str| {
        let path = folder.path().join(name);
        fs::write(&path, format!("7 SHA256 HEX:{}\n", secret.repeat(32))).expect("write a file");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&path, mode).expect("close a file to others");
        path.display().to_string()
    };
    let (right, wrong) = (key_file("right", "5a"), key_file("wrong", "a5"));
    let _chronyd = Chronyd::configured(
        &server,
        &format!("local stratum 4\nallow\nport 123\nkeyfile {right}\n"),
    );
    probe::until_serving("chronyd", &server, 123, 0.0, LIMIT, || {});
    let (serves, silent) = (server.ipv4.to_string(), nobody.ipv4.to_string());
    let (serves, silent) = (serves.as_str(), silent.as_str());
    let tcp = format!("tcp:{serves}");

    let over_ipv6 = format!("[{}]", nobody.ipv6);
    let good = (Some(0), Vec::new());
    assert_eq!(once(&watcher, &["--time", serves, "--closed", silent, "--closed", &tcp]), good);
    let bad = |conditions: &[&str]| {
        (Some(1), conditions.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(once(&watcher, &["--closed", &over_ipv6]), good);
    assert_eq!(once(&watcher, &["--closed", serves]), bad(&["open"]));
    // A firewall that says so.
    let filter = Filter::new(&nobody, "udp dport 123", "reject with icmp admin-prohibited");
    assert_eq!(once(&watcher, &["--filtered", silent]), good);
    assert_eq!(once(&watcher, &["--closed", silent]), bad(&["unreachable"]));
    drop(filter);
    assert_eq!(once(&watcher, &["--open", silent, "--time", serves]), bad(&["closed"]));
    let strict = ["--time", serves, "--max-stratum", "3"];
    assert_eq!(once(&watcher, &strict), bad(&["stratum-too-high"]));

    let with_key =
        |path: &str| once(&watcher, &["--time", serves, "--key", "7", "--key-file", path]);
    assert_eq!(with_key(&right), good);
    let (status, conditions) = with_key(&wrong);
    assert_eq!(status, Some(1));
    // chronyd does not answer a request that proves nothing.
    assert_eq!(conditions, ["open-or-filtered"]);
}

#[test]
fn a_server_proves_itself_by_nts_or_does_not() {
    if !need::met(&[&LABORATORY[..], &NEEDS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [watcher, server, keyless] =
        ["watcher", "server", "keyless"].map(|name| laboratory.host(name));
    let start = |place: &Place, more: &str| {
        let chronyd = Chronyd::configured(
            &server,
            &format!(
                "local stratum 1\nallow\nport 123\nntsservercert {}\nntsserverkey {}\n{more}",
                place.certificate().display(),
                place.key().display()
            ),
        );
        probe::until_serving("chronyd", &server, 123, 0.0, LIMIT, || {});
        chronyd
    };
    let look_with = |host: &Host, place: &Place, more: &[&str]| {
        let certificate = place.certificate().display().to_string();
        let address = host.ipv4.to_string();
        let words = ["--time", &address, "--nts", "--trust", &certificate];
        once(&watcher, &[&words[..], more].concat())
    };
    let look = |host: &Host, place: &Place| look_with(host, place, &[]);
    let bad = |condition: &str| (Some(1), vec![condition.to_owned()]);

    let place = Place::new(server.ipv4.into(), Valid::Now);
    let chronyd = start(&place, "");
    assert_eq!(look(&server, &place), (Some(0), Vec::new()));
    // A certificate that nobody has vouched for.
    let stranger = Place::new(server.ipv4.into(), Valid::Now);
    assert_eq!(look(&server, &stranger), bad("unauthenticated"));
    drop(chronyd);
    assert_eq!(look(&server, &place), bad("closed"));
    // Keys from another port, of which somebody has to know.
    let elsewhere = start(&place, "ntsport 14460\n");
    assert_eq!(look(&server, &place), bad("unauthenticated"));
    assert_eq!(look_with(&server, &place, &["--nts-port", "14460"]), (Some(0), Vec::new()));
    drop(elsewhere);
    let expired = Place::new(server.ipv4.into(), Valid::Before);
    let _chronyd = start(&expired, "");
    assert_eq!(look(&server, &expired), bad("unauthenticated"));
    let _keyless = Chronyd::start(&keyless, Truth::Honest);
    assert_eq!(look(&keyless, &place), bad("unauthenticated"));
}
