//! `chronyc`, beside chrony's own: the same daemon, the same questions, the same words.
#![allow(clippy::panic, clippy::expect_used, clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use serde_json::Value;
use timeball_interop::chronyc::{ask, ours, path, theirs};
use timeball_interop::namespace::{Host, Laboratory};
use timeball_interop::need::{self, LABORATORY, Need};
use timeball_interop::peer::chrony::{Chronyd, Truth};
use timeball_interop::peer::command_relay::CommandRelay;
use timeball_interop::peer::installation::Peer;
use timeball_interop::wait;

const CHRONY: [Need; 1] = [Need::Unpacked(Peer::Chrony)];
const MEASURES_WITHIN: Duration = Duration::from_secs(60);

/// A chronyd with a source of every kind, which has measured.
fn chronyd_with_many_sources(laboratory: &Laboratory) -> (Host, Chronyd, Vec<Chronyd>) {
    let [honest, shifted, follower] =
        ["honest", "shifted", "follower"].map(|name| laboratory.host(name));
    let servers = vec![
        Chronyd::start(&honest, Truth::Honest),
        Chronyd::start(&shifted, Truth::Shifted(-0.25)),
    ];
    let configuration = format!(
        "server {} minpoll 0 maxpoll 1 iburst prefer\n\
         server {} minpoll 0 maxpoll 1 iburst noselect trust\n\
         server {} minpoll 2 maxpoll 3 iburst trust require\n\
         server 10.123.0.99 offline\n\
         peer 10.123.0.98 minpoll 4 key 1\n\
         server ntp.example.invalid\n\
         refclock SHM 3 refid GPS poll 2 stratum 3\n\
         allow 10.123.0.0/24\n\
         allow 127.0.0.0/8\n\
         deny 10.123.0.7\n\
         cmdallow 10.123.0.0/24\n\
         manual\n\
         local stratum 12\n\
         smoothtime 400 0.01\n",
        honest.ipv4, shifted.ipv4, honest.ipv6,
    );
    let chronyd = Chronyd::configured(&follower, &configuration);
    let socket = chronyd.command_socket();
    wait::until("chronyd has selected a source", MEASURES_WITHIN, || {
        let sources = ask(theirs(&follower), path(&socket), &["-c"], "sources");
        let has = |start: String| sources.lines.iter().any(|row| row.starts_with(&start));
        // The shifted one is never selected, and measures all the same.
        let measured = has(format!("^,*,{},1,", honest.ipv4));
        if measured { Ok(()) } else { Err(format!("{sources:#?}")) }
    });
    (follower, chronyd, servers)
}

const REPORTS: [&str; 20] = [
    "tracking",
    "sources",
    "sources -a",
    "sourcestats",
    "sourcestats -a",
    "selectdata",
    "selectdata -a",
    "activity",
    "authdata",
    "authdata -a",
    "ntpdata",
    "ntpdata 10.123.0.1",
    "sourcename 10.123.0.1",
    "clients",
    "clients -k -p 2",
    "serverstats",
    "smoothing",
    "rtcdata",
    "manual list",
    "waitsync 1",
];

