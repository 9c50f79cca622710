//! What nobody can do to an association with NTS who does not have its keys.

use timeball_auth::nts::fields::{EncryptedFields, MAX_NONCE_LEN, NtsFields, write_authenticator};
use timeball_auth::nts::{AeadAlgorithm, AeadKey, SessionSecrets};
use timeball_wire::{ExtensionField, FieldType, Packet, PacketWriter};

use super::*;

const COOKIE_LEN: usize = 100;
const REFRESH: Span = Span::from_secs(2_419_200);

pub(super) fn secrets(seed: u8) -> SessionSecrets {
    let algorithm = AeadAlgorithm::AesSivCmac256;
    let len = algorithm.key_len();
    SessionSecrets::new(algorithm, &vec![seed; len], &vec![seed + 1; len]).expect("a length")
}

pub(super) fn cookie(number: u8) -> Vec<u8> {
    vec![number; COOKIE_LEN]
}

pub(super) fn session(seed: u8, cookies: u8) -> NtsSession {
    NtsSession {
        secrets: secrets(seed),
        alternative: None,
        cookies: (1..=cookies).map(cookie).collect(),
        server: None,
        validity: None,
        age: 0.0,
    }
}

pub(super) fn passing(reason: &str) -> KeyFailure {
    KeyFailure::Passing(reason.to_owned())
}

/// Encrypted fields with these cookies.
pub(super) fn fields(cookies: &[Vec<u8>]) -> Vec<u8> {
    let mut text = Vec::new();
    for value in cookies {
        let mut field = [0; COOKIE_LEN + 4];
        let field_type = FieldType::NTS_COOKIE;
        let len = ExtensionField { field_type, value }.emit(&mut field).expect("room");
        text.extend_from_slice(&field[..len]);
    }
    text
}

/// An answer with this unique identifier; authentic with the key, if there is one.
pub(super) fn respond(
    header: &Header,
    identifier: &[u8],
    key: Option<&AeadKey>,
    cookies: &[Vec<u8>],
) -> Vec<u8> {
    let mut buffer = [0; 1500];
    let mut writer = PacketWriter::new(header, &mut buffer).expect("room");
    let field_type = FieldType::UNIQUE_IDENTIFIER;
    writer.field(&ExtensionField { field_type, value: identifier }).expect("room");
    if let Some(key) = key {
        let nonce = &[9; MAX_NONCE_LEN];
        write_authenticator(&mut writer, key, nonce, &fields(cookies)).expect("room");
    }
    writer.finish().expect("room").to_vec()
}

/// A request as its server sees it.
pub(super) struct Asked {
    pub(super) exchange: ExchangeId,
    pub(super) bytes: Vec<u8>,
    pub(super) header: Header,
    pub(super) identifier: Vec<u8>,
    pub(super) cookie: Vec<u8>,
    placeholders: usize,
}

impl Bench {
    pub(super) fn with_nts() -> Self {
        let authentication = Authentication::Nts(NtsServer::default());
        Self::new(Settings { authentication, ..without_volley() })
    }

    pub(super) fn begin(&mut self) -> bool {
        self.association.begin_key_establishment(self.now.monotonic, REFRESH).is_some()
    }

    pub(super) fn establish(&mut self, session: NtsSession) {
        assert!(!self.association.establish_keys(session, self.now.monotonic));
    }

    pub(super) fn ask(&mut self) -> Asked {
        let next = self.association.next_request().expect("it is online");
        self.pass((next - self.now.monotonic).seconds().max(0.0));
        self.association.handle_timeout(self.now, 0.0);
        self.exchanges += 1;
        let exchange = ExchangeId(self.exchanges);
        let bytes = self.poll(exchange).expect("a request is due");
        let fields = NtsFields::of(&Packet::parse(&bytes).expect("a packet")).expect("fields");
        let authenticator = fields.authenticator.expect("an authenticator");
        let key = secrets(1).keys().expect("keys").to_server;
        let authentic = authenticator.open(&key, &mut []).is_some();
        assert!(authentic || self.nts().sessions > 1);
        let identifier = fields.unique_identifier.expect("an identifier").to_vec();
        let (cookie, placeholders) =
            (fields.cookie.expect("a cookie").to_vec(), fields.placeholders);
        self.pass(0.002);
        Asked { exchange, header: header_of(&bytes), identifier, cookie, placeholders, bytes }
    }

