//! Servers to show the daemon to: on loopback, and not all of them tell the truth.
//!
//! This is for demonstrations and tests. A served time can be shifted here and nowhere else.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread::{self, JoinHandle};

use timeball_core::discipline::Corrections;
use timeball_core::server::{Arrival, MAX_ANSWER_LEN, Responder, ServerView, Settings, Verdict};
use timeball_host::clock::Clock;
use timeball_host::poll::{Interest, PollSet, Slot};
use timeball_host::precision::Precision;
use timeball_host::random;
use timeball_host::socket::{ReceiveBatch, ServerOptions, ServerSocket};
use timeball_host::wake::{Wake, Waker};
use timeball_wire::{LeapIndicator, ReferenceId, Span};

use crate::exchanges::quality;

/// Servers in a thread of their own, until dropped.
#[derive(Debug)]
pub struct DemoServers {
    addresses: Vec<SocketAddr>,
    waker: Waker,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl DemoServers {
    /// Starts one server for each of `lies`, on 127.0.0.1, 127.0.0.2 and so on. It serves this
    /// machine's clock, and its lie on top.
    ///
    /// # Errors
    /// When sockets on loopback are not to be had.
    pub fn start(lies: &[Span]) -> io::Result<Self> {
        let mut servers = Vec::new();
        for (number, lie) in (1..=u8::MAX).zip(lies) {
            servers.push(ShiftedServer::open(Ipv4Addr::new(127, 0, 0, number).into(), *lie)?);
        }
        let addresses = servers.iter().map(|server| server.socket.local_address()).collect();
        let (wake, waker) = Wake::new()?;
        let thread = thread::Builder::new()
            .name("demo-servers".into())
            .spawn(move || serve_until_woken(&mut servers, &wake))?;
        Ok(Self { addresses, waker, thread: Some(thread) })
    }

    /// Where they listen, in the order of their lies.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

impl Drop for DemoServers {
    fn drop(&mut self) {
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            // Its error, if any, has shown as servers that do not answer.
            let _ = thread.join();
        }
    }
}

fn serve_until_woken(servers: &mut [ShiftedServer], wake: &Wake) -> io::Result<()> {
    let clock = Clock::open()?;
    let mut batch = ReceiveBatch::new(16, 256);
    let mut poll = PollSet::new();
    loop {
        poll.clear();
        let woken = wake.descriptor().map(|wake| poll.add(wake, Interest::Read));
        let slots: Vec<Slot> =
            servers.iter().map(|server| poll.add(&server.socket, Interest::Read)).collect();
        poll.wait(None)?;
        if woken.is_some_and(|slot| poll.readiness(slot).any()) {
            return Ok(());
        }
        for (server, slot) in servers.iter_mut().zip(slots) {
            if poll.readiness(slot).any() {
                server.answer(&mut batch, &clock)?;
            }
        }
    }
}

/// A server whose clock is this machine's, shifted.
#[derive(Debug)]
struct ShiftedServer {
    socket: ServerSocket,
    responder: Responder,
    lie: Span,
}

impl ShiftedServer {
    fn open(address: IpAddr, lie: Span) -> io::Result<Self> {
        let clock = Clock::open()?;
        let mut hash_key = [0; 16];
        random::fill(&mut hash_key)?;
        let settings =
            Settings { allow: vec![IpAddr::V4(Ipv4Addr::LOCALHOST).into()], ..Settings::default() };
        let view = ServerView {
            leap: LeapIndicator::NoWarning,
            stratum: 1,
            precision: Precision::measure()?.log2,
            reference_id: ReferenceId::from_bytes(*b"DEMO"),
            reference_time: clock.system()? + lie,
            root_delay: 0.0,
            root_dispersion: 1e-6,
            as_of: clock.monotonic()?,
            dispersion_rate: 0.0,
            served_offset: None,
            corrections: Corrections::default(),
        };
        Ok(Self {
            socket: ServerSocket::open(&ServerOptions::new(SocketAddr::new(address, 0)))?,
            responder: Responder::new(&settings, view, hash_key),
            lie,
        })
    }

    fn answer(&mut self, batch: &mut ReceiveBatch, clock: &Clock) -> io::Result<()> {
        self.socket.receive(batch)?;
        let mut reply = [0; MAX_ANSWER_LEN];
        for (received, request) in batch.iter() {
            let arrival = Arrival {
                received: received.stamp.at + self.lie,
                quality: quality(received.stamp.source),
                monotonic: clock.monotonic()?,
                from: received.from,
                to_everybody: received.to_everybody,
            };
            let transmit = clock.system()? + self.lie;
            match self.responder.respond(request, &arrival, transmit, &mut reply) {
                Verdict::Answer(length) | Verdict::Kiss(length) => {
                    let reply = reply.get(..length).unwrap_or(&reply);
                    // A client that has gone is no reason to stop.
                    let _ = self.socket.reply(reply, received.from, received.to);
                }
                Verdict::Silence(_) => {}
            }
        }
        Ok(())
    }
}
