//! Truechimers and falsetickers.

use super::candidate::Contender;
use super::intersection::Agreement;
use super::verdict::{Decision, State, Verdict, Verdicts};
use super::wording::{Measured, Others};

/// The contenders that are right if most of them are. If any is trusted, the trusted ones alone
/// decide, and the others must agree with them.
pub(super) fn find(
    contenders: &[Contender],
    verdicts: &mut Verdicts,
) -> Result<Vec<Contender>, Decision> {
    let (trusted, others): (Vec<_>, Vec<_>) =
        contenders.iter().partition(|contender| contender.options.trust);
    if trusted.is_empty() {
        return majority(&others, verdicts).map(|(truechimers, _)| truechimers);
    }
    let (mut truechimers, agreement) = majority(&trusted, verdicts).inspect_err(|_| {
        verdicts
            .keep_waiting(&others, "waits for the trusted sources, which contradict each other");
    })?;
    for other in others {
        if agreement.contains(other.view.offset) {
            truechimers.push(other);
        } else {
            let reason = outside(&other, &agreement, "interval of the trusted sources");
            verdicts.settle(other.source, Verdict::new(State::Untrusted, reason));
        }
    }
    truechimers.sort_by_key(|truechimer| truechimer.source);
    Ok(truechimers)
}

/// The strict majority of `contenders` and where they agree. It is not empty: where several separate
/// intervals have a majority each, any two of those share a source, which covers both intervals.
fn majority(
    contenders: &[Contender],
    verdicts: &mut Verdicts,
) -> Result<(Vec<Contender>, Agreement), Decision> {
    let candidates = contenders.len();
    let Some(agreement) = Agreement::find(contenders) else { return Err(Decision::NoneSelectable) };
    let (truechimers, falsetickers): (Vec<_>, Vec<_>) =
        contenders.iter().partition(|contender| agreement.is_covered_by(contender));
    if !agreement.is_majority_of(candidates) {
        for contender in contenders {
            let reason = contradiction(contender, contenders);
            verdicts.settle(contender.source, Verdict::new(State::Waiting, reason));
        }
        return Err(Decision::NoMajority { agreeing: agreement.sources, candidates });
    }
    for falseticker in falsetickers {
        let reason = outside(&falseticker, &agreement, "majority interval");
        verdicts.settle(falseticker.source, Verdict::new(State::Falseticker, reason));
    }
    Ok((truechimers, agreement))
}

/// How far a contender is off. Its offset is measured against the middle of the interval, which is
/// the best guess at the truth; its distance from the edge says little if the interval is wide.
fn outside(contender: &Contender, agreement: &Agreement, interval: &str) -> String {
    let off = Measured((contender.view.offset - agreement.centre()).abs());
    let half_width = Measured(agreement.half_width());
    if agreement.is_split && agreement.contains(contender.view.offset) {
        format!("{off} off, in one of several intervals that equally many agree on")
    } else {
        format!("{off} off, outside the {interval} of ±{half_width}")
    }
}

/// With how many a contender agrees when no majority does, and by how much it disagrees.
fn contradiction(contender: &Contender, contenders: &[Contender]) -> String {
    let others = contenders.len() - 1;
    let contradicting = contenders.iter().filter(|other| !contender.overlaps(other));
    let agreeing = others - contradicting.clone().count();
    let nearest = contradicting
        .map(|other| (other.view.offset - contender.view.offset).abs())
        .min_by(f64::total_cmp);
    match nearest {
        Some(nearest) => format!(
            "no majority: agrees with {agreeing} of {}; {} from the nearest that contradicts it",
            Others(others),
            Measured(nearest)
        ),
        None => {
            format!("no majority: agrees with all {}, which contradict each other", Others(others))
        }
    }
}
