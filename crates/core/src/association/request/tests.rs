use proptest::prelude::*;
use timeball_auth::Keys;
use timeball_wire::{ExtensionField, FieldType, KissCode, PacketWriter, Timestamp};

use super::*;

const SERVER: &str = "192.0.2.1:123";

fn request() -> Request {
    Request::new(SERVER.parse().expect("an address"), 4, 0x0123_4567_89ab_cdef)
}

/// A good answer to [`request`].
fn answer() -> Header {
    let now = Timestamp::from_nanos(1_700_000_000_000_000_000);
    let before = |seconds| NtpTimestamp::from(now - timeball_wire::Span::from_secs(seconds));
    Header {
        leap: LeapIndicator::NoWarning,
        version: 4,
        mode: Mode::Server,
        stratum: 2,
        poll: 6,
        precision: -20,
        root_delay: NtpShort::from_seconds_ceil(0.01),
        root_dispersion: NtpShort::from_seconds_ceil(0.02),
        reference_id: ReferenceId::from_bytes([192, 0, 2, 7]),
        reference_timestamp: before(30),
        origin_timestamp: request().cookie,
        receive_timestamp: before(0),
        transmit_timestamp: before(0),
    }
}

fn examine(header: &Header) -> Result<Reply, Reject> {
    request().examine(request().destination, &header.to_bytes(), Keys::NONE)
}

fn examine_bytes(bytes: &[u8]) -> Result<Reply, Reject> {
    request().examine(request().destination, bytes, Keys::NONE)
}

#[test]
fn a_request_tells_nothing_but_its_version_and_random_bits() {
    let bytes = request().header().to_bytes();
    let mut expected = [0; 48];
    expected[0] = 0b00_100_011;
    expected[3] = 0x20;
    expected[40..].copy_from_slice(&0x0123_4567_89ab_cdef_u64.to_be_bytes());
    assert_eq!(bytes, expected);
    assert!(!Request::new(request().destination, 4, 0).cookie.is_zero());
}

#[test]
fn the_answer_to_the_request_is_accepted() {
    assert_eq!(examine(&answer()), Ok(Reply::Time(answer())));
    // Also from a server of an older version, and with no reference time set.
    let old = Header { version: 3, reference_timestamp: NtpTimestamp::ZERO, ..answer() };
    assert_eq!(examine(&old), Ok(Reply::Time(old)));
}

#[test]
fn a_mapped_address_is_the_same_server() {
    let mapped = "[::ffff:192.0.2.1]:123".parse().expect("an address");
    assert_eq!(
        request().examine(mapped, &answer().to_bytes(), Keys::NONE),
        Ok(Reply::Time(answer()))
    );
}

#[test]
fn answers_from_elsewhere_are_rejected() {
    for elsewhere in ["192.0.2.2:123", "192.0.2.1:124", "[2001:db8::1]:123"] {
        let from = elsewhere.parse().expect("an address");
        assert_eq!(
            request().examine(from, &answer().to_bytes(), Keys::NONE),
            Err(Reject::WrongSource)
        );
    }
}

#[test]
fn each_broken_rule_has_its_name() {
    let good = answer();
    let cases = [
        (Header { version: 5, ..good }, Reject::Malformed),
        (Header { version: 0, ..good }, Reject::Malformed),
        (Header { mode: Mode::Client, ..good }, Reject::WrongMode),
        (Header { mode: Mode::SymmetricPassive, ..good }, Reject::WrongMode),
        (Header { mode: Mode::Broadcast, ..good }, Reject::WrongMode),
        (Header { mode: Mode::Private, ..good }, Reject::PrivateMessage),
        (Header { mode: Mode::Control, ..good }, Reject::ControlMessage),
        (Header { origin_timestamp: NtpTimestamp::ZERO, ..good }, Reject::ZeroOrigin),
        (Header { origin_timestamp: NtpTimestamp::from_bits(1), ..good }, Reject::WrongOrigin),
        (Header { receive_timestamp: NtpTimestamp::ZERO, ..good }, Reject::ZeroTimestamp),
        (Header { transmit_timestamp: NtpTimestamp::ZERO, ..good }, Reject::ZeroTimestamp),
        (Header { leap: LeapIndicator::Unsynchronised, ..good }, Reject::Unsynchronised),
        (Header { stratum: 16, ..good }, Reject::Unsynchronised),
        (
            Header { leap: LeapIndicator::Unsynchronised, stratum: 0, ..good },
            Reject::Unsynchronised,
        ),
        (Header { stratum: 17, ..good }, Reject::InvalidStratum),
        (Header { stratum: 255, ..good }, Reject::InvalidStratum),
        (
            Header { root_dispersion: NtpShort::from_seconds_ceil(16.0), ..good },
            Reject::RootDistance,
        ),
        (Header { root_delay: NtpShort::from_seconds_ceil(32.0), ..good }, Reject::RootDistance),
        (Header { root_delay: NtpShort::from_bits(u32::MAX), ..good }, Reject::RootDistance),
        (
            Header {
                reference_timestamp: NtpTimestamp::from_bits(
                    good.transmit_timestamp.to_bits() + (2 << 32),
                ),
                ..good
            },
            Reject::ReferenceInFuture,
        ),
    ];
    for (header, reject) in cases {
        assert_eq!(examine(&header), Err(reject), "{header:?}");
    }
}

