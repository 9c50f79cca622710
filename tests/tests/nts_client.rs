//! Servers of others with NTS, and timeball as their client. What is expected of timeball is expected
//! of chronyd too where it can be, so that the expectations are known to be right.
#![allow(clippy::panic, clippy::expect_used, clippy::unwrap_used, missing_docs)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use timeball_interop::namespace::{Host, Laboratory};
use timeball_interop::need::{self, LABORATORY, Need};
use timeball_interop::nts::{Place, Valid, WITHIN, field, number, reaches, report, served};
use timeball_interop::peer::chrony::Chronyd;
use timeball_interop::peer::installation::Peer;
use timeball_interop::peer::ntpsec::Ntpd;
use timeball_interop::process::output_of;
use timeball_interop::timeball::Timeball;
use timeball_interop::{timeball, wait};

const CHRONY: [Need; 1] = [Need::Unpacked(Peer::Chrony)];
const NTPSEC: [Need; 2] = [Need::Unpacked(Peer::Chrony), Need::Unpacked(Peer::Ntpsec)];

type Start = fn(&Host, &str) -> Chronyd;

const THEIRS: Start = Chronyd::configured;
const OURS: Start = Chronyd::played_by_timeball;

fn server_of(place: &Place) -> String {
    format!(
        "local stratum 1\nallow\nntsservercert {}\nntsserverkey {}\n",
        place.certificate().display(),
        place.key().display()
    )
}

fn client_of(place: &Place, server: &Host) -> String {
    format!(
        "nosystemcert\nntstrustedcerts {}\nntsdumpdir {}\n\
         server {} nts iburst minpoll 0 maxpoll 0\n",
        place.certificate().display(),
        place.kept().display(),
        server.ipv4
    )
}

#[test]
fn chronyd_gives_us_keys_and_authenticated_time() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    // Debian's chronyd has no other cipher.
    for (start, more, algorithm, bits) in [
        (THEIRS, "", "15", "256"),
        (OURS, "", "15", "256"),
        (OURS, "ntsaeads 17 15\n", "15", "256"),
        (OURS, "authselectmode require\n", "15", "256"),
    ] {
        let laboratory = Laboratory::new();
        let [one, two] = ["one", "two"].map(|name| laboratory.host(name));
        let place = Place::new(one.ipv4.into(), Valid::Now);
        let server = THEIRS(&one, &server_of(&place));
        let client = start(&two, &format!("{}{more}", client_of(&place, &one)));
        reaches(&two, &client);
        // Mode, key identifier, type, length, last, attempts, NAKs, cookies, length of a cookie.
        let said = report(&two, &client, "authdata");
        let row = [1, 2, 3, 4, 6, 7, 8].map(|column| field(&said, column));
        assert_eq!(row, ["NTS", "1", algorithm, bits, "0", "0", "8"], "{said:?}");
        let (sessions, authenticated) = served(&one, &server);
        assert_eq!(sessions, 1);
        assert!(authenticated >= 4, "{authenticated}");
    }
}

#[test]
fn ntpsecs_daemon_gives_us_keys_and_authenticated_time() {
    if !need::met(&[&LABORATORY[..], &NTPSEC].concat()) {
        return;
    }
    for start in [THEIRS, OURS] {
        let laboratory = Laboratory::new();
        let [one, two] = ["one", "two"].map(|name| laboratory.host(name));
        let place = Place::new(one.ipv4.into(), Valid::Now);
        let lines = format!(
            "nts enable\nnts key {}\nnts cert {}\nnts cookie {}\n",
            place.key().display(),
            place.certificate().display(),
            place.kept().join("cookie-keys").display()
        );
        let _server = Ntpd::start_with(&one, &lines);
        let client = start(&two, &client_of(&place, &one));
        reaches(&two, &client);
        let said = report(&two, &client, "authdata");
        let row = [1, 3, 4, 6, 7, 8].map(|column| field(&said, column));
        assert_eq!(row, ["NTS", "15", "256", "0", "0", "8"], "{said:?}");
    }
}

