//! A source in a request, as settings.

use std::net::IpAddr;

use timeball_auth::KeyId;
use timeball_core::association::{self, Authentication, Connectivity, NtsServer, PollInterval};
use timeball_core::estimator;
use timeball_core::selection::Options;
use timeball_core::settings::{Family, SourceKind, SourceSettings};
use timeball_wire::cmdmon::{NewSource, NewSourceKind, SourceFlags, Status};

/// chrony's number for "no presend".
const NO_PRESEND: i32 = 100;
/// More is not the asymmetry of anything, and means "as estimated".
const LARGEST_ASYMMETRY: f64 = 0.5;
/// Polls without an answer that chrony allows; its older versions do not say.
const MAX_UNREACH: u32 = 100_000;
/// A pool never stands for more than this.
const MAX_SOURCES: u32 = 16;

/// The settings of a new source.
///
/// # Errors
/// What to tell a client whose source cannot be.
pub(super) fn settings(source: &NewSource) -> Result<SourceSettings, Status> {
    let name = source.name.as_str().filter(|name| is_name(name)).ok_or(Status::InvalidName)?;
    let flags = source.flags;
    let defaults = estimator::Settings::default();
    Ok(SourceSettings {
        port: u16::try_from(source.port).ok().filter(|port| *port != 0).ok_or(Status::Invalid)?,
        kind: match source.kind {
            NewSourceKind::Server => SourceKind::Server,
            NewSourceKind::Peer => SourceKind::Peer,
            NewSourceKind::Pool => {
                let count = source.max_sources.clamp(1, MAX_SOURCES);
                SourceKind::Pool { count: usize::try_from(count).map_err(|_| Status::Invalid)? }
            }
        },
        family: family(name, flags)?,
        association: association(source)?,
        estimator: estimator::Settings {
            method: defaults.method,
            min_samples: samples(source.min_samples).unwrap_or(defaults.min_samples),
            max_samples: samples(source.max_samples)
                .filter(|samples| *samples != 0)
                .unwrap_or(defaults.max_samples),
            min_delay: f64::from(source.min_delay).max(0.0),
            asymmetry: Some(f64::from(source.asymmetry))
                .filter(|asymmetry| asymmetry.abs() <= LARGEST_ASYMMETRY),
        },
        options: Options {
            noselect: flags.contains(SourceFlags::NOSELECT),
            prefer: flags.contains(SourceFlags::PREFER),
            trust: flags.contains(SourceFlags::TRUST),
            require: flags.contains(SourceFlags::REQUIRE),
        },
        ..SourceSettings::server(name)
    })
}

/// The family of addresses to use. Of both flags the first holds, as in chronyd.
fn family(name: &str, flags: SourceFlags) -> Result<Option<Family>, Status> {
    let wanted = match (flags.contains(SourceFlags::IPV4), flags.contains(SourceFlags::IPV6)) {
        (true, _) => Some(Family::Ipv4),
        (false, true) => Some(Family::Ipv6),
        (false, false) => None,
    };
    let is = match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => Some(Family::Ipv4),
        Ok(IpAddr::V6(_)) => Some(Family::Ipv6),
        Err(_) => None,
    };
    match (is, wanted) {
        (Some(is), Some(wanted)) if is != wanted => Err(Status::InvalidAddressFamily),
        _ => Ok(wanted),
    }
}

/// Peers do not establish keys: to go on without would be another source than the operator wants.
fn authentication(source: &NewSource) -> Result<Authentication, Status> {
    match (source.flags.contains(SourceFlags::NTS), KeyId::new(source.key_id)) {
        (false, None) => Ok(Authentication::None),
        (false, Some(id)) => Ok(Authentication::Key(id)),
        (true, None) if source.kind != NewSourceKind::Peer => Ok(Authentication::Nts(NtsServer {
            port: u16::try_from(source.nts_port).map_err(|_| Status::Invalid)?,
            certificate_set: source.certificate_set,
        })),
        (true, _) => Err(Status::Invalid),
    }
}

fn association(source: &NewSource) -> Result<association::Settings, Status> {
    let flags = source.flags;
    let (minpoll, maxpoll) = (poll(source.min_poll)?, poll(source.max_poll)?);
    Ok(association::Settings {
        minpoll,
        maxpoll: maxpoll.max(minpoll),
        iburst: flags.contains(SourceFlags::IBURST),
        burst: flags.contains(SourceFlags::BURST),
        version: match source.version {
            1 => 1,
            2 => 2,
            3 => 3,
            _ => 4,
        },
        authentication: authentication(source)?,
        max_delay: f64::from(source.max_delay).max(0.0),
        poll_target: usize::try_from(source.poll_target).unwrap_or(usize::MAX).max(1),
        interleaved: flags.contains(SourceFlags::INTERLEAVED),
        monotonic: flags.contains(SourceFlags::MONOTONIC_ROOT),
        offset: source.offset.into(),
        max_delay_ratio: limit(source.max_delay_ratio.into()),
        max_delay_dev_ratio: limit(source.max_delay_dev_ratio.into()),
        max_delay_quantile: limit(source.max_delay_quantile.into()),
        filter: usize::try_from(source.filter_length).unwrap_or(1).max(1),
        presend: match source.presend_min_poll {
            NO_PRESEND.. => None,
            exponent => Some(poll(exponent)?),
        },
        connectivity: match (
            flags.contains(SourceFlags::ONLINE),
            flags.contains(SourceFlags::AUTO_OFFLINE),
        ) {
            (false, _) => Connectivity::Offline,
            (true, true) => Connectivity::AutoOffline,
            (true, false) => Connectivity::Online,
        },
        min_stratum: u8::try_from(source.min_stratum).map_err(|_| Status::Invalid)?,
        copy: flags.contains(SourceFlags::COPY),
        max_unreach: match u32::try_from(source.max_unreach) {
            Ok(0) | Err(_) => MAX_UNREACH,
            Ok(polls) => polls,
        },
    })
}

