use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

/// A packet's worth of bytes to sign.
const MESSAGE: [u8; 48] = [0x23; 48];

fn id(number: u32) -> KeyId {
    KeyId::new(number).unwrap()
}

/// The one key in a line that has no mistakes.
fn one(format: Format, line: &[u8]) -> Key {
    let file = KeyFile::parse(format, line);
    assert_eq!(file.mistakes, []);
    assert_eq!(file.keys.len(), 1);
    file.keys.iter().next().cloned().unwrap()
}

fn is(key: &Key, number: u32, algorithm: Algorithm, secret: &[u8]) -> bool {
    let wanted = Key::new(id(number), algorithm, secret).unwrap();
    (key.id(), key.algorithm()) == (wanted.id(), wanted.algorithm())
        && key.sign(3, &MESSAGE) == wanted.sign(3, &MESSAGE)
}

fn fault(format: Format, line: &[u8]) -> Fault {
    let file = KeyFile::parse(format, line);
    assert!(file.keys.is_empty());
    match file.mistakes[..] {
        [Mistake { line: 1, fault }] => fault,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn chronyd_has_three_forms_of_a_key() {
    let secret = br"k]<j.Jtw^Oo;z5E>n\_0-x=)yP\f<)Z^";
    for line in [
        br"1 k]<j.Jtw^Oo;z5E>n\_0-x=)yP\f<)Z^".as_slice(),
        br"1 ASCII:k]<j.Jtw^Oo;z5E>n\_0-x=)yP\f<)Z^",
        br"1 MD5 ASCII:k]<j.Jtw^Oo;z5E>n\_0-x=)yP\f<)Z^",
        b"1 MD5 HEX:6B5D3C6A2E4A74775E4F6F3B7A35453E6E5C5F302D783D2979505C663C295A5E",
        b"  1\tmd5   HEX:6b5d3c6a2e4a74775e4f6f3b7a35453e6e5c5f302d783d2979505c663c295a5e \r",
    ] {
        assert!(is(&one(Format::Chrony, line), 1, Algorithm::Md5, secret));
    }
    let aes = one(
        Format::Chrony,
        b"4294967295 AES256 HEX:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    );
    let secret: Vec<u8> = (0..32).collect();
    assert!(is(&aes, u32::MAX, Algorithm::Aes256, &secret));
}

#[test]
fn chronyd_has_comments_on_lines_of_their_own() {
    let content = b"# 1 MD5 a\n; 2 MD5 a\n! 3 MD5 a\n% 4 MD5 a\n\n   \n5 MD5 a#b\n";
    let file = KeyFile::parse(Format::Chrony, content);
    assert_eq!(file.mistakes, []);
    let keys: Vec<&Key> = file.keys.iter().collect();
    assert!(matches!(keys[..], [key] if is(key, 5, Algorithm::Md5, b"a#b")));
}

#[test]
fn ntpd_tells_the_two_forms_of_a_key_by_their_length() {
    let plain = one(Format::Ntp, b"1 M 12345678901234567890 # the old one");
    assert!(is(&plain, 1, Algorithm::Md5, b"12345678901234567890"));
    let hexadecimal = one(Format::Ntp, b"2 SHA1 0102030405060708090a0B");
    assert!(is(&hexadecimal, 2, Algorithm::Sha1, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]));
    let cut = one(Format::Ntp, b"3 SHA256 abc#def");
    assert!(is(&cut, 3, Algorithm::Sha256, b"abc"));
}

#[test]
fn ntpd_fits_a_ciphers_key() {
    let short = one(Format::Ntp, b"1 AES abc");
    assert!(is(&short, 1, Algorithm::Aes128, b"abc\0\0\0\0\0\0\0\0\0\0\0\0\0"));
    let long = one(Format::Ntp, b"1 AES128CMAC 12345678901234567890");
    assert!(is(&long, 1, Algorithm::Aes128, b"1234567890123456"));
}

#[test]
fn ntpd_limits_a_key_to_addresses() {
    let key = one(Format::Ntp, b"1 SHA1 secret 192.0.2.1,2001:db8::/32,198.51.100.0/24");
    let is_for = |host: &str| key.is_for(host.parse::<IpAddr>().unwrap());
    assert!(is_for("192.0.2.1"));
    assert!(!is_for("192.0.2.2"));
    assert!(is_for("2001:db8::9"));
    assert!(is_for("198.51.100.77"));
    assert_eq!(fault(Format::Ntp, b"1 SHA1 secret everybody"), Fault::Addresses);
    assert_eq!(fault(Format::Ntp, b"1 SHA1 secret 192.0.2.1,"), Fault::Addresses);
    assert_eq!(fault(Format::Ntp, b"1 SHA1 secret 192.0.2.1 10.0.0.1"), Fault::TooManyWords);
}

#[test]
fn every_mistake_has_its_name() {
    let (chrony, ntp) = (Format::Chrony, Format::Ntp);
    let any = Fault::Identifier { largest: u32::MAX };
    for (format, line, expected) in [
        (chrony, "0 MD5 a", any),
        (chrony, "4294967296 MD5 a", any),
        (chrony, "-1 MD5 a", any),
        (chrony, "key MD5 a", any),
        (ntp, "65536 MD5 a", Fault::Identifier { largest: 65_535 }),
        (chrony, "1", Fault::MissingKey),
        (chrony, "1 MD5 HEX:", Fault::MissingKey),
        (chrony, "1 MD5 ASCII:", Fault::MissingKey),
        (ntp, "1 MD5", Fault::MissingKey),
        (ntp, "1 MD5 #abc", Fault::MissingKey),
        (chrony, "1 ROT13 a", Fault::UnknownType),
        (ntp, "1 secret secret", Fault::UnknownType),
        (chrony, "1 MD5 two words", Fault::TooManyWords),
        (chrony, "1 MD5 HEX:012", Fault::OddHexadecimal),
        (chrony, "1 MD5 HEX:0g", Fault::NotHexadecimal),
        (chrony, "1 MD5 HEX:+1", Fault::NotHexadecimal),
        (ntp, "1 MD5 123456789012345678901", Fault::OddHexadecimal),
        (ntp, "1 MD5 12345678901234567890x2", Fault::NotHexadecimal),
        (
            chrony,
            "1 AES128 HEX:00",
            Fault::KeyLength { algorithm: Algorithm::Aes128, len: 1, wanted: 16 },
        ),
    ] {
        assert_eq!(fault(format, line.as_bytes()), expected, "{line}");
    }
    let long = [b"1 MD5 ".as_slice(), &[b'a'; LONGEST_SECRET]].concat();
    assert_eq!(one(chrony, &long).bits(), 8 * LONGEST_SECRET);
    let longer = [long.as_slice(), b"a"].concat();
    assert_eq!(fault(chrony, &longer), Fault::TooLong);
    assert_eq!(fault(chrony, &[b'1'; 65_536]), any);
}

#[test]
fn a_mistake_costs_only_its_own_line() {
    let content = b"1 MD5 a\n2 ROT13 b\n3 SHA1 c\n1 SHA256 d\n\xff MD5 e\n4 MD5 \xff\xfe";
    let file = KeyFile::parse(Format::Chrony, content);
    let ids: Vec<u32> = file.keys.iter().map(|key| key.id().get()).collect();
    assert_eq!(ids, [1, 3, 4]);
    assert_eq!(file.keys.get(id(1)).map(Key::algorithm), Some(Algorithm::Md5));
    let shown: Vec<String> = file.mistakes.iter().map(Mistake::to_string).collect();
    assert_eq!(shown.len(), 3);
    assert!(shown[0].starts_with("line 2 makes no key: its second word is no known type of key; "));
    assert_eq!(
        shown[1],
        "line 4 makes no key: its identifier is that of the key in line 1; \
         remove one of the two lines, or number it differently"
    );
    assert!(shown[2].starts_with("line 5 makes no key: it does not begin with a key identifier"));
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        number in 1..=65_535_u32,
        which in 0..Algorithm::ALL.len(),
        mut secret in proptest::collection::vec(any::<u8>(), 16..40),
    ) {
        let algorithm = Algorithm::ALL[which];
        secret.resize(algorithm.exact_key_len().unwrap_or(secret.len()), 0);
        for format in [Format::Chrony, Format::Ntp] {
            // ntpd has no cipher but AES-128.
            if (format, algorithm) == (Format::Ntp, Algorithm::Aes256) {
                continue;
            }
            let line = line(format, id(number), algorithm, &secret);
            prop_assert!(is(&one(format, line.as_bytes()), number, algorithm, &secret));
        }
    }

    #[test]
    fn no_file_is_a_surprise_and_no_message_gives_away_a_word(
        content in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        for format in [Format::Chrony, Format::Ntp] {
            KeyFile::parse(format, &content);
            let line = [b"7 sesame sesame ".as_slice(), &content].concat();
            for mistake in KeyFile::parse(format, &line).mistakes {
                prop_assert!(!mistake.to_string().contains("sesame"));
            }
        }
    }
}
