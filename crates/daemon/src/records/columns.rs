//! The columns of chronyd's logs.
//!
//! chronyd counts an offset as positive where the system clock is ahead, and so does its `tracking`
//! and `statistics`; only single measurements are true time minus system clock, as everywhere here.

use std::fmt;

use timeball_core::association::Test;
use timeball_core::engine::StampQuality;
use timeball_core::record::{ClockSample, Stage, Update};
use timeball_core::report::{LastExchange, SourceMode, SourceReport};
use timeball_core::selection::{Options, State};
use timeball_wire::{LeapIndicator, Timestamp};

use crate::exponent::Exponent;

pub(super) const ANSWERS: &str = "   Date (UTC) Time     IP Address   L St 123 567 ABCD  LP RP Score    Offset  Peer del. Peer disp.  Root del. Root disp. Refid     MTxRx";
pub(super) const ESTIMATES: &str = "   Date (UTC) Time     IP Address    Std dev'n Est offset  Offset sd  Diff freq   Est skew  Stress  Ns  Bs  Nr  Asym";
pub(super) const SELECTIONS: &str =
    "   Date (UTC) Time     IP Address   S EOpts Reach Score Last sample  Low end   High end";
pub(super) const UPDATES: &str = "   Date (UTC) Time     IP Address   St   Freq ppm   Skew ppm     Offset L Co  Offset sd Rem. corr. Root delay Root disp. Max. error";
pub(super) const REFERENCE_CLOCKS: &str =
    "   Date (UTC) Time         Refid  DP L P  Raw offset   Cooked offset      Disp.";
pub(super) const TEMPERATURES: &str = "   Date (UTC) Time        Temp.       Comp.";

/// Bound of the clock's error (s) that chronyd assumes before the first update.
const UNKNOWN_BOUND: f64 = 1.5;

/// A packet that proved to be an answer; `None` if the source knows none.
pub(super) fn answer(at: Timestamp, source: &SourceReport) -> Option<String> {
    let last = source.last_exchange.as_ref()?;
    let passed = |tests: &[Test]| -> String {
        tests.iter().map(|test| digit(last.tests_passed.contains(test))).collect()
    };
    Some(format!(
        "{} {:<15} {} {:2} {} {} {}  {:2} {:2} {:4.2} {} {} {} {} {} {:08X} {}{} {} {}",
        When(at),
        source.address?,
        leap(last.leap),
        last.stratum,
        passed(&[Test::Duplicate, Test::Origin, Test::Timestamps]),
        passed(&[Test::Authentication, Test::Synchronised, Test::RootDistance]),
        passed(&[Test::Delay, Test::DelayRatio, Test::DelayDeviation, Test::Loop]),
        source.poll,
        last.poll,
        // How near the poll interval is to a change is not counted in chronyd's way.
        0.0,
        Exponent { value: last.offset, width: 10, precision: 3 },
        Exponent { value: last.delay, width: 10, precision: 3 },
        Exponent { value: last.dispersion, width: 10, precision: 3 },
        Exponent { value: last.root_delay, width: 10, precision: 3 },
        Exponent { value: last.root_dispersion, width: 10, precision: 3 },
        u32::from_be_bytes(last.reference_id.to_bytes()),
        last.mode as u8,
        if last.interleaved { 'I' } else { 'B' },
        stamp(last.transmit_stamp),
        stamp(last.receive_stamp),
    ))
}

/// The sender of the answer has time to give: tests 1 to 7 are passed.
pub(super) fn is_synchronised(last: &LastExchange) -> bool {
    let needed = [
        Test::Duplicate,
        Test::Origin,
        Test::Timestamps,
        Test::Authentication,
        Test::Synchronised,
        Test::RootDistance,
    ];
    needed.iter().all(|test| last.tests_passed.contains(test))
}

