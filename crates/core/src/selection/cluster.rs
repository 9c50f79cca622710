//! Which truechimers lie closest together? (RFC 5905 §11.2.2.)

use super::candidate::{Contender, SourceId};

/// So many are always left (NMIN of RFC 5905).
const FEWEST: usize = 3;

/// A survivor that was dropped, and how far it lay from the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Dropped {
    pub(super) source: SourceId,
    /// Root mean square distance (s) of its offset from those of the others.
    pub(super) selection_jitter: f64,
}

/// Drops the survivor with the largest selection jitter again and again, while more than three are
/// left and the sources differ by more than the noise of the quietest: as long as they do, what is
/// left gets better.
pub(super) fn drop_outliers(survivors: &mut Vec<Contender>) -> Vec<Dropped> {
    let mut dropped = Vec::new();
    while survivors.len() > FEWEST {
        let Some((worst, selection_jitter)) = worst(survivors) else { break };
        let quietest = survivors.iter().map(|s| s.view.jitter).fold(f64::INFINITY, f64::min);
        if selection_jitter <= quietest {
            break;
        }
        let source = survivors.remove(worst).source;
        dropped.push(Dropped { source, selection_jitter });
    }
    dropped
}

/// The survivor furthest from the others; of equally far ones that with the largest root distance.
fn worst(survivors: &[Contender]) -> Option<(usize, f64)> {
    survivors
        .iter()
        .enumerate()
        .map(|(index, survivor)| (index, survivor, selection_jitter(survivor, survivors)))
        .max_by(|(_, a, jitter_a), (_, b, jitter_b)| {
            let (distance_a, distance_b) = (a.view.root_distance(), b.view.root_distance());
            jitter_a
                .total_cmp(jitter_b)
                .then(distance_a.total_cmp(&distance_b))
                .then(a.source.cmp(&b.source))
        })
        .map(|(index, _, jitter)| (index, jitter))
}

fn selection_jitter(survivor: &Contender, survivors: &[Contender]) -> f64 {
    let squares: f64 =
        survivors.iter().map(|other| (other.view.offset - survivor.view.offset).powi(2)).sum();
    (squares / survivors.len().saturating_sub(1).max(1) as f64).sqrt()
}