    pub(super) fn answer(
        &mut self,
        asked: &Asked,
        cookies: &[Vec<u8>],
    ) -> Result<Accepted, Reject> {
        let header = self.answer_to(&asked.header);
        let key = secrets(1).keys().expect("keys").to_client;
        let bytes = respond(&header, &asked.identifier, Some(&key), cookies);
        self.receive_bytes(asked.exchange, &bytes)
    }

    pub(super) fn nts(&self) -> NtsState {
        self.association.nts_state().expect("it has NTS")
    }
}

#[test]
fn without_keys_nothing_is_sent_and_with_them_at_the_next_poll() {
    let mut bench = Bench::with_nts();
    assert!(bench.begin());
    assert!(!bench.begin(), "one attempt at a time");
    assert_eq!(bench.poll(ExchangeId(1)), None);
    assert_eq!(bench.association.statistics().sent, 0);
    let next = bench.next_request();
    assert!((next - bench.now.monotonic).seconds() >= 64.0);
    bench.pass(0.1);
    bench.establish(session(1, 8));
    assert_eq!(bench.next_request(), next);
    let asked = bench.ask();
    assert_eq!(asked.cookie, cookie(1));
    assert_eq!(asked.placeholders, 0);
    assert_eq!(asked.bytes.len(), 228);
    assert_eq!(bench.answer(&asked, &[cookie(9)]), Ok(Accepted::Measured(None)));
    assert_eq!(bench.nts().cookies, 8);
    assert_eq!(bench.nts().attempts, 0);
    assert!(!bench.begin());
}

#[test]
fn a_cookie_is_used_once_and_lost_ones_are_asked_for_again() {
    let mut bench = Bench::with_nts();
    assert!(bench.begin());
    bench.establish(session(1, 8));
    let mut used = Vec::new();
    for lost in 0..5 {
        let asked = bench.ask();
        assert_eq!(asked.placeholders, lost);
        assert!(!used.contains(&asked.cookie));
        used.push(asked.cookie);
    }
    let asked = bench.ask();
    let fresh: Vec<_> = (20..26).map(cookie).collect();
    assert!(bench.answer(&asked, &fresh).is_ok());
    assert_eq!(bench.nts().cookies, 8);
    // More than are wanted are not kept.
    let asked = bench.ask();
    let many: Vec<_> = (30..41).map(cookie).collect();
    assert!(bench.answer(&asked, &many).is_ok());
    assert_eq!(bench.nts().cookies, 8);
    let asked = bench.ask();
    assert!(bench.answer(&asked, &[]).is_ok());
    assert_eq!(bench.nts().cookies, 7);
}

#[test]
fn requests_stay_short_enough_for_every_path() {
    let mut bench = Bench::with_nts();
    assert!(bench.begin());
    let cookies = vec![vec![3; 400]; 8];
    bench.establish(NtsSession { cookies, ..session(1, 0) });
    for _ in 0..8 {
        let asked = bench.ask();
        assert!(asked.bytes.len() <= 1232, "{}", asked.bytes.len());
    }
    assert_eq!(bench.nts().cookies, 0);
}

