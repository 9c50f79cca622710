//! A TCP connection to a server that never makes its caller wait.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::address::{RawAddress, domain};
use super::client::{bind, bind_to_device};
use crate::os::{check, check_length, open_socket, option, set_option};

/// A connection, or what will be one.
#[derive(Debug)]
pub struct StreamSocket {
    socket: OwnedFd,
    peer: SocketAddr,
}

/// What came of an attempt to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// So many bytes.
    Bytes(usize),
    /// Nothing yet.
    Nothing,
    /// The other side has hung up.
    End,
}

impl StreamSocket {
    /// Begins to connect to `server`: when there is room to [write](crate::poll::Interest::Write), ask
    /// [`connected`](Self::connected) what came of it.
    ///
    /// # Errors
    ///
    /// When the kernel has no such protocol, address or interface, or no way to the server.
    pub fn connect(
        server: SocketAddr,
        bind_address: Option<IpAddr>,
        bind_device: Option<&str>,
    ) -> io::Result<Self> {
        let socket = open_socket(domain(&server), libc::SOCK_STREAM)?;
        if let Some(device) = bind_device {
            bind_to_device(socket.as_fd(), device)?;
        }
        if let Some(address) = bind_address {
            bind(socket.as_fd(), SocketAddr::new(address, 0))?;
        }
        // A few short messages are all: none of them has to wait for company.
        set_option(socket.as_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
        let address = RawAddress::from(server);
        // SAFETY: the pointer and length describe `address`, which is only read.
        let begun =
            check(unsafe { libc::connect(socket.as_raw_fd(), address.as_ptr(), address.length()) });
        match begun {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
            Ok(_) | Err(_) => Ok(Self { socket, peer: server }),
        }
    }

    /// The server.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Once there is room to write: is it a connection?
    ///
    /// # Errors
    ///
    /// Why it is none.
    pub fn connected(&self) -> io::Result<()> {
        match option(self.socket.as_fd(), libc::SOL_SOCKET, libc::SO_ERROR)? {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    /// Reads what has arrived, as much as the buffer holds.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Arrived> {
        // SAFETY: the pointer and length describe `buffer`, which the kernel may fill.
        let received = check_length(unsafe {
            let (pointer, len) = (buffer.as_mut_ptr().cast(), buffer.len());
            libc::recv(self.socket.as_raw_fd(), pointer, len, 0)
        });
        match received {
            Ok(0) => Ok(Arrived::End),
            Ok(len) => Ok(Arrived::Bytes(len)),
            Err(error) if is_later(&error) => Ok(Arrived::Nothing),
            Err(error) => Err(error),
        }
    }
}

fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// What there is no room for now is [`WouldBlock`](io::ErrorKind::WouldBlock).
impl io::Write for StreamSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // SAFETY: the pointer and length describe `bytes`, which is only read.
        let sent = check_length(unsafe {
            let (pointer, len) = (bytes.as_ptr().cast(), bytes.len());
            libc::send(self.socket.as_raw_fd(), pointer, len, libc::MSG_NOSIGNAL)
        });
        match sent {
            Err(error) if is_later(&error) => Err(io::ErrorKind::WouldBlock.into()),
            result => result,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for StreamSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for StreamSocket {
    fn drop(&mut self) {
        // The other side is told that this was the end, also where closing alone would not tell it. One
        // that is gone already needs no telling.
        // SAFETY: no pointers, and the descriptor is still open.
        unsafe { libc::shutdown(self.socket.as_raw_fd(), libc::SHUT_RDWR) };
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use timeball_wire::Span;

    use super::*;
    use crate::clock::monotonic_now;
    use crate::poll::{Interest, PollSet};

    fn ready(socket: &StreamSocket, interest: Interest) {
        let mut poll = PollSet::new();
        let slot = poll.add(socket, interest);
        let deadline = monotonic_now().unwrap() + Span::from_secs(20);
        poll.wait(Some(deadline)).unwrap();
        assert!(poll.readiness(slot).any());
    }

    #[test]
    fn bytes_go_both_ways_and_the_end_is_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let mut socket = StreamSocket::connect(server, Some(server.ip()), None).unwrap();
        assert_eq!(socket.peer(), server);
        ready(&socket, Interest::Write);
        socket.connected().unwrap();
        let (mut other, _) = listener.accept().unwrap();
        let mut buffer = [0; 16];
        assert_eq!(socket.receive(&mut buffer).unwrap(), Arrived::Nothing);
        socket.write_all(b"hello").unwrap();
        let mut heard = [0; 5];
        other.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"hello");
        other.write_all(b"goodbye").unwrap();
        drop(other);
        ready(&socket, Interest::Read);
        assert_eq!(socket.receive(&mut buffer).unwrap(), Arrived::Bytes(7));
        assert_eq!(&buffer[..7], b"goodbye");
        ready(&socket, Interest::Read);
        assert_eq!(socket.receive(&mut buffer).unwrap(), Arrived::End);
    }

    #[test]
    fn nobody_there_is_an_error_at_once_or_when_there_is_room() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let connected = StreamSocket::connect(server, None, None).and_then(|socket| {
            ready(&socket, Interest::Write);
            socket.connected()
        });
        assert_eq!(connected.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
}
