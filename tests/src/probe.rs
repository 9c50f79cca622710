//! One plain NTP request, made here and not by timeball, to see that a server serves.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::namespace::Host;
use crate::wait;

/// Seconds from 1900 to 1970.
const UNIX_EPOCH_IN_NTP_SECONDS: f64 = 2_208_988_800.0;
/// A server is taken to serve the right time when it is this near.
const NEAR: f64 = 0.001;

/// A server's answer, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// 3 while the server is not synchronised.
    pub leap: u8,
    /// 0 in a kiss-o'-death.
    pub stratum: u8,
    /// To the server's reference clock and back.
    pub root_delay: f64,
    /// How wrong the server may be.
    pub root_dispersion: f64,
    /// The server's clock minus this machine's, good to the microsecond at best.
    pub offset: f64,
}

impl Answer {
    /// The server offers its time.
    pub fn is_synchronised(&self) -> bool {
        self.leap != 3 && (1..16).contains(&self.stratum)
    }
}

/// Asks once; the error says that no answer came.
pub fn ask(host: &Host, server: SocketAddr) -> io::Result<Answer> {
    host.inside(|| {
        let any: IpAddr = match server {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        let mut request = [0; 48];
        request[0] = 0x23;
        request[40..48].copy_from_slice(b"a cookie");
        let sent = ntp_now();
        socket.send(&request)?;
        let mut answer = [0; 512];
        let length = socket.recv(&mut answer)?;
        let received = ntp_now();
        match answer.get(..length) {
            Some(bytes) if length >= 48 && bytes[24..32] == *b"a cookie" => {
                Ok(read(bytes, sent, received))
            }
            _ => Err(io::Error::other(format!("{length} bytes that are no answer"))),
        }
    })
}

/// Between two requests to a server that may limit their rate: ntpd's default falls silent, and stays
/// so, towards whoever asks much more often than once a second.
const PATIENT: Duration = Duration::from_millis(2200);

/// Waits until the server on `host` is synchronised and serves this machine's time plus `shift`.
///
/// # Panics
/// When `limit` has passed. `check` is called before each request and may panic too.
pub fn until_serving(
    name: &str,
    host: &Host,
    port: u16,
    shift: f64,
    limit: Duration,
    mut check: impl FnMut(),
) {
    let server = SocketAddr::new(host.address(), port);
    wait::until_every(PATIENT, &format!("{name} serves"), limit, || {
        check();
        let answer = ask(host, server).map_err(|error| error.to_string())?;
        let right = answer.is_synchronised()
            && (answer.offset - shift).abs() < NEAR
            && answer.root_dispersion < NEAR;
        if right { Ok(()) } else { Err(format!("last answer: {answer:?}")) }
    });
}

fn read(bytes: &[u8], sent: f64, received: f64) -> Answer {
    let short = |at: usize| {
        f64::from(u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]))
    };
    let stamp = |at: usize| short(at) + short(at + 4) / 4_294_967_296.0;
    Answer {
        leap: bytes[0] >> 6,
        stratum: bytes[1],
        root_delay: short(4) / 65536.0,
        root_dispersion: short(8) / 65536.0,
        offset: ((stamp(32) - sent) + (stamp(40) - received)) / 2.0,
    }
}

fn ntp_now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    since.as_secs_f64() + UNIX_EPOCH_IN_NTP_SECONDS
}
