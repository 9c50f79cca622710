//! Offsets that cannot be true.

use super::MaxChange;

/// Counts the offsets that were larger than anything believable.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ChangeGuard {
    ignored: u32,
}

/// What to do about an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    /// It may be true.
    Believe,
    /// It is forgotten.
    Ignore,
    /// There were too many of them: somebody has to look.
    GiveUp,
}

impl ChangeGuard {
    /// Judges a `change` (s) of the clock that comes after so many `updates`.
    pub(super) fn judge(&mut self, limit: &MaxChange, change: f64, updates: u64) -> Ruling {
        if updates < u64::from(limit.start) || change.abs() <= limit.threshold {
            return Ruling::Believe;
        }
        if limit.ignore.is_some_and(|patience| self.ignored >= patience) {
            return Ruling::GiveUp;
        }
        self.ignored = self.ignored.saturating_add(1);
        Ruling::Ignore
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_changes_are_ignored_so_often_and_not_once_more() {
        let limit = MaxChange { threshold: 0.1, start: 1, ignore: Some(2) };
        let mut guard = ChangeGuard::default();
        let rulings = [(5.0, 0), (0.1, 1), (-0.2, 1), (0.0, 1), (0.2, 2), (0.2, 2)]
            .map(|(change, updates)| guard.judge(&limit, change, updates));
        let (believe, ignore) = (Ruling::Believe, Ruling::Ignore);
        assert_eq!(rulings, [believe, believe, ignore, believe, ignore, Ruling::GiveUp]);
    }

    #[test]
    fn patience_may_have_no_end() {
        let limit = MaxChange { threshold: 0.1, start: 0, ignore: None };
        let mut guard = ChangeGuard::default();
        assert!((0..1000).all(|_| guard.judge(&limit, 1.0, 0) == Ruling::Ignore));
    }
}
