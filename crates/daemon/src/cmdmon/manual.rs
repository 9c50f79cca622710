//! The right time, entered by hand.
//!
//! Every entry tells how fast the clock is; several, over days, tell its frequency. The newest offset
//! is believed as it is: who has mistyped it enters it again. The frequency is that of the line which
//! the entries suggest whatever a few of them say: the median of the slopes between all pairs.

use arrayvec::ArrayVec;
use timeball_core::report::Tracking;
use timeball_wire::cmdmon::{ManualSample, ManualSamples, ManualTimestamp, Status, Timespec};
use timeball_wire::{Span, Timestamp};

/// Entries that are remembered.
const MOST: usize = 16;
/// Entries closer than this say nothing of the frequency.
const LEAST_SEPARATION: Span = Span::from_secs(1);

/// The entries, and whether there may be any.
#[derive(Debug)]
pub(super) struct Manual {
    enabled: bool,
    samples: ArrayVec<Sample, MOST>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    /// When, by the clock as it should show now.
    when: Timestamp,
    /// How far the clock was fast (s), less what it was adjusted by since.
    offset: f64,
    /// How far it was fast then (s).
    original: f64,
    /// Distance from the line through all (s).
    residual: f64,
}

/// What entries say of the clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Adjustment {
    /// How far it is fast (s), to be corrected.
    pub(super) offset: f64,
    /// How fast it gains (s/s), to be corrected.
    pub(super) gain: f64,
    /// How far it is fast by the line through all entries (s).
    line_offset: f64,
}

impl Adjustment {
    /// The same for the client; `frequency` is how fast the clock would now be without correction
    /// (ppm).
    pub(super) fn report(&self, frequency: f64) -> ManualTimestamp {
        ManualTimestamp {
            offset: self.line_offset.into(),
            frequency_change: (self.gain * 1e6).into(),
            frequency: frequency.into(),
        }
    }
}

/// What the clock will show when all that is known to be wrong with it is corrected.
pub(super) fn best_time(tracking: &Tracking) -> Option<Timestamp> {
    let system = tracking.system_time?;
    Some(system + Span::from_seconds(tracking.remaining_correction))
}

impl Manual {
    pub(super) fn new(enabled: bool) -> Self {
        Self { enabled, samples: ArrayVec::new() }
    }

