use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use timeball_auth::nts::ke::crypto_provider;
use timeball_config::Certificate;
use timeball_core::server::RateLimit;
use timeball_host::clock::monotonic_now;
use timeball_host::socket::StreamSocket;
use timeball_wire::Span;
use timeball_wire::nts_ke::{Body, Record};

use super::connection::{GRACE, PATIENCE};
use super::*;

const REQUEST: [u8; 16] = [0x80, 1, 0, 2, 0, 0, 0x80, 4, 0, 2, 0, 15, 0x80, 0, 0, 0];

/// A service with a certificate of its own, on loopback.
struct Scene {
    directory: tempfile::TempDir,
    config: Config,
    ring: CookieKeyRing,
    board: Arc<Board>,
    service: Service,
    root: CertificateDer<'static>,
    poll: PollSet,
    start: Instant,
    /// How much later it is than at the start.
    later: Span,
}

fn write_certificate(files: &Certificate) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(&files.file, cert.pem()).unwrap();
    fs::write(&files.private_key, signing_key.serialize_pem()).unwrap();
    cert.der().clone()
}

impl Scene {
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| -> PathBuf { directory.path().join(name) };
        let files = Certificate { file: path("crt"), private_key: path("key") };
        let root = write_certificate(&files);
        let mut config = Config::default();
        config.engine.server.allow = vec!["127.0.0.0/8".parse().unwrap()];
        config.serve.bind_addresses = vec![Ipv4Addr::LOCALHOST.into()];
        config.serve.key_establishment.certificates = vec![files];
        config.serve.key_establishment.port = 0;
        change(&mut config);
        let now = monotonic_now().unwrap();
        let ring = CookieKeyRing::open(&config, now).unwrap();
        let server = &config.engine.server;
        let access = AccessRules::new(&server.allow, &server.deny);
        let board = Arc::new(Board::new(orders(&config, &access, &ring)));
        let identity = Identity::open(&config.serve.key_establishment.certificates, now).unwrap();
        let service = Service::new(Arc::clone(&board), identity, listen(&config), [7; 16]).unwrap();
        let (poll, later) = (PollSet::new(), Span::ZERO);
        Self { directory, config, ring, board, service, root, poll, start: now, later }
    }

    fn address(&self) -> SocketAddr {
        self.service.addresses().next().unwrap()
    }

    fn turn(&mut self) {
        self.poll.clear();
        self.service.watch(&mut self.poll);
        let now = monotonic_now().unwrap();
        self.poll.wait(Some(now + Span::from_millis(20))).unwrap();
        self.service.turn(&self.poll, self.start + self.later);
    }

    fn connect(&mut self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        self.turn();
        stream
    }

    /// What a client hears that trusts this root.
    fn ask(&mut self, root: &CertificateDer<'static>) -> Result<Vec<u8>, String> {
        let client = ask(self.address(), root.clone());
        while !client.is_finished() {
            self.turn();
        }
        client.join().unwrap()
    }
}

