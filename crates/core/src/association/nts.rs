//! Network Time Security on an association (RFC 8915 §5.7): keys, cookies, and when new ones are
//! wanted.
//!
//! Every request takes one cookie, which is never used again, and asks for as many as there is room
//! for. Nothing that is not authentic takes anything away: an NTS NAK, which anybody on the path can
//! send, only has new keys established, and the old ones serve on if that comes to nothing.

use std::collections::VecDeque;
use std::net::SocketAddr;

use rand_core::Rng;
use timeball_auth::nts::fields::{MAX_NONCE_LEN, UNIQUE_IDENTIFIER_LEN};
use timeball_auth::nts::request::Protection;
use timeball_auth::nts::{AeadAlgorithm, AeadKey, SessionKeys, SessionSecrets, is_usable_cookie};
use timeball_wire::{BufferTooSmall, Header, Instant, MonoRoot, PacketWriter, Span, Timestamp};

use crate::era;

/// How many cookies to have (RFC 8915 §5.7).
const COOKIES: usize = 8;

/// How many of them are set aside for a program after this one, and for how long (s): servers change
/// their keys, and open only what is not much older than a day.
const RESERVE: usize = 2;
const RESERVE_AGE: f64 = 21_600.0;

/// Bytes of the longest request: it arrives in one piece over any path (RFC 8200 §5).
const MAX_REQUEST_LEN: usize = 1280 - 40 - 8;

/// Bytes of a request without cookie and placeholders: header, unique identifier, authenticator, and a
/// field for monotonic time.
const REQUEST_LEN: usize = Header::LEN + 36 + 40 + MonoRoot::FIELD_LEN;

/// First and longest pause (s) between two attempts to establish keys, and by what it grows (RFC 8915
/// §4.2).
const FIRST_PAUSE: f64 = 10.0;
const LONGEST_PAUSE: f64 = 432_000.0;
const PAUSE_GROWTH: f64 = 1.5;

/// The same after a [lasting](KeyFailure::Lasting) failure.
const FIRST_PAUSE_OF_LASTING: f64 = 1024.0;
const PAUSE_GROWTH_OF_LASTING: f64 = 2.0;

/// Attempts that fail before another host of the same name is better.
const HOPELESS: u32 = 3;

/// Keys that were established with a server, and its cookies.
#[derive(Clone, Debug)]
pub struct NtsSession {
    /// The keys.
    pub secrets: SessionSecrets,
    /// Keys to try in their place if the server turns out not to know them.
    pub alternative: Option<SessionSecrets>,
    /// Cookies, each good for one request.
    pub cookies: Vec<Vec<u8>>,
    /// The NTP server to ask, if it is not the one that gave the keys.
    pub server: Option<SocketAddr>,
    /// The time that the server gives has to lie within this: its certificate was accepted though
    /// it seemed not to be valid (RFC 8915 §8.5).
    pub validity: Option<(Timestamp, Timestamp)>,
    /// How long ago (s) they were established.
    pub age: f64,
}

/// Why no keys were established.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFailure {
    /// It may be over at any time: the server could not be reached, say.
    Passing(String),
    /// It lasts until somebody does something: a certificate has expired, say.
    Lasting(String),
}

impl KeyFailure {
    /// The reason.
    pub fn reason(&self) -> &str {
        match self {
            Self::Passing(reason) | Self::Lasting(reason) => reason,
        }
    }
}

/// What people want to know of it; no secret.
#[derive(Clone, Debug, PartialEq)]
pub struct NtsState {
    /// What the keys are for; `None`: there are none.
    pub algorithm: Option<AeadAlgorithm>,
    /// How often keys were established.
    pub sessions: u32,
    /// When the last time.
    pub established: Option<Instant>,
    /// Attempts to establish keys since the last ones proved good.
    pub attempts: u32,
    /// The server said that it cannot read our cookies.
    pub nak: bool,
    /// Cookies left.
    pub cookies: usize,
    /// Bytes of each.
    pub cookie_len: usize,
    /// The certificate was accepted without a look at the time.
    pub certificate_time_unchecked: bool,
    /// Why there are no new keys.
    pub failure: Option<String>,
}

/// A client's keys and cookies: what an association has of Network Time Security, and a query that is
/// none.
#[derive(Clone, Debug)]
pub struct Nts {
    held: Option<Held>,
    sessions: u32,
    established: Option<Instant>,
    /// From when on the keys serve, which is what their age counts from.
    serves_since: Option<Instant>,
    attempts: u32,
    under_way: bool,
    next_attempt: Instant,
    nak: bool,
    failure: Option<String>,
    /// The NTP server that the next keys had better not be for.
    unwanted: Option<SocketAddr>,
}

#[derive(Clone, Debug)]
struct Held {
    secrets: SessionSecrets,
    keys: SessionKeys,
    alternative: Option<SessionSecrets>,
    cookies: VecDeque<Vec<u8>>,
    reserve: Option<Reserve>,
    validity: Option<(Timestamp, Timestamp)>,
    /// An authentic answer has come.
    proved: bool,
}

