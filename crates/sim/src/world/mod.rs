//! The world: true time, everything that happens in it, and the hosts it happens to.

mod attacker;
mod names;
mod network;
mod node;
mod queue;
mod server;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use timeball_core::engine::ExchangeId;
use timeball_core::report::Report;
use timeball_core::selection::State;
use timeball_wire::{NTP_PORT, Span};

use crate::clock::KernelStatus;
use crate::noise::Stream;
use crate::outcome::{NodeOutcome, Outcome, SourceOutcome};
use crate::scenario::Scenario;
use crate::statistics::{Recorder, Sample};
use crate::truth::{Calendar, Moment};
use attacker::Attacker;
use names::Names;
use network::Network;
use node::{EngineNode, Runaway};
use queue::{Datagram, HostId, Occurrence, Queue};
use server::ScriptedServer;

/// Samples are taken this much (as a share of their interval) beside whole multiples of it, so that
/// none falls on the very moment of an event.
const SAMPLE_PHASE: f64 = 0.37;

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Simulated time (s) so far.
    pub elapsed: f64,
    /// Simulated time (s) in all.
    pub duration: f64,
}

/// Why a run has no outcome.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RunError {
    /// The engine of a node keeps asking for attention without letting time pass.
    #[error("the engine of node `{node}` never comes to rest at {at} s")]
    Runaway {
        /// The node.
        node: String,
        /// When (s).
        at: f64,
    },
}

/// Runs a scenario. `progress` is called about a thousand times.
///
/// # Errors
/// [`RunError`], for an engine that is broken.
pub fn run(
    scenario: &Scenario,
    seed: u64,
    progress: &mut dyn FnMut(Progress),
) -> Result<Outcome, RunError> {
    run_watched(scenario, seed, progress, &mut |_| {})
}

/// Runs a scenario and shows every sample of every node to `watch`.
///
/// # Errors
/// [`RunError`], for an engine that is broken.
pub fn run_watched(
    scenario: &Scenario,
    seed: u64,
    progress: &mut dyn FnMut(Progress),
    watch: &mut dyn FnMut(&Look<'_>),
) -> Result<Outcome, RunError> {
    let mut world = World::new(scenario, seed);
    world.run(progress, watch)?;
    Ok(world.into_outcome())
}

/// A look at a node that is awake.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// Which node.
    pub node: &'a str,
    /// When (s of true time).
    pub at: f64,
    /// System clock minus true time (s).
    pub error: f64,
    /// How fast the system clock runs against true time (ppm), slews included.
    pub frequency_error_ppm: f64,
    /// What the engine says; `None` while no daemon runs.
    pub report: Option<&'a Report>,
    /// What the kernel says.
    pub kernel: KernelStatus,
}

#[derive(Debug)]
enum Host {
    Node(Box<EngineNode>),
    Server(Box<ScriptedServer>),
}