fn ask(address: SocketAddr, root: CertificateDer<'static>) -> JoinHandle<Result<Vec<u8>, String>> {
    thread::spawn(move || {
        let mut roots = RootCertStore::empty();
        roots.add(root).unwrap();
        let mut config = ClientConfig::builder_with_provider(crypto_provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"ntske/1".to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        let mut heard = Vec::new();
        stream.write_all(&REQUEST).map_err(|error| error.to_string())?;
        stream.read_to_end(&mut heard).map_err(|error| error.to_string())?;
        Ok(heard)
    })
}

fn cookies(mut message: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while let Some((record, rest)) = Record::split_from(message).unwrap() {
        if let Body::Cookie(cookie) = record.body {
            found.push(cookie.to_vec());
        }
        message = rest;
    }
    found
}

#[test]
fn clients_get_cookies_that_the_responder_will_open() {
    let mut scene = Scene::new(|_| {});
    let root = scene.root.clone();
    let cookies = cookies(&scene.ask(&root).unwrap());
    assert_eq!(cookies.len(), 8);
    assert!(cookies.iter().all(|cookie| scene.ring.keys().open(cookie).is_some()));
    let tally = scene.board.take_tally();
    assert_eq!((tally.served, tally.dropped, tally.clients.len()), (1, 0, 1));
}

#[test]
fn a_thread_of_its_own_does_the_same_and_takes_new_keys() {
    let Scene { directory: _directory, service, root, board, mut ring, config, .. } =
        Scene::new(|config| config.serve.key_establishment.rotation = Some(10.0));
    let address = service.addresses().next().unwrap();
    let thread = ServiceThread::start(service).unwrap();
    let first = ask(address, root.clone()).join().unwrap().unwrap();
    assert_eq!(cookies(&first).len(), 8);
    let now = monotonic_now().unwrap() + Span::from_secs(20);
    let before = ring.keys();
    assert!(ring.rotate(now).unwrap());
    let access = AccessRules::new(&config.engine.server.allow, &[]);
    board.give(orders(&config, &access, &ring));
    let second = ask(address, root).join().unwrap().unwrap();
    assert!(ring.keys().open(&cookies(&first)[0]).is_some(), "the old ones stay good");
    assert_ne!(before.to_file(0.0), ring.keys().to_file(0.0));
    let ids = [&first, &second].map(|message| cookies(message)[0][..4].to_vec());
    assert_ne!(ids[0], ids[1]);
    drop(thread);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn who_is_silent_or_slow_is_dropped_in_time() {
    let mut scene = Scene::new(|_| {});
    let mut silent = scene.connect();
    let mut slow = scene.connect();
    slow.write_all(&[22]).unwrap();
    scene.turn();
    assert_eq!(scene.service.connections(), 2);
    scene.later = PATIENCE + Span::from_secs(1);
    scene.turn();
    assert_eq!(scene.service.connections(), 0);
    for stream in [&mut silent, &mut slow] {
        assert_eq!(stream.read(&mut [0; 8]).unwrap_or(0), 0);
    }
}

#[test]
fn half_open_connections_are_bounded_and_nobody_else_suffers_for_long() {
    let mut scene = Scene::new(|config| config.serve.key_establishment.max_connections = 16);
    let open: Vec<TcpStream> = (0..60).map(|_| scene.connect()).collect();
    // All of them are one client's, who may have a part only.
    assert_eq!(scene.service.connections(), 2);
    let tally = scene.board.take_tally();
    assert_eq!((tally.served, tally.dropped), (2, 58));
    drop(open);
    for _ in 0..5 {
        scene.turn();
    }
    assert_eq!(scene.service.connections(), 0);
    let root = scene.root.clone();
    assert_eq!(cookies(&scene.ask(&root).unwrap()).len(), 8);
}

#[test]
fn who_says_nothing_gives_its_place_to_those_who_wait() {
    let mut scene = Scene::new(|config| config.serve.key_establishment.max_connections = 16);
    let address = scene.address();
    let mut number = 0;
    let mut silent = || {
        number += 1;
        StreamSocket::connect(address, Some([127, 0, 1, number].into()), None).unwrap()
    };
    // One of them says a part of what it wants, byte by byte.
    let mut slow = scene.connect();
    slow.write_all(&[0x16, 3, 1, 4, 0]).unwrap();
    let mut crowd: Vec<StreamSocket> = (0..15).map(|_| silent()).collect();
    while scene.service.connections() < 16 {
        scene.turn();
    }
    crowd.extend((0..4).map(|_| silent()));
    for _ in 0..4 {
        scene.turn();
    }
    assert_eq!(scene.board.take_tally().served, 16, "nobody has had time to say anything");
    scene.later = GRACE;
    slow.write_all(&[0]).unwrap();
    // One finds that there are places, and each of the others takes in one client.
    for _ in 0..1 + 4 {
        scene.turn();
    }
    let tally = scene.board.take_tally();
    assert_eq!((tally.served, scene.service.connections()), (4, 16));
    // The first to come was the first to go.
    assert_eq!(slow.read(&mut [0; 8]).unwrap_or(0), 0);
    let root = scene.root.clone();
    scene.later = GRACE + GRACE;
    assert_eq!(cookies(&scene.ask(&root).unwrap()).len(), 8);
}

#[test]
fn who_may_not_ask_for_the_time_gets_no_keys() {
    let mut scene = Scene::new(|config| {
        config.engine.server.deny = vec!["127.0.0.1/32".parse().unwrap()];
    });
    let root = scene.root.clone();
    assert!(scene.ask(&root).is_err());
    assert_eq!(scene.board.take_tally().served, 0);
}

#[test]
fn the_rate_is_limited() {
    let mut scene = Scene::new(|config| {
        config.serve.key_establishment.rate_limit =
            Some(RateLimit { interval: 64.0, burst: 2, leak: 0, kiss: 0 });
    });
    let root = scene.root.clone();
    let served = (0..5).filter(|_| scene.ask(&root).is_ok()).count();
    assert_eq!(served, 2);
    let tally = scene.board.take_tally();
    assert_eq!((tally.served, tally.dropped), (2, 3));
}

#[test]
fn a_renewed_certificate_is_shown_without_a_restart() {
    let mut scene = Scene::new(|_| {});
    let old = scene.root.clone();
    scene.ask(&old).unwrap();
    let files = scene.config.serve.key_establishment.certificates[0].clone();
    let new = write_certificate(&files);
    scene.later = Span::from_secs(1);
    assert_eq!(cookies(&scene.ask(&new).unwrap()).len(), 8);
    assert!(scene.ask(&old).is_err());
    // One that does not fit its key, as in the middle of a change, leaves it as it was.
    let third = write_certificate(&Certificate {
        file: files.file.clone(),
        private_key: scene.directory.path().join("elsewhere"),
    });
    scene.later = Span::from_secs(2) + Span::from_millis(1);
    scene.ask(&new).unwrap();
    fs::rename(scene.directory.path().join("elsewhere"), &files.private_key).unwrap();
    scene.later = Span::from_secs(4);
    scene.ask(&third).unwrap();
}

#[test]
fn a_certificate_that_cannot_be_used_is_no_end_of_the_daemon() {
    let mut config = Config::default();
    config.engine.server.allow = vec!["127.0.0.0/8".parse().unwrap()];
    config.serve.key_establishment.certificates =
        vec![Certificate { file: "/nowhere/crt".into(), private_key: "/nowhere/key".into() }];
    let mut nts = NtsServer::default();
    let access = AccessRules::new(&[], &[]);
    let now = monotonic_now().unwrap();
    nts.configure(&config, &access, now).unwrap();
    assert!(matches!(nts.running.as_ref().unwrap().place, Place::Nowhere));
    assert!(nts.cookie_keys().unwrap().is_some());
    config.serve.key_establishment.certificates.clear();
    nts.configure(&config, &access, now).unwrap();
    assert!(nts.cookie_keys().unwrap().is_none());
}
