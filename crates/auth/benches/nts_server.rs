//! What a client with NTS costs a server: `cargo bench -p timeball-auth --bench nts_server`.
//!
//! A packet is opened and its response sealed with as many cookies as it asks for. Key establishment
//! is in two parts: what the server does with a client's first bytes, which is nearly all of it, and
//! with those that finish the handshake and ask.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark ends where it cannot go on"
)]

use std::io::Write as _;
use std::sync::Arc;

use divan::Bencher;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig};
use timeball_auth::nts::ke::crypto_provider;
use timeball_auth::nts::ke::server::{Certificates, CookieMaker, Session, Stage, Terms, tls};
use timeball_auth::nts::request::Protection;
use timeball_auth::nts::response::ProtectedRequest;
use timeball_auth::nts::{AeadAlgorithm, KeyMaterial, MAX_COOKIE_LEN, ServerKeys, SessionSecrets};
use timeball_wire::{Header, Packet, PacketWriter};

const REQUEST: [u8; 16] = [0x80, 1, 0, 2, 0, 0, 0x80, 4, 0, 2, 0, 15, 0x80, 0, 0, 0];

fn main() {
    divan::main();
}

fn keys() -> ServerKeys {
    let material = [1, 2, 3, 4].map(|seed| KeyMaterial::new(&[seed; KeyMaterial::LEN]));
    ServerKeys::new(material).expect("random bytes make keys")
}

fn request(algorithm: AeadAlgorithm, placeholders: usize) -> Vec<u8> {
    let len = algorithm.key_len();
    let secrets = SessionSecrets::new(algorithm, &vec![1; len], &vec![2; len]).expect("keys");
    let mut cookie = [0; MAX_COOKIE_LEN];
    let len = keys().seal(&secrets, &[9; 16], &mut cookie).expect("a cookie");
    let mut header = [0; Header::LEN];
    header[0] = 0x23;
    let mut buffer = [0; 1500];
    let header = Header::from_bytes(&header);
    let mut writer = PacketWriter::new(&header, &mut buffer).expect("room");
    let protection = Protection {
        unique_identifier: &[5; 32],
        cookie: &cookie[..len],
        placeholders,
        key: &secrets.keys().expect("keys").to_server,
        nonce: &[3; 16],
    };
    protection.write(&mut writer).expect("room");
    writer.finish().expect("room").to_vec()
}

fn answer(bencher: Bencher<'_, '_>, algorithm: AeadAlgorithm, placeholders: usize) {
    let (keys, request) = (keys(), request(algorithm, placeholders));
    let mut count = 0_u128;
    bencher.bench_local(|| {
        let packet = Packet::parse(&request).expect("a packet");
        let protected = ProtectedRequest::of(&packet).ok().flatten().expect("a request");
        let client = protected.open(&keys).expect("an authentic request");
        let mut buffer = [0; 1500];
        let room = buffer.get_mut(..request.len()).expect("room");
        let mut writer = PacketWriter::new(&packet.header, room).expect("room");
        let nonces = || {
            count += 1;
            count.to_le_bytes()
        };
        let left = request.len() - writer.written().len();
        client.seal(&keys, nonces, left, &mut writer).expect("room");
        writer.finish().expect("room").len()
    });
}

#[divan::bench(args = [0, 7])]
fn packet_aes_siv_cmac_256(bencher: Bencher<'_, '_>, placeholders: usize) {
    answer(bencher, AeadAlgorithm::AesSivCmac256, placeholders);
}

#[divan::bench(args = [0, 7])]
fn packet_aes_128_gcm_siv(bencher: Bencher<'_, '_>, placeholders: usize) {
    answer(bencher, AeadAlgorithm::Aes128GcmSiv, placeholders);
}

struct Scene {
    tls: Arc<ServerConfig>,
    root: CertificateDer<'static>,
    terms: Terms,
    keys: ServerKeys,
}

impl Scene {
    fn new() -> Self {
        let names = ["localhost".to_owned()];
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(names).expect("a certificate");
        let (chain, key) = (cert.pem(), signing_key.serialize_pem());
        let certificates = Certificates::from_pem([(chain.as_bytes(), key.as_bytes())]);
        let terms =
            Terms { algorithms: AeadAlgorithm::ALL.to_vec(), ntp_server: None, ntp_port: None };
        let tls = tls(certificates.expect("certificates")).expect("TLS");
        Self { tls, root: cert.der().clone(), terms, keys: keys() }
    }

    /// A client, and its first bytes.
    fn client(&self) -> (ClientConnection, Vec<u8>) {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).expect("a root");
        let mut config = ClientConfig::builder_with_provider(crypto_provider())
            .with_safe_default_protocol_versions()
            .expect("TLS")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"ntske/1".to_vec()];
        let name = ServerName::try_from("localhost").expect("a name");
        let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
        let mut hello = Vec::new();
        client.write_tls(&mut hello).expect("a hello");
        (client, hello)
    }

    fn receive(&self, session: &mut Session, bytes: &[u8]) -> Vec<u8> {
        let mut cookies = CookieMaker { keys: &self.keys, nonces: || [7; 16] };
        session.receive(bytes, &self.terms, &mut cookies).expect("a good client");
        let mut out = Vec::new();
        session.transmit(&mut out);
        out
    }
}

#[divan::bench]
fn key_establishment_first_bytes(bencher: Bencher<'_, '_>) {
    let scene = Scene::new();
    bencher.with_inputs(|| scene.client().1).bench_local_values(|hello| {
        let mut session = Session::new(&scene.tls).expect("a session");
        scene.receive(&mut session, &hello)
    });
}

#[divan::bench]
fn key_establishment_request(bencher: Bencher<'_, '_>) {
    let scene = Scene::new();
    let prepared = || {
        let (mut client, hello) = scene.client();
        let mut session = Session::new(&scene.tls).expect("a session");
        let answer = scene.receive(&mut session, &hello);
        let mut rest = answer.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).expect("bytes");
            client.process_new_packets().expect("a good server");
        }
        client.writer().write_all(&REQUEST).expect("room");
        let mut finish = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut finish).expect("bytes");
        }
        (session, finish)
    };
    bencher.with_inputs(prepared).bench_local_values(|(mut session, finish)| {
        let answer = scene.receive(&mut session, &finish);
        assert_eq!(session.stage(), Stage::Answered);
        answer
    });
}