struct World<'a> {
    scenario: &'a Scenario,
    seed: u64,
    calendar: Calendar,
    queue: Queue,
    /// The nodes first, in the scenario's order.
    hosts: Vec<Host>,
    by_address: BTreeMap<IpAddr, HostId>,
    network: Network,
    names: Names,
    attackers: Vec<Attacker>,
    recorders: Vec<Recorder>,
    samples: i64,
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario, seed: u64) -> Self {
        let calendar = scenario.calendar();
        let node_names = scenario.nodes.iter().map(|node| node.name.get_ref().clone());
        let server_names = scenario.servers.iter().map(|server| server.name.get_ref().clone());
        let host_names: Vec<String> = node_names.chain(server_names).collect();
        let addresses = addresses(scenario);
        let nodes =
            scenario.nodes.iter().zip(&addresses).enumerate().map(|(id, (node, &address))| {
                Host::Node(Box::new(EngineNode::new(id, node, address, &calendar, seed)))
            });
        let servers = scenario.servers.iter().map(|server| {
            Host::Server(Box::new(ScriptedServer::new(server.clone(), calendar, seed)))
        });
        let hosts: Vec<Host> = nodes.chain(servers).collect();
        let id = |name: &str| host_names.iter().position(|host| host == name).unwrap_or_default();
        let attackers = scenario
            .attackers
            .iter()
            .enumerate()
            .map(|(index, script)| {
                let stream = Stream::new(seed, &format!("attacker/{index}"));
                let (victim, pretends) =
                    (id(script.victim.get_ref()), id(script.pretends.get_ref()));
                Attacker::new(victim, pretends, script, stream)
            })
            .collect();
        let named = host_names.iter().cloned().zip(addresses.iter().copied()).collect();
        let recorder =
            || Recorder::new(scenario.duration, scenario.settled_after(), scenario.converged);
        let mut queue = Queue::default();
        for (host, node) in scenario.nodes.iter().enumerate() {
            queue.plan(Moment::from_seconds(node.starts), Occurrence::Start { host });
        }
        for event in &scenario.events {
            let host = id(event.node.get_ref());
            let act = Occurrence::Act { host, action: event.action };
            queue.plan(Moment::from_seconds(event.at), act);
        }
        queue.plan(Moment::from_seconds(scenario.sample * SAMPLE_PHASE), Occurrence::Sample);
        Self {
            scenario,
            seed,
            calendar,
            queue,
            hosts,
            by_address: addresses.iter().enumerate().map(|(id, address)| (*address, id)).collect(),
            network: Network::new(&scenario.links, host_names, seed),
            names: Names::new(scenario, &named),
            attackers,
            recorders: scenario.nodes.iter().map(|_| recorder()).collect(),
            samples: 0,
        }
    }

    fn run(
        &mut self,
        progress: &mut dyn FnMut(Progress),
        watch: &mut dyn FnMut(&Look<'_>),
    ) -> Result<(), RunError> {
        let duration = self.scenario.duration;
        let end = Moment::from_seconds(duration);
        let mut next_report = 0.0;
        while let Some((at, occurrence)) = self.queue.next() {
            if at > end {
                break;
            }
            if at.seconds() >= next_report {
                progress(Progress { elapsed: at.seconds(), duration });
                next_report = at.seconds() + duration / 1000.0;
            }
            if matches!(occurrence, Occurrence::Sample) {
                self.sample(at, watch);
                continue;
            }
            self.happen(at, occurrence).map_err(|(host, Runaway)| RunError::Runaway {
                node: self
                    .scenario
                    .nodes
                    .get(host)
                    .map(|node| node.name.get_ref().clone())
                    .unwrap_or_default(),
                at: at.seconds(),
            })?;
        }
        progress(Progress { elapsed: duration, duration });
        Ok(())
    }

    fn happen(&mut self, at: Moment, occurrence: Occurrence) -> Result<(), (HostId, Runaway)> {
        match occurrence {
            Occurrence::Depart { host, datagram, exchange } => {
                self.depart(at, host, datagram, exchange);
                Ok(())
            }
            Occurrence::Arrive { host, datagram } => {
                self.arrive(at, host, datagram);
                Ok(())
            }
            Occurrence::Answer { host, request, received } => {
                match self.hosts.get_mut(host) {
                    Some(Host::Node(_)) => {
                        return self.on_node(host, |node, queue| {
                            node.answer(at, request, received, queue)
                        });
                    }
                    Some(Host::Server(server)) => {
                        if let Some(bytes) =
                            server.answer(at, &request.bytes, request.from, received)
                        {
                            let datagram = Datagram {
                                from: request.to,
                                to: request.from,
                                bytes: bytes.to_vec(),
                            };
                            self.depart(at, host, datagram, None);
                        }
                    }
                    None => {}
                }
                Ok(())
            }
            Occurrence::Sample => Ok(()),
            Occurrence::Sent { host, exchange, at: stamp } => {
                self.on_node(host, |node, queue| node.sent(at, exchange, stamp, queue))
            }
            Occurrence::Deliver { host, exchange, datagram, received } => self
                .on_node(host, |node, queue| {
                    node.deliver(at, exchange, &datagram, received, queue)
                }),
            Occurrence::Resolved { host, id, name, family } => {
                let addresses = self.names.resolve(&name, family, at);
                self.on_node(host, |node, queue| {
                    if node.is_suspended() {
                        let again = Occurrence::Resolved { host, id, name, family };
                        queue.plan(at + Span::from_secs(1), again);
                        return Ok(());
                    }
                    let addresses = addresses.as_deref().map_err(Clone::clone);
                    node.resolved(at, id, addresses, queue)
                })
            }
            Occurrence::Wake { host, generation } => {
                self.on_node(host, |node, queue| node.wake(at, generation, queue))
            }
            Occurrence::Start { host } => self.on_node(host, |node, queue| node.start(at, queue)),
            Occurrence::Act { host, action } => {
                self.on_node(host, |node, queue| node.act(at, action, queue))
            }
            Occurrence::Resume { host, rtc_error } => self.on_node(host, |node, queue| {
                node.resume(at, rtc_error, queue);
                Ok(())
            }),
        }
    }

    fn on_node(
        &mut self,
        host: HostId,
        act: impl FnOnce(&mut EngineNode, &mut Queue) -> Result<(), Runaway>,
    ) -> Result<(), (HostId, Runaway)> {
        match self.hosts.get_mut(host) {
            Some(Host::Node(node)) => act(node, &mut self.queue).map_err(|runaway| (host, runaway)),
            Some(Host::Server(_)) | None => Ok(()),
        }
    }

    /// A datagram leaves a host.
    fn depart(
        &mut self,
        at: Moment,
        host: HostId,
        datagram: Datagram,
        exchange: Option<ExchangeId>,
    ) {
        if let (Some(Host::Node(node)), Some(exchange)) = (self.hosts.get_mut(host), exchange) {
            node.departed(at, exchange, &mut self.queue);
        }
        let Some(&destination) = self.by_address.get(&datagram.to.ip()) else { return };
        self.attack(at, host, destination, &datagram);
        let arrivals = self.network.carry(host, destination, at);
        for arrival in [arrivals.first, arrivals.second].into_iter().flatten() {
            let datagram = datagram.clone();
            self.queue.plan(arrival, Occurrence::Arrive { host: destination, datagram });
        }
    }

    /// Attackers see a datagram pass.
    fn attack(&mut self, at: Moment, from: HostId, to: HostId, datagram: &Datagram) {
        for attacker in &mut self.attackers {
            let Attacker { victim, pretends, .. } = *attacker;
            if (from, to) == (pretends, victim) {
                attacker.overhear(&datagram.bytes);
            }
            if (from, to) == (victim, pretends) && attacker.during.contains(at) {
                let round_trip = self.network.round_trip(from, to, at);
                for (delay, datagram) in attacker.forge(datagram, self.calendar.utc(at), round_trip)
                {
                    let arrival = at + Span::from_seconds(delay);
                    self.queue.plan(arrival, Occurrence::Arrive { host: victim, datagram });
                }
            }
        }
    }

    fn arrive(&mut self, at: Moment, host: HostId, datagram: Datagram) {
        match self.hosts.get_mut(host) {
            Some(Host::Node(node)) => node.arrive(at, datagram, &mut self.queue),
            Some(Host::Server(server)) if datagram.to.port() == NTP_PORT => {
                if let Some(ready) = server.accept(at) {
                    let received = server.clock(at);
                    let answer = Occurrence::Answer { host, request: datagram, received };
                    self.queue.plan(ready, answer);
                }
            }
            Some(Host::Server(_)) | None => {}
        }
    }

    fn sample(&mut self, at: Moment, watch: &mut dyn FnMut(&Look<'_>)) {
        self.samples += 1;
        let next = (self.samples as f64 + SAMPLE_PHASE) * self.scenario.sample;
        self.queue.plan(Moment::from_seconds(next), Occurrence::Sample);
        let utc = self.calendar.utc(at);
        let (nodes, servers) = self.hosts.split_at_mut(self.scenario.nodes.len());
        let scripts = self.scenario.nodes.iter();
        for ((script, host), recorder) in scripts.zip(&mut *nodes).zip(&mut self.recorders) {
            let Host::Node(node) = host else { continue };
            if node.is_suspended() {
                continue;
            }
            let error = (node.clock.system(at) - utc).seconds();
            let report = node.report(at);
            let look = Look {
                node: script.name.get_ref(),
                at: at.seconds(),
                error,
                frequency_error_ppm: node.clock.frequency_error(at) * 1e6,
                report: report.as_ref(),
                kernel: node.clock.status(at),
            };
            watch(&look);
            recorder.add(Sample::from(&look));
            let falsetickers =
                report.iter().flat_map(|report| followed_falsetickers(report, error));
            for (address, wrong) in falsetickers {
                let index = self.by_address.get(&address).copied().unwrap_or_default();
                let server = index.checked_sub(self.scenario.nodes.len());
                if let Some(Host::Server(server)) = server.and_then(|index| servers.get(index))
                    && server.is_to_blame(at, wrong)
                {
                    recorder.followed_liar(address.to_string());
                }
            }
        }
    }

    fn into_outcome(mut self) -> Outcome {
        let end = Moment::from_seconds(self.scenario.duration);
        let nodes = self.scenario.nodes.iter().zip(self.recorders).zip(&mut self.hosts);
        let nodes = nodes.filter_map(|((script, recorder), host)| match host {
            Host::Node(node) => Some(node_outcome(script.name.get_ref(), recorder, node, end)),
            Host::Server(_) => None,
        });
        Outcome {
            title: self.scenario.title.clone(),
            seed: self.seed,
            duration: self.scenario.duration,
            settled_after: self.scenario.settled_after(),
            nodes: nodes.collect(),
        }
    }
}

impl From<&Look<'_>> for Sample {
    fn from(look: &Look<'_>) -> Self {
        let tracking = look.report.map(|report| &report.tracking);
        Self {
            at: look.at,
            error: look.error,
            bound: tracking
                .filter(|tracking| tracking.synchronised)
                .and_then(|tracking| tracking.offset_bound),
            kernel_bound: look.kernel.synchronised.then(|| look.kernel.max_error.seconds()),
        }
    }
}

