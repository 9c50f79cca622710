//! Keys for NTS: is there a server of them, whom does its certificate vouch for, and which ciphers does
//! it have? (RFC 8915 §4)

use std::io::{self, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::UnixTime;
use rustls::{CertificateError, RootCertStore};
use serde::{Deserialize, Serialize};
use timeball_auth::nts::AeadAlgorithm;
use timeball_auth::nts::ke::client::{
    CertificateTimes, Established, KeError, Request, Session, Validity,
};

use super::answer::printable;

/// Whom a certificate has to be signed by, and what time it is.
#[derive(Clone, Debug)]
pub struct Judge {
    /// Whose signatures count.
    pub roots: Arc<RootCertStore>,
    /// Unix time (s).
    pub now: u64,
    /// How long each session may take.
    pub timeout: Duration,
}

/// What came of asking a host for keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyReport {
    /// The name or address that the certificate had to be for.
    pub name: String,
    /// From when on its certificates are valid, all of the chain (RFC 3339); null if nobody could tell.
    pub valid_from: Option<String>,
    /// Until when.
    pub valid_until: Option<String>,
    /// The numbers of the ciphers that it has, of those that timeball knows.
    pub algorithms: Vec<u16>,
    /// How many cookies it gives.
    pub cookies: usize,
    /// How long the first is (bytes).
    pub cookie_length: usize,
    /// The NTP server that its keys are for, if it is not the host itself.
    pub server: Option<String>,
    /// The UDP port of that server, if it is not the usual one.
    pub port: Option<u16>,
    /// Why there are no keys, or why a client would not take them.
    pub problem: Option<String>,
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateFault {
    /// It is not signed by anybody who is trusted.
    UnknownIssuer,
    /// It is for somebody else.
    OtherName {
        /// Nobody has said which name it should be for.
        asked_by_address: bool,
    },
    /// It has expired.
    Over,
    /// It begins later.
    NotYet,
    /// Anything else.
    Invalid,
}

/// What was seen, for a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What is reported of it.
    pub report: KeyReport,
    /// What is wrong with the certificate.
    pub fault: Option<CertificateFault>,
    /// When all certificates of the chain are valid (Unix time, s).
    pub validity: Option<(u64, u64)>,
    /// When that was (Unix time, s).
    pub now: u64,
}

/// Why a session gave no keys.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Session(#[from] KeError),
    #[error("the connection broke: {0}")]
    Connection(#[from] io::Error),
    #[error("the server says no more")]
    Silence,
}

/// Bytes to read at once.
const READ: usize = 16_384;

/// Asks a host for keys: once for any cipher, and once for each that it has not chosen then. Without a
/// name it is asked by its address, and if its certificate is for a name, by that.
pub fn look(place: SocketAddr, name: Option<&str>, judge: &Judge) -> Seen {
    let asked_as = name.map_or_else(|| place.ip().to_string(), str::to_owned);
    let mut first = session(place, &asked_as, &AeadAlgorithm::ALL, judge);
    let mut report = KeyReport::of(asked_as);
    if name.is_none()
        && let Some(presented) = first.as_ref().err().and_then(presented_name)
    {
        first = session(place, &presented, &AeadAlgorithm::ALL, judge);
        report.name = presented;
    }
    let mut seen = Seen { report, fault: None, validity: None, now: judge.now };
    match first {
        Ok(established) => {
            seen.take(established);
            seen.try_others(place, judge);
        }
        Err(refusal) => {
            seen.fault = fault(&refusal, name.is_none());
            seen.report.problem = Some(printable(refusal.to_string().as_bytes()));
        }
    }
    seen
}

impl KeyReport {
    fn of(name: String) -> Self {
        Self {
            name,
            valid_from: None,
            valid_until: None,
            algorithms: Vec::new(),
            cookies: 0,
            cookie_length: 0,
            server: None,
            port: None,
            problem: None,
        }
    }
}

impl Seen {
    fn take(&mut self, established: Established) {
        let report = &mut self.report;
        report.algorithms.push(established.secrets.algorithm().number());
        report.cookies = established.cookies.len();
        report.cookie_length = established.cookies.first().map_or(0, Vec::len);
        report.server = established.server.map(|server| printable(server.as_bytes()));
        report.port = established.port;
        let Some(Validity { not_before, not_after }) = established.validity else { return };
        self.validity = Some((not_before, not_after));
        (report.valid_from, report.valid_until) = (date(not_before), date(not_after));
        if not_after < self.now {
            self.fault = Some(CertificateFault::Over);
            report.problem = Some("its certificate has expired".to_owned());
        } else if self.now < not_before {
            self.fault = Some(CertificateFault::NotYet);
            report.problem = Some("its certificate is not valid yet".to_owned());
        }
    }

    /// Which of the other ciphers does it have?
    fn try_others(&mut self, place: SocketAddr, judge: &Judge) {
        for algorithm in AeadAlgorithm::ALL {
            let number = algorithm.number();
            if !self.report.algorithms.contains(&number)
                && session(place, &self.report.name, &[algorithm], judge).is_ok()
            {
                self.report.algorithms.push(number);
            }
        }
        self.report.algorithms.sort_unstable();
    }
}

