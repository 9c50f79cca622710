//! The authenticated ciphers that NTS negotiates, behind one face.

use std::fmt;

use aes::{Aes128Enc, Aes256Enc};
use aes_gcm_siv::aead::AeadInOut;
use aes_gcm_siv::{AesGcmSiv, KeyInit, Nonce, Tag};

use super::siv::{BLOCK, Siv};

/// Bytes that every one of them adds to a text.
pub const TAG_LEN: usize = BLOCK;

/// An authenticated cipher, by IANA's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AeadAlgorithm {
    /// 15: the one that every server has to have (RFC 8915 §5.1).
    AesSivCmac256,
    /// 17.
    AesSivCmac512,
    /// 30: shorter keys, and so shorter cookies (RFC 8452).
    Aes128GcmSiv,
}

impl AeadAlgorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::AesSivCmac256, Self::AesSivCmac512, Self::Aes128GcmSiv];

    /// IANA's number.
    pub const fn number(self) -> u16 {
        match self {
            Self::AesSivCmac256 => 15,
            Self::AesSivCmac512 => 17,
            Self::Aes128GcmSiv => 30,
        }
    }

    /// The one of this number, if we have it.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.number() == number)
    }

    /// Bytes of a key. No two of them are the same.
    pub const fn key_len(self) -> usize {
        match self {
            Self::AesSivCmac256 => 32,
            Self::AesSivCmac512 => 64,
            Self::Aes128GcmSiv => 16,
        }
    }

    /// Bytes of a nonce as we send it.
    pub const fn nonce_len(self) -> usize {
        match self {
            Self::AesSivCmac256 | Self::AesSivCmac512 => 16,
            Self::Aes128GcmSiv => 12,
        }
    }

    /// May a nonce have this length (bytes)? Those of SIV may have any.
    const fn takes_nonce(self, len: usize) -> bool {
        match self {
            Self::AesSivCmac256 | Self::AesSivCmac512 => len > 0,
            Self::Aes128GcmSiv => len == self.nonce_len(),
        }
    }
}

/// A key, ready for use. Overwritten when it is dropped.
#[derive(Clone)]
pub struct AeadKey {
    algorithm: AeadAlgorithm,
    schedule: Schedule,
}

/// Not in boxes: a server makes two of them for every request, and must not allocate for it. None of
/// the ciphers ever decrypts a block, so nobody makes the schedules for that.
#[derive(Clone)]
enum Schedule {
    Siv128(Siv<Aes128Enc>),
    Siv256(Siv<Aes256Enc>),
    GcmSiv(AesGcmSiv<Aes128Enc>),
}

impl AeadKey {
    /// `None` if the key has another length than the algorithm's.
    pub fn new(algorithm: AeadAlgorithm, key: &[u8]) -> Option<Self> {
        let schedule = match algorithm {
            AeadAlgorithm::AesSivCmac256 => Schedule::Siv128(Siv::new(key)?),
            AeadAlgorithm::AesSivCmac512 => Schedule::Siv256(Siv::new(key)?),
            AeadAlgorithm::Aes128GcmSiv => Schedule::GcmSiv(AesGcmSiv::new_from_slice(key).ok()?),
        };
        Some(Self { algorithm, schedule })
    }

    /// Which cipher it is for.
    pub const fn algorithm(&self) -> AeadAlgorithm {
        self.algorithm
    }

    /// Encrypts `text` to the start of `out`, and answers how many bytes that took: [`TAG_LEN`] more
    /// than it has. `None` if there is no room, or the nonce has a length that the cipher does not
    /// take.
    pub fn seal(
        &self,
        nonce: &[u8],
        associated: &[u8],
        text: &[u8],
        out: &mut [u8],
    ) -> Option<usize> {
        if !self.algorithm.takes_nonce(nonce.len()) {
            return None;
        }
        let len = text.len().checked_add(TAG_LEN)?;
        let out = out.get_mut(..len)?;
        match &self.schedule {
            Schedule::Siv128(siv) => {
                let (tag, body) = out.split_first_chunk_mut()?;
                body.copy_from_slice(text);
                *tag = siv.encrypt(&[associated, nonce], body);
            }
            Schedule::Siv256(siv) => {
                let (tag, body) = out.split_first_chunk_mut()?;
                body.copy_from_slice(text);
                *tag = siv.encrypt(&[associated, nonce], body);
            }
            Schedule::GcmSiv(cipher) => {
                let (body, tag) = out.split_last_chunk_mut::<TAG_LEN>()?;
                body.copy_from_slice(text);
                let nonce = Nonce::try_from(nonce).ok()?;
                let made = cipher.encrypt_inout_detached(&nonce, associated, body.into()).ok()?;
                *tag = made.into();
            }
        }
        Some(len)
    }

