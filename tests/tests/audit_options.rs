//! What `timeball audit` does when it is asked to: other servers' time, bursts, the local network.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use timeball_interop::audit::Audit;
use timeball_interop::namespace::{Host, Laboratory};
use timeball_interop::need::{self, LABORATORY, Need};
use timeball_interop::peer::chrony::{Chronyd, Truth};
use timeball_interop::peer::installation::Peer;
use timeball_interop::peer::ntpsec;
use timeball_interop::process::output_of;
use timeball_interop::timeball::{self, Timeball};

const PEERS: [Need; 2] = [Need::Unpacked(Peer::Chrony), Need::Unpacked(Peer::Ntpsec)];

fn serving_timeball(host: &Host) -> Timeball {
    let mut timeball = Timeball::start(
        host,
        "[serve]\nallow = [\"0.0.0.0/0\", \"::/0\"]\n[serve.local]\nstratum = 10\n",
    );
    timeball.wait_until("answers", Duration::from_secs(60), |_| true);
    timeball
}

#[test]
fn reference_servers_say_who_is_right() {
    if !need::met(&[&LABORATORY[..], &PEERS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [auditor, one, two, judged, liar] =
        ["auditor", "one", "two", "judged", "liar"].map(|name| laboratory.host(name));
    // Seen from them, the auditor's own clock is five seconds late.
    let _right = [&one, &two, &judged].map(|host| Chronyd::start(host, Truth::Shifted(5.0)));
    let _wrong = Chronyd::start(&liar, Truth::Honest);
    let targets = [judged.ipv4.to_string(), liar.ipv4.to_string()];

    let by_clock = Audit::of(&auditor, &targets);
    assert_eq!(by_clock.findings(judged.address()), ["wrong-time"]);
    assert_eq!(by_clock.findings(liar.address()), [""; 0]);
    assert_eq!(by_clock.report["references"], serde_json::json!([]));

    let references = ["--reference".to_owned(), one.ipv4.to_string(), two.ipv4.to_string()];
    let mut arguments = [&targets[..], &references[..]].concat();
    arguments.push(liar.ipv4.to_string());
    let by_references = Audit::of(&auditor, &arguments);
    assert_eq!(by_references.findings(judged.address()), [""; 0]);
    assert_eq!(by_references.findings(liar.address()), ["wrong-time"]);
    let time = &by_references.host(judged.address())["time"];
    let seconds = |value: &serde_json::Value| value.as_f64().expect("seconds");
    assert!((seconds(&time["offset"]) - 5.0).abs() < 0.05, "{time}");
    assert!(seconds(&time["offset_from_references"]).abs() < 0.05, "{time}");
    let agree: Vec<bool> = by_references.report["references"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|reference| reference["agrees"].as_bool().expect("a judgement"))
        .collect();
    assert_eq!(agree, [true, true, false], "{}", by_references.report["references"]);

    // Two that disagree say nothing, and then nobody is judged.
    let mut command = auditor.command(&timeball::program());
    command
        .args(["audit", &targets[0], "--reference"])
        .args([&one.ipv4, &liar.ipv4].map(Ipv4Addr::to_string));
    let output = command.output().expect("run timeball");
    assert_eq!(output.status.code(), Some(3));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains("do not agree"), "{complaint}");
}

#[test]
fn limits_of_the_rate_are_what_they_are() {
    if !need::met(&[&LABORATORY[..], &PEERS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [auditor, unlimited, limited, ntpsec, ours] =
        ["auditor", "unlimited", "limited", "ntpsec", "ours"].map(|name| laboratory.host(name));
    let _unlimited = Chronyd::start(&unlimited, Truth::Honest);
    let _limited =
        Chronyd::configured(&limited, "local stratum 1\nallow\nport 123\ncmdport 0\nratelimit\n");
    let _ntpsec =
        ntpsec::Ntpd::start_with(&ntpsec, "restrict default kod limited nomodify noquery");
    let _ours = serving_timeball(&ours);
    let hosts = [&unlimited, &limited, &ntpsec, &ours];
    let mut arguments = hosts.map(|host| host.ipv4.to_string()).to_vec();
    arguments.push("--rate-test".to_owned());
    let audit = Audit::of(&auditor, &arguments);
    let rate = |host: &Host| &audit.host(host.address())["rate"];
    for host in hosts {
        // A limit that always answers is none: that is how ntpd's `kod` is while nobody overdoes it.
        let expected: &[&str] =
            if rate(host)["limit"] == "kisses" { &["rate-kisses"] } else { &[] };
        assert_eq!(audit.findings(host.address()), expected, "{}", rate(host));
        assert_eq!(rate(host)["requests"], 20);
    }
    assert_eq!(
        (&rate(&unlimited)["limit"], &rate(&unlimited)["times"]),
        (&"none".into(), &20.into())
    );
    assert_eq!(rate(&limited)["limit"], "silence");
    for host in [&limited, &ntpsec] {
        assert!(rate(host)["times"].as_u64().expect("a number") < 20, "{}", rate(host));
    }
    assert_eq!(rate(&ntpsec)["kiss_codes"], serde_json::json!(["RATE"]));
    assert_eq!((&rate(&ours)["limit"], &rate(&ours)["times"]), (&"none".into(), &20.into()));
    // Nobody is asked so often who has not been named for it.
    let audit = Audit::of(&auditor, &[unlimited.ipv4.to_string()]);
    assert!(audit.host(unlimited.address())["rate"].is_null());
}

/// Answers whatever comes to this socket; the thread ends with the test.
fn answer_everybody(socket: UdpSocket) {
    thread::spawn(move || {
        let mut packet = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut packet) {
            if length == 48 && packet[0] == 0x23 {
                (packet[0], packet[1]) = (0x24, 2);
                packet.copy_within(40..48, 24);
                packet.copy_within(40..48, 32);
                socket.send_to(&packet[..48], from).expect("answer");
            }
        }
    });
}

#[test]
fn who_answers_everybody_on_the_network_is_found() {
    if !need::met(&[&LABORATORY[..], &PEERS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [auditor, broadcast, group, group6, ours] =
        ["auditor", "broadcast", "group", "group6", "ours"].map(|name| laboratory.host(name));
    answer_everybody(broadcast.inside(|| UdpSocket::bind("0.0.0.0:123").expect("bind")));
    // What is bound to the group gets no broadcasts.
    answer_everybody(group.inside(|| {
        let socket = UdpSocket::bind("0.0.0.0:123").expect("bind");
        let ntp = Ipv4Addr::new(224, 0, 1, 1);
        socket.join_multicast_v4(&ntp, &group.ipv4).expect("join NTP's group");
        socket
    }));
    answer_everybody(group6.inside(|| {
        let only_6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 123));
        let socket = UdpSocket::bind(only_6).expect("bind");
        let ntp = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x101);
        socket.join_multicast_v6(&ntp, 0).expect("join NTP's group");
        socket
    }));
    let our_server = serving_timeball(&ours);

    let link = ["--local-link", "eth0"];
    let audit = Audit::of(&auditor, &link);
    let found: Vec<(String, Vec<String>)> = audit.report["hosts"]
        .as_array()
        .expect("a list of hosts")
        .iter()
        .map(|host| {
            let findings = host["findings"].as_array().expect("a list of findings");
            let of_link = findings
                .iter()
                .filter_map(|finding| finding["id"].as_str())
                .filter(|id| id.starts_with("answers-"));
            let address = host["address"].as_str().expect("an address").to_owned();
            (address, of_link.map(str::to_owned).collect())
        })
        .collect();
    let of = |address: String| {
        let host = found.iter().find(|(known, _)| *known == address);
        host.map(|(_, findings)| findings.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert_eq!(of(broadcast.ipv4.to_string()), Some(vec!["answers-broadcast"]));
    assert_eq!(of(group.ipv4.to_string()), Some(vec!["answers-broadcast", "answers-multicast"]));
    let over_6: Vec<&(String, Vec<String>)> =
        found.iter().filter(|(address, _)| address.contains(':')).collect();
    assert!(
        matches!(over_6[..], [(_, findings)] if *findings == ["answers-multicast"]),
        "{over_6:?}"
    );
    // What is broadcast comes to timeball's socket too, and gets no answer but a count.
    assert_eq!(of(ours.ipv4.to_string()), None);
    let refused = our_server.status().expect("the status").server.refused;
    assert_eq!(refused["sent-to-everybody"], 1, "{refused:?}");

    // Who tells the time unasked is heard if somebody listens.
    let told: Vec<u8> = [&[0x25, 2, 6, 0xec][..], &[0; 44]].concat();
    let talker = group.inside(|| UdpSocket::bind("0.0.0.0:0").expect("bind"));
    talker.set_broadcast(true).expect("broadcast");
    let over = Arc::new(AtomicBool::new(false));
    let talking = {
        let over = Arc::clone(&over);
        thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                talker.send_to(&told, "10.123.0.255:123").expect("broadcast");
                thread::sleep(Duration::from_millis(300));
            }
        })
    };
    let listening = Audit::of(&auditor, &[&link[..], &["--listen", "3"]].concat());
    over.store(true, Ordering::Relaxed);
    talking.join().expect("the talker ends");
    assert!(listening.findings(group.address()).contains(&"broadcasts-time"));
    assert!(!listening.findings(broadcast.address()).contains(&"broadcasts-time"));
    let heard = listening.probe(group.address(), "broadcast-time");
    assert_eq!(heard["requests"], 0);
    assert!(heard["packets"].as_u64().is_some_and(|packets| packets >= 2), "{heard}");

    // Who is also a target is one host.
    let target = group.ipv4.to_string();
    let audit = Audit::of(&auditor, &[&link[..], &[target.as_str()]].concat());
    let findings = audit.findings(group.address());
    assert_eq!(findings.iter().filter(|id| id.starts_with("answers-")).count(), 2, "{findings:?}");
}