/// One session, to its end or to the end of the patience.
fn session(
    place: SocketAddr,
    name: &str,
    algorithms: &[AeadAlgorithm],
    judge: &Judge,
) -> Result<Established, Refusal> {
    let request = Request {
        name,
        roots: Arc::clone(&judge.roots),
        algorithms,
        now: UnixTime::since_unix_epoch(Duration::from_secs(judge.now)),
        // Whenever it is valid: what it says of itself is wanted also if that is over.
        times: CertificateTimes::Unchecked { earliest: UnixTime::since_unix_epoch(Duration::ZERO) },
    };
    let mut session = Session::new(&request)?;
    let mut stream = TcpStream::connect_timeout(&place, judge.timeout)?;
    stream.set_nodelay(true)?;
    let deadline = Instant::now() + judge.timeout;
    let outcome = speak(&mut stream, &mut session, deadline);
    // The server should hear why, or that it was all; the outcome is the same if it does not.
    let _ = session.transmit(&mut stream);
    outcome
}

fn speak(
    stream: &mut TcpStream,
    session: &mut Session,
    deadline: Instant,
) -> Result<Established, Refusal> {
    let mut buffer = vec![0; READ];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Refusal::Silence);
        }
        stream.set_write_timeout(Some(left))?;
        stream.set_read_timeout(Some(left))?;
        session.transmit(stream)?;
        if let Some(established) = session.established()? {
            return Ok(established);
        }
        match stream.read(&mut buffer) {
            Ok(len) => session.receive(buffer.get(..len).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if is_timeout(&error) => return Err(Refusal::Silence),
            Err(error) => return Err(error.into()),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn certificate_error(refusal: &Refusal) -> Option<&CertificateError> {
    match refusal {
        Refusal::Session(KeError::Tls(rustls::Error::InvalidCertificate(error))) => Some(error),
        Refusal::Session(_) | Refusal::Connection(_) | Refusal::Silence => None,
    }
}

fn fault(refusal: &Refusal, asked_by_address: bool) -> Option<CertificateFault> {
    Some(match certificate_error(refusal)? {
        CertificateError::UnknownIssuer => CertificateFault::UnknownIssuer,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            CertificateFault::OtherName { asked_by_address }
        }
        _ => CertificateFault::Invalid,
    })
}

/// A name that a certificate is for, if that is all that is wrong with it.
fn presented_name(refusal: &Refusal) -> Option<String> {
    let CertificateError::NotValidForNameContext { presented, .. } = certificate_error(refusal)?
    else {
        return None;
    };
    presented.iter().find_map(|text| dns_name(text))
}

/// The name in rustls' words for it, `DnsName("ntp.example")`; of a wildcard some name that it covers.
fn dns_name(text: &str) -> Option<String> {
    let name = text.strip_prefix("DnsName(\"")?.strip_suffix("\")")?;
    let (wildcard, rest) = name.strip_prefix("*.").map_or((false, name), |rest| (true, rest));
    // A certificate may say anything, and this is printed.
    let is_plain = rest.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    is_plain.then(|| if wildcard { format!("any.{rest}") } else { rest.to_owned() })
}

/// A date as people write it: `2027-01-01T00:00:00Z`.
fn date(unix: u64) -> Option<String> {
    let moment = jiff::Timestamp::from_second(i64::try_from(unix).ok()?).ok()?;
    Some(moment.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn names_are_read_out_of_certificates() {
        assert_eq!(dns_name("DnsName(\"ntp.example\")").as_deref(), Some("ntp.example"));
        assert_eq!(dns_name("DnsName(\"*.ntp.example\")").as_deref(), Some("any.ntp.example"));
        assert_eq!(dns_name("IpAddress(192.0.2.1)"), None);
        assert_eq!(dns_name("DnsName(\"\x1b[2J\")"), None);
        assert_eq!(date(1_800_000_000).as_deref(), Some("2027-01-15T08:00:00Z"));
    }

    /// What is seen of somebody who takes a connection and says this.
    fn seen(says: &'static [u8]) -> Seen {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut hello = [0; 64];
            let _ = stream.read(&mut hello);
            stream.write_all(says).unwrap();
        });
        // Any authority will do: nobody gets as far as that.
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["ntp.example".to_owned()]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(params.self_signed(&key).unwrap().der().clone()).unwrap();
        let judge =
            Judge { roots: Arc::new(roots), now: 1_800_000_000, timeout: Duration::from_secs(60) };
        let seen = look(place, Some("ntp.example"), &judge);
        server.join().unwrap();
        seen
    }

    #[test]
    fn who_speaks_something_else_gives_no_keys() {
        for says in
            [&b""[..], b"SSH-2.0-OpenSSH_9.2\r\n", &[0; 4096], &[0x16, 0x03, 0x03, 0xff, 0xff]]
        {
            let seen = seen(says);
            assert_eq!((seen.fault, seen.validity), (None, None), "{says:?}");
            assert!(seen.report.problem.is_some(), "{says:?}");
            assert!(seen.report.algorithms.is_empty(), "{says:?}");
        }
    }
}