#[test]
fn who_has_used_up_all_cookies_asks_for_keys_more_and_more_rarely() {
    let mut bench = Bench::with_nts();
    assert!(bench.begin());
    bench.establish(session(1, 1));
    bench.ask();
    let mut pauses = Vec::new();
    let mut last = bench.now.monotonic;
    for _ in 0..40 {
        let next = bench.next_request();
        bench.pass((next - bench.now.monotonic).seconds().max(0.0));
        bench.association.handle_timeout(bench.now, 0.0);
        if bench.begin() {
            pauses.push((bench.now.monotonic - last).seconds());
            last = bench.now.monotonic;
            bench.association.fail_keys(&passing("nobody there"), bench.now.monotonic);
        }
        assert_eq!(bench.poll(ExchangeId(99)), None, "never without a cookie");
    }
    assert!(pauses.len() > 10, "{pauses:?}");
    // From one poll to the next, at first.
    pauses.remove(0);
    assert!(pauses.is_sorted_by(|one, next| *next >= one * 1.4 || *next > 400_000.0), "{pauses:?}");
    let failure = bench.association.failure().expect("a reason").to_owned();
    assert_eq!(failure, "no keys could be established: nobody there");
}

#[test]
fn another_ntp_server_is_wanted_than_one_that_does_not_answer() {
    let mut bench = Bench::with_nts();
    let elsewhere = SocketAddr::from(([192, 0, 2, 77], 123));
    assert!(bench.begin());
    assert_eq!(bench.association.unwanted_server(), None);
    let named = NtsSession { server: Some(elsewhere), ..session(1, 8) };
    assert!(bench.association.establish_keys(named, bench.now.monotonic), "it moves");
    // All cookies go, and nothing comes.
    (0..8).for_each(|_| drop(bench.ask()));
    let next = bench.next_request();
    bench.pass((next - bench.now.monotonic).seconds());
    bench.association.handle_timeout(bench.now, 0.0);
    assert!(bench.begin());
    assert_eq!(bench.association.unwanted_server(), Some(elsewhere));
    assert_eq!(bench.association.reachability().unanswered(), 8);
    let other = SocketAddr::from(([192, 0, 2, 78], 123));
    let named = NtsSession { server: Some(other), ..session(1, 8) };
    assert!(bench.association.establish_keys(named, bench.now.monotonic));
    assert_eq!(bench.association.unwanted_server(), None);
    // What the one has lost is not held against the other.
    assert_eq!(bench.association.reachability(), Reachability::default());
    // Another source may have it already.
    bench.association.refuse_server(other);
    assert_eq!(bench.association.unwanted_server(), Some(other));
}

#[test]
fn a_server_that_answers_now_and_then_is_not_unwanted() {
    let mut bench = Bench::with_nts();
    let elsewhere = SocketAddr::from(([192, 0, 2, 77], 123));
    assert!(bench.begin());
    let named = NtsSession { server: Some(elsewhere), ..session(1, 8) };
    assert!(bench.association.establish_keys(named, bench.now.monotonic));
    for _ in 0..3 {
        bench.ask();
    }
    bench.pass(REFRESH.seconds() + 1.0);
    bench.association.handle_timeout(bench.now, 0.0);
    assert!(bench.begin());
    assert_eq!(bench.association.unwanted_server(), None);
}

#[test]
fn a_host_that_gives_no_keys_three_times_is_no_good() {
    let mut bench = Bench::with_nts();
    for attempt in 1..=3 {
        assert!(!bench.association.gets_no_keys(), "{attempt}");
        let next = bench.next_request();
        bench.pass((next - bench.now.monotonic).seconds().max(0.0));
        assert!(bench.begin(), "{attempt}");
        bench.association.fail_keys(&passing("nobody there"), bench.now.monotonic);
        assert_eq!(bench.poll(ExchangeId(99)), None);
    }
    assert!(bench.association.gets_no_keys());
    bench.pass(60.0);
    assert!(bench.begin());
    bench.establish(session(1, 8));
    assert!(!bench.association.gets_no_keys(), "it does after all");
}

