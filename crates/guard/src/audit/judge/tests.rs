use std::time::Duration;

use timeball_wire::{Header, LeapIndicator, NtpTimestamp, Span, Timestamp};

use super::super::key_establishment::{CertificateFault, KeyReport, Seen};
use super::super::probe::Known;
use super::super::reference::ReferenceTime;
use super::super::report::{LeakedAddress, RateLimit};
use super::super::target::Target;
use super::time::{artefact, is_leap_season};
use super::*;

/// 2023-11-14, neither June nor December.
const NOW: Timestamp = Timestamp::from_nanos(1_700_000_000_000_000_000);

fn ntp(seconds: f64) -> NtpTimestamp {
    (NOW + Span::from_seconds(seconds)).into()
}

/// A good answer of stratum 2, 10 ms there and 10 ms back.
fn good() -> Header {
    let mut header = Header::from_bytes(&[0; 48]);
    header.version = 4;
    header.mode = Mode::Server;
    header.stratum = 2;
    header.precision = -23;
    header.reference_id = timeball_wire::ReferenceId::from_bytes([192, 0, 2, 1]);
    header.reference_timestamp = ntp(-60.0);
    header.receive_timestamp = ntp(0.010);
    header.transmit_timestamp = ntp(0.010);
    header
}

fn host(header: Header) -> Outcome {
    host_at("198.51.100.7", vec![time(header)])
}

fn time(header: Header) -> Answer {
    let mut answer = Answer::new(Probe::TimeV4);
    answer.sent(&[0; 48]);
    answer.take(&header.to_bytes(), &[], NOW, NOW + Span::from(Duration::from_millis(20)));
    answer
}

fn host_at(address: &str, answers: Vec<Answer>) -> Outcome {
    let target = Target { address: address.parse().unwrap(), name: None };
    Outcome { target, answers, unreachable: None }
}

fn judged(outcome: &Outcome) -> HostReport {
    judge(outcome, 123, &Limits::default()).unwrap()
}

fn findings(outcome: &Outcome) -> Vec<(FindingId, Severity)> {
    judged(outcome).findings.iter().map(|finding| (finding.id, finding.severity)).collect()
}

fn answer(probe: Probe, datagrams: &[&[u8]]) -> Answer {
    let mut answer = Answer::new(probe);
    answer.sent(&probe.request(0, &Known { nonce: "00".into(), ..Known::default() }));
    for datagram in datagrams {
        answer.take(datagram, &[], NOW, NOW);
    }
    answer
}

#[test]
fn a_good_server_has_no_finding() {
    let report = judged(&host(good()));
    assert_eq!(report.findings, []);
    assert_eq!((report.grade, report.time_versions), (Grade::A, vec![4]));
    let time = report.time.unwrap();
    assert!(time.offset.unwrap().abs() < 1e-9);
    assert!((time.delay.unwrap() - 0.020).abs() < 1e-9);
    assert!((time.reference_age.unwrap() - 60.010).abs() < 1e-6);
    assert_eq!(time.reference_id, "192.0.2.1");
    assert_eq!(judge(&host_at("192.0.2.1", Vec::new()), 123, &Limits::default()), None);
}

#[test]
fn faults_of_the_time_are_found_one_by_one() {
    use FindingId::*;
    use Severity::*;
    type Fault = (fn(&mut Header), FindingId, Severity);
    let faults: [Fault; 11] = [
        (|h| h.leap = LeapIndicator::Unsynchronised, Unsynchronised, Low),
        (|h| h.stratum = 16, Unsynchronised, Low),
        (
            |h| {
                h.stratum = 0;
                h.reference_id = timeball_wire::ReferenceId::NONE;
            },
            Unsynchronised,
            Low,
        ),
        (|h| h.reference_timestamp = ntp(-90_000.0), StaleReference, Low),
        (|h| h.reference_timestamp = ntp(60.0), StaleReference, Low),
        (
            |h| h.root_dispersion = timeball_wire::NtpShort::from_seconds_ceil(16.0),
            AbsurdDispersion,
            Low,
        ),
        (|h| h.leap = LeapIndicator::Insert, LeapOutOfSeason, Medium),
        (
            |h| h.reference_id = timeball_wire::ReferenceId::from_bytes(*b"STEP"),
            RestartVisible,
            Low,
        ),
        (
            |h| {
                h.receive_timestamp = ntp(0.5);
                h.transmit_timestamp = ntp(0.5);
            },
            WrongTime,
            Medium,
        ),
        (
            |h| {
                h.receive_timestamp = ntp(-30.0);
                h.transmit_timestamp = ntp(-30.0);
                h.reference_timestamp = ntp(-60.0);
            },
            WrongTime,
            High,
        ),
        (
            |h| {
                h.receive_timestamp = ntp(-619_315_200.0);
                h.transmit_timestamp = ntp(-619_315_200.0);
                h.reference_timestamp = ntp(-619_315_230.0);
            },
            WrongTime,
            High,
        ),
    ];
    for (spoil, id, severity) in faults {
        let mut header = good();
        spoil(&mut header);
        assert_eq!(findings(&host(header)), [(id, severity)], "{header:?}");
    }
}

