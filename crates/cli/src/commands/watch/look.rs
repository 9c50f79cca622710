//! Looking, by threads: waiting for one port must not hold up the others.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use timeball_auth::Keys;
use timeball_core::association::Reject;
use timeball_core::association::reject::Test;
use timeball_guard::watch::finding::{TimeSeen, Verdict, judge};
use timeball_guard::watch::knock::{knock, observation_of};
use timeball_guard::watch::{
    Expectation, Observation, Plan, Port, Proof, Seen, Subject, TimeLimits,
};
use timeball_host::clock::Clock;
use timeball_host::listeners;
use timeball_host::resolver::AddressFamily;
use timeball_host::wake::Waker;
use timeball_wire::Span;

use crate::commands::query::Signer;
use crate::commands::query::probe::{NoAnswer, Prober, Sample};
use crate::key_establishment::{KeyArguments, KeyEstablishment};
use crate::outcome::Failure;

/// Looks that are under way at the same time.
const THREADS: usize = 16;
/// Protocol version to ask with.
const VERSION: u8 = 4;

/// Threads that look. They end with the process: what they wait for may take longer.
pub(super) struct Lookers {
    to_look: mpsc::Sender<(usize, Subject)>,
    seen: mpsc::Receiver<(usize, Seen)>,
}

impl Lookers {
    /// Starts them. They wake the main loop when they have seen something.
    pub(super) fn start(plan: &Plan, waker: Waker) -> Result<Self, Failure> {
        let trusting = KeyArguments::trusting(plan.trust.clone());
        let eyes = Arc::new(Eyes { timeout: plan.timeout, keys: keys(plan)?, trusting });
        let (to_look, subjects) = mpsc::channel::<(usize, Subject)>();
        let (seen_by, seen) = mpsc::channel();
        let subjects = Arc::new(Mutex::new(subjects));
        for _ in 0..THREADS.min(plan.subjects.len()) {
            let (subjects, seen_by) = (Arc::clone(&subjects), seen_by.clone());
            let (eyes, waker) = (Arc::clone(&eyes), waker.clone());
            thread::Builder::new()
                .name("look".into())
                .spawn(move || {
                    // The lock is held while waiting for a subject, and let go while looking at it.
                    while let Some((index, subject)) =
                        subjects.lock().ok().and_then(|subjects| subjects.recv().ok())
                    {
                        if seen_by.send((index, eyes.look(&subject))).is_err() {
                            return;
                        }
                        waker.wake();
                    }
                })
                .map_err(Failure::system)?;
        }
        Ok(Self { to_look, seen })
    }

    /// Has a subject looked at.
    pub(super) fn look(&self, index: usize, subject: Subject) {
        // The threads end only after this sender, so they are there to receive.
        let _ = self.to_look.send((index, subject));
    }

    /// What has been seen by now.
    pub(super) fn seen(&self) -> Vec<(usize, Seen)> {
        self.seen.try_iter().collect()
    }
}

/// # Errors
/// If a key that is asked for is not in the file, or that is not as it should be.
fn keys(plan: &Plan) -> Result<Arc<Keys>, Failure> {
    let Some(file) = &plan.keys else { return Ok(Arc::default()) };
    let keys = timeball_daemon::keys::read(&file.path, file.format)
        .map_err(|error| Failure::Configuration(error.to_string()))?;
    for subject in &plan.subjects {
        if let Subject::Remote { expected: Expectation::Time(limits), .. } = subject
            && let Some(Proof::Key(id)) = limits.proof
            && keys.get(id).is_none()
        {
            let message = format!("there is no key {id} in {}", file.path.display());
            return Err(Failure::Configuration(message));
        }
    }
    Ok(Arc::new(keys))
}

/// What looking takes.
struct Eyes {
    timeout: Span,
    keys: Arc<Keys>,
    trusting: KeyArguments,
}

