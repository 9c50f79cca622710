//! The report in the form that code scanning services read: SARIF 2.1.0 (OASIS).

use serde_json::{Value, json};

use super::finding::{FindingId, Severity};
use super::report::{Finding, HostReport, Report};

/// The report as a SARIF log with one run.
pub fn render(report: &Report) -> Value {
    let rules: Vec<Value> = FindingId::ALL.into_iter().map(rule).collect();
    let results: Vec<Value> = report
        .hosts
        .iter()
        .flat_map(|host| host.findings.iter().map(move |finding| result(host, finding)))
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "timeball audit",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "results": results,
        }],
    })
}

fn rule(id: FindingId) -> Value {
    let description = id.description();
    json!({
        "id": id.name(),
        "shortDescription": { "text": description.title },
        "fullDescription": { "text": format!("{}; {}", description.title, description.references.join(", ")) },
        "defaultConfiguration": { "level": level(description.severity) },
        "properties": { "security-severity": score(description.severity) },
    })
}

fn result(host: &HostReport, finding: &Finding) -> Value {
    let place = match host.address {
        std::net::IpAddr::V4(address) => format!("ntp://{address}:{}", host.port),
        std::net::IpAddr::V6(address) => format!("ntp://[{address}]:{}", host.port),
    };
    let index = FindingId::ALL.iter().position(|id| *id == finding.id);
    json!({
        "ruleId": finding.id.name(),
        "ruleIndex": index,
        "level": level(finding.severity),
        "message": { "text": format!(
            "{} {}. {}. {}", host.title(), finding.title, finding.evidence, finding.remedy
        ) },
        "locations": [{
            "physicalLocation": { "artifactLocation": { "uri": place } },
            "logicalLocations": [{ "fullyQualifiedName": place, "kind": "resource" }],
        }],
        "partialFingerprints": { "timeball/v1": format!("{place} {}", finding.id.name()) },
    })
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "note",
        Severity::Medium => "warning",
        Severity::High | Severity::Critical => "error",
    }
}

/// On the scale of CVSS, which those services sort by.
const fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "3.0",
        Severity::Medium => "5.5",
        Severity::High => "8.0",
        Severity::Critical => "9.5",
    }
}
