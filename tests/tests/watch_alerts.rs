//! `timeball watch` in network namespaces: what really happens to ports gives just the alerts that it
//! should, on every way.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;

use timeball_interop::namespace::{Host, Laboratory};
use timeball_interop::need::{self, LABORATORY, Need};
use timeball_interop::peer::chrony::{Chronyd, Truth};
use timeball_interop::peer::installation::{Peer, workspace};
use timeball_interop::process::run_within;
use timeball_interop::timeball;
use timeball_interop::watch::{Essence, Filter, LIMIT, Watch};

const NEEDS: [Need; 2] = [Need::Unpacked(Peer::Chrony), Need::Program("nft")];
#[test]
fn what_happens_to_ports_gives_just_the_alerts_that_it_should() {
    if !need::met(&[&LABORATORY[..], &NEEDS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [watcher, server] = ["watcher", "server"].map(|name| laboratory.host(name));
    let mut watch = Watch::new(
        &watcher,
        &format!(
            "[[endpoint]]\naddress = \"{0}\"\nexpect = \"time\"\nwithin = \"500 ms\"\n\
             [[endpoint]]\naddress = \"{0}\"\nport = 4460\ntransport = \"tcp\"\n\
             expect = \"closed\"\n\
             [[local]]\nport = 123\n",
            server.ipv4
        ),
    );
    let time = format!("udp:{}:123", server.ipv4);
    let keys = format!("tcp:{}:4460", server.ipv4);
    let here = "udp:123 of this host".to_owned();
    let mut expected: Vec<Essence> = Vec::new();
    let mut now = |event: &str, endpoint: &str, condition: &str, was: &str| {
        expected.push((event.into(), endpoint.into(), condition.into(), was.into()));
        expected.clone()
    };

    let honest = Chronyd::start(&server, Truth::Honest);
    watch.start();
    watch.wait_until_good(3);

    // Closed.
    drop(honest);
    let so_far = now("violated", &time, "closed", "right-time");
    watch.expect(&so_far);
    // Filtered.
    let filter = Filter::new(&server, "udp dport 123", "drop");
    let so_far = now("changed", &time, "open-or-filtered", "closed");
    watch.expect(&so_far);
    watch.expect_by_webhook(&so_far);
    // Wrong time; and the receiver is out of order.
    watch.receiver.refuse_all(true);
    let liar = Chronyd::start(&server, Truth::Shifted(2.0));
    drop(filter);
    let so_far = now("changed", &time, "wrong-time", "open-or-filtered");
    watch.expect(&so_far);

    // A restart tells nothing anew, but what nobody has taken yet is posted again.
    watch.stop();
    assert_eq!(watch.receiver.taken().len(), so_far.len() - 1);
    watch.receiver.refuse_all(false);
    watch.start();
    watch.expect_by_webhook(&so_far);
    watch.compare(&so_far);
    // What happens between two runs is noticed by the second.
    watch.stop();
    drop(liar);
    let honest = Chronyd::start(&server, Truth::Honest);
    watch.start();
    let so_far = now("recovered", &time, "right-time", "wrong-time");
    watch.expect(&so_far);
    watch.expect_by_webhook(&so_far);

    // A port opens that must stay closed, is filtered, and closed again.
    let open = server.tcp(server.address(), 4460);
    let so_far = now("violated", &keys, "open", "closed");
    watch.expect(&so_far);
    let filter = Filter::new(&server, "tcp dport 4460", "drop");
    let so_far = now("changed", &keys, "filtered", "open");
    watch.expect(&so_far);
    drop(open);
    drop(filter);
    let so_far = now("recovered", &keys, "closed", "filtered");
    watch.expect(&so_far);

    // Somebody listens on the watcher's own host.
    let local = Chronyd::start(&watcher, Truth::Honest);
    let so_far = now("violated", &here, "listens: chronyd", "nobody-listens");
    watch.expect(&so_far);
    let alert = watch.printed().pop().expect("an alert");
    let listeners = alert["listeners"].as_array().expect("a list of listeners");
    assert!(!listeners.is_empty());
    for listener in listeners {
        assert_eq!(listener["process"], "chronyd", "{alert:#}");
        assert!(listener["pid"].as_u64().is_some_and(|pid| pid > 1), "{alert:#}");
        assert!(listener["first_seen"].is_string(), "{alert:#}");
    }
    drop(local);
    let so_far = now("recovered", &here, "nobody-listens", "listens: chronyd");
    watch.expect(&so_far);
    watch.expect_by_webhook(&so_far);
    watch.wait_until_good(3);
    watch.stop();
    watch.compare(&so_far);
    drop(honest);
}

/// What Prometheus would get.
fn metrics_over_http(host: &Host, port: u16) -> String {
    let mut stream =
        host.inside(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connect"));
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: watcher\r\n\r\n").expect("ask");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read an answer");
    let (head, page) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    page.to_owned()
}

#[test]
fn a_reload_reads_the_file_again_and_metrics_are_there_over_http() {
    if !need::met(&[&LABORATORY[..], &NEEDS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [watcher, server] = ["watcher", "server"].map(|name| laboratory.host(name));
    let closed = |transport: &str, port: u16| {
        format!(
            "[[endpoint]]\naddress = \"{}\"\ntransport = \"{transport}\"\nport = {port}\n\
             expect = \"closed\"\n",
            server.ipv4
        )
    };
    let mut watch = Watch::new(&watcher, &closed("tcp", 123));
    let path = watch.path("watch.toml");
    let file = fs::read_to_string(&path).expect("read a file");
    let file = file.replacen("[watch]", "[watch]\nmetrics-listen = \"127.0.0.1:9124\"", 1);
    fs::write(&path, file).expect("write a file");
    watch.start();
    watch.wait_until_good(1);
    let of = |port: u16| format!("tcp:{}:{port}", server.ipv4);
    let good = |endpoint: &str| {
        format!("timeball_watch_as_expected{{endpoint=\"{endpoint}\",condition=\"closed\"}} 1\n")
    };
    let page = metrics_over_http(&watcher, 9124);
    assert!(page.contains(&good(&of(123))), "{page}");
    let looks = |page: &str| -> f64 {
        let line = format!("timeball_watch_looks_total{{endpoint=\"{}\"}} ", of(123));
        let looks = page.lines().find_map(|text| text.strip_prefix(&line));
        looks.and_then(|looks| looks.parse().ok()).expect("a number of looks")
    };
    let looks_before = looks(&page);

    watch.rewrite(&format!("{}{}", closed("tcp", 123), closed("tcp", 4460)));
    watch.wait_until_said("the file has been read again");
    watch.wait_until_good(2);
    let page = metrics_over_http(&watcher, 9124);
    assert!(page.contains(&good(&of(123))) && page.contains(&good(&of(4460))), "{page}");
    assert!(looks(&page) >= looks_before, "what was counted is kept\n{page}");

    // A mistake changes nothing: what is watched goes on to be watched.
    watch.rewrite("[[endpoint]]\naddress = \"h\"\nexpect = \"shut\"\n");
    watch.wait_until_said("unknown variant `shut`");
    watch.wait_until_said("going on as before");
    let open = server.tcp(server.address(), 4460);
    let mut expected = vec![("violated".into(), of(4460), "open".into(), "closed".into())];
    watch.expect(&expected);
    // What is expected may change, and then it is as expected without anything having happened.
    watch.rewrite(&closed("tcp", 4460).replace("\"closed\"", "\"open\""));
    expected.push(("recovered".into(), of(4460), "open".into(), "open".into()));
    watch.expect(&expected);
    watch.expect_by_webhook(&expected);
    watch.stop();
    drop(open);
}

#[test]
fn the_unit_is_one_that_systemd_takes_and_exposes_little() {
    let analyze = Need::Program("systemd-analyze");
    if !need::met(&[analyze]) {
        return;
    }
    let folder = tempfile::tempdir().expect("create a folder");
    let unit = fs::read_to_string(workspace().join("packaging/timeball-watch.service"));
    let program = timeball::program().display().to_string();
    let unit = unit.expect("read the unit").replace("/usr/bin/timeball", &program);
    let path = folder.path().join("timeball-watch.service");
    fs::write(&path, unit).expect("write a unit");
    let analyze = need::program("systemd-analyze");
    let verified = run_within(LIMIT, Command::new(&analyze).arg("verify").arg(&path));
    let complaints = String::from_utf8_lossy(&verified.stderr).into_owned();
    let ours: Vec<&str> =
        complaints.lines().filter(|line| line.contains("timeball-watch.service")).collect();
    assert!(verified.status.success() && ours.is_empty(), "{complaints}");
    // From 0 (nothing is exposed) to 10; in tenths.
    let strict = ["security", "--offline=true", "--threshold=20"];
    let judged = run_within(LIMIT, Command::new(&analyze).args(strict).arg(&path));
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));
}
