//! The reports of single sources.

use std::net::Ipv4Addr;

use timeball_core::association::Test;
use timeball_core::engine::StampQuality;
use timeball_core::report::{LastExchange, NtsReport, SourceMode, SourceReport};
use timeball_core::selection::{Options, State};
use timeball_wire::cmdmon::{
    self, Address, Answer, AuthenticationData, AuthenticationMode, Float, NtpData, NtpData2,
    NtpFlags, NtpMeasurement, RequestHeader, Reserved, SelectData, SelectOptions, SourceData,
    SourceState, SourceStats, Timespec,
};
use timeball_wire::{LeapIndicator, ReferenceId};

use super::monitoring::{count, seconds_ago};

/// What chronyd says of a source before there are enough measurements: the bound of its frequency's
/// error (ppm), and their standard deviation (s).
const UNKNOWN_SKEW: f64 = 2000.0;
const UNKNOWN_DEVIATION: f64 = 4.0;

/// The source with this address.
pub(super) fn find(sources: &[SourceReport], address: Address) -> Option<&SourceReport> {
    match address {
        Address::Unspecified => None,
        Address::Ip(ip) => {
            let ip = Some(ip.to_canonical());
            sources.iter().find(|source| source.address == ip)
        }
        Address::Id(id) => {
            let index = usize::try_from(id).ok()?.checked_sub(1)?;
            let unresolved = |source: &&SourceReport| {
                source.address.is_none() && source.mode != SourceMode::ReferenceClock
            };
            sources.get(index).filter(unresolved)
        }
    }
}

/// Its address; while it has none, a number that stands for its name: its place, from 1. A reference
/// clock has none, ever.
fn address(index: usize, source: &SourceReport) -> Address {
    match (source.address, source.mode) {
        (Some(ip), _) => Address::Ip(ip),
        (None, SourceMode::ReferenceClock) => Address::Unspecified,
        (None, SourceMode::Server | SourceMode::Peer) => {
            Address::Id(u32::try_from(index.saturating_add(1)).unwrap_or(u32::MAX))
        }
    }
}

/// What stands for it where a client follows it.
fn reference_id(source: &SourceReport) -> ReferenceId {
    match source.mode {
        SourceMode::ReferenceClock => source.reference_id.unwrap_or(ReferenceId::NONE),
        SourceMode::Server | SourceMode::Peer => {
            source.address.map_or(ReferenceId::NONE, ReferenceId::of_address)
        }
    }
}

pub(super) fn data(index: usize, source: &SourceReport) -> SourceData {
    let last = source.last_measurement;
    SourceData {
        // Here a reference ID stands in the place of an address.
        address: match source.mode {
            SourceMode::ReferenceClock => {
                Address::Ip(Ipv4Addr::from(reference_id(source).to_bytes()).into())
            }
            SourceMode::Server | SourceMode::Peer => address(index, source),
        },
        poll: source.poll.into(),
        stratum: source.stratum.filter(|_| last.is_some()).unwrap_or(0).into(),
        state: match source.state {
            State::Selected => SourceState::Selected,
            State::Combined => SourceState::Combined,
            State::Falseticker => SourceState::Falseticker,
            State::Jittery => SourceState::Jittery,
            State::Waiting | State::Unpreferred | State::Outlier => SourceState::Selectable,
            State::Unselectable
            | State::Measuring
            | State::Unreachable
            | State::Unsynchronised
            | State::StratumTooLow
            | State::StratumTooHigh
            | State::Orphan
            | State::Distant
            | State::Untrusted => SourceState::Nonselectable,
        },
        mode: match source.mode {
            SourceMode::Server => cmdmon::SourceMode::Client,
            SourceMode::Peer => cmdmon::SourceMode::Peer,
            SourceMode::ReferenceClock => cmdmon::SourceMode::ReferenceClock,
        },
        flags: 0,
        reachability: source.reach.into(),
        since_sample: seconds_ago(last.map(|last| last.age)),
        measured_offset: last.map_or(0.0, |last| -last.measured_offset).into(),
        adjusted_offset: last.map_or(0.0, |last| -last.offset).into(),
        error: last.map_or(0.0, |last| last.bound).into(),
    }
}

pub(super) fn stats(index: usize, source: &SourceReport) -> SourceStats {
    SourceStats {
        reference_id: reference_id(source),
        address: address(index, source),
        samples: count(source.samples as u64),
        runs: count(source.runs as u64),
        span: source.span.round() as u32,
        standard_deviation: source.jitter.unwrap_or(UNKNOWN_DEVIATION).into(),
        residual_frequency: source.residual_frequency_ppm.map_or(0.0, |ppm| -ppm).into(),
        skew: source.skew_ppm.unwrap_or(UNKNOWN_SKEW).into(),
        offset: source.offset.map_or(0.0, |offset| -offset).into(),
        offset_error: source.offset_bound.unwrap_or(0.0).into(),
    }
}

