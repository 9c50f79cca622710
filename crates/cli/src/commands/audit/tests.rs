use timeball_guard::audit::finding::FindingId;
use timeball_guard::audit::key_establishment::KeyReport;
use timeball_guard::audit::probe::Probe;
use timeball_guard::audit::report::{
    Finding, Grade, HostReport, LeakedAddress, ProbeReport, RateLimit, RateReport,
    RestrictionReport, Summary, SymmetricReaction, SystemReport, TimeReport,
};
use timeball_guard::audit::software::{Implementation, Software};
use timeball_guard::audit::tcp::TcpPort;

use super::text::Detail;
use super::*;
use crate::display::fixtures::plain;

/// A bad host and a good one.
fn report() -> Report {
    let bad = HostReport {
        address: [192, 0, 2, 7].into(),
        name: Some("old.example".into()),
        port: 123,
        grade: Grade::F,
        software: Software {
            implementation: Implementation::Ntpd,
            version: Some("4.2.6p5".into()),
        },
        time: Some(TimeReport {
            version: 4,
            leap: 0,
            stratum: 2,
            reference_id: "192.0.2.1".into(),
            precision: -20,
            root_delay: 0.01,
            root_dispersion: 0.02,
            reference_age: Some(60.0),
            offset: Some(0.0012),
            offset_from_references: Some(0.0007),
            delay: Some(0.02),
        }),
        time_versions: vec![3, 4],
        interleaved: Some(true),
        answers_symmetric_active: false,
        symmetric_active: SymmetricReaction::Silence,
        tcp_123: Some(TcpPort::Closed),
        tcp_4460: Some(TcpPort::Open),
        nts_ke: Some(KeyReport {
            name: "old.example".into(),
            valid_from: Some("2026-01-01T00:00:00Z".into()),
            valid_until: Some("2027-01-01T00:00:00Z".into()),
            algorithms: vec![15, 30],
            cookies: 8,
            cookie_length: 100,
            server: Some("other.example".into()),
            port: Some(1123),
            problem: None,
        }),
        rate: Some(RateReport {
            limit: RateLimit::KissesAndSilence,
            requests: 20,
            interval: 0.1,
            times: 9,
            kisses: 3,
            kiss_codes: vec!["RATE".into()],
            before_limit: 8,
        }),
        variables: [("system".to_owned(), "Linux/3.2.0".to_owned())].into(),
        uptime: Some(86_400),
        system: Some(SystemReport {
            peer: [192, 0, 2, 3].into(),
            leap: 0,
            stratum: 2,
            precision: -20,
            reference_id: "192.0.2.3".into(),
        }),
        restrictions: vec![RestrictionReport {
            address: [10, 0, 0, 0].into(),
            mask: [255, 0, 0, 0].into(),
            packets: 7,
            flags: 0x90,
        }],
        associations: None,
        peers: Vec::new(),
        clients: (1..=7)
            .map(|last| LeakedAddress {
                address: [192, 168, 0, last].into(),
                private: true,
                packets: Some(last.into()),
            })
            .collect(),
        probes: vec![ProbeReport {
            probe: Probe::MonitorList1,
            requests: 1,
            bytes_sent: 48,
            packets: 2,
            bytes_received: 880,
            amplification: 880.0 / 48.0,
            refusal: None,
            first: "d700032a".into(),
        }],
        findings: vec![finding(FindingId::Mode7Monlist)],
    };
    let good = HostReport {
        address: [192, 0, 2, 8].into(),
        name: None,
        grade: Grade::A,
        software: Software::default(),
        tcp_4460: None,
        nts_ke: None,
        rate: None,
        uptime: None,
        system: None,
        restrictions: Vec::new(),
        interleaved: None,
        variables: Default::default(),
        clients: Vec::new(),
        probes: Vec::new(),
        findings: Vec::new(),
        ..bad.clone()
    };
    let summary = Summary {
        asked: 4,
        answered: 2,
        unreachable: 1,
        silent: 1,
        worst: Some(Severity::Critical),
    };
    let references = vec![ReferenceReport {
        address: [192, 0, 2, 1].into(),
        name: Some("good.example".into()),
        offset: Some(0.0005),
        uncertainty: Some(0.0001),
        agrees: true,
    }];
    Report { schema: 1, summary, references, hosts: vec![bad, good] }
}

fn finding(id: FindingId) -> Finding {
    let description = id.description();
    Finding {
        id,
        severity: description.severity,
        title: description.title.into(),
        evidence: "monitor-list1: 48 bytes asked, 880 answered in 2 packets, × 18.3".into(),
        references: description.references.iter().map(|&text| text.into()).collect(),
        remedy: id.remedy(Implementation::Ntpd).into(),
        firewall: id.firewall_line().map(str::to_owned),
    }
}

#[test]
fn people_read_the_worst_first_with_its_remedy() {
    insta::assert_snapshot!(plain(&text::render(&report(), Detail::Findings)));
}

#[test]
fn people_who_want_everything_get_it() {
    insta::assert_snapshot!(plain(&text::render(&report(), Detail::Everything)));
}

#[test]
fn spreadsheets_get_a_line_for_each_finding_and_each_good_host() {
    insta::assert_snapshot!(csv::render(&report()).replace("\r\n", "\n"));
}

#[test]
fn code_scanners_get_rules_and_results() {
    let log = sarif::render(&report());
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), FindingId::ALL.len());
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 1);
    let index = results[0]["ruleIndex"].as_u64().unwrap() as usize;
    assert_eq!(rules[index]["id"], results[0]["ruleId"]);
    assert_eq!(
        (&results[0]["ruleId"], &results[0]["level"]),
        (&"mode7-monlist".into(), &"error".into())
    );
    let place = &results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(place, "ntp://192.0.2.7:123");
}

#[test]
fn the_guide_describes_every_key_and_every_finding() {
    let guide = include_str!("../../../../../docs/guide/port-123.md");
    let mut keys = Vec::new();
    collect_keys(&serde_json::to_value(report()).unwrap(), &mut keys);
    assert!(keys.len() > 40, "{keys:?}");
    for key in keys {
        // The variables are the server's.
        assert!(key == "system" || guide.contains(&key), "{key}");
    }
    for id in FindingId::ALL {
        assert!(guide.contains(&format!("`{}`", id.name())), "{id:?}");
    }
}

fn collect_keys(value: &serde_json::Value, keys: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(object) => {
            for (key, value) in object {
                keys.push(key.clone());
                collect_keys(value, keys);
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect_keys(item, keys)),
        _ => {}
    }
}

#[test]
fn the_exit_status_is_that_of_the_worst_finding() {
    let with = |worst, answered| {
        let summary = Summary { worst, answered, ..Summary::default() };
        outcome(&Report { summary, ..Report::default() })
    };
    assert_eq!(with(None, 1), Outcome::Yes);
    assert_eq!(with(None, 0), Outcome::No);
    assert_eq!(with(Some(Severity::Low), 1), Outcome::Status(11));
    assert_eq!(with(Some(Severity::Critical), 1), Outcome::Status(14));
}
