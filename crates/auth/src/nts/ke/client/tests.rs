use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::{CertificateError, ServerConfig, ServerConnection};

use super::*;

const COOKIE: [u8; 100] = [0xc0; 100];

/// In the middle of the year 2026, as the certificates are.
const NOW: u64 = 1_782_000_000;
const YEAR: u64 = 366 * 86_400;

const ALL: [AeadAlgorithm; 3] =
    [AeadAlgorithm::Aes128GcmSiv, AeadAlgorithm::AesSivCmac256, AeadAlgorithm::AesSivCmac512];

/// A server with a certificate for `ntp.example` and 192.0.2.1, and somebody who vouches for it.
struct Server {
    roots: Arc<RootCertStore>,
    config: ServerConfig,
    answer: Vec<u8>,
}

impl Server {
    fn new(answer: &[Record<'_>]) -> Self {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new([]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = authority.self_signed(&authority_key).unwrap();
        let names = ["ntp.example".to_owned(), "192.0.2.1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2027, 1, 1);
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::new(authority, authority_key);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let mut config = ServerConfig::builder_with_provider(crypto_provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        config.alpn_protocols = vec![NTS_KE_ALPN.to_vec()];
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).unwrap();
        Self { roots: Arc::new(roots), config, answer: write_records(answer).unwrap() }
    }

    fn request(&self) -> Request<'_> {
        Request {
            name: "ntp.example",
            roots: Arc::clone(&self.roots),
            algorithms: &ALL,
            now: unix(NOW),
            times: CertificateTimes::Checked,
        }
    }

    /// Speaks with a client, in pieces of so many bytes.
    fn serve(&self, request: &Request<'_>, piece: usize) -> Result<Served, KeError> {
        let mut client = Session::new(request)?;
        let mut server = ServerConnection::new(Arc::new(self.config.clone())).unwrap();
        server.set_buffer_limit(None);
        let (mut asked, mut answered) = (Vec::new(), false);
        for _ in 0..20 {
            let mut out = Vec::new();
            client.transmit(&mut out).unwrap();
            let mut rest = out.as_slice();
            while !rest.is_empty() {
                server.read_tls(&mut rest).unwrap();
                // What the client finds wrong it has told; the server's own view is no matter here.
                if server.process_new_packets().is_err() {
                    break;
                }
            }
            let mut plain = [0; 1024];
            if let Ok(len) = server.reader().read(&mut plain) {
                asked.extend_from_slice(&plain[..len]);
            }
            if !asked.is_empty() && !answered {
                answered = true;
                server.writer().write_all(&self.answer).unwrap();
                server.send_close_notify();
            }
            let mut back = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut back).unwrap();
            }
            for bytes in back.chunks(piece) {
                client.receive(bytes)?;
            }
            if let Some(established) = client.established()? {
                assert_eq!(client.stage(), Stage::Answered);
                return Ok(Served { established, server, asked });
            }
        }
        panic!("no end");
    }

    fn error(&self, request: &Request<'_>) -> KeError {
        self.serve(request, 4096).map(|_| ()).unwrap_err()
    }
}

struct Served {
    established: Established,
    server: ServerConnection,
    asked: Vec<u8>,
}

impl Served {
    /// The server's keys and those of the client are the same.
    fn agrees(&self, secrets: &SessionSecrets, context: ExporterContext) -> bool {
        let ours = secrets.keys().unwrap();
        let algorithm = ours.to_server.algorithm();
        let theirs = session_secrets(&self.server, algorithm, context).unwrap().keys().unwrap();
        let nonce = vec![1; algorithm.nonce_len()];
        let mut sealed = [0; 16];
        let agree = |one: &crate::nts::AeadKey, other: &crate::nts::AeadKey, sealed: &mut [u8]| {
            one.seal(&nonce, b"a", &[], sealed).unwrap();
            other.open(&nonce, b"a", sealed, &mut []).is_some()
        };
        assert!(!agree(&ours.to_server, &theirs.to_client, &mut sealed));
        agree(&ours.to_server, &theirs.to_server, &mut sealed)
            && agree(&theirs.to_client, &ours.to_client, &mut sealed)
    }
}

fn unix(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn list(bytes: &[u8]) -> Numbers<'_> {
    Numbers::new(bytes).unwrap()
}