/// What selection, which was `selection_age` (s) ago, made of a source.
pub(super) fn select_data(index: usize, source: &SourceReport, selection_age: f64) -> SelectData {
    let (low, high) = match (source.offset, source.offset_bound) {
        (Some(offset), Some(bound)) => (-offset - bound, -offset + bound),
        _ => (0.0, 0.0),
    };
    SelectData {
        reference_id: reference_id(source),
        address: address(index, source),
        state: match source.state {
            // chronyd looks at the measurements first.
            State::Unreachable | State::Unselectable if source.samples == 0 => {
                state_sign(State::Measuring)
            }
            state => state_sign(state),
        },
        authenticated: source.authenticated.into(),
        leap: source
            .leap
            .or(source.last_exchange.as_ref().map(|last| last.leap))
            .unwrap_or(LeapIndicator::Unsynchronised),
        reserved: Reserved,
        configured: select_options(source.options),
        effective: select_options(source.effective_options),
        last_sample_ago: source
            .last_measurement
            .map_or(0, |last| seconds_ago(Some((last.age - selection_age).max(0.0)))),
        score: source.score.max(1.0).into(),
        low_limit: low.into(),
        high_limit: high.into(),
    }
}

/// chrony's sign for a state.
fn state_sign(state: State) -> u8 {
    match state {
        State::Unselectable => b'N',
        State::Measuring => b'M',
        State::Unreachable => b'S',
        State::Unsynchronised => b's',
        State::StratumTooLow | State::StratumTooHigh => b'r',
        State::Orphan => b'O',
        State::Distant => b'd',
        State::Jittery => b'~',
        State::Falseticker => b'x',
        State::Untrusted => b'T',
        State::Waiting => b'W',
        State::Unpreferred => b'P',
        State::Outlier => b'D',
        State::Combined => b'+',
        State::Selected => b'*',
    }
}

fn select_options(options: Options) -> SelectOptions {
    let Options { noselect, prefer, trust, require } = options;
    SelectOptions::NONE
        .with(SelectOptions::NOSELECT, noselect)
        .with(SelectOptions::PREFER, prefer)
        .with(SelectOptions::TRUST, trust)
        .with(SelectOptions::REQUIRE, require)
}

pub(super) fn authentication(source: &SourceReport) -> AuthenticationData {
    if let Some(nts) = &source.nts {
        return network_time_security(nts);
    }
    let details = source.key.and_then(|key| key.details);
    AuthenticationData {
        mode: match source.key {
            Some(_) => AuthenticationMode::Symmetric,
            None => AuthenticationMode::None,
        },
        key_type: details.map_or(0, |details| details.algorithm.chrony_number()),
        key_id: source.key.map_or(0, |key| key.id.get()),
        key_length: details.map_or(0, |details| details.bits.try_into().unwrap_or(u16::MAX)),
        ke_attempts: 0,
        last_ke_ago: u32::MAX,
        cookies: 0,
        cookie_length: 0,
        naks: 0,
        reserved: Reserved,
    }
}

fn network_time_security(nts: &NtsReport) -> AuthenticationData {
    let short = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
    AuthenticationData {
        mode: AuthenticationMode::Nts,
        key_type: nts.algorithm.unwrap_or(0),
        key_id: nts.sessions,
        key_length: short(nts.key_bits),
        ke_attempts: u16::try_from(nts.attempts).unwrap_or(u16::MAX),
        last_ke_ago: nts.age.map_or(u32::MAX, |age| age.clamp(0.0, f64::from(u32::MAX)) as u32),
        cookies: short(nts.cookies),
        cookie_length: short(nts.cookie_len),
        naks: u16::from(nts.nak),
        reserved: Reserved,
    }
}

/// The newest form that fits the request.
pub(super) fn ntp_data(source: &SourceReport, header: &RequestHeader) -> Answer {
    let measurement = measurement(source);
    let newest = Answer::NtpData2(NtpData2 {
        measurement,
        total_kernel_transmit: count(source.transmitted_by.kernel),
        total_kernel_receive: count(source.received_by.kernel),
        total_hardware_transmit: count(source.transmitted_by.hardware),
        total_hardware_receive: count(source.received_by.hardware),
        reserved: Reserved,
    });
    if newest.fits(header) {
        newest
    } else {
        Answer::NtpData(NtpData { measurement, reserved: Reserved })
    }
}

