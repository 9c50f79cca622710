//! Packets of other implementations, captured by `golden/capture.sh`. Beside each datagram stands
//! what tshark reads in it; we must read the same, and write the same bytes again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::path::Path;

use timeball_wire::{
    ControlMessage, FieldType, Header, LeapIndicator, Message, Mode, NTP_PORT, NtpTimestamp,
    Packet, PacketWriter, ReferenceId, Span, Timestamp, Trailer, classify,
};

/// One datagram of a golden file and tshark's reading of it.
struct Golden {
    place: String,
    reading: BTreeMap<String, String>,
    datagram: Vec<u8>,
}

impl Golden {
    fn get(&self, name: &str) -> Option<&str> {
        self.reading.get(name).map(String::as_str)
    }

    fn number(&self, name: &str) -> u32 {
        let text = self.get(name).unwrap_or_else(|| panic!("{}: no {name}", self.place));
        text.parse().unwrap_or_else(|error| panic!("{}: {name}={text}: {error}", self.place))
    }

    fn packet(&self) -> Packet<'_> {
        Packet::parse(&self.datagram).unwrap_or_else(|error| panic!("{}: {error}", self.place))
    }

    fn control(&self) -> ControlMessage {
        match classify(&self.datagram) {
            Message::Control(control) => control,
            other => panic!("{}: {other:?}", self.place),
        }
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "{hex}");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn file(path: &Path) -> Vec<Golden> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines =
        text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let mut goldens = Vec::new();
    while let Some((number, line)) = lines.next() {
        let place = format!("{}:{}", path.display(), number + 1);
        let reading = line.strip_prefix("packet ").unwrap_or_else(|| panic!("{place}: {line}"));
        let reading = reading.split(' ').map(|pair| pair.split_once('=').unwrap());
        let reading = reading.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let (_, datagram) = lines.next().unwrap_or_else(|| panic!("{place}: no bytes follow"));
        goldens.push(Golden { place, reading, datagram: bytes(datagram) });
    }
    assert!(!goldens.is_empty(), "{} holds no packet", path.display());
    goldens
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn golden(name: &str) -> Vec<Golden> {
    file(&folder().join(name).with_extension("hex"))
}

fn every_golden() -> Vec<Golden> {
    let mut paths: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "hex"))
        .collect();
    paths.sort();
    paths.iter().flat_map(|path| file(path)).collect()
}

fn time_packets(goldens: &[Golden]) -> impl Iterator<Item = (&Golden, Packet<'_>)> {
    goldens.iter().filter(|golden| golden.number("mode") < 6).map(|golden| {
        let packet = golden.packet();
        (golden, packet)
    })
}

#[test]
fn the_collection_holds_every_kind() {
    let goldens = every_golden();
    assert!(goldens.len() >= 80, "{} packets", goldens.len());
    for version in 1..=4 {
        assert!(time_packets(&goldens).any(|(_, packet)| packet.header.version == version));
    }
    for mode in [1, 3, 4, 5, 6] {
        assert!(goldens.iter().any(|golden| golden.number("mode") == mode), "mode {mode}");
    }
}

