use std::collections::BTreeSet;

use timeball_wire::Header;

use super::*;
use crate::nts::KeyMaterial;
use crate::nts::request::{Protection, ResponseError, open_response};

const IDENTIFIER: [u8; 32] = [0xa1; 32];

fn server() -> ServerKeys {
    ServerKeys::new([1, 2, 3, 4].map(|seed| KeyMaterial::new(&[seed; KeyMaterial::LEN]))).unwrap()
}

fn secrets(algorithm: AeadAlgorithm) -> SessionSecrets {
    let len = algorithm.key_len();
    SessionSecrets::new(algorithm, &vec![0xc5; len], &vec![0x5c; len]).unwrap()
}

fn cookie(keys: &ServerKeys, algorithm: AeadAlgorithm) -> Vec<u8> {
    let mut cookie = [0; MAX_COOKIE_LEN];
    let len = keys.seal(&secrets(algorithm), &[9; 16], &mut cookie).unwrap();
    cookie[..len].to_vec()
}

fn header(first: u8) -> Header {
    let mut bytes = [0; Header::LEN];
    bytes[0] = first;
    Header::from_bytes(&bytes)
}

/// A request as a client sends it.
fn request(algorithm: AeadAlgorithm, cookie: &[u8], placeholders: usize) -> Vec<u8> {
    let mut buffer = [0; 1500];
    let mut writer = PacketWriter::new(&header(0x23), &mut buffer).unwrap();
    let protection = Protection {
        unique_identifier: &IDENTIFIER,
        cookie,
        placeholders,
        key: &secrets(algorithm).keys().unwrap().to_server,
        nonce: &[3; 16],
    };
    protection.write(&mut writer).unwrap();
    writer.finish().unwrap().to_vec()
}

fn open(keys: &ServerKeys, datagram: &[u8]) -> Result<Option<Client>, Rejection> {
    let packet = Packet::parse(datagram).map_err(|_| Rejection::Malformed)?;
    ProtectedRequest::of(&packet)?.map(|request| request.open(keys)).transpose()
}

/// The response to a client, in as much room as its request has.
fn respond(keys: &ServerKeys, client: &Client, room: usize) -> Result<Vec<u8>, BufferTooSmall> {
    let mut buffer = vec![0; room];
    let mut writer = PacketWriter::new(&header(0x24), &mut buffer)?;
    let field_type = FieldType::UNIQUE_IDENTIFIER;
    writer.field(&ExtensionField { field_type, value: &IDENTIFIER })?;
    let mut count = 0;
    let nonces = || {
        count += 1;
        [count; 16]
    };
    let left = room - writer.written().len();
    client.seal(keys, nonces, left, &mut writer)?;
    Ok(writer.finish()?.to_vec())
}

/// The cookies in a response, as its client reads them.
fn cookies_in(algorithm: AeadAlgorithm, response: &[u8]) -> Result<Vec<Vec<u8>>, ResponseError> {
    let packet = Packet::parse(response).unwrap();
    let key = secrets(algorithm).keys().unwrap().to_client;
    let mut out = [0; 1500];
    let fields = open_response(&packet, &IDENTIFIER, &key, &mut out)?;
    fields.map(|field| Ok(field?.value.to_vec())).collect()
}

#[test]
fn as_many_new_cookies_as_were_asked_for_in_a_response_as_long_as_the_request() {
    let keys = server();
    for algorithm in AeadAlgorithm::ALL {
        for placeholders in 0..MAX_COOKIES {
            let first = cookie(&keys, algorithm);
            let request = request(algorithm, &first, placeholders);
            let client = open(&keys, &request).unwrap().unwrap();
            let response = respond(&keys, &client, request.len()).unwrap();
            assert_eq!(response.len(), request.len(), "{algorithm:?}, {placeholders} placeholders");
            let mut cookies = cookies_in(algorithm, &response).unwrap();
            assert_eq!(cookies.len(), placeholders + 1);
            assert!(cookies.iter().all(|cookie| keys.open(cookie).is_some()));
            cookies.push(first);
            assert_eq!(cookies.iter().collect::<BTreeSet<_>>().len(), placeholders + 2);
            // What one client can read another cannot.
            let other = AeadAlgorithm::ALL.into_iter().find(|other| *other != algorithm).unwrap();
            assert_eq!(cookies_in(other, &response), Err(ResponseError::NotAuthentic));
        }
    }
}

