//! Which survivor lends its stratum and root values, and when is it another's turn?

use std::collections::BTreeMap;

use super::Settings;
use super::candidate::{Contender, SourceId};

/// The lead at which a challenger takes over.
const DECISIVE_LEAD: f64 = 3.0;
/// What one round can add to a lead at most: nobody takes over in less than three rounds.
const LARGEST_GAIN: f64 = 1.0;

/// The system peer and how close others are to taking its place.
///
/// A clock that follows now this, now that of two equally good servers takes over their difference
/// each time (clock hopping). So the peer stays until another has been better for several rounds.
#[derive(Clone, Debug, Default)]
pub(super) struct SystemPeer {
    source: Option<SourceId>,
    leads: BTreeMap<SourceId, f64>,
}

impl SystemPeer {
    /// How close a source is to taking the place of the system peer: 1 not at all, 20 and it does.
    pub(super) fn score(&self, source: SourceId) -> f64 {
        self.leads.get(&source).copied().unwrap_or(0.0).exp()
    }

    /// True once there was one.
    pub(super) fn is_chosen(&self) -> bool {
        self.source.is_some()
    }

    /// Chooses among `survivors`; `None` without any.
    pub(super) fn choose(
        &mut self,
        survivors: &[Contender],
        settings: &Settings,
    ) -> Option<SourceId> {
        let lowest_stratum = survivors.iter().map(|s| s.stratum).min()?;
        let distance = |s: &Contender| {
            let strata = f64::from(s.stratum - lowest_stratum);
            s.view.root_distance() + strata * settings.stratum_weight
        };
        let nearest = |candidates: &mut dyn Iterator<Item = &Contender>| {
            candidates
                .min_by(|a, b| distance(a).total_cmp(&distance(b)).then(a.source.cmp(&b.source)))
                .map(|s| s.source)
        };
        let incumbent = survivors.iter().find(|s| Some(s.source) == self.source);
        let Some(incumbent) = incumbent else {
            self.leads.clear();
            self.source = nearest(&mut survivors.iter());
            return self.source;
        };

        let mut leads = BTreeMap::new();
        for challenger in survivors.iter().filter(|s| s.source != incumbent.source) {
            let mut lead = self.leads.get(&challenger.source).copied().unwrap_or(0.0);
            if challenger.updated || incumbent.updated {
                let handicapped = distance(challenger) + settings.reselect_distance;
                let gain = (distance(incumbent) / handicapped.max(f64::MIN_POSITIVE)).ln();
                lead = (lead + gain.min(LARGEST_GAIN)).max(0.0);
            }
            leads.insert(challenger.source, lead);
        }
        self.leads = leads;
        let mut winners = survivors
            .iter()
            .filter(|s| self.leads.get(&s.source).is_some_and(|lead| *lead >= DECISIVE_LEAD));
        if let Some(winner) = nearest(&mut winners) {
            self.leads.clear();
            self.source = Some(winner);
        }
        self.source
    }
}