#[test]
fn a_server_that_has_forgotten_its_keys_gives_us_others() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    for start in [THEIRS, OURS] {
        let laboratory = Laboratory::new();
        let [one, two] = ["one", "two"].map(|name| laboratory.host(name));
        let place = Place::new(one.ipv4.into(), Valid::Now);
        let server = THEIRS(&one, &server_of(&place));
        let client = start(&two, &client_of(&place, &one));
        reaches(&two, &client);
        drop(server);
        let server = THEIRS(&one, &server_of(&place));
        wait::until("there are other keys", WITHIN, || {
            let (sessions, authenticated) = served(&one, &server);
            if sessions >= 1 && authenticated >= 3 {
                Ok(())
            } else {
                Err(format!("{sessions} {authenticated}\n{}", client.log()))
            }
        });
        assert_eq!(field(&report(&two, &client, "authdata"), 2), "2");
        reaches(&two, &client);
    }
}

#[test]
fn keys_and_cookies_outlive_a_restart() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    for start in [THEIRS, OURS] {
        let laboratory = Laboratory::new();
        let [one, two] = ["one", "two"].map(|name| laboratory.host(name));
        let place = Place::new(one.ipv4.into(), Valid::Now);
        let server = THEIRS(&one, &server_of(&place));
        let client = start(&two, &client_of(&place, &one));
        reaches(&two, &client);
        // Its end is a signal, after which it writes down what it has.
        drop(client);
        let kept = place.kept().join(format!("{}.nts", one.ipv4));
        let mode = fs::metadata(&kept).expect("the keys were kept").permissions().mode();
        assert_eq!(mode & 0o007, 0, "{mode:o}");
        let before = served(&one, &server).1;
        let client = start(&two, &client_of(&place, &one));
        reaches(&two, &client);
        let (sessions, authenticated) = served(&one, &server);
        assert_eq!(sessions, 1, "{}", client.log());
        assert!(authenticated >= before + 4);
    }
}

#[test]
fn a_server_that_cannot_prove_who_it_is_gets_no_request() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    for (valid, stranger, words) in [
        (Valid::Before, false, "expired"),
        (Valid::Later, false, "not valid yet"),
        // Both vouch for themselves, by the same name.
        (Valid::Now, true, "BadSignature"),
    ] {
        let laboratory = Laboratory::new();
        let [one, two] = ["one", "two"].map(|name| laboratory.host(name));
        let place = Place::new(one.ipv4.into(), valid);
        let other = Place::new(two.ipv4.into(), Valid::Now);
        let server = THEIRS(&one, &server_of(&place));
        let trusted = if stranger { &other } else { &place };
        let client = OURS(&two, &client_of(trusted, &one));
        wait::until("the client has said why", WITHIN, || {
            let log = client.log();
            if log.contains("no keys could be established") { Ok(()) } else { Err(log) }
        });
        let log = client.log();
        assert!(log.contains(words), "{words}: {log}");
        // Somebody has to mend that, so it is not tried again soon, and no plain request takes the place
        // of one, also if an operator wants some.
        assert_eq!(report(&two, &client, "burst 2/4").status, Some(0));
        assert_eq!(number(&report(&two, &client, "authdata"), 6), 1);
        let said = report(&one, &server, "serverstats");
        assert_eq!((number(&said, 0), number(&said, 7)), (0, 0), "{said:?}");
    }
}

/// A clock that may be wrong does not have to agree with the certificate; but the time that is then
/// given does, and this machine's is not that of the certificate.
#[test]
fn a_certificate_that_is_taken_on_trust_bounds_the_time_that_is_believed() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [one, two] = ["one", "two"].map(|name| laboratory.host(name));
    let place = Place::new(one.ipv4.into(), Valid::Before);
    let server = THEIRS(&one, &server_of(&place));
    let source = place.source(one.ipv4.into());
    let client = Timeball::start(&two, &source.replace("[nts]", "[nts]\nunchecked-updates = 1"));
    wait::until("it is asked", WITHIN, || {
        let (sessions, authenticated) = served(&one, &server);
        let asked = sessions == 1 && authenticated >= 3;
        if asked { Ok(()) } else { Err(format!("{:?}", client.status())) }
    });
    let sources = client.sources();
    assert_eq!(sources[0].offset, None, "{sources:?}");
}