#[test]
fn no_response_is_longer_than_the_room_for_it() {
    let keys = server();
    let algorithm = AeadAlgorithm::AesSivCmac256;
    let request = request(algorithm, &cookie(&keys, algorithm), 7);
    let client = open(&keys, &request).unwrap().unwrap();
    let mut counts = BTreeSet::new();
    for room in 84..=request.len() {
        match respond(&keys, &client, room) {
            Ok(response) => {
                assert!(response.len() <= room);
                counts.insert(cookies_in(algorithm, &response).unwrap().len());
            }
            Err(BufferTooSmall) => assert!(room < 84 + 40, "{room}"),
        }
    }
    assert_eq!(counts, (0..=8).collect());
}

#[test]
fn whatever_is_changed_is_noticed() {
    let keys = server();
    for algorithm in AeadAlgorithm::ALL {
        let good = request(algorithm, &cookie(&keys, algorithm), 1);
        for bit in 0..8 * good.len() {
            let mut changed = good.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            // As another message, or as none, it is not opened either.
            if let Ok(Some(client)) = open(&keys, &changed) {
                panic!("bit {bit} of {algorithm:?} went unnoticed: {client:?}");
            }
        }
    }
}

#[test]
fn a_cookie_is_told_from_an_authenticator() {
    let keys = server();
    let algorithm = AeadAlgorithm::Aes128GcmSiv;
    let good = request(algorithm, &cookie(&keys, algorithm), 0);
    let other =
        ServerKeys::new([5, 6, 7, 8].map(|seed| KeyMaterial::new(&[seed; KeyMaterial::LEN])))
            .unwrap();
    assert_eq!(open(&other, &good).unwrap_err(), Rejection::Cookie);
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(open(&keys, &changed).unwrap_err(), Rejection::Authenticator);
    // Of the header, too, nothing can be changed.
    changed.clone_from(&good);
    changed[40] ^= 1;
    assert_eq!(open(&keys, &changed).unwrap_err(), Rejection::Authenticator);
    // With the cookie of another client.
    let len = algorithm.key_len();
    let stolen = SessionSecrets::new(algorithm, &vec![1; len], &vec![2; len]).unwrap();
    let mut cookie = [0; MAX_COOKIE_LEN];
    let len = keys.seal(&stolen, &[9; 16], &mut cookie).unwrap();
    let request = request(algorithm, &cookie[..len], 0);
    assert_eq!(open(&keys, &request).unwrap_err(), Rejection::Authenticator);
}

/// A packet of fields, each of a type and a value, with an authenticator of all that.
fn packet_of(
    fields: &[(FieldType, &[u8])],
    algorithm: AeadAlgorithm,
    text: &[u8],
    after: &[(FieldType, &[u8])],
) -> Vec<u8> {
    let mut buffer = [0; 1500];
    let mut writer = PacketWriter::new(&header(0x23), &mut buffer).unwrap();
    for &(field_type, value) in fields {
        writer.field(&ExtensionField { field_type, value }).unwrap();
    }
    let key = secrets(algorithm).keys().unwrap().to_server;
    write_authenticator(&mut writer, &key, &[3; 16], text).unwrap();
    for &(field_type, value) in after {
        writer.field(&ExtensionField { field_type, value }).unwrap();
    }
    writer.finish().unwrap().to_vec()
}

const UNIQUE: FieldType = FieldType::UNIQUE_IDENTIFIER;
const COOKIE: FieldType = FieldType::NTS_COOKIE;
const PLACEHOLDER: FieldType = FieldType::NTS_COOKIE_PLACEHOLDER;

#[test]
fn exactly_one_identifier_and_one_cookie_before_the_authenticator() {
    let keys = server();
    let algorithm = AeadAlgorithm::AesSivCmac256;
    let cookie = cookie(&keys, algorithm);
    let (unique, cookie) = ((UNIQUE, IDENTIFIER.as_slice()), (COOKIE, cookie.as_slice()));
    let open = |fields: &[_], after: &[_]| {
        open(&keys, &packet_of(fields, algorithm, &[], after)).map(|client| client.is_some())
    };
    assert_eq!(open(&[unique, cookie], &[]), Ok(true));
    assert_eq!(open(&[cookie, unique], &[]), Ok(true));
    let bad: [&[_]; 6] = [
        &[],
        &[unique],
        &[cookie],
        &[unique, unique, cookie],
        &[unique, cookie, cookie],
        &[(UNIQUE, &IDENTIFIER[..28]), cookie],
    ];
    for fields in bad {
        assert_eq!(open(fields, &[]), Err(Rejection::Malformed), "{fields:?}");
    }
    // What follows proves nothing, and changes nothing.
    assert_eq!(open(&[unique, cookie], &[unique, cookie]), Ok(true));
    assert_eq!(open(&[unique], &[cookie]), Err(Rejection::Malformed));
    assert_eq!(open(&[cookie], &[unique]), Err(Rejection::Malformed));
}

