//! Clients of others with NTS, and timeball as their server. What is expected of timeball is expected
//! of chronyd too, so that the expectations are known to be right.
#![allow(clippy::panic, clippy::expect_used, clippy::unwrap_used, missing_docs)]

use std::fs::{self};
use std::path::Path;

use timeball_interop::namespace::{Host, Laboratory};
use timeball_interop::need::{self, LABORATORY, Need};
use timeball_interop::nts::{Place, Valid, WITHIN, reaches, report, served};
use timeball_interop::peer::chrony::Chronyd;
use timeball_interop::peer::installation::Peer;
use timeball_interop::peer::ntpsec::Ntpd;
use timeball_interop::wait;

const CHRONY: [Need; 1] = [Need::Unpacked(Peer::Chrony)];
const NTPSEC: [Need; 2] = [Need::Unpacked(Peer::Chrony), Need::Unpacked(Peer::Ntpsec)];

fn server_of(place: &Place) -> String {
    format!(
        "local stratum 1\nallow\nntsservercert {}\nntsserverkey {}\nntsdumpdir {}\n",
        place.certificate().display(),
        place.key().display(),
        place.kept().display()
    )
}

fn client_of(place: &Place, server: &Host) -> String {
    format!(
        "ntstrustedcerts {}\nserver {} nts iburst minpoll 0 maxpoll 0\n",
        place.certificate().display(),
        server.ipv4
    )
}

type Start = fn(&Host, &str) -> Chronyd;

const THEIRS: Start = Chronyd::configured;
const OURS: Start = Chronyd::played_by_timeball;

#[test]
fn chronyd_gets_keys_and_authenticated_time() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    for (start, more) in [(THEIRS, ""), (OURS, ""), (OURS, "ntsprocesses 0\n")] {
        let laboratory = Laboratory::new();
        let [one, two] = ["one", "two"].map(|name| laboratory.host(name));
        let place = Place::new(one.ipv4.into(), Valid::Now);
        let server = start(&one, &format!("{}{more}", server_of(&place)));
        let client = THEIRS(&two, &client_of(&place, &one));
        reaches(&two, &client);
        // Mode, key identifier, type, length, last, attempts, NAKs, cookies, length of a cookie.
        let said = report(&two, &client, "authdata");
        let rows = said.rows();
        let row = &rows[0];
        // The one cipher that chronyd has had from the beginning.
        assert_eq!((row[1], row[3], row[7], row[8]), ("NTS", "15", "0", "8"), "{row:?}");
        let (keys, authenticated) = served(&one, &server);
        assert_eq!(keys, 1);
        assert!(authenticated >= 4, "{authenticated}");
    }
}

#[test]
fn a_restarted_server_knows_its_clients_and_one_with_new_keys_gives_them_others() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    for start in [THEIRS, OURS] {
        let laboratory = Laboratory::new();
        let [one, two] = ["one", "two"].map(|name| laboratory.host(name));
        let place = Place::new(one.ipv4.into(), Valid::Now);
        let server = start(&one, &server_of(&place));
        let client = THEIRS(&two, &client_of(&place, &one));
        reaches(&two, &client);
        drop(server);
        let server = start(&one, &server_of(&place));
        let authenticated = |count: u64| {
            wait::until("the server answers", WITHIN, || {
                let (_, authenticated) = served(&one, &server);
                if authenticated >= count { Ok(()) } else { Err(format!("{authenticated}")) }
            });
        };
        authenticated(3);
        assert_eq!(served(&one, &server).0, 0, "the keys are good as they are");
        drop(server);
        // Nothing is left of the keys: the client is told so, and asks for others.
        fs::remove_file(place.kept().join("ntskeys")).expect("remove the keys");
        let server = start(&one, &server_of(&place));
        wait::until("the client gets other keys", WITHIN, || {
            let (keys, authenticated) = served(&one, &server);
            if keys >= 1 && authenticated >= 3 {
                Ok(())
            } else {
                Err(format!("{keys} {authenticated}\n{}\n{}", client.log(), server.log()))
            }
        });
    }
}

