//! The algorithms that make a message authentication code.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a digest is made of a key and a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// Hash of the key followed by the packet, as are all down to [`Whirlpool`](Self::Whirlpool)
    /// (RFC 5905 §7.3). Deprecated by RFC 8573.
    Md5,
    /// FIPS 180-4.
    Sha1,
    /// FIPS 180-4.
    Sha256,
    /// FIPS 180-4.
    Sha384,
    /// FIPS 180-4.
    Sha512,
    /// FIPS 202.
    Sha3_224,
    /// FIPS 202.
    Sha3_256,
    /// FIPS 202.
    Sha3_384,
    /// FIPS 202.
    Sha3_512,
    /// Anderson and Biham, 1996.
    Tiger,
    /// ISO/IEC 10118-3.
    Whirlpool,
    /// AES-CMAC (RFC 4493) with a key of 128 bits: what RFC 8573 asks for.
    Aes128,
    /// AES-CMAC with a key of 256 bits.
    Aes256,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Md5,
        Self::Sha1,
        Self::Sha256,
        Self::Sha384,
        Self::Sha512,
        Self::Sha3_224,
        Self::Sha3_256,
        Self::Sha3_384,
        Self::Sha3_512,
        Self::Tiger,
        Self::Whirlpool,
        Self::Aes128,
        Self::Aes256,
    ];

    /// The name in chronyd's key files, which is the one we write.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha384 => "SHA384",
            Self::Sha512 => "SHA512",
            Self::Sha3_224 => "SHA3-224",
            Self::Sha3_256 => "SHA3-256",
            Self::Sha3_384 => "SHA3-384",
            Self::Sha3_512 => "SHA3-512",
            Self::Tiger => "TIGER",
            Self::Whirlpool => "WHIRLPOOL",
            Self::Aes128 => "AES128",
            Self::Aes256 => "AES256",
        }
    }

    /// The algorithm of this name; ntpd has several for some. Case does not matter.
    pub fn from_name(name: &str) -> Option<Self> {
        const OTHER_NAMES: [(&str, Algorithm); 10] = [
            ("M", Algorithm::Md5),
            ("SHA", Algorithm::Sha1),
            ("SHA-1", Algorithm::Sha1),
            ("SHA-256", Algorithm::Sha256),
            ("SHA-384", Algorithm::Sha384),
            ("SHA-512", Algorithm::Sha512),
            ("AES", Algorithm::Aes128),
            ("AES-128", Algorithm::Aes128),
            ("AES-128-CMAC", Algorithm::Aes128),
            ("AES128CMAC", Algorithm::Aes128),
        ];
        let ours = Self::ALL.into_iter().map(|algorithm| (algorithm.name(), algorithm));
        ours.chain(OTHER_NAMES)
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, algorithm)| algorithm)
    }

    /// The number by which chronyc's protocol knows it.
    pub const fn chrony_number(self) -> u16 {
        match self {
            Self::Md5 => 1,
            Self::Sha1 => 2,
            Self::Sha256 => 3,
            Self::Sha384 => 4,
            Self::Sha512 => 5,
            Self::Sha3_224 => 6,
            Self::Sha3_256 => 7,
            Self::Sha3_384 => 8,
            Self::Sha3_512 => 9,
            Self::Tiger => 10,
            Self::Whirlpool => 11,
            Self::Aes128 => 13,
            Self::Aes256 => 14,
        }
    }

    /// Length (bytes) of a key, if only one will do: a cipher's.
    pub const fn exact_key_len(self) -> Option<usize> {
        match self {
            Self::Aes128 => Some(16),
            Self::Aes256 => Some(32),
            Self::Md5
            | Self::Sha1
            | Self::Sha256
            | Self::Sha384
            | Self::Sha512
            | Self::Sha3_224
            | Self::Sha3_256
            | Self::Sha3_384
            | Self::Sha3_512
            | Self::Tiger
            | Self::Whirlpool => None,
        }
    }

    /// Length of the whole digest (bytes).
    pub const fn digest_len(self) -> usize {
        match self {
            Self::Md5 | Self::Aes128 | Self::Aes256 => 16,
            Self::Sha1 => 20,
            Self::Tiger => 24,
            Self::Sha3_224 => 28,
            Self::Sha256 | Self::Sha3_256 => 32,
            Self::Sha384 | Self::Sha3_384 => 48,
            Self::Sha512 | Self::Sha3_512 | Self::Whirlpool => 64,
        }
    }

    /// Length (bytes) of what a packet of this NTP version carries of the digest. In version 4 a
    /// longer one could pass for an extension field, and is cut (RFC 7822 §3).
    pub const fn mac_len(self, version: u8) -> usize {
        const LONGEST_OF_VERSION_4: usize = 20;
        let len = self.digest_len();
        if version >= 4 && len > LONGEST_OF_VERSION_4 { LONGEST_OF_VERSION_4 } else { len }
    }

    /// Broken as a hash. Nobody has forged a packet with it for that, but it has no place in anything
    /// new.
    pub const fn is_outdated(self) -> bool {
        matches!(self, Self::Md5 | Self::Sha1)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_whatever_their_case() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
            let small = algorithm.name().to_ascii_lowercase();
            assert_eq!(Algorithm::from_name(&small), Some(algorithm));
        }
        assert_eq!(Algorithm::from_name("M"), Some(Algorithm::Md5));
        assert_eq!(Algorithm::from_name("AES-128-CMAC"), Some(Algorithm::Aes128));
        assert_eq!(Algorithm::from_name("ROT13"), None);
        assert_eq!(Algorithm::from_name(""), None);
    }

    #[test]
    fn only_version_4_cuts_a_digest() {
        for algorithm in Algorithm::ALL {
            let whole = algorithm.digest_len();
            assert_eq!(algorithm.mac_len(1), whole);
            assert_eq!(algorithm.mac_len(3), whole);
            assert_eq!(algorithm.mac_len(4), whole.min(20));
        }
    }
}
