//! The journal: one datagram for each entry, with fields that `journalctl` can select by
//! (systemd's native journal protocol).

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use timeball_guard::watch::{Alert, Event};

/// Where the journal takes entries.
const SOCKET: &str = "/run/systemd/journal/socket";
/// Syslog's severities.
const WARNING: u8 = 4;
const NOTICE: u8 = 5;

/// A way to the journal.
pub(super) struct Journal {
    socket: UnixDatagram,
}

impl Journal {
    /// # Errors
    /// The system's, if there is no journal.
    pub(super) fn open() -> io::Result<Self> {
        Self::open_at(Path::new(SOCKET))
    }

    fn open_at(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        // An alert that the journal has no room for is one of many.
        socket.set_nonblocking(true)?;
        Ok(Self { socket })
    }

    /// # Errors
    /// The system's.
    pub(super) fn write(&self, alert: &Alert) -> io::Result<()> {
        self.socket.send(&entry(alert)).map(|_| ())
    }
}

fn entry(alert: &Alert) -> Vec<u8> {
    let priority = match alert.event {
        Event::Recovered => NOTICE,
        Event::Violated | Event::Changed | Event::Reminder => WARNING,
    };
    let mut entry = Vec::new();
    for (name, value) in [
        ("MESSAGE", &*alert.sentence()),
        ("PRIORITY", &priority.to_string()),
        ("SYSLOG_IDENTIFIER", "timeball-watch"),
        ("TIMEBALL_EVENT", alert.event.name()),
        ("TIMEBALL_ENDPOINT", &alert.endpoint),
        ("TIMEBALL_EXPECTED", &alert.expected),
        ("TIMEBALL_CONDITION", &alert.condition),
        ("TIMEBALL_SINCE", &alert.since.to_string()),
    ] {
        // A value may have line ends of its own only if its length is told.
        entry.extend_from_slice(name.as_bytes());
        entry.push(b'\n');
        entry.extend_from_slice(&(value.len() as u64).to_le_bytes());
        entry.extend_from_slice(value.as_bytes());
        entry.push(b'\n');
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::super::tests::alert;
    use super::*;

    #[test]
    fn an_entry_is_one_datagram_with_the_length_of_each_field() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        assert!(Journal::open_at(&path).is_err(), "nobody is there");
        let receiver = UnixDatagram::bind(&path).unwrap();
        Journal::open_at(&path).unwrap().write(&alert(Event::Violated)).unwrap();
        let mut buffer = [0; 2000];
        let length = receiver.recv(&mut buffer).unwrap();
        let mut rest = &buffer[..length];
        let mut fields = Vec::new();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (name, value) = (&rest[..end], &rest[end + 1..]);
            let length = u64::from_le_bytes(*value.first_chunk::<8>().unwrap()) as usize;
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            fields.push((text(name), text(&value[8..8 + length])));
            assert_eq!(value[8 + length], b'\n');
            rest = &value[9 + length..];
        }
        assert_eq!(rest, b"");
        let field = |wanted: &str| &fields.iter().find(|(name, _)| name == wanted).unwrap().1;
        assert_eq!(field("PRIORITY"), "4");
        assert_eq!(field("TIMEBALL_EVENT"), "violated");
        assert_eq!(field("TIMEBALL_ENDPOINT"), "udp:192.0.2.1:123");
        assert_eq!(
            field("MESSAGE"),
            "udp:192.0.2.1:123 is open, expected closed (something answers)"
        );
    }
}
