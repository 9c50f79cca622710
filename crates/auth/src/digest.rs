//! Digests, and what a key is turned into so that each costs as little as possible.

use aes::{Aes128, Aes256};
use arrayvec::ArrayVec;
use cmac::{Cmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};
use sha3::{Sha3_224, Sha3_256, Sha3_384, Sha3_512};
use tiger::Tiger;
use whirlpool::Whirlpool;

use crate::algorithm::Algorithm;

/// Bytes of the longest digest.
const LONGEST: usize = 64;

/// A digest, or the start of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacDigest(ArrayVec<u8, LONGEST>);

impl MacDigest {
    /// The bytes, as a packet carries them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn cut_to(mut self, len: usize) -> Self {
        self.0.truncate(len);
        self
    }

    /// No digest is longer than there is room for.
    fn of(bytes: &[u8]) -> Self {
        Self(bytes.iter().copied().take(LONGEST).collect())
    }
}

/// A hash that has taken in the key, or a cipher's key schedule.
///
/// All of them are overwritten when they are dropped.
#[derive(Clone)]
pub(crate) enum Keyed {
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
    Sha3_224(Sha3_224),
    Sha3_256(Sha3_256),
    Sha3_384(Sha3_384),
    Sha3_512(Sha3_512),
    Tiger(Tiger),
    Whirlpool(Whirlpool),
    Aes128(Box<Cmac<Aes128>>),
    Aes256(Box<Cmac<Aes256>>),
}

impl Keyed {
    /// `None` if the secret has a length that a cipher does not take.
    pub(crate) fn new(algorithm: Algorithm, secret: &[u8]) -> Option<Self> {
        Some(match algorithm {
            Algorithm::Md5 => Self::Md5(Md5::new_with_prefix(secret)),
            Algorithm::Sha1 => Self::Sha1(Sha1::new_with_prefix(secret)),
            Algorithm::Sha256 => Self::Sha256(Sha256::new_with_prefix(secret)),
            Algorithm::Sha384 => Self::Sha384(Sha384::new_with_prefix(secret)),
            Algorithm::Sha512 => Self::Sha512(Sha512::new_with_prefix(secret)),
            Algorithm::Sha3_224 => Self::Sha3_224(Sha3_224::new_with_prefix(secret)),
            Algorithm::Sha3_256 => Self::Sha3_256(Sha3_256::new_with_prefix(secret)),
            Algorithm::Sha3_384 => Self::Sha3_384(Sha3_384::new_with_prefix(secret)),
            Algorithm::Sha3_512 => Self::Sha3_512(Sha3_512::new_with_prefix(secret)),
            Algorithm::Tiger => Self::Tiger(Tiger::new_with_prefix(secret)),
            Algorithm::Whirlpool => Self::Whirlpool(Whirlpool::new_with_prefix(secret)),
            Algorithm::Aes128 => Self::Aes128(Box::new(Cmac::new_from_slice(secret).ok()?)),
            Algorithm::Aes256 => Self::Aes256(Box::new(Cmac::new_from_slice(secret).ok()?)),
        })
    }

    /// The whole digest of a message.
    pub(crate) fn digest(&self, message: &[u8]) -> MacDigest {
        match self {
            Self::Md5(hash) => hashed(hash, message),
            Self::Sha1(hash) => hashed(hash, message),
            Self::Sha256(hash) => hashed(hash, message),
            Self::Sha384(hash) => hashed(hash, message),
            Self::Sha512(hash) => hashed(hash, message),
            Self::Sha3_224(hash) => hashed(hash, message),
            Self::Sha3_256(hash) => hashed(hash, message),
            Self::Sha3_384(hash) => hashed(hash, message),
            Self::Sha3_512(hash) => hashed(hash, message),
            Self::Tiger(hash) => hashed(hash, message),
            Self::Whirlpool(hash) => hashed(hash, message),
            Self::Aes128(cmac) => tagged(cmac.as_ref(), message),
            Self::Aes256(cmac) => tagged(cmac.as_ref(), message),
        }
    }
}

fn hashed<H: Digest + Clone>(with_key: &H, message: &[u8]) -> MacDigest {
    MacDigest::of(&with_key.clone().chain_update(message).finalize())
}

fn tagged<M: Mac + Clone>(with_key: &M, message: &[u8]) -> MacDigest {
    MacDigest::of(&with_key.clone().chain_update(message).finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use cmac::block_api::CmacCore;

    use super::*;

    fn assert_overwritten<T: zeroize::ZeroizeOnDrop>() {}

    #[test]
    fn whatever_has_seen_a_key_is_overwritten() {
        assert_overwritten::<Md5>();
        assert_overwritten::<Sha1>();
        assert_overwritten::<Sha256>();
        assert_overwritten::<Sha384>();
        assert_overwritten::<Sha512>();
        assert_overwritten::<Sha3_224>();
        assert_overwritten::<Sha3_256>();
        assert_overwritten::<Sha3_384>();
        assert_overwritten::<Sha3_512>();
        assert_overwritten::<Tiger>();
        assert_overwritten::<Whirlpool>();
        // Without its buffer, which takes in messages only.
        assert_overwritten::<CmacCore<Aes128>>();
        assert_overwritten::<CmacCore<Aes256>>();
    }
}