/// Sources that are followed although true time is outside what they claim: address, and by how much
/// (s) they are wrong. `error` is system clock minus true time (s).
fn followed_falsetickers(report: &Report, error: f64) -> impl Iterator<Item = (IpAddr, f64)> {
    report.sources.iter().filter_map(move |source| {
        let followed = matches!(source.state, State::Selected | State::Combined);
        let (offset, bound) = source.offset.zip(source.offset_bound)?;
        // The source's offset is true time minus system clock, as it believes.
        let wrong = offset + error;
        (followed && wrong.abs() > bound).then_some((source.address?, wrong))
    })
}

fn node_outcome(name: &str, recorder: Recorder, node: &mut EngineNode, end: Moment) -> NodeOutcome {
    let report = node.report(end).unwrap_or_default();
    NodeOutcome {
        name: name.to_owned(),
        error: recorder.error(),
        converged_after: recorder.converged_after(),
        bound: recorder.bound(),
        kernel_bound: recorder.kernel_bound(),
        final_frequency_ppm: node.clock.frequency_error(end) * 1e6,
        packets: node.packets,
        steps: report.tracking.steps,
        all_steps: node.clock.steps(),
        liars_followed: recorder.liars_followed().clone(),
        rejected: report.rejected,
        sources: report
            .sources
            .into_iter()
            .map(|source| SourceOutcome {
                name: source.name,
                address: source.address.map(|address| address.to_string()),
                state: source.state,
                reason: source.reason,
            })
            .collect(),
        log: std::mem::take(&mut node.log),
        series: recorder.into_series(),
    }
}

/// The addresses of all hosts, nodes first: those they ask for, and others for the rest.
fn addresses(scenario: &Scenario) -> Vec<IpAddr> {
    let asked = |address: &Option<IpAddr>| *address;
    let nodes = scenario.nodes.iter().map(|node| asked(&node.address));
    let wishes: Vec<Option<IpAddr>> =
        nodes.chain(scenario.servers.iter().map(|server| asked(&server.address))).collect();
    let mut taken: Vec<IpAddr> = wishes.iter().flatten().copied().collect();
    wishes
        .iter()
        .enumerate()
        .map(|(id, wish)| {
            wish.unwrap_or_else(|| {
                let network = if id < scenario.nodes.len() { 0 } else { 1 };
                let free = free_address(network, &taken);
                taken.push(free);
                free
            })
        })
        .collect()
}

/// The first address of 198.18.`network`.0/24 (RFC 2544: for tests) and those behind it that nobody
/// has.
fn free_address(network: u8, taken: &[IpAddr]) -> IpAddr {
    let first = u32::from_be_bytes([198, 18, network, 1]);
    (first..)
        .map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)))
        .find(|address| !taken.contains(address))
        .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}