/// A good answer, with other records before its end.
fn answer<'a>(algorithm: &'a [u8], more: &[Record<'a>]) -> Vec<Record<'a>> {
    let mut records = vec![
        Record::critical(Body::NextProtocol(list(&[0, 0]))),
        Record::critical(Body::AeadAlgorithms(list(algorithm))),
    ];
    records.extend(vec![Record::optional(Body::Cookie(&COOKIE)); 8]);
    records.extend_from_slice(more);
    records.push(Record::critical(Body::EndOfMessage));
    records
}

#[test]
fn a_session_gives_both_sides_the_same_keys_however_its_bytes_arrive() {
    let more = [
        Record::optional(Body::Server("other.example")),
        Record::optional(Body::Port(1123)),
        Record::optional(Body::Unknown { record_type: 0x4001, body: b"draft" }),
    ];
    for (number, algorithm) in [(15, ALL[1]), (17, ALL[2])] {
        let server = Server::new(&answer(&[0, number], &more));
        for piece in [1, 7, 4096] {
            let served = server.serve(&server.request(), piece).unwrap();
            let established = &served.established;
            assert_eq!(established.secrets.keys().unwrap().to_client.algorithm(), algorithm);
            assert!(served.agrees(&established.secrets, ExporterContext::Compliant));
            assert!(established.alternative.is_none());
            assert_eq!(established.cookies, vec![COOKIE.to_vec(); 8]);
            assert_eq!(established.server.as_deref(), Some("other.example"));
            assert_eq!(established.port, Some(1123));
            assert_eq!(established.validity, None);
            let expected = [
                &[0x80, 1, 0, 2, 0, 0][..],
                &[0x80, 4, 0, 6, 0, 30, 0, 15, 0, 17],
                &[4, 0, 0, 0],
                &[0x80, 0, 0, 0],
            ];
            assert_eq!(served.asked, expected.concat());
        }
    }
}

#[test]
fn keys_of_gcm_siv_are_taken_as_both_sides_agree_or_else_in_both_ways() {
    let agreed = Server::new(&answer(&[0, 30], &[Record::optional(Body::CompliantExporter)]));
    let served = agreed.serve(&agreed.request(), 4096).unwrap();
    assert!(served.agrees(&served.established.secrets, ExporterContext::Compliant));
    assert!(served.established.alternative.is_none());

    let old = Server::new(&answer(&[0, 30], &[]));
    let served = old.serve(&old.request(), 4096).unwrap();
    assert!(served.agrees(&served.established.secrets, ExporterContext::Chrony));
    assert!(!served.agrees(&served.established.secrets, ExporterContext::Compliant));
    let alternative = served.established.alternative.as_ref().unwrap();
    assert!(served.agrees(alternative, ExporterContext::Compliant));
}

#[test]
fn an_answer_that_breaks_a_rule_is_an_error_that_says_which() {
    let good = answer(&[0, 15], &[]);
    let without = |index: usize| {
        let mut records = good.clone();
        records.remove(index);
        records
    };
    let only = |record: Record<'static>| vec![record, Record::critical(Body::EndOfMessage)];
    let with = |record: Record<'static>| {
        let mut records = good.clone();
        records.insert(0, record);
        records
    };
    let cases = [
        (without(0), "no record names the protocol"),
        (without(1), "no record names the cipher"),
        (with(good[0]), "two records name the protocol"),
        (with(good[1]), "two records name the cipher"),
        (with(Record::critical(Body::NextProtocol(list(&[])))), "two records name the protocol"),
        (only(Record::critical(Body::NextProtocol(list(&[])))), "does not serve NTPv4"),
        (answer(&[], &[]), "none of the ciphers"),
        (answer(&[0, 15, 0, 17], &[]), "more than one cipher"),
        (answer(&[0, 16], &[]), "the cipher 16, which was not offered"),
        (only(Record::critical(Body::Error(ErrorCode::BadRequest))), "calls the request bad"),
        (with(Record::critical(Body::Error(ErrorCode::InternalServerError))), "went wrong"),
        (with(Record::critical(Body::Warning(7))), "warns of 7"),
        (with(Record::optional(Body::Port(0))), "port 0"),
        (
            with(Record::critical(Body::Unknown { record_type: 99, body: &[] })),
            "critical record of the unknown type 99",
        ),
        (good[..2].iter().chain(&good[10..]).copied().collect(), "no cookie"),
        (
            answer(&[0, 15], &[])
                .iter()
                .map(|record| match record.body {
                    Body::Cookie(_) => Record::optional(Body::Cookie(&COOKIE[..99])),
                    _ => *record,
                })
                .collect(),
            "no cookie",
        ),
        (vec![Record::optional(Body::Cookie(&COOKIE)); 70], "more than 64 records"),
        // No end: the server has hung up before.
        (good[..10].to_vec(), "hung up"),
    ];
    for (records, words) in cases {
        let server = Server::new(&records);
        let error = server.error(&server.request()).to_string();
        assert!(error.contains(words), "{error} / {words}");
    }
    let mut server = Server::new(&good);
    server.answer.extend([0, 5, 0, 0]);
    let error = server.error(&server.request());
    assert!(matches!(error, KeError::Message(MessageError::AfterEnd)), "{error}");
    server.answer = vec![0x41; 70_000];
    server.answer[..4].copy_from_slice(&[0x40, 1, 0xff, 0xff]);
    let error = server.error(&server.request());
    assert!(matches!(error, KeError::Message(MessageError::TooLong { .. })), "{error}");
}

