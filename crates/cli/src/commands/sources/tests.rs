use super::*;
use crate::display::fixtures::{authenticated, plain, synchronised};

#[test]
fn a_source_of_every_kind() {
    insta::assert_snapshot!(plain(&overview(&synchronised(), None)));
}

#[test]
fn every_source_explained() {
    insta::assert_snapshot!(plain(&explanations(&synchronised())));
}

#[test]
fn sources_that_prove_who_they_are() {
    let report = authenticated();
    insta::assert_snapshot!(plain(&overview(&report, None)));
    let story = plain(&story(&report.sources[1]).render(""));
    let said = "authentication   NTS, no keys; 2 attempts to get new ones failed: TLS: invalid";
    assert!(story.contains(said), "{story}");
}

#[test]
fn no_sources_at_all() {
    assert_eq!(overview(&Report::default(), None), "No sources are configured.\n");
}

#[test]
fn options_are_named() {
    let mut report = synchronised().sources.remove(2);
    assert_eq!(options(&report).as_deref(), Some("from a pool"));
    report.options.prefer = true;
    report.options.require = true;
    assert_eq!(options(&report).as_deref(), Some("from a pool, prefer, require"));
}
