//! Ports that a host has open over TCP: NTS key establishment, and what NTP never used.

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What came of an attempt to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TcpPort {
    /// Somebody listens.
    Open,
    /// The host says that nobody does.
    Closed,
    /// Nothing was heard: a firewall, or nobody there.
    Silent,
}

/// The port of NTP, which does not use TCP.
pub const NTP: u16 = timeball_wire::NTP_PORT;
/// The port of NTS key establishment (RFC 8915 §4).
pub const NTS_KE: u16 = timeball_wire::nts_ke::NTS_KE_PORT;

impl TcpPort {
    /// Connects, says nothing, and hangs up.
    pub fn look(address: IpAddr, port: u16, timeout: Duration) -> Self {
        match TcpStream::connect_timeout(&SocketAddr::new(address, port), timeout) {
            Ok(_) => Self::Open,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Self::Closed,
            Err(_) => Self::Silent,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_open_port_is_told_from_a_closed_one() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap();
        let look = || TcpPort::look(place.ip(), place.port(), Duration::from_secs(10));
        assert_eq!(look(), TcpPort::Open);
        drop(listener);
        assert_eq!(look(), TcpPort::Closed);
    }
}
