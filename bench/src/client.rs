//! A client with NTS that asks as fast as it is answered.

use std::fs;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use timeball_auth::nts::AeadAlgorithm;
use timeball_auth::nts::ke::client::{CertificateTimes, Established, Request, Session};
use timeball_auth::nts::request::{Protection, open_response};
use timeball_interop::nts::Place;
use timeball_wire::nts_ke::NTS_KE_PORT;
use timeball_wire::{Header, NTP_PORT, Packet, PacketWriter};

/// Requests under way at a time.
const WINDOW: usize = 16;
/// Who has not answered after this long has lost a request.
const PATIENCE: Duration = Duration::from_secs(5);

/// Of one server.
pub(crate) struct Client {
    server: Ipv4Addr,
    name: String,
    roots: Arc<RootCertStore>,
}

impl Client {
    /// Of the server with this address and certificate.
    pub(crate) fn new(server: Ipv4Addr, place: &Place) -> Self {
        let pem = fs::read(place.certificate()).expect("read a certificate");
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(&pem).expect("a certificate");
        roots.add(certificate).expect("an authority");
        Self { server, name: server.to_string(), roots: Arc::new(roots) }
    }

    /// Keys and cookies.
    pub(crate) fn establish(&self) -> Established {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
        let request = Request {
            name: &self.name,
            roots: Arc::clone(&self.roots),
            algorithms: &[AeadAlgorithm::AesSivCmac256],
            now: UnixTime::since_unix_epoch(now),
            times: CertificateTimes::Checked,
        };
        let mut session = Session::new(&request).expect("a session");
        let address = SocketAddr::new(self.server.into(), NTS_KE_PORT);
        let mut stream = TcpStream::connect(address).expect("connect");
        stream.set_nodelay(true).expect("set an option");
        let mut buffer = [0; 4096];
        loop {
            session.transmit(&mut stream).expect("send");
            if let Some(established) = session.established().expect("a good server") {
                return established;
            }
            let len = stream.read(&mut buffer).expect("receive");
            session.receive(&buffer[..len]).expect("a good server");
        }
    }

    /// The same so many times, one after the other; returns how many.
    pub(crate) fn establish_often(&self, times: usize) -> usize {
        for _ in 0..times {
            self.establish();
        }
        times
    }

    /// Sends so many requests, and returns how many of them were answered. The first answer has to be
    /// authentic; all have to be as long.
    pub(crate) fn ask(&self, session: &Established, requests: usize) -> usize {
        let keys = session.secrets.keys().expect("keys");
        let mut header = [0; Header::LEN];
        header[0] = 0x23;
        let mut buffer = [0; 1232];
        let mut writer =
            PacketWriter::new(&Header::from_bytes(&header), &mut buffer).expect("room");
        let unique_identifier = &[5; 32];
        let cookie = &session.cookies[0];
        let (key, nonce) = (&keys.to_server, &[3; 16]);
        let protection = Protection { unique_identifier, cookie, placeholders: 0, key, nonce };
        protection.write(&mut writer).expect("room");
        let request = writer.finish().expect("room");

        let socket = UdpSocket::bind("0.0.0.0:0").expect("bind");
        socket.connect((self.server, NTP_PORT)).expect("connect");
        socket.set_read_timeout(Some(PATIENCE)).expect("set an option");
        let mut answer = [0; 1500];
        let (mut sent, mut answered) = (0, 0);
        while answered < requests {
            while sent < requests.min(answered + WINDOW) {
                socket.send(request).expect("send");
                sent += 1;
            }
            let len = socket.recv(&mut answer).expect("every request is answered");
            assert_eq!(len, request.len(), "an answer has one cookie");
            if answered == 0 {
                let packet = Packet::parse(&answer[..len]).expect("a packet");
                open_response(&packet, unique_identifier, &keys.to_client, &mut [0; 1500])
                    .expect("an authentic answer");
            }
            answered += 1;
        }
        answered
    }
}
