//! Status words, and the list of associations made of them (RFC 9327 §3).

use crate::header::LeapIndicator;

/// What synchronises a system (RFC 9327 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClockSource {
    /// Nothing yet, or nobody says.
    Unspecified,
    /// An atomic clock, by a pulse per second.
    Pps,
    /// Long-wave radio.
    LongWave,
    /// Short-wave radio.
    ShortWave,
    /// Ultra-short waves: satellites.
    Satellite,
    /// Something on a local network that is not NTP.
    LocalNet,
    /// NTP.
    Ntp,
    /// Another protocol over UDP, such as TIME.
    OtherProtocol,
    /// A person's wristwatch.
    Wristwatch,
    /// A telephone modem.
    Telephone,
    /// A number without meaning.
    Other(u8),
}

/// The status word of a system (RFC 9327 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemStatus {
    /// Leap warning.
    pub leap: LeapIndicator,
    /// What synchronises it.
    pub source: ClockSource,
    /// Events since the status was last read, up to 15.
    pub event_count: u8,
    /// The last event: 5 synchronised, 6 restarted, 8 lost its system peer, ….
    pub event: u8,
}

impl From<u16> for SystemStatus {
    fn from(word: u16) -> Self {
        let [high, low] = word.to_be_bytes();
        Self {
            leap: LeapIndicator::from_bits(high >> 6),
            source: match high & 0x3f {
                0 => ClockSource::Unspecified,
                1 => ClockSource::Pps,
                2 => ClockSource::LongWave,
                3 => ClockSource::ShortWave,
                4 => ClockSource::Satellite,
                5 => ClockSource::LocalNet,
                6 => ClockSource::Ntp,
                7 => ClockSource::OtherProtocol,
                8 => ClockSource::Wristwatch,
                9 => ClockSource::Telephone,
                other => ClockSource::Other(other),
            },
            event_count: low >> 4,
            event: low & 0x0f,
        }
    }
}

/// What a system thinks of a peer (RFC 9327 §3.2), with ntpq's tally code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerSelection {
    /// ` `: discarded as not valid.
    Reject,
    /// `x`: a falseticker.
    Falseticker,
    /// `.`: one too many.
    Excess,
    /// `-`: discarded by the cluster algorithm.
    Outlier,
    /// `+`: takes part.
    Candidate,
    /// `#`: would take part if there were fewer.
    Backup,
    /// `*`: the system peer.
    SystemPeer,
    /// `o`: the system peer, by a pulse per second.
    PpsPeer,
}

impl PeerSelection {
    /// The sign by which `ntpq -p` shows it.
    pub const fn tally_code(self) -> char {
        match self {
            Self::Reject => ' ',
            Self::Falseticker => 'x',
            Self::Excess => '.',
            Self::Outlier => '-',
            Self::Candidate => '+',
            Self::Backup => '#',
            Self::SystemPeer => '*',
            Self::PpsPeer => 'o',
        }
    }
}

/// The status word of an association (RFC 9327 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// It is in the configuration, not made on request.
    pub is_configured: bool,
    /// It shall authenticate itself.
    pub is_authenticable: bool,
    /// It does.
    pub is_authentic: bool,
    /// It has answered one of the last eight polls.
    pub is_reachable: bool,
    /// It is broadcast to.
    pub is_broadcast: bool,
    /// What the system thinks of it.
    pub selection: PeerSelection,
    /// Events since the status was last read, up to 15.
    pub event_count: u8,
    /// The last event.
    pub event: u8,
}

impl From<u16> for PeerStatus {
    fn from(word: u16) -> Self {
        let [high, low] = word.to_be_bytes();
        Self {
            is_configured: high & 0x80 != 0,
            is_authenticable: high & 0x40 != 0,
            is_authentic: high & 0x20 != 0,
            is_reachable: high & 0x10 != 0,
            is_broadcast: high & 0x08 != 0,
            selection: match high & 7 {
                0 => PeerSelection::Reject,
                1 => PeerSelection::Falseticker,
                2 => PeerSelection::Excess,
                3 => PeerSelection::Outlier,
                4 => PeerSelection::Candidate,
                5 => PeerSelection::Backup,
                6 => PeerSelection::SystemPeer,
                _ => PeerSelection::PpsPeer,
            },
            event_count: low >> 4,
            event: low & 0x0f,
        }
    }
}

/// One entry of the list of associations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Association {
    /// Names it in further requests.
    pub id: u16,
    /// How it stands.
    pub status: PeerStatus,
}

/// The list of associations in the data of an answer to [`ReadStatus`](super::Opcode::ReadStatus)
/// about the system. What is left at the end and makes no entry is passed over.
#[derive(Clone, Debug)]
pub struct Associations<'a>(&'a [u8]);

impl<'a> Associations<'a> {
    /// The list in these data.
    pub const fn new(data: &'a [u8]) -> Self {
        Self(data)
    }
}

impl Iterator for Associations<'_> {
    type Item = Association;

    fn next(&mut self) -> Option<Association> {
        let (&[i0, i1, s0, s1], rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        let status = PeerStatus::from(u16::from_be_bytes([s0, s1]));
        Some(Association { id: u16::from_be_bytes([i0, i1]), status })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_synchronised_system() {
        let expected = SystemStatus {
            leap: LeapIndicator::NoWarning,
            source: ClockSource::Ntp,
            event_count: 1,
            event: 5,
        };
        assert_eq!(SystemStatus::from(0x0615), expected);
        assert_eq!(SystemStatus::from(0xc016).leap, LeapIndicator::Unsynchronised);
        assert_eq!(SystemStatus::from(0x3f00).source, ClockSource::Other(63));
    }

    #[test]
    fn associations_and_what_is_left_over() {
        let data = [0x12, 0x34, 0x96, 0x1a, 0, 7, 0x80, 0x11, 1, 2, 3];
        let mut list = Associations::new(&data);
        let first = list.next().unwrap();
        assert_eq!(first.id, 0x1234);
        assert!(first.status.is_configured && first.status.is_reachable);
        assert!(!first.status.is_authentic);
        assert_eq!(first.status.selection.tally_code(), '*');
        assert_eq!((first.status.event_count, first.status.event), (1, 10));
        let second = list.next().unwrap();
        assert_eq!((second.id, second.status.selection), (7, PeerSelection::Reject));
        assert_eq!(list.next(), None);
    }

    #[test]
    fn tally_codes_are_those_of_ntpq() {
        let codes: String =
            (0..8).map(|select| PeerStatus::from(select << 8).selection.tally_code()).collect();
        assert_eq!(codes, " x.-+#*o");
    }
}
