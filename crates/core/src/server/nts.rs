//! What a responder needs to answer requests that Network Time Security protects (RFC 8915).

use std::fmt;
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use timeball_auth::nts::ServerKeys;

/// The keys that open cookies, and randomness to make new ones.
#[derive(Clone)]
pub struct CookieKeys {
    keys: Arc<ServerKeys>,
    random: ChaCha20Rng,
}

impl CookieKeys {
    /// These keys, which others may have too. The seed must be unpredictable, and for nobody else: the
    /// nonces of cookies and responses come from it.
    pub fn new(keys: Arc<ServerKeys>, seed: [u8; 32]) -> Self {
        Self { keys, random: ChaCha20Rng::from_seed(seed) }
    }

    /// The keys.
    pub(super) fn keys(&self) -> &ServerKeys {
        &self.keys
    }

    /// The keys, and nonces that were never used.
    pub(super) fn split(&mut self) -> (&ServerKeys, impl FnMut() -> [u8; 16]) {
        let random = &mut self.random;
        let nonces = || {
            let mut nonce = [0; 16];
            random.fill_bytes(&mut nonce);
            nonce
        };
        (&self.keys, nonces)
    }
}

impl fmt::Debug for CookieKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieKeys").finish_non_exhaustive()
    }
}
