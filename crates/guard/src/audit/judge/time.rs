//! The time that a host gives, and what is wrong with it.

use std::fmt::Write as _;
use std::net::IpAddr;

use timeball_wire::{LeapIndicator, Span, Timestamp};

use super::super::answer::TimeAnswer;
use super::super::finding::{FindingId, Severity};
use super::super::reference::ReferenceTime;
use super::super::report::TimeReport;
use super::super::target::is_public;
use super::Findings;

/// What counts as wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// How far the server's clock may be from the time it is compared with (s), beyond what the server
    /// itself says it may be wrong by.
    pub max_offset: f64,
    /// The time it is compared with; this machine's if there is none.
    pub reference: Option<ReferenceTime>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_offset: 0.1, reference: None }
    }
}

impl Limits {
    /// The offset of a server, seen from what it is compared with instead of from this machine's clock.
    fn compared(&self, offset: f64) -> f64 {
        self.reference.map_or(offset, |reference| offset - reference.offset)
    }
}

/// Dispersion at which RFC 5905 gives a clock up (MAXDISP, s).
const MAX_DISPERSION: f64 = 16.0;
/// A clock that was not set for a day is on its own.
const STALE: f64 = 86_400.0;
/// Beyond this a wrong time is no longer a matter of taste (s).
const GROSSLY_WRONG: f64 = 10.0;
pub(super) fn time_report(time: &TimeAnswer, limits: &Limits) -> TimeReport {
    let offset = time.offset().map(|offset| offset.seconds());
    let header = &time.header;
    TimeReport {
        version: header.version,
        leap: match header.leap {
            LeapIndicator::NoWarning => 0,
            LeapIndicator::Insert => 1,
            LeapIndicator::Delete => 2,
            LeapIndicator::Unsynchronised => 3,
        },
        stratum: header.stratum,
        reference_id: header.reference_id.display(header.stratum).to_string(),
        precision: header.precision,
        root_delay: header.root_delay.seconds(),
        root_dispersion: header.root_dispersion.seconds(),
        reference_age: reference_age(time),
        offset,
        offset_from_references: limits
            .reference
            .and_then(|_| offset.map(|offset| limits.compared(offset))),
        delay: time.delay().map(|delay| delay.seconds()),
    }
}

/// How long before its answer the server's clock was set (s), by that clock.
fn reference_age(time: &TimeAnswer) -> Option<f64> {
    let header = &time.header;
    if header.reference_timestamp.is_zero() || header.transmit_timestamp.is_zero() {
        return None;
    }
    let transmit = header.transmit_timestamp.unfold(time.destination);
    Some((transmit - header.reference_timestamp.unfold(transmit)).seconds())
}

/// What is wrong with the time.
pub(super) fn weigh_time(
    time: &TimeAnswer,
    server: IpAddr,
    limits: &Limits,
    findings: &mut Findings<'_>,
) {
    let header = &time.header;
    let reference = header.reference_id.display(header.stratum);
    let is_unsynchronised = header.leap == LeapIndicator::Unsynchronised;
    if is_restart(header.reference_id.to_bytes()) {
        findings.add(FindingId::RestartVisible, format!("reference ID {reference}"));
    }
    if is_kiss(time) {
        // No time at all, and rightly so.
        return;
    }
    if is_unsynchronised || matches!(header.stratum, 0 | 16..) {
        let evidence = format!("stratum {}, leap {:?}", header.stratum, header.leap);
        findings.add(FindingId::Unsynchronised, evidence);
        return;
    }
    let distance = header.root_delay.seconds() / 2.0 + header.root_dispersion.seconds();
    if distance >= MAX_DISPERSION {
        let evidence = format!("root delay / 2 + root dispersion = {distance:.3} s");
        findings.add(FindingId::AbsurdDispersion, evidence);
    }
    if let Some(age) = reference_age(time)
        && !(-1.0..STALE).contains(&age)
    {
        let evidence = format!("reference timestamp {age:.0} s before the answer");
        findings.add(FindingId::StaleReference, evidence);
    }
    weigh_offset(time, distance, limits, findings);
    let announces = matches!(header.leap, LeapIndicator::Insert | LeapIndicator::Delete);
    let ahead = limits.reference.map_or(0.0, |reference| reference.offset);
    if announces && !is_leap_season(time.destination + Span::from_seconds(ahead)) {
        let evidence = format!("leap {:?} outside of June and December", header.leap);
        findings.add(FindingId::LeapOutOfSeason, evidence);
    }
    let upstream = IpAddr::from(header.reference_id.to_bytes());
    // Reference IDs of IPv6 servers are hashes; only networks that people use are worth a word.
    let is_lan = matches!(upstream, IpAddr::V4(address) if address.is_private());
    if header.stratum >= 2 && is_lan && is_public(server) {
        findings.add(FindingId::PrivateAddress, format!("reference ID {reference}"));
    }
}

