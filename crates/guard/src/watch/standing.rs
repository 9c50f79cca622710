//! How a subject stands: a change counts when so many looks in a row agree on it.

use serde::{Deserialize, Serialize};

use super::alert::Event;
use super::finding::{Condition, Finding, Verdict};

/// Wall-clock time, for people and for files.
pub type Time = jiff::Timestamp;

/// How a subject stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    confirmed: Option<Confirmed>,
    candidate: Option<Candidate>,
}

/// What has been confirmed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confirmed {
    /// How it is.
    pub condition: Condition,
    /// Whether it should be.
    pub verdict: Verdict,
    /// What the latest look that agrees says.
    pub detail: String,
    /// When it was first seen so.
    pub since: Time,
}

/// What looks have seen since, and does not count yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Candidate {
    to_be: Confirmed,
    looks: u32,
}

/// A confirmed change, worth an alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What kind of change it is.
    pub event: Event,
    /// How it was before.
    pub was: Option<Condition>,
}

impl Confirmed {
    fn agrees(&self, finding: &Finding) -> bool {
        (&self.condition, self.verdict) == (&finding.condition, finding.verdict)
    }
}

impl Standing {
    /// What has been confirmed, if anything has.
    pub fn confirmed(&self) -> Option<&Confirmed> {
        self.confirmed.as_ref()
    }

    /// Whether the last look has agreed with what is confirmed.
    pub fn is_settled(&self) -> bool {
        self.confirmed.is_some() && self.candidate.is_none()
    }

    /// Takes what a look has found; `confirmations` in a row make it count. What is as expected and
    /// was so before, or was never seen otherwise, is no change that anybody has to know of.
    pub fn take(&mut self, finding: &Finding, at: Time, confirmations: u32) -> Option<Change> {
        if let Some(confirmed) = self.confirmed.as_mut().filter(|known| known.agrees(finding)) {
            confirmed.detail.clone_from(&finding.detail);
            self.candidate = None;
            return None;
        }
        let candidate = match self.candidate.take() {
            Some(Candidate { to_be, looks }) if to_be.agrees(finding) => Candidate {
                to_be: Confirmed { detail: finding.detail.clone(), ..to_be },
                looks: looks.saturating_add(1),
            },
            _ => {
                let Finding { condition, verdict, detail, .. } = finding.clone();
                Candidate { to_be: Confirmed { condition, verdict, detail, since: at }, looks: 1 }
            }
        };
        if candidate.looks < confirmations {
            self.candidate = Some(candidate);
            return None;
        }
        let before = self.confirmed.replace(candidate.to_be);
        let event = match (before.as_ref().map(|before| before.verdict), finding.verdict) {
            (None | Some(Verdict::AsExpected), Verdict::AsExpected) => return None,
            (None | Some(Verdict::AsExpected), Verdict::Wrong) => Event::Violated,
            (Some(Verdict::Wrong), Verdict::Wrong) => Event::Changed,
            (Some(Verdict::Wrong), Verdict::AsExpected) => Event::Recovered,
        };
        Some(Change { event, was: before.map(|before| before.condition) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDED: u32 = 3;

    fn at(second: i64) -> Time {
        Time::from_second(1_800_000_000 + second).unwrap()
    }

    fn finding(condition: Condition) -> Finding {
        let verdict = match condition {
            Condition::Closed | Condition::Unreachable => Verdict::AsExpected,
            _ => Verdict::Wrong,
        };
        Finding { condition, verdict, detail: String::new(), offset: None }
    }

    /// What comes of these conditions, seen one after the other, a second apart.
    fn events(standing: &mut Standing, seen: &[Condition]) -> Vec<(usize, Event)> {
        let changes = seen.iter().enumerate().filter_map(|(index, condition)| {
            let second = i64::try_from(index).unwrap();
            let change = standing.take(&finding(condition.clone()), at(second), NEEDED)?;
            Some((index, change.event))
        });
        changes.collect()
    }

    #[test]
    fn only_so_many_looks_in_a_row_change_anything() {
        use Condition::{Closed, Open};
        let mut standing = Standing::default();
        assert_eq!(events(&mut standing, &[Closed, Closed, Open, Closed, Closed]), []);
        assert_eq!(standing.confirmed(), None);
        assert_eq!(events(&mut standing, &[Closed, Open, Open, Closed, Open, Open]), []);
        assert_eq!(standing.confirmed().unwrap().condition, Closed);
        assert!(!standing.is_settled());
        assert_eq!(events(&mut standing, &[Open, Open]), [(0, Event::Violated)]);
        assert!(standing.is_settled());
    }

    #[test]
    fn every_way_from_one_condition_to_another() {
        use Condition::{Closed, Open, OpenOrFiltered, Unreachable};
        let mut standing = Standing::default();
        let mut three = |condition: Condition| events(&mut standing, &vec![condition; 3]);
        assert_eq!(three(Open), [(2, Event::Violated)], "wrong from the start");
        assert_eq!(three(OpenOrFiltered), [(2, Event::Changed)]);
        assert_eq!(three(Closed), [(2, Event::Recovered)]);
        assert_eq!(three(Unreachable), [], "another way of being as expected");
        assert_eq!(three(Open), [(2, Event::Violated)]);
        assert_eq!(three(Open), []);
    }

    #[test]
    fn since_is_when_it_was_first_seen_and_was_is_what_was_confirmed() {
        use Condition::{Closed, Filtered, Open};
        let mut standing = Standing::default();
        events(&mut standing, &[Closed, Closed, Closed]);
        let mut change = None;
        for (second, condition) in [(10, Filtered), (11, Open), (12, Open), (13, Open)] {
            change = standing.take(&finding(condition), at(second), NEEDED);
        }
        assert_eq!(change, Some(Change { event: Event::Violated, was: Some(Closed) }));
        assert_eq!(standing.confirmed().unwrap().since, at(11));
    }

    #[test]
    fn another_expectation_of_the_same_condition_is_a_change() {
        let mut standing = Standing::default();
        events(&mut standing, &[Condition::Open, Condition::Open, Condition::Open]);
        let good = Finding { verdict: Verdict::AsExpected, ..finding(Condition::Open) };
        let changes: Vec<_> = (0..3).filter_map(|s| standing.take(&good, at(s), NEEDED)).collect();
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].event, Event::Recovered);
    }

    #[test]
    fn one_confirmation_is_no_wait() {
        let mut standing = Standing::default();
        let change = standing.take(&finding(Condition::Open), at(0), 1);
        assert_eq!(change, Some(Change { event: Event::Violated, was: None }));
    }
}