#[test]
fn old_keys_are_used_no_more_and_new_ones_cost_one_poll() {
    let mut bench = Bench::with_nts();
    assert!(bench.begin());
    bench.establish(session(1, 8));
    let asked = bench.ask();
    assert!(bench.answer(&asked, &[cookie(9)]).is_ok());
    bench.pass(REFRESH.seconds() - 1.0);
    assert!(!bench.begin());
    bench.pass(2.0);
    assert!(bench.begin());
    assert_eq!(bench.poll(ExchangeId(99)), None);
    assert_eq!(bench.nts().algorithm, None);
    // The server is not asked more often for that.
    let next = bench.next_request();
    assert!((next - bench.now.monotonic).seconds() >= 60.0);
    bench.establish(session(1, 8));
    assert_eq!(bench.next_request(), next);
    // They serve from then on: that is what their age counts from.
    let asked = bench.ask();
    assert!(bench.answer(&asked, &[cookie(9)]).is_ok());
    bench.pass(REFRESH.seconds() - 1.0);
    assert!(!bench.begin());
}

#[test]
fn who_was_without_keys_for_long_asks_as_soon_as_there_are_some() {
    let mut bench = Bench::with_nts();
    assert!(bench.begin());
    bench.establish(session(1, 8));
    let asked = bench.ask();
    assert!(bench.answer(&asked, &[cookie(9)]).is_ok());
    bench.pass(REFRESH.seconds() + 1.0);
    assert!(bench.begin());
    assert_eq!(bench.poll(ExchangeId(99)), None);
    bench.association.fail_keys(&passing("nobody there"), bench.now.monotonic);
    bench.pass(60.0);
    assert!(bench.begin());
    assert_eq!(bench.poll(ExchangeId(99)), None);
    bench.pass(1.0);
    bench.establish(session(1, 8));
    assert_eq!(bench.next_request(), bench.now.monotonic);
}

/// When the times of the attempts were, while they fail like that (s).
fn attempts_that_fail(failure: &KeyFailure, seconds: f64) -> Vec<f64> {
    let mut bench = Bench::with_nts();
    let began = bench.now.monotonic;
    let mut attempts = Vec::new();
    while (bench.now.monotonic - began).seconds() < seconds {
        let next = bench.next_request();
        bench.pass((next - bench.now.monotonic).seconds().max(0.0));
        if bench.begin() {
            attempts.push((bench.now.monotonic - began).seconds());
            bench.association.fail_keys(failure, bench.now.monotonic);
        }
        assert_eq!(bench.poll(ExchangeId(99)), None, "never without a cookie");
    }
    attempts
}

#[test]
fn what_somebody_has_to_mend_is_tried_again_much_later() {
    let silent = attempts_that_fail(&passing("nobody there"), 600.0);
    assert_eq!(silent.len(), 10, "{silent:?}");
    let expired = KeyFailure::Lasting("an expired certificate".to_owned());
    let refused = attempts_that_fail(&expired, 10_000.0);
    let pauses: Vec<f64> = refused.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses, [1024.0, 2048.0, 4096.0, 8192.0]);
}

#[test]
fn a_certificate_may_be_valid_once_the_clock_was_stepped() {
    let mut bench = Bench::with_nts();
    assert!(bench.begin());
    let early = KeyFailure::Lasting("a certificate that is not yet valid".to_owned());
    bench.association.fail_keys(&early, bench.now.monotonic);
    assert_eq!(bench.poll(ExchangeId(99)), None);
    bench.pass(30.0);
    assert!(!bench.begin());
    bench.association.clock_stepped(bench.now.monotonic);
    assert!(bench.begin());
}

