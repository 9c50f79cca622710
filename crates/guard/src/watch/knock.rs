//! Is a port open? One request or one connection, and nothing after it.

use std::io;
use std::net::SocketAddr;

use timeball_host::clock::Clock;
use timeball_host::listeners::Protocol;
use timeball_host::poll::{Interest, PollSet};
use timeball_host::random;
use timeball_host::socket::{ClientOptions, ClientSocket, Incoming, Unreachable};
use timeball_wire::{Span, cmdmon};

use super::finding::Observation;
use crate::audit::probe::{Known, Probe};
use crate::audit::tcp::TcpPort;

/// Knocks at a port. At a UDP port it asks for the time, or at chrony's port for commands what that
/// answers: nothing else makes a service that is silent towards nonsense show itself.
pub fn knock(protocol: Protocol, address: SocketAddr, timeout: Span) -> Observation {
    match protocol {
        Protocol::Udp => {
            ask(address, timeout).unwrap_or_else(|error| match Unreachable::from_error(&error) {
                Some(reason) => observation_of(reason),
                None => Observation::Failed(error.to_string()),
            })
        }
        Protocol::Tcp => match TcpPort::look(address.ip(), address.port(), timeout.to_duration()) {
            TcpPort::Open => Observation::Open,
            TcpPort::Closed => Observation::Closed,
            TcpPort::Silent => Observation::Silent,
        },
    }
}

/// What it means that the network reports this.
pub const fn observation_of(reason: Unreachable) -> Observation {
    match reason {
        Unreachable::Port => Observation::Closed,
        reason => Observation::Unreachable(reason),
    }
}

fn ask(address: SocketAddr, timeout: Span) -> io::Result<Observation> {
    let mut token = [0; 8];
    random::fill(&mut token)?;
    let probe = match address.port() {
        cmdmon::PORT => Probe::ChronyCommand,
        _ => Probe::TimeV4,
    };
    let request = probe.request(u64::from_ne_bytes(token), &Known::default());
    let clock = Clock::open()?;
    let mut socket = ClientSocket::open(address, &ClientOptions::default())?;
    let deadline = clock.monotonic()? + timeout;
    socket.send(&request)?;
    let mut poll = PollSet::new();
    let mut buffer = [0; 64];
    loop {
        poll.clear();
        let slot = poll.add(&socket, Interest::Read);
        poll.wait(Some(deadline))?;
        let mut readiness = poll.readiness(slot);
        while let Some(incoming) = socket.incoming(&mut readiness, &mut buffer)? {
            match incoming {
                Incoming::Datagram(_) => return Ok(Observation::Open),
                Incoming::Unreachable(reason) => return Ok(observation_of(reason)),
                Incoming::Transmitted(_) => {}
            }
        }
        if clock.monotonic()? >= deadline {
            return Ok(Observation::Silent);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn open_closed_and_silent_are_told_apart() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let look = |timeout| knock(Protocol::Udp, address, timeout);
        assert_eq!(look(Span::from_millis(50)), Observation::Silent);
        let answered = std::thread::scope(|scope| {
            let asker = scope.spawn(|| look(Span::from_secs(60)));
            let mut request = [0; 64];
            // The first request is that of the look that heard nothing.
            socket.recv_from(&mut request).unwrap();
            let (length, from) = socket.recv_from(&mut request).unwrap();
            assert_eq!((length, request[0]), (48, 0x23));
            socket.send_to(b"anything", from).unwrap();
            asker.join().unwrap()
        });
        assert_eq!(answered, Observation::Open);
        drop(socket);
        assert_eq!(look(Span::from_secs(60)), Observation::Closed);
        let tcp = knock(Protocol::Tcp, address, Span::from_secs(60));
        assert_eq!(tcp, Observation::Closed);
    }
}
