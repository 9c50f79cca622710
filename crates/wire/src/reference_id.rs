//! The reference identifier (RFC 5905 §7.3): a kiss code at stratum 0, the kind of reference clock
//! at stratum 1, and the address of the upstream server above that.

use core::fmt::{self, Write as _};
use core::net::{IpAddr, Ipv4Addr};

use arrayvec::ArrayString;
use md5::{Digest, Md5};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Four bytes whose meaning depends on the stratum beside them.
///
/// For programs (`Debug`, serde) they are eight hexadecimal digits: `c0000201`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
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

    /// Printable characters, up to trailing zeros.
    fn is_text(self) -> bool {
        let text = self.0.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        self.0.iter().take(text).all(|byte| matches!(byte, b' '..=b'~'))
    }

    /// What a person reads beside this stratum: text at strata 0 and 1 if it is any (a clock of
    /// one's own is often 127.127.x.y there), a dotted address above (which is the hash of an IPv6
    /// address as often as not).
    pub const fn display(self, stratum: u8) -> DisplayReferenceId {
        DisplayReferenceId { id: self, stratum }
    }
}

/// A reference ID with the stratum that gives it its meaning; see [`ReferenceId::display`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisplayReferenceId {
    id: ReferenceId,
    stratum: u8,
}

impl fmt::Display for DisplayReferenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stratum {
            0 | 1 if self.id.is_text() => f.pad(&ascii(self.id.0)?),
            _ => fmt::Display::fmt(&Ipv4Addr::from(self.id.0), f),
        }
    }
}

/// Four bytes from the network as text that is safe to print: trailing zeros dropped, everything
/// but printable characters as `\xNN`, and `-` for nothing at all.
fn ascii(bytes: [u8; 4]) -> Result<ArrayString<16>, fmt::Error> {
    let len = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let mut text = ArrayString::new();
    if len == 0 {
        text.write_str("-")?;
    }
    for &byte in bytes.iter().take(len) {
        match byte {
            b'\\' => text.write_str("\\\\")?,
            b' '..=b'~' => text.write_char(char::from(byte))?,
            _ => write!(text, "\\x{byte:02x}")?,
        }
    }
    Ok(text)
}

impl Serialize for ReferenceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self:?}"))
    }
}

impl<'de> Deserialize<'de> for ReferenceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(HexDigits)
    }
}

struct HexDigits;

impl Visitor<'_> for HexDigits {
    type Value = ReferenceId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("eight hexadecimal digits")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ReferenceId, E> {
        let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let bits = u32::from_str_radix(text, 16).ok().filter(|_| digits);
        let bits = bits.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))?;
        Ok(ReferenceId(bits.to_be_bytes()))
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

    /// What the code means, in a line, if it is registered.
    pub fn meaning(self) -> Option<&'static str> {
        let bytes = self.to_bytes();
        KNOWN_KISS_CODES.iter().find(|(code, _)| *code == bytes).map(|(_, meaning)| *meaning)
    }
}

impl fmt::Display for KissCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&ascii(self.to_bytes())?)
    }
}

