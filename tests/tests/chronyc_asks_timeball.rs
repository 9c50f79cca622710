//! chrony's own `chronyc` walks all its commands: timeball in chronyd's place says what is true, and
//! answers as chronyd does. What is checked of timeball is checked of chronyd too, so that the
//! expectations are known to be right.
#![allow(clippy::panic, clippy::expect_used, clippy::unwrap_used, missing_docs)]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use timeball_interop::chronyc::{Said, ask, path, theirs};
use timeball_interop::namespace::{Host, Laboratory};
use timeball_interop::need::{self, LABORATORY, Need};
use timeball_interop::peer::chrony::{Chronyd, Truth};
use timeball_interop::peer::installation::Peer;
use timeball_interop::{probe, wait};

const CHRONY: [Need; 1] = [Need::Unpacked(Peer::Chrony)];
const MEASURES_WITHIN: Duration = Duration::from_secs(60);
/// Served time minus true time.
const SHIFT: f64 = -0.25;
/// Offsets and bounds in a laboratory are smaller.
const SMALL: f64 = 0.01;

/// Two servers, one of them wrong, and hosts for a daemon and for who asks it.
struct Scene {
    laboratory: Laboratory,
    honest: Host,
    shifted: Host,
    asker: Host,
    _servers: [Chronyd; 2],
}

impl Scene {
    fn new() -> Self {
        let laboratory = Laboratory::new();
        let [honest, shifted, asker] =
            ["honest", "shifted", "asker"].map(|name| laboratory.host(name));
        let servers = [
            Chronyd::start(&honest, Truth::Honest),
            Chronyd::start(&shifted, Truth::Shifted(SHIFT)),
        ];
        Self { laboratory, honest, shifted, asker, _servers: servers }
    }

    fn configuration(&self) -> String {
        format!(
            "server {} minpoll 0 maxpoll 1 iburst prefer\n\
             server {} minpoll 0 maxpoll 1 iburst noselect\n\
             server 10.123.0.99 offline\n\
             server ntp.example.invalid\n\
             allow 10.123.0.0/24\n\
             deny 10.123.0.7\n\
             cmdallow 10.123.0.0/24\n\
             bindcmdaddress 0.0.0.0\n\
             manual\n",
            self.honest.ipv4, self.shifted.ipv4
        )
    }

    /// Starts a daemon, and waits until it has followed the honest server for a while.
    fn follow(&self, name: &str, start: fn(&Host, &str) -> Chronyd) -> Followed {
        let host = self.laboratory.host(name);
        let chronyd = start(&host, &self.configuration());
        let followed = Followed { host, chronyd };
        wait::until("a source is selected, and all are measured", MEASURES_WITHIN, || {
            let said = followed.ask("sources");
            let rows = said.rows();
            let reach = |row: usize| rows.get(row).and_then(|row| row.get(5)).copied();
            let done = rows.first().is_some_and(|row| row.get(1) == Some(&"*"))
                && reach(0) == Some("377")
                && reach(1) == Some("377");
            if done { Ok(()) } else { Err(format!("{said:#?}\n{}", followed.chronyd.log())) }
        });
        followed
    }
}

/// A daemon in the laboratory.
struct Followed {
    host: Host,
    chronyd: Chronyd,
}

impl Followed {
    /// By its socket.
    fn ask(&self, command: &str) -> Said {
        ask(theirs(&self.host), path(&self.chronyd.command_socket()), &["-c", "-n"], command)
    }
}

fn number(cell: &str) -> f64 {
    cell.parse().unwrap_or_else(|_| panic!("{cell:?} is not a number"))
}

fn assert_small(cell: &str) {
    assert!(number(cell).abs() < SMALL, "{cell}");
}

fn assert_near(cell: &str, truth: f64) {
    assert!((number(cell) - truth).abs() < SMALL, "{cell} instead of {truth}");
}

fn hexadecimal(address: Ipv4Addr) -> String {
    format!("{:08X}", address.to_bits())
}

#[test]
fn every_report_is_true() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    let scene = Scene::new();
    // The expectations hold for chronyd itself.
    check_reports(&scene, &scene.follow("chronyd", Chronyd::configured));
    check_reports(&scene, &scene.follow("timeball", Chronyd::played_by_timeball));
}

