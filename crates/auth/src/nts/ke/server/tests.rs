use std::sync::Arc;

use proptest::prelude::*;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CipherSuite, ClientConfig, ClientConnection, RootCertStore};
use timeball_wire::nts_ke::{Body, Numbers, Record};

use super::*;
use crate::nts::ke::{crypto_provider, write_records};
use crate::nts::{KeyMaterial, SessionSecrets};

struct Identity {
    chain: String,
    key: String,
    der: CertificateDer<'static>,
}

fn identity(names: &[&str]) -> Identity {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    Identity { chain: cert.pem(), key: signing_key.serialize_pem(), der: cert.der().clone() }
}

fn tls_of(identities: &[&Identity]) -> Arc<ServerConfig> {
    let pairs = identities.iter().map(|one| (one.chain.as_bytes(), one.key.as_bytes()));
    tls(Certificates::from_pem(pairs).unwrap()).unwrap()
}

fn terms() -> Terms {
    Terms { algorithms: AeadAlgorithm::ALL.to_vec(), ntp_server: None, ntp_port: None }
}

fn server_keys() -> ServerKeys {
    ServerKeys::new([1, 2, 3, 4].map(|seed| KeyMaterial::new(&[seed; KeyMaterial::LEN]))).unwrap()
}

/// A client that asks whatever it is told to.
fn client(roots: &[&Identity], name: &str, alpn: &[&[u8]]) -> ClientConnection {
    client_with(crypto_provider(), roots, name, alpn)
}

fn client_with(
    provider: Arc<CryptoProvider>,
    roots: &[&Identity],
    name: &str,
    alpn: &[&[u8]],
) -> ClientConnection {
    let mut trusted = RootCertStore::empty();
    for root in roots {
        trusted.add(root.der.clone()).unwrap();
    }
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(trusted)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap()
}

/// What a client heard, and what became of the session.
struct Outcome {
    heard: Vec<u8>,
    client: ClientConnection,
    tls_error: Option<rustls::Error>,
    result: Result<(), SessionError>,
    stage: Stage,
}

/// The whole conversation, `piece` bytes at a time from the client.
fn converse(
    tls: &Arc<ServerConfig>,
    mut client: ClientConnection,
    request: &[u8],
    terms: &Terms,
    piece: usize,
) -> Outcome {
    let keys = server_keys();
    let mut count = 0_u8;
    let nonces = || {
        count += 1;
        [count; 16]
    };
    let mut cookies = CookieMaker { keys: &keys, nonces };
    let mut session = Session::new(tls).unwrap();
    client.writer().write_all(request).unwrap();
    let (mut heard, mut tls_error, mut result) = (Vec::new(), None, Ok(()));
    for _ in 0..8 {
        let mut sent = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut sent).unwrap();
        }
        for piece in sent.chunks(piece) {
            if result.is_ok() {
                result = session.receive(piece, terms, &mut cookies);
            }
        }
        let mut answer = Vec::new();
        session.transmit(&mut answer);
        let mut rest = answer.as_slice();
        while !rest.is_empty() && tls_error.is_none() {
            client.read_tls(&mut rest).unwrap();
            tls_error = client.process_new_packets().err();
        }
        // An end without a goodbye is an error to read.
        let _ = client.reader().read_to_end(&mut heard);
    }
    Outcome { heard, client, tls_error, result, stage: session.stage() }
}

fn ask(request: &[u8]) -> Outcome {
    let identity = identity(&["ntp.example"]);
    let client = client(&[&identity], "ntp.example", &[NTS_KE_ALPN]);
    converse(&tls_of(&[&identity]), client, request, &terms(), 65_536)
}