#[test]
fn who_was_sent_to_a_silent_server_begins_again_at_home_now_and_then() {
    let authentication = Authentication::Nts(NtsServer::default());
    let poll = PollInterval::new(4);
    let settings = Settings { minpoll: poll, maxpoll: poll, authentication, ..without_volley() };
    let mut bench = Bench::new(settings);
    let (home, began) = (bench.association.address(), bench.now.monotonic);
    let elsewhere = SocketAddr::from(([192, 0, 2, 77], 123));
    let named = NtsSession { server: Some(elsewhere), ..session(1, 8) };
    let (mut attempts, mut homecomings) = (0, Vec::new());
    while (bench.now.monotonic - began).seconds() < 4000.0 {
        let next = bench.next_request();
        bench.pass((next - bench.now.monotonic).seconds().max(0.0));
        bench.association.handle_timeout(bench.now, 0.0);
        if !bench.begin() {
            bench.poll(ExchangeId(99));
            continue;
        }
        attempts += 1;
        if bench.association.come_home(bench.now.monotonic) {
            assert_eq!(bench.association.address(), home);
            homecomings.push((bench.now.monotonic - began).seconds());
        }
        bench.association.establish_keys(named.clone(), bench.now.monotonic);
        assert_eq!(bench.association.address(), elsewhere);
    }
    // What was tried before still counts.
    assert_eq!(bench.nts().attempts, attempts);
    assert!(homecomings.len() >= 3, "{homecomings:?}");
    assert!(homecomings.windows(2).all(|pair| pair[1] - pair[0] >= 1024.0), "{homecomings:?}");
}

/// Everything in which an answer differs from the true one, and the rule that finds it.
#[test]
fn no_attack_without_the_keys_changes_anything() {
    let mut bench = Bench::with_nts();
    assert!(bench.begin());
    bench.establish(session(1, 8));
    for _ in 0..3 {
        let asked = bench.ask();
        assert!(bench.answer(&asked, &[cookie(9)]).is_ok());
    }
    let replayed = bench.ask();
    let old = bench.answer_to(&replayed.header);
    let keys = secrets(1).keys().expect("keys");
    let old = respond(&old, &replayed.identifier, Some(&keys.to_client), &[cookie(9)]);
    let asked = bench.ask();
    let exchange = asked.exchange;
    let answer = bench.answer_to(&asked.header);
    let identifier = asked.identifier.as_slice();
    let good = respond(&answer, identifier, Some(&keys.to_client), &[cookie(9)]);
    let mut wrong_identifier = identifier.to_vec();
    wrong_identifier[31] ^= 1;
    let kiss = |code: &[u8; 4]| Header {
        stratum: 0,
        reference_id: ReferenceId::from_bytes(*code),
        ..answer
    };
    let stranger = secrets(5).keys().expect("keys");
    let truncated = |len: usize| good[..len].to_vec();
    let mut longer_nonce = good.clone();
    longer_nonce[84 + 5] = 200;
    let mut flipped = good.clone();
    flipped[40] ^= 1;
    let mut trailing = good.clone();
    trailing.extend([0; 20]);
    for (what, bytes, rule) in [
        ("plain", answer.to_bytes().to_vec(), Reject::WrongUniqueIdentifier),
        ("crypto-NAK", [&answer.to_bytes()[..], &[0; 4]].concat(), Reject::CryptoNak),
        ("another answer", old, Reject::WrongOrigin),
        (
            "wrong identifier",
            respond(&answer, &wrong_identifier, Some(&keys.to_client), &[cookie(9)]),
            Reject::WrongUniqueIdentifier,
        ),
        (
            "short identifier",
            respond(&answer, &identifier[..28], Some(&keys.to_client), &[]),
            Reject::WrongUniqueIdentifier,
        ),
        ("no authenticator", respond(&answer, identifier, None, &[]), Reject::MissingAuthenticator),
        (
            "keys of another server",
            respond(&answer, identifier, Some(&stranger.to_client), &[cookie(9)]),
            Reject::BadAuthenticator,
        ),
        (
            "our own key",
            respond(&answer, identifier, Some(&keys.to_server), &[cookie(9)]),
            Reject::BadAuthenticator,
        ),
        ("our own request", asked.bytes.clone(), Reject::WrongMode),
        ("a changed timestamp", flipped, Reject::BadAuthenticator),
        ("cut in the authenticator", truncated(good.len() - 4), Reject::Malformed),
        ("a nonce that is too long", longer_nonce, Reject::MalformedNts),
        ("a MAC", trailing, Reject::UnexpectedMac),
        ("DENY", respond(&kiss(b"DENY"), identifier, None, &[]), Reject::MissingAuthenticator),
        ("RATE", respond(&kiss(b"RATE"), identifier, None, &[]), Reject::MissingAuthenticator),
        ("plain DENY", kiss(b"DENY").to_bytes().to_vec(), Reject::WrongUniqueIdentifier),
        ("plain NAK", kiss(b"NTSN").to_bytes().to_vec(), Reject::WrongUniqueIdentifier),
        (
            "NAK to another request",
            respond(&kiss(b"NTSN"), &wrong_identifier, None, &[]),
            Reject::WrongUniqueIdentifier,
        ),
    ] {
        bench.assert_rejected(exchange, &bytes, rule, what);
    }
    assert!(bench.receive_bytes(exchange, &good).is_ok());
    bench.assert_rejected(exchange, &good, Reject::Unsolicited, "the same once more");
}

