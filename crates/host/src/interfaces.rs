//! This machine's own addresses and interfaces.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::io;
use std::net::IpAddr;
use std::ptr;

use crate::network_card::interface_index;
use crate::os::{check, internet_address, open_socket};

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
    Ok(List::read()?.entries().filter_map(local_address).collect())
}

/// The name of the interface with this index; `None` if there is none, or no more.
///
/// # Errors
///
/// When the kernel does not tell.
pub fn name_of(index: u32) -> io::Result<Option<String>> {
    Ok(names()?.remove(&index))
}

/// The names of all interfaces, by index.
///
/// # Errors
///
/// When the kernel does not tell.
pub fn names() -> io::Result<BTreeMap<u32, String>> {
    // Every interface is asked for its index, because `if_indextoname` does not know the interfaces
    // of simulated kernels.
    let socket = open_socket(libc::AF_INET, libc::SOCK_DGRAM)
        .or_else(|_| open_socket(libc::AF_INET6, libc::SOCK_DGRAM))?;
    // There is an entry for each address.
    let list = List::read()?;
    let names: BTreeSet<_> = list.entries().filter_map(interface_name).collect();
    // One that is gone since has no index any more.
    let indexed = names.into_iter().filter_map(|name| {
        let index = interface_index(&socket, &name).ok()?;
        Some((index, name.into_owned()))
    });
    Ok(indexed.collect())
}

/// The list that the C library has allocated.
struct List(*mut libc::ifaddrs);

impl List {
    fn read() -> io::Result<Self> {
        let mut first: *mut libc::ifaddrs = ptr::null_mut();
        // SAFETY: the pointer is valid for the one pointer the call writes.
        check(unsafe { libc::getifaddrs(&raw mut first) })?;
        Ok(Self(first))
    }

    fn entries(&self) -> impl Iterator<Item = &libc::ifaddrs> {
        // SAFETY: it is null or points to the first entry, which lives as long as the list.
        let first = unsafe { self.0.as_ref() };
        // SAFETY: so does every other entry, and the last one is followed by null.
        std::iter::successors(first, |entry| unsafe { entry.ifa_next.as_ref() })
    }
}

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
    if !has(libc::IFF_UP) {
        return None;
    }
    // SAFETY: the C library guarantees a socket address there, or null.
    let address = unsafe { internet_address(entry.ifa_addr) }?;
    Some(LocalAddress {
        interface: interface_name(entry)?.into_owned(),
        address,
        loopback: has(libc::IFF_LOOPBACK),
    })
}

fn interface_name(entry: &libc::ifaddrs) -> Option<Cow<'_, str>> {
    if entry.ifa_name.is_null() {
        return None;
    }
    // SAFETY: the C library guarantees a string with a zero at its end, which lives as long as the
    // entry.
    let name = unsafe { CStr::from_ptr(entry.ifa_name) };
    Some(name.to_string_lossy())
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
    fn an_interface_is_found_by_its_index() {
        assert_eq!(name_of(1).unwrap().as_deref(), Some("lo"));
        assert_eq!(name_of(i32::MAX.cast_unsigned()).unwrap(), None);
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