#[test]
fn a_rollover_is_told_from_any_other_error() {
    assert!(artefact(-619_315_200.3).unwrap().starts_with("-1 × 1024 weeks"));
    assert!(artefact(4_294_967_296.0).unwrap().contains("NTP era"));
    assert!(artefact(-2_208_988_800.0).unwrap().contains("1970"));
    assert_eq!(artefact(12.0), None);
    assert_eq!(artefact(619_000_000.0), None);
}

#[test]
fn a_small_error_that_the_server_admits_is_none() {
    let mut header = good();
    header.receive_timestamp = ntp(0.5);
    header.transmit_timestamp = ntp(0.5);
    header.root_dispersion = timeball_wire::NtpShort::from_seconds_ceil(0.6);
    assert_eq!(findings(&host(header)), []);
}

#[test]
fn leap_seconds_have_their_season() {
    let at = |text: &str| {
        let moment: jiff::Timestamp = text.parse().unwrap();
        is_leap_season(Timestamp::from_nanos(moment.as_second() * 1_000_000_000))
    };
    for good in ["2016-12-31T23:00:00Z", "2026-06-01T00:00:00Z"] {
        assert!(at(good), "{good}");
    }
    for bad in ["2026-05-31T23:59:59Z", "2026-07-01T00:00:00Z", "2026-11-22T00:00:00Z"] {
        assert!(!at(bad), "{bad}");
    }
}

#[test]
fn a_kiss_of_death_is_no_fault() {
    let mut header = good();
    header.stratum = 0;
    header.leap = LeapIndicator::Unsynchronised;
    header.reference_id = timeball_wire::ReferenceId::from_bytes(*b"RATE");
    let report = judged(&host(header));
    assert_eq!(report.findings, []);
    assert_eq!(report.probes[0].refusal.as_deref(), Some("kiss-o'-death RATE"));
}

#[test]
fn ntpd_that_has_just_been_started_is_no_kiss_of_death() {
    let mut header = good();
    header.stratum = 0;
    header.leap = LeapIndicator::Unsynchronised;
    header.reference_id = timeball_wire::ReferenceId::from_bytes(*b"INIT");
    let expected =
        [(FindingId::Unsynchronised, Severity::Low), (FindingId::RestartVisible, Severity::Low)];
    assert_eq!(findings(&host(header)), expected);
}

#[test]
fn a_private_reference_matters_to_the_public_only() {
    let mut header = good();
    header.reference_id = timeball_wire::ReferenceId::from_bytes([192, 168, 1, 1]);
    assert_eq!(findings(&host_at("192.168.1.9", vec![time(header)])), []);
    let public = findings(&host_at("8.8.8.8", vec![time(header)]));
    assert_eq!(public, [(FindingId::PrivateAddress, Severity::Low)]);
}