#[test]
fn a_nak_has_new_keys_established_and_takes_nothing_away() {
    let mut bench = Bench::with_nts();
    assert!(bench.begin());
    bench.establish(session(1, 8));
    let asked = bench.ask();
    assert!(bench.answer(&asked, &[cookie(9)]).is_ok());
    let asked = bench.ask();
    let reference_id = ReferenceId::from_bytes(*b"NTSN");
    let nak = Header { stratum: 0, reference_id, ..bench.answer_to(&asked.header) };
    let nak = respond(&nak, &asked.identifier, None, &[]);
    assert_eq!(bench.receive_bytes(asked.exchange, &nak), Err(Reject::NtsNak));
    assert_eq!(bench.rejected(Reject::NtsNak), 1);
    assert!(bench.nts().nak);
    assert_eq!((bench.nts().cookies, bench.association.estimator().len()), (7, 1));
    // It was a lie: the true answer still comes.
    assert!(bench.answer(&asked, &[cookie(9)]).is_ok());
    assert!(!bench.nts().nak);

    let asked = bench.ask();
    let nak = Header { stratum: 0, reference_id, ..bench.answer_to(&asked.header) };
    let nak = respond(&nak, &asked.identifier, None, &[]);
    assert_eq!(bench.receive_bytes(asked.exchange, &nak), Err(Reject::NtsNak));
    assert!(!bench.begin(), "not before the next poll");
    bench.pass(70.0);
    assert!(bench.begin());
    // That is this poll's work. If nothing comes of it, the old keys still serve: it may have been a lie.
    assert_eq!(bench.poll(ExchangeId(99)), None);
    bench.association.fail_keys(&passing("nobody there"), bench.now.monotonic);
    let asked = bench.ask();
    assert!(bench.answer(&asked, &[cookie(9)]).is_ok());
    assert_eq!(bench.association.estimator().len(), 3);
}

/// An old chrony takes keys of AEAD_AES_128_GCM_SIV from the session in its own way.
#[test]
fn the_other_keys_are_tried_if_the_first_ones_are_not_known() {
    let mut bench = Bench::with_nts();
    assert!(bench.begin());
    bench.establish(NtsSession { alternative: Some(secrets(1)), ..session(7, 8) });
    let next = bench.next_request();
    bench.pass((next - bench.now.monotonic).seconds().max(0.0));
    let bytes = bench.poll(ExchangeId(1)).expect("a request");
    let fields = NtsFields::of(&Packet::parse(&bytes).expect("a packet")).expect("fields");
    let key = secrets(7).keys().expect("keys").to_server;
    assert!(fields.authenticator.expect("one").open(&key, &mut []).is_some());
    let reference_id = ReferenceId::from_bytes(*b"NTSN");
    let nak = Header { stratum: 0, reference_id, ..bench.answer_to(&header_of(&bytes)) };
    let nak = respond(&nak, fields.unique_identifier.expect("one"), None, &[]);
    bench.pass(0.002);
    assert_eq!(bench.receive_bytes(ExchangeId(1), &nak), Err(Reject::NtsNak));
    assert!(!bench.nts().nak);
    bench.exchanges = 1;
    let asked = bench.ask();
    assert!(bench.answer(&asked, &[cookie(9)]).is_ok());
    assert_eq!(bench.nts().sessions, 1);
}