/// An estimate of a source.
pub(super) fn estimate(at: Timestamp, source: &SourceReport, stress: f64) -> Option<String> {
    let asymmetry = source.last_exchange.as_ref().map_or(0.0, |last| last.jitter_asymmetry);
    Some(format!(
        "{} {:<15} {} {} {} {} {} {} {:3} {:3} {:3} {:5.2}",
        When(at),
        name(source)?,
        Exponent { value: source.jitter?, width: 10, precision: 3 },
        Exponent { value: ahead(source.offset?), width: 10, precision: 3 },
        Exponent { value: source.offset_sd?, width: 10, precision: 3 },
        Exponent { value: ahead(source.residual_frequency_ppm?) * 1e-6, width: 10, precision: 3 },
        Exponent { value: source.skew_ppm? * 1e-6, width: 10, precision: 3 },
        Exponent { value: stress, width: 7, precision: 1 },
        source.samples,
        0,
        source.runs,
        ahead(asymmetry),
    ))
}

/// What selection made of a source.
pub(super) fn selection(at: Timestamp, source: &SourceReport) -> Option<String> {
    let offset = source.offset.map_or(0.0, ahead);
    let bound = source.offset_bound.unwrap_or(0.0);
    Some(format!(
        "{} {:<15} {} -{} {:4o} {:5.2} {} {} {}",
        When(at),
        name(source)?,
        state(source.state),
        options(source.effective_options),
        source.reach,
        source.score,
        Exponent { value: source.last_answer.unwrap_or(0.0), width: 10, precision: 3 },
        Exponent { value: offset - bound, width: 10, precision: 3 },
        Exponent { value: offset + bound, width: 10, precision: 3 },
    ))
}

/// An update of the clock; `left_over` (s) is what the one before it has left to be corrected.
pub(super) fn update(at: Timestamp, update: &Update, left_over: f64) -> String {
    let tracking = &update.tracking;
    let address = tracking.system_peer_address.map(|address| address.to_string());
    format!(
        "{} {:<15} {:2} {:10.3} {:10.3} {} {} {:2} {} {} {} {} {}",
        When(at),
        address.unwrap_or_else(|| tracking.reference.clone()),
        tracking.stratum,
        ahead(tracking.frequency_ppm),
        tracking.skew_ppm,
        Exponent { value: ahead(update.unforeseen), width: 10, precision: 3 },
        leap(tracking.leap),
        update.combined,
        Exponent { value: tracking.offset_sd.unwrap_or(0.0), width: 10, precision: 3 },
        Exponent { value: update.remaining, width: 10, precision: 3 },
        Exponent { value: tracking.root_delay, width: 10, precision: 3 },
        Exponent { value: tracking.root_dispersion, width: 10, precision: 3 },
        Exponent {
            value: update.bound.unwrap_or(UNKNOWN_BOUND) + left_over,
            width: 10,
            precision: 3
        },
    )
}

/// What a reference clock told.
pub(super) fn clock_sample(sample: &ClockSample) -> String {
    let cooked = Exponent { value: sample.offset, width: 13, precision: 6 };
    let name = sample.reference_id.display(0);
    let numbers = match sample.stage {
        Stage::Raw { reading, told } => {
            let raw = Exponent { value: told, width: 13, precision: 6 };
            // The column is for pulses, which are not read.
            format!("{reading:3} {} 0 {raw}", leap(sample.leap))
        }
        Stage::Filtered => format!("  - {} -       -      ", leap(sample.leap)),
    };
    let dispersion = Exponent { value: sample.dispersion, width: 10, precision: 3 };
    format!(
        "{}.{:06} {name:<5} {numbers} {cooked} {dispersion}",
        When(sample.at),
        micros(sample.at)
    )
}

/// The part of the second that has passed.
fn micros(at: Timestamp) -> i64 {
    at.nanos().rem_euclid(1_000_000_000) / 1000
}

/// A source's address; a reference clock has a name in its place.
fn name(source: &SourceReport) -> Option<String> {
    match source.mode {
        SourceMode::Server | SourceMode::Peer => Some(source.address?.to_string()),
        SourceMode::ReferenceClock => Some(source.name.clone()),
    }
}

/// A reading of the temperature, and the compensation by it (ppm).
pub(super) fn temperature(at: Timestamp, temperature: f64, ppm: f64) -> String {
    format!(
        "{} {} {}",
        When(at),
        Exponent { value: temperature, width: 11, precision: 4 },
        Exponent { value: ppm, width: 11, precision: 4 }
    )
}

