//! This machine's clocks, in the engine's words: one reading in, one command out.

use std::io;

use timeball_core::Now;
use timeball_core::discipline::{ClockCommand, SyncStatus};
use timeball_core::engine::ClockError;
use timeball_host::clock::{self, Clock, Controller, KernelLeap};
use timeball_wire::{Instant, LeapIndicator, Span, Timestamp};

use crate::logging::Words;

/// The clocks, and perhaps the right to adjust them.
#[derive(Debug)]
pub(crate) struct MachineClock {
    clock: Clock,
    controller: Option<Controller>,
    /// Reading the programmed frequency has failed and been warned of.
    frequency_is_unknown: bool,
    /// The frequency as it was read last, and when; nothing after a command of ours.
    frequency_read: Option<(f64, Instant)>,
}

/// How long a [glance](MachineClock::glance) takes the frequency to be what it was. If another program
/// changes it by 100 ppm, it has moved the clock by 1 µs when that is noticed.
const FREQUENCY_LASTS: Span = Span::from_millis(10);

impl MachineClock {
    /// The clocks for reading.
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self {
            clock: Clock::open()?,
            controller: None,
            frequency_is_unknown: false,
            frequency_read: None,
        })
    }

    /// Asks for the right to adjust the clock. From here on the kernel is told what the engine
    /// says; without, it is only watched.
    pub(crate) fn take_control(&mut self) -> Result<(), clock::ControlError> {
        if self.controller.is_none() {
            self.controller = Some(self.clock.take_control()?);
        }
        Ok(())
    }

    /// Gives the right back. What the kernel was told last stays.
    pub(crate) fn release_control(&mut self) {
        self.controller = None;
    }

    /// All clocks at once.
    pub(crate) fn now(&mut self) -> io::Result<Now> {
        self.frequency_read = None;
        self.glance()
    }

    /// The same with the frequency of a moment ago: to read it takes a system call, and to read the
    /// clocks none. For whoever looks at every request of a client.
    pub(crate) fn glance(&mut self) -> io::Result<Now> {
        let reading = self.clock.read()?;
        let read = self.frequency_read.filter(|(_, at)| reading.monotonic - *at < FREQUENCY_LASTS);
        let (frequency, at) = match read {
            Some(read) => read,
            None => (self.frequency(), reading.monotonic),
        };
        self.frequency_read = Some((frequency, at));
        Ok(Now {
            monotonic: reading.monotonic,
            system: reading.system,
            raw: reading.raw,
            asleep: reading.asleep,
            frequency,
            uncertainty: reading.uncertainty,
        })
    }

    /// The system clock alone.
    pub(crate) fn system(&self) -> io::Result<Timestamp> {
        self.clock.system()
    }

    /// The monotonic clock alone.
    pub(crate) fn monotonic(&self) -> io::Result<Instant> {
        self.clock.monotonic()
    }

    /// The frequency in force. Some containers forbid even asking for it.
    fn frequency(&mut self) -> f64 {
        match self.clock.state() {
            Ok(state) => {
                self.frequency_is_unknown = false;
                state.frequency
            }
            Err(error) => {
                if !self.frequency_is_unknown {
                    tracing::warn!(
                        "the kernel does not tell the frequency of its clock ({error}); it is \
                         taken to be uncorrected"
                    );
                }
                self.frequency_is_unknown = true;
                0.0
            }
        }
    }

    /// TAI − UTC (s) as the kernel knows it; `None` where even asking is forbidden.
    pub(crate) fn tai_offset(&self) -> Option<i32> {
        self.clock.state().ok().map(|state| state.tai_offset)
    }

    /// Sets the clock forward to `last_run`, when it was right for the last time that we know of, if
    /// it is behind that: machines without a battery start in the past.
    pub(crate) fn restore(&mut self, last_run: Option<Timestamp>, words: &Words) -> io::Result<()> {
        let behind = last_run.map(|last_run| Ok::<_, io::Error>(last_run - self.system()?));
        match behind.transpose()?.filter(|behind| *behind > Span::ZERO) {
            None => {}
            Some(behind) => match self.adjust(ClockCommand::Step(behind)) {
                Ok(()) => words.time_restored(),
                Err(error) => tracing::warn!("the clock cannot be set: {error}"),
            },
        }
        Ok(())
    }

    /// Carries out a command.
    pub(crate) fn adjust(&mut self, command: ClockCommand) -> Result<(), ClockError> {
        let Some(controller) = &mut self.controller else {
            return Err(ClockError::Permission);
        };
        self.frequency_read = None;
        let done = match command {
            ClockCommand::SetFrequency(frequency) => {
                controller.set_frequency(frequency).map(|_programmed| ())
            }
            ClockCommand::Step(span) => controller.step(span),
            ClockCommand::SetStatus(status) => controller.set_status(&kernel_status(&status)),
        };
        done.map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => ClockError::Permission,
            _ => ClockError::Other(error.to_string()),
        })
    }
}