fn check_reports(scene: &Scene, daemon: &Followed) {
    let [honest, shifted] = [&scene.honest, &scene.shifted].map(|host| host.ipv4.to_string());
    check_tracking(scene, daemon);

    let said = daemon.ask("sources -a");
    let rows = said.rows();
    assert_eq!(rows.len(), 4, "{said:#?}");
    assert_eq!(rows[0][..4], ["^", "*", honest.as_str(), "1"], "{said:#?}");
    assert!(["0", "1"].contains(&rows[0][4]), "{said:#?}");
    assert!(number(rows[0][6]) <= 3.0, "{said:#?}");
    rows[0][7..10].iter().for_each(|cell| assert_small(cell));
    // The clock is fast, by this server.
    assert_eq!(rows[1][..4], ["^", "?", shifted.as_str(), "1"], "{said:#?}");
    assert_near(rows[1][7], -SHIFT);
    let unknown = ["^", "?", "10.123.0.99", "0", "6", "0", "4294967295"];
    assert_eq!(rows[2][..7], unknown, "{said:#?}");
    assert!(rows[3][2].starts_with("ID#"), "{said:#?}");
    assert_eq!(daemon.ask("sources").rows().len(), 3);

    let said = daemon.ask("sourcestats -a");
    let rows = said.rows();
    assert_eq!(rows.len(), 4, "{said:#?}");
    assert!(number(rows[0][1]) >= 4.0 && number(rows[0][3]) >= 3.0, "{said:#?}");
    assert!(number(rows[0][4]).abs() <= number(rows[0][5]).max(1.0), "{said:#?}");
    assert_small(rows[0][6]);
    assert_small(rows[0][7]);
    assert_near(rows[1][6], -SHIFT);
    assert_eq!(rows[2][1..4], ["0", "0", "0"], "{said:#?}");

    let said = daemon.ask("selectdata");
    let rows = said.rows();
    assert_eq!(rows[0][..8], ["*", honest.as_str(), "N", "-", "P", "-", "-", "-"], "{said:#?}");
    assert!(number(rows[0][15]) < number(rows[0][16]), "{said:#?}");
    assert_small(rows[0][15]);
    assert_eq!(*rows[0].last().unwrap(), "Normal");
    assert_eq!(rows[1][..8], ["N", shifted.as_str(), "N", "N", "-", "-", "-", "-"], "{said:#?}");

    assert_eq!(daemon.ask("activity").lines, ["2,1,0,0,1"]);
    assert_eq!(daemon.ask("authdata").lines[0], format!("{honest},-,0,0,0,4294967295,0,0,0,0"));
    check_ntpdata(scene, daemon);
    check_service(scene, daemon);
    assert_eq!(daemon.ask(&format!("sourcename {honest}")).lines, [honest]);
    assert_eq!(daemon.ask("smoothing").lines, ["505 Facility not enabled in daemon"]);
    assert_eq!(daemon.ask("rtcdata").lines, ["513 RTC driver not running"]);
    assert_eq!(daemon.ask("manual list").lines, [] as [&str; 0]);
    assert_eq!(daemon.ask("waitsync 1").status, Some(0));
    check_manual_time(daemon);
}

/// The time that is entered is this machine's, cut to the second.
fn check_manual_time(daemon: &Followed) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let said = daemon.ask(&format!("settime 1970-01-01 00:00:00 UTC {now} seconds"));
    assert_eq!(said.lines[0], "200 OK", "{said:#?}");
    let fast = said.lines[1].strip_prefix("Clock was ").and_then(|rest| rest.split(' ').next());
    assert!((-0.1..2.0).contains(&number(fast.unwrap())), "{said:#?}");
    let said = daemon.ask("manual list");
    let rows = said.rows();
    assert_eq!(rows.len(), 1, "{said:#?}");
    assert!((-0.1..2.0).contains(&number(rows[0][3])), "{said:#?}");
    assert_eq!(daemon.ask("manual delete 0").lines, ["200 OK"]);
    assert_eq!(daemon.ask("manual list").lines, [] as [&str; 0]);
}

fn check_tracking(scene: &Scene, daemon: &Followed) {
    let said = daemon.ask("tracking");
    let rows = said.rows();
    let [id, name, stratum, reference_time, offsets @ .., leap] = rows[0].as_slice() else {
        panic!("{said:#?}");
    };
    assert_eq!(*id, hexadecimal(scene.honest.ipv4));
    assert_eq!(*name, scene.honest.ipv4.to_string());
    assert_eq!(*stratum, "2");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((now - number(reference_time)).abs() < 10.0, "{reference_time} at {now}");
    let [correction, last, rms, frequency, residual, skew, delay, dispersion, interval] = offsets
    else {
        panic!("{said:#?}");
    };
    [correction, last, rms, delay, dispersion].into_iter().for_each(|cell| assert_small(cell));
    assert!(number(rms) >= 0.0 && number(delay) > 0.0 && number(dispersion) > 0.0, "{said:#?}");
    // The clock that both measure is the same one, and nobody corrects it. A busy machine shows in
    // the skew.
    let off = 4.0 * number(skew);
    assert!(off > 0.0, "{said:#?}");
    assert!(number(frequency).abs().max(number(residual).abs()) < off.max(100.0), "{said:#?}");
    assert!((0.1..5.0).contains(&number(interval)), "{said:#?}");
    assert_eq!(*leap, "Normal");
}

