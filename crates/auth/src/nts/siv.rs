//! AES-SIV (RFC 5297), with both key schedules made once.
//!
//! The one in the `aes-siv` crate makes the schedule of its cipher again for every message, of which
//! a server has two for each request. And each time that the `aes` crate is given something to encrypt
//! it makes its widest registers ready, which takes longer than three blocks do; so here it gets
//! everything that one key does for a message at once.

use aes::cipher::consts::U16;
use aes::cipher::{
    Array, BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, KeyInit,
};
use subtle::ConstantTimeEq;

/// Bytes of the synthetic initialisation vector, and of a block.
pub(super) const BLOCK: usize = 16;

type Block = [u8; BLOCK];

/// What both keys have been turned into. The ciphers overwrite it when it is dropped.
#[derive(Clone)]
pub(super) struct Siv<C> {
    mac: C,
    cipher: C,
}

impl<C> Siv<C>
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + KeyInit,
{
    /// `None` if the key has not the length of two of the cipher's.
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        if !key.len().is_multiple_of(2) {
            return None;
        }
        let (mac, cipher) = key.split_at_checked(key.len() / 2)?;
        Some(Self { mac: C::new_from_slice(mac).ok()?, cipher: C::new_from_slice(cipher).ok()? })
    }

    /// Encrypts in place; the vector, which is the tag as well, goes before the ciphertext.
    pub(super) fn encrypt(&self, associated: &[&[u8]], text: &mut [u8]) -> Block {
        let vector = self.vector(associated, text);
        self.count(vector, text);
        vector
    }

    /// Decrypts in place. False if the text is not what was encrypted; then it is overwritten.
    pub(super) fn decrypt(&self, associated: &[&[u8]], vector: Block, text: &mut [u8]) -> bool {
        self.count(vector, text);
        let authentic = bool::from(self.vector(associated, text).ct_eq(&vector));
        if !authentic {
            text.fill(0);
        }
        authentic
    }

    /// S2V (RFC 5297 §2.4).
    fn vector(&self, associated: &[&[u8]], text: &[u8]) -> Block {
        let mut vector = [0; BLOCK];
        self.mac.encrypt_with_backend(S2v { associated, text, vector: &mut vector });
        vector
    }

    /// Counter mode from the vector on (RFC 5297 §2.5).
    fn count(&self, vector: Block, text: &mut [u8]) {
        const CLEARED: u128 = !(1 << 63 | 1 << 31);
        if text.is_empty() {
            return;
        }
        let counter = u128::from_be_bytes(vector) & CLEARED;
        self.cipher.encrypt_with_backend(Stream { counter, text });
    }
}

/// Everything that the first key is for.
struct S2v<'s> {
    associated: &'s [&'s [u8]],
    text: &'s [u8],
    vector: &'s mut Block,
}

impl BlockSizeUser for S2v<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for S2v<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let mac = Cmac::new(backend);
        let mut sum = mac.of(&[0; BLOCK], &[]);
        for part in self.associated {
            sum = xor(double(sum), mac.of(part, &[]));
        }
        *self.vector = match self.text.split_last_chunk::<BLOCK>() {
            Some((start, end)) => mac.of(start, &xor(*end, sum)),
            None => mac.of(&xor(double(sum), padded(self.text)), &[]),
        };
    }
}

/// AES-CMAC (RFC 4493 §2.4).
struct Cmac<'b, B> {
    backend: &'b B,
    /// For messages that end with a block, and for all others (RFC 4493 §2.3).
    subkeys: [Block; 2],
}

impl<'b, B: BlockCipherEncBackend<BlockSize = U16>> Cmac<'b, B> {
    #[inline(always)]
    fn new(backend: &'b B) -> Self {
        let first = double(encrypted(backend, [0; BLOCK]));
        Self { backend, subkeys: [first, double(first)] }
    }

    /// Of both together; the second is no longer than a block.
    #[inline(always)]
    fn of(&self, start: &[u8], end: &[u8]) -> Block {
        // The last block is treated otherwise, be it whole or not.
        let (blocks, rest) = match start.as_chunks::<BLOCK>() {
            (blocks, []) if end.is_empty() => match blocks.split_last() {
                Some((last, before)) => (before, last.as_slice()),
                None => (blocks, &[][..]),
            },
            (blocks, rest) => (blocks, rest),
        };
        let mut tail = [0; 2 * BLOCK];
        tail.iter_mut().zip(rest.iter().chain(end)).for_each(|(place, byte)| *place = *byte);
        let len = rest.len().saturating_add(end.len()).min(tail.len());
        let last = tail.get(..len).unwrap_or_default();
        let (before, last) = match last.split_first_chunk::<BLOCK>() {
            Some((block, after)) if !after.is_empty() => (Some(*block), after),
            _ => (None, last),
        };
        let [whole, other] = self.subkeys;
        let last = match last.first_chunk() {
            Some(block) => xor(*block, whole),
            None => xor(padded(last), other),
        };
        let mut state = [0; BLOCK];
        for block in blocks.iter().copied().chain(before).chain([last]) {
            state = encrypted(self.backend, xor(state, block));
        }
        state
    }
}

