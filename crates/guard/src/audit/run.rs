//! A scan on real sockets: one for each family of addresses.

use std::collections::{BTreeMap, HashSet, btree_map};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use rustls::RootCertStore;
use timeball_host::clock::Clock;
use timeball_host::poll::{Interest, PollSet};
use timeball_host::random;
use timeball_host::socket::{ProbeSocket, Probed, Unreachable};
use timeball_wire::{Instant, Span};

use super::journal::Entry;
use super::judge::{Limits, judge, judge_keys, judge_tcp};
use super::key_establishment;
use super::reference::{self, ReferenceTime};
use super::report::{HostReport, ReferenceReport, Report, SCHEMA, Summary};
use super::scan::{Action, Moment, Outcome, Questions, Scan, Settings};
use super::target::{Target, Targets};
use super::tcp::{self, TcpPort};

/// Where to look.
#[derive(Clone, Debug)]
pub enum Looks {
    /// At UDP.
    UdpAlone,
    /// Also at two ports of TCP, of those hosts that have answered.
    AlsoTcp {
        /// Whose certificates are good, if any are; without, nobody is asked for keys.
        roots: Option<Arc<RootCertStore>>,
    },
}

/// Asks all targets but those that are `done`, and hands over what becomes of each as soon as it is
/// known.
///
/// # Errors
/// The system's, when it has no sockets or clock to give; and whatever `finished` returns.
pub fn run(
    targets: Targets,
    done: &HashSet<IpAddr>,
    settings: &Settings,
    limits: &Limits,
    looks: Looks,
    mut finished: impl FnMut(Entry) -> io::Result<()>,
) -> io::Result<()> {
    let wanted = targets.into_addresses().filter(|target| !done.contains(&target.address));
    let looker = Looker::new(looks, settings.timeout.to_duration())?;
    thread::scope(|scope| {
        let lookers = Lookers::start(scope, &looker);
        scan(wanted, settings, |outcome| {
            if let Some(outcome) = outcome {
                let address = outcome.target.address;
                match judge(&outcome, settings.port, limits) {
                    Some(host) => lookers.look(host),
                    None if outcome.unreachable.is_some() => {
                        finished(Entry::Unreachable(address))?;
                    }
                    None => finished(Entry::Silent(address))?,
                }
            }
            lookers.seen().try_for_each(|host| finished(Entry::Answered(Box::new(host))))
        })?;
        lookers.finish().try_for_each(|host| finished(Entry::Answered(Box::new(host))))
    })
}

/// What time it is, by these servers.
///
/// # Errors
/// The system's, when it has no sockets or clock to give; and [`ReferenceError`] if these servers do
/// not say what time it is.
///
/// [`ReferenceError`]: super::reference::ReferenceError
pub fn ask_references(
    references: Targets,
    settings: &Settings,
) -> io::Result<(ReferenceTime, Vec<ReferenceReport>)> {
    let settings = Settings {
        questions: Questions::Time(reference::SAMPLES),
        interval: settings.interval.max(REFERENCE_INTERVAL),
        ..settings.clone()
    };
    let mut outcomes = Vec::new();
    scan(references.into_addresses(), &settings, |outcome| {
        outcomes.extend(outcome);
        Ok(())
    })?;
    outcomes.sort_by_key(|outcome| outcome.target.address);
    reference::combine(&outcomes).map_err(io::Error::other)
}

/// Between two requests to a reference server: what every server with a limit of the rate bears.
const REFERENCE_INTERVAL: Span = Span::from_secs(2);

/// Asks all targets; `each` gets every outcome as it comes, and is called in between as well.
fn scan(
    targets: impl Iterator<Item = Target>,
    settings: &Settings,
    mut each: impl FnMut(Option<Outcome>) -> io::Result<()>,
) -> io::Result<()> {
    let clock = Clock::open()?;
    let mut sockets = Sockets::new();
    let mut scan = Scan::new(targets, settings.clone(), random::seed()?);
    loop {
        let now = moment(&clock)?;
        let action = scan.poll(now);
        let is_over = action == Action::Finished;
        match action {
            Action::Send { to, datagram } => match sockets.send(to, &datagram) {
                Ok(()) => {}
                Err(error) => match Unreachable::from_error(&error) {
                    Some(reason) => scan.handle_unreachable(now, to, reason, &datagram),
                    None if is_full(&error) => {}
                    None => return Err(error),
                },
            },
            Action::WaitUntil(at) => sockets.wait(at)?,
            Action::Finished => {}
        }
        sockets.receive(&clock, &mut scan)?;
        each(None)?;
        while let Some(outcome) = scan.poll_finished() {
            each(Some(outcome))?;
        }
        if is_over {
            return Ok(());
        }
    }
}

/// Looks at the TCP ports of one host.
struct Looker {
    looks: Looks,
    timeout: Duration,
    /// When the audit began (Unix time, s).
    now: u64,
}

impl Looker {
    fn new(looks: Looks, timeout: Duration) -> io::Result<Self> {
        let now = Clock::open()?.system()?.nanos().div_euclid(1_000_000_000);
        Ok(Self { looks, timeout, now: u64::try_from(now).unwrap_or(0) })
    }

    fn look(&self, host: &mut HostReport) {
        let Looks::AlsoTcp { roots } = &self.looks else { return };
        let look = |port| TcpPort::look(host.address, port, self.timeout);
        let (ntp, nts_ke) = (look(tcp::NTP), look(tcp::NTS_KE));
        judge_tcp(host, ntp, nts_ke);
        if let (TcpPort::Open, Some(roots)) = (nts_ke, roots) {
            let place = SocketAddr::new(host.address, tcp::NTS_KE);
            let (roots, now) = (Arc::clone(roots), self.now);
            let judge = key_establishment::Judge { roots, now, timeout: self.timeout };
            let seen = key_establishment::look(place, host.name.as_deref(), &judge);
            judge_keys(host, seen);
        }
    }
}

