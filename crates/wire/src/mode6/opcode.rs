//! What a control message asks for, and why it may be refused (RFC 9327 tables 1 and 6).

use core::fmt;

/// What a control message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opcode {
    /// 1: status words, and for the system the list of associations.
    ReadStatus,
    /// 2: variables of the system or an association.
    ReadVariables,
    /// 3: set variables.
    WriteVariables,
    /// 4: variables of a reference clock.
    ReadClock,
    /// 5: set variables of a reference clock.
    WriteClock,
    /// 6: send events to an address and port.
    SetTrap,
    /// 7: an event.
    Trap,
    /// 8: configuration as text.
    Configure,
    /// 9: write the configuration to a file.
    SaveConfiguration,
    /// 10: the list of clients, most recently used first; wants a nonce.
    ReadMru,
    /// 11: lists that want authentication: interfaces, restrictions.
    ReadOrderedList,
    /// 12: a nonce, which proves that the client gets what is sent to its address.
    RequestNonce,
    /// 31: end what opcode 6 began.
    UnsetTrap,
    /// Any other, without meaning: 0, 13 to 30.
    Other(u8),
}

impl Opcode {
    pub(super) const fn from_bits(bits: u8) -> Self {
        match bits & 0x1f {
            1 => Self::ReadStatus,
            2 => Self::ReadVariables,
            3 => Self::WriteVariables,
            4 => Self::ReadClock,
            5 => Self::WriteClock,
            6 => Self::SetTrap,
            7 => Self::Trap,
            8 => Self::Configure,
            9 => Self::SaveConfiguration,
            10 => Self::ReadMru,
            11 => Self::ReadOrderedList,
            12 => Self::RequestNonce,
            31 => Self::UnsetTrap,
            other => Self::Other(other),
        }
    }

    pub(super) const fn to_bits(self) -> u8 {
        match self {
            Self::ReadStatus => 1,
            Self::ReadVariables => 2,
            Self::WriteVariables => 3,
            Self::ReadClock => 4,
            Self::WriteClock => 5,
            Self::SetTrap => 6,
            Self::Trap => 7,
            Self::Configure => 8,
            Self::SaveConfiguration => 9,
            Self::ReadMru => 10,
            Self::ReadOrderedList => 11,
            Self::RequestNonce => 12,
            Self::UnsetTrap => 31,
            Self::Other(bits) => bits & 0x1f,
        }
    }
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// 1: authentication is missing or wrong.
    Permission,
    /// 2: the length or format of the request is wrong.
    Format,
    /// 3: no such opcode.
    Opcode,
    /// 4: no such association.
    Association,
    /// 5: no such variable.
    UnknownVariable,
    /// 6: no such value of a variable.
    BadValue,
    /// 7: forbidden by the server's rules.
    Prohibited,
    /// Anything else, with 0 for no reason given.
    Other(u8),
}

impl ErrorCode {
    /// The code in a status word.
    pub const fn from_status(status: u16) -> Self {
        match status.to_be_bytes() {
            [1, _] => Self::Permission,
            [2, _] => Self::Format,
            [3, _] => Self::Opcode,
            [4, _] => Self::Association,
            [5, _] => Self::UnknownVariable,
            [6, _] => Self::BadValue,
            [7, _] => Self::Prohibited,
            [other, _] => Self::Other(other),
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permission => f.write_str("permission denied"),
            Self::Format => f.write_str("bad length or format"),
            Self::Opcode => f.write_str("no such opcode"),
            Self::Association => f.write_str("no such association"),
            Self::UnknownVariable => f.write_str("no such variable"),
            Self::BadValue => f.write_str("bad value"),
            Self::Prohibited => f.write_str("prohibited"),
            Self::Other(code) => write!(f, "error {code}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_opcode_comes_back() {
        for bits in 0..=u8::MAX {
            let opcode = Opcode::from_bits(bits);
            assert_eq!(opcode.to_bits(), bits & 0x1f);
            let is_other = matches!(opcode, Opcode::Other(_));
            assert_eq!(is_other, !matches!(bits & 0x1f, 1..=12 | 31), "{bits}");
        }
    }

    #[test]
    fn error_codes_have_words() {
        let shown = |status| ErrorCode::from_status(status).to_string();
        assert_eq!(shown(0x0100), "permission denied");
        assert_eq!(shown(0x0700), "prohibited");
        assert_eq!(shown(0x00ff), "error 0");
    }
}
