//! One symmetric key.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::algorithm::Algorithm;
use crate::digest::{Keyed, MacDigest};

/// Names a key to both sides; zero names none (RFC 5905 §7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(NonZeroU32);

impl KeyId {
    /// `None` for zero.
    pub const fn new(id: u32) -> Option<Self> {
        match NonZeroU32::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// As a packet has it.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for KeyId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A key, ready for use.
#[derive(Clone)]
pub struct Key {
    id: KeyId,
    algorithm: Algorithm,
    /// Length of the secret (bytes).
    len: usize,
    keyed: Keyed,
    /// Whose packets it authenticates; empty: everybody's.
    addresses: Vec<IpNet>,
}

/// A secret that its algorithm cannot use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A key of no bytes.
    #[error("the key is empty")]
    Empty,
    /// A cipher takes keys of one length only.
    #[error("the key has {len} bytes, and {algorithm} takes {wanted}")]
    Length {
        /// Which.
        algorithm: Algorithm,
        /// What it has (bytes).
        len: usize,
        /// What it should have (bytes).
        wanted: usize,
    },
}

/// Why a key had better be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// So short that it can be found by trying.
    #[error("it has only {bits} bits and can be found by trying")]
    Short {
        /// Length of the secret.
        bits: usize,
    },
    /// The hash is broken.
    #[error("{0} is deprecated for NTP (RFC 8573)")]
    Outdated(Algorithm),
}

impl Key {
    /// Fewest bits of a secret that nobody finds by trying.
    const LEAST_BITS: usize = 80;

    /// A key of these parts.
    ///
    /// # Errors
    /// If the algorithm has no use for such a secret.
    pub fn new(id: KeyId, algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        if secret.is_empty() {
            return Err(KeyError::Empty);
        }
        let len = secret.len();
        let wanted = algorithm.exact_key_len().unwrap_or(len);
        let keyed = Keyed::new(algorithm, secret).filter(|_| wanted == len);
        let keyed = keyed.ok_or(KeyError::Length { algorithm, len, wanted })?;
        Ok(Self { id, algorithm, len, keyed, addresses: Vec::new() })
    }

    /// The same for packets of these hosts and networks only; of everybody if there are none.
    #[must_use]
    pub fn limited_to(self, addresses: Vec<IpNet>) -> Self {
        Self { addresses, ..self }
    }

    /// Its name.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// How it makes digests.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Length of the secret (bits).
    pub const fn bits(&self) -> usize {
        self.len.saturating_mul(8)
    }

    /// May this host prove with it who it is?
    pub fn is_for(&self, host: IpAddr) -> bool {
        let host = host.to_canonical();
        self.addresses.is_empty() || self.addresses.iter().any(|net| net.contains(&host))
    }

    /// Why it had better be replaced, if there is a reason: the worst one.
    pub const fn weakness(&self) -> Option<Weakness> {
        if self.bits() < Self::LEAST_BITS {
            Some(Weakness::Short { bits: self.bits() })
        } else if self.algorithm.is_outdated() {
            Some(Weakness::Outdated(self.algorithm))
        } else {
            None
        }
    }

    /// The digest of a message, as long as a packet of this NTP version carries it.
    pub fn sign(&self, version: u8, message: &[u8]) -> MacDigest {
        self.keyed.digest(message).cut_to(self.algorithm.mac_len(version))
    }

    /// Is this the digest of the message? How long that takes to find out depends on lengths only.
    pub fn verify(&self, version: u8, message: &[u8], digest: &[u8]) -> bool {
        if digest.len() != self.algorithm.mac_len(version) {
            return false;
        }
        self.sign(version, message).as_bytes().ct_eq(digest).into()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .field("len", &self.len)
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(algorithm: Algorithm, secret: &[u8]) -> Key {
        Key::new(KeyId::new(7).unwrap(), algorithm, secret).unwrap()
    }

    #[test]
    fn a_digest_is_right_in_its_length_and_every_bit() {
        for algorithm in Algorithm::ALL {
            let key = key(algorithm, &vec![0x5a; algorithm.exact_key_len().unwrap_or(20)]);
            for version in 1..=4 {
                let digest = key.sign(version, b"message");
                assert_eq!(digest.as_bytes().len(), algorithm.mac_len(version));
                assert!(key.verify(version, b"message", digest.as_bytes()));
                assert!(!key.verify(version, b"massage", digest.as_bytes()));
                for bit in 0..digest.as_bytes().len() * 8 {
                    let mut wrong = digest.as_bytes().to_vec();
                    wrong[bit / 8] ^= 1 << (bit % 8);
                    assert!(!key.verify(version, b"message", &wrong), "{algorithm} {bit}");
                }
                let (shorter, _) = digest.as_bytes().split_at(digest.as_bytes().len() - 4);
                assert!(!key.verify(version, b"message", shorter));
                let longer = [digest.as_bytes(), &[0; 4]].concat();
                assert!(!key.verify(version, b"message", &longer));
                assert!(!key.verify(version, b"message", &[]));
            }
        }
    }

    #[test]
    fn a_key_can_be_for_some_hosts_only() {
        let everybody = key(Algorithm::Sha256, b"0123456789");
        assert!(everybody.is_for("192.0.2.1".parse().unwrap()));
        let nets = ["192.0.2.0/24", "2001:db8::7/128"];
        let some = everybody.limited_to(nets.map(|net| net.parse().unwrap()).to_vec());
        for (host, expected) in [
            ("192.0.2.200", true),
            ("::ffff:192.0.2.200", true),
            ("192.0.3.1", false),
            ("2001:db8::7", true),
            ("2001:db8::8", false),
        ] {
            assert_eq!(some.is_for(host.parse().unwrap()), expected, "{host}");
        }
    }

    #[test]
    fn ciphers_take_keys_of_one_length() {
        let id = KeyId::new(1).unwrap();
        let error = Key::new(id, Algorithm::Aes128, &[0; 15]).unwrap_err();
        assert_eq!(error.to_string(), "the key has 15 bytes, and AES128 takes 16");
        assert!(Key::new(id, Algorithm::Aes256, &[0; 16]).is_err());
        assert_eq!(Key::new(id, Algorithm::Md5, &[]).unwrap_err(), KeyError::Empty);
    }

    #[test]
    fn weak_keys_say_why() {
        let short = key(Algorithm::Sha256, b"123456789");
        assert_eq!(short.weakness(), Some(Weakness::Short { bits: 72 }));
        let old = key(Algorithm::Md5, b"1234567890");
        assert_eq!(old.weakness(), Some(Weakness::Outdated(Algorithm::Md5)));
        assert_eq!(key(Algorithm::Aes128, &[1; 16]).weakness(), None);
    }

    #[test]
    fn no_log_shows_a_secret() {
        let shown = format!("{:?}", key(Algorithm::Aes128, b"secretsecretsecr"));
        assert_eq!(shown, "Key { id: KeyId(7), algorithm: Aes128, len: 16, addresses: [], .. }");
    }
}
