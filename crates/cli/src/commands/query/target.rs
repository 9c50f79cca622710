//! Whom to ask: `HOST`, `HOST:PORT`, an address, or `[v6]:PORT`.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use timeball_wire::packet::NTP_PORT;

/// A host as it was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// A name or a literal address.
    pub(crate) host: String,
    /// UDP port.
    pub(crate) port: u16,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self { host: address.to_string(), port: NTP_PORT });
        }
        if let Some(address) =
            text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).map(str::parse)
        {
            let address: IpAddr = address.map_err(|_| "no IPv6 address in the brackets")?;
            return Ok(Self { host: address.to_string(), port: NTP_PORT });
        }
        let (host, port) = match text.rsplit_once(':') {
            None => (text, NTP_PORT),
            Some((host, port)) => (
                host,
                port.parse()
                    .map_err(|_| format!("`{port}` is no port; write [ADDRESS]:PORT for IPv6"))?,
            ),
        };
        if port == 0 {
            return Err("port 0 cannot be asked".into());
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self { host: address.ip().to_string(), port });
        }
        if host.contains([':', '[', ']']) {
            return Err("write [ADDRESS]:PORT for IPv6".into());
        }
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err("a host name or address is needed".into());
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::source;

    #[test]
    fn hosts_and_ports_in_every_spelling() {
        for (text, host, port, shown) in [
            ("ntp.example", "ntp.example", 123, "ntp.example"),
            ("ntp.example:1123", "ntp.example", 1123, "ntp.example:1123"),
            ("192.0.2.1", "192.0.2.1", 123, "192.0.2.1"),
            ("192.0.2.1:1123", "192.0.2.1", 1123, "192.0.2.1:1123"),
            ("::1", "::1", 123, "::1"),
            ("2001:db8::1", "2001:db8::1", 123, "2001:db8::1"),
            ("[::1]", "::1", 123, "::1"),
            ("[::1]:1123", "::1", 1123, "[::1]:1123"),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!((target.host.as_str(), target.port), (host, port), "{text}");
            assert_eq!(source::name_of(&target.host, target.port, None), shown);
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            ":123",
            "host:",
            "host:0",
            "host:65536",
            "host:ntp",
            "[::1",
            "[name]",
            "a:b:c",
            "a b",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