#[inline(always)]
fn encrypted<B: BlockCipherEncBackend<BlockSize = U16>>(backend: &B, block: Block) -> Block {
    let mut block: Array<u8, U16> = block.into();
    backend.encrypt_block_inplace(&mut block);
    block.into()
}

/// A text to which the encrypted numbers from the counter on are added.
struct Stream<'t> {
    counter: u128,
    text: &'t mut [u8],
}

impl BlockSizeUser for Stream<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for Stream<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let mut counter = self.counter;
        for chunk in self.text.chunks_mut(BLOCK) {
            let keys = encrypted(backend, counter.to_be_bytes());
            chunk.iter_mut().zip(keys).for_each(|(byte, key)| *byte ^= key);
            counter = counter.wrapping_add(1);
        }
    }
}

/// Up to 15 bytes, a one, and zeros (RFC 5297 §2.1).
fn padded(text: &[u8]) -> Block {
    let mut block = [0; BLOCK];
    for (place, byte) in block.iter_mut().zip(text.iter().chain(&[0x80])) {
        *place = *byte;
    }
    block
}

/// Multiplication by x in GF(2¹²⁸), without a branch on the secret.
fn double(block: Block) -> Block {
    let bits = u128::from_be_bytes(block);
    (bits << 1 ^ (bits >> 127).wrapping_neg() & 0x87).to_be_bytes()
}

#[inline(always)]
fn xor(mut one: Block, other: Block) -> Block {
    one.iter_mut().zip(other).for_each(|(byte, other)| *byte ^= other);
    one
}

#[cfg(test)]
mod tests {
    use aes::Aes128;

    use super::*;
    use crate::nts::aead::tests::bytes;

    fn assert_vector(key: &str, associated: &[&str], text: &[u8], expected: &str) {
        let siv: Siv<Aes128> = Siv::new(&bytes(key)).unwrap();
        let associated: Vec<Vec<u8>> = associated.iter().map(|part| bytes(part)).collect();
        let associated: Vec<&[u8]> = associated.iter().map(Vec::as_slice).collect();
        let mut changed = text.to_vec();
        let vector = siv.encrypt(&associated, &mut changed);
        assert_eq!([&vector[..], &changed].concat(), bytes(expected));
        assert!(siv.decrypt(&associated, vector, &mut changed));
        assert_eq!(changed, text);
    }

    /// RFC 5297 §A.1: one string of associated data, no nonce.
    #[test]
    fn deterministic() {
        assert_vector(
            "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
            &["101112131415161718191a1b1c1d1e1f2021222324252627"],
            &bytes("112233445566778899aabbccddee"),
            "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c",
        );
    }

    /// RFC 5297 §A.2: two strings of associated data, and a nonce.
    #[test]
    fn with_a_nonce() {
        assert_vector(
            "7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f",
            &[
                "00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100",
                "102030405060708090a0",
                "09f911029d74e35bd84156c5635688c0",
            ],
            b"this is some plaintext to encrypt using SIV-AES",
            "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17\
             dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d",
        );
    }

    /// What a key makes of a message, in two parts.
    struct Message<'m>(&'m [u8], &'m [u8], &'m mut Block);

    impl BlockSizeUser for Message<'_> {
        type BlockSize = U16;
    }

    impl BlockCipherEncClosure for Message<'_> {
        fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
            let Self(start, end, mac) = self;
            *mac = Cmac::new(backend).of(start, end);
        }
    }

    /// Wherever the two halves meet, and whether or not the last block is whole.
    #[test]
    fn the_cmac_is_that_of_others() {
        let key = Aes128::new(&[7; BLOCK].into());
        let text: Vec<u8> = (0..80).collect();
        for len in 0..text.len() {
            for end in 0..=BLOCK.min(len) {
                let (start, end) = text[..len].split_at(len - end);
                let mut other = <cmac::Cmac<Aes128> as cmac::KeyInit>::new(&[7; BLOCK].into());
                cmac::Mac::update(&mut other, &text[..len]);
                let expected: Block = cmac::Mac::finalize(other).into_bytes().into();
                let mut made = [0; BLOCK];
                key.encrypt_with_backend(Message(start, end, &mut made));
                assert_eq!(made, expected, "{len} bytes, {} of them last", end.len());
            }
        }
    }

    #[test]
    fn the_counter_carries_over_the_cleared_bits() {
        let siv: Siv<Aes128> = Siv::new(&[7; 32]).unwrap();
        let mut vector = [0xff; BLOCK];
        vector[0] = 0;
        let mut text = [0; 3 * BLOCK];
        siv.count(vector, &mut text);
        // Blocks are independent: the second begins where a text that starts there would.
        let second = (u128::from_be_bytes(vector) & !(1 << 63 | 1 << 31)) + 1;
        let mut block: Array<u8, U16> = second.to_be_bytes().into();
        siv.cipher.encrypt_block(&mut block);
        assert_eq!(text[BLOCK..2 * BLOCK], block[..]);
    }

    #[test]
    fn keys_of_other_lengths_are_none() {
        for len in [0, 16, 31, 33, 48, 64] {
            assert!(Siv::<Aes128>::new(&vec![0; len]).is_none(), "{len}");
        }
    }
}