#[test]
fn open_control_messages_are_found_with_what_they_tell() {
    let text = b"version=\"ntpd 4.2.6p5@1.2349-o\", system=\"Linux/3.2\", evil=\"\x1b[2J\"";
    let mut datagram = vec![0x16, 0x82, 0, 0, 6, 0x15, 0, 0, 0, 0, 0, text.len() as u8];
    datagram.extend(text);
    let outcome = host_at("192.0.2.1", vec![answer(Probe::ReadVariables, &[&datagram])]);
    let report = judged(&outcome);
    let ids: Vec<FindingId> = report.findings.iter().map(|finding| finding.id).collect();
    use FindingId::{AbandonedSoftware, Amplifier, Mode6Variables};
    assert_eq!(ids, [Amplifier, Mode6Variables, AbandonedSoftware]);
    assert_eq!(report.grade, Grade::D);
    assert_eq!(report.software.version.as_deref(), Some("4.2.6p5"));
    assert_eq!(report.variables["evil"], "\\x1b[2J");
    let amplifier = &report.findings[0];
    let len = datagram.len();
    let expected = format!(
        "read-variables: 12 bytes asked, {len} answered in 1 packet, × {:.1}",
        len as f64 / 12.0
    );
    assert_eq!(amplifier.evidence, expected);
    assert!(amplifier.remedy.contains("restrict default"), "{}", amplifier.remedy);
}

#[test]
fn a_refusal_is_no_leak() {
    let refusal = [0x16, 0xc2, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0];
    let outcome = host_at("192.0.2.1", vec![answer(Probe::ReadVariables, &[&refusal])]);
    let report = judged(&outcome);
    assert_eq!(report.findings, []);
    assert_eq!(report.probes[0].refusal.as_deref(), Some("prohibited"));
    assert_eq!(report.probes[0].first, "16c200000700000000000000");
}

#[test]
fn private_messages_are_found_even_when_they_refuse() {
    let refusal = [0x97, 0, 3, 42, 0x40, 0, 0, 0];
    let outcome = host_at("192.0.2.1", vec![answer(Probe::MonitorList1, &[&refusal])]);
    assert_eq!(findings(&outcome), [(FindingId::Mode7Monlist, Severity::Critical)]);
    let refusal = [0x97, 0, 3, 42, 0x10, 0, 0, 0];
    let outcome = host_at("192.0.2.1", vec![answer(Probe::MonitorList1, &[&refusal])]);
    assert_eq!(findings(&outcome), [(FindingId::Mode7Open, Severity::High)]);
}

#[test]
fn echoes_and_answers_to_answers_are_found() {
    let mut echo = Answer::new(Probe::ReadVariables);
    echo.sent(&[0x16; 12]);
    echo.take_echo(&[0x16; 12]);
    let outcome = host_at("192.0.2.1", vec![echo]);
    assert_eq!(findings(&outcome), [(FindingId::Reflector, Severity::High)]);
    let stray = answer(Probe::StrayAnswer, &[&good().to_bytes()]);
    let loops = answer(Probe::StrayError, &[&[0x97, 0, 0, 0, 0x10, 0, 0, 0]]);
    let outcome = host_at("192.0.2.1", vec![stray, loops]);
    let expected =
        [(FindingId::Mode7Loop, Severity::High), (FindingId::AnswersAnswers, Severity::High)];
    assert_eq!(findings(&outcome), expected);
}

#[test]
fn clients_are_read_from_the_list_of_mode_6() {
    let text =
        b"nonce=00, addr.1=192.0.2.5:123, ct.1=9, x=y, addr.0=[2001:db8::1]:5000, addr.7=bad";
    let mut datagram = vec![0x16, 0x8a, 0, 0, 0, 0, 0, 0, 0, 0, 0, text.len() as u8];
    datagram.extend(text);
    let outcome = host_at("192.0.2.1", vec![answer(Probe::ReadMru, &[&datagram])]);
    let report = judged(&outcome);
    let expected: Vec<LeakedAddress> = [("192.0.2.5", Some(9)), ("2001:db8::1", None)]
        .map(|(address, packets)| LeakedAddress {
            address: address.parse().unwrap(),
            private: true,
            packets,
        })
        .to_vec();
    assert_eq!(report.clients, expected);
    // A nonce cannot be had with a forged address: no amplifier.
    let ids: Vec<FindingId> = report.findings.iter().map(|finding| finding.id).collect();
    assert_eq!(ids, [FindingId::Mode6Clients]);
}

/// An answer in mode 6 to a request for variables.
fn variables(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    let mut datagram = vec![0x16, 0x82, 0, 0, 0, 0, 0, 0, 0, 0, 0, length];
    datagram.extend(text.as_bytes());
    datagram
}

