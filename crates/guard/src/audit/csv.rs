//! A table for spreadsheets: one line for each finding, and one for each host without any.

use super::report::{HostReport, Report};

const HEADER: &str = "address,name,port,grade,software,version,stratum,offset,finding,severity,title,evidence,remedy";

/// The report as RFC 4180 has it.
pub fn render(report: &Report) -> String {
    let mut text = format!("{HEADER}\r\n");
    for host in &report.hosts {
        let start = host_columns(host);
        if host.findings.is_empty() {
            push_line(&mut text, start.iter().chain(&vec![String::new(); 5]));
        }
        for finding in &host.findings {
            let end = [
                finding.id.name().to_owned(),
                finding.severity.name().to_owned(),
                finding.title.clone(),
                finding.evidence.clone(),
                finding.remedy.clone(),
            ];
            push_line(&mut text, start.iter().chain(&end));
        }
    }
    text
}

fn host_columns(host: &HostReport) -> [String; 8] {
    let time = host.time.as_ref();
    [
        host.address.to_string(),
        host.name.clone().unwrap_or_default(),
        host.port.to_string(),
        host.grade.letter().to_string(),
        host.software.implementation.name().to_owned(),
        host.software.version.clone().unwrap_or_default(),
        time.map(|time| time.stratum.to_string()).unwrap_or_default(),
        time.and_then(|time| time.offset).map(|offset| format!("{offset:.6}")).unwrap_or_default(),
    ]
}

fn push_line<'a>(text: &mut String, fields: impl Iterator<Item = &'a String>) {
    for (column, field) in fields.enumerate() {
        if column > 0 {
            text.push(',');
        }
        text.push_str(&quoted(field));
    }
    text.push_str("\r\n");
}

/// In quotes where it must be. What a spreadsheet would take for a formula gets an apostrophe: servers
/// choose these texts.
fn quoted(field: &str) -> String {
    let is_number = field.parse::<f64>().is_ok();
    let is_formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_number;
    let field = if is_formula { format!("'{field}") } else { field.to_owned() };
    if field.contains([',', '"', '\r', '\n']) {
        return format!("\"{}\"", field.replace('"', "\"\""));
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        for (field, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"no\"", "\"say \"\"no\"\"\""),
            ("=1+1", "'=1+1"),
            ("-0.000001", "-0.000001"),
            ("+0.5 s, wrong", "\"'+0.5 s, wrong\""),
        ] {
            assert_eq!(quoted(field), expected);
        }
    }
}
