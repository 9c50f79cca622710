//! chrony's command protocol: what chronyc and chronyd said to each other when
//! `cmdmon/capture.sh` listened, and what must hold for every byte.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use timeball_wire::cmdmon::{
    Address, Answer, Float, MAX_LEN, NewSourceKind, NtpFlags, NtpMeasurement, Reply, Request,
    RequestHeader, SelectMask, SelectOptions, SourceFlags, Status, Timespec,
};
use timeball_wire::{LeapIndicator, ReferenceId, Timestamp};

/// One command, as it was captured.
struct Golden {
    command: String,
    /// What `chronyc -c` printed, line by line and field by field.
    prints: Vec<Vec<String>>,
    exchanges: Vec<Exchange>,
}

struct Exchange {
    request: Vec<u8>,
    reply: Vec<u8>,
}

impl Exchange {
    fn header(&self) -> RequestHeader {
        RequestHeader::parse(&self.request).unwrap()
    }

    fn request(&self) -> Request {
        self.header().request(&self.request).unwrap()
    }

    fn reply(&self) -> Reply {
        let header = self.header();
        Reply::parse(&self.reply, header.command, header.sequence).unwrap()
    }
}

const VERSIONS: [&str; 2] = ["chrony-4.3", "chrony-4.8"];

fn goldens(version: &str) -> Vec<Golden> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmdmon");
    let text = std::fs::read_to_string(folder.join(format!("{version}.txt"))).unwrap();
    let mut goldens: Vec<Golden> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (kind, rest) = line.split_once(' ').unwrap();
        if kind == "command" {
            let command = rest.to_owned();
            goldens.push(Golden { command, prints: Vec::new(), exchanges: Vec::new() });
            continue;
        }
        let golden = goldens.last_mut().unwrap();
        match kind {
            "prints" => golden.prints.push(rest.split(',').map(str::to_owned).collect()),
            "request" => {
                golden.exchanges.push(Exchange { request: bytes(rest), reply: Vec::new() });
            }
            "reply" => golden.exchanges.last_mut().unwrap().reply = bytes(rest),
            other => panic!("{other}"),
        }
    }
    assert!(goldens.len() >= 70, "{version}: {} commands", goldens.len());
    goldens
}