#[test]
fn peers_and_uptime_are_read_from_mode_6() {
    let told = ["srcadr=192.0.2.9", "srcadr=2001:db8::9", "srcadr=LOCAL(0)", "dstadr=192.0.2.1"];
    let mut answers: Vec<Answer> =
        told.map(|text| answer(Probe::ReadPeer, &[&variables(text)])).into();
    answers.push(answer(Probe::ReadUptime, &[&variables("ss_uptime=86400")]));
    let report = judged(&host_at("192.0.2.1", answers));
    let peers: Vec<String> = report.peers.iter().map(|peer| peer.address.to_string()).collect();
    assert_eq!(peers, ["192.0.2.9", "2001:db8::9"]);
    assert_eq!(report.uptime, Some(86_400));
    for text in ["ss_uptime=-1", "ss_uptime=99999999999999999999", "uptime=1", ""] {
        let answers = vec![answer(Probe::ReadUptime, &[&variables(text)])];
        assert_eq!(judged(&host_at("192.0.2.1", answers)).uptime, None, "{text}");
    }
}

#[test]
fn the_system_and_its_rules_are_read_from_mode_7() {
    let mut system = vec![0x97, 0, 3, 4, 0, 1, 0, 36];
    system.resize(8 + 36, 0);
    system[8..12].copy_from_slice(&[192, 0, 2, 9]);
    system[13..16].copy_from_slice(&[1, 2, 0xec]);
    system[24..28].copy_from_slice(&[192, 0, 2, 9]);
    let mut rules = vec![0x97, 0, 3, 16, 0, 1, 0, 16];
    rules.extend([10, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 7, 0, 0x90, 0, 0]);
    let answers =
        vec![answer(Probe::SystemInformation, &[&system]), answer(Probe::Restrictions, &[&rules])];
    let report = judged(&host_at("192.0.2.1", answers));
    let system = report.system.unwrap();
    assert_eq!((system.peer.to_string(), system.leap, system.stratum), ("192.0.2.9".into(), 1, 2));
    assert_eq!((system.precision, system.reference_id.as_str()), (-20, "192.0.2.9"));
    let [rule] = report.restrictions.as_slice() else { panic!("{:?}", report.restrictions) };
    assert_eq!(
        (rule.address.to_string(), rule.mask.to_string()),
        ("10.0.0.0".into(), "255.0.0.0".into())
    );
    assert_eq!((rule.packets, rule.flags), (7, 0x90));
}

#[test]
fn reference_servers_stand_in_for_a_clock_that_is_wrong() {
    // This machine is 30 s late, and so is the server as seen from here.
    let mut header = good();
    header.receive_timestamp = ntp(30.0);
    header.transmit_timestamp = ntp(30.0);
    let judged = |reference| {
        let limits = Limits { reference, ..Limits::default() };
        judge(&host(header), 123, &limits).unwrap()
    };
    let by_clock = judged(None);
    assert_eq!(by_clock.findings[0].id, FindingId::WrongTime);
    assert_eq!(by_clock.time.unwrap().offset_from_references, None);

    let reference = ReferenceTime { offset: 29.99, uncertainty: 0.001, agreeing: 3 };
    let by_references = judged(Some(reference));
    assert_eq!(by_references.findings, []);
    let time = by_references.time.unwrap();
    assert!((time.offset.unwrap() - 29.99).abs() < 1e-6, "the half of the delay is off");
    assert!(time.offset_from_references.unwrap().abs() < 1e-6);

    let other = judged(Some(ReferenceTime { offset: 0.0, ..reference }));
    assert!(other.findings[0].evidence.ends_with("from the time of 3 reference servers"));
    let unsure = judged(Some(ReferenceTime { offset: 0.0, uncertainty: 40.0, ..reference }));
    assert_eq!(unsure.findings, []);
}