#[test]
fn headers_say_what_tshark_says() {
    // tshark takes the first bit of the seconds for the era, which is this pivot.
    let pivot: Timestamp = "2036-02-07T06:28:16Z".parse().unwrap();
    for (golden, Packet { header, .. }) in time_packets(&every_golden()) {
        let place = &golden.place;
        assert_eq!(u32::from(golden.datagram[0] >> 6), golden.number("leap"), "{place}");
        assert_eq!(u32::from(header.version), golden.number("version"), "{place}");
        assert_eq!(header.mode as u32, golden.number("mode"), "{place}");
        assert_eq!(u32::from(header.stratum), golden.number("stratum"), "{place}");
        assert_eq!(u32::from(header.poll.cast_unsigned()), golden.number("poll"), "{place}");
        assert_eq!(
            u32::from(header.precision.cast_unsigned()),
            golden.number("precision"),
            "{place}"
        );
        assert_eq!(header.root_delay.to_bits(), golden.number("root_delay"), "{place}");
        assert_eq!(header.root_dispersion.to_bits(), golden.number("root_dispersion"), "{place}");
        let reference_id = format!("{:?}", header.reference_id);
        assert_eq!(Some(reference_id.as_str()), golden.get("reference_id"), "{place}");
        let timestamps = [
            ("reference", header.reference_timestamp),
            ("origin", header.origin_timestamp),
            ("receive", header.receive_timestamp),
            ("transmit", header.transmit_timestamp),
        ];
        for (name, timestamp) in timestamps {
            let expected = golden.get(name).unwrap();
            if expected == "unknown" {
                assert_eq!(timestamp, NtpTimestamp::ZERO, "{place}: {name}");
            } else {
                let expected: Timestamp = expected.parse().unwrap();
                let error = timestamp.unfold(pivot) - expected;
                assert!(error.abs() <= Span::from_nanos(1), "{place}: {name} {error:?}");
            }
        }
    }
}

#[test]
fn fields_and_trailers_are_those_tshark_finds() {
    for (golden, packet) in time_packets(&every_golden()) {
        let types: Vec<_> = packet
            .extension_fields()
            .map(|field| format!("0x{:04x}", field.field_type.to_u16()))
            .collect();
        assert_eq!(types.join("+"), golden.get("field_types").unwrap_or(""), "{}", golden.place);
        let lengths: Vec<_> =
            packet.extension_fields().map(|field| field.wire_len().unwrap().to_string()).collect();
        assert_eq!(
            lengths.join("+"),
            golden.get("field_lengths").unwrap_or(""),
            "{}",
            golden.place
        );
        match packet.trailer {
            Trailer::None => {
                assert_eq!((golden.get("key_id"), golden.get("digest")), (None, None));
            }
            Trailer::CryptoNak => panic!("{}: none of these servers sends one", golden.place),
            Trailer::Mac { key_id, digest } => {
                assert_eq!(Some(format!("{key_id:08x}").as_str()), golden.get("key_id"));
                assert_eq!(digest, bytes(golden.get("digest").unwrap()), "{}", golden.place);
            }
        }
    }
}

#[test]
fn every_packet_is_written_again_byte_for_byte() {
    for (golden, packet) in time_packets(&every_golden()) {
        assert_eq!(packet.header.to_bytes(), golden.datagram[..Header::LEN], "{}", golden.place);
        let mut buffer = vec![0xaa; golden.datagram.len()];
        let mut writer = PacketWriter::new(&packet.header, &mut buffer).unwrap();
        for field in packet.extension_fields() {
            writer.field(&field).unwrap();
        }
        let rewritten = match packet.trailer {
            Trailer::None => writer.finish(),
            Trailer::CryptoNak => writer.finish_with_crypto_nak(),
            Trailer::Mac { key_id, digest } => writer.finish_with_mac(key_id, digest),
        };
        assert_eq!(rewritten.unwrap(), golden.datagram, "{}", golden.place);
    }
}

#[test]
fn every_answer_repeats_the_transmit_timestamp_of_its_request() {
    let mut answers = 0;
    let goldens = every_golden();
    for pair in goldens.windows(2) {
        let [request, answer] = pair else { unreachable!("windows of two") };
        if request.number("mode") != 3 || answer.number("mode") != 4 {
            continue;
        }
        let (asked, told) = (request.packet().header, answer.packet().header);
        // In interleaved mode the answer to a later request repeats an earlier receive timestamp.
        if asked.origin_timestamp == NtpTimestamp::ZERO
            && request.get("source_port") == answer.get("destination_port")
        {
            assert_eq!(told.origin_timestamp, asked.transmit_timestamp, "{}", answer.place);
            assert_eq!(told.version, asked.version, "{}", answer.place);
            answers += 1;
        }
    }
    assert!(answers >= 25, "{answers} answers");
}