/// RFC 8915 §4.1.6: eight cookies are enough, and none is kept that no request could carry.
#[test]
fn of_many_cookies_eight_are_kept_and_of_useless_ones_none() {
    let with_cookies = |values: &[&[u8]]| {
        let mut records = answer(&[0, 15], &[]);
        records.retain(|record| !matches!(record.body, Body::Cookie(_)));
        let cookies = values.iter().map(|value| Record::optional(Body::Cookie(value)));
        records.splice(2..2, cookies);
        Server::new(&records)
    };
    let kept = |values: &[&[u8]]| {
        let server = with_cookies(values);
        server.serve(&server.request(), 4096).unwrap().established.cookies
    };
    assert_eq!(kept(&[COOKIE.as_slice(); 40]), vec![COOKIE.to_vec(); 8]);
    assert_eq!(kept(&[&COOKIE]), vec![COOKIE.to_vec()]);
    let long = vec![1; 30_000];
    assert_eq!(kept(&[&[1; 8], &long, &COOKIE, &[1; 99]]), vec![COOKIE.to_vec()]);
    let server = with_cookies(&[&[1; 8], &long, &[1; 99]]);
    let error = server.error(&server.request());
    assert!(error.to_string().contains("no cookie"), "{error}");
    let server = with_cookies(&[&COOKIE, &[]]);
    let error = server.error(&server.request());
    assert!(matches!(error, KeError::Message(MessageError::Record(_))), "{error}");
    // A server name that alone is as long as a message may be.
    let name = "n".repeat(65_400);
    let server = Server::new(&answer(&[0, 15], &[Record::optional(Body::Server(&name))]));
    let error = server.error(&server.request());
    assert!(matches!(error, KeError::Message(MessageError::TooLong { .. })), "{error}");
}

/// RFC 8915 §3: not below TLS 1.3.
#[test]
fn an_older_tls_is_not_spoken() {
    let server = Server::new(&[]);
    let mut session = Session::new(&server.request()).unwrap();
    // TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, no extensions.
    let hello = [&[3, 3][..], &[7; 32], &[0, 0xc0, 0x2b, 0]].concat();
    let handshake = [&[2, 0, 0, hello.len() as u8][..], &hello].concat();
    let record = [&[22, 3, 3, 0, handshake.len() as u8][..], &handshake].concat();
    let error = session.receive(&record).unwrap_err();
    assert!(matches!(error, KeError::Tls(rustls::Error::PeerIncompatible(_))), "{error}");
    assert_eq!(session.stage(), Stage::Handshake);
}

#[test]
fn only_ciphers_that_were_offered_are_used() {
    let server = Server::new(&answer(&[0, 30], &[]));
    let request = Request { algorithms: &ALL[1..], ..server.request() };
    assert!(matches!(server.error(&request), KeError::AlgorithmNotOffered(30)));
}

#[test]
fn who_does_not_speak_the_protocol_is_not_asked() {
    let mut server = Server::new(&answer(&[0, 15], &[]));
    server.config.alpn_protocols.clear();
    assert!(matches!(server.error(&server.request()), KeError::Alpn));
    let mut session = Session::new(&server.request()).unwrap();
    assert!(matches!(session.receive(b"SSH-2.0-OpenSSH\r\n"), Err(KeError::Tls(_))));
    let mut session = Session::new(&server.request()).unwrap();
    assert!(matches!(session.receive(&[]), Err(KeError::Truncated)));
    assert_eq!(session.stage(), Stage::Handshake);
}

fn refused(error: &KeError) -> &CertificateError {
    match error {
        KeError::Tls(rustls::Error::InvalidCertificate(reason)) => reason,
        other => panic!("{other}"),
    }
}

/// All authorities of these tests have the same name.
fn is_foreign(reason: &CertificateError) -> bool {
    matches!(reason, CertificateError::BadSignature | CertificateError::UnknownIssuer)
}

