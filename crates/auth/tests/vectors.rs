//! Digests that others have published or computed.

#![allow(clippy::unwrap_used)]

use timeball_auth::{Algorithm, Key, KeyId};

/// A client's request, which the digests of whole packets were computed over.
const REQUEST: &str = "230006200000000000000000000000000000000000000000\
                       00000000000000000000000000000000\
                       0123456789abcdef";

fn bytes(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> = digits.chars().map(|digit| digit.to_digit(16).unwrap()).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

fn key(algorithm: Algorithm, secret: &[u8]) -> Key {
    Key::new(KeyId::new(1).unwrap(), algorithm, secret).unwrap()
}

fn assert_digest(key: &Key, version: u8, message: &[u8], expected: &str) {
    let expected = bytes(expected);
    assert_eq!(key.sign(version, message).as_bytes(), expected);
    assert!(key.verify(version, message, &expected));
}

#[test]
fn aes_cmac_of_rfc_4493() {
    let key = key(Algorithm::Aes128, &bytes("2b7e151628aed2a6abf7158809cf4f3c"));
    let message = bytes(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
         30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
    );
    for (len, expected) in [
        (0, "bb1d6929e95937287fa37d129b756746"),
        (16, "070a16b46b4d4144f79bdd9dd04a287c"),
        (40, "dfa66747de9ae63030ca32611497c827"),
        (64, "51f0bebf7e3b9d92fc49741779363cfe"),
    ] {
        assert_digest(&key, 4, &message[..len], expected);
    }
}

/// NIST SP 800-38B, D.3.
#[test]
fn aes_cmac_with_256_bits() {
    let secret = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";
    let key = key(Algorithm::Aes256, &bytes(secret));
    let message = bytes("6bc1bee22e409f96e93d7e117393172a");
    assert_digest(&key, 4, &[], "028962f61b7bf89efc6b551f4667d983");
    assert_digest(&key, 4, &message, "28a7023f452e8f82bd4bf28d8c37c35c");
}

#[test]
fn digests_of_a_whole_packet() {
    let request = bytes(REQUEST);
    assert_eq!(request.len(), 48);
    let secret: Vec<u8> = (0..16).collect();
    let aes = key(Algorithm::Aes128, &secret);
    assert_digest(&aes, 4, &request, "b8dfca4a62329e8d74c0a602ca990dd9");
    let md5 = key(Algorithm::Md5, b"secretkey");
    assert_digest(&md5, 4, &request, "79d31e2c24536bb78f22142912724654");
    let sha1 = key(Algorithm::Sha1, b"secretkey");
    assert_digest(&sha1, 4, &request, "389a146b5a1dc13ba88109c9d178f00d6054b6ba");
    let sha256 = key(Algorithm::Sha256, b"secretkey");
    let whole = sha256.sign(3, &request);
    assert_eq!(whole.as_bytes()[..4], [0xeb, 0x47, 0xd3, 0xdc]);
    assert_eq!(whole.as_bytes()[29..], [0xec, 0xb3, 0x01]);
    assert_eq!(sha256.sign(4, &request).as_bytes(), &whole.as_bytes()[..20]);
}

/// The key is `a`, the message `bc`; published with each hash, Tiger as libgcrypt computes it.
#[test]
fn hashes_of_abc() {
    for (algorithm, expected) in [
        (Algorithm::Md5, "900150983cd24fb0d6963f7d28e17f72"),
        (Algorithm::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (Algorithm::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            Algorithm::Sha384,
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
             8086072ba1e7cc2358baeca134c825a7",
        ),
        (
            Algorithm::Sha512,
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
        (Algorithm::Sha3_224, "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf"),
        (Algorithm::Sha3_256, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"),
        (
            Algorithm::Sha3_384,
            "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b2\
             98d88cea927ac7f539f1edf228376d25",
        ),
        (
            Algorithm::Sha3_512,
            "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e\
             10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0",
        ),
        (Algorithm::Tiger, "2aab1484e8c158f2bfb8c5ff41b57a525129131c957b5f93"),
        (
            Algorithm::Whirlpool,
            "4e2448a4c6f486bb16b6562c73b4020bf3043e3a731bce721ae1b303d97e6d4c\
             7181eebdb6c57e277d0e34957114cbd6c797fc9d95d8b582d225292076d4eef5",
        ),
    ] {
        assert_digest(&key(algorithm, b"a"), 3, b"bc", expected);
    }
}