#[test]
fn a_packet_without_an_authenticator_is_no_such_request() {
    let keys = server();
    let cookie = cookie(&keys, AeadAlgorithm::AesSivCmac256);
    let mut buffer = [0; 1500];
    let mut writer = PacketWriter::new(&header(0x23), &mut buffer).unwrap();
    for (field_type, value) in [(UNIQUE, &IDENTIFIER[..]), (COOKIE, &cookie), (COOKIE, &cookie)] {
        writer.field(&ExtensionField { field_type, value }).unwrap();
    }
    assert!(open(&keys, writer.finish().unwrap()).unwrap().is_none());
}

#[test]
fn placeholders_count_if_they_are_authentic_and_as_long_as_the_cookie() {
    let keys = server();
    let algorithm = AeadAlgorithm::AesSivCmac256;
    let cookie = cookie(&keys, algorithm);
    let hold = vec![0; cookie.len()];
    let start = [(UNIQUE, IDENTIFIER.as_slice()), (COOKIE, cookie.as_slice())];
    let wanted = |more: &[_], text: &[u8], after: &[_]| {
        let fields = [&start[..], more].concat();
        let packet = packet_of(&fields, algorithm, text, after);
        open(&keys, &packet).map(|client| client.map(|client| client.wanted))
    };
    assert_eq!(wanted(&[], &[], &[]), Ok(Some(1)));
    assert_eq!(wanted(&[(PLACEHOLDER, &hold)], &[], &[]), Ok(Some(2)));
    assert_eq!(wanted(&[(PLACEHOLDER, &hold[4..])], &[], &[]), Ok(Some(1)));
    assert_eq!(wanted(&[], &[], &[(PLACEHOLDER, &hold)]), Ok(Some(1)));
    let mut hidden = vec![0; 4 + hold.len()];
    ExtensionField { field_type: PLACEHOLDER, value: &hold }.emit(&mut hidden).unwrap();
    assert_eq!(wanted(&[], &hidden, &[]), Ok(Some(2)));
    assert_eq!(wanted(&[], &[hidden.as_slice(), &hidden].concat(), &[]), Ok(Some(3)));
    assert_eq!(wanted(&[], &hidden[..8], &[]), Err(Rejection::Malformed));
}

#[test]
fn a_short_nonce_needs_padding() {
    let keys = server();
    let algorithm = AeadAlgorithm::AesSivCmac256;
    let cookie = cookie(&keys, algorithm);
    let with_padding = |padding: usize| {
        let mut packet = request(algorithm, &cookie, 0);
        // Type and length, lengths, nonce and tag.
        packet.truncate(packet.len() - (4 + 4 + 16 + 16));
        let mut tag = [0; 16];
        let key = secrets(algorithm).keys().unwrap().to_server;
        key.seal(&[7; 4], &packet, &[], &mut tag).unwrap();
        packet.extend([4, 4, 0, 4 + 4 + 4 + 16 + padding as u8, 0, 4, 0, 16, 7, 7, 7, 7]);
        packet.extend(tag);
        packet.extend(vec![0; padding]);
        open(&keys, &packet).map(|client| client.is_some())
    };
    assert_eq!(with_padding(12), Ok(true));
    assert_eq!(with_padding(8), Err(Rejection::Malformed));
    assert_eq!(with_padding(0), Err(Rejection::Malformed));
}

#[test]
fn no_debug_shows_a_key() {
    let keys = server();
    let algorithm = AeadAlgorithm::AesSivCmac256;
    let client = open(&keys, &request(algorithm, &cookie(&keys, algorithm), 0)).unwrap().unwrap();
    let shown = format!("{client:?}");
    assert!(!shown.contains("197, 197") && !shown.contains("92, 92"), "{shown}");
}