#[test]
fn a_data_minimised_request_gives_nothing_away() {
    let goldens = golden("chrony-v4");
    let header = goldens[0].packet().header;
    assert_eq!(header.leap, LeapIndicator::NoWarning);
    assert_eq!((header.version, header.mode), (4, Mode::Client));
    assert_eq!((header.stratum, header.poll, header.precision), (0, 6, 32));
    assert_eq!(header.reference_timestamp, NtpTimestamp::ZERO);
    assert_eq!(header.origin_timestamp, NtpTimestamp::ZERO);
    assert_eq!(header.receive_timestamp, NtpTimestamp::ZERO);
    assert_ne!(header.transmit_timestamp, NtpTimestamp::ZERO);
}

#[test]
fn a_local_clock_of_chronyd_calls_itself_127_127_1_1() {
    let goldens = golden("chrony-v4");
    let header = goldens[1].packet().header;
    assert_eq!(header.leap, LeapIndicator::NoWarning);
    assert_eq!((header.version, header.mode), (4, Mode::Server));
    assert_eq!((header.stratum, header.poll), (1, 6));
    assert!((-32..-15).contains(&header.precision), "{}", header.precision);
    assert_eq!(header.root_delay.seconds(), 0.0);
    assert_eq!(header.reference_id.display(1).to_string(), "127.127.1.1");
    assert_eq!(header.reference_id.display(2).to_string(), "127.127.1.1");
}

#[test]
fn digests_are_as_long_as_their_hash_unless_version_4_cuts_them() {
    let lengths = [
        ("chrony-md5", 4, 1, 16),
        ("chrony-sha1", 4, 2, 20),
        ("chrony-cmac", 4, 3, 16),
        ("chrony-sha256-v4", 4, 4, 20),
        ("chrony-sha256-v3", 3, 4, 32),
        ("chrony-sha512-v3", 3, 5, 64),
        ("chrony-ntpdig-sha1", 4, 2, 20),
        ("ntpsec-cmac", 4, 3, 16),
    ];
    for (name, version, expected_key, expected_len) in lengths {
        for golden in golden(name) {
            let packet = golden.packet();
            assert_eq!(packet.header.version, version, "{}", golden.place);
            assert!(!packet.trailer.asks_for_ms_sntp_signature());
            match packet.trailer {
                Trailer::Mac { key_id, digest } => {
                    assert_eq!((key_id, digest.len()), (expected_key, expected_len), "{name}");
                }
                trailer => panic!("{}: {trailer:?}", golden.place),
            }
        }
    }
}

#[test]
fn an_nts_exchange_is_made_of_the_fields_of_rfc_8915() {
    let goldens = golden("chrony-nts");
    let types = |golden: &Golden| {
        golden.packet().extension_fields().map(|field| field.field_type).collect::<Vec<_>>()
    };
    let [request, response, ..] = &goldens[..] else { panic!("{} packets", goldens.len()) };
    assert_eq!(
        types(request),
        [FieldType::UNIQUE_IDENTIFIER, FieldType::NTS_COOKIE, FieldType::NTS_AUTHENTICATOR]
    );
    assert_eq!(types(response), [FieldType::UNIQUE_IDENTIFIER, FieldType::NTS_AUTHENTICATOR]);
    let identifier =
        |golden: &Golden| golden.packet().extension_fields().next().unwrap().value.to_vec();
    assert_eq!(identifier(request), identifier(response));
    assert_eq!(identifier(request).len(), 32);
    assert_eq!(request.datagram.len(), response.datagram.len());
}

#[test]
fn an_experimental_field_is_passed_on() {
    for golden in golden("chrony-experimental-field") {
        let packet = golden.packet();
        let field = packet.extension_fields().next().unwrap();
        assert_eq!(field.field_type.to_u16(), 0xf323);
        assert!(field.field_type.is_experimental());
        assert_eq!(field.value[..4], [0xf5, 0xbe, 0xdd, 0x9a]);
        assert_eq!(field.value.len(), 24);
    }
}