/// An operator may not care, and then it does not matter for how long it has been over.
#[test]
fn certificates_that_have_expired_for_good_are_good_enough_for_who_does_not_check_them() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    for start in [THEIRS, OURS] {
        let laboratory = Laboratory::new();
        let [one, two] = ["one", "two"].map(|name| laboratory.host(name));
        let place = Place::new(one.ipv4.into(), Valid::Before);
        let _server = THEIRS(&one, &server_of(&place));
        let drift = place.kept().join("drift");
        // It was right yesterday, which is long after the end.
        fs::write(&drift, "1.0 1.0\n").expect("write a drift file");
        let lines = format!("nocerttimecheck 1\ndriftfile {}\n", drift.display());
        let client = start(&two, &format!("{}{lines}", client_of(&place, &one)));
        reaches(&two, &client);
        let said = report(&two, &client, "sourcestats");
        assert!(number(&said, 1) >= 4, "{said:?}");
    }
}

#[test]
fn the_selftest_tells_every_step() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [one, two] = ["one", "two"].map(|name| laboratory.host(name));
    let place = Place::new(one.ipv4.into(), Valid::Now);
    let _server = THEIRS(&one, &server_of(&place));
    let mut command = two.command(&timeball::program());
    command.args(["nts", "selftest", "--trust"]).arg(place.certificate());
    let said = output_of(command.arg(one.ipv4.to_string()));
    for words in ["connection", "certificate", "ntske/1", "8 cookies", "authentic answer"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let mut command = two.command(&timeball::program());
    let output = command.args(["nts", "selftest"]).arg(one.ipv4.to_string()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("UnknownIssuer") || said.contains("no certificates"), "{said}");
}

#[test]
fn a_query_is_answered_with_proof_or_not_at_all() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    for (start, cipher) in [(THEIRS, "15"), (OURS, "15"), (OURS, "30")] {
        let laboratory = Laboratory::new();
        let [one, two] = ["one", "two"].map(|name| laboratory.host(name));
        let place = Place::new(one.ipv4.into(), Valid::Now);
        let server = start(&one, &server_of(&place));
        let query = |more: &[&str]| {
            let mut command = two.command(&timeball::program());
            command.args(["query", "--nts", "--json", "--samples", "3"]).args(more);
            command.arg(one.ipv4.to_string()).output().expect("run a program")
        };
        let certificate = place.certificate();
        let trust = ["--trust", certificate.to_str().expect("a path"), "--algorithms", cipher];
        let output = query(&trust);
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert_eq!(said[0]["authentication"], "nts", "{said}");
        assert_eq!(said[0]["samples"], 3, "{said}");
        assert!(said[0]["offset"].as_f64().is_some_and(|offset| offset.abs() < 0.01), "{said}");
        assert_eq!(served(&one, &server), (1, 3));

        // It trusts nobody who could vouch for the server, and asks nobody.
        let output = query(&[]);
        assert_eq!(output.status.code(), Some(1));
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let error = said[0]["error"].as_str().expect("a reason").to_owned();
        let stranger = error.contains("UnknownIssuer") || error.contains("no certificates");
        assert!(error.starts_with("no keys: ") && stranger, "{error}");
        assert_eq!(said[0]["sent"], 0);
        assert_eq!(served(&one, &server).1, 3);
    }
}

#[test]
fn status_and_sources_tell_of_keys_and_of_what_is_wrong_with_them() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [one, two] = ["one", "two"].map(|name| laboratory.host(name));
    for (valid, words) in [(Valid::Now, "8 cookies"), (Valid::Before, "no keys; an attempt")] {
        let place = Place::new(one.ipv4.into(), valid);
        let _server = THEIRS(&one, &server_of(&place));
        let client = Timeball::start(&two, &place.source(one.ipv4.into()));
        wait::until("it tells", WITHIN, || {
            let said = client.tells(&["status"]);
            if said.contains("NTS, ") && said.contains(words) { Ok(()) } else { Err(said) }
        });
        let said = client.tells(&["sources", "-v"]);
        assert!(said.contains("authentication"), "{said}");
        assert_eq!(said.contains("expired"), valid == Valid::Before, "{said}");
    }
}