/// Debian's chronyd writes the older form, which later ones do not write any more but read.
#[test]
fn timeball_goes_on_with_the_keys_that_chronyd_has_left() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [one, two] = ["one", "two"].map(|name| laboratory.host(name));
    let place = Place::new(one.ipv4.into(), Valid::Now);
    let server = THEIRS(&one, &server_of(&place));
    let client = THEIRS(&two, &client_of(&place, &one));
    reaches(&two, &client);
    drop(server);
    let server = OURS(&one, &server_of(&place));
    wait::until("the server answers", WITHIN, || {
        let (_, authenticated) = served(&one, &server);
        if authenticated >= 3 { Ok(()) } else { Err(server.log()) }
    });
    assert_eq!(served(&one, &server).0, 0, "the keys are good as they are");
}

#[test]
fn a_certificate_that_changes_on_disk_is_shown_to_the_next_client() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [one, two] = ["one", "two"].map(|name| laboratory.host(name));
    let place = Place::new(one.ipv4.into(), Valid::Now);
    let server = OURS(&one, &server_of(&place));
    let client = THEIRS(&two, &client_of(&place, &one));
    reaches(&two, &client);
    drop(client);
    place.certify(one.ipv4.into(), Valid::Now);
    // Trusts the new one alone.
    let client = THEIRS(&two, &client_of(&place, &one));
    reaches(&two, &client);
    assert!(server.log().contains("were read again"), "{}", server.log());
}

#[test]
fn rotated_keys_are_told_by_new_cookies_and_the_client_does_not_notice() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    for start in [THEIRS, OURS] {
        let laboratory = Laboratory::new();
        let [one, two] = ["one", "two"].map(|name| laboratory.host(name));
        let place = Place::new(one.ipv4.into(), Valid::Now);
        let file = place.kept().join("ntskeys");
        // A client holds eight cookies, of which it spends one a second.
        let server = start(&one, &format!("{}ntsrotate 6\n", server_of(&place)));
        let client = THEIRS(&two, &client_of(&place, &one));
        reaches(&two, &client);
        let first = keys_in(&file);
        wait::until("all keys have changed", WITHIN, || {
            let now = keys_in(&file);
            if now.iter().any(|key| first.contains(key)) { Err(now.join("\n")) } else { Ok(()) }
        });
        let before = served(&one, &server).1;
        wait::until("the server answers", WITHIN, || {
            let (_, authenticated) = served(&one, &server);
            if authenticated >= before + 2 { Ok(()) } else { Err(server.log()) }
        });
        assert_eq!(served(&one, &server).0, 1, "no other keys were asked for");
        let said = report(&two, &client, "authdata");
        assert_eq!(said.rows()[0][7], "0", "no NAK: {said:?}");
    }
}

fn keys_in(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().skip(2).map(str::to_owned).collect()
}

#[test]
fn ntpsecs_daemon_gets_keys_and_authenticated_time() {
    if !need::met(&[&LABORATORY[..], &NTPSEC].concat()) {
        return;
    }
    for start in [THEIRS, OURS] {
        let laboratory = Laboratory::new();
        let [one, two] = ["one", "two"].map(|name| laboratory.host(name));
        let place = Place::new(one.ipv4.into(), Valid::Now);
        let server = start(&one, &server_of(&place));
        let lines = format!(
            "server {} nts ca {} minpoll 0 maxpoll 3 iburst\n",
            one.ipv4,
            place.certificate().display()
        );
        let _client = Ntpd::start_with(&two, &lines);
        wait::until("requests are authenticated", WITHIN, || {
            let (keys, authenticated) = served(&one, &server);
            if keys >= 1 && authenticated >= 3 {
                Ok(())
            } else {
                Err(format!("{keys} {authenticated}\n{}", server.log()))
            }
        });
    }
}