/// The registered kiss codes (RFC 5905 figure 13, RFC 8915 §7.4) and what they mean. Codes that
/// begin with `X` are for experiments; all but DENY, RSTR and RATE tell people something, not
/// programs.
pub const KNOWN_KISS_CODES: [([u8; 4], &str); 15] = [
    (*b"ACST", "the association belongs to an anycast server"),
    (*b"AUTH", "server authentication failed"),
    (*b"AUTO", "Autokey sequence failed"),
    (*b"BCST", "the association belongs to a broadcast server"),
    (*b"CRYP", "cryptographic authentication or identification failed"),
    (*b"DENY", "access denied by the remote server"),
    (*b"DROP", "lost peer in symmetric mode"),
    (*b"RSTR", "access denied due to local policy"),
    (*b"INIT", "the association has not yet synchronised for the first time"),
    (*b"MCST", "the association belongs to a dynamically discovered server"),
    (*b"NKEY", "no key found, or it was never trusted"),
    (*b"NTSN", "NTS negative acknowledgment: the cookie or the authentication is invalid"),
    (*b"RATE", "rate exceeded; the server will not answer for a while"),
    (*b"RMOT", "alteration of the association from a remote host"),
    (*b"STEP", "the server stepped its clock and has not yet resynchronised"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_themselves_or_a_hash() {
        let of = |text: &str| ReferenceId::of_address(text.parse().unwrap());
        assert_eq!(of("192.0.2.1").to_bytes(), [192, 0, 2, 1]);
        assert_eq!(of("::ffff:192.0.2.1").to_bytes(), [192, 0, 2, 1]);
        assert_eq!(of("2001:db8::1").to_bytes(), [0x39, 0xab, 0x9b, 0x37]);
        assert_eq!(of("::1").to_bytes(), [0xcf, 0x40, 0x4d, 0xc8]);
        assert_eq!(of("fe80::1").to_bytes(), [0x89, 0xe5, 0x30, 0x1f]);
    }

    #[test]
    fn the_stratum_says_how_to_read_it() {
        let shown =
            |bytes: &[u8; 4], stratum| ReferenceId::from_bytes(*bytes).display(stratum).to_string();
        assert_eq!(shown(b"GPS\0", 1), "GPS");
        assert_eq!(shown(b"RATE", 0), "RATE");
        assert_eq!(shown(b"GPS\0", 2), "71.80.83.0");
        assert_eq!(shown(&[57, 171, 155, 55], 15), "57.171.155.55");
        assert_eq!(shown(&[0; 4], 16), "0.0.0.0");
        assert_eq!(shown(&[0; 4], 0), "-");
    }

    #[test]
    fn what_is_no_text_is_shown_as_numbers() {
        let shown = |bytes: [u8; 4]| ReferenceId::from_bytes(bytes).display(1).to_string();
        assert_eq!(shown([127, 127, 1, 1]), "127.127.1.1");
        assert_eq!(shown([0x1b, b'[', b'2', b'J']), "27.91.50.74");
        assert_eq!(shown([0, b'A', 0, b'\\']), "0.65.0.92");
        assert_eq!(format!("[{:<6}]", ReferenceId::LOCAL.display(1)), "[LOCL  ]");
        assert_eq!(format!("[{:>10}]", ReferenceId::LOCAL.display(9)), "[76.79.67.76]");
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        let code = KissCode::from_bytes([0x1b, b'[', b'2', b'J']);
        assert_eq!(code.to_string(), "\\x1b[2J");
        assert_eq!(KissCode::from_bytes([0, b'A', 0, b'\\']).to_string(), "\\x00A\\x00\\\\");
    }

    #[test]
    fn programs_read_eight_hexadecimal_digits() {
        let id = ReferenceId::from_bytes([192, 0, 2, 1]);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, "\"c0000201\"");
        assert_eq!(serde_json::from_str::<ReferenceId>(&json).unwrap(), id);
        for wrong in ["\"\"", "\"c000020\"", "\"+0000201\"", "\"c00002011\"", "[192,0,2,1]", "7"] {
            assert!(serde_json::from_str::<ReferenceId>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn kiss_codes_mean_something_or_nothing() {
        for (bytes, meaning) in KNOWN_KISS_CODES {
            let code = ReferenceId::from_bytes(bytes).kiss_code();
            assert_eq!(code.to_bytes(), bytes);
            assert_eq!(code.meaning(), Some(meaning));
        }
        assert_eq!(KissCode::from_bytes(*b"DENY"), KissCode::Deny);
        assert_eq!(KissCode::from_bytes(*b"RSTR"), KissCode::Restrict);
        assert_eq!(KissCode::from_bytes(*b"RATE"), KissCode::Rate);
        assert_eq!(KissCode::from_bytes(*b"rate"), KissCode::Other(*b"rate"));
        assert_eq!(KissCode::Other(*b"XYZ\0").meaning(), None);
        assert_eq!(KissCode::Other(*b"XYZ\0").to_string(), "XYZ");
    }
}