#[test]
fn a_rate_kiss_repeats_the_request_three_times() {
    let goldens = golden("ntpsec-rate-kiss");
    let kiss = goldens
        .iter()
        .map(|golden| golden.packet().header)
        .find(|header| header.mode == Mode::Server && header.stratum == 0)
        .unwrap();
    assert_eq!(kiss.leap, LeapIndicator::Unsynchronised);
    assert_eq!(kiss.reference_id.display(0).to_string(), "RATE");
    assert!(kiss.reference_id.kiss_code().meaning().is_some());
    assert_eq!(kiss.receive_timestamp, kiss.origin_timestamp);
    assert_eq!(kiss.transmit_timestamp, kiss.origin_timestamp);
}

#[test]
fn servers_without_time_say_so_each_in_its_way() {
    let answer = |name| golden(name)[1].packet().header;
    for name in ["chrony-unsynchronised", "ntpsec-unsynchronised", "openntpd-unsynchronised"] {
        assert_eq!(answer(name).leap, LeapIndicator::Unsynchronised, "{name}");
        assert_eq!(answer(name).stratum, 0, "{name}");
    }
    assert_eq!(answer("chrony-unsynchronised").root_delay.seconds(), 1.0);
    assert_eq!(answer("ntpsec-unsynchronised").reference_id.display(0).to_string(), "INIT");
    assert_eq!(answer("openntpd-unsynchronised").reference_id.display(0).to_string(), "-");
}

#[test]
fn version_1_with_a_mode_keeps_it() {
    for name in ["chrony-v1", "ntpsec-v1"] {
        let modes = golden(name)
            .iter()
            .map(|golden| {
                let port = |name| u16::try_from(golden.number(name)).unwrap();
                let packet = golden.packet();
                assert_eq!(packet.header.version, 1);
                packet.effective_mode(port("source_port"), port("destination_port"))
            })
            .collect::<Vec<_>>();
        assert_eq!(modes, [Mode::Client, Mode::Server], "{name}");
    }
}

#[test]
fn without_its_mode_a_version_1_exchange_is_told_by_its_ports() {
    let goldens = golden("chrony-v1");
    for (golden, expected) in goldens.iter().zip([Mode::Client, Mode::Server]) {
        let mut datagram = golden.datagram.clone();
        datagram[0] &= !7;
        let packet = Packet::parse(&datagram).unwrap();
        assert_eq!(packet.header.mode, Mode::Reserved);
        let port = |name| u16::try_from(golden.number(name)).unwrap();
        assert!([port("source_port"), port("destination_port")].contains(&NTP_PORT));
        let mode = packet.effective_mode(port("source_port"), port("destination_port"));
        assert_eq!(mode, expected);
    }
}

#[test]
fn what_ntpq_asks_and_ntpd_answers_is_control() {
    for name in ["ntpsec-ntpq-readvar", "ntpsec-ntpq-peers", "ntpsec-ntpq-mrulist"] {
        for golden in golden(name) {
            let control = golden.control();
            assert_eq!(control.version, 2, "{}", golden.place);
            assert_eq!(u32::from(control.opcode), golden.number("opcode"), "{}", golden.place);
            let is_answer = golden.get("source_port") == Some("123");
            assert_eq!(control.is_response, is_answer, "{}", golden.place);
            assert!(!control.is_error, "{}", golden.place);
        }
    }
    let peers = golden("ntpsec-ntpq-peers");
    assert!(peers.iter().any(|golden| golden.control().has_more));
    assert!(peers.iter().any(|golden| golden.control().association != 0));
}

#[test]
fn a_server_above_stratum_1_names_its_upstream_by_address() {
    for name in ["openntpd-v4", "openntpd-v4-ipv6", "openntpd-ntpdig"] {
        let header = golden(name)[1].packet().header;
        assert_eq!((header.leap, header.stratum), (LeapIndicator::NoWarning, 3), "{name}");
        assert_eq!(header.reference_id.display(header.stratum).to_string(), "192.0.2.2", "{name}");
        assert_eq!(header.reference_id, ReferenceId::of_address([192, 0, 2, 2].into()));
    }
}
