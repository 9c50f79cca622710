//! The reference identifier (RFC 5905 §7.3): a kiss code at stratum 0, the kind of reference clock
//! at stratum 1, and the address of the upstream server above that.

use core::fmt;
use core::net::IpAddr;

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

/// Four bytes whose meaning depends on the stratum beside them.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReferenceId([u8; 4]);

impl ReferenceId {
    /// No reference: all zero.
    pub const NONE: Self = Self([0; 4]);
    /// `LOCL`: a local clock that is synchronised to nothing (`local stratum`).
    pub const LOCAL: Self = Self(*b"LOCL");

    /// The identifier with these bytes.
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// The bytes as sent.
    pub const fn to_bytes(self) -> [u8; 4] {
        self.0
    }

    /// What a server synchronised to `address` says: the IPv4 address itself, or the first four
    /// bytes of the MD5 digest of the IPv6 address.
    pub fn of_address(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(v4.octets()),
            IpAddr::V6(v6) => {
                let digest = Md5::digest(v6.octets());
                Self([digest[0], digest[1], digest[2], digest[3]])
            }
        }
    }

    /// The kiss code, if this identifier stands in a stratum 0 packet.
    pub const fn kiss_code(self) -> KissCode {
        KissCode::from_bytes(self.0)
    }
}

impl fmt::Debug for ReferenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.0;
        write!(f, "{a:02x}{b:02x}{c:02x}{d:02x}")
    }
}

/// Why a server refused (RFC 5905 §7.4), read from the reference ID of a stratum 0 packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KissCode {
    /// `DENY`: access denied; stop.
    Deny,
    /// `RSTR`: access denied by local policy; stop.
    Restrict,
    /// `RATE`: too many requests; slow down.
    Rate,
    /// Any other code; it has no protocol meaning.
    Other([u8; 4]),
}

impl KissCode {
    /// The code these four bytes spell.
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        match &bytes {
            b"DENY" => Self::Deny,
            b"RSTR" => Self::Restrict,
            b"RATE" => Self::Rate,
            _ => Self::Other(bytes),
        }
    }

    /// The bytes of this code.
    pub const fn to_bytes(self) -> [u8; 4] {
        match self {
            Self::Deny => *b"DENY",
            Self::Restrict => *b"RSTR",
            Self::Rate => *b"RATE",
            Self::Other(bytes) => bytes,
        }
    }
}
