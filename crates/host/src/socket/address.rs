//! Socket addresses ⇄ what the kernel calls so.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::ptr;

/// A socket address in the kernel's form.
#[derive(Clone, Copy)]
pub(super) struct RawAddress {
    storage: libc::sockaddr_storage,
    length: libc::socklen_t,
}

impl RawAddress {
    /// Room for any address.
    pub(super) fn empty() -> Self {
        Self {
            // SAFETY: `sockaddr_storage` is made of integers; all-zero bytes are a value.
            storage: unsafe { std::mem::zeroed() },
            length: size_of::<libc::sockaddr_storage>() as libc::socklen_t,
        }
    }

    pub(super) fn as_ptr(&self) -> *const libc::sockaddr {
        (&raw const self.storage).cast()
    }

    /// For the kernel to write to; valid for [`RawAddress::length`] bytes.
    pub(super) fn as_mut_ptr(&mut self) -> *mut libc::sockaddr {
        (&raw mut self.storage).cast()
    }

    pub(super) fn length(&self) -> libc::socklen_t {
        self.length
    }

    /// Where the kernel writes how long its address is.
    pub(super) fn length_mut(&mut self) -> *mut libc::socklen_t {
        &raw mut self.length
    }

    /// The address, if it is one of the internet.
    pub(super) fn to_socket_addr(self) -> Option<SocketAddr> {
        match libc::c_int::from(self.storage.ss_family) {
            libc::AF_INET => {
                // SAFETY: the storage is larger than `sockaddr_in` and at least as aligned, and any
                // bytes are a value of it.
                let raw: libc::sockaddr_in = unsafe { ptr::read((&raw const self.storage).cast()) };
                let address = Ipv4Addr::from(raw.sin_addr.s_addr.to_ne_bytes());
                Some(SocketAddrV4::new(address, u16::from_be(raw.sin_port)).into())
            }
            libc::AF_INET6 => {
                // SAFETY: as above, for `sockaddr_in6`.
                let raw: libc::sockaddr_in6 =
                    unsafe { ptr::read((&raw const self.storage).cast()) };
                let address = Ipv6Addr::from(raw.sin6_addr.s6_addr);
                let port = u16::from_be(raw.sin6_port);
                Some(SocketAddrV6::new(address, port, raw.sin6_flowinfo, raw.sin6_scope_id).into())
            }
            _ => None,
        }
    }
}

impl From<SocketAddr> for RawAddress {
    fn from(address: SocketAddr) -> Self {
        let mut raw = Self::empty();
        match address {
            SocketAddr::V4(address) => {
                let v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: address.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
                    sin_zero: [0; 8],
                };
                raw.length = size_of_val(&v4) as libc::socklen_t;
                // SAFETY: the storage is larger than `sockaddr_in` and at least as aligned.
                unsafe { ptr::write((&raw mut raw.storage).cast(), v4) };
            }
            SocketAddr::V6(address) => {
                let v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: address.port().to_be(),
                    sin6_flowinfo: address.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                    sin6_scope_id: address.scope_id(),
                };
                raw.length = size_of_val(&v6) as libc::socklen_t;
                // SAFETY: as above, for `sockaddr_in6`.
                unsafe { ptr::write((&raw mut raw.storage).cast(), v6) };
            }
        }
        raw
    }
}

/// The protocol family of an address, as `socket` wants it.
pub(super) fn domain(address: &SocketAddr) -> libc::c_int {
    match address.ip() {
        IpAddr::V4(_) => libc::AF_INET,
        IpAddr::V6(_) => libc::AF_INET6,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn addresses_survive_the_round_trip(
            bytes in any::<[u8; 16]>(), port in any::<u16>(), flow in any::<u32>(), scope in any::<u32>(),
        ) {
            let v6 = SocketAddr::V6(SocketAddrV6::new(bytes.into(), port, flow, scope));
            prop_assert_eq!(RawAddress::from(v6).to_socket_addr(), Some(v6));
            let v4 = SocketAddr::from((Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]), port));
            prop_assert_eq!(RawAddress::from(v4).to_socket_addr(), Some(v4));
        }
    }

    #[test]
    fn an_address_nobody_wrote_is_none() {
        assert_eq!(RawAddress::empty().to_socket_addr(), None);
    }
}
