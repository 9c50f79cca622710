//! What a host does about a client that asks too often.

use super::super::answer::{Answer, Content};
use super::super::finding::FindingId;
use super::super::probe::Probe;
use super::super::report::{RateLimit, RateReport};
use super::Findings;
use super::time::is_kiss;

/// What became of a burst; `None` if there was none.
pub(super) fn rate_report(answers: &[Answer]) -> Option<RateReport> {
    let burst: Vec<&Answer> =
        answers.iter().filter(|answer| answer.probe == Probe::Burst).collect();
    if burst.is_empty() {
        return None;
    }
    let kisses: Vec<String> = burst
        .iter()
        .filter_map(|answer| match &answer.content {
            Content::Time(time) if is_kiss(time) => {
                Some(time.header.reference_id.kiss_code().to_string())
            }
            _ => None,
        })
        .collect();
    let is_time =
        |answer: &&Answer| matches!(&answer.content, Content::Time(time) if !is_kiss(time));
    let times = burst.iter().copied().filter(|answer| is_time(answer)).count();
    let silences = burst.iter().filter(|answer| answer.packets == 0).count();
    let limit = match (kisses.len(), silences) {
        (0, 0) => RateLimit::None,
        (0, _) => RateLimit::Silence,
        (_, 0) => RateLimit::Kisses,
        (_, _) => RateLimit::KissesAndSilence,
    };
    let (_, interval) = Probe::BURST;
    Some(RateReport {
        limit,
        requests: burst.len(),
        interval: interval.seconds(),
        times,
        kisses: kisses.len(),
        before_limit: burst.iter().copied().take_while(is_time).count(),
        kiss_codes: {
            let mut codes = kisses;
            codes.sort();
            codes.dedup();
            codes
        },
    })
}

/// A limit that answers all the same is none.
pub(super) fn weigh_rate(rate: &RateReport, findings: &mut Findings<'_>) {
    if rate.limit == RateLimit::Kisses {
        let evidence = format!(
            "{} requests {} s apart: {} times and {} kisses-o'-death ({}), never silence",
            rate.requests,
            rate.interval,
            rate.times,
            rate.kisses,
            rate.kiss_codes.join(", ")
        );
        findings.add(FindingId::RateKisses, evidence);
    }
}
