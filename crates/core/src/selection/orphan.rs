//! Servers that have only each other (`local orphan`): one of them leads.

use timeball_wire::ReferenceId;

use super::candidate::{Contender, Reach};
use super::verdict::{State, Verdict, Verdicts};

/// This machine among orphans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// The stratum at which it, and they, serve their own time.
    pub stratum: u8,
    /// What a server that follows this machine has as its reference ID.
    pub reference_id: ReferenceId,
}

/// Takes out those that have no time but their own, or take it from one that has not. If nobody else
/// is left, the orphan with the smallest reference ID stays, if that is not this machine.
pub(super) fn drop_orphans(
    orphan: &Orphan,
    contenders: &mut Vec<Contender>,
    verdicts: &mut Verdicts,
) {
    let (mut others, orphans): (Vec<_>, Vec<_>) =
        contenders.drain(..).partition(|contender| contender.stratum < orphan.stratum);
    let leader = orphans
        .iter()
        .filter(|other| other.stratum == orphan.stratum && other.reach == Reach::Reachable)
        .min_by_key(|other| rank(other.reference_id))
        .filter(|other| others.is_empty() && rank(other.reference_id) < rank(orphan.reference_id))
        .copied();
    for other in orphans.iter().filter(|other| Some(other.source) != leader.map(|l| l.source)) {
        let reason = match others.is_empty() {
            true => "has no time but its own, and does not lead those that have not",
            false => "has no time but its own",
        };
        verdicts.settle(other.source, Verdict::new(State::Orphan, reason));
    }
    others.extend(leader);
    *contenders = others;
}

fn rank(reference_id: ReferenceId) -> u32 {
    u32::from_be_bytes(reference_id.to_bytes())
}