    /// Decrypts what [`seal`](Self::seal) has made to the start of `out`, and answers how many bytes
    /// that took. `None` if it is not authentic, or there is no room; then `out` says nothing of it.
    pub fn open(
        &self,
        nonce: &[u8],
        associated: &[u8],
        sealed: &[u8],
        out: &mut [u8],
    ) -> Option<usize> {
        if !self.algorithm.takes_nonce(nonce.len()) {
            return None;
        }
        let len = sealed.len().checked_sub(TAG_LEN)?;
        let out = out.get_mut(..len)?;
        let authentic = match &self.schedule {
            Schedule::Siv128(siv) => {
                let (tag, body) = sealed.split_first_chunk()?;
                out.copy_from_slice(body);
                siv.decrypt(&[associated, nonce], *tag, out)
            }
            Schedule::Siv256(siv) => {
                let (tag, body) = sealed.split_first_chunk()?;
                out.copy_from_slice(body);
                siv.decrypt(&[associated, nonce], *tag, out)
            }
            Schedule::GcmSiv(cipher) => {
                let (body, tag) = sealed.split_last_chunk::<TAG_LEN>()?;
                out.copy_from_slice(body);
                let nonce = Nonce::try_from(nonce).ok()?;
                let tag = Tag::from(*tag);
                let opened = cipher.decrypt_inout_detached(&nonce, associated, out.into(), &tag);
                opened.is_ok()
            }
        };
        authentic.then_some(len)
    }
}

