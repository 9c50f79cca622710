//! This machine's own addresses.

use std::ffi::CStr;
use std::io;
use std::net::IpAddr;
use std::ptr;

use crate::os::{check, internet_address};

/// An address of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAddress {
    /// The interface that has it.
    pub interface: String,
    /// The address.
    pub address: IpAddr,
    /// True if no other machine can reach it: the loopback interface.
    pub loopback: bool,
}

/// All addresses of all interfaces that are up, in the kernel's order.
///
/// # Errors
///
/// When the kernel does not tell.
pub fn local_addresses() -> io::Result<Vec<LocalAddress>> {
    let mut first: *mut libc::ifaddrs = ptr::null_mut();
    // SAFETY: the pointer is valid for the one pointer the call writes.
    check(unsafe { libc::getifaddrs(&raw mut first) })?;
    let list = List(first);
    let mut addresses = Vec::new();
    let mut next = list.0;
    // SAFETY: `next` is null or points to an entry of the list, which is alive until `list` is
    // dropped.
    while let Some(entry) = unsafe { next.as_ref() } {
        addresses.extend(local_address(entry));
        next = entry.ifa_next;
    }
    Ok(addresses)
}

/// The list that the C library has allocated.
struct List(*mut libc::ifaddrs);

impl Drop for List {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: it came from `getifaddrs` and is freed once.
            unsafe { libc::freeifaddrs(self.0) };
        }
    }
}

fn local_address(entry: &libc::ifaddrs) -> Option<LocalAddress> {
    let has = |flag: i32| entry.ifa_flags & flag.cast_unsigned() != 0;
    if entry.ifa_name.is_null() || !has(libc::IFF_UP) {
        return None;
    }
    // SAFETY: the C library guarantees a socket address there, or null.
    let address = unsafe { internet_address(entry.ifa_addr) }?;
    // SAFETY: the C library guarantees a string with a zero at its end.
    let name = unsafe { CStr::from_ptr(entry.ifa_name) };
    Some(LocalAddress {
        interface: name.to_string_lossy().into_owned(),
        address,
        loopback: has(libc::IFF_LOOPBACK),
    })
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, UdpSocket};

    use super::*;

    #[test]
    fn the_loopback_address_is_ours() {
        let addresses = local_addresses().unwrap();
        let loopback = addresses.iter().find(|local| local.address == Ipv4Addr::LOCALHOST);
        let loopback = loopback.expect("no 127.0.0.1");
        assert!(loopback.loopback);
        assert_eq!(loopback.interface, "lo");
        let alien: IpAddr = "203.0.113.77".parse().unwrap();
        assert!(addresses.iter().all(|local| local.address != alien));
    }

    #[test]
    fn a_socket_can_be_bound_to_each_of_them() {
        // Those of IPv6 may be tentative for a while, or need the interface as well.
        let addresses = local_addresses().unwrap();
        for local in addresses.iter().filter(|local| local.address.is_ipv4()) {
            UdpSocket::bind((local.address, 0)).unwrap();
        }
    }
}
