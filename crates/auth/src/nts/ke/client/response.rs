//! What a server's answer says, once all of it is there.

use timeball_wire::nts_ke::{Body, NTPV4};

use super::{KeError, MAX_COOKIES};
use crate::nts::ke::Message;
use crate::nts::{AeadAlgorithm, is_usable_cookie};

/// An answer that keeps the rules of RFC 8915 §4.1.
#[derive(Debug)]
pub(super) struct Response<'a> {
    pub(super) algorithm: AeadAlgorithm,
    pub(super) cookies: Vec<&'a [u8]>,
    pub(super) server: Option<&'a str>,
    pub(super) port: Option<u16>,
    /// The server agrees on how keys for AEAD_AES_128_GCM_SIV are exported.
    pub(super) compliant_exporter: bool,
}

impl<'a> Response<'a> {
    pub(super) fn read(
        message: &'a Message,
        offered: &[AeadAlgorithm],
    ) -> Result<Response<'a>, KeError> {
        let mut protocol = None;
        let mut algorithm = None;
        let mut cookies = Vec::new();
        let mut server = None;
        let mut port = None;
        let mut compliant_exporter = false;
        for record in message.records() {
            match record.body {
                Body::EndOfMessage => {}
                Body::NextProtocol(numbers) => {
                    once(&mut protocol, numbers, "two records name the protocol")?;
                }
                Body::Error(code) => return Err(KeError::Refused(code)),
                Body::Warning(number) => return Err(KeError::Warned(number)),
                Body::AeadAlgorithms(numbers) => {
                    once(&mut algorithm, numbers, "two records name the cipher")?;
                }
                Body::Cookie(cookie) => cookies.push(cookie),
                Body::Server(name) => once(&mut server, name, "two records name the NTP server")?,
                Body::Port(number) => once(&mut port, number, "two records name the NTP port")?,
                Body::CompliantExporter => compliant_exporter = true,
                Body::Unknown { record_type, .. } if record.critical => {
                    return Err(KeError::UnrecognisedCriticalRecord(record_type));
                }
                Body::Unknown { .. } => {}
            }
        }
        let protocol = protocol.ok_or(KeError::Records("no record names the protocol"))?;
        if protocol.iter().next().is_none() {
            return Err(KeError::NoNtpv4);
        }
        if protocol.iter().any(|number| number != NTPV4) {
            return Err(KeError::Records("it names a protocol that nobody asked for"));
        }
        let algorithm = algorithm.ok_or(KeError::Records("no record names the cipher"))?;
        let mut numbers = algorithm.iter();
        let number = numbers.next().ok_or(KeError::NoAlgorithm)?;
        if numbers.next().is_some() {
            return Err(KeError::Records("it names more than one cipher"));
        }
        let algorithm = AeadAlgorithm::from_number(number)
            .filter(|algorithm| offered.contains(algorithm))
            .ok_or(KeError::AlgorithmNotOffered(number))?;
        if port == Some(0) {
            return Err(KeError::Records("no server listens on port 0"));
        }
        cookies.retain(|cookie| is_usable_cookie(cookie));
        cookies.truncate(MAX_COOKIES);
        if cookies.is_empty() {
            return Err(KeError::NoCookies);
        }
        Ok(Self { algorithm, cookies, server, port, compliant_exporter })
    }
}

fn once<T>(place: &mut Option<T>, value: T, twice: &'static str) -> Result<(), KeError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(KeError::Records(twice)),
    }
}