/// A source's frequency and how well it is known, to tell how much it has changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stress {
    frequency: f64,
    skew: f64,
}

impl Stress {
    pub(super) fn of(source: &SourceReport) -> Option<Self> {
        Some(Self { frequency: source.frequency_ppm?, skew: source.skew_ppm? })
    }

    /// The change of the frequency against its uncertainty.
    pub(super) fn until(&self, now: &Self) -> f64 {
        if self.skew > 0.0 { (now.frequency - self.frequency).abs() / self.skew } else { 0.0 }
    }
}

/// What we call missing, chronyd calls ahead. A zero has no sign.
fn ahead(missing: f64) -> f64 {
    0.0 - missing
}

fn digit(passed: bool) -> char {
    if passed { '1' } else { '0' }
}

fn leap(leap: LeapIndicator) -> char {
    match leap {
        LeapIndicator::NoWarning => 'N',
        LeapIndicator::Insert => '+',
        LeapIndicator::Delete => '-',
        LeapIndicator::Unsynchronised => '?',
    }
}

fn stamp(quality: StampQuality) -> char {
    match quality {
        StampQuality::Daemon => 'D',
        StampQuality::Kernel => 'K',
        StampQuality::Hardware => 'H',
    }
}

fn options(options: Options) -> String {
    [(options.noselect, 'N'), (options.prefer, 'P'), (options.trust, 'T'), (options.require, 'R')]
        .map(|(chosen, letter)| if chosen { letter } else { '-' })
        .iter()
        .collect()
}

fn state(state: State) -> char {
    match state {
        State::Unselectable => 'N',
        State::Measuring | State::Unreachable => 'M',
        State::Unsynchronised => 's',
        State::StratumTooLow | State::StratumTooHigh => 'r',
        State::Orphan => 'O',
        State::Distant => 'd',
        State::Jittery => '~',
        State::Falseticker => 'x',
        State::Untrusted => 'T',
        State::Waiting => 'W',
        State::Unpreferred => 'P',
        State::Outlier => 'D',
        State::Combined => '+',
        State::Selected => '*',
    }
}

/// `2036-02-07 06:28:16`.
struct When(Timestamp);

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.0}", self.0);
        f.write_str(text.trim_end_matches('Z').replace('T', " ").as_str())
    }
}

#[cfg(test)]
mod tests {
    use timeball_core::record::{ClockSample, Stage};
    use timeball_core::report::Tracking;
    use timeball_wire::{Mode, ReferenceId};

    use super::*;

    const AT: Timestamp = Timestamp::from_nanos(1_478_670_050_900_000_000);

    fn source() -> SourceReport {
        SourceReport {
            address: Some("203.0.113.15".parse().unwrap()),
            poll: 10,
            reach: 0o377,
            score: 1.0,
            state: State::Selected,
            jitter: Some(6.261e-3),
            offset: Some(3.247e-3),
            offset_sd: Some(2.22e-3),
            offset_bound: Some(0.01),
            residual_frequency_ppm: Some(-1.874),
            skew_ppm: Some(1.08),
            frequency_ppm: Some(10.0),
            last_answer: Some(42.28),
            samples: 16,
            runs: 8,
            last_exchange: Some(exchange()),
            ..SourceReport::default()
        }
    }

    fn exchange() -> LastExchange {
        LastExchange {
            local_address: None,
            leap: LeapIndicator::NoWarning,
            version: 4,
            mode: Mode::Server,
            stratum: 2,
            poll: 10,
            precision: -20,
            root_delay: 0.1615,
            root_dispersion: 7.446e-3,
            reference_id: ReferenceId::from_bytes([0xCB, 0x00, 0x71, 0x7B]),
            reference_time: None,
            offset: -4.966e-3,
            delay: 0.2296,
            dispersion: 1.577e-5,
            response_time: 0.0,
            jitter_asymmetry: 0.0,
            tests_passed: Test::ALL.to_vec(),
            interleaved: false,
            transmit_stamp: StampQuality::Daemon,
            receive_stamp: StampQuality::Kernel,
        }
    }

