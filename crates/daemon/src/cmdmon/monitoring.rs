//! Reports, out of the one read model. Signs are chrony's: where it says how far the clock is fast, we
//! say how far it is slow.

use std::net::IpAddr;

use timeball_core::report::{self, Report, SourceMode, SourceReport};
use timeball_core::server::Responder;
use timeball_wire::Instant;
use timeball_wire::cmdmon::{
    Activity, Address, Answer, Float, Name, Reply, Request, RequestHeader, Reserved, Smoothing,
    SmoothingFlags, Status, Timespec, Tracking,
};

use super::clients;
use super::gate::Gate;
use super::manual::Manual;
use super::sources;

/// Everything that reports are made of.
pub(super) struct Readings<'a> {
    pub(super) report: &'a Report,
    pub(super) now: Instant,
    pub(super) server: &'a Responder,
    /// Clients are to be remembered, if there are any.
    pub(super) logs_clients: bool,
    pub(super) gate: &'a Gate,
    pub(super) manual: &'a Manual,
}

/// Places in the client log whose counts are to start from zero again.
pub(super) type Reset = Vec<usize>;

impl Readings<'_> {
    /// The report that is asked for; the header tells which form the client understands.
    pub(super) fn answer(&self, request: &Request, header: &RequestHeader) -> (Reply, Reset) {
        if let Request::ClientAccesses { first_index, clients, min_hits, reset } = *request {
            let wanted = clients::Wanted { first_index, clients, min_hits, reset: reset != 0 };
            return match self.server.clients() {
                Some(log) => {
                    let (accesses, reset) = clients::accesses(log, wanted, self.now);
                    (Answer::ClientAccesses(accesses).into(), reset)
                }
                None if self.logs_clients => {
                    (Answer::ClientAccesses(clients::nobody()).into(), Reset::new())
                }
                None => (Status::Inactive.into(), Reset::new()),
            };
        }
        let answer = self.report_on(request, header);
        (answer.map_or_else(Reply::from, Reply::from), Reset::new())
    }

    fn report_on(&self, request: &Request, header: &RequestHeader) -> Result<Answer, Status> {
        let sources = &self.report.sources;
        let by_index = |index: u32| {
            usize::try_from(index).ok().and_then(|index| sources.get(index).map(|s| (index, s)))
        };
        Ok(match *request {
            Request::Tracking => Answer::Tracking(tracking(&self.report.tracking)),
            Request::SourceCount => {
                Answer::SourceCount(u32::try_from(sources.len()).unwrap_or(u32::MAX))
            }
            Request::SourceData { index } => {
                let (index, source) = by_index(index).ok_or(Status::NoSuchSource)?;
                Answer::SourceData(sources::data(index, source))
            }
            Request::SourceStats { index } => {
                let (index, source) = by_index(index).ok_or(Status::NoSuchSource)?;
                Answer::SourceStats(sources::stats(index, source))
            }
            Request::SelectData { index } => {
                let (index, source) = by_index(index).ok_or(Status::NoSuchSource)?;
                let selection_age = self.report.tracking.selection_age.unwrap_or(0.0);
                Answer::SelectData(sources::select_data(index, source, selection_age))
            }
            Request::NtpData { address } => {
                let source = sources::find(sources, address).ok_or(Status::NoSuchSource)?;
                sources::ntp_data(source, header)
            }
            Request::AuthenticationData { address } => {
                let source = sources::find(sources, address).ok_or(Status::NoSuchSource)?;
                Answer::AuthenticationData(sources::authentication(source))
            }
            Request::SourceName { address } => {
                let source = sources::find(sources, address).ok_or(Status::NoSuchSource)?;
                Answer::SourceName(Name::new(&source.name).ok_or(Status::Failed)?)
            }
            Request::Activity => Answer::Activity(activity(self.report)),
            Request::Smoothing => {
                Answer::Smoothing(smoothing(self.report.smoothing.ok_or(Status::NotEnabled)?))
            }
            Request::ServerStats => clients::server_stats(self.server, header),
            Request::ManualList => Answer::ManualSamples(self.manual.list()),
            Request::RtcReport => return Err(Status::NoRtc),
            Request::AccessCheck { address } => {
                return Err(allowed(address, |host| self.server.access().allows(host)));
            }
            Request::CommandAccessCheck { address } => {
                return Err(allowed(address, |host| self.gate.allows(host)));
            }
            _ => return Err(Status::Invalid),
        })
    }
}

