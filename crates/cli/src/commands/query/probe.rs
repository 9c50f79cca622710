//! One request and what comes of it.
//!
//! The rules by which an answer is believed are the daemon's own: `timeball_core::association`.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use timeball_core::association::request::MAX_ANSWER_LEN;
use timeball_core::association::{self, Reject, Reply, Request, measure};
use timeball_core::engine::StampQuality;
use timeball_core::era;
use timeball_core::measurement::{Exchange, Measurement};
use timeball_host::clock::Clock;
use timeball_host::poll::{Interest, PollSet};
use timeball_host::precision::Precision;
use timeball_host::random;
use timeball_host::socket::{
    ClientOptions, ClientSocket, Incoming, Stamp, StampSource, Stamping, Unreachable,
};
use timeball_wire::{Header, KissCode, Oscillator, Span, Timestamp};

use super::signer::Signer;

/// What asking takes.
pub(crate) struct Prober {
    pub(super) clock: Clock,
    precision: Precision,
    /// How long to wait for an answer.
    pub(crate) timeout: Span,
    /// Protocol version to ask with.
    pub(super) version: u8,
    pub(super) signer: Signer,
}

/// An answer that was believed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) header: Header,
    pub(crate) measurement: Measurement,
    pub(super) stamping: association::Stamping,
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum NoAnswer {
    /// The time is over.
    Silence {
        timeout: Span,
        /// Something came, but nothing that had to do with the request: the last one's fault.
        ignored: Option<Reject>,
    },
    /// The network says that nobody is there.
    Unreachable(Unreachable),
    /// The server wants to be left alone.
    Kiss(KissCode),
    /// The server's answer is of no use.
    Rejected(Reject),
    /// This machine cannot ask.
    Local(String),
}

impl NoAnswer {
    /// Asking again would be rude or useless.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Kiss(_) | Self::Local(_) => true,
            Self::Silence { .. } | Self::Rejected(_) => false,
        }
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silence { timeout, ignored } => {
                write!(f, "no answer within {} s", timeout.seconds())?;
                match ignored {
                    Some(reject) => write!(f, " (something else came: {reject})"),
                    None => Ok(()),
                }
            }
            Self::Unreachable(reason) => reason.fmt(f),
            Self::Local(reason) => f.write_str(reason),
            Self::Kiss(KissCode::Rate) => f.write_str("the server asks for fewer requests (RATE)"),
            Self::Kiss(code) => write!(f, "the server refuses to answer ({code})"),
            Self::Rejected(Reject::Unsynchronised) => {
                f.write_str("the server says that it is not synchronised")
            }
            Self::Rejected(reject) => write!(f, "the answer cannot be believed: {reject}"),
        }
    }
}

impl From<io::Error> for NoAnswer {
    fn from(error: io::Error) -> Self {
        match Unreachable::from_error(&error) {
            Some(unreachable) => Self::Unreachable(unreachable),
            None => Self::Local(error.to_string()),
        }
    }
}

impl Prober {
    pub(crate) fn new(timeout: Span, version: u8) -> io::Result<Self> {
        let (clock, precision) = (Clock::open()?, Precision::measure()?);
        Ok(Self { clock, precision, timeout, version, signer: Signer::Nobody })
    }

    /// Signs what it sends from now on.
    #[must_use]
    pub(crate) fn with(self, signer: Signer) -> Self {
        Self { signer, ..self }
    }

    /// Cookies that are left, with NTS.
    pub(crate) fn cookies(&self) -> usize {
        self.signer.cookies()
    }

    /// Precision of this machine's clock (s).
    pub(crate) fn precision(&self) -> f64 {
        self.precision.span.seconds()
    }

    /// Asks once, from a fresh socket (RFC 9109).
    pub(crate) fn ask(&mut self, server: SocketAddr) -> Result<Sample, NoAnswer> {
        let mut bits = [0; 8];
        random::fill(&mut bits)?;
        let request = Request::new(server, self.version, u64::from_ne_bytes(bits));
        let (request, datagram) = self.signer.sign(request)?;
        let expected = request.expected();
        let options = ClientOptions { stamping: Stamping::Kernel, ..ClientOptions::default() };
        let mut socket = ClientSocket::open(server, &options)?;
        let deadline = self.clock.monotonic()? + self.timeout;
        let before = self.clock.system()?;
        socket.send(&datagram)?;
        let after = self.clock.system()?;
        // The middle of the call, until the kernel tells it better.
        let mut sent = (before + (after - before).half(), StampQuality::Daemon);

        let mut poll = PollSet::new();
        // One byte more than any answer has, so that a longer one shows.
        let mut buffer = [0; MAX_ANSWER_LEN + 1];
        let mut ignored = None;
        loop {
            poll.clear();
            let slot = poll.add(&socket, Interest::Read);
            poll.wait(Some(deadline))?;
            let mut readiness = poll.readiness(slot);
            while let Some(incoming) = socket.incoming(&mut readiness, &mut buffer)? {
                match incoming {
                    Incoming::Transmitted(transmitted) => {
                        if let Some(stamp) = transmitted.stamp {
                            sent = (stamp.at, quality(stamp));
                        }
                    }
                    Incoming::Unreachable(reason) => {
                        return Err(NoAnswer::Unreachable(reason));
                    }
                    Incoming::Datagram(received) => {
                        let answer = buffer.get(..received.length).unwrap_or(&buffer);
                        let credentials = self.signer.credentials();
                        let mut recognised = expected.recognise(received.from, answer, credentials);
                        self.signer.take(&mut recognised);
                        match recognised.and_then(|answer| answer.reply()) {
                            Ok(Reply::Time(header)) => {
                                return self.sample(header, sent, received.stamp);
                            }
                            Ok(Reply::Kiss { code, .. }) => return Err(NoAnswer::Kiss(code)),
                            Err(reject) if reject.proves_origin() => {
                                return Err(NoAnswer::Rejected(reject));
                            }
                            // Anybody can send this; the answer may still come.
                            Err(reject) => ignored = Some(reject),
                        }
                    }
                }
            }
            if self.clock.monotonic()? >= deadline {
                return Err(NoAnswer::Silence { timeout: self.timeout, ignored });
            }
        }
    }

    fn sample(
        &self,
        header: Header,
        (sent, transmit): (Timestamp, StampQuality),
        received: Stamp,
    ) -> Result<Sample, NoAnswer> {
        // Nobody adjusts the clock on our behalf: it is its own oscillator.
        let oscillator = |at: Timestamp| Oscillator::from_nanos(at.nanos());
        let exchange = Exchange {
            origin: oscillator(sent),
            receive: era::unfold(header.receive_timestamp, received.at),
            transmit: era::unfold(header.transmit_timestamp, received.at),
            destination: oscillator(received.at),
        };
        let receive = quality(received);
        let stamping = association::Stamping { transmit, receive, precision: self.precision() };
        let measurement = measure(&header, &exchange, &stamping, self.timeout.seconds())
            .map_err(NoAnswer::Rejected)?;
        Ok(Sample { header, measurement, stamping })
    }
}

const fn quality(stamp: Stamp) -> StampQuality {
    match stamp.source {
        StampSource::Daemon => StampQuality::Daemon,
        StampSource::Kernel => StampQuality::Kernel,
        StampSource::Hardware => StampQuality::Hardware,
    }
}
