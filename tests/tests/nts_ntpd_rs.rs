//! Network Time Security with ntpd-rs, as a server and as a client. What is expected of timeball is
//! expected of chronyd too where it can be, so that the expectations are known to be right.
#![allow(clippy::panic, clippy::expect_used, clippy::unwrap_used, missing_docs)]

use timeball_interop::namespace::{Host, Laboratory};
use timeball_interop::need::{self, LABORATORY, Need};
use timeball_interop::nts::{Place, Valid, WITHIN, field, reaches, report, served};
use timeball_interop::peer::chrony::Chronyd;
use timeball_interop::peer::installation::Peer;
use timeball_interop::peer::ntpd_rs::NtpdRs;
use timeball_interop::wait;

const PEERS: [Need; 3] =
    [Need::Built(Peer::NtpdRs), Need::Unpacked(Peer::Chrony), Need::Program("cc")];

type Start = fn(&Host, &str) -> Chronyd;

const THEIRS: Start = Chronyd::configured;
const OURS: Start = Chronyd::played_by_timeball;

#[test]
fn ntpd_rs_gives_us_keys_and_authenticated_time() {
    if !need::met(&[&LABORATORY[..], &PEERS].concat()) {
        return;
    }
    // Debian's chronyd has no other cipher than the first.
    for (start, more, algorithm, bits) in [
        (THEIRS, "", "15", "256"),
        (OURS, "", "15", "256"),
        (OURS, "ntsaeads 17\n", "17", "512"),
        (OURS, "authselectmode require\n", "15", "256"),
    ] {
        let laboratory = Laboratory::new();
        let [one, two] = ["one", "two"].map(|name| laboratory.host(name));
        let place = Place::new(one.ipv4.into(), Valid::Now);
        let mut server = NtpdRs::serving(&one, &place);
        let configuration = format!(
            "nosystemcert\nntstrustedcerts {}\nserver {} nts iburst minpoll 0 maxpoll 0\n{more}",
            place.certificate().display(),
            one.ipv4
        );
        let client = start(&two, &configuration);
        reaches(&two, &client);
        server.assert_running();
        // Mode, type, length, attempts, NAKs, cookies.
        let said = report(&two, &client, "authdata");
        let row = [1, 3, 4, 6, 7, 8].map(|column| field(&said, column));
        assert_eq!(row, ["NTS", algorithm, bits, "0", "0", "8"], "{said:?}\n{}", server.log());
    }
}

#[test]
fn ntpd_rs_gets_keys_and_authenticated_time() {
    if !need::met(&[&LABORATORY[..], &PEERS].concat()) {
        return;
    }
    for (start, more) in [(THEIRS, ""), (OURS, ""), (OURS, "ntsaeads 17\n")] {
        let laboratory = Laboratory::new();
        let [one, two] = ["one", "two"].map(|name| laboratory.host(name));
        let place = Place::new(one.ipv4.into(), Valid::Now);
        let configuration = format!(
            "local stratum 1\nallow\nntsservercert {}\nntsserverkey {}\n{more}",
            place.certificate().display(),
            place.key().display()
        );
        let server = start(&one, &configuration);
        let mut client = NtpdRs::following(&two, &one, &place);
        wait::until("it follows an authenticated server", WITHIN, || {
            client.assert_running();
            let (keys, authenticated) = served(&one, &server);
            // What it says when it has corrected the clock, as it believes.
            let follows = client.log().contains("Offset: ");
            if keys == 1 && authenticated >= 3 && follows {
                Ok(())
            } else {
                Err(format!("{keys} {authenticated}\n{}\n{}", client.log(), server.log()))
            }
        });
    }
}