/// Gives the time, and answers an offer to be a peer at once; one that mobilises goes on by itself after
/// two seconds, as ntpd does. The thread ends with the test.
fn answer_peers(socket: UdpSocket, mobilises: bool) {
    thread::spawn(move || {
        let mut packet = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut packet) {
            let Some(mode) =
                [(0x23, 0x24), (0x21, 0x22)].into_iter().find(|(m, _)| *m == packet[0])
            else {
                continue;
            };
            if length != 48 {
                continue;
            }
            (packet[0], packet[1]) = (mode.1, 2);
            packet.copy_within(40..48, 24);
            packet.copy_within(40..48, 32);
            socket.send_to(&packet[..48], from).expect("answer");
            if mobilises && mode.0 == 0x21 {
                let (socket, again) = (socket.try_clone().expect("clone a socket"), packet);
                thread::spawn(move || {
                    thread::sleep(Duration::from_secs(2));
                    // The auditor may have gone.
                    let _ = socket.send_to(&again[..48], from);
                });
            }
        }
    });
}

#[test]
fn who_takes_a_stranger_for_a_peer_is_told_from_who_only_answers() {
    if !need::met(&[&LABORATORY[..], &PEERS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [auditor, mobilises, answers, ntpsec, ours] =
        ["auditor", "mobilises", "answers", "ntpsec", "ours"].map(|name| laboratory.host(name));
    for (host, is_mobilising) in [(&mobilises, true), (&answers, false)] {
        let socket = host.inside(|| UdpSocket::bind("0.0.0.0:123").expect("bind"));
        answer_peers(socket, is_mobilising);
    }
    let _ntpsec = ntpsec::Ntpd::start_with(&ntpsec, "restrict default noquery");
    let _ours = serving_timeball(&ours);
    let hosts = [&mobilises, &answers, &ntpsec, &ours];
    let audit = Audit::of(&auditor, &hosts.map(|host| host.ipv4.to_string()));
    let reactions = hosts.map(|host| {
        let report = audit.host(host.address());
        let is_found = audit.findings(host.address()).contains(&"mobilises-strangers");
        (report["symmetric_active"].as_str().expect("a word").to_owned(), is_found)
    });
    let reactions = reactions.each_ref().map(|(word, is_found)| (word.as_str(), *is_found));
    // Neither ntpsec nor timeball says anything to who is not configured.
    let [answering, silent] = [("answers", false), ("silence", false)];
    assert_eq!(reactions, [("mobilises", true), answering, silent, silent]);
}

#[test]
fn progress_is_shown_on_a_terminal() {
    if !need::met(&[&LABORATORY[..], &[Need::Program("script")]].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [auditor, nobody] = ["auditor", "nobody"].map(|name| laboratory.host(name));
    let line = format!("{} audit {} --rate 2", timeball::program().display(), nobody.ipv4);
    // Nobody answers: it exits with 1, which says nothing here.
    let mut script = auditor.command(&need::program("script"));
    script.env("TERM", "xterm").args(["-q", "-c", &line, "/dev/null"]);
    let shown = output_of(&mut script);
    assert!(shown.contains("0/1 addresses"), "{shown:?}");
}