    #[test]
    fn an_answer_has_the_columns_of_the_manual() {
        assert_eq!(
            answer(AT, &source()).unwrap(),
            "2016-11-09 05:40:50 203.0.113.15    N  2 111 111 1111  10 10 0.00 -4.966e-03  2.296e-01  \
             1.577e-05  1.615e-01  7.446e-03 CB00717B 4B D K"
        );
        assert!(is_synchronised(&exchange()));
        let mut unsynchronised = exchange();
        unsynchronised.tests_passed.retain(|test| *test != Test::Synchronised);
        assert!(!is_synchronised(&unsynchronised));
    }

    #[test]
    fn an_estimate_has_the_columns_of_the_manual() {
        assert_eq!(
            estimate(AT, &source(), 0.078).unwrap(),
            "2016-11-09 05:40:50 203.0.113.15     6.261e-03 -3.247e-03  2.220e-03  1.874e-06  \
             1.080e-06 7.8e-02  16   0   8  0.00"
        );
        assert_eq!(estimate(AT, &SourceReport::default(), 0.0), None);
    }

    #[test]
    fn a_selection_has_the_columns_of_the_manual() {
        assert_eq!(
            selection(AT, &source()).unwrap(),
            "2016-11-09 05:40:50 203.0.113.15    * -----  377  1.00  4.228e+01 -1.325e-02  6.753e-03"
        );
    }

    #[test]
    fn an_update_has_the_columns_of_the_manual() {
        let update = Update {
            tracking: Tracking {
                system_peer_address: Some("203.0.113.15".parse().unwrap()),
                stratum: 3,
                leap: LeapIndicator::NoWarning,
                frequency_ppm: 3.541,
                skew_ppm: 0.075,
                offset_sd: Some(2.94e-3),
                root_delay: 0.01534,
                root_dispersion: 3.472e-4,
                ..Tracking::default()
            },
            combined: 2,
            unforeseen: 8.621e-6,
            remaining: -2.084e-4,
            bound: Some(8e-3),
        };
        assert_eq!(
            super::update(AT, &update, 3.04e-4),
            "2016-11-09 05:40:50 203.0.113.15     3     -3.541      0.075 -8.621e-06 N  2  2.940e-03 \
             -2.084e-04  1.534e-02  3.472e-04  8.304e-03"
        );
    }

    #[test]
    fn a_temperature_has_the_columns_of_the_manual() {
        assert_eq!(temperature(AT, 28000.0, 0.366), "2016-11-09 05:40:50  2.8000e+04  3.6600e-01");
    }

    #[test]
    fn stress_is_change_by_what_was_expected() {
        let before = Stress { frequency: 10.0, skew: 0.5 };
        let after = Stress { frequency: 9.0, skew: 0.4 };
        assert!((before.until(&after) - 2.0).abs() < 1e-12);
        assert_eq!(Stress { frequency: 0.0, skew: 0.0 }.until(&after), 0.0);
    }

    #[test]
    fn a_reference_clock_is_told_as_chronyd_does() {
        let raw = ClockSample {
            reference_id: ReferenceId::from_bytes(*b"PPS2"),
            at: AT,
            stage: Stage::Raw { reading: 7, told: 4.9e-7 },
            leap: LeapIndicator::NoWarning,
            offset: -6.741777e-7,
            dispersion: 1e-6,
        };
        assert_eq!(
            clock_sample(&raw),
            "2016-11-09 05:40:50.900000 PPS2    7 N 0  4.900000e-07 -6.741777e-07  1.000e-06"
        );
        let filtered = ClockSample { stage: Stage::Filtered, leap: LeapIndicator::Insert, ..raw };
        assert_eq!(
            clock_sample(&filtered),
            "2016-11-09 05:40:50.900000 PPS2    - + -       -       -6.741777e-07  1.000e-06"
        );
        assert_eq!(REFERENCE_CLOCKS.len(), clock_sample(&raw).len());
    }

    #[test]
    fn a_reference_clock_has_a_name_in_place_of_an_address() {
        let clock = SourceReport {
            name: "GPS".to_owned(),
            address: None,
            mode: SourceMode::ReferenceClock,
            ..source()
        };
        assert!(estimate(AT, &clock, 0.0).unwrap().contains(" GPS             "));
        assert!(selection(AT, &clock).unwrap().contains(" GPS             * "));
    }
}