fn golden(version: &str, command: &str) -> Golden {
    let found = goldens(version).into_iter().find(|golden| golden.command == command);
    found.unwrap_or_else(|| panic!("{version}: {command} was not captured"))
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn every_request_and_reply_comes_back_byte_by_byte() {
    for version in VERSIONS {
        for Golden { command, exchanges, .. } in goldens(version) {
            for exchange in exchanges {
                let header = exchange.header();
                let request = exchange.request();
                let mut buffer = [0xff; MAX_LEN];
                let emitted = request.emit(header.sequence, header.attempt, &mut buffer).unwrap();
                // Requests are padded for the newest replies, whatever the version.
                let len = exchange.request.len();
                assert_eq!(emitted.get(..len), Some(&exchange.request[..]), "{version} {command}");
                assert!(emitted[len..].iter().all(|byte| *byte == 0), "{version} {command}");
                let grown = matches!(request, Request::ServerStats | Request::NtpData { .. });
                assert_eq!(emitted.len() > len, grown && version == "chrony-4.3", "{command}");

                let mut buffer = [0xff; MAX_LEN];
                let reply = exchange.reply();
                let emitted = reply.emit(&header, &mut buffer);
                assert_eq!(emitted, Some(&exchange.reply[..]), "{version} {command}: {reply:?}");
            }
        }
    }
}

#[test]
fn the_collection_holds_every_request_and_reply() {
    let mut requests = BTreeSet::new();
    let mut forms = BTreeSet::new();
    let mut statuses = BTreeSet::new();
    for exchange in VERSIONS.iter().flat_map(|version| goldens(version)).flat_map(|g| g.exchanges) {
        requests.insert(exchange.request().code());
        let reply = exchange.reply();
        forms.insert(reply.answer.code());
        statuses.insert(u16::from(reply.status));
    }
    let known: BTreeSet<u16> = (0..100).filter(|code| Request::name_of(*code).is_some()).collect();
    assert_eq!(requests, known);
    // No real-time clock is at hand (form 7).
    let expected = [1, 2, 3, 5, 6, 12, 13, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26];
    assert_eq!(forms, expected.into());
    assert_eq!(statuses, [0, 1, 4, 6, 8, 9, 11, 13, 16].into());
}

/// A number as chronyc prints it.
fn number(float: Float, decimals: usize) -> String {
    format!("{:.decimals$}", f64::from(float))
}

fn address(address: Address) -> String {
    match address {
        Address::Unspecified => String::new(),
        Address::Ip(ip) => ip.to_string(),
        Address::Id(id) => format!("ID#{id:010}"),
    }
}

fn seconds(time: Timespec) -> String {
    format!("{}.{:09}", time.seconds, time.nanoseconds)
}

/// Every reply with data, of one command.
fn answers(golden: &Golden) -> Vec<Answer> {
    golden.exchanges.iter().map(|exchange| exchange.reply().answer).collect()
}

#[test]
fn tracking_is_what_chronyc_prints() {
    for version in VERSIONS {
        let golden = golden(version, "tracking");
        let Answer::Tracking(tracking) = answers(&golden).remove(0) else { panic!("{version}") };
        let printed: Vec<&str> = golden.prints[0].iter().map(String::as_str).collect();
        assert_eq!(
            [
                format!("{:?}", tracking.reference_id).to_uppercase(),
                address(tracking.address),
                tracking.stratum.to_string(),
                seconds(tracking.reference_time),
                number(tracking.system_offset, 9),
                number(tracking.last_offset, 9),
                number(tracking.rms_offset, 9),
                number(tracking.frequency, 3),
                number(tracking.residual_frequency, 3),
                number(tracking.skew, 3),
                number(tracking.root_delay, 9),
                number(tracking.root_dispersion, 9),
                number(tracking.update_interval, 1),
            ],
            printed[..13],
            "{version}"
        );
        assert_eq!((tracking.leap, printed[13]), (LeapIndicator::NoWarning, "Normal"));
    }
}

#[test]
fn sources_are_what_chronyc_prints() {
    for version in VERSIONS {
        let golden = golden(version, "sources -a");
        let mut answers = answers(&golden).into_iter();
        assert_eq!(answers.next(), Some(Answer::SourceCount(3)));
        let answers: Vec<Answer> =
            answers.filter(|answer| matches!(answer, Answer::SourceData(_))).collect();
        assert_eq!(answers.len(), 3);
        for (answer, printed) in answers.into_iter().zip(&golden.prints) {
            let Answer::SourceData(data) = answer else { panic!("{answer:?}") };
            assert_eq!(
                [
                    address(data.address),
                    data.stratum.to_string(),
                    data.poll.to_string(),
                    format!("{:o}", data.reachability),
                    data.since_sample.to_string(),
                    number(data.adjusted_offset, 9),
                    number(data.measured_offset, 9),
                    number(data.error, 9),
                ],
                printed[2..],
                "{version}"
            );
        }
    }
}

#[test]
fn source_statistics_are_what_chronyc_prints() {
    for version in VERSIONS {
        let golden = golden(version, "sourcestats -a");
        let answers = answers(&golden);
        let stats = answers.into_iter().filter_map(|answer| match answer {
            Answer::SourceStats(stats) => Some(stats),
            _ => None,
        });
        let printed: Vec<Vec<String>> = stats
            .map(|stats| {
                vec![
                    address(stats.address),
                    stats.samples.to_string(),
                    stats.runs.to_string(),
                    stats.span.to_string(),
                    number(stats.residual_frequency, 3),
                    number(stats.skew, 3),
                    number(stats.offset, 9),
                    number(stats.standard_deviation, 9),
                ]
            })
            .collect();
        assert_eq!(printed, golden.prints, "{version}");
        assert_eq!(printed.len(), 3);
    }
}

#[test]
fn selection_is_what_chronyc_prints() {
    for version in VERSIONS {
        let golden = golden(version, "selectdata -a");
        let answers = answers(&golden);
        let data: Vec<_> = answers
            .into_iter()
            .filter_map(|answer| match answer {
                Answer::SelectData(data) => Some(data),
                _ => None,
            })
            .collect();
        assert_eq!(data.len(), 3);
        for (data, printed) in data.iter().zip(&golden.prints) {
            let sign = char::from(data.state).to_string();
            assert_eq!([sign, address(data.address)], printed[..2], "{version}");
            let [.., ago, score, low, high, _] = printed.as_slice() else { panic!("{printed:?}") };
            assert_eq!(data.last_sample_ago.to_string(), *ago);
            assert_eq!(number(data.score, 1), *score);
            assert_eq!(
                [number(data.low_limit, 9), number(data.high_limit, 9)],
                [low.clone(), high.clone()]
            );
        }
        assert_eq!(data[0].configured, SelectOptions::NONE);
        assert_eq!(data[1].configured, SelectOptions::NOSELECT);
        assert_eq!(data[2].leap, LeapIndicator::Unsynchronised);
    }
}

#[test]
fn ntp_data_are_what_chronyc_prints() {
    for version in VERSIONS {
        let golden = golden(version, "ntpdata 192.0.2.1");
        let printed = &golden.prints[0];
        let measurement: NtpMeasurement = match answers(&golden).remove(0) {
            Answer::NtpData(data) if version == "chrony-4.3" => data.measurement,
            Answer::NtpData2(data) if version == "chrony-4.8" => {
                assert_eq!(
                    [
                        data.total_kernel_transmit,
                        data.total_kernel_receive,
                        data.total_hardware_transmit,
                        data.total_hardware_receive
                    ]
                    .map(|count| count.to_string()),
                    printed[34..38]
                );
                data.measurement
            }
            other => panic!("{version}: {other:?}"),
        };
        let server: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(measurement.remote_address, Address::Ip(server));
        assert_eq!(
            [
                address(measurement.remote_address),
                "C0000201".to_owned(),
                measurement.remote_port.to_string(),
                address(measurement.local_address),
                "C0000201".to_owned(),
                "Normal".to_owned(),
                measurement.version.to_string(),
                "Server".to_owned(),
                measurement.stratum.to_string(),
                measurement.poll.to_string(),
            ],
            printed[..10],
            "{version}"
        );
        assert_eq!((measurement.mode, measurement.leap), (4, LeapIndicator::NoWarning));
        assert_eq!(
            [
                measurement.precision.to_string(),
                number(Float::from(f64::from(measurement.precision).exp2()), 9),
                number(measurement.root_delay, 6),
                number(measurement.root_dispersion, 6),
                format!("{:?}", measurement.reference_id).to_uppercase(),
                String::new(),
                seconds(measurement.reference_time),
                number(measurement.offset, 9),
                number(measurement.peer_delay, 9),
                number(measurement.peer_dispersion, 9),
                number(measurement.response_time, 9),
                number(measurement.jitter_asymmetry, 2),
            ],
            printed[11..23],
            "{version}"
        );
        assert_eq!(printed[23..28].join(","), "111,111,1111,Yes,No");
        assert_eq!(measurement.flags, NtpFlags::ALL_TESTS | NtpFlags::INTERLEAVED);
        assert_eq!(
            (measurement.transmit_timestamping, measurement.receive_timestamping),
            (b'K', b'K')
        );
        assert_eq!(
            [measurement.total_sent, measurement.total_received, measurement.total_valid,]
                .map(|count| count.to_string()),
            printed[28 + 2..28 + 5]
        );
    }
}

#[test]
fn a_new_source_says_what_was_typed() {
    let command = "add server 192.0.2.3 minpoll 4 maxpoll 8 iburst prefer maxdelay 0.25 offset \
                   -0.5 polltarget 16";
    for version in VERSIONS {
        let Request::AddSource { source } = golden(version, command).exchanges[0].request() else {
            panic!("{version}");
        };
        assert_eq!((source.kind, source.name.as_str()), (NewSourceKind::Server, Some("192.0.2.3")));
        assert_eq!((source.min_poll, source.max_poll, source.poll_target), (4, 8, 16));
        assert_eq!(f64::from(source.max_delay), 0.25);
        assert_eq!(f64::from(source.offset), -0.5);
        assert_eq!(source.flags, SourceFlags::ONLINE | SourceFlags::IBURST | SourceFlags::PREFER);
        assert_eq!(source.max_unreach, if version == "chrony-4.3" { 0 } else { 100_000 });
    }
}

#[test]
fn changes_say_what_was_typed() {
    let request = |command: &str| golden("chrony-4.8", command).exchanges[0].request();
    let ip = |text: &str| Address::Ip(text.parse().unwrap());
    assert_eq!(
        request("offline 255.255.255.0/192.0.2.0"),
        Request::Offline { mask: ip("255.255.255.0"), address: ip("192.0.2.0") }
    );
    assert_eq!(
        request("allow all 2001:db8::/32"),
        Request::AllowAll { address: ip("2001:db8::"), bits: 32 }
    );
    assert_eq!(request("deny all"), Request::DenyAll { address: Address::Unspecified, bits: 0 });
    assert_eq!(
        request("maxdelaydevratio 192.0.2.1 12.25"),
        Request::ModifyMaxdelaydevratio { address: ip("192.0.2.1"), ratio: Float::from(12.25) }
    );
    assert_eq!(
        request("selectopts 192.0.2.1 +prefer -trust"),
        Request::ModifySelectOptions {
            address: ip("192.0.2.1"),
            reference_id: ReferenceId::NONE,
            mask: SelectMask::PREFER | SelectMask::TRUST,
            options: SourceFlags::PREFER,
        }
    );
    let Request::Local { stratum: 8, activate, wait_synchronised, wait_unsynchronised, .. } =
        request("local stratum 8 activate 0.25 waitsynced 10 waitunsynced 20")
    else {
        panic!();
    };
    assert_eq!(
        [activate, wait_synchronised, wait_unsynchronised].map(f64::from),
        [0.25, 10.0, 20.0]
    );
    assert_eq!(golden("chrony-4.8", "delete 192.0.2.99").exchanges[0].reply().status, {
        Status::NoSuchSource
    });
}

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::with_cases(4_000)
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_datagram_is_dropped_refused_or_a_request_that_comes_back(
        version in prop_oneof![4 => Just(6_u8), 1 => any::<u8>()],
        command in prop_oneof![8 => 0..80_u16, 1 => any::<u16>()],
        rest in vec(any::<u8>(), 0..900),
    ) {
        let [high, low] = command.to_be_bytes();
        let mut datagram = vec![version, 1, 0, 0, high, low];
        datagram.extend(rest);
        if let Ok(header) = RequestHeader::parse(&datagram) {
            prop_assert_eq!((header.command, header.len), (command, datagram.len()));
            if let Ok(request) = header.request(&datagram) {
                let mut buffer = [0; MAX_LEN];
                let emitted = request.emit(header.sequence, header.attempt, &mut buffer).unwrap();
                let again = RequestHeader::parse(emitted).unwrap();
                prop_assert_eq!(again.request(emitted), Ok(request));
            }
        }
    }

    #[test]
    fn any_reply_is_refused_or_comes_back(
        code in 0..30_u16,
        status in prop_oneof![3 => Just(0_u16), 1 => any::<u16>()],
        data in vec(any::<u8>(), 0..540),
    ) {
        let [high, low] = code.to_be_bytes();
        let [status_high, status_low] = status.to_be_bytes();
        let mut datagram = vec![6, 2, 0, 0, 0, 33, high, low, status_high, status_low];
        datagram.extend([0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0]);
        datagram.extend(data);
        if let Ok(reply) = Reply::parse(&datagram, 33, 0x0102_0304) {
            let mut request = [0; MAX_LEN];
            let request = Request::Tracking.emit(0x0102_0304, 0, &mut request).unwrap();
            let header = RequestHeader { len: MAX_LEN, ..RequestHeader::parse(request).unwrap() };
            let mut buffer = [0; MAX_LEN];
            let emitted = reply.emit(&header, &mut buffer).unwrap();
            prop_assert_eq!(Reply::parse(emitted, 33, 0x0102_0304), Ok(reply));
        }
    }

    #[test]
    fn nothing_panics(datagram in vec(any::<u8>(), 0..900)) {
        if let Ok(header) = RequestHeader::parse(&datagram) {
            let _ = header.request(&datagram);
        }
        let _ = Reply::parse(&datagram, 0, 0);
    }

    #[test]
    fn a_number_keeps_24_bits_and_its_sign(value in any::<f64>()) {
        let back = f64::from(Float::from(value));
        if (1.4e-20..4.6e18).contains(&value.abs()) {
            prop_assert!((back / value - 1.0).abs() <= 2_f64.powi(-24), "{} {}", value, back);
        }
        prop_assert_eq!(Float::from(back), Float::from(value));
    }

    #[test]
    fn any_bits_of_a_number_are_a_number_that_comes_back(bits in any::<u32>()) {
        let value = f64::from(Float::from_bits(bits));
        prop_assert!(value.is_finite());
        let back = f64::from(Float::from(value));
        // Only the numbers with fewer bits at the very end of the range may be rounded.
        prop_assert!(back == value || (back - value).abs() <= value.abs() * 2_f64.powi(-23));
    }

    #[test]
    fn a_moment_comes_back(nanos in any::<i64>()) {
        let moment = Timestamp::from_nanos(nanos);
        prop_assert_eq!(Timestamp::from(Timespec::from(moment)), moment);
    }
}
