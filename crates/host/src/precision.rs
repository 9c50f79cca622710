//! How finely the system clock can be read (RFC 5905 §7.3, "precision").

use std::io;

use timeball_wire::time::{Span, Timestamp};

use crate::clock::system_now;

/// The precision of the system clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Precision {
    /// The shortest time in which two readings differ: the resolution of the clock or the time it
    /// takes to read it, whichever is longer.
    pub span: Span,
    /// The same as the exponent of the nearest power of two seconds, as it travels in a packet.
    pub log2: i8,
}

/// How many readings are taken at most. A simulated clock may stand still while it is being read.
const READINGS: usize = 1000;
/// How many differences are enough.
const DIFFERENCES: usize = 100;
/// What a clock is taken for that never moved: the resolution of its interface.
const FINEST: Span = Span::from_nanos(1);

impl Precision {
    /// Reads the system clock up to a thousand times, and keeps the smallest difference.
    ///
    /// # Errors
    ///
    /// When the clock cannot be read.
    pub fn measure() -> io::Result<Self> {
        smallest_difference(system_now).map(Self::from_span)
    }

    fn from_span(span: Span) -> Self {
        let log2 = span.seconds().log2().round().clamp(-32.0, 0.0);
        Self { span, log2: log2 as i8 }
    }
}

fn smallest_difference(mut read: impl FnMut() -> io::Result<Timestamp>) -> io::Result<Span> {
    let mut smallest: Option<Span> = None;
    let mut differences = 0;
    let mut last = read()?;
    for _ in 0..READINGS {
        let now = read()?;
        let difference = now - last;
        last = now;
        // Zero is a clock coarser than this loop; negative, one that was stepped in between.
        if difference > Span::ZERO {
            smallest = Some(smallest.map_or(difference, |smallest| smallest.min(difference)));
            differences += 1;
        }
        if differences == DIFFERENCES {
            break;
        }
    }
    Ok(smallest.unwrap_or(FINEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(steps: &'static [i64]) -> impl FnMut() -> io::Result<Timestamp> {
        let mut now = 1_000_000_000_000;
        let mut steps = steps.iter().copied().cycle();
        move || {
            now += steps.next().unwrap_or(0);
            Ok(Timestamp::from_nanos(now))
        }
    }

    #[test]
    fn a_coarse_clock_is_as_precise_as_its_steps() {
        let span = smallest_difference(clock(&[0, 0, 0, 1000])).unwrap();
        assert_eq!(
            Precision::from_span(span),
            Precision { span: Span::from_nanos(1000), log2: -20 }
        );
    }

    #[test]
    fn a_step_back_is_no_precision() {
        let span = smallest_difference(clock(&[50, -3_000_000, 40, 3_000_000])).unwrap();
        assert_eq!(span, Span::from_nanos(40));
    }

    #[test]
    fn a_clock_that_stands_still_ends_the_measurement() {
        assert_eq!(smallest_difference(clock(&[0])).unwrap(), FINEST);
    }

    #[test]
    fn this_machine_has_a_precision() {
        let precision = Precision::measure().unwrap();
        println!("measured {precision:?}");
        assert!((-30..=-6).contains(&precision.log2), "{precision:?}");
    }
}