/// Threads that look at the TCP ports of hosts that have answered: connecting waits, and datagrams must
/// not wait for that.
struct Lookers {
    to_look: mpsc::Sender<HostReport>,
    seen: mpsc::Receiver<HostReport>,
}

/// Connections that are being made at the same time.
const LOOKERS: usize = 16;

impl Lookers {
    fn start<'scope>(scope: &'scope thread::Scope<'scope, '_>, looker: &'scope Looker) -> Self {
        let (to_look, hosts) = mpsc::channel::<HostReport>();
        let (seen_by, seen) = mpsc::channel();
        let hosts = Arc::new(Mutex::new(hosts));
        for _ in 0..LOOKERS {
            let (hosts, seen_by) = (Arc::clone(&hosts), seen_by.clone());
            scope.spawn(move || {
                // The lock is held while waiting for a host, and let go while looking at it.
                while let Some(mut host) = hosts.lock().ok().and_then(|hosts| hosts.recv().ok()) {
                    looker.look(&mut host);
                    if seen_by.send(host).is_err() {
                        return;
                    }
                }
            });
        }
        Self { to_look, seen }
    }

    fn look(&self, host: HostReport) {
        // The threads end only after this sender, so they are there to receive.
        let _ = self.to_look.send(host);
    }

    /// Those that have been looked at by now.
    fn seen(&self) -> mpsc::TryIter<'_, HostReport> {
        self.seen.try_iter()
    }

    /// The rest.
    fn finish(self) -> impl Iterator<Item = HostReport> {
        drop(self.to_look);
        self.seen.into_iter()
    }
}

/// The report of these entries. A host that answered in several ways is one host.
pub fn report(
    entries: impl IntoIterator<Item = Entry>,
    references: Vec<ReferenceReport>,
) -> Report {
    let mut hosts: BTreeMap<IpAddr, HostReport> = BTreeMap::new();
    let (mut unreachable, mut silent) = (HashSet::new(), HashSet::new());
    for entry in entries {
        match entry {
            Entry::Answered(host) => match hosts.entry(host.address) {
                btree_map::Entry::Occupied(mut known) => known.get_mut().absorb(*host),
                btree_map::Entry::Vacant(place) => {
                    place.insert(*host);
                }
            },
            Entry::Unreachable(address) => {
                unreachable.insert(address);
            }
            Entry::Silent(address) => {
                silent.insert(address);
            }
        }
    }
    // Who answers in one way only has answered.
    unreachable.retain(|address| !hosts.contains_key(address));
    silent.retain(|address| !hosts.contains_key(address));
    let [answered, unreachable, silent] =
        [hosts.len(), unreachable.len(), silent.len()].map(|count| count as u64);
    let summary = Summary {
        asked: answered.saturating_add(unreachable).saturating_add(silent),
        answered,
        unreachable,
        silent,
        worst: hosts.values().filter_map(HostReport::worst).max(),
    };
    Report { schema: SCHEMA, summary, references, hosts: hosts.into_values().collect() }
}

fn moment(clock: &Clock) -> io::Result<Moment> {
    Ok(Moment { monotonic: clock.monotonic()?, system: clock.system()? })
}

/// The machine's own queue is full: the datagram is lost, as it could have been on its way.
fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(ENOBUFS)
}

/// Linux's number for "no buffer space available".
const ENOBUFS: i32 = 105;

/// The sockets in use.
struct Sockets {
    v4: Option<ProbeSocket>,
    v6: Option<ProbeSocket>,
    poll: PollSet,
    buffer: Vec<u8>,
}

/// Datagrams that are taken before anything else is sent.
const BATCH: usize = 64;
/// Longer datagrams than any server should send, so that their length shows.
const BUFFER_LEN: usize = 65_536;

impl Sockets {
    fn new() -> Self {
        Self { v4: None, v6: None, poll: PollSet::new(), buffer: vec![0; BUFFER_LEN] }
    }

    fn send(&mut self, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        let socket = if to.is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        let socket = match socket {
            Some(socket) => socket,
            None => socket.insert(ProbeSocket::open(to.ip())?),
        };
        socket.send(datagram, to)
    }

    fn wait(&mut self, until: Instant) -> io::Result<()> {
        self.poll.clear();
        for socket in [&self.v4, &self.v6].into_iter().flatten() {
            self.poll.add(socket, Interest::Read);
        }
        self.poll.wait(Some(until)).map(|_| ())
    }

    fn receive<T: Iterator<Item = Target>>(
        &mut self,
        clock: &Clock,
        scan: &mut Scan<T>,
    ) -> io::Result<()> {
        let buffer = &mut self.buffer;
        for socket in [&mut self.v4, &mut self.v6].into_iter().flatten() {
            for _ in 0..BATCH {
                let Some(probed) = socket.receive(buffer)? else { break };
                let monotonic = clock.monotonic()?;
                match probed {
                    Probed::Datagram(received) => {
                        let now = Moment { monotonic, system: received.stamp.at };
                        let datagram = buffer.get(..received.length).unwrap_or(buffer);
                        scan.handle_datagram(now, received.from, datagram);
                    }
                    Probed::Unreachable { to, reason, quoted } => {
                        let now = Moment { monotonic, system: clock.system()? };
                        let quoted = buffer.get(..quoted).unwrap_or_default();
                        scan.handle_unreachable(now, to, reason, quoted);
                    }
                }
            }
        }
        Ok(())
    }
}