/// Cookies that are written down somewhere, and not used here: whoever finds them there can use them,
/// however this program has ended.
#[derive(Clone, Debug)]
struct Reserve {
    cookies: Vec<Vec<u8>>,
    since: Instant,
}

impl Held {
    /// Cookies, those in reserve among them.
    fn count(&self) -> usize {
        self.cookies.len().saturating_add(self.reserved().len())
    }

    fn reserved(&self) -> &[Vec<u8>] {
        self.reserve.as_ref().map_or(&[], |reserve| &reserve.cookies)
    }
}

impl Nts {
    /// Without keys.
    pub const fn new(now: Instant) -> Self {
        Self {
            held: None,
            sessions: 0,
            established: None,
            serves_since: None,
            attempts: 0,
            under_way: false,
            next_attempt: now,
            nak: false,
            failure: None,
            unwanted: None,
        }
    }

    /// Begins to establish keys, if they are wanted and it is not too soon after the last attempt.
    /// Keys that have served for longer than `refresh` are used no more.
    pub(super) fn begin(&mut self, now: Instant, refresh: Span) -> bool {
        if self.serves_since.is_some_and(|since| now - since > refresh) {
            self.forget();
        }
        if !self.is_of_no_use() || self.under_way || now < self.next_attempt {
            return false;
        }
        self.under_way = true;
        self.next_attempt = now + pause(FIRST_PAUSE, PAUSE_GROWTH, self.attempts);
        self.attempts = self.attempts.saturating_add(1);
        true
    }

    /// Keys and cookies are of no use any more. When to try for others stays as it is.
    pub(super) fn forget(&mut self) {
        self.held = None;
        self.serves_since = None;
        self.nak = false;
    }

    /// The reason that the last attempt failed for may be gone: the next one need not wait.
    pub(super) fn hasten(&mut self, now: Instant) {
        self.next_attempt = self.next_attempt.min(now);
    }

    pub(super) const fn is_under_way(&self) -> bool {
        self.under_way
    }

    /// There is something to ask with.
    pub(super) fn has_cookie(&self) -> bool {
        self.held.as_ref().is_some_and(|held| !held.cookies.is_empty())
    }

    /// Nothing that is asked now would be answered, as far as is known.
    pub(super) fn is_of_no_use(&self) -> bool {
        self.nak || !self.has_cookie()
    }

    /// When to try again.
    pub(super) const fn next_attempt(&self) -> Instant {
        self.next_attempt
    }

    /// New keys take the place of the old ones, and serve from a moment on that may be to come. False
    /// if they are none.
    pub fn establish(&mut self, session: NtsSession, now: Instant, serves: Instant) -> bool {
        self.under_way = false;
        let Some(keys) = session.secrets.keys() else { return false };
        let mut cookies = VecDeque::from(session.cookies);
        cookies.retain(|cookie| is_usable_cookie(cookie));
        cookies.truncate(COOKIES);
        self.held = Some(Held {
            secrets: session.secrets,
            keys,
            alternative: session.alternative,
            cookies,
            reserve: None,
            validity: session.validity,
            proved: false,
        });
        self.sessions = self.sessions.saturating_add(1);
        self.established = Some(now - Span::from_seconds(session.age));
        self.serves_since = Some(serves - Span::from_seconds(session.age));
        self.nak = false;
        self.failure = None;
        self.unwanted = None;
        true
    }

    /// Of those that a name stands for, another NTP server than this one is wanted.
    pub(super) fn refuse(&mut self, server: SocketAddr) {
        self.unwanted = Some(server);
    }

    pub(super) fn unwanted(&self) -> Option<SocketAddr> {
        self.unwanted
    }

    /// There is nothing to ask with, and this host has been asked for it often enough.
    pub(super) fn is_hopeless(&self) -> bool {
        let failed = self.attempts.saturating_sub(u32::from(self.under_way));
        !self.has_cookie() && failed >= HOPELESS
    }

    pub(super) fn fail(&mut self, failure: &KeyFailure, now: Instant) {
        self.under_way = false;
        self.failure = Some(failure.reason().to_owned());
        if let KeyFailure::Lasting(_) = failure {
            let before = self.attempts.saturating_sub(1);
            self.next_attempt =
                now + pause(FIRST_PAUSE_OF_LASTING, PAUSE_GROWTH_OF_LASTING, before);
        }
    }

    /// The key that authenticates what the server sends.
    pub fn to_client(&self) -> Option<&AeadKey> {
        self.held.as_ref().map(|held| &held.keys.to_client)
    }

    /// The next request, and its unique identifier; `None` without a cookie.
    pub fn request(
        &mut self,
        header: &Header,
        mono_root: Option<MonoRoot>,
        rng: &mut impl Rng,
    ) -> Option<(Vec<u8>, [u8; UNIQUE_IDENTIFIER_LEN])> {
        let held = self.held.as_mut()?;
        let cookie = held.cookies.pop_front()?;
        let mut unique_identifier = [0; UNIQUE_IDENTIFIER_LEN];
        rng.fill_bytes(&mut unique_identifier);
        let mut nonce = [0; MAX_NONCE_LEN];
        rng.fill_bytes(&mut nonce);
        // The answer brings one in any case.
        let wanted = COOKIES.saturating_sub(held.count()).saturating_sub(1);
        let field_len = cookie.len().saturating_add(4);
        let room = MAX_REQUEST_LEN.saturating_sub(REQUEST_LEN + field_len);
        let protection = Protection {
            unique_identifier: &unique_identifier,
            cookie: &cookie,
            placeholders: wanted.min(room.checked_div(field_len).unwrap_or(0)),
            key: &held.keys.to_server,
            nonce: &nonce,
        };
        let request = compose(header, mono_root, &protection).ok()?;
        Some((request, unique_identifier))
    }

