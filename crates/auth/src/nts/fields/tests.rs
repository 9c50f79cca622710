use timeball_wire::Header;

use super::super::request::{Protection, ResponseError, open_response};
use super::super::{AeadAlgorithm, AeadKey};
use super::*;

const IDENTIFIER: [u8; UNIQUE_IDENTIFIER_LEN] = [0xa5; UNIQUE_IDENTIFIER_LEN];
const NONCE: [u8; MAX_NONCE_LEN] = [0x3c; MAX_NONCE_LEN];

fn key(algorithm: AeadAlgorithm, seed: u8) -> AeadKey {
    AeadKey::new(algorithm, &vec![seed; algorithm.key_len()]).unwrap()
}

fn header(mode: u8) -> Header {
    let mut bytes = [0; Header::LEN];
    bytes[0] = 4 << 3 | mode;
    Header::from_bytes(&bytes)
}

fn request(algorithm: AeadAlgorithm, cookie: &[u8], placeholders: usize) -> Vec<u8> {
    let mut buffer = [0xee; 1500];
    let mut writer = PacketWriter::new(&header(3), &mut buffer).unwrap();
    let key = &key(algorithm, 1);
    let protection =
        Protection { unique_identifier: &IDENTIFIER, cookie, placeholders, key, nonce: &NONCE };
    protection.write(&mut writer).unwrap();
    writer.finish().unwrap().to_vec()
}

fn response(key: &AeadKey, identifier: &[u8], text: &[u8]) -> Vec<u8> {
    let mut buffer = [0; 1500];
    let mut writer = PacketWriter::new(&header(4), &mut buffer).unwrap();
    let field_type = FieldType::UNIQUE_IDENTIFIER;
    writer.field(&ExtensionField { field_type, value: identifier }).unwrap();
    write_authenticator(&mut writer, key, &NONCE, text).unwrap();
    writer.finish().unwrap().to_vec()
}

#[test]
fn a_request_has_the_length_of_others_and_proves_itself() {
    for (algorithm, cookie_len, placeholders, len) in [
        (AeadAlgorithm::AesSivCmac256, 100, 0, 228),
        (AeadAlgorithm::AesSivCmac256, 100, 7, 228 + 7 * 104),
        (AeadAlgorithm::Aes128GcmSiv, 64, 2, 188 + 2 * 68),
        (AeadAlgorithm::AesSivCmac512, 160, 0, 288),
    ] {
        let cookie = vec![0xc0; cookie_len];
        let request = request(algorithm, &cookie, placeholders);
        assert_eq!(request.len(), len, "{algorithm:?}");
        let fields = NtsFields::of(&Packet::parse(&request).unwrap()).unwrap();
        assert_eq!(fields.unique_identifier, Some(&IDENTIFIER[..]));
        assert_eq!(fields.cookie, Some(&cookie[..]));
        assert_eq!(fields.placeholders, placeholders);
        let authenticator = fields.authenticator.unwrap();
        assert_eq!(authenticator.nonce, &NONCE[..algorithm.nonce_len()]);
        assert!(authenticator.padding.is_empty());
        assert_eq!(authenticator.open(&key(algorithm, 1), &mut []), Some(&[][..]));
        assert_eq!(authenticator.open(&key(algorithm, 2), &mut []), None);
        for place in (0..authenticator.associated.len()).step_by(7) {
            let mut changed = request.clone();
            changed[place] ^= 1;
            let Ok(packet) = Packet::parse(&changed) else { continue };
            let opened = NtsFields::of(&packet).ok().and_then(|fields| {
                fields.authenticator?.open(&key(algorithm, 1), &mut []).map(<[u8]>::len)
            });
            assert_eq!(opened, None, "{place}");
        }
    }
}

#[test]
fn an_answer_brings_its_encrypted_fields() {
    let mut text = vec![2, 4, 0, 104];
    text.extend([7; 100]);
    text.extend([0x20, 5, 0, 4]);
    for algorithm in AeadAlgorithm::ALL {
        let response = response(&key(algorithm, 2), &IDENTIFIER, &text);
        let packet = Packet::parse(&response).unwrap();
        let mut out = [0; 1024];
        let fields = open_response(&packet, &IDENTIFIER, &key(algorithm, 2), &mut out).unwrap();
        let fields: Vec<_> = fields.map(Result::unwrap).collect();
        assert_eq!(fields[0].field_type, FieldType::NTS_COOKIE);
        assert_eq!(fields[0].value, [7; 100]);
        assert_eq!(
            fields[1],
            ExtensionField { field_type: FieldType::CHECKSUM_COMPLEMENT, value: &[] }
        );
        assert_eq!(fields.len(), 2);
    }
}

