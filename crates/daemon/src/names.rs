//! Host names to addresses, in the engine's words.

use std::io;
use std::net::IpAddr;

use timeball_core::engine::{ResolveError, ResolveId};
use timeball_core::selection::SourceId;
use timeball_core::settings::Family;
use timeball_host::poll::{Interest, PollSet, Slot};
use timeball_host::resolver::{self, AddressFamily, Resolution, Resolver};

/// What became of a question.
pub(crate) type Addresses = Result<Vec<IpAddr>, ResolveError>;

/// Whose addresses are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// A source's.
    Source(ResolveId),
    /// Those of the NTP server that the keys of a source are for.
    NtpServer(SourceId),
}

/// Asks the system's resolver.
#[derive(Debug)]
pub(crate) struct Names {
    resolver: Resolver<Question>,
    slot: Option<Slot>,
}

impl Names {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { resolver: Resolver::new()?, slot: None })
    }

    /// Asks for the addresses of `name`; `None` if the answer will come by [`take`](Self::take).
    pub(crate) fn resolve(
        &mut self,
        question: Question,
        name: &str,
        family: Option<Family>,
    ) -> Option<Addresses> {
        let family = match family {
            None => AddressFamily::Any,
            Some(Family::Ipv4) => AddressFamily::V4,
            Some(Family::Ipv6) => AddressFamily::V6,
        };
        match self.resolver.resolve(question, name, family) {
            Resolution::Known(answer) => Some(answer.map_err(translate)),
            Resolution::Asked => None,
        }
    }

    /// Adds what announces answers to what is waited for.
    pub(crate) fn watch(&mut self, poll: &mut PollSet) {
        let descriptor = self.resolver.descriptor();
        self.slot = descriptor.map(|descriptor| poll.add(descriptor, Interest::Read));
    }

    /// The answers that have come.
    pub(crate) fn take(&mut self, poll: &PollSet) -> Vec<(Question, Addresses)> {
        if !self.slot.take().is_some_and(|slot| poll.readiness(slot).any()) {
            return Vec::new();
        }
        let answers = self.resolver.answers().into_iter();
        answers.map(|(question, answer)| (question, answer.map_err(translate))).collect()
    }
}

/// The engine asks again after every failure, later and later; that a repair is needed is for the
/// people who read the log.
fn translate(error: resolver::ResolveError) -> ResolveError {
    match error {
        resolver::ResolveError::NoSuchName => ResolveError::NotFound,
        resolver::ResolveError::Temporary(reason) | resolver::ResolveError::Failed(reason) => {
            ResolveError::Temporary(reason)
        }
    }
}
