//! Packets authenticated with symmetric keys, between timeball and others in every role. What is
//! expected of timeball is expected of chronyd too, so that the expectations are known to be right.
#![allow(clippy::panic, clippy::expect_used, clippy::unwrap_used, missing_docs)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use timeball_interop::chronyc::{Said, ask, path, theirs};
use timeball_interop::namespace::{Host, Laboratory};
use timeball_interop::need::{self, LABORATORY, Need};
use timeball_interop::peer::chrony::Chronyd;
use timeball_interop::peer::installation::Peer;
use timeball_interop::peer::ntpsec::Ntpd;
use timeball_interop::wait;

const CHRONY: [Need; 1] = [Need::Unpacked(Peer::Chrony)];
const NTPSEC: [Need; 2] = [Need::Unpacked(Peer::Chrony), Need::Unpacked(Peer::Ntpsec)];
const MEASURES_WITHIN: Duration = Duration::from_secs(60);

/// Keys 1 to 3, in chronyd's and in ntpd's words; the fourth is not what the other side has.
const TYPES: [(&str, &str); 3] = [("AES128", "AES128CMAC"), ("SHA1", "SHA1"), ("MD5", "MD5")];
const SECRET: &str = "000102030405060708090A0B0C0D0E0F";
const ANOTHER: &str = "F00102030405060708090A0B0C0D0E0F";

struct KeyFiles {
    _folder: TempDir,
    server: PathBuf,
    client: PathBuf,
    ntp: PathBuf,
}

fn key_files() -> KeyFiles {
    let folder = tempfile::tempdir().expect("create a folder");
    let write = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("write keys");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("protect keys");
        path
    };
    let shared: String =
        (1..).zip(TYPES).map(|(id, (chrony, _))| format!("{id} {chrony} HEX:{SECRET}\n")).collect();
    let ntp: String =
        (1..).zip(TYPES).map(|(id, (_, ntp))| format!("{id} {ntp} {SECRET}\n")).collect();
    let server = write("server.keys", &format!("{shared}4 SHA1 HEX:{SECRET}\n"));
    let client = write("client.keys", &format!("{shared}4 SHA1 HEX:{ANOTHER}\n"));
    let ntp = write("ntp.keys", &ntp);
    KeyFiles { _folder: folder, server, client, ntp }
}

fn follows(host: &Host, daemon: &Chronyd, wanted: &[&Host]) {
    wait::until("the sources answer", MEASURES_WITHIN, || {
        let said = report(host, daemon, "sources");
        let reached = |wanted: &&Host| {
            said.rows().iter().any(|row| {
                row.get(2) == Some(&wanted.ipv4.to_string().as_str())
                    && row.get(5).is_some_and(|reach| !["0", "1", "3"].contains(reach))
            })
        };
        if wanted.iter().all(reached) {
            Ok(())
        } else {
            Err(format!("{said:#?}\n{}", daemon.log()))
        }
    });
}

fn report(host: &Host, daemon: &Chronyd, command: &str) -> Said {
    ask(theirs(host), path(&daemon.command_socket()), &["-c", "-n"], command)
}

/// A column of a report, of the row of this source.
fn column(said: &Said, source: &Host, place: usize, column: usize) -> String {
    let address = source.ipv4.to_string();
    let rows = said.rows();
    let row = rows.iter().find(|row| row.get(place) == Some(&address.as_str()));
    let row = row.unwrap_or_else(|| panic!("no {address} in {said:#?}"));
    (*row.get(column).unwrap_or_else(|| panic!("{row:?} is too short"))).to_owned()
}

type Start = fn(&Host, &str) -> Chronyd;

const THEIRS: Start = Chronyd::configured;
const OURS: Start = Chronyd::played_by_timeball;

fn serving(keys: &Path) -> String {
    format!("local stratum 1\nallow\nkeyfile {}\n", keys.display())
}

