use timeball_sim::matrix::Figures;

use super::summary::Verdict;
use super::*;
use crate::display::fixtures::plain;

fn figures(rms: f64) -> Figures {
    Figures {
        rms,
        p99: 2.5 * rms,
        max: 4.0 * rms,
        converged_after: Some(23.0),
        bound: 10.0 * rms,
        covered: 1.0,
        requests: 431,
        liar_samples: 0,
    }
}

fn matrix() -> Matrix {
    let lan = Runs::from([(1, figures(5e-6)), (2, figures(6e-6)), (3, figures(7e-6))]);
    let wan = Runs::from([
        (1, Figures { covered: 0.98, ..figures(3e-4) }),
        (2, figures(4e-4)),
        (3, Figures { converged_after: None, ..figures(9e-4) }),
    ]);
    Matrix::from([("lan".into(), lan), ("wan".into(), wan)])
}

/// Twice the error with half as many requests, and one scenario less.
fn baseline() -> Matrix {
    let mut baseline = matrix();
    baseline.remove("wan");
    for run in baseline.values_mut().flat_map(BTreeMap::values_mut) {
        run.rms *= 2.0;
        run.requests /= 2;
    }
    baseline
}

#[test]
fn a_table_of_a_good_scenario_and_a_bad_one() {
    insta::assert_snapshot!(plain(&summary::text(&matrix(), &[1, 2, 3], Some(&baseline()))));
}

#[test]
fn without_a_baseline_nothing_is_compared() {
    let text = plain(&summary::text(&matrix(), &[7], None));
    assert!(text.starts_with("The matrix: 2 scenarios, seed 7\n"), "{text}");
    assert!(!text.contains('×') && !text.contains("baseline"), "{text}");
    let other = Matrix::from([("other".into(), Runs::new())]);
    let text = plain(&summary::text(&matrix(), &[7], Some(&other)));
    assert!(text.contains("it has none of these scenarios and seeds"), "{text}");
}

#[test]
fn bounds_that_fail_clocks_that_diverge_and_liars_are_a_no() {
    let well = Matrix::from([("lan".into(), Runs::from([(1, figures(1e-6))]))]);
    assert!(Verdict::of(&well).is_well());
    let with =
        |run: Figures| Matrix::from([("lan".into(), Runs::from([(1, figures(1e-6)), (2, run)]))]);
    let uncovered = with(Figures { covered: 0.98, ..figures(1e-6) });
    assert!((Verdict::of(&uncovered).covered - 0.99).abs() < 1e-12);
    assert!(!Verdict::of(&uncovered).is_well());
    let diverged = with(Figures { converged_after: None, ..figures(1e-6) });
    assert_eq!(Verdict::of(&diverged).diverged, [("lan", 2)]);
    assert!(!Verdict::of(&diverged).is_well());
    let deceived = with(Figures { liar_samples: 3, ..figures(1e-6) });
    assert_eq!(Verdict::of(&deceived).deceived, [("lan", 2)]);
    assert!(!Verdict::of(&deceived).is_well());
}

#[test]
fn what_is_saved_is_read_again() {
    let text = baseline::text(&matrix()).unwrap();
    assert_eq!(text.lines().count(), 6);
    assert_eq!(baseline::parse(&text), Ok(matrix()));
    let mistake = baseline::parse(&format!("{text}{{\"scenario\": 1}}\n")).unwrap_err();
    assert!(mistake.starts_with("line 7: invalid type"), "{mistake}");
}

#[test]
fn a_plot_shows_every_scenario_and_the_baseline() {
    let svg = plot::svg(&matrix(), Some(&baseline())).unwrap();
    for shown in ["lan", "wan", "claimed bound", "rms error of the baseline", "1.00 ms"] {
        assert!(svg.contains(shown), "no {shown}");
    }
    assert!(!plot::svg(&matrix(), None).unwrap().contains("baseline"));
    assert!(plot::svg(&Matrix::new(), None).unwrap().ends_with("</svg>\n"));
}

#[test]
fn scenarios_are_found_by_name_and_mistakes_named() {
    let folder = tempfile::tempdir().unwrap();
    let world = "title = \"t\"\nduration = \"1 h\"\n\
        node = [{ name = \"a\", server = [{ address = \"b\" }] }]\nserver = [{ name = \"b\" }]\n";
    for name in ["one.toml", "two.toml", "baseline.jsonl"] {
        std::fs::write(folder.path().join(name), world).unwrap();
    }
    let names = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        read_folder(folder.path(), &names, None)
            .map(|scenarios| scenarios.into_keys().collect::<Vec<_>>())
    };
    assert_eq!(names(&[]).unwrap(), ["one", "two"]);
    assert_eq!(names(&["two"]).unwrap(), ["two"]);
    let Err(Failure::Configuration(message)) = names(&["three"]) else { panic!("there is none") };
    assert!(message.contains("three.toml: cannot be read"), "{message}");
}
