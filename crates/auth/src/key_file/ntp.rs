//! A line of `ntp.keys`.

use std::net::IpAddr;

use ipnet::IpNet;
use zeroize::Zeroizing;

use super::{Fault, algorithm, hexadecimal, identifier, key};
use crate::algorithm::Algorithm;
use crate::key::Key;

/// Largest identifier: ntpd keeps it in 16 bits.
const LARGEST_IDENTIFIER: u32 = 65_535;

/// Up to so many characters are the key itself, more are hexadecimal.
const LONGEST_PLAIN: usize = 20;

pub(super) fn parse(line: &[u8]) -> Result<Option<Key>, Fault> {
    let line = line.split(|byte| *byte == b'#').next().unwrap_or_default();
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let Some(first) = words.next() else { return Ok(None) };
    let id = identifier(first, LARGEST_IDENTIFIER)?;
    let algorithm = algorithm(words.next().ok_or(Fault::MissingKey)?)?;
    let secret = words.next().ok_or(Fault::MissingKey)?;
    let mut secret = match secret.len() {
        ..=LONGEST_PLAIN => Zeroizing::new(secret.to_vec()),
        _ => hexadecimal(secret)?,
    };
    // ntpd fits a cipher's key by cutting it, or by zeros at its end.
    if let (Algorithm::Aes128, Some(len)) = (algorithm, algorithm.exact_key_len()) {
        secret.resize(len, 0);
    }
    let key = key(id, algorithm, &secret)?;
    let addresses = match words.next() {
        Some(list) => addresses(list)?,
        None => Vec::new(),
    };
    match words.next() {
        Some(_) => Err(Fault::TooManyWords),
        None => Ok(Some(key.limited_to(addresses))),
    }
}

fn addresses(list: &[u8]) -> Result<Vec<IpNet>, Fault> {
    let list = std::str::from_utf8(list).map_err(|_| Fault::Addresses)?;
    let net = |item: &str| {
        let host = || item.parse::<IpAddr>().map(IpNet::from);
        item.parse().or_else(|_| host()).map_err(|_| Fault::Addresses)
    };
    list.split(',').map(net).collect()
}