fn check_ntpdata(scene: &Scene, daemon: &Followed) {
    let said = daemon.ask(&format!("ntpdata {}", scene.shifted.ipv4));
    let rows = said.rows();
    let row = &rows[0];
    let remote = scene.shifted.ipv4;
    assert_eq!(row[..3], [remote.to_string().as_str(), hexadecimal(remote).as_str(), "123"]);
    assert_eq!(row[5..9], ["Normal", "4", "Server", "1"], "{said:#?}");
    // Precision in log2 seconds and in seconds; root delay and dispersion.
    assert!(number(row[11]) < -10.0 && number(row[12]) > 0.0, "{said:#?}");
    assert_small(row[13]);
    assert_small(row[14]);
    // True time minus the clock, unlike in `sources`.
    assert_near(row[18], SHIFT);
    assert!(number(row[19]) > 0.0, "{said:#?}");
    row[19..22].iter().for_each(|cell| assert_small(cell));
    assert_eq!(row[23..28], ["111", "111", "1111", "No", "No"], "{said:#?}");
    assert!(["Daemon", "Kernel"].contains(&row[28]), "{said:#?}");
    assert_eq!(row[29], "Kernel", "{said:#?}");
    let totals: Vec<f64> = row[30..34].iter().map(|cell| number(cell)).collect();
    assert!(totals.is_sorted_by(|more, less| more >= less), "{said:#?}");
    assert!(totals[3] >= 4.0, "{said:#?}");
    assert_eq!(daemon.ask("ntpdata").rows().len(), 3, "all with an address");
    assert_eq!(daemon.ask("ntpdata 192.0.2.1").lines, ["503 No such source"]);
}

/// What it serves, to whom, and how that is counted.
fn check_service(scene: &Scene, daemon: &Followed) {
    let server = SocketAddr::new(daemon.host.address(), 123);
    for _ in 0..3 {
        probe::ask(&scene.asker, server).expect("a server that is allowed answers");
    }
    let address = scene.asker.ipv4.to_string();
    let said = daemon.ask("clients");
    let rows = said.rows();
    let row = rows.iter().find(|row| row[0] == address).unwrap_or_else(|| panic!("{said:#?}"));
    assert_eq!(row[1..3], ["3", "0"], "{said:#?}");
    assert!(number(row[5]) <= 5.0, "{said:#?}");
    let said = daemon.ask("serverstats");
    assert!(number(said.rows()[0][0]) >= 3.0, "{said:#?}");
    for (check, answer) in [
        (format!("accheck {address}"), "208 Access allowed"),
        ("accheck 10.123.0.7".into(), "209 Access denied"),
        ("accheck 192.0.2.1".into(), "209 Access denied"),
        (format!("cmdaccheck {address}"), "208 Access allowed"),
        ("cmdaccheck 192.0.2.1".into(), "209 Access denied"),
    ] {
        assert_eq!(daemon.ask(&check).lines, [answer], "{check}");
    }
}

#[test]
fn ntpdata_tells_from_where_is_asked() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    let scene = Scene::new();
    for daemon in [
        scene.follow("chronyd", Chronyd::configured),
        scene.follow("timeball", Chronyd::played_by_timeball),
    ] {
        let said = daemon.ask(&format!("ntpdata {}", scene.honest.ipv4));
        let local = daemon.host.ipv4;
        let expected = [local.to_string(), hexadecimal(local)];
        assert_eq!(said.rows()[0][3..5], expected, "{said:#?}");
    }
}

