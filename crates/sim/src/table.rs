//! An outcome as text for people.

use std::fmt::Write;

use crate::outcome::{NodeOutcome, Outcome, Severity};

/// Lines of a node's log that are shown.
const LOG_LINES: usize = 12;

/// The outcome as a table, one row per node, followed by what an operator would have been warned of.
pub fn table(outcome: &Outcome) -> String {
    let header = [
        "node",
        "rms",
        "mean",
        "max",
        "99 %",
        "converged",
        "bound",
        "covered",
        "claimed",
        "sent",
        "received",
        "steps",
        "liars",
    ];
    let mut rows = vec![header.map(str::to_owned)];
    rows.extend(outcome.nodes.iter().map(row));
    let mut text = format!("{}\n", outcome.title);
    let _ = writeln!(
        text,
        "{} simulated, seed {}; errors from {} on\n",
        duration(outcome.duration),
        outcome.seed,
        duration(outcome.settled_after)
    );
    write_columns(&mut text, &rows);
    for node in &outcome.nodes {
        write_log(&mut text, node);
    }
    text
}

fn row(node: &NodeOutcome) -> [String; 13] {
    [
        node.name.clone(),
        time(node.error.rms),
        time(node.error.mean),
        time(node.error.max),
        time(node.error.p99),
        node.converged_after.map_or_else(|| "never".to_owned(), duration),
        time(node.bound.mean),
        percent(node.bound.covered),
        percent(node.bound.claimed),
        node.packets.sent.to_string(),
        node.packets.received.to_string(),
        node.steps.to_string(),
        node.liar_samples().to_string(),
    ]
}

fn write_columns<const N: usize>(text: &mut String, rows: &[[String; N]]) {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    for row in rows {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let width = width(column).unwrap_or(0);
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        let line: Vec<String> = cells.collect();
        let _ = writeln!(text, "{}", line.join("  ").trim_end());
    }
}

fn write_log(text: &mut String, node: &NodeOutcome) {
    let alarms: Vec<_> = node.alarms(Severity::Warning).collect();
    if alarms.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{}: {} warnings", node.name, alarms.len());
    for line in alarms.iter().take(LOG_LINES) {
        let _ = writeln!(text, "  {:>10}  {}", duration(line.at), line.text);
    }
    if alarms.len() > LOG_LINES {
        let _ = writeln!(text, "  … and {} more", alarms.len() - LOG_LINES);
    }
}

fn percent(share: f64) -> String {
    // 99.996 % must not read as "all".
    let shown = if share < 1.0 { (share * 1e4).floor() / 1e2 } else { 100.0 };
    format!("{shown:.2} %")
}

/// A small time with three digits and the unit that suits it.
pub(crate) fn time(seconds: f64) -> String {
    let magnitude = seconds.abs();
    let (scale, unit) = if magnitude == 0.0 || magnitude >= 1.0 {
        (1.0, "s")
    } else if magnitude >= 1e-3 {
        (1e3, "ms")
    } else if magnitude >= 1e-6 {
        (1e6, "us")
    } else {
        (1e9, "ns")
    };
    let scaled = seconds * scale;
    let digits = match scaled.abs() {
        x if x >= 100.0 => 0,
        x if x >= 10.0 => 1,
        _ => 2,
    };
    format!("{scaled:.digits$} {unit}")
}

/// A long time.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{:.1} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} d", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{BoundStatistics, ErrorStatistics, LogLine, Packets};

    #[test]
    fn times_keep_three_digits() {
        let cases = [(0.0, "0.00 s"), (1.5e-7, "150 ns"), (-2.345e-5, "-23.4 us"), (3.0, "3.00 s")];
        for (seconds, shown) in cases {
            assert_eq!(time(seconds), shown);
        }
    }

    #[test]
    fn almost_all_is_not_all() {
        assert_eq!(percent(0.999_999), "99.99 %");
        assert_eq!(percent(1.0), "100.00 %");
    }

    #[test]
    fn table_has_a_row_per_node_and_its_warnings() {
        let node = NodeOutcome {
            name: "client".into(),
            error: ErrorStatistics { samples: 9, rms: 12e-6, max: 1e-3, ..Default::default() },
            converged_after: None,
            bound: BoundStatistics { claimed: 0.5, covered: 1.0, mean: 2e-3, worst_excess: 0.0 },
            kernel_bound: BoundStatistics::default(),
            final_frequency_ppm: 0.0,
            packets: Packets { sent: 10, received: 8, served: 0 },
            steps: 1,
            all_steps: 1,
            liars_followed: [("198.18.1.3".to_owned(), 4)].into(),
            rejected: Default::default(),
            sources: Vec::new(),
            log: vec![LogLine { at: 5.0, severity: Severity::Warning, text: "ho".into() }],
            series: Vec::new(),
        };
        let outcome = Outcome {
            title: "Title".into(),
            seed: 3,
            duration: 3600.0,
            settled_after: 360.0,
            nodes: vec![node],
        };
        let expected = "\
Title
60.0 min simulated, seed 3; errors from 6.0 min on

node        rms    mean      max    99 %  converged    bound   covered  claimed  sent  received  steps  liars
client  12.0 us  0.00 s  1.00 ms  0.00 s      never  2.00 ms  100.00 %  50.00 %    10         8      1      4

client: 1 warnings
       5.0 s  ho
";
        assert_eq!(table(&outcome), expected);
    }
}
