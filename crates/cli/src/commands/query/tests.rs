use timeball_core::association;
use timeball_core::engine::StampQuality;
use timeball_core::measurement::Measurement;
use timeball_host::socket::Unreachable;
use timeball_wire::{Header, LeapIndicator, Mode, NtpShort, NtpTimestamp, Oscillator, ReferenceId};

use super::probe::Sample;
use super::*;
use crate::display::fixtures::plain;

/// An answer `offset` nanoseconds ahead after a round trip of `delay` nanoseconds.
fn sample(offset: i64, delay: i64) -> Sample {
    let header = Header {
        leap: LeapIndicator::Insert,
        version: 4,
        mode: Mode::Server,
        stratum: 1,
        poll: 6,
        precision: -23,
        root_delay: NtpShort::from_seconds_ceil(0.0),
        root_dispersion: NtpShort::from_seconds_ceil(0.001),
        reference_id: ReferenceId::from_bytes(*b"GPS\0"),
        reference_timestamp: NtpTimestamp::ZERO,
        origin_timestamp: NtpTimestamp::ZERO,
        receive_timestamp: NtpTimestamp::ZERO,
        transmit_timestamp: NtpTimestamp::ZERO,
    };
    let measurement = Measurement {
        at: Oscillator::from_nanos(0),
        outbound: Span::from_nanos(offset + delay / 2),
        inbound: Span::from_nanos(delay / 2 - offset),
        dispersion: 1e-6,
        reading: 0.0,
        root_delay: 0.0,
        root_dispersion: 0.001,
    };
    let (transmit, receive) = (StampQuality::Kernel, StampQuality::Kernel);
    let stamping = association::Stamping { transmit, receive, precision: 1e-7 };
    Sample { header, measurement, stamping }
}

fn report(host: &str, address: [u8; 4], samples: &[Sample], error: Option<NoAnswer>) -> HostReport {
    HostReport {
        address: Some(address.into()),
        sent: 4,
        summary: Summary::of(samples),
        error: error.map(|reason| reason.to_string()),
        ..HostReport::of(&host.parse().unwrap())
    }
}

#[test]
fn the_answer_with_the_smallest_root_distance_speaks_for_all() {
    let samples = [sample(5_000_000, 40_000_000), sample(1_000_000, 20_000_000)];
    let summary = Summary::of(&samples).unwrap();
    assert_eq!(summary.offset, 1e-3);
    assert_eq!(summary.delay, 20e-3);
    assert!((summary.offset_bound - 11.001e-3).abs() < 1e-12, "{}", summary.offset_bound);
    assert_eq!(summary.root_distance, summary.offset_bound);
    assert_eq!(summary.jitter, Some(4e-3));
    assert_eq!(summary.samples, 2);
    assert_eq!(summary.reference, "GPS");
}

#[test]
fn one_answer_has_no_jitter_and_equal_ones_that_of_the_clock() {
    assert_eq!(Summary::of(&[]), None);
    assert_eq!(Summary::of(&[sample(0, 1000)]).unwrap().jitter, None);
    assert_eq!(Summary::of(&[sample(0, 1000); 3]).unwrap().jitter, Some(1e-7));
}

#[test]
fn hosts_stand_in_one_table_and_complaints_below_it() {
    let silence = NoAnswer::Silence { timeout: Span::from_millis(1500), ignored: None };
    let reports = [
        report("ntp.example", [192, 0, 2, 1], &[sample(-212_000_000, 1_520_000); 4], None),
        report("192.0.2.2:1123", [192, 0, 2, 2], &[sample(12_300, 400_000)], Some(silence.clone())),
        report("silent.example", [192, 0, 2, 3], &[], Some(silence)),
    ];
    insta::assert_snapshot!(plain(&table(&reports).render("")));
    let complaints: Vec<String> = reports.iter().filter_map(complaint).collect();
    insta::assert_snapshot!(plain(&complaints.join("\n")));
}

#[test]
fn every_host_is_in_the_json_whether_it_answered_or_not() {
    let reports = [
        report("ntp.example", [192, 0, 2, 1], &[sample(1_000_000, 1_500_000)], None),
        report("a.example", [192, 0, 2, 2], &[], Some(NoAnswer::Unreachable(Unreachable::Host))),
    ];
    let json = serde_json::to_value(&reports).unwrap();
    assert_eq!(json[0]["host"], "ntp.example");
    assert_eq!(json[0]["offset"], 1e-3);
    assert_eq!(json[0]["leap"], "insert");
    assert_eq!(json[0]["error"], serde_json::Value::Null);
    assert_eq!(json[0]["authentication"], "none");
    assert_eq!(json[1]["error"], "host unreachable");
    assert_eq!(json[1].get("offset"), None);
}

#[test]
fn reasons_are_sentences() {
    use timeball_core::association::Reject;
    use timeball_wire::KissCode;
    let ignored = Some(Reject::WrongOrigin);
    for (reason, sentence) in [
        (
            NoAnswer::Silence { timeout: Span::from_secs(2), ignored },
            "no answer within 2 s (something else came: wrong-origin)",
        ),
        (NoAnswer::Kiss(KissCode::Rate), "the server asks for fewer requests (RATE)"),
        (NoAnswer::Kiss(KissCode::Deny), "the server refuses to answer (DENY)"),
        (NoAnswer::Rejected(Reject::Unsynchronised), "the server says that it is not synchronised"),
        (NoAnswer::Rejected(Reject::MaxDelay), "the answer cannot be believed: max-delay"),
    ] {
        assert_eq!(reason.to_string(), sentence);
    }
}

#[test]
fn a_family_that_is_silent_gives_way_to_the_other() {
    use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
    use timeball_daemon::demo::DemoServers;
    let servers = DemoServers::start(&[Span::ZERO]).unwrap();
    let port = servers.addresses()[0].port();
    let _silent = match UdpSocket::bind((Ipv6Addr::LOCALHOST, port)) {
        Ok(socket) => socket,
        Err(error) => return println!("SKIPPED: this machine has no IPv6 on loopback: {error}"),
    };
    let mut prober = Prober::new(Span::from_secs(1), 4).unwrap();
    let addresses = [Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
    let target = Target { host: "two.example".into(), port };
    let mut report = HostReport::of(&target);
    ask_addresses(&addresses, &mut report, |server, report| {
        super::sample(&mut prober, server, 1, &ProgressBar::hidden(), report)
    });
    assert_eq!(report.address, Some(Ipv4Addr::LOCALHOST.into()), "{report:?}");
    assert!(report.answered(), "{report:?}");
    assert_eq!((report.sent, report.error), (2, None));
}