fn kernel_status(status: &SyncStatus) -> clock::SyncStatus {
    clock::SyncStatus {
        synchronised: status.synchronised,
        leap: match status.leap {
            LeapIndicator::Insert => KernelLeap::Insert,
            LeapIndicator::Delete => KernelLeap::Delete,
            LeapIndicator::NoWarning | LeapIndicator::Unsynchronised => KernelLeap::None,
        },
        max_error: status.max_error,
        estimated_error: status.est_error,
        tai_offset: status.tai_offset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_control_every_command_is_refused() {
        let mut clock = MachineClock::open().unwrap();
        let status = SyncStatus {
            synchronised: true,
            leap: LeapIndicator::NoWarning,
            max_error: Span::ZERO,
            est_error: Span::ZERO,
            tai_offset: None,
        };
        for command in [
            ClockCommand::SetFrequency(1e-6),
            ClockCommand::Step(Span::from_secs(1)),
            ClockCommand::SetStatus(status),
        ] {
            assert_eq!(clock.adjust(command), Err(ClockError::Permission));
        }
    }

    #[test]
    fn readings_follow_each_other() {
        let mut clock = MachineClock::open().unwrap();
        let first = clock.now().unwrap();
        let second = clock.now().unwrap();
        assert!(second.monotonic > first.monotonic);
        assert!(clock.monotonic().unwrap() > second.monotonic);
        assert!(second.frequency.abs() < 0.2);
    }

    #[test]
    fn a_glance_has_the_frequency_of_a_moment_ago() {
        let mut clock = MachineClock::open().unwrap();
        let now = clock.now().unwrap();
        let other = now.frequency + 0.25;
        clock.frequency_read = Some((other, now.monotonic + Span::from_secs(60)));
        assert_eq!(clock.glance().unwrap().frequency, other);
        assert!(clock.now().unwrap().frequency < other, "all clocks are read anew");
        clock.frequency_read = Some((other, now.monotonic - FREQUENCY_LASTS));
        assert!(clock.glance().unwrap().frequency < other, "not of a moment ago");
    }

    #[test]
    fn the_kernel_hears_of_leap_seconds_only() {
        let status = |leap| SyncStatus {
            synchronised: false,
            leap,
            max_error: Span::from_millis(3),
            est_error: Span::from_millis(2),
            tai_offset: Some(37),
        };
        let leaps = [
            LeapIndicator::NoWarning,
            LeapIndicator::Insert,
            LeapIndicator::Delete,
            LeapIndicator::Unsynchronised,
        ]
        .map(|leap| kernel_status(&status(leap)).leap);
        assert_eq!(
            leaps,
            [KernelLeap::None, KernelLeap::Insert, KernelLeap::Delete, KernelLeap::None]
        );
        assert_eq!(
            kernel_status(&status(LeapIndicator::NoWarning)),
            clock::SyncStatus {
                synchronised: false,
                leap: KernelLeap::None,
                max_error: Span::from_millis(3),
                estimated_error: Span::from_millis(2),
                tai_offset: Some(37),
            }
        );
    }
}
