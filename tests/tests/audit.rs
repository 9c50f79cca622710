//! `timeball audit` against real servers: what it finds is what was written down beforehand.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use timeball_interop::audit::Audit;
use timeball_interop::namespace::Laboratory;
use timeball_interop::need::{self, LABORATORY, Need};
use timeball_interop::peer::chrony::{Chronyd, Truth};
use timeball_interop::peer::installation::Peer;
use timeball_interop::peer::monlist::{self, MonlistServer};
use timeball_interop::peer::{ntpsec, openntpd};
use timeball_interop::process::output_of;
use timeball_interop::timeball::Timeball;

const PEERS: [Need; 3] =
    [Need::Unpacked(Peer::Chrony), Need::Unpacked(Peer::Ntpsec), Need::Unpacked(Peer::Openntpd)];
const NMAP: Need = Need::Program("nmap");
/// What takes mode 6 from nobody.
const OPEN: &str = "restrict default\nunrestrict default noquery limited nomodify";
const RESTRICTED: &str = "restrict default kod limited nomodify noquery";

#[test]
fn real_servers_have_the_findings_that_they_should() {
    if !need::met(&[&LABORATORY[..], &PEERS].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [auditor, open, restricted, closed, commanded, unsynchronised, ours, old, nobody] = [
        "auditor", "open", "restrict", "chrony", "cmdallow", "openntpd", "ours", "monlist",
        "nobody",
    ]
    .map(|name| laboratory.host(name));
    let with_peer = format!("{OPEN}\nserver {} iburst", closed.ipv4);
    let _open = ntpsec::Ntpd::start_with(&open, &with_peer);
    let _restricted = ntpsec::Ntpd::start_with(&restricted, RESTRICTED);
    let _closed = Chronyd::start(&closed, Truth::Honest);
    let _commanded = Chronyd::configured(
        &commanded,
        &format!(
            "local stratum 1\nallow\nport 123\ncmdallow all\nbindcmdaddress {}",
            commanded.ipv4
        ),
    );
    let _unsynchronised = openntpd::Ntpd::start(&unsynchronised, &nobody);
    let mut timeball = Timeball::start(
        &ours,
        "[serve]\nallow = [\"0.0.0.0/0\", \"::/0\"]\n[serve.local]\nstratum = 10\n",
    );
    timeball.wait_until("answers", Duration::from_secs(60), |_| true);
    let _old = MonlistServer::start(&old);

    let all = [&open, &restricted, &closed, &commanded, &unsynchronised, &ours, &old, &nobody];
    let audit = Audit::of(&auditor, &all.map(|host| host.ipv4.to_string()));

    assert_eq!(
        audit.findings(open.address()),
        ["amplifier", "mode6-associations", "mode6-clients", "mode6-variables"],
        "{:#}",
        audit.host(open.address())
    );
    assert_eq!(audit.findings(restricted.address()), [""; 0]);
    assert_eq!(audit.findings(closed.address()), [""; 0]);
    assert_eq!(audit.findings(commanded.address()), ["chrony-command-port"]);
    assert_eq!(audit.findings(unsynchronised.address()), ["unsynchronised"]);
    assert_eq!(audit.findings(ours.address()), [""; 0]);
    assert_eq!(audit.findings(old.address()), ["amplifier", "mode7-monlist"]);
    for (host, grade) in
        [(&open, "D"), (&restricted, "A"), (&commanded, "C"), (&ours, "A"), (&old, "F")]
    {
        assert_eq!(audit.host(host.address())["grade"], grade);
    }
    assert_eq!(audit.report["summary"]["unreachable"], 1, "nobody listens there");
    assert_eq!(audit.report["summary"]["worst"], "critical");
    assert_eq!(audit.status, Some(14));

    let variables = &audit.host(open.address())["variables"];
    assert_eq!(audit.host(open.address())["software"]["implementation"], "ntpsec");
    assert!(variables["version"].as_str().is_some_and(|text| text.starts_with("ntpd ntpsec-")));
    // It was asked for its variables twelve bytes at a time, and by nobody but us.
    let asked = audit.probe(open.address(), "read-variables");
    assert_eq!(asked["bytes_sent"], 12);
    assert!(asked["amplification"].as_f64().is_some_and(|factor| factor > 20.0), "{asked}");
    // What ntpq would tell anybody: whom it asks, and since when it has been running.
    let peers = audit.host(open.address())["peers"].as_array().expect("a list of peers");
    let is_told = peers.iter().any(|peer| peer["address"] == closed.ipv4.to_string());
    assert!(is_told, "{peers:#?}");
    let uptime = &audit.host(open.address())["uptime"];
    assert!(uptime.as_u64().is_some_and(|seconds| seconds < 86_400), "{uptime}");
    assert_eq!(audit.host(restricted.address())["uptime"], serde_json::Value::Null);
    let clients = audit.host(open.address())["clients"].as_array().expect("a list of clients");
    let found = clients.iter().any(|client| client["address"] == auditor.ipv4.to_string());
    assert!(found, "it has seen the auditor: {clients:#?}");

    for (host, interleaved) in [(&closed, true), (&ours, true), (&open, false)] {
        assert_eq!(audit.host(host.address())["interleaved"], interleaved);
    }

    let monlist = audit.probe(old.address(), "monitor-list1");
    assert_eq!(monlist["packets"], 100);
    assert_eq!(monlist["bytes_received"], 100 * monlist::PACKET_LEN);
    let expected = 100.0 * monlist::PACKET_LEN as f64 / 48.0;
    assert!((monlist["amplification"].as_f64().expect("a factor") - expected).abs() < 1e-9);
    let leaked: BTreeMap<String, bool> = audit.host(old.address())["clients"]
        .as_array()
        .expect("a list of clients")
        .iter()
        .map(|client| {
            let address = client["address"].as_str().expect("an address").to_owned();
            (address, client["private"].as_bool().expect("a judgement"))
        })
        .collect();
    assert_eq!(leaked.len(), monlist::CLIENTS);
    for number in 0..monlist::CLIENTS {
        let address = monlist::client_address(number);
        assert_eq!(leaked.get(&address.to_string()), Some(&address.is_private()), "{address}");
    }

    // Over IPv6, and of one good server alone.
    let audit = Audit::of(&auditor, &[ours.ipv6.to_string()]);
    assert_eq!(audit.findings(ours.ipv6.into()), [""; 0]);
    assert_eq!(audit.host(ours.ipv6.into())["time_versions"], serde_json::json!([1, 2, 3, 4]));
    assert_eq!(audit.status, Some(0));
}

/// What does not change between two requests.
const CONSTANT: [&str; 8] =
    ["version", "processor", "system", "leap", "stratum", "precision", "refid", "mintc"];

/// The lines of one of nmap's scripts in its report of a host.
fn lines_of<'t>(nmap: &'t str, address: &str, script: &str) -> Vec<&'t str> {
    let reports = nmap.split("Nmap scan report for ").skip(1);
    let report =
        reports.into_iter().find(|report| report.split_whitespace().next() == Some(address));
    let mut lines = report.unwrap_or_else(|| panic!("no {address} in\n{nmap}")).lines();
    let Some(first) = lines.find(|line| line.contains(script)) else { return Vec::new() };
    let mut found = vec![first];
    if !first.starts_with("|_") {
        let is_one_more = |line: &&str| line.starts_with('|');
        let more: Vec<&str> = lines.take_while(is_one_more).collect();
        // The next script begins with one space.
        let is_of_script = |line: &&&str| line.starts_with("|  ") || line.starts_with("|_  ");
        found.extend(more.iter().take_while(is_of_script));
    }
    found
}

