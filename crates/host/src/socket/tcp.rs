//! The socket that clients of key establishment connect to.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::address::{RawAddress, domain};
use super::client::{bind, bind_to_device, local_address};
use crate::os::{check, make_private, open_socket, set_option};

/// Connections that wait to be accepted.
const BACKLOG: libc::c_int = 128;

/// Listens for connections. Nothing about it blocks.
#[derive(Debug)]
pub struct TcpListener {
    socket: OwnedFd,
    local: SocketAddr,
}

impl TcpListener {
    /// Starts to listen at an address, or everywhere in its family: an IPv6 socket never takes IPv4.
    ///
    /// # Errors
    ///
    /// When the kernel has no such protocol, address or interface, somebody else listens there, or
    /// the port is reserved.
    pub fn open(listen: SocketAddr, device: Option<&str>) -> io::Result<Self> {
        let socket = open_socket(domain(&listen), libc::SOCK_STREAM)?;
        let handle = socket.as_fd();
        if listen.is_ipv6() {
            set_option(handle, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
        }
        // Connections of the process before this one may not be over yet.
        set_option(handle, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
        if let Some(device) = device {
            bind_to_device(handle, device)?;
        }
        bind(handle, listen)?;
        // SAFETY: no pointers.
        check(unsafe { libc::listen(socket.as_raw_fd(), BACKLOG) })?;
        // Only a port that the kernel has chosen is news.
        let local = if listen.port() == 0 { local_address(handle)? } else { listen };
        Ok(Self { socket, local })
    }

    /// Where it listens.
    pub fn local_address(&self) -> SocketAddr {
        self.local
    }

    /// Accepts one connection, without waiting; it does not block either. `None` if nobody waits, or
    /// who waited has hung up.
    ///
    /// # Errors
    ///
    /// The kernel's, such as too many open descriptors.
    pub fn accept(&self) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        let mut from = RawAddress::empty();
        // SAFETY: the pointers are valid for an address of any family and for its length, which says
        // how much room there is.
        let answer =
            unsafe { libc::accept(self.socket.as_raw_fd(), from.as_mut_ptr(), from.length_mut()) };
        match check(answer) {
            Ok(descriptor) => {
                // SAFETY: the call has just made this descriptor, and nothing else owns it.
                let connection = unsafe { OwnedFd::from_raw_fd(descriptor) };
                make_private(&connection)?;
                Ok(from.to_socket_addr().map(|from| (connection.into(), from)))
            }
            Err(error) if is_about_the_client(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Nobody waits any more, or the network has failed whoever did: accept(2) reports what happened to
/// the connection it would have handed out.
fn is_about_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, Interrupted, WouldBlock};
    let failed = [
        libc::ENETDOWN,
        libc::EPROTO,
        libc::ENOPROTOOPT,
        libc::EHOSTDOWN,
        libc::ENONET,
        libc::EHOSTUNREACH,
        libc::EOPNOTSUPP,
        libc::ENETUNREACH,
    ];
    matches!(error.kind(), WouldBlock | Interrupted | ConnectionAborted)
        || error.raw_os_error().is_some_and(|code| failed.contains(&code))
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, Ipv6Addr};

    use timeball_wire::Span;

    use super::*;
    use crate::clock::monotonic_now;
    use crate::poll::{Interest, PollSet};

    #[test]
    fn who_connects_is_accepted_and_does_not_block() {
        for address in [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()] {
            let listener = match TcpListener::open(SocketAddr::new(address, 0), None) {
                Ok(listener) => listener,
                Err(error) if address.is_ipv6() => {
                    println!("skipped: no IPv6 here: {error}");
                    continue;
                }
                Err(error) => panic!("{error}"),
            };
            assert!(listener.accept().unwrap().is_none());
            let mut client = TcpStream::connect(listener.local_address()).unwrap();
            let mut poll = PollSet::new();
            let slot = poll.add(&listener, Interest::Read);
            poll.wait(Some(monotonic_now().unwrap() + Span::from_secs(5))).unwrap();
            assert!(poll.readiness(slot).readable);
            let (mut accepted, from) = listener.accept().unwrap().unwrap();
            assert_eq!(from, client.local_addr().unwrap());
            let error = accepted.read(&mut [0; 8]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            accepted.write_all(b"hello").unwrap();
            let mut heard = [0; 5];
            client.read_exact(&mut heard).unwrap();
            assert_eq!(&heard, b"hello");
        }
    }

    #[test]
    fn a_place_that_is_taken_is_an_error() {
        let first = TcpListener::open((Ipv4Addr::LOCALHOST, 0).into(), None).unwrap();
        let error = TcpListener::open(first.local_address(), None).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