/// A host name or an address, not a phrase.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Longer poll intervals than there are become the longest.
fn poll(exponent: i32) -> Result<PollInterval, Status> {
    i8::try_from(exponent).map(PollInterval::new).map_err(|_| Status::Invalid)
}

/// A number of measurements; negative: as usual.
fn samples(samples: i32) -> Option<usize> {
    usize::try_from(samples).ok()
}

/// A limit; 0: there is none.
fn limit(limit: f64) -> Option<f64> {
    (limit > 0.0).then_some(limit)
}

#[cfg(test)]
pub(super) mod tests {
    use timeball_wire::cmdmon::{Float, Name};
    use timeball_wire::nts_ke::NTS_KE_PORT;

    use super::*;

    /// What chronyc sends for `add server NAME`.
    pub(in super::super) fn added(name: &str) -> NewSource {
        NewSource {
            kind: NewSourceKind::Server,
            name: Name::new(name).unwrap(),
            port: 123,
            min_poll: 6,
            max_poll: 10,
            presend_min_poll: 100,
            min_stratum: 0,
            poll_target: 8,
            version: 0,
            max_sources: 4,
            min_samples: -1,
            max_samples: -1,
            key_id: 0,
            nts_port: NTS_KE_PORT.into(),
            max_delay: Float::from(3.0),
            max_delay_ratio: Float::ZERO,
            max_delay_dev_ratio: Float::from(10.0),
            min_delay: Float::ZERO,
            asymmetry: Float::from(1.0),
            offset: Float::ZERO,
            flags: SourceFlags::ONLINE,
            filter_length: 0,
            certificate_set: 0,
            max_delay_quantile: Float::ZERO,
            max_unreach: 100_000,
        }
    }

    #[test]
    fn a_plain_server_is_as_chrony_has_it() {
        let settings = settings(&added("ntp.example")).unwrap();
        assert_eq!(
            settings,
            SourceSettings {
                association: association::Settings {
                    iburst: false,
                    max_delay_dev_ratio: Some(10.0),
                    ..association::Settings::default()
                },
                ..SourceSettings::server("ntp.example")
            }
        );
    }

    #[test]
    fn options_are_kept() {
        let source = NewSource {
            kind: NewSourceKind::Pool,
            max_sources: 3,
            min_poll: -3,
            max_poll: 24,
            presend_min_poll: 8,
            min_stratum: 2,
            version: 3,
            min_samples: 10,
            max_samples: 32,
            asymmetry: Float::from(-0.25),
            offset: Float::from(0.5),
            flags: SourceFlags::IBURST
                | SourceFlags::TRUST
                | SourceFlags::INTERLEAVED
                | SourceFlags::MONOTONIC_ROOT
                | SourceFlags::IPV6
                | SourceFlags::COPY,
            filter_length: 5,
            max_delay_quantile: Float::from(0.5),
            max_unreach: 0,
            ..added("pool.example")
        };
        let settings = settings(&source).unwrap();
        assert_eq!(settings.kind, SourceKind::Pool { count: 3 });
        assert_eq!(settings.family, Some(Family::Ipv6));
        assert!(settings.options.trust && !settings.options.prefer);
        assert_eq!((settings.estimator.min_samples, settings.estimator.max_samples), (10, 32));
        assert_eq!(settings.estimator.asymmetry, Some(-0.25));
        let association = settings.association;
        assert_eq!(association.minpoll.exponent(), -3);
        assert_eq!(association.maxpoll, PollInterval::LONGEST);
        assert_eq!(association.presend.map(PollInterval::exponent), Some(8));
        assert_eq!((association.version, association.min_stratum, association.filter), (3, 2, 5));
        assert!(association.iburst && association.copy);
        assert!(association.interleaved && association.monotonic);
        assert_eq!(association.connectivity, Connectivity::Offline);
        assert_eq!(association.max_delay_quantile, Some(0.5));
        assert_eq!((association.offset, association.max_unreach), (0.5, 100_000));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let refused = |source: NewSource| settings(&source).unwrap_err();
        assert_eq!(refused(added("")), Status::InvalidName);
        assert_eq!(refused(added("two words")), Status::InvalidName);
        let nts = NewSource { flags: SourceFlags::NTS, ..added("ntp.example") };
        let server = NtsServer { port: NTS_KE_PORT, certificate_set: 0 };
        let association = settings(&nts).unwrap().association;
        assert_eq!(association.authentication, Authentication::Nts(server));
        assert_eq!(refused(NewSource { kind: NewSourceKind::Peer, ..nts }), Status::Invalid);
        assert_eq!(refused(NewSource { key_id: 1, ..nts }), Status::Invalid);
        let v4_only = NewSource { flags: SourceFlags::IPV4, ..added("::1") };
        assert_eq!(refused(v4_only), Status::InvalidAddressFamily);
        assert_eq!(refused(NewSource { port: 65_536, ..added("ntp.example") }), Status::Invalid);
        assert_eq!(refused(NewSource { min_poll: 1000, ..added("ntp.example") }), Status::Invalid);
    }
}