#[test]
fn everything_that_nmap_prints_audit_prints_too() {
    if !need::met(&[&LABORATORY[..], &PEERS, &[NMAP]].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [auditor, open, closed, ours, old] =
        ["auditor", "open", "chrony", "ours", "monlist"].map(|name| laboratory.host(name));
    let _open = ntpsec::Ntpd::start_with(&open, OPEN);
    let _closed = Chronyd::start(&closed, Truth::Honest);
    let _old = MonlistServer::start(&old);
    let mut timeball =
        Timeball::start(&ours, "[serve]\nallow = [\"0.0.0.0/0\"]\n[serve.local]\nstratum = 10\n");
    timeball.wait_until("answers", Duration::from_secs(60), |_| true);
    let hosts = [&open, &closed, &ours, &old].map(|host| host.ipv4.to_string());
    let mut nmap = auditor.command(&need::program("nmap"));
    nmap.args(["-n", "-Pn", "-sU", "-p123", "-vv", "--script", "ntp-info,ntp-monlist"])
        .args(&hosts);
    let nmap = output_of(&mut nmap);
    let audit = Audit::of(&auditor, &hosts);

    let mut names = BTreeMap::new();
    for host in &hosts {
        let report = audit.host(host.parse().expect("an address"));
        // "|   version: ntpd ntpsec-1.2.2\x0D", below the name of the script
        for line in lines_of(&nmap, host, "ntp-info:").into_iter().skip(1) {
            let Some((name, value)) = line.trim_start_matches(['|', '_', ' ']).split_once(": ")
            else {
                continue;
            };
            if name == "receive time stamp" {
                assert!(report["time"]["offset"].is_number(), "{host} gives the time\n{nmap}");
            } else {
                let known = &report["variables"][name];
                assert!(known.is_string(), "{host} tells {name}\n{nmap}\n{report:#}");
                let value = value.trim_end_matches("\\x0D").trim();
                assert!(!CONSTANT.contains(&name) || known == value, "{name}: {known}\n{nmap}");
            }
            names.entry(host).or_insert_with(Vec::new).push(name);
        }
    }
    // Who is closed tells nmap no more than the time, and the other one more than that.
    for quiet in [&hosts[1], &hosts[2]] {
        assert_eq!(names.get(quiet), Some(&vec!["receive time stamp"]), "{nmap}");
    }
    assert!(names[&hosts[0]].len() >= 10, "{names:?}\n{nmap}");

    let clients = audit.host(old.address())["clients"].as_array().expect("a list of clients");
    let listed: Vec<IpAddr> = lines_of(&nmap, &hosts[3], "ntp-monlist:")
        .into_iter()
        .flat_map(str::split_whitespace)
        .filter_map(|word| word.parse().ok())
        .collect();
    assert!(listed.len() >= 100, "{} in\n{nmap}", listed.len());
    for address in listed {
        let is_told = clients.iter().any(|client| client["address"] == address.to_string());
        assert!(is_told, "{address} in {clients:#?}");
    }
}