#[test]
fn clients_believe_servers_that_have_the_key_and_no_others() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    let keys = key_files();
    for (server, client) in [(THEIRS, THEIRS), (THEIRS, OURS), (OURS, THEIRS), (OURS, OURS)] {
        let laboratory = Laboratory::new();
        let names = ["aes", "sha", "md", "wrong", "none", "client"];
        let [aes, sha, md, wrong, none, host] = names.map(|name| laboratory.host(name));
        let servers: Vec<Chronyd> = [&aes, &sha, &md, &wrong]
            .map(|host| server(host, &serving(&keys.server)))
            .into_iter()
            .chain([server(&none, "local stratum 1\nallow\n")])
            .collect();
        let mut configuration =
            format!("keyfile {}\nauthselectmode require\n", keys.client.display());
        for (host, key) in [(&aes, 1), (&sha, 2), (&md, 3), (&wrong, 4), (&none, 1)] {
            let line = format!("server {} key {key} minpoll 0 maxpoll 0 iburst\n", host.ipv4);
            configuration.push_str(&line);
        }
        let client = client(&host, &configuration);
        follows(&host, &client, &[&aes, &sha, &md]);

        let sources = report(&host, &client, "sources");
        for silent in [&wrong, &none] {
            assert_eq!(column(&sources, silent, 2, 5), "0", "{}", client.log());
        }
        let data = report(&host, &client, "authdata");
        for (host, expected) in [
            (&aes, ["SK", "1", "13", "128"]),
            (&sha, ["SK", "2", "2", "128"]),
            (&md, ["SK", "3", "1", "128"]),
            (&wrong, ["SK", "4", "2", "128"]),
        ] {
            let found = [1, 2, 3, 4].map(|place| column(&data, host, 0, place));
            assert_eq!(found, expected);
        }
        // "NTP packets received", "dropped", "authenticated".
        let stats = |host: &Host, daemon: &Chronyd| report(host, daemon, "serverstats");
        let authenticated = |said: &Said| said.rows()[0][7].parse::<u64>().unwrap();
        assert!(authenticated(&stats(&aes, &servers[0])) >= 3);
        assert_eq!(authenticated(&stats(&wrong, &servers[3])), 0);
        assert_eq!(authenticated(&stats(&none, &servers[4])), 0);
    }
}

#[test]
fn keys_are_read_again_and_no_association_is_lost() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    for start in [THEIRS, OURS] {
        let keys = key_files();
        let laboratory = Laboratory::new();
        let [one, host] = ["one", "client"].map(|name| laboratory.host(name));
        let server = start(&one, &serving(&keys.server));
        let configuration = format!(
            "keyfile {}\nserver {} key 4 minpoll 0 maxpoll 0 iburst\n",
            keys.client.display(),
            one.ipv4
        );
        let client = start(&host, &configuration);
        wait::until("requests have been refused", MEASURES_WITHIN, || {
            let said = report(&one, &server, "serverstats");
            let received = said.rows()[0][0].parse::<u64>().unwrap();
            if received >= 3 { Ok(()) } else { Err(format!("{said:#?}")) }
        });
        assert_eq!(column(&report(&host, &client, "sources"), &one, 2, 5), "0");
        // Now it gets the right one.
        fs::copy(&keys.server, &keys.client).expect("copy keys");
        assert_eq!(report(&host, &client, "rekey").status, Some(0));
        follows(&host, &client, &[&one]);
        let samples = || column(&report(&host, &client, "sourcestats"), &one, 0, 1);
        let before: u64 = samples().parse().unwrap();
        assert!(before >= 2, "{before}");
        // The same keys once more, on both sides: nothing of what was measured is lost.
        assert_eq!(report(&one, &server, "rekey").status, Some(0));
        assert_eq!(report(&host, &client, "rekey").status, Some(0));
        let after: u64 = samples().parse().unwrap();
        assert!(after >= before, "{after} after {before}");
    }
}

#[test]
fn peers_that_share_a_key_follow_each_other() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    let keys = key_files();
    for (first, second) in [(THEIRS, THEIRS), (THEIRS, OURS), (OURS, THEIRS)] {
        let laboratory = Laboratory::new();
        let [one, two, stranger] = ["one", "two", "stranger"].map(|name| laboratory.host(name));
        let polls = "minpoll 0 maxpoll 0";
        let with_time = format!(
            "{}peer {} key 1 {polls}\npeer {} key 2 {polls}\n",
            serving(&keys.server),
            two.ipv4,
            stranger.ipv4
        );
        let without =
            format!("keyfile {}\npeer {} key 1 {polls}\n", keys.client.display(), one.ipv4);
        let wrong = format!("keyfile {}\npeer {} key 4 {polls}\n", keys.client.display(), one.ipv4);
        let _first = first(&one, &with_time);
        let second_peer = second(&two, &without);
        let stranger_peer = second(&stranger, &wrong);
        follows(&two, &second_peer, &[&one]);
        assert_eq!(column(&report(&two, &second_peer, "authdata"), &one, 0, 1), "SK");
        assert_eq!(column(&report(&stranger, &stranger_peer, "sources"), &one, 2, 5), "0");
    }
}

#[test]
fn ntpsecs_server_is_asked_with_keys_of_every_kind() {
    if !need::met(&[&LABORATORY[..], &NTPSEC].concat()) {
        return;
    }
    let keys = key_files();
    let laboratory = Laboratory::new();
    let [one, host] = ["one", "client"].map(|name| laboratory.host(name));
    let ntp_keys = format!("keys {}\ntrustedkey 1 2 3\n", keys.ntp.display());
    let _server = Ntpd::start_with(&one, &ntp_keys);
    for key in 1..=3 {
        let configuration = format!(
            "keyfile {}\nserver {} key {key} minpoll 0 maxpoll 0 iburst\n",
            keys.client.display(),
            one.ipv4
        );
        let client = OURS(&host, &configuration);
        follows(&host, &client, &[&one]);
    }
}