fn measurement(source: &SourceReport) -> NtpMeasurement {
    let last = source.last_exchange.as_ref();
    let number = |field: fn(&LastExchange) -> f64| Float::from(last.map_or(0.0, field));
    NtpMeasurement {
        remote_address: source.address.into(),
        local_address: last.and_then(|last| last.local_address).into(),
        remote_port: source.port,
        leap: last.map_or(LeapIndicator::NoWarning, |last| last.leap),
        version: last.map_or(0, |last| last.version),
        mode: last.map_or(0, |last| last.mode.number()),
        stratum: last.map_or(0, |last| last.stratum),
        poll: last.map_or(0, |last| last.poll),
        precision: last.map_or(0, |last| last.precision),
        root_delay: number(|last| last.root_delay),
        root_dispersion: number(|last| last.root_dispersion),
        reference_id: last.map_or(ReferenceId::NONE, |last| last.reference_id),
        reference_time: last
            .and_then(|last| last.reference_time)
            .map_or(Timespec::NEVER, Timespec::from),
        offset: number(|last| last.offset),
        peer_delay: number(|last| last.delay),
        peer_dispersion: number(|last| last.dispersion),
        response_time: number(|last| last.response_time),
        jitter_asymmetry: number(|last| last.jitter_asymmetry),
        flags: last.map_or(NtpFlags::NONE, |last| {
            tests(&last.tests_passed)
                .with(NtpFlags::INTERLEAVED, last.interleaved)
                .with(NtpFlags::AUTHENTICATED, source.authenticated)
        }),
        transmit_timestamping: last.map_or(0, |last| stamp_sign(last.transmit_stamp)),
        receive_timestamping: last.map_or(0, |last| stamp_sign(last.receive_stamp)),
        total_sent: count(source.sent),
        total_received: count(source.received),
        total_valid: count(source.valid),
        total_good: count(source.accepted),
    }
}

/// One bit for each test passed, the first test highest.
fn tests(passed: &[Test]) -> NtpFlags {
    let bits = Test::ALL.iter().fold(0, |bits, test| bits << 1 | u16::from(passed.contains(test)));
    NtpFlags(bits)
}

fn stamp_sign(quality: StampQuality) -> u8 {
    match quality {
        StampQuality::Daemon => b'D',
        StampQuality::Kernel => b'K',
        StampQuality::Hardware => b'H',
    }
}

#[cfg(test)]
mod tests {
    use timeball_core::report::LastMeasurement;

    use super::*;

    #[test]
    fn tests_stand_in_chronys_order() {
        assert_eq!(tests(&Test::ALL), NtpFlags::ALL_TESTS);
        assert_eq!(tests(&[]), NtpFlags::NONE);
        assert_eq!(tests(&[Test::Loop]), NtpFlags(1));
        assert_eq!(tests(&[Test::Duplicate, Test::Delay]), NtpFlags(0x208));
    }

    #[test]
    fn selection_tells_how_old_a_measurement_was_then() {
        let last = |age| LastMeasurement { age, measured_offset: 0.0, offset: 0.0, bound: 0.0 };
        let source =
            |age| SourceReport { last_measurement: Some(last(age)), ..SourceReport::default() };
        assert_eq!(select_data(0, &source(42.0), 30.0).last_sample_ago, 12);
        assert_eq!(select_data(0, &source(30.0), 30.0).last_sample_ago, 0);
        // It came since, and nobody has compared it yet.
        assert_eq!(select_data(0, &source(2.0), 30.0).last_sample_ago, 0);
    }

    #[test]
    fn a_reference_clock_goes_by_its_reference_id() {
        let id = ReferenceId::from_bytes(*b"SHM0");
        let clock = SourceReport {
            name: "SHM0".to_owned(),
            mode: SourceMode::ReferenceClock,
            reference_id: Some(id),
            ..SourceReport::default()
        };
        let data = data(0, &clock);
        assert_eq!(data.address, Address::Ip("83.72.77.48".parse().unwrap()));
        assert_eq!(data.mode, cmdmon::SourceMode::ReferenceClock);
        assert_eq!(stats(0, &clock).address, Address::Unspecified);
        assert_eq!(stats(0, &clock).reference_id, id);
        assert_eq!(select_data(0, &clock, 0.0).reference_id, id);
        // It is no source whose name has no address yet.
        assert_eq!(find(&[clock], Address::Id(1)), None);
    }
}
