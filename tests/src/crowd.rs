//! Very many connections to a TCP service that want nothing of it, and never end.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, setsockopt, socket, sockopt,
};

use crate::namespace::Host;
use crate::need;
use crate::process::output_of;

/// Between two rounds, so that the machine has time for others.
const PAUSE: Duration = Duration::from_millis(20);

/// What a client of TLS begins with; it says that a kilobyte follows.
const BEGINNING: [u8; 5] = [0x16, 3, 1, 4, 0];

/// How the crowd has fared.
#[derive(Debug, Default)]
pub struct Tally {
    /// Connections begun, those in place of others among them.
    pub opened: AtomicUsize,
    /// Connections that the service has ended.
    pub ended: AtomicUsize,
}

/// Who stands in the crowd.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    /// Whom it wants to keep busy.
    pub service: SocketAddrV4,
    /// Connections at any time.
    pub size: usize,
    /// Connections begun, at most: nothing here goes on for ever.
    pub most: usize,
    /// Addresses that they come from.
    pub addresses: u8,
}

/// Lets this process open so many files, if that can be done.
pub fn may_open(files: u64) -> bool {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return false };
    soft >= files || setrlimit(Resource::RLIMIT_NOFILE, files, hard.max(files)).is_ok()
}

impl Crowd {
    /// Gives the host the addresses that the crowd comes from.
    pub fn settle(&self, host: &Host) {
        for number in 0..self.addresses {
            let address = format!("{}/24", address(number));
            let mut command = host.command(&need::program("ip"));
            output_of(command.args(["address", "add", &address, "dev", "eth0"]));
        }
    }

    /// Crowds around until it is `over`: half of it is silent, the others say byte after byte of
    /// something that never ends. Whoever is sent away comes back. To be called [inside](Host::inside)
    /// the host.
    pub fn press(&self, tally: &Tally, over: &AtomicBool) {
        let mut all: Vec<Option<TcpStream>> = Vec::new();
        let mut number = 0_u8;
        let mut opened = 0;
        while !over.load(Ordering::Relaxed) {
            all.retain(Option::is_some);
            while all.len() < self.size && opened < self.most {
                number = (number + 1) % self.addresses;
                all.push(Some(begin(address(number), self.service).expect("begin a connection")));
                opened += 1;
                tally.opened.store(opened, Ordering::Relaxed);
            }
            for (place, one) in all.iter_mut().enumerate() {
                let Some(stream) = one else { continue };
                let result = match place % 2 {
                    0 => stream.read(&mut [0; 64]).and_then(|len| match len {
                        0 => Err(ErrorKind::UnexpectedEof.into()),
                        len => Ok(len),
                    }),
                    _ => stream.write(&BEGINNING[..1]),
                };
                if result.is_err_and(|error| !is_for_later(&error)) {
                    *one = None;
                    tally.ended.fetch_add(1, Ordering::Relaxed);
                }
            }
            std::thread::sleep(PAUSE);
        }
    }
}

fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 123, 0, 100 + number)
}

/// Of a connection that does not wait for itself.
fn begin(from: Ipv4Addr, service: SocketAddrV4) -> io::Result<TcpStream> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let descriptor = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
    // The port is chosen with both addresses in mind.
    setsockopt(&descriptor, sockopt::IpBindAddressNoPort, &true)?;
    bind(descriptor.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(from, 0)))?;
    match connect(descriptor.as_raw_fd(), &SockaddrIn::from(service)) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(descriptor.into()),
        Err(error) => Err(error.into()),
    }
}

fn is_for_later(error: &io::Error) -> bool {
    use ErrorKind::{Interrupted, NotConnected, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | NotConnected)
}
