//! An address of the protocol: 16 bytes, a family, and two bytes of padding.

use core::net::IpAddr;

use super::layout::{Layout, Reader, Writer};
use crate::writer::BufferTooSmall;

const UNSPECIFIED: u16 = 0;
const INET4: u16 = 1;
const INET6: u16 = 2;
const ID: u16 = 3;

/// Whom a request or a reply is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Address {
    /// Nobody, or everybody.
    #[default]
    Unspecified,
    /// A host or a network.
    Ip(IpAddr),
    /// A source whose name has no address yet, by a number that stands for the name.
    Id(u32),
}

impl Address {
    /// The IP address, if this is one.
    pub const fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(ip),
            Self::Unspecified | Self::Id(_) => None,
        }
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip)
    }
}

impl From<Option<IpAddr>> for Address {
    fn from(ip: Option<IpAddr>) -> Self {
        ip.map_or(Self::Unspecified, Self::Ip)
    }
}

impl Layout for Address {
    const LEN: usize = 20;

    /// A family that nobody knows is no address, as in chronyd.
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let address: [u8; 16] = reader.bytes()?;
        let family = u16::read(reader)?;
        u16::read(reader)?;
        let [a, b, c, d, ..] = address;
        Some(match family {
            INET4 => Self::Ip(IpAddr::from([a, b, c, d])),
            INET6 => Self::Ip(IpAddr::from(address)),
            ID => Self::Id(u32::from_be_bytes([a, b, c, d])),
            _ => Self::Unspecified,
        })
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), BufferTooSmall> {
        let mut address = [0; 16];
        let family = match self {
            Self::Unspecified => UNSPECIFIED,
            Self::Ip(IpAddr::V4(v4)) => {
                *address.first_chunk_mut().ok_or(BufferTooSmall)? = v4.octets();
                INET4
            }
            Self::Ip(IpAddr::V6(v6)) => {
                address = v6.octets();
                INET6
            }
            Self::Id(id) => {
                *address.first_chunk_mut().ok_or(BufferTooSmall)? = id.to_be_bytes();
                ID
            }
        };
        writer.bytes(&address)?;
        family.write(writer)?;
        0_u16.write(writer)
    }
}
