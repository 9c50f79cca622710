//! The clock of a network card (PTP hardware clock, `/dev/ptpN`): read beside the system clock, and
//! converted to system time.

use std::cell::Cell;
use std::collections::VecDeque;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use timeball_wire::time::{Span, Timestamp};

use crate::os::check;

/// A hardware clock, for reading.
#[derive(Debug)]
pub struct Phc {
    index: u32,
    device: OwnedFd,
    way: Cell<Way>,
}

/// Whether hardware that can may latch both clocks at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CrossTimestamps {
    /// Where that works.
    Used,
    /// Never: what some hardware latches is wrong.
    Avoided,
}

/// How to read a hardware clock beside the system clock, the best way first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The hardware latches both at once.
    Together,
    /// The driver looks at the system clock right before and after.
    Closely,
    /// The kernel does so around the call of the driver.
    Plainly,
}

/// A hardware clock and the system clock, read at the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhcReading {
    /// Nanoseconds on the hardware clock, whose zero can be anywhere.
    pub hardware: i64,
    /// The system clock.
    pub system: Timestamp,
    /// How far apart the two may be.
    pub uncertainty: Span,
}

/// How often the kernel reads the hardware clock for one reading.
const SAMPLES: u32 = 10;

impl Phc {
    /// Opens `/dev/ptp` number `index`.
    ///
    /// # Errors
    ///
    /// When there is no such clock, or this process may not read it.
    pub fn open(index: u32, cross_timestamps: CrossTimestamps) -> io::Result<Self> {
        let path = CString::new(format!("/dev/ptp{index}"))?;
        // SAFETY: the path has a zero at its end and is only read.
        let descriptor =
            check(unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) })?;
        // SAFETY: the call has just made this descriptor, and nothing else owns it.
        let device = unsafe { OwnedFd::from_raw_fd(descriptor) };
        let way = match cross_timestamps {
            CrossTimestamps::Used => Way::Together,
            CrossTimestamps::Avoided => Way::Closely,
        };
        Ok(Self { index, device, way: Cell::new(way) })
    }

    /// The number in the name of its device.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Reads it at the same moment as the system clock if the hardware can, otherwise between two
    /// readings of the system clock, several times, of which it keeps the tightest. A way that fails
    /// once is not tried again: some hardware offers to latch both clocks, and then does so only as
    /// long as the kernel keeps time by a certain counter.
    ///
    /// # Errors
    ///
    /// When the driver cannot at all.
    pub fn read(&self) -> io::Result<PhcReading> {
        loop {
            let (reading, next) = match self.way.get() {
                Way::Together => (self.read_together(), Some(Way::Closely)),
                Way::Closely => (self.read_closely(), Some(Way::Plainly)),
                Way::Plainly => (self.read_plainly(), None),
            };
            match (reading, next) {
                (Err(_), Some(next)) => self.way.set(next),
                (reading, _) => return reading,
            }
        }
    }

    fn read_together(&self) -> io::Result<PhcReading> {
        // SAFETY: the structure is made of integers; all-zero bytes are a value.
        let mut request: libc::ptp_sys_offset_precise = unsafe { std::mem::zeroed() };
        // SAFETY: the request number says that the kernel fills one such structure.
        check(unsafe {
            libc::ioctl(self.device.as_raw_fd(), libc::PTP_SYS_OFFSET_PRECISE, &raw mut request)
        })?;
        let system = nanos(&request.sys_realtime);
        Ok(PhcReading::enclosed(system, nanos(&request.device), system))
    }

    fn read_closely(&self) -> io::Result<PhcReading> {
        // SAFETY: the structure is made of integers; all-zero bytes are a value.
        let mut request: libc::ptp_sys_offset_extended = unsafe { std::mem::zeroed() };
        request.n_samples = SAMPLES;
        // SAFETY: the request number says that the kernel reads and fills one such structure.
        check(unsafe {
            libc::ioctl(self.device.as_raw_fd(), libc::PTP_SYS_OFFSET_EXTENDED, &raw mut request)
        })?;
        let count = request.n_samples.min(SAMPLES) as usize;
        tightest(request.ts.iter().take(count).map(|[before, hardware, after]| {
            PhcReading::enclosed(nanos(before), nanos(hardware), nanos(after))
        }))
    }

    fn read_plainly(&self) -> io::Result<PhcReading> {
        // SAFETY: the structure is made of integers; all-zero bytes are a value.
        let mut request: libc::ptp_sys_offset = unsafe { std::mem::zeroed() };
        request.n_samples = SAMPLES;
        // SAFETY: the request number says that the kernel reads and fills one such structure.
        check(unsafe {
            libc::ioctl(self.device.as_raw_fd(), libc::PTP_SYS_OFFSET, &raw mut request)
        })?;
        let count = 2 * request.n_samples.min(SAMPLES) as usize + 1;
        tightest(alternating(request.ts.get(..count).unwrap_or(&request.ts)))
    }
}

