//! What is wrong with the keys of NTS that a host gives, or doesn't.

use super::super::finding::{FindingId, Severity};
use super::super::key_establishment::{CertificateFault, KeyReport, Seen};
use super::super::report::HostReport;
use super::Findings;

/// A certificate with less than this left will soon be over (s): two weeks, or of one that lasts shorter
/// a tenth of its time.
const SOON: u64 = 14 * 86_400;
const SOON_PART: u64 = 10;

/// The number of AEAD_AES_SIV_CMAC_256 (RFC 8915 §5.1).
const MANDATORY: u16 = 15;

/// Adds what a look at its port of key establishment has shown.
pub fn judge_keys(host: &mut HostReport, seen: Seen) {
    let mut findings = Findings { software: &host.software, found: Vec::new() };
    weigh(&seen, &mut findings);
    let found = findings.found;
    host.add_findings(found);
    host.nts_ke = Some(seen.report);
}

fn weigh(seen: &Seen, findings: &mut Findings<'_>) {
    let Seen { report, fault, now, .. } = seen;
    if let Some(fault) = fault {
        let severity = match fault {
            // On a private network that is as it should be.
            CertificateFault::UnknownIssuer
            | CertificateFault::OtherName { asked_by_address: true } => Severity::Low,
            CertificateFault::OtherName { asked_by_address: false }
            | CertificateFault::Over
            | CertificateFault::NotYet
            | CertificateFault::Invalid => Severity::Medium,
        };
        findings.add_as(FindingId::NtsCertificate, severity, evidence(report));
    } else if let Some(problem) = &report.problem {
        findings.add(FindingId::NtsNoKeys, problem.clone());
    }
    if fault.is_none()
        && let Some((first, last)) = seen.validity
    {
        let left = last.saturating_sub(*now);
        let soon = SOON.min(last.saturating_sub(first) / SOON_PART);
        if left < soon {
            let evidence = format!("valid for {} more hours", left / 3600);
            findings.add(FindingId::NtsCertificateEnds, evidence);
        }
    }
    if !report.algorithms.is_empty() && !report.algorithms.contains(&MANDATORY) {
        let numbers: Vec<String> = report.algorithms.iter().map(u16::to_string).collect();
        findings.add(FindingId::NtsMandatoryCipher, format!("ciphers {}", numbers.join(", ")));
    }
}

fn evidence(report: &KeyReport) -> String {
    let mut evidence = report.problem.clone().unwrap_or_default();
    if let (Some(from), Some(until)) = (&report.valid_from, &report.valid_until) {
        evidence.push_str(&format!("; valid from {from} until {until}"));
    }
    evidence
}
