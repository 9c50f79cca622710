//! How a request proves who sent it, and an answer that it is the one.

use std::io;
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use serde::Serialize;
use timeball_auth::nts::ke::client::Established;
use timeball_auth::{KeyId, Keys};
use timeball_core::association::answer::{Credentials, Proof, Recognised};
use timeball_core::association::{Nts, Reject, Request};
use timeball_core::datagram::compose;
use timeball_daemon::nts::session;
use timeball_host::clock::monotonic_now;
use timeball_host::random;

use super::probe::NoAnswer;

/// Who we are to the server that is asked.
#[derive(Debug, Default)]
pub(crate) enum Signer {
    /// Nobody.
    #[default]
    Nobody,
    /// One who shares a key with it.
    Key {
        /// Which.
        id: KeyId,
        /// Where it is.
        keys: Arc<Keys>,
    },
    /// One whom it has given keys and cookies.
    Nts {
        /// They themselves.
        nts: Box<Nts>,
        /// Unique identifiers and nonces.
        random: Box<ChaCha20Rng>,
    },
}

/// The same in a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Authentication {
    /// No answer proved anything.
    #[default]
    None,
    /// By a symmetric key.
    Key,
    /// By Network Time Security.
    Nts,
}

impl Signer {
    /// With what a server has just given.
    ///
    /// # Errors
    /// If this machine has neither time nor random numbers.
    pub(crate) fn nts(established: Established) -> io::Result<Self> {
        let now = monotonic_now()?;
        let mut nts = Nts::new(now);
        nts.establish(session(established, None), now, now);
        let random = ChaCha20Rng::from_seed(random::seed()?);
        Ok(Self::Nts { nts: Box::new(nts), random: Box::new(random) })
    }

    pub(super) const fn authentication(&self) -> Authentication {
        match self {
            Self::Nobody => Authentication::None,
            Self::Key { .. } => Authentication::Key,
            Self::Nts { .. } => Authentication::Nts,
        }
    }

    /// The bytes of a request, and the request as one whose answer has to prove itself.
    ///
    /// # Errors
    /// If there is nothing left to sign with.
    pub(super) fn sign(&mut self, request: Request) -> Result<(Request, Vec<u8>), NoAnswer> {
        let header = request.header();
        match self {
            Self::Nobody => Ok((request, compose(&header, None).to_vec())),
            Self::Key { id, keys } => {
                let datagram = compose(&header, keys.get(*id)).to_vec();
                Ok((request.authenticated(Proof::Key(*id)), datagram))
            }
            Self::Nts { nts, random } => {
                let (datagram, unique_identifier) = nts
                    .request(&header, None, random)
                    .ok_or_else(|| NoAnswer::Local("all cookies are used up".into()))?;
                Ok((request.authenticated(Proof::Nts { unique_identifier }), datagram))
            }
        }
    }

    /// What an answer is verified with.
    pub(super) fn credentials(&self) -> Credentials<'_> {
        match self {
            Self::Nobody => Credentials::symmetric(Keys::NONE),
            Self::Key { keys, .. } => Credentials::symmetric(keys),
            Self::Nts { nts, .. } => Credentials { keys: Keys::NONE, nts: nts.to_client() },
        }
    }

    /// Learns from what has come.
    pub(super) fn take(&mut self, recognised: &mut Result<Recognised, Reject>) {
        let Self::Nts { nts, .. } = self else { return };
        match recognised {
            Ok(answer) => nts.answered(std::mem::take(&mut answer.cookies)),
            Err(Reject::NtsNak) => nts.take_nak(),
            Err(_) => {}
        }
    }

    pub(super) fn cookies(&self) -> usize {
        match self {
            Self::Nobody | Self::Key { .. } => 0,
            Self::Nts { nts, .. } => nts.state().cookies,
        }
    }
}