/// System clock and hardware clock in turn, beginning and ending with the system clock.
fn alternating(times: &[libc::ptp_clock_time]) -> impl Iterator<Item = PhcReading> {
    times.windows(3).step_by(2).filter_map(|window| match window {
        [before, hardware, after] => {
            Some(PhcReading::enclosed(nanos(before), nanos(hardware), nanos(after)))
        }
        _ => None,
    })
}

fn tightest(readings: impl Iterator<Item = PhcReading>) -> io::Result<PhcReading> {
    readings
        .min_by_key(|reading| reading.uncertainty)
        .ok_or_else(|| io::Error::other("the driver answered without a reading"))
}

fn nanos(time: &libc::ptp_clock_time) -> i64 {
    time.sec.saturating_mul(1_000_000_000).saturating_add(time.nsec.into())
}

impl PhcReading {
    fn enclosed(before: i64, hardware: i64, after: i64) -> Self {
        let window = after.saturating_sub(before).max(0);
        Self {
            hardware,
            system: Timestamp::from_nanos(before.saturating_add(window / 2)),
            uncertainty: Span::from_nanos(window.saturating_add(1) / 2),
        }
    }
}

/// A moment on the system clock that was known on the hardware clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Converted {
    /// The moment.
    pub at: Timestamp,
    /// How far off it may be.
    pub uncertainty: Span,
}

/// Recent readings of one hardware clock, and what they say about moments between and near them.
///
/// A stamp that lies between two readings is converted exactly, whatever the rates of the clocks
/// are. After a step of the system clock, forget the readings from before.
#[derive(Debug, Default)]
pub struct PhcTimeline {
    /// In the order of the hardware clock.
    readings: VecDeque<PhcReading>,
}

/// Readings kept.
const READINGS: usize = 64;
/// How far beyond the last reading a stamp is still converted.
const REACH: i64 = 2_000_000_000;
/// The largest difference in rate of two clocks that run: the kernel slews by up to 10 %.
const LARGEST_RATE: f64 = 0.11;
/// The difference in rate to allow for beyond the readings.
const UNKNOWN_RATE: f64 = 500e-6;

impl PhcTimeline {
    /// Adds a reading. One that does not fit the last (a clock was set) makes a new beginning.
    pub fn add(&mut self, reading: PhcReading) {
        if let Some(last) = self.readings.back()
            && !runs_on(last, &reading)
        {
            self.readings.clear();
        }
        if self.readings.len() == READINGS {
            self.readings.pop_front();
        }
        self.readings.push_back(reading);
    }

    /// Forgets all readings, because a clock was set.
    pub fn clear(&mut self) {
        self.readings.clear();
    }

    /// The system time at which the hardware clock showed `hardware`; `None` if that is too far
    /// from all readings.
    pub fn to_system(&self, hardware: i64) -> Option<Converted> {
        let later = self.readings.partition_point(|reading| reading.hardware < hardware);
        let before = later.checked_sub(1).and_then(|index| self.readings.get(index));
        let after = self.readings.get(later);
        match (before, after) {
            (Some(before), Some(after)) => Some(between(before, after, hardware)),
            (Some(nearest), None) | (None, Some(nearest)) => beyond(nearest, hardware),
            (None, None) => None,
        }
    }
}

/// True if both clocks just ran from one reading to the next.
fn runs_on(earlier: &PhcReading, later: &PhcReading) -> bool {
    let hardware = later.hardware.saturating_sub(earlier.hardware);
    let difference = (later.system - earlier.system).nanos().saturating_sub(hardware);
    let noise = (earlier.uncertainty + later.uncertainty).nanos();
    hardware > 0
        && difference.saturating_abs() as f64 <= hardware as f64 * LARGEST_RATE + noise as f64
}

fn between(before: &PhcReading, after: &PhcReading, hardware: i64) -> Converted {
    let part = i128::from(hardware) - i128::from(before.hardware);
    // `runs_on` saw to it that this is positive.
    let whole = (i128::from(after.hardware) - i128::from(before.hardware)).max(1);
    let system = i128::from((after.system - before.system).nanos());
    let passed = i64::try_from((part * system + whole / 2).div_euclid(whole)).unwrap_or(i64::MAX);
    Converted {
        at: before.system + Span::from_nanos(passed),
        uncertainty: before.uncertainty.max(after.uncertainty),
    }
}