/// RFC 8915 §8.5.
#[test]
fn a_time_outside_of_a_certificate_that_was_taken_on_trust_is_not_believed() {
    let mut bench = Bench::with_nts();
    assert!(bench.begin());
    let now = bench.now.system;
    let day = Span::from_secs(86_400);
    bench.establish(NtsSession { validity: Some((now + day, now + day + day)), ..session(1, 8) });
    let asked = bench.ask();
    assert_eq!(bench.answer(&asked, &[]), Err(Reject::OutsideCertificate));
    assert_eq!(bench.association.estimator().len(), 0);
    bench.establish(NtsSession { validity: Some((now - day, now + day)), ..session(1, 8) });
    let asked = bench.ask();
    assert!(bench.answer(&asked, &[]).is_ok());
    assert!(bench.nts().certificate_time_unchecked);
}

#[test]
fn encrypted_fields_are_what_was_written() {
    let text = fields(&[cookie(1), cookie(2)]);
    let read: Vec<_> =
        EncryptedFields::new(&text).map(|f| f.expect("one").value.to_vec()).collect();
    assert_eq!(read, [cookie(1), cookie(2)]);
}

/// Keys and cookies go on in another program; what was used here is not among them.
#[test]
fn a_session_outlives_its_association() {
    let mut bench = Bench::with_nts();
    assert!(bench.begin());
    bench.establish(session(1, 3));
    bench.ask();
    let kept = bench.association.nts_session(bench.now.monotonic).expect("a session");
    assert_eq!(kept.cookies, [cookie(2), cookie(3)]);
    assert!((kept.age - 0.0021).abs() < 1.0);
    let mut next = Bench::with_nts();
    next.establish(kept);
    let asked = next.ask();
    assert_eq!(asked.cookie, cookie(2));
    assert!(next.answer(&asked, &[cookie(9)]).is_ok());
}

/// Who finds the keys after a crash has cookies that were never used, and nobody uses them twice.
#[test]
fn what_is_set_aside_is_not_used() {
    let mut bench = Bench::with_nts();
    assert!(bench.begin());
    bench.establish(session(1, 8));
    let aside = bench.association.set_nts_session_aside(bench.now.monotonic).expect("a session");
    assert_eq!(aside.cookies, [cookie(7), cookie(8)]);
    assert_eq!(bench.nts().cookies, 8);
    assert!(bench.association.set_nts_session_aside(bench.now.monotonic).is_none(), "it was done");
    let mut used = Vec::new();
    for number in 20..26 {
        let asked = bench.ask();
        assert_eq!(asked.placeholders, 0);
        assert!(bench.answer(&asked, &[cookie(number)]).is_ok());
        used.push(asked.cookie);
    }
    assert_eq!(used, [1, 2, 3, 4, 5, 6].map(cookie));
    // Others take their place, and they are used before all others.
    bench.pass(21_600.0);
    let aside = bench.association.set_nts_session_aside(bench.now.monotonic).expect("a session");
    assert_eq!(aside.cookies, [cookie(24), cookie(25)]);
    let next = [bench.ask().cookie, bench.ask().cookie];
    assert_eq!(next, [cookie(8), cookie(7)]);
    // An end in good order leaves all of them.
    let kept = bench.association.nts_session(bench.now.monotonic).expect("a session");
    assert_eq!(kept.cookies, [20, 21, 22, 23, 24, 25].map(cookie));
}

#[test]
fn who_has_few_cookies_sets_none_aside() {
    let mut bench = Bench::with_nts();
    assert!(bench.begin());
    bench.establish(session(1, 3));
    assert!(bench.association.set_nts_session_aside(bench.now.monotonic).is_none());
    // New keys have new cookies, whatever is written down of the old ones.
    for seed in [3, 5] {
        bench.establish(session(seed, 4));
        assert!(bench.association.set_nts_session_aside(bench.now.monotonic).is_some());
    }
}