impl fmt::Debug for AeadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AeadKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(in crate::nts) fn bytes(digits: &str) -> Vec<u8> {
        let digits: Vec<u32> = digits.chars().map(|digit| digit.to_digit(16).unwrap()).collect();
        digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
    }

    fn count_up(from: u8, len: u8) -> Vec<u8> {
        (from..from + len).collect()
    }

    fn assert_sealed(key: &AeadKey, nonce: &[u8], associated: &[u8], text: &[u8], expected: &str) {
        let mut out = [0xee; 256];
        let len = key.seal(nonce, associated, text, &mut out).unwrap();
        assert_eq!(out[..len], bytes(expected));
        let mut opened = [0; 256];
        assert_eq!(key.open(nonce, associated, &out[..len], &mut opened), Some(text.len()));
        assert_eq!(&opened[..text.len()], text);
    }

    /// Associated data 00…2f, nonce 10…1f, key 00, 01, … as OpenSSL computes it. An empty text is what
    /// a request has.
    #[test]
    fn siv_with_one_string_of_associated_data_and_a_nonce() {
        for (algorithm, empty, full) in [
            (
                AeadAlgorithm::AesSivCmac256,
                "2f4ea1b0a9958380a88719bcea78270b",
                "5c429d41df7d953a85f531a303a29284d25f7d9aaca7ffb15c4b9e1ee0352319\
                 20906261fc68e0c3a3240d9b7f622b30",
            ),
            (
                AeadAlgorithm::AesSivCmac512,
                "33bf7da91d94417f6b60b11832305f75",
                "d135e35afa75a7f26cc84998c7b194d607f0856a0909efef78a18d99b741eb6c\
                 247db8d25b2a533ca1dd81d5cc24f129",
            ),
        ] {
            let key = AeadKey::new(algorithm, &count_up(0, algorithm.key_len() as u8)).unwrap();
            let (nonce, associated) = (count_up(0x10, 16), count_up(0, 48));
            assert_sealed(&key, &nonce, &associated, &[], empty);
            assert_sealed(&key, &nonce, &associated, &count_up(0x80, 32), full);
        }
    }

    #[test]
    fn gcm_siv() {
        let algorithm = AeadAlgorithm::Aes128GcmSiv;
        let key = AeadKey::new(algorithm, &count_up(0, 16)).unwrap();
        let (nonce, associated) = (count_up(0x10, 12), count_up(0, 48));
        assert_sealed(&key, &nonce, &associated, &[], "bcccd8995eea7d31de3e94c19867eb47");
        assert_sealed(
            &key,
            &nonce,
            &associated,
            &count_up(0x80, 32),
            "893235e4dbbf0027c08c069a0412018748a5bf5e9857c844f841a343f159b714\
             b4a228e4ed6568a8348404dac45e68ad",
        );
        // RFC 8452 §C.1.
        let mut secret = [0; 16];
        secret[0] = 1;
        let mut nonce = [0; 12];
        nonce[0] = 3;
        let key = AeadKey::new(algorithm, &secret).unwrap();
        assert_sealed(&key, &nonce, &[], &[], "dc20e2d83f25705bb49e439eca56de25");
        let one = bytes("0100000000000000");
        let expected = "b5d839330ac7b786578782fff6013b815b287c22493a364c";
        assert_sealed(&key, &nonce, &[], &one, expected);
        let two = bytes("0200000000000000");
        let expected = "1e6daba35669f4273b0a1a2560969cdf790d99759abd1508";
        assert_sealed(&key, &nonce, &[1], &two, expected);
    }

    #[test]
    fn numbers_and_lengths() {
        for algorithm in AeadAlgorithm::ALL {
            assert_eq!(AeadAlgorithm::from_number(algorithm.number()), Some(algorithm));
            let len = algorithm.key_len();
            assert!(AeadKey::new(algorithm, &vec![0; len]).is_some());
            for other in [0, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65] {
                let fits = AeadKey::new(algorithm, &vec![0; other]).is_some();
                assert_eq!(fits, other == len, "{algorithm:?} {other}");
            }
        }
        assert_eq!(AeadAlgorithm::from_number(16), None);
        assert_eq!(AeadAlgorithm::from_number(31), None);
    }

    #[test]
    fn nonces_have_lengths_too() {
        let mut out = [0; 64];
        for algorithm in AeadAlgorithm::ALL {
            let key = AeadKey::new(algorithm, &vec![0; algorithm.key_len()]).unwrap();
            assert_eq!(key.seal(&[], &[], &[], &mut out), None);
            assert_eq!(key.open(&[], &[], &[0; 16], &mut out), None);
            assert_eq!(key.seal(&[0; 12], &[], &[], &mut out), Some(16));
            let other = key.seal(&[0; 13], &[], &[], &mut out);
            assert_eq!(other.is_some(), algorithm != AeadAlgorithm::Aes128GcmSiv);
        }
    }

    proptest! {
        #[test]
        fn what_is_changed_anywhere_is_not_opened(
            which in 0..AeadAlgorithm::ALL.len(),
            associated in proptest::collection::vec(any::<u8>(), 0..70),
            text in proptest::collection::vec(any::<u8>(), 0..70),
            place in any::<proptest::sample::Index>(),
            bit in 0..8_u8,
        ) {
            let algorithm = AeadAlgorithm::ALL[which];
            let key = AeadKey::new(algorithm, &vec![9; algorithm.key_len()]).unwrap();
            let nonce = vec![5; algorithm.nonce_len()];
            let mut sealed = vec![0; text.len() + TAG_LEN];
            let written = key.seal(&nonce, &associated, &text, &mut sealed);
            prop_assert_eq!(written, Some(sealed.len()));
            let mut opened = vec![0; text.len()];
            prop_assert_eq!(key.open(&nonce, &associated, &sealed, &mut opened), Some(text.len()));
            prop_assert_eq!(&opened, &text);
            // No room, and cut.
            let (_, short) = sealed.split_first_mut().unwrap();
            prop_assert_eq!(key.seal(&nonce, &associated, &text, short), None);
            let written = key.seal(&nonce, &associated, &text, &mut sealed);
            prop_assert_eq!(written, Some(text.len() + TAG_LEN));
            let cut = &sealed[..sealed.len() - 1];
            prop_assert_eq!(key.open(&nonce, &associated, cut, &mut opened), None);
            let mut changed = sealed.clone();
            changed[place.index(sealed.len())] ^= 1 << bit;
            prop_assert_eq!(key.open(&nonce, &associated, &changed, &mut opened), None);
            let mut other = associated.clone();
            other.push(0);
            prop_assert_eq!(key.open(&nonce, &other, &sealed, &mut opened), None);
        }
    }
}
