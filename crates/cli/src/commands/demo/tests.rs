use super::*;
use crate::display::fixtures::{plain, starting, synchronised};

/// The sources of the demonstration in these states.
fn look(synchronised_clock: bool, states: [State; 3]) -> Look {
    let mut report = synchronised();
    report.tracking.synchronised = synchronised_clock;
    report.sources.truncate(3);
    for (source, state) in report.sources.iter_mut().zip(states) {
        source.state = state;
    }
    Look { report, after: Span::from_millis(2260) }
}

#[test]
fn it_ends_well_when_the_liar_and_nobody_else_is_found() {
    use State::{Combined, Falseticker, Outlier, Selected, Waiting};
    assert!(look(true, [Selected, Combined, Falseticker]).is_happy());
    assert!(!look(false, [Waiting, Waiting, Falseticker]).is_happy(), "not synchronised");
    assert!(!look(true, [Selected, Combined, Outlier]).is_happy(), "not found");
    assert!(!look(true, [Falseticker, Falseticker, Selected]).is_happy(), "fooled");
    assert!(!look(true, [Selected, Falseticker, Falseticker]).is_happy(), "slandered");
    assert!(!Look { report: starting(), after: Span::ZERO }.is_happy(), "just started");
}

#[test]
fn the_conclusion_names_the_liar_or_says_what_is_missing() {
    let happy = look(true, [State::Selected, State::Combined, State::Falseticker]);
    assert_eq!(
        plain(&happy.conclusion()),
        "\nSynchronised after 2.26 s: following ntp1.example and 1 other; this clock is off by \
         +12.3 µs ± 3.40 ms.\npool.example lies: others are closer together."
    );
    let unhappy = Look { report: starting(), after: PATIENCE };
    assert_eq!(
        plain(&unhappy.conclusion()),
        "\nNot done after 60.0 s. The daemon says: no selectable source."
    );
}