#[test]
fn the_certificate_has_to_be_for_the_configured_name_and_from_somebody_trusted() {
    let server = Server::new(&answer(&[0, 15], &[]));
    for name in ["192.0.2.1", "ntp.example.", "NTP.example"] {
        assert!(server.serve(&Request { name, ..server.request() }, 4096).is_ok(), "{name}");
    }
    for name in ["ntp2.example", "example", "192.0.2.2"] {
        let error = server.error(&Request { name, ..server.request() });
        let expected = matches!(refused(&error), CertificateError::NotValidForNameContext { .. });
        assert!(expected, "{name} {error}");
    }
    let error = server.error(&Request { name: "not a name", ..server.request() });
    assert!(matches!(error, KeError::Name(..)), "{error}");
    let stranger = Server::new(&[]);
    let error = server.error(&Request { roots: stranger.roots, ..server.request() });
    assert!(is_foreign(refused(&error)), "{error}");
    // Also where its time makes no difference.
    let stranger = Server::new(&[]);
    let times = CertificateTimes::Unchecked { earliest: unix(0) };
    let error = server.error(&Request { roots: stranger.roots, times, ..server.request() });
    assert!(is_foreign(refused(&error)), "{error}");
    // Nobody is good enough for who trusts nobody, whatever time it is.
    for times in [CertificateTimes::Checked, times, CertificateTimes::Ignored] {
        let roots = Arc::new(RootCertStore::empty());
        let error = server.error(&Request { roots, times, ..server.request() });
        assert_eq!(refused(&error), &CertificateError::UnknownIssuer);
        assert!(error.to_string().contains("nobody who is trusted vouches"), "{error}");
    }
}

#[test]
fn each_record_can_travel_for_itself() {
    /// How much was written at once.
    struct Pieces(Vec<usize>);

    impl io::Write for Pieces {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Its length stands at its head (RFC 8446 §5.1).
            let len = usize::from(u16::from_be_bytes([bytes[3], bytes[4]])) + 5;
            assert_eq!(bytes.len(), len);
            self.0.push(len);
            Ok(len)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let server = Server::new(&answer(&[0, 15], &[]));
    let mut client = Session::new(&server.request()).unwrap();
    let mut hello = Vec::new();
    client.transmit(&mut hello).unwrap();
    let mut connection = ServerConnection::new(Arc::new(server.config.clone())).unwrap();
    connection.read_tls(&mut hello.as_slice()).unwrap();
    connection.process_new_packets().unwrap();
    let mut flight = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut flight).unwrap();
    }
    client.receive(&flight).unwrap();
    let mut pieces = Pieces(Vec::new());
    client.transmit(&mut pieces).unwrap();
    // A change of ciphers for the sake of appearances, the end of the handshake, and the request.
    assert_eq!(pieces.0.len(), 3, "{:?}", pieces.0);
    assert!(!client.wants_transmit());
}

/// RFC 8915 §8.5.
#[test]
fn a_certificate_of_another_time_is_accepted_only_by_who_does_not_know_the_time() {
    let server = Server::new(&answer(&[0, 15], &[]));
    let (before, after) = (unix(NOW - YEAR), unix(NOW + YEAR));
    let error = server.error(&Request { now: before, ..server.request() });
    assert!(matches!(refused(&error), CertificateError::NotValidYetContext { .. }), "{error}");
    let error = server.error(&Request { now: after, ..server.request() });
    assert!(matches!(refused(&error), CertificateError::ExpiredContext { .. }), "{error}");

    let valid = Validity { not_before: 1_767_225_600, not_after: 1_798_761_600 };
    for now in [before, unix(NOW), after] {
        let times = CertificateTimes::Unchecked { earliest: unix(NOW) };
        let served = server.serve(&Request { now, times, ..server.request() }, 4096).unwrap();
        assert_eq!(served.established.validity, Some(valid));
    }
    // An operator who does not care gets no bounds, but not somebody else's certificate either.
    for now in [before, unix(NOW), after] {
        let request = Request { now, times: CertificateTimes::Ignored, ..server.request() };
        let validity = server.serve(&request, 4096).unwrap().established.validity;
        assert_eq!(validity, Some(Validity { not_before: 0, not_after: 253_402_300_799 }));
        let roots = Server::new(&[]).roots;
        let error = server.error(&Request { roots, ..request });
        assert!(is_foreign(refused(&error)), "{error}");
    }
    // It is known to be over.
    let times = CertificateTimes::Unchecked { earliest: unix(valid.not_after + 1) };
    let error = server.error(&Request { now: after, times, ..server.request() });
    assert!(matches!(refused(&error), CertificateError::ExpiredContext { .. }), "{error}");
}