#[test]
fn over_the_network_it_is_as_open_as_chronyd() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    let scene = Scene::new();
    let timeball = scene.follow("timeball", Chronyd::played_by_timeball);
    let address = timeball.host.ipv4.to_string();
    let ask = |command: &str| ask(theirs(&scene.asker), &address, &["-c", "-n"], command);
    for (command, rows) in [
        ("tracking", 1),
        ("sources", 3),
        ("sourcestats -a", 4),
        ("activity", 1),
        ("manual list", 0),
    ] {
        let said = ask(command);
        assert_eq!((said.status, said.lines.len()), (Some(0), rows), "{command}: {said:#?}");
    }
    let name = ask(&format!("sourcename {}", scene.honest.ipv4));
    assert_eq!(name.lines, [scene.honest.ipv4.to_string()]);
    for command in
        ["clients", "serverstats", "authdata", "selectdata", "ntpdata", "online", "shutdown"]
    {
        let said = ask(command);
        assert_eq!(said.lines, ["501 Not authorised"], "{command}");
        assert_eq!(said.status, Some(1), "{command}");
    }
    assert!(timeball.ask("tracking").status == Some(0), "it is still there");
}

/// Commands that change something, or ask for what is not there, in an order in which they mean
/// something.
const CHANGES: [&str; 82] = [
    "sourcename 192.0.2.1",
    "add server 192.0.2.1 offline minpoll 3 maxpoll 5",
    "add server 192.0.2.1 offline",
    "add peer 192.0.2.2 offline",
    "add pool 192.0.2.3 offline",
    "sourcename 192.0.2.1",
    "minpoll 192.0.2.1 4",
    "maxpoll 192.0.2.1 6",
    "maxdelay 192.0.2.1 0.1",
    "maxdelayratio 192.0.2.1 3",
    "maxdelaydevratio 192.0.2.1 3",
    "minstratum 192.0.2.1 2",
    "polltarget 192.0.2.1 20",
    "minpoll 192.0.2.77 4",
    "maxpoll 192.0.2.77 6",
    "maxdelay 192.0.2.77 0.1",
    "maxdelayratio 192.0.2.77 3",
    "maxdelaydevratio 192.0.2.77 3",
    "minstratum 192.0.2.77 2",
    "polltarget 192.0.2.77 20",
    "delete 192.0.2.1",
    "delete 192.0.2.1",
    "delete 192.0.2.2",
    "activity",
    "offline 10.123.0.99",
    "online 10.123.0.99",
    "activity",
    "offline 10.123.0.96/28",
    "activity",
    "online 255.255.255.0/10.123.0.0",
    "online 192.0.2.0/24",
    "offline 192.0.2.77",
    "onoffline",
    "reselect",
    "reselectdist 0.001",
    "maxupdateskew 100",
    "makestep 1 3",
    "allow 192.0.2.0/24",
    "accheck 192.0.2.1",
    "accheck 192.0.3.1",
    "deny 192.0.2.128/25",
    "accheck 192.0.2.127",
    "accheck 192.0.2.128",
    "allow all 192.0.2.0/24",
    "accheck 192.0.2.128",
    "deny all",
    "accheck 192.0.2.1",
    "allow",
    "accheck 192.0.2.1",
    "accheck 2001:db8::1",
    "allow 2001:db8::/32",
    "allow 192.0.2.0/33",
    "cmdaccheck 192.0.2.1",
    "cmdallow 192.0.2.1",
    "cmdaccheck 192.0.2.1",
    "cmddeny all 192.0.2.0/24",
    "cmdaccheck 192.0.2.1",
    "cmdallow all",
    "cmdaccheck 192.0.2.1",
    "cmddeny all",
    "cmdaccheck 192.0.2.1",
    "local stratum 8",
    "local orphan",
    "local off",
    "manual off",
    "manual on",
    "manual reset",
    "manual delete 5",
    "smoothtime reset",
    "smoothtime activate",
    "refresh",
    "reload sources",
    "cyclelogs",
    "dump",
    "writertc",
    "trimrtc",
    "reset sources",
    "dfreq 0.001",
    "doffset 0.00001",
    "burst 1/2 10.123.0.99",
    "burst 1/2 192.0.2.77",
    "rekey",
];

#[test]
fn every_change_is_answered_as_by_chronyd() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    let scene = Scene::new();
    let chronyd = scene.follow("chronyd", Chronyd::configured);
    let timeball = scene.follow("timeball", Chronyd::played_by_timeball);
    let differences: Vec<String> = CHANGES
        .iter()
        .map(|command| (command, chronyd.ask(command), timeball.ask(command)))
        .filter(|(_, theirs, ours)| theirs != ours)
        .map(|(command, theirs, ours)| format!("{command}\nchronyd {theirs:?}\ntimeball {ours:?}"))
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
    assert_eq!(timeball.ask("shutdown").lines, ["200 OK"]);
}