const CHANGES: [&str; 56] = [
    "accheck 10.123.0.1",
    "accheck 10.123.0.7",
    "cmdaccheck 10.123.0.1",
    "cmdaccheck 192.0.2.1",
    "ntpdata 192.0.2.1",
    "sourcename 192.0.2.1",
    "add server 10.123.0.1",
    "add server ntp.example.invalid",
    "add clock 10.123.0.1",
    "add server 192.0.2.9 fast",
    "add server 192.0.2.9 minpoll x",
    "delete 192.0.2.1",
    "delete 192.0.2.77",
    "delete",
    "minpoll 10.123.0.1 3",
    "minpoll 192.0.2.77 3",
    "maxpoll 10.123.0.1 4",
    "maxpoll 10.123.0.1",
    "maxdelay 10.123.0.1 0.1",
    "maxdelayratio 10.123.0.1 3",
    "maxdelaydevratio 10.123.0.1 3",
    "minstratum 10.123.0.1 2",
    "polltarget 10.123.0.1 20",
    "burst 1/2",
    "burst 1/2 10.123.0.1",
    "burst 1",
    "offline 10.123.0.99",
    "online 10.123.0.0/24",
    "online 192.0.2.0/24",
    "onoffline",
    "reselect",
    "reselectdist 0.001",
    "maxupdateskew 100",
    "makestep 1 3",
    "makestep 1",
    "allow 192.0.2.0/24",
    "allow all 192.168",
    "allow 192.0.2.0/33",
    "deny all 192.168.1.0/24",
    "cmdallow 192.0.2.1",
    "cmddeny all 192.0.2.0/24",
    "local off",
    "local stratum 16",
    "manual on",
    "manual delete 5",
    "manual maybe",
    "smoothtime reset",
    "refresh",
    "reload sources",
    "reset",
    "rekey",
    "cyclelogs",
    "dump",
    "writertc",
    "trimrtc",
    "nonsense",
];

