//! Interleaved mode (RFC 9769): a better transmit timestamp, one answer later.
//!
//! The moment at which an answer leaves is known best when it has left. So a server that remembers
//! it can tell with its next answer. The timestamps of the exchange before are kept until then; both
//! servers and peers do it alike.

use timeball_wire::{Header, NtpTimestamp, Oscillator, Timestamp};

use crate::engine::StampQuality;
use crate::measurement::Exchange;

/// After so many requests in a row without an answer, the server is likely to have forgotten when
/// that answer left.
const PATIENCE: u32 = 4;

/// The last exchange with a source.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastExchange {
    /// T1: our packet left.
    pub(super) sent: Oscillator,
    pub(super) transmit_stamp: StampQuality,
    /// T2: it arrived, in the words of the answer.
    pub(super) receive: NtpTimestamp,
    /// The answer's transmit timestamp. T3 of this exchange if the answer was a basic one.
    pub(super) transmit: NtpTimestamp,
    /// T4: the answer arrived.
    pub(super) received: Oscillator,
    pub(super) receive_stamp: StampQuality,
    /// The same by the system clock as it was, to unfold timestamps with.
    pub(super) pivot: Timestamp,
    /// What the answer said of its sender's root delay (s)
    pub(super) root_delay: f64,
    /// and root dispersion (s).
    pub(super) root_dispersion: f64,
    /// What a better T3 is good for.
    pub(super) state: State,
}

/// What has become of an exchange so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It waits for a better T3.
    Open,
    /// It was measured by the T3 that it had.
    Measured,
    /// Its sender had no time to give, or our next packet answered another.
    Void,
}

impl LastExchange {
    /// It was ended by this very answer.
    pub(super) fn is_of(&self, header: &Header) -> bool {
        self.receive == header.receive_timestamp && self.transmit == header.transmit_timestamp
    }

    /// A peer has sent one more answer to our packet: what we send next refers to that. False if it
    /// is an old one.
    pub(super) fn renew(
        &mut self,
        header: &Header,
        received: Oscillator,
        pivot: Timestamp,
    ) -> bool {
        let newer = is_later(header.transmit_timestamp, self.transmit);
        if newer {
            self.receive = header.receive_timestamp;
            self.transmit = header.transmit_timestamp;
            (self.received, self.pivot) = (received, pivot);
        }
        newer
    }

    /// The four timestamps, with a T3 that came later. `read` makes moments near the second of a
    /// server's timestamps.
    pub(super) fn completed(
        &self,
        transmit: NtpTimestamp,
        read: impl Fn(NtpTimestamp, Timestamp) -> Timestamp,
    ) -> Exchange {
        Exchange {
            origin: self.sent,
            receive: read(self.receive, self.pivot),
            transmit: read(transmit, self.pivot),
            destination: self.received,
        }
    }
}

/// What a client in interleaved mode asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Interleaving {
    /// Requests since the last answer.
    unanswered: u32,
}

impl Interleaving {
    /// A request leaves.
    pub(super) fn sent(&mut self) {
        self.unanswered = self.unanswered.saturating_add(1);
    }

    /// An answer came.
    pub(super) fn answered(&mut self) {
        self.unanswered = 0;
    }

    /// What to ask for: the T2 of an answer whose departure it should remember.
    pub(super) fn origin(&self, last: Option<&LastExchange>) -> Option<NtpTimestamp> {
        last.filter(|_| self.unanswered < PATIENCE).map(|last| last.receive)
    }
}

/// `a` is later than `b`, in whatever era.
fn is_later(a: NtpTimestamp, b: NtpTimestamp) -> bool {
    a.to_bits().wrapping_sub(b.to_bits()).cast_signed() > 0
}
