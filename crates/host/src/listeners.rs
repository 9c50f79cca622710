//! What listens at a port of this machine, and which process it belongs to: the kernel's lists of
//! sockets in `/proc/net`, and the descriptors of every process that may be looked at.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// A protocol that has ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
}

/// A socket that takes what comes to a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listener {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whose it is; `None` if that is hidden from this process's user, or nobody's any more.
    pub process: Option<Process>,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// What it calls itself, at most fifteen bytes.
    pub name: String,
}

/// An entry of the kernel's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    address: SocketAddr,
    inode: u64,
}

/// Everything that listens at a port in this process's network namespace.
///
/// # Errors
///
/// When the kernel's lists cannot be read. What processes do not show is missing from the answer.
pub fn at_port(protocol: Protocol, port: u16) -> io::Result<Vec<Listener>> {
    let mut entries = Vec::new();
    let lists = match protocol {
        Protocol::Udp => ["/proc/net/udp", "/proc/net/udp6"],
        Protocol::Tcp => ["/proc/net/tcp", "/proc/net/tcp6"],
    };
    for list in lists {
        match fs::read_to_string(list) {
            Ok(text) => entries.extend(
                text.lines()
                    .filter_map(|line| listening(protocol, line))
                    .filter(|entry| entry.address.port() == port),
            ),
            // A kernel without IPv6 has no such list.
            Err(error) if error.kind() == io::ErrorKind::NotFound && list.ends_with('6') => {}
            Err(error) => return Err(error),
        }
    }
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let owners = owners(&entries)?;
    let mut listeners: Vec<Listener> = entries
        .iter()
        .map(|entry| Listener {
            address: entry.address,
            process: owners.get(&entry.inode).cloned(),
        })
        .collect();
    listeners.sort();
    listeners.dedup();
    Ok(listeners)
}

/// The states of sockets in the kernel's lists (`include/net/tcp_states.h`).
const TCP_CLOSE: u8 = 7;
const TCP_LISTEN: u8 = 10;

/// Reads a line of such a list, if it is about a socket that takes what comes from anybody.
fn listening(protocol: Protocol, line: &str) -> Option<Entry> {
    // "  7: 0100007F:007B 00000000:0000 07 00000000:00000000 00:00000000 00000000  0 0 1234 2 …"
    let mut words = line.split_whitespace();
    let address = socket_address(words.nth(1)?)?;
    let state = u8::from_str_radix(words.nth(1)?, 16).ok()?;
    let inode = words.nth(5)?.parse().ok()?;
    let wanted = match protocol {
        // A connected one takes from its peer alone.
        Protocol::Udp => TCP_CLOSE,
        Protocol::Tcp => TCP_LISTEN,
    };
    (state == wanted).then_some(Entry { address, inode })
}

/// Addresses are written as words of 32 bits in the machine's own byte order.
fn socket_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words: Option<Vec<[u8; 4]>> = address
        .as_bytes()
        .chunks(8)
        .map(|word| {
            let word = std::str::from_utf8(word).ok().filter(|word| word.len() == 8)?;
            u32::from_str_radix(word, 16).ok().map(u32::to_ne_bytes)
        })
        .collect();
    let words = words?;
    let address: IpAddr = match words.as_slice() {
        [word] => Ipv4Addr::from(*word).into(),
        [_, _, _, _] => Ipv6Addr::from(<[u8; 16]>::try_from(words.concat()).ok()?).into(),
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

/// The processes of these sockets, by inode. Of several that share a socket it is the oldest.
fn owners(entries: &[Entry]) -> io::Result<HashMap<u64, Process>> {
    let mut owners: HashMap<u64, Process> = HashMap::new();
    for directory in fs::read_dir("/proc")?.flatten() {
        let pid = directory.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        let Some(pid) = pid else { continue };
        // Processes end while they are looked at, and those of others may not be looked at.
        let Ok(descriptors) = fs::read_dir(directory.path().join("fd")) else { continue };
        for descriptor in descriptors.flatten() {
            let inode = fs::read_link(descriptor.path()).ok().and_then(|link| socket_inode(&link));
            let Some(inode) = inode else { continue };
            if entries.iter().any(|entry| entry.inode == inode)
                && owners.get(&inode).is_none_or(|known| known.pid > pid)
            {
                let name = fs::read_to_string(directory.path().join("comm")).unwrap_or_default();
                owners.insert(inode, Process { pid, name: name.trim_end().to_owned() });
            }
        }
    }
    Ok(owners)
}

/// "socket:[1234]".
fn socket_inode(link: &Path) -> Option<u64> {
    link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn lines_of_the_kernel_are_read() {
        let line = "  412: 0100007F:007B 00000000:0000 07 00000000:00000000 00:00000000 00000000 \
                    0        0 9876 2 0000000000000000 0";
        let entry = Entry { address: "127.0.0.1:123".parse().unwrap(), inode: 9876 };
        assert_eq!(listening(Protocol::Udp, line), Some(entry));
        assert_eq!(listening(Protocol::Tcp, line), None, "that is no listening state of TCP");
        let line = "   0: 0000000000000000FFFF00000100007F:11CC \
                    00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 \
                    0 0 5 1 0 100 0 0 10 0";
        let entry = Entry { address: "[::ffff:127.0.0.1]:4556".parse().unwrap(), inode: 5 };
        assert_eq!(listening(Protocol::Tcp, line), Some(entry));
    }

    #[test]
    fn what_is_no_such_line_is_left_out() {
        for line in [
            "",
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid",
            "0: 0100007F 0 07 0 0 0 0 0 1",
            "0: 0100007:007B 0 07 0 0 0 0 0 1",
            "0: 0100007\u{e9}:007B 0 07 0 0 0 0 0 1",
            "0: 0100007F:1007B 0 07 0 0 0 0 0 1",
            "0: 0100007F:007B 0 07 0 0 0 0 0 x",
            "0: 0100007F:007B 0 07",
        ] {
            assert_eq!(listening(Protocol::Udp, line), None, "{line:?}");
        }
    }

    #[test]
    fn a_socket_of_this_process_is_found() {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        for (protocol, address) in
            [(Protocol::Udp, udp.local_addr().unwrap()), (Protocol::Tcp, tcp.local_addr().unwrap())]
        {
            let found = at_port(protocol, address.port()).unwrap();
            let ours = found.iter().find(|listener| listener.address == address).unwrap();
            assert_eq!(ours.process.as_ref().unwrap().pid, std::process::id());
        }
        // One that is connected takes nothing from others.
        udp.connect("127.0.0.1:9").unwrap();
        let address = udp.local_addr().unwrap();
        let found = at_port(Protocol::Udp, address.port()).unwrap();
        assert!(found.iter().all(|listener| listener.address != address), "{found:?}");
    }
}