#[test]
fn a_version_never_asked_for_is_rejected() {
    let request = Request { version: 3, ..request() };
    let result = request.examine(request.destination, &answer().to_bytes(), Keys::NONE);
    assert_eq!(result, Err(Reject::WrongVersion));
}

#[test]
fn truncated_and_padded_answers_are_malformed() {
    let bytes = answer().to_bytes();
    for len in 0..bytes.len() {
        let expected = match examine_bytes(&bytes[..len]) {
            Err(Reject::Malformed) => Reject::Malformed,
            other => panic!("{len}: {other:?}"),
        };
        assert_eq!(examine_bytes(&bytes[..len]), Err(expected));
    }
    let mut long = bytes.to_vec();
    long.extend([1, 2, 3, 4]);
    assert_eq!(examine_bytes(&long), Err(Reject::Malformed));
    long.resize(MAX_ANSWER_LEN + 4, 0);
    assert_eq!(examine_bytes(&long), Err(Reject::Oversized));
}

#[test]
fn crypto_naks_and_macs_that_nobody_asked_for_mean_nothing() {
    let mut nak = answer().to_bytes().to_vec();
    nak.extend([0; 4]);
    assert_eq!(examine_bytes(&nak), Err(Reject::CryptoNak));
    let mut mac = answer().to_bytes().to_vec();
    mac.extend([7; 20]);
    assert_eq!(examine_bytes(&mac), Err(Reject::UnexpectedMac));
}

#[test]
fn unknown_extension_fields_are_skipped() {
    let mut buffer = [0; 128];
    let mut writer = PacketWriter::new(&answer(), &mut buffer).expect("room for a header");
    let field = ExtensionField { field_type: FieldType::from_u16(0xf1f1), value: &[9; 24] };
    writer.field(&field).expect("room for a field");
    let datagram = writer.finish().expect("room for padding");
    assert_eq!(examine_bytes(datagram), Ok(Reply::Time(answer())));
}

#[test]
fn a_kiss_is_one_only_with_the_right_origin() {
    let kiss = Header {
        leap: LeapIndicator::Unsynchronised,
        stratum: 0,
        reference_id: ReferenceId::from_bytes(*b"RATE"),
        poll: 9,
        receive_timestamp: NtpTimestamp::ZERO,
        transmit_timestamp: NtpTimestamp::ZERO,
        ..answer()
    };
    assert_eq!(examine(&kiss), Ok(Reply::Kiss { code: KissCode::Rate, poll: 9 }));
    let spoofed = Header { origin_timestamp: NtpTimestamp::ZERO, ..kiss };
    assert_eq!(examine(&spoofed), Err(Reject::ZeroOrigin));
    let spoofed = Header { origin_timestamp: NtpTimestamp::from_bits(99), ..kiss };
    assert_eq!(examine(&spoofed), Err(Reject::WrongOrigin));
}

proptest! {
    #[test]
    fn no_bytes_panic_and_none_are_believed_without_the_origin(
        mut bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        if let Some(origin) = bytes.get_mut(24..32) {
            origin[0] ^= u8::from(origin == request().cookie.to_bits().to_be_bytes());
        }
        let result = examine_bytes(&bytes);
        prop_assert!(result.is_err_and(|reject| !reject.proves_origin()), "{result:?}");
    }
}