fn allowed(address: Address, rule: impl Fn(IpAddr) -> bool) -> Status {
    match address.ip() {
        Some(host) if rule(host) => Status::AccessAllowed,
        Some(_) | None => Status::AccessDenied,
    }
}

/// Nothing is known of the root before the clock is synchronised; chronyd says "a second".
const UNKNOWN_ROOT: f64 = 1.0;

fn tracking(tracking: &report::Tracking) -> Tracking {
    let known = tracking.stratum < 16;
    let if_known = |value: f64, otherwise| Float::from(if known { value } else { otherwise });
    Tracking {
        reference_id: tracking.reference_id,
        address: tracking.system_peer_address.into(),
        stratum: if known { tracking.stratum.into() } else { 0 },
        reserved: Reserved,
        leap: tracking.leap,
        reference_time: match tracking.reference_time {
            Some(time) if known => Timespec::from(time),
            _ => Timespec::NEVER,
        },
        system_offset: tracking.remaining_correction.into(),
        last_offset: (-tracking.last_offset).into(),
        rms_offset: tracking.rms_offset.into(),
        frequency: (-tracking.frequency_ppm).into(),
        residual_frequency: if_known(-tracking.residual_frequency_ppm, 0.0),
        skew: if_known(tracking.skew_ppm, 0.0),
        root_delay: if_known(tracking.root_delay, UNKNOWN_ROOT),
        root_dispersion: if_known(tracking.root_dispersion, UNKNOWN_ROOT),
        update_interval: tracking.update_interval.into(),
    }
}

/// Sources without an address. chronyd looks for twice as many as a pool needs, and drops the others
/// when it has found them.
fn unresolved(report: &Report) -> usize {
    const MOST: usize = 16;
    let servers = report.sources.iter().filter(|source| !source.pool);
    let servers = servers.filter(|source| source.activity == report::Activity::Unresolved);
    // A literal address stands for itself alone.
    let named = report.pools.iter().filter(|pool| pool.name.parse::<IpAddr>().is_err());
    let short = named.filter(|pool| pool.found < pool.wanted);
    let places = short.map(|pool| (2 * pool.wanted).min(MOST).saturating_sub(pool.found));
    servers.count() + places.sum::<usize>()
}

fn activity(report: &Report) -> Activity {
    let count = |activity| {
        // Nobody asks a reference clock.
        let asked = |source: &&SourceReport| source.mode != SourceMode::ReferenceClock;
        let sources = report.sources.iter().filter(asked).filter(|s| s.activity == activity);
        u32::try_from(sources.count()).unwrap_or(u32::MAX)
    };
    Activity {
        online: count(report::Activity::Online),
        offline: count(report::Activity::Offline),
        burst_online: count(report::Activity::BurstOnline),
        burst_offline: count(report::Activity::BurstOffline),
        unresolved: self::count(unresolved(report) as u64),
    }
}

fn smoothing(smoothing: report::Smoothing) -> Smoothing {
    Smoothing {
        flags: SmoothingFlags::NONE
            .with(SmoothingFlags::ACTIVE, smoothing.active)
            .with(SmoothingFlags::LEAP_ONLY, smoothing.leap_only),
        offset: smoothing.offset.into(),
        frequency: smoothing.frequency_ppm.into(),
        wander: smoothing.wander_ppm.into(),
        last_update_ago: smoothing.age.into(),
        remaining_time: smoothing.remaining.into(),
    }
}

/// Whole seconds since something, as chrony says them; the highest number if it never happened.
pub(super) fn seconds_ago(age: Option<f64>) -> u32 {
    // The conversion saturates; a time in the future is "now".
    age.map_or(u32::MAX, |age| (age.max(0.0) as u32).min(u32::MAX - 1))
}

/// A counter of the protocol, which stays at its end.
pub(super) fn count(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use timeball_core::report::PoolReport;

    use super::*;

    #[test]
    fn a_pool_that_is_short_of_sources_looks_for_twice_as_many() {
        let pool = |wanted, found| PoolReport { name: "pool.example".into(), wanted, found };
        let server = SourceReport::default();
        for (pools, sources, unknown) in [
            (vec![pool(4, 4)], vec![], 0),
            (vec![pool(4, 3)], vec![], 5),
            (vec![pool(4, 0), pool(2, 2)], vec![server.clone()], 9),
            (vec![pool(12, 1)], vec![server.clone(), server], 17),
        ] {
            let report = Report { pools, sources, ..Report::default() };
            assert_eq!(activity(&report).unresolved, unknown, "{:?}", report.pools);
        }
    }
}