#[test]
fn prints_what_chronyc_prints() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let (host, chronyd, _servers) = chronyd_with_many_sources(&laboratory);
    let relay = CommandRelay::start(&chronyd.command_socket());
    let server = relay.socket();
    let options: [&[&str]; 5] = [&[], &["-n"], &["-c"], &["-N"], &["-c", "-N"]];
    let reports = options.iter().flat_map(|options| REPORTS.map(|report| (*options, report)));
    let changes = CHANGES.map(|change| (&[] as &[&str], change));
    let mut differences = Vec::new();
    for (options, command) in reports.chain(changes) {
        let [their, our] =
            [theirs(&host), ours(&host)].map(|client| ask(client, path(&server), options, command));
        if our != their {
            differences.push(format!("{options:?} {command}\ntheirs {their:#?}\nours {our:#?}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

#[test]
fn sources_come_and_go_as_they_are_told() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let host = laboratory.host("daemon");
    let chronyd = Chronyd::configured(&host, "server 10.123.0.99 offline\n");
    let socket = chronyd.command_socket();
    let done = |command: &str| {
        let said = ask(ours(&host), path(&socket), &[], command);
        assert_eq!((said.lines, said.status), (vec!["200 OK".to_owned()], Some(0)), "{command}");
    };
    let rows = || ask(theirs(&host), path(&socket), &["-c"], "selectdata -a").lines;
    let polls = || ask(theirs(&host), path(&socket), &["-c"], "sources -a").lines;
    done("add server 192.0.2.1 offline minpoll 3 maxpoll 5 prefer noselect trust");
    done("add peer 2001:db8::1 offline minpoll 2 require");
    // The first column changes when sources are selected anew.
    assert!(rows()[1].contains(",192.0.2.1,N,N,P,T,-,-,"), "{:#?}", rows());
    assert!(rows()[2].contains(",2001:db8::1,N,-,-,-,R,-,"), "{:#?}", rows());
    assert!(polls()[1].starts_with("^,?,192.0.2.1,0,3,0,"), "{:#?}", polls());
    assert!(polls()[2].starts_with("=,?,2001:db8::1,0,2,0,"), "{:#?}", polls());
    done("minpoll 192.0.2.1 4");
    done("delete 192.0.2.1");
    done("delete 10.123.0.99");
    assert_eq!(rows().len(), 1, "{:#?}", rows());
    let activity = || ask(ours(&host), path(&socket), &["-c"], "activity").lines;
    assert_eq!(activity(), ["0,1,0,0,0"]);
    done("online 2001:db8::/32");
    assert_eq!(activity(), ["1,0,0,0,0"]);
    // What this daemon has no number for is asked in its older form.
    done("local stratum 7");
    let tracking = ask(ours(&host), path(&socket), &["-c"], "tracking").lines;
    assert!(tracking[0].starts_with("7F7F0101,,7,"), "{tracking:?}");
    done("shutdown");
}

#[test]
fn over_the_network_only_what_is_open() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [server, client] = ["server", "client"].map(|name| laboratory.host(name));
    let _chronyd = Chronyd::configured(
        &server,
        "server 10.123.0.99 offline\ncmdallow 10.123.0.0/24\nbindcmdaddress 0.0.0.0\nlocal\n",
    );
    let address = server.ipv4.to_string();
    for command in
        ["activity", "sourcestats", "authdata", "clients", "serverstats", "online", "shutdown"]
    {
        let [their, our] =
            [theirs(&client), ours(&client)].map(|who| ask(who, &address, &["-n"], command));
        assert_eq!(our, their, "{command}");
    }
    let refused = ask(ours(&client), &address, &["-n"], "online");
    assert_eq!((refused.lines, refused.status), (vec!["501 Not authorised".into()], Some(1)));
    // Nobody listens on the client itself, neither here nor there.
    let nowhere = format!("/nowhere.sock,{}", client.ipv4);
    let [their, our] =
        [theirs(&client), ours(&client)].map(|who| ask(who, &nowhere, &["-n"], "tracking"));
    assert_eq!(our, their);
    assert_eq!(our.lines, ["506 Cannot talk to daemon"]);
}

#[test]
fn json_says_what_the_columns_say() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let (host, chronyd, _servers) = chronyd_with_many_sources(&laboratory);
    let relay = CommandRelay::start(&chronyd.command_socket());
    let server = relay.socket();
    let json = |command| -> Value {
        let said = ask(ours(&host), path(&server), &["--json"], command);
        assert_eq!(said.status, Some(0), "{command}: {said:#?}");
        serde_json::from_str(&said.lines.join("\n")).expect("it is JSON")
    };
    let columns = |command| -> Vec<Vec<String>> {
        let rows = ask(theirs(&host), path(&server), &["-c"], command).lines;
        rows.iter().map(|row| row.split(',').map(str::to_owned).collect()).collect()
    };
    let close = |json: &Value, column: &str| {
        let (json, column) = (json.as_f64().expect("a number"), column.parse::<f64>().unwrap());
        assert!((json - column).abs() <= 1e-9, "{json} and {column}");
    };

    let (tracking, row) = (json("tracking"), &columns("tracking")[0]);
    assert_eq!(tracking["reference_id"], row[0].as_str());
    assert_eq!(tracking["reference_address"], "10.123.0.1");
    close(&tracking["system_clock_slow_seconds"], &row[4]);
    close(&tracking["root_delay_seconds"], &row[10]);

    let (sources, rows) = (json("sources -a"), columns("sources -a"));
    assert_eq!(sources.as_array().map(Vec::len), Some(rows.len()));
    for (source, row) in sources.as_array().unwrap().iter().zip(&rows) {
        assert_eq!(source["name"], row[2].as_str());
        assert_eq!(source["poll_log2_seconds"], row[4].parse::<i64>().unwrap());
        assert_eq!(source["reachability_octal"], row[5].as_str());
        close(&source["adjusted_offset_seconds"], &row[7]);
    }
    assert_eq!(sources[0]["mode"], "reference-clock");
    assert!(sources[0]["last_sample_seconds_ago"].is_null());
    // On a busy machine chronyd may have changed its mind since it selected this one.
    let state = match rows[1][1].as_str() {
        "*" => "selected",
        "+" => "combined",
        "-" => "not-combined",
        "?" => "unselectable",
        "~" => "jittery",
        "x" => "falseticker",
        other => panic!("{other} is no state"),
    };
    assert_eq!(sources[1]["state"], state);

    for report in REPORTS.iter().filter(|report| !["rtcdata"].contains(report)) {
        let value = json(report);
        assert!(value.is_object() || value.is_array(), "{report}: {value}");
    }
    let refused = ask(ours(&host), path(&server), &["--json"], "rtcdata");
    assert_eq!(refused.status, Some(1));
    let refused: Value = serde_json::from_str(&refused.lines.join("\n")).unwrap();
    assert_eq!(refused["status"], 513);
}