#[test]
fn a_limit_of_the_rate_is_told_by_what_becomes_of_a_burst() {
    let mut kiss = good();
    kiss.stratum = 0;
    kiss.reference_id = timeball_wire::ReferenceId::from_bytes(*b"RATE");
    let (time, kiss) = (good().to_bytes(), kiss.to_bytes());
    let burst = |replies: &[Option<&[u8]>]| {
        let of = |reply: &Option<&[u8]>| answer(Probe::Burst, reply.as_slice());
        let mut answers = vec![self::time(good())];
        answers.extend(replies.iter().map(of));
        judged(&host_at("192.0.2.1", answers))
    };
    let report = burst(&[Some(&time), Some(&time), None, Some(&kiss)]);
    let rate = report.rate.unwrap();
    assert_eq!((rate.limit, rate.before_limit), (RateLimit::KissesAndSilence, 2));
    assert_eq!((rate.requests, rate.times, rate.kisses), (4, 2, 1));
    assert_eq!(rate.kiss_codes, ["RATE"]);
    assert_eq!((report.findings, report.probes.len()), (Vec::new(), 1));
    for (replies, limit) in [
        ([Some(&time[..]), Some(&time)], RateLimit::None),
        ([Some(&time), None], RateLimit::Silence),
    ] {
        let report = burst(&replies);
        assert_eq!((report.rate.unwrap().limit, report.findings), (limit, Vec::new()));
    }
    let report = burst(&[Some(&time), Some(&kiss), Some(&kiss)]);
    assert_eq!(report.rate.unwrap().limit, RateLimit::Kisses);
    assert_eq!(report.findings[0].id, FindingId::RateKisses);
    assert_eq!(judged(&host(good())).rate, None);
}

#[test]
fn faults_of_keys_are_found_one_by_one() {
    const DAY: u64 = 86_400;
    let fine = Seen {
        report: KeyReport {
            name: "ntp.example".into(),
            valid_from: Some("a day".into()),
            valid_until: Some("another".into()),
            algorithms: vec![15, 30],
            cookies: 8,
            cookie_length: 100,
            server: None,
            port: None,
            problem: None,
        },
        fault: None,
        validity: Some((100 * DAY, 200 * DAY)),
        now: 150 * DAY,
    };
    let found = |spoil: &dyn Fn(&mut Seen)| {
        let (mut report, mut seen) = (judged(&host(good())), fine.clone());
        spoil(&mut seen);
        judge_keys(&mut report, seen);
        let findings = report.findings.iter().map(|finding| (finding.id, finding.severity));
        findings.collect::<Vec<_>>()
    };
    use FindingId::{NtsCertificate, NtsCertificateEnds, NtsMandatoryCipher, NtsNoKeys};
    use Severity::{Low, Medium};
    let faulty = |fault| move |seen: &mut Seen| seen.fault = Some(fault);
    assert_eq!(found(&|_| {}), []);
    for (fault, severity) in [
        (CertificateFault::Over, Medium),
        (CertificateFault::NotYet, Medium),
        (CertificateFault::Invalid, Medium),
        (CertificateFault::OtherName { asked_by_address: false }, Medium),
        (CertificateFault::OtherName { asked_by_address: true }, Low),
        (CertificateFault::UnknownIssuer, Low),
    ] {
        assert_eq!(found(&faulty(fault)), [(NtsCertificate, severity)], "{fault:?}");
    }
    assert_eq!(found(&|seen| seen.now = 191 * DAY), [(NtsCertificateEnds, Low)]);
    assert_eq!(found(&|seen| seen.now = 189 * DAY), []);
    assert_eq!(found(&|seen| seen.report.algorithms = vec![30]), [(NtsMandatoryCipher, Low)]);
    let silent = |seen: &mut Seen| {
        (seen.report.problem, seen.validity) = (Some("no answer".into()), None);
        seen.report.algorithms.clear();
    };
    assert_eq!(found(&silent), [(NtsNoKeys, Medium)]);
}

#[test]
fn who_speaks_again_or_late_has_taken_a_stranger_for_a_peer() {
    let offered = |seconds: &[f64]| {
        let mut offer = answer(Probe::SymmetricActive, &[]);
        let passive = Header { mode: Mode::SymmetricPassive, ..good() };
        for at in seconds {
            offer.take(&passive.to_bytes(), &[], NOW, NOW + Span::from_seconds(*at));
        }
        let report = judged(&host_at("198.51.100.7", vec![time(good()), offer]));
        let is_found =
            report.findings.iter().any(|found| found.id == FindingId::MobilisesStrangers);
        (report.symmetric_active, is_found)
    };
    assert_eq!(offered(&[]), (SymmetricReaction::Silence, false));
    assert_eq!(offered(&[0.02]), (SymmetricReaction::Answers, false));
    assert_eq!(offered(&[1.4]), (SymmetricReaction::Answers, false), "a long way");
    assert_eq!(offered(&[2.0]), (SymmetricReaction::Mobilises, true));
    assert_eq!(offered(&[0.02, 2.02]), (SymmetricReaction::Mobilises, true));
}