fn beyond(nearest: &PhcReading, hardware: i64) -> Option<Converted> {
    let distance = hardware.saturating_sub(nearest.hardware);
    if distance.saturating_abs() > REACH {
        return None;
    }
    let distance = Span::from_nanos(distance);
    let unknown = Span::from_seconds(distance.seconds().abs() * UNKNOWN_RATE);
    Some(Converted { at: nearest.system + distance, uncertainty: nearest.uncertainty + unknown })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn reading(hardware: i64, system: i64) -> PhcReading {
        PhcReading {
            hardware,
            system: Timestamp::from_nanos(system),
            uncertainty: Span::from_nanos(40),
        }
    }

    #[test]
    fn a_reading_is_the_middle_of_its_window() {
        let reading = PhcReading::enclosed(1000, 77, 1101);
        assert_eq!(reading.system, Timestamp::from_nanos(1050));
        assert_eq!((reading.hardware, reading.uncertainty), (77, Span::from_nanos(51)));
    }

    #[test]
    fn the_tightest_of_alternating_times_is_kept() {
        let times = [1000, 70, 1200, 80, 1300, 90, 1700].map(|nsec| libc::ptp_clock_time {
            sec: 3,
            nsec,
            reserved: 0,
        });
        let reading = tightest(alternating(&times)).unwrap();
        assert_eq!(reading.hardware, 3 * SECOND + 80);
        assert_eq!(reading.system, Timestamp::from_nanos(3 * SECOND + 1250));
        assert_eq!(reading.uncertainty, Span::from_nanos(50));
        assert!(tightest(alternating(&times[..1])).is_err());
    }

    #[test]
    fn between_readings_the_rate_does_not_matter() {
        let mut timeline = PhcTimeline::default();
        // The system clock is slewed by 10 %.
        timeline.add(reading(SECOND, 50 * SECOND));
        timeline.add(reading(2 * SECOND, 51 * SECOND + SECOND / 10));
        let converted = timeline.to_system(SECOND + SECOND / 4).unwrap();
        assert_eq!(converted.at, Timestamp::from_nanos(50 * SECOND + 275_000_000));
        assert_eq!(converted.uncertainty, Span::from_nanos(40));
    }

    #[test]
    fn beyond_the_readings_the_uncertainty_grows_and_ends() {
        let mut timeline = PhcTimeline::default();
        assert_eq!(timeline.to_system(0), None);
        timeline.add(reading(0, 7 * SECOND));
        let converted = timeline.to_system(SECOND / 1000).unwrap();
        assert_eq!(converted.at, Timestamp::from_nanos(7 * SECOND + 1_000_000));
        assert_eq!(converted.uncertainty, Span::from_nanos(540));
        assert_eq!(timeline.to_system(-SECOND / 1000).unwrap().at.nanos(), 7 * SECOND - 1_000_000);
        assert_eq!(timeline.to_system(3 * SECOND), None);
        assert_eq!(timeline.to_system(i64::MIN), None);
    }

    #[test]
    fn a_clock_that_was_set_begins_anew() {
        let mut timeline = PhcTimeline::default();
        timeline.add(reading(SECOND, SECOND));
        timeline.add(reading(2 * SECOND, 32 * SECOND));
        // The first reading is gone: nothing lies between any more.
        let converted = timeline.to_system(SECOND + SECOND / 2).unwrap();
        assert_eq!(converted.at, Timestamp::from_nanos(32 * SECOND - SECOND / 2));
        // A hardware clock that goes back does the same.
        timeline.add(reading(0, 33 * SECOND));
        assert_eq!(timeline.to_system(0).unwrap().at, Timestamp::from_nanos(33 * SECOND));
        timeline.clear();
        assert_eq!(timeline.to_system(0), None);
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut timeline = PhcTimeline::default();
        for second in 0..100 {
            timeline.add(reading(second * SECOND, second * SECOND));
        }
        assert_eq!(timeline.readings.len(), READINGS);
        assert_eq!(timeline.to_system(33 * SECOND), None);
    }

    proptest! {
        #[test]
        fn the_conversion_follows_two_steady_clocks(
            offset in -1_000_000_000_000i64..1_000_000_000_000, ppm in -1000i64..1000,
            at in 0i64..15 * SECOND,
        ) {
            let system_of = |hardware: i64| {
                offset + hardware + (i128::from(hardware) * i128::from(ppm) / 1_000_000) as i64
            };
            let mut timeline = PhcTimeline::default();
            for second in 0..16 {
                timeline.add(reading(second * SECOND, system_of(second * SECOND)));
            }
            let converted = timeline.to_system(at).unwrap();
            prop_assert!((converted.at.nanos() - system_of(at)).abs() <= 2);
        }

        #[test]
        fn no_readings_panic(values in prop::collection::vec((any::<i64>(), any::<i64>()), 0..20), at in any::<i64>()) {
            let mut timeline = PhcTimeline::default();
            for (hardware, system) in values {
                timeline.add(reading(hardware, system));
                let _ = timeline.to_system(at);
            }
        }
    }
}