impl Eyes {
    fn look(&self, subject: &Subject) -> Seen {
        match subject {
            Subject::Local { port, .. } => match listeners::at_port(port.protocol, port.number) {
                Ok(listeners) => Observation::Listeners(listeners).into(),
                Err(error) => Observation::Failed(error.to_string()).into(),
            },
            Subject::Remote { host, port, expected } => match addresses(host) {
                Ok(Addresses::Literal(address)) => self
                    .look_at(host, SocketAddr::new(address, port.number), *port, expected)
                    .into(),
                Ok(Addresses::OfAName(addresses)) => {
                    self.look_at_each(host, &addresses, *port, expected, subject)
                }
                Err(error) => Observation::Unresolved(error.to_string()).into(),
            },
        }
    }

    /// All addresses of a name have to be as expected: the first that is not speaks for all.
    fn look_at_each(
        &self,
        host: &str,
        addresses: &[IpAddr],
        port: Port,
        expected: &Expectation,
        subject: &Subject,
    ) -> Seen {
        let mut first = None;
        for &address in addresses {
            let place = SocketAddr::new(address, port.number);
            let observation = self.look_at(host, place, port, expected);
            let seen = Seen { address: Some(address), observation };
            if judge(subject, &seen).verdict == Verdict::Wrong {
                return seen;
            }
            first.get_or_insert(seen);
        }
        first.unwrap_or_else(|| Observation::Unresolved("the name has no address".into()).into())
    }

    fn look_at(
        &self,
        host: &str,
        address: SocketAddr,
        port: Port,
        expected: &Expectation,
    ) -> Observation {
        match expected {
            Expectation::Time(limits) => self.ask(host, address, limits),
            Expectation::Closed
            | Expectation::Filtered
            | Expectation::ClosedOrFiltered
            | Expectation::Open => knock(port.protocol, address, self.timeout),
        }
    }

    fn ask(&self, host: &str, server: SocketAddr, limits: &TimeLimits) -> Observation {
        let signer = match limits.proof {
            None => Signer::Nobody,
            Some(Proof::Key(id)) => Signer::Key { id, keys: Arc::clone(&self.keys) },
            Some(Proof::Nts { port }) => match self.with_new_keys(host, server, port) {
                Ok((server, signer)) => return self.ask_as(signer, server),
                Err(reason) => return self.ask_without_keys(server, &reason),
            },
        };
        self.ask_as(signer, server)
    }

    /// With keys that the server gives now, as it would give them to a client that starts; and whom
    /// they are for.
    fn with_new_keys(
        &self,
        host: &str,
        server: SocketAddr,
        key_port: u16,
    ) -> Result<(SocketAddr, Signer), String> {
        let clock = Clock::open().map_err(|error| error.to_string())?;
        let establishment = KeyEstablishment {
            arguments: &self.trusting,
            timeout: self.timeout.seconds(),
            clock: &clock,
        };
        let place = SocketAddr::new(server.ip(), key_port);
        let established = establishment.run(host, place, &mut |_| Ok(()))?;
        let family = if server.is_ipv4() { AddressFamily::V4 } else { AddressFamily::V6 };
        let server = establishment.ntp_server(&established, server, family)?;
        let signer = Signer::nts(established).map_err(|error| error.to_string())?;
        Ok((server, signer))
    }

    /// Is it only the keys that are missing, or does nobody answer there at all?
    fn ask_without_keys(&self, server: SocketAddr, reason: &str) -> Observation {
        match self.ask_as(Signer::Nobody, server) {
            Observation::Time(_) => {
                Observation::Unauthenticated(format!("it gives the time, but no keys: {reason}"))
            }
            other => other,
        }
    }

    fn ask_as(&self, signer: Signer, server: SocketAddr) -> Observation {
        let ask = || Prober::new(self.timeout, VERSION)?.with(signer).ask(server);
        match ask() {
            Ok(sample) => Observation::Time(time_of(&sample)),
            Err(reason) => without_time(reason),
        }
    }
}

fn time_of(Sample { header, measurement, .. }: &Sample) -> TimeSeen {
    TimeSeen {
        offset: measurement.offset().seconds(),
        uncertainty: measurement.delay() / 2.0,
        stratum: header.stratum,
    }
}