#[test]
fn what_is_no_answer_says_why() {
    let algorithm = AeadAlgorithm::AesSivCmac256;
    let ours = key(algorithm, 2);
    let judge = |datagram: &[u8]| {
        let packet = Packet::parse(datagram).unwrap();
        open_response(&packet, &IDENTIFIER, &ours, &mut [0; 1024]).err()
    };
    assert_eq!(judge(&response(&ours, &IDENTIFIER, &[])), None);
    let other = [0x5a; UNIQUE_IDENTIFIER_LEN];
    assert_eq!(judge(&response(&ours, &other, &[])), Some(ResponseError::UniqueIdentifier));
    let shorter = &IDENTIFIER[..28];
    assert_eq!(judge(&response(&ours, shorter, &[])), Some(ResponseError::UniqueIdentifier));
    let longer = [0xa5; 36];
    assert_eq!(judge(&response(&ours, &longer, &[])), Some(ResponseError::UniqueIdentifier));
    assert_eq!(judge(&header(4).to_bytes()), Some(ResponseError::UniqueIdentifier));
    let with_other_key = response(&key(algorithm, 1), &IDENTIFIER, &[]);
    assert_eq!(judge(&with_other_key), Some(ResponseError::NotAuthentic));
    let unauthenticated = &response(&ours, &IDENTIFIER, &[])[..84];
    assert_eq!(judge(unauthenticated), Some(ResponseError::Unauthenticated));
    for text in [&[2, 4, 0, 3][..], &[2, 4, 0, 6, 0, 0], &[2, 4, 0, 8], &[2, 4, 0], &[2, 4, 0, 0]] {
        let error = ResponseError::Fields(FieldsError::EncryptedLength);
        assert_eq!(judge(&response(&ours, &IDENTIFIER, text)), Some(error), "{text:?}");
    }
}

/// The lengths in an authenticator are its sender's word only.
#[test]
fn an_authenticator_of_impossible_lengths_is_an_error() {
    let sound = request(AeadAlgorithm::AesSivCmac256, &[1; 100], 0);
    let start = sound.len() - 36;
    for (nonce_len, sealed_len, sound_lengths) in [
        (16_u16, 16_u16, true),
        (16, 15, true),
        (12, 20, true),
        (0, 0, true),
        (0, 32, true),
        (16, 17, false),
        (17, 16, false),
        (60_000, 16, false),
        (16, 60_000, false),
        (u16::MAX, u16::MAX, false),
    ] {
        let mut changed = sound.clone();
        changed[start..start + 2].copy_from_slice(&nonce_len.to_be_bytes());
        changed[start + 2..start + 4].copy_from_slice(&sealed_len.to_be_bytes());
        let fields = NtsFields::of(&Packet::parse(&changed).unwrap());
        if !sound_lengths {
            assert_eq!(fields, Err(FieldsError::AuthenticatorLength), "{nonce_len} {sealed_len}");
            continue;
        }
        let opened = fields.unwrap().authenticator.unwrap();
        let opened = opened.open(&key(AeadAlgorithm::AesSivCmac256, 1), &mut [0; 64]).is_some();
        assert_eq!(opened, (nonce_len, sealed_len) == (16, 16), "{nonce_len} {sealed_len}");
    }
}

#[test]
fn what_follows_the_authenticator_and_what_comes_twice() {
    let sound = request(AeadAlgorithm::AesSivCmac256, &[1; 100], 1);
    let read = |bytes: &[u8]| NtsFields::of(&Packet::parse(bytes).unwrap()).map(|f| f.placeholders);
    assert_eq!(read(&sound), Ok(1));
    // Another placeholder at the end counts for nothing, nor does a second cookie there.
    let field = |start: usize| sound[start..start + 104].to_vec();
    assert_eq!(read(&[sound.clone(), field(188), field(84)].concat()), Ok(1));
    // Before it, it is an error.
    let twice = [&sound[..188], &field(84), &sound[188..]].concat();
    assert_eq!(read(&twice), Err(FieldsError::Repeated(FieldType::NTS_COOKIE)));
    let twice = [&sound[..84], &sound[48..]].concat();
    assert_eq!(read(&twice), Err(FieldsError::Repeated(FieldType::UNIQUE_IDENTIFIER)));
    // A placeholder of another length than the cookie's makes room for none.
    let mut longer = sound.clone();
    longer[191] += 4;
    longer.splice(292..292, [0; 4]);
    assert_eq!(read(&longer), Ok(0));
}