/// The suite that costs least is chosen, whatever the client offers first; one that has not got it is
/// served too.
#[test]
fn the_suite_is_the_servers_choice() {
    let identity = identity(&["ntp.example"]);
    let (ours, other) =
        (CipherSuite::TLS13_AES_128_GCM_SHA256, CipherSuite::TLS13_AES_256_GCM_SHA384);
    let all = default_provider();
    assert_eq!(all.cipher_suites[0].suite(), other, "the test is one of another order");
    let mut few = default_provider();
    few.cipher_suites.retain(|suite| suite.suite() != ours);
    for (provider, expected) in [(all, ours), (few, other)] {
        let provider = Arc::new(provider);
        let client = client_with(provider, &[&identity], "ntp.example", &[NTS_KE_ALPN]);
        let request = message(&[protocols(NTP), algorithms(&[0, 15])]);
        let outcome = converse(&tls_of(&[&identity]), client, &request, &terms(), 65_536);
        assert_eq!(outcome.stage, Stage::Answered);
        let suite = outcome.client.negotiated_cipher_suite().map(|suite| suite.suite());
        assert_eq!(suite, Some(expected));
    }
}

fn protocols(numbers: &'static [u8]) -> Record<'static> {
    Record::critical(Body::NextProtocol(Numbers::new(numbers).unwrap()))
}

fn algorithms(numbers: &'static [u8]) -> Record<'static> {
    Record::critical(Body::AeadAlgorithms(Numbers::new(numbers).unwrap()))
}

const NTP: &[u8] = &[0, 0];
const END: Record<'_> = Record::critical(Body::EndOfMessage);

fn message(records: &[Record<'_>]) -> Vec<u8> {
    write_records(&[records, &[END]].concat()).unwrap()
}

fn records(mut bytes: &[u8]) -> Vec<Record<'_>> {
    let mut found = Vec::new();
    while let Ok(Some((record, rest))) = Record::split_from(bytes) {
        found.push(record);
        bytes = rest;
    }
    assert!(bytes.is_empty());
    found
}

fn cookies(bytes: &[u8]) -> Vec<Vec<u8>> {
    let bodies = records(bytes).into_iter().filter_map(|record| match record.body {
        Body::Cookie(cookie) => Some(cookie.to_vec()),
        _ => None,
    });
    bodies.collect()
}

fn bodies(bytes: &[u8]) -> Vec<Body<'_>> {
    let all = records(bytes).into_iter().map(|record| record.body);
    all.filter(|body| !matches!(body, Body::Cookie(_))).collect()
}

fn same(one: &SessionSecrets, other: &SessionSecrets) -> bool {
    let (one, other) = (one.keys().unwrap(), other.keys().unwrap());
    [(&one.to_server, &other.to_server), (&one.to_client, &other.to_client)].iter().all(
        |(one, other)| {
            let mut sealed = [0; 32];
            let nonce = vec![1; one.algorithm().nonce_len()];
            let len = one.seal(&nonce, b"a", b"text", &mut sealed).unwrap();
            other.open(&nonce, b"a", &sealed[..len], &mut [0; 32]).is_some()
        },
    )
}

#[test]
fn a_client_gets_eight_cookies_that_hold_the_keys_of_the_session() {
    for (offered, chosen) in [
        (&[0, 15][..], AeadAlgorithm::AesSivCmac256),
        (&[0, 17, 0, 15], AeadAlgorithm::AesSivCmac512),
        (&[0, 99, 0, 30, 0, 15], AeadAlgorithm::Aes128GcmSiv),
        (&[0, 15, 0, 30], AeadAlgorithm::AesSivCmac256),
    ] {
        let compliant = Record::optional(Body::CompliantExporter);
        let outcome = ask(&message(&[protocols(NTP), algorithms(offered), compliant]));
        outcome.result.unwrap();
        assert_eq!(outcome.stage, Stage::Answered);
        let number = chosen.number().to_be_bytes();
        let mut expected = vec![
            Body::NextProtocol(Numbers::new(NTP).unwrap()),
            Body::AeadAlgorithms(Numbers::new(&number).unwrap()),
        ];
        if chosen == AeadAlgorithm::Aes128GcmSiv {
            expected.push(Body::CompliantExporter);
        }
        expected.push(Body::EndOfMessage);
        assert_eq!(bodies(&outcome.heard), expected);
        let cookies = cookies(&outcome.heard);
        assert_eq!(cookies.len(), 8);
        let context = ExporterContext::Compliant;
        let secrets = session_secrets(&outcome.client, chosen, context).unwrap();
        for cookie in &cookies {
            assert!(same(&server_keys().open(cookie).unwrap(), &secrets));
        }
    }
}

#[test]
fn chrony_of_old_takes_its_keys_in_its_own_way() {
    let outcome = ask(&message(&[protocols(NTP), algorithms(&[0, 30, 0, 15])]));
    assert!(!bodies(&outcome.heard).contains(&Body::CompliantExporter));
    let algorithm = AeadAlgorithm::Aes128GcmSiv;
    let theirs = session_secrets(&outcome.client, algorithm, ExporterContext::Chrony).unwrap();
    let cookie = cookies(&outcome.heard).remove(0);
    assert!(same(&server_keys().open(&cookie).unwrap(), &theirs));
}

#[test]
fn only_the_ciphers_that_we_want_are_chosen() {
    let identity = identity(&["ntp.example"]);
    let client = client(&[&identity], "ntp.example", &[NTS_KE_ALPN]);
    let terms = Terms { algorithms: vec![AeadAlgorithm::AesSivCmac256], ..terms() };
    let request = message(&[protocols(NTP), algorithms(&[0, 30, 0, 17, 0, 15])]);
    let outcome = converse(&tls_of(&[&identity]), client, &request, &terms, 65_536);
    let number = Numbers::new(&[0, 15]).unwrap();
    assert!(bodies(&outcome.heard).contains(&Body::AeadAlgorithms(number)));
}

#[test]
fn another_server_and_port_are_told() {
    let identity = identity(&["ntp.example"]);
    let client = client(&[&identity], "ntp.example", &[NTS_KE_ALPN]);
    let terms =
        Terms { ntp_server: Some("192.0.2.7".to_owned()), ntp_port: Some(11_123), ..terms() };
    let request = message(&[protocols(NTP), algorithms(&[0, 15])]);
    let outcome = converse(&tls_of(&[&identity]), client, &request, &terms, 65_536);
    let said = bodies(&outcome.heard);
    assert!(said.contains(&Body::Server("192.0.2.7")) && said.contains(&Body::Port(11_123)));
}

#[test]
fn without_a_common_protocol_or_cipher_there_are_no_cookies() {
    let empty = Numbers::new(&[]).unwrap();
    let outcome = ask(&message(&[protocols(&[0x80, 1]), algorithms(&[0, 15])]));
    assert_eq!(bodies(&outcome.heard), [Body::NextProtocol(empty), Body::EndOfMessage]);
    assert!(outcome.result.is_ok() && cookies(&outcome.heard).is_empty());
    let outcome = ask(&message(&[protocols(NTP), algorithms(&[0, 16, 0, 31])]));
    let ntp = Numbers::new(NTP).unwrap();
    assert_eq!(
        bodies(&outcome.heard),
        [Body::NextProtocol(ntp), Body::AeadAlgorithms(empty), Body::EndOfMessage]
    );
    assert!(cookies(&outcome.heard).is_empty());
}

#[test]
fn what_is_no_request_is_told_so() {
    use ErrorCode::{BadRequest, UnrecognisedCriticalRecord};
    let good = [protocols(NTP), algorithms(&[0, 15])];
    let with = |more: Record<'static>| message(&[good[0], good[1], more]);
    let unknown = Body::Unknown { record_type: 77, body: &[1, 2] };
    let mut odd = message(&good);
    odd[3] = 3;
    for (request, code) in [
        (message(&[]), BadRequest),
        (message(&good[..1]), BadRequest),
        (message(&good[1..]), BadRequest),
        (message(&[protocols(&[]), good[1]]), BadRequest),
        (message(&[good[0], algorithms(&[])]), BadRequest),
        (with(good[0]), BadRequest),
        (with(good[1]), BadRequest),
        (with(Record::critical(Body::Error(BadRequest))), BadRequest),
        (with(Record::critical(Body::Warning(1))), BadRequest),
        (with(Record::optional(Body::Cookie(&[1]))), BadRequest),
        (with(Record::critical(unknown)), UnrecognisedCriticalRecord),
        (odd, BadRequest),
        ([message(&good), message(&good)].concat(), BadRequest),
        ([message(&good), vec![0]].concat(), BadRequest),
        (message(&[Record::optional(unknown); 65]), BadRequest),
        (vec![0; 5000], BadRequest),
    ] {
        let outcome = ask(&request);
        let said = bodies(&outcome.heard);
        assert_eq!(said, [Body::Error(code), Body::EndOfMessage], "{request:02x?}");
        assert!(outcome.result.is_err());
        assert_eq!(outcome.stage, Stage::Refused);
    }
    // And what need not be understood is passed over.
    for more in [Record::optional(unknown), Record::optional(Body::Server("x.example"))] {
        assert_eq!(cookies(&ask(&with(more)).heard).len(), 8);
    }
    let padding = Body::Unknown { record_type: 88, body: &[0; 1000] };
    assert_eq!(cookies(&ask(&with(Record::optional(padding))).heard).len(), 8);
}

#[test]
fn a_client_may_send_one_byte_at_a_time() {
    let identity = identity(&["ntp.example"]);
    let client = client(&[&identity], "ntp.example", &[NTS_KE_ALPN]);
    let request = message(&[protocols(NTP), algorithms(&[0, 15])]);
    let outcome = converse(&tls_of(&[&identity]), client, &request, &terms(), 1);
    outcome.result.unwrap();
    assert_eq!(cookies(&outcome.heard).len(), 8);
}

#[test]
fn other_protocols_are_refused() {
    let identity = identity(&["ntp.example"]);
    let request = message(&[protocols(NTP), algorithms(&[0, 15])]);
    for alpn in [&[][..], &[b"h2".as_slice()]] {
        let client = client(&[&identity], "ntp.example", alpn);
        let outcome = converse(&tls_of(&[&identity]), client, &request, &terms(), 65_536);
        assert!(outcome.result.is_err(), "{alpn:?}");
        assert!(outcome.heard.is_empty());
    }
    let client = client(&[&identity], "ntp.example", &[b"h2", NTS_KE_ALPN]);
    let outcome = converse(&tls_of(&[&identity]), client, &request, &terms(), 65_536);
    assert_eq!(cookies(&outcome.heard).len(), 8);
}

/// RFC 8915 §3: not below TLS 1.3.
#[test]
fn an_older_tls_is_not_spoken() {
    // TLS 1.2 with TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 on P-256.
    let extensions = [0, 10, 0, 4, 0, 2, 0, 23, 0, 13, 0, 4, 0, 2, 4, 3];
    let lists = [&[0, 0, 2, 0xc0, 0x2b, 1, 0, 0, extensions.len() as u8][..], &extensions].concat();
    let hello = [&[3, 3][..], &[7; 32], &lists].concat();
    let handshake = [&[1, 0, 0, hello.len() as u8][..], &hello].concat();
    let record = [&[22, 3, 1, 0, handshake.len() as u8][..], &handshake].concat();
    let keys = server_keys();
    let mut cookies = CookieMaker { keys: &keys, nonces: || [0; 16] };
    let mut session = Session::new(&tls_of(&[&identity(&["ntp.example"])])).unwrap();
    let error = session.receive(&record, &terms(), &mut cookies).unwrap_err();
    let incompatible = SessionError::Tls(rustls::Error::PeerIncompatible(
        rustls::PeerIncompatible::SupportedVersionsExtensionRequired,
    ));
    assert_eq!(error.to_string(), incompatible.to_string());
    assert_eq!(session.stage(), Stage::Refused);
    let mut out = Vec::new();
    session.transmit(&mut out);
    // A fatal alert: protocol_version.
    assert_eq!(out, [21, 3, 3, 0, 2, 2, 70]);
}

#[test]
fn the_certificate_is_that_of_the_name() {
    let (one, two) = (identity(&["one.example"]), identity(&["two.example", "*.three.example"]));
    let tls = tls_of(&[&one, &two]);
    let request = message(&[protocols(NTP), algorithms(&[0, 15])]);
    for (root, name) in [(&one, "one.example"), (&two, "two.example"), (&two, "sub.three.example")]
    {
        let client = client(&[root], name, &[NTS_KE_ALPN]);
        let outcome = converse(&tls, client, &request, &terms(), 65_536);
        assert_eq!(cookies(&outcome.heard).len(), 8, "{name}: {:?}", outcome.tls_error);
    }
    // The first is for whoever asks for another; whether it will do is for the client to say.
    let client = client(&[&one, &two], "four.example", &[NTS_KE_ALPN]);
    let outcome = converse(&tls, client, &request, &terms(), 65_536);
    assert!(matches!(outcome.tls_error, Some(rustls::Error::InvalidCertificate(_))));
    assert!(outcome.heard.is_empty());
}

#[test]
fn files_that_prove_nothing_are_named() {
    let (one, two) = (identity(&["one.example"]), identity(&["two.example"]));
    let error = |chain: &str, key: &str| {
        let pairs =
            [(one.chain.as_bytes(), one.key.as_bytes()), (chain.as_bytes(), key.as_bytes())];
        Certificates::from_pem(pairs).unwrap_err()
    };
    assert!(matches!(error("", &one.key), (1, CertificatesError::NoCertificate)));
    assert!(matches!(error(&one.key, &one.key), (1, CertificatesError::NoCertificate)));
    assert!(matches!(error(&one.chain, ""), (1, CertificatesError::NoKey)));
    assert!(matches!(error(&one.chain, &one.chain), (1, CertificatesError::NoKey)));
    assert!(matches!(error(&one.chain, &two.key), (1, CertificatesError::Unusable(_))));
    assert!(matches!(Certificates::from_pem([]), Err((0, CertificatesError::None))));
}

#[test]
fn who_hangs_up_or_never_comes_to_the_point_is_given_up() {
    let identity = identity(&["ntp.example"]);
    let tls = tls_of(&[&identity]);
    let keys = server_keys();
    let mut cookies = CookieMaker { keys: &keys, nonces: || [0; 16] };
    let mut session = Session::new(&tls).unwrap();
    let error = session.receive(&[], &terms(), &mut cookies).unwrap_err();
    assert!(matches!(error, SessionError::Truncated));
    assert_eq!(session.stage(), Stage::Refused);

    // Records of TLS that say nothing, for ever.
    let mut session = Session::new(&tls).unwrap();
    let hello = [&[22, 3, 1, 0x40, 0][..], &[0; 0x4000]].concat();
    let mut outcome = Ok(());
    for _ in 0..10 {
        outcome = outcome.and_then(|()| session.receive(&hello, &terms(), &mut cookies));
    }
    assert!(outcome.is_err());
    // And what comes after is not looked at.
    assert!(session.receive(&hello, &terms(), &mut cookies).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_surprise_a_session(bytes in proptest::collection::vec(any::<u8>(), 1..2000)) {
        let identity = identity(&["ntp.example"]);
        let keys = server_keys();
        let mut cookies = CookieMaker { keys: &keys, nonces: || [0; 16] };
        let mut session = Session::new(&tls_of(&[&identity])).unwrap();
        let _ = session.receive(&bytes, &terms(), &mut cookies);
        prop_assert_ne!(session.stage(), Stage::Answered);
        session.transmit(&mut Vec::new());
    }

    #[test]
    fn no_request_surprises_a_session(request in proptest::collection::vec(any::<u8>(), 1..2000)) {
        let outcome = ask(&request);
        let _ = records(&outcome.heard);
        prop_assert_eq!(outcome.result.is_ok(), outcome.stage != Stage::Refused);
    }
}
