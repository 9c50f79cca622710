use std::collections::BTreeMap;

use timeball_core::selection::State;
use timeball_sim::outcome::{BoundStatistics, ErrorStatistics, Packets, Point, SourceOutcome};

use super::*;
use crate::display::fixtures::plain;

fn run_of(nodes: Vec<NodeOutcome>) -> Run {
    Run { title: "Two machines".into(), seed: 7, duration: 7200.0, settled_after: 600.0, nodes }
}

fn node(name: &str, series: Vec<Point>) -> NodeOutcome {
    NodeOutcome {
        name: name.into(),
        error: ErrorStatistics {
            samples: 100,
            rms: 5.5e-6,
            max: 32e-6,
            p99: 17e-6,
            ..ErrorStatistics::default()
        },
        converged_after: Some(23.4),
        bound: BoundStatistics { claimed: 1.0, covered: 0.9991, mean: 208e-6, worst_excess: 0.0 },
        kernel_bound: BoundStatistics::default(),
        final_frequency_ppm: 0.01,
        packets: Packets { sent: 431, ..Packets::default() },
        steps: 0,
        all_steps: 1,
        liars_followed: BTreeMap::new(),
        rejected: BTreeMap::new(),
        sources: vec![SourceOutcome {
            name: "liar".into(),
            address: None,
            state: State::Falseticker,
            reason: "212.0 ms off".into(),
        }],
        log: Vec::new(),
        series,
    }
}

#[test]
fn an_account_of_a_good_node_a_bad_one_and_a_modest_one() {
    let bad = NodeOutcome {
        converged_after: None,
        bound: BoundStatistics { claimed: 0.5, covered: 0.5, mean: 1e-3, worst_excess: 2e-3 },
        liars_followed: BTreeMap::from([("192.0.2.1".into(), 12)]),
        sources: Vec::new(),
        ..node("bad", Vec::new())
    };
    let modest = NodeOutcome {
        bound: BoundStatistics::default(),
        sources: Vec::new(),
        ..node("modest", Vec::new())
    };
    let run = run_of(vec![node("good", Vec::new()), bad, modest]);
    insta::assert_snapshot!(plain(&account(&run)));
}

#[test]
fn a_plot_has_a_picture_for_every_node() {
    let point = |at: f64, bound| Point { at, least: -1e-6, greatest: 2e-6, bound };
    let series = vec![
        point(0.0, None),
        point(700.0, Some(1e-5)),
        point(1400.0, None),
        point(2100.0, Some(2e-5)),
        point(2800.0, Some(2e-5)),
    ];
    let svg = plot::svg(&run_of(vec![node("a", series), node("b", Vec::new())])).unwrap();
    assert!(svg.contains("Two machines: a, seed 7") && svg.contains("Two machines: b, seed 7"));
    assert!(svg.contains("true time since the start, minutes"));
    assert_eq!(svg.matches("reported bound").count(), 1, "one legend, where there is a bound");
    assert!(svg.ends_with("</svg>\n"), "{}", &svg[svg.len() - 20..]);
}