    /// An authentic answer came, with these cookies.
    pub fn answered(&mut self, cookies: Vec<Vec<u8>>) {
        let Some(held) = &mut self.held else { return };
        let first = !std::mem::replace(&mut held.proved, true);
        held.alternative = None;
        let room = COOKIES.saturating_sub(held.count());
        held.cookies.extend(cookies.into_iter().take(room));
        self.nak = false;
        // What is answered by old keys says nothing of whether there will be new ones, and no more do
        // these if the next ones are already on their way.
        if first && !self.under_way {
            self.attempts = 0;
        }
    }

    /// The server says, or seems to say, that it cannot read our cookies.
    pub fn take_nak(&mut self) {
        let Some(held) = &mut self.held else { return };
        let other = held.alternative.take().filter(|_| !held.proved);
        match other.and_then(|secrets| Some((secrets.keys()?, secrets))) {
            Some((keys, secrets)) => (held.keys, held.secrets) = (keys, secrets),
            None => self.nak = true,
        }
    }

    /// True if nothing contradicts this time of the server's.
    pub(super) fn permits(&self, header: &Header) -> bool {
        let validity = self.held.as_ref().and_then(|held| held.validity);
        validity.is_none_or(|(from, to)| {
            (from..=to).contains(&era::unfold(header.transmit_timestamp, from))
        })
    }

    /// All that is worth keeping, for another program to go on with.
    pub(super) fn session(&self, now: Instant) -> Option<NtsSession> {
        let held = self.held.as_ref().filter(|held| held.count() > 0)?;
        let cookies = held.cookies.iter().chain(held.reserved()).cloned().collect();
        Some(self.session_of(held, cookies, now))
    }

    /// What to write down now, in case that there will be no time for it; `None` if that was done
    /// not long ago, or there are too few cookies. Those among it are not used here until others are
    /// written down in their place.
    pub(super) fn set_aside(&mut self, now: Instant) -> Option<NtsSession> {
        let held = self.held.as_mut()?;
        let is_fresh = |reserve: &Reserve| (now - reserve.since).seconds() < RESERVE_AGE;
        if held.reserve.as_ref().is_some_and(is_fresh) {
            return None;
        }
        let first = held.cookies.len().checked_sub(RESERVE).filter(|rest| *rest >= RESERVE)?;
        let cookies = Vec::from(held.cookies.split_off(first));
        let reserve = Reserve { cookies: cookies.clone(), since: now };
        if let Some(old) = held.reserve.replace(reserve) {
            old.cookies.into_iter().for_each(|cookie| held.cookies.push_front(cookie));
        }
        let held = self.held.as_ref()?;
        Some(self.session_of(held, cookies, now))
    }

    fn session_of(&self, held: &Held, cookies: Vec<Vec<u8>>, now: Instant) -> NtsSession {
        NtsSession {
            secrets: held.secrets.clone(),
            alternative: held.alternative.clone(),
            cookies,
            server: None,
            validity: held.validity,
            age: self.established.map_or(0.0, |at| (now - at).seconds()),
        }
    }

    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// What people want to know of it.
    pub fn state(&self) -> NtsState {
        let held = self.held.as_ref();
        NtsState {
            algorithm: held.map(|held| held.secrets.algorithm()),
            sessions: self.sessions,
            established: self.established,
            attempts: self.attempts,
            nak: self.nak,
            cookies: held.map_or(0, Held::count),
            cookie_len: held.and_then(|held| held.cookies.front()).map_or(0, Vec::len),
            certificate_time_unchecked: held.is_some_and(|held| held.validity.is_some()),
            failure: self.failure.clone(),
        }
    }
}

/// How long to wait after so many attempts before the last.
fn pause(first: f64, growth: f64, before: u32) -> Span {
    let grown = first * growth.powi(i32::try_from(before).unwrap_or(i32::MAX));
    Span::from_seconds(grown.min(LONGEST_PAUSE))
}

fn compose(
    header: &Header,
    mono_root: Option<MonoRoot>,
    protection: &Protection<'_>,
) -> Result<Vec<u8>, BufferTooSmall> {
    let mut buffer = [0; MAX_REQUEST_LEN];
    let mut writer = PacketWriter::new(header, &mut buffer)?;
    if let Some(said) = mono_root {
        let field_type = timeball_wire::FieldType::MONO_ROOT;
        writer.field(&timeball_wire::ExtensionField { field_type, value: &said.to_value() })?;
    }
    protection.write(&mut writer)?;
    writer.finish().map(<[u8]>::to_vec)
}
