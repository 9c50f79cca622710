//! `timeball audit` of servers that give keys for NTS, well or badly.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::IpAddr;
use std::thread;

use timeball_interop::audit::Audit;
use timeball_interop::namespace::{Host, Laboratory};
use timeball_interop::need::{self, LABORATORY, Need};
use timeball_interop::nts::{Place, Valid};
use timeball_interop::peer::chrony::{Chronyd, Truth};
use timeball_interop::peer::installation::Peer;
use timeball_interop::wait;

const CHRONY: [Need; 1] = [Need::Unpacked(Peer::Chrony)];

type Start = fn(&Host, &str) -> Chronyd;
const THEIRS: Start = Chronyd::configured;
const OURS: Start = Chronyd::played_by_timeball;

/// Starts a server with keys and waits until it gives some to whoever connects.
fn serve(start: Start, host: &Host, place: &Place) -> Chronyd {
    let daemon = start(
        host,
        &format!(
            "local stratum 1\nallow\nntsservercert {}\nntsserverkey {}\nntsdumpdir {}\n",
            place.certificate().display(),
            place.key().display(),
            place.kept().display()
        ),
    );
    let port = (host.address(), 4460);
    wait::until("somebody listens", timeball_interop::nts::WITHIN, || {
        let connected = host.inside(|| std::net::TcpStream::connect(port));
        connected.map(drop).map_err(|error| error.to_string())
    });
    daemon
}

#[test]
fn certificates_and_ciphers_are_what_they_are() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [auditor, ours, theirs, over, later, other, stranger, mute] =
        ["auditor", "ours", "theirs", "over", "later", "other", "stranger", "mute"]
            .map(|name| laboratory.host(name));
    let somebody_else = IpAddr::from([192, 0, 2, 99]);
    let servers: [(&Host, Start, IpAddr, Valid); 6] = [
        (&ours, OURS, ours.address(), Valid::Now),
        (&theirs, THEIRS, theirs.address(), Valid::Now),
        (&over, OURS, over.address(), Valid::Before),
        (&later, THEIRS, later.address(), Valid::Later),
        (&other, OURS, somebody_else, Valid::Now),
        (&stranger, OURS, stranger.address(), Valid::Now),
    ];
    let trusted = tempfile::tempdir().expect("create a folder");
    let mut running = Vec::new();
    for (number, (host, start, address, valid)) in servers.into_iter().enumerate() {
        let place = Place::new(address, valid);
        if !std::ptr::eq(host, &stranger) {
            let copy = trusted.path().join(format!("{number}.crt"));
            std::fs::copy(place.certificate(), copy).expect("copy a certificate");
        }
        running.push((serve(start, host, &place), place));
    }
    let _mute = Chronyd::start(&mute, Truth::Honest);
    let listener = mute.tcp(mute.address(), 4460);
    // It takes connections and hangs up; the thread ends with the test.
    thread::spawn(move || listener.incoming().for_each(drop));

    let hosts = [&ours, &theirs, &over, &later, &other, &stranger, &mute];
    let mut arguments = hosts.map(|host| host.ipv4.to_string()).to_vec();
    arguments.extend(["--no-system-certificates".to_owned(), "--trust".to_owned()]);
    arguments.push(trusted.path().display().to_string());
    let audit = Audit::of(&auditor, &arguments);

    for (host, findings) in [
        (&ours, &[][..]),
        (&theirs, &[]),
        (&over, &["nts-certificate"]),
        (&later, &["nts-certificate"]),
        (&other, &["nts-certificate"]),
        (&stranger, &["nts-certificate"]),
        (&mute, &["nts-no-keys"]),
    ] {
        let said = audit.host(host.address());
        assert_eq!(audit.findings(host.address()), findings, "{said:#}");
        assert_eq!(said["tcp_4460"], "open");
    }
    let keys = |host: &Host| &audit.host(host.address())["nts_ke"];
    assert_eq!(keys(&ours)["algorithms"], serde_json::json!([15, 30]), "{}", keys(&ours));
    // The one cipher that Debian's chronyd has.
    assert_eq!(keys(&theirs)["algorithms"], serde_json::json!([15]), "{}", keys(&theirs));
    for host in [&ours, &theirs] {
        assert_eq!(keys(host)["cookies"], 8);
        assert_eq!(keys(host)["name"], host.ipv4.to_string());
        assert_eq!(keys(host)["valid_from"], "2020-01-01T00:00:00Z");
        assert_eq!(keys(host)["valid_until"], "2100-01-01T00:00:00Z");
        assert!(keys(host)["problem"].is_null());
    }
    // Also of a certificate whose time is over, or has not come, it is known what else there would be.
    assert_eq!(keys(&over)["valid_until"], "2021-01-01T00:00:00Z");
    assert_eq!(keys(&later)["valid_from"], "2099-01-01T00:00:00Z");
    assert_eq!(keys(&over)["cookies"], 8);
    assert_eq!(keys(&mute)["cookies"], 0);
    let severity = |host: &Host| &audit.host(host.address())["findings"][0]["severity"];
    assert_eq!((severity(&over), severity(&later)), (&"medium".into(), &"medium".into()));
    assert_eq!(audit.host(ours.address())["grade"], "A");
}