    /// Allows entries, or does not, by the configuration.
    pub(super) fn configure(&mut self, enabled: bool) {
        self.enabled = enabled;
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// 0 forbids entries, 1 allows them, 2 forgets those there are.
    pub(super) fn switch(&mut self, option: i32) -> Status {
        match option {
            0 => self.enabled = false,
            1 => self.enabled = true,
            2 => self.samples.clear(),
            _ => return Status::Invalid,
        }
        Status::Success
    }

    pub(super) fn list(&self) -> ManualSamples {
        let samples = self.samples.iter().map(|sample| ManualSample {
            when: Timespec::from(sample.when),
            slewed_offset: sample.offset.into(),
            original_offset: sample.original.into(),
            residual: sample.residual.into(),
        });
        ManualSamples { samples: samples.collect() }
    }

    /// It is `entered`, while our best time is `now`. `None` for a time that cannot be, or so soon
    /// after another.
    pub(super) fn enter(&mut self, now: Timestamp, entered: Timestamp) -> Option<Adjustment> {
        let too_soon = self.samples.last().is_some_and(|last| now - last.when < LEAST_SEPARATION);
        if too_soon || entered <= Timestamp::from_nanos(0) {
            return None;
        }
        if self.samples.is_full() {
            self.samples.remove(0);
        }
        let offset = (now - entered).seconds();
        self.samples.push(Sample { when: now, offset, original: offset, residual: 0.0 });
        Some(self.adjust(now, Some(offset)))
    }

    /// Takes one entry back. `None` if there is none with this number.
    pub(super) fn delete(&mut self, index: i32, now: Timestamp) -> Option<Adjustment> {
        let index = usize::try_from(index).ok().filter(|index| *index < self.samples.len())?;
        self.samples.remove(index);
        Some(self.adjust(now, None))
    }

    /// What the entries say; they are moved to where they will be once that is corrected. `entered`
    /// is an offset (s) that is believed more than the line.
    fn adjust(&mut self, now: Timestamp, entered: Option<f64>) -> Adjustment {
        let newest = self.samples.last().map_or(now, |sample| sample.when);
        let points: ArrayVec<(f64, f64), MOST> = self
            .samples
            .iter()
            .map(|sample| ((sample.when - newest).seconds(), sample.offset))
            .collect();
        let (line_offset, gain) = line(&points).unwrap_or((entered.unwrap_or(0.0), 0.0));
        for (sample, (since, offset)) in self.samples.iter_mut().zip(points) {
            sample.residual = offset - (line_offset + since * gain);
        }
        let adjustment = Adjustment { offset: entered.unwrap_or(line_offset), gain, line_offset };
        for sample in &mut self.samples {
            let moved = (now - sample.when).seconds() * gain - adjustment.offset;
            sample.when += Span::from_seconds(moved);
            sample.offset += moved;
        }
        adjustment
    }
}

/// Offset (s) at time zero and slope (s/s) of the line that points (s, s) suggest; `None` for fewer
/// than two.
fn line(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let pairs = points.iter().enumerate().flat_map(|(index, (t1, y1))| {
        points.iter().skip(index.saturating_add(1)).map(move |(t2, y2)| (y2 - y1) / (t2 - t1))
    });
    let slope = median(pairs.filter(|slope| slope.is_finite()).collect())?;
    let offset = median(points.iter().map(|(t, y)| y - t * slope).collect())?;
    Some((offset, slope))
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len().checked_sub(1)?;
    let (low, high) = (values.get(middle / 2)?, values.get(middle.div_ceil(2))?);
    Some((low + high) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Timestamp {
        Timestamp::from_nanos(1_700_000_000_000_000_000) + Span::from_seconds(seconds)
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    #[test]
    fn the_first_entry_tells_the_offset() {
        let mut manual = Manual::new(true);
        let adjustment = manual.enter(at(10.0), at(9.5)).unwrap();
        assert_eq!((adjustment.offset, adjustment.gain), (0.5, 0.0));
        assert_eq!(f64::from(adjustment.report(3.0).offset), 0.5);
        let list = manual.list().samples;
        assert_eq!(list.len(), 1);
        // The clock is corrected now: the entry was exactly right.
        assert_eq!(f64::from(list[0].slewed_offset), 0.0);
        assert_eq!(f64::from(list[0].original_offset), 0.5);
        assert_eq!(list[0].when, Timespec::from(at(9.5)));
    }

    #[test]
    fn entries_hours_apart_tell_the_frequency() {
        let mut manual = Manual::new(true);
        manual.enter(at(0.0), at(0.0)).unwrap();
        let second = manual.enter(at(3600.36), at(3600.0)).unwrap();
        assert!(close(second.offset, 0.36) && close(second.gain * 1e6, 99.99), "{second:?}");
        // With that corrected the clock is right an hour later.
        let third = manual.enter(at(7200.0), at(7200.0)).unwrap();
        assert!(close(third.offset, 0.0) && third.gain.abs() < 1e-8, "{third:?}");
        let report = manual.list();
        assert!(report.samples.iter().all(|sample| f64::from(sample.slewed_offset).abs() < 1e-3));
    }

    #[test]
    fn a_mistake_is_taken_back() {
        let mut manual = Manual::new(true);
        for hour in 0..5 {
            manual.enter(at(f64::from(hour) * 3600.0), at(f64::from(hour) * 3600.0)).unwrap();
        }
        let mistake = manual.enter(at(18_000.0), at(17_940.0)).unwrap();
        assert_eq!(mistake.offset, 60.0);
        assert!(mistake.gain.abs() < 1e-9, "one of six does not bend the line: {mistake:?}");
        let back = manual.delete(5, at(17_941.0)).unwrap();
        assert!(close(back.offset, -60.0), "{back:?}");
        assert_eq!(manual.delete(5, at(17_942.0)), None);
        assert_eq!(manual.delete(-1, at(17_942.0)), None);
    }

    #[test]
    fn entries_are_few_and_apart_and_can_be_forgotten() {
        let mut manual = Manual::new(false);
        assert!(!manual.is_enabled());
        assert_eq!(manual.switch(1), Status::Success);
        assert!(manual.is_enabled());
        manual.enter(at(0.0), at(0.0)).unwrap();
        assert_eq!(manual.enter(at(0.5), at(0.5)), None);
        assert_eq!(manual.enter(at(2.0), Timestamp::from_nanos(-1)), None);
        for day in 1..20 {
            manual.enter(at(f64::from(day) * 86_400.0), at(f64::from(day) * 86_400.0)).unwrap();
        }
        assert_eq!(manual.list().samples.len(), MOST);
        assert_eq!(manual.switch(2), Status::Success);
        assert_eq!(manual.list().samples.len(), 0);
        assert_eq!(manual.switch(3), Status::Invalid);
        assert_eq!(manual.switch(0), Status::Success);
        assert!(!manual.is_enabled());
    }
}