fn without_time(reason: NoAnswer) -> Observation {
    let words = reason.to_string();
    let answered = |reject: Reject| match reject.test() {
        Test::Authentication => Observation::Unauthenticated(words.clone()),
        _ => Observation::NoTime(words.clone()),
    };
    match reason {
        NoAnswer::Silence { ignored: None, .. } => Observation::Silent,
        NoAnswer::Silence { ignored: Some(reject), .. } | NoAnswer::Rejected(reject) => {
            answered(reject)
        }
        NoAnswer::Unreachable(reason) => observation_of(reason),
        NoAnswer::Kiss(_) => Observation::NoTime(words),
        NoAnswer::Local(reason) => Observation::Failed(reason),
    }
}

enum Addresses {
    Literal(IpAddr),
    OfAName(Vec<IpAddr>),
}

fn addresses(host: &str) -> io::Result<Addresses> {
    if let Ok(address) = host.parse() {
        return Ok(Addresses::Literal(address));
    }
    let mut addresses: Vec<IpAddr> = (host, 0).to_socket_addrs()?.map(|place| place.ip()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    Ok(Addresses::OfAName(addresses))
}

#[cfg(test)]
mod tests {
    use timeball_daemon::demo::DemoServers;
    use timeball_host::listeners::Protocol;

    use super::*;

    fn time(proof: Option<Proof>) -> Expectation {
        Expectation::Time(TimeLimits { proof, ..TimeLimits::default() })
    }

    fn subject(host: &str, port: u16, expected: Expectation) -> Subject {
        let port = Port { protocol: Protocol::Udp, number: port };
        Subject::Remote { host: host.into(), port, expected }
    }

    fn eyes() -> Eyes {
        let trusting = KeyArguments::trusting(Vec::new());
        Eyes { timeout: Span::from_secs(30), keys: Arc::default(), trusting }
    }

    #[test]
    fn a_server_gives_its_time_and_is_open() {
        let servers = DemoServers::start(&[Span::from_millis(500)]).unwrap();
        let port = servers.addresses()[0].port();
        let seen = eyes().look(&subject("127.0.0.1", port, time(None)));
        let Observation::Time(time) = seen.observation else { panic!("{seen:?}") };
        assert!((time.offset - 0.5).abs() <= time.uncertainty + 0.01, "{time:?}");
        assert_eq!(seen.address, None);
        let seen = eyes().look(&subject("127.0.0.1", port, Expectation::Open));
        assert_eq!(seen.observation, Observation::Open);
    }

    #[test]
    fn a_server_without_keys_is_told_from_no_server() {
        let servers = DemoServers::start(&[Span::from_millis(0)]).unwrap();
        let port = servers.addresses()[0].port();
        // An address of this machine where nobody else listens at the port of key establishment.
        let seen = eyes().look(&subject("127.0.0.1", port, time(Some(Proof::NTS))));
        let Observation::Unauthenticated(reason) = &seen.observation else { panic!("{seen:?}") };
        assert!(reason.starts_with("it gives the time, but no keys: "), "{reason}");
        drop(servers);
        let seen = eyes().look(&subject("127.0.0.1", port, time(Some(Proof::NTS))));
        assert_eq!(seen.observation, Observation::Closed);
    }

    #[test]
    fn what_has_no_address_is_not_looked_at() {
        let seen = eyes().look(&subject("no-such-name.invalid", 123, Expectation::Closed));
        assert!(matches!(seen.observation, Observation::Unresolved(_)), "{seen:?}");
    }

    #[test]
    fn an_answer_without_its_proof_is_told_from_silence() {
        let timeout = Span::from_secs(1);
        for (ignored, observation) in [
            (None, Observation::Silent),
            (
                Some(Reject::MissingMac),
                Observation::Unauthenticated(
                    "no answer within 1 s (something else came: missing-mac)".into(),
                ),
            ),
            (
                Some(Reject::WrongOrigin),
                Observation::NoTime(
                    "no answer within 1 s (something else came: wrong-origin)".into(),
                ),
            ),
        ] {
            assert_eq!(without_time(NoAnswer::Silence { timeout, ignored }), observation);
        }
        let words = "the server says that it is not synchronised".to_owned();
        let reason = NoAnswer::Rejected(Reject::Unsynchronised);
        assert_eq!(without_time(reason), Observation::NoTime(words));
    }
}
