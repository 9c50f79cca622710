//! Something that is on and off in turn: a busy queue, a virtual processor that others use.

use crate::noise::Stream;

/// Spells of both kinds are exponentially long. They are asked for in the order of time.
#[derive(Clone, Debug)]
pub(crate) struct Spells {
    stream: Stream,
    on: bool,
    /// When the present spell ends (s).
    until: f64,
}

impl Spells {
    /// Off at the start.
    pub(crate) fn new(stream: Stream) -> Self {
        // Time begins at the end of an on spell of no length.
        Self { stream, on: true, until: 0.0 }
    }

    /// How long (s) the spell that is on at `at` (s) still lasts; `None` while it is off. Spells of
    /// being off and on last `off` and `on` (s) on average.
    pub(crate) fn left(&mut self, at: f64, off: f64, on: f64) -> Option<f64> {
        while self.until <= at {
            self.on = !self.on;
            self.until += self.stream.exponential(if self.on { on } else { off });
        }
        self.on.then_some(self.until - at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_have_the_promised_share_and_length() {
        let mut spells = Spells::new(Stream::new(3, "spells"));
        let mut starts = 0.0;
        let mut length = 0.0;
        let mut before = None;
        for tenth in 0..1_000_000 {
            let left = spells.left(f64::from(tenth) / 10.0, 90.0, 10.0);
            if let (None, Some(left)) = (before, left) {
                starts += 1.0;
                length += left;
            }
            before = left;
        }
        // A spell is first seen a twentieth of a second after its start, on average.
        assert!((length / starts - 10.0).abs() < 1.0, "{}", length / starts);
        assert!((starts - 1000.0_f64).abs() < 100.0, "{starts}");
    }
}