/// Whether it gives another time than the one it is compared with. `distance` is how wrong it says that
/// it may be (s).
fn weigh_offset(time: &TimeAnswer, distance: f64, limits: &Limits, findings: &mut Findings<'_>) {
    let (Some(offset), Some(delay)) = (time.offset(), time.delay()) else { return };
    let (offset, delay) = (limits.compared(offset.seconds()), delay.seconds());
    let (doubt, compared_with) = match limits.reference {
        None => (0.0, "this machine's clock".to_owned()),
        Some(ReferenceTime { uncertainty, agreeing, .. }) => {
            let plural = if agreeing == 1 { "" } else { "s" };
            (uncertainty, format!("the time of {agreeing} reference server{plural}"))
        }
    };
    if offset.abs() <= limits.max_offset + distance + delay.max(0.0) / 2.0 + doubt {
        return;
    }
    let grossly = offset.abs() > GROSSLY_WRONG;
    let severity = if grossly { Severity::High } else { Severity::Medium };
    let mut evidence = format!("{offset:+.6} s from {compared_with}");
    if let Some(artefact) = artefact(offset) {
        // Writing to a string cannot fail.
        let _ = write!(evidence, ": {artefact}");
    }
    findings.add_as(FindingId::WrongTime, severity, evidence);
}

/// Whether it is a kiss-o'-death, which has a code. Others say stratum 0 when they do not know it, and
/// ntpd with one of two codes that are no refusal.
pub(super) fn is_kiss(time: &TimeAnswer) -> bool {
    let code = time.header.reference_id.to_bytes();
    let is_refusal = code.iter().all(u8::is_ascii_graphic) && !is_restart(code);
    time.header.stratum == 0 && is_refusal
}

/// What ntpd says before it has a source, and after it has stepped its clock.
fn is_restart(reference_id: [u8; 4]) -> bool {
    matches!(&reference_id, b"INIT" | b"STEP")
}

/// The arithmetic behind an offset that is a whole number of GPS weeks' rollovers or NTP eras.
pub(super) fn artefact(offset: f64) -> Option<String> {
    /// GPS counts weeks in ten bits.
    const GPS_ROLLOVER: f64 = 1024.0 * 7.0 * 86_400.0;
    const NTP_ERA: f64 = 4_294_967_296.0;
    const UNIX_IN_NTP: f64 = 2_208_988_800.0;
    let near = |period: f64| {
        let periods = (offset / period).round();
        (periods != 0.0 && (offset - periods * period).abs() < 60.0).then_some(periods)
    };
    if let Some(periods) = near(GPS_ROLLOVER) {
        return Some(format!("{periods:+} × 1024 weeks, a GPS week number rollover"));
    }
    if let Some(periods) = near(NTP_ERA) {
        return Some(format!("{periods:+} × 2³² s, the wrong NTP era"));
    }
    ((offset.abs() - UNIX_IN_NTP).abs() < 60.0).then(|| "1900 taken for 1970".into())
}

/// Leap seconds come at the end of June and December; some also announce them a month before that.
pub(super) fn is_leap_season(now: Timestamp) -> bool {
    let seconds = now.nanos().div_euclid(1_000_000_000);
    let Ok(moment) = jiff::Timestamp::from_second(seconds) else { return false };
    matches!(moment.to_zoned(jiff::tz::TimeZone::UTC).month(), 6 | 12)
}
