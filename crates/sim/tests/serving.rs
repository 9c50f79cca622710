//! What clients get from a server that is its own reference, or whose time is smoothed.
#![allow(clippy::expect_used, reason = "a failed test panics")]

mod common;

use std::collections::BTreeMap;

use common::parse;
use timeball_sim::run_watched;
use timeball_wire::ReferenceId;

/// What a node said and was at one moment.
#[derive(Clone, Copy, Debug)]
struct Moment {
    /// System clock minus true time (s).
    error: f64,
    stratum: u8,
    reference_id: ReferenceId,
}

/// Runs a world and hands out what was at every minute, by node.
fn by_minute(text: &str) -> BTreeMap<String, Vec<Moment>> {
    let scenario = parse(text);
    let mut minutes: BTreeMap<String, Vec<Moment>> = BTreeMap::new();
    run_watched(&scenario, 1, &mut |_| {}, &mut |look| {
        let Some(report) = look.report else { return };
        let moments = minutes.entry(look.node.to_owned()).or_default();
        if look.at >= 60.0 * moments.len() as f64 {
            let (stratum, reference_id) = (report.tracking.stratum, report.tracking.reference_id);
            moments.push(Moment { error: look.error, stratum, reference_id });
        }
    })
    .expect("the world runs");
    minutes
}

const LOCAL: ReferenceId = ReferenceId::from_bytes([127, 127, 1, 1]);

#[test]
fn an_isolated_server_is_its_own_reference() {
    let world = by_minute(
        r#"
title = "island"
duration = "30 min"
[[node]]
name = "island"
offset = "5 s"
local = { stratum = 10, wait-unsynchronised = "300 s" }
serve = { allow = ["0.0.0.0/0"] }
[[node]]
name = "client"
server = [{ address = "island", iburst = true }]
"#,
    );
    let (island, client) = (&world["island"], &world["client"]);
    assert_eq!((island[4].stratum, island[4].reference_id), (16, ReferenceId::NONE), "it waits");
    assert_eq!((island[6].stratum, island[6].reference_id), (10, LOCAL));
    let last = client.last().expect("a moment");
    assert_eq!(last.stratum, 11);
    assert!((last.error - 5.0).abs() < 0.05, "the island's time is the time: {last:?}");
}

#[test]
fn a_server_that_has_lost_its_sources_becomes_its_own_reference_when_it_is_too_far_off() {
    let world = by_minute(
        r#"
title = "lost"
duration = "2 h"
[[server]]
name = "true"
[[node]]
name = "lost"
clock = { wander = "1000 ppm" }
local = { stratum = 8, distance = "500 ms" }
server = [{ address = "true", minpoll = 4, maxpoll = 4 }]
[[link]]
between = ["*", "*"]
both = { outages = [{ from = "30 min", to = "60 min" }] }
"#,
    );
    let lost = &world["lost"];
    assert_eq!(lost[0].reference_id, LOCAL, "nothing to wait for");
    assert_eq!(lost[29].stratum, 2);
    // 500 s after the last measurement, at 1000 ppm and a bit.
    assert_eq!(lost[37].stratum, 2);
    assert_eq!((lost[39].stratum, lost[39].reference_id), (8, LOCAL));
    assert_eq!(lost[70].stratum, 2, "back");
}

#[test]
fn of_several_orphans_one_leads_and_all_keep_together() {
    let node = |own: &str, offset: &str, others: [&str; 2]| {
        let [a, b] = others;
        format!(
            r#"
[[node]]
name = "{own}"
offset = "{offset}"
clock = {{ step-threshold = 0.001 }}
local = {{ stratum = 5, orphan = true }}
serve = {{ allow = ["0.0.0.0/0"] }}
server = [{{ address = "{own}", maxpoll = 6 }}, {{ address = "{a}", maxpoll = 6 }}, {{ address = "{b}", maxpoll = 6 }}]
"#
        )
    };
    let text = format!(
        "title = \"orphans\"\nduration = \"1 h\"\n{}{}{}",
        node("ann", "0 s", ["bob", "cid"]),
        node("bob", "300 ms", ["ann", "cid"]),
        node("cid", "-200 ms", ["ann", "bob"]),
    );
    let world = by_minute(&text);
    let last: Vec<Moment> =
        ["ann", "bob", "cid"].map(|name| *world[name].last().expect("a moment")).to_vec();
    let mut strata: Vec<u8> = last.iter().map(|moment| moment.stratum).collect();
    strata.sort_unstable();
    assert_eq!(strata, [5, 6, 6], "{last:?}");
    let together = last.iter().all(|moment| (moment.error - last[0].error).abs() < 1e-3);
    assert!(together, "{last:?}");
}

#[test]
fn a_smoothed_server_spares_its_clients_a_jump() {
    let text = |serve: &str| {
        format!(
            r#"
title = "smoothed"
duration = "3 h"
[[server]]
name = "true"
lies = [{{ during = {{ from = "1 h" }}, offset = "50 ms" }}]
[[node]]
name = "server"
oscillator = {{ frequency = "10 ppm" }}
server = [{{ address = "true", minpoll = 4, maxpoll = 4 }}]
serve = {{ {serve} }}
[[node]]
name = "client"
oscillator = {{ frequency = "-20 ppm" }}
server = [{{ address = "server", minpoll = 4, maxpoll = 4 }}]
"#
        )
    };
    let limits = "smoothing = { max-frequency = \"20 ppm\", max-wander = \"0.1 ppm\" }";
    let smoothed = by_minute(&text(&format!("allow = [\"0.0.0.0/0\"], {limits}")));
    let plain = by_minute(&text("allow = [\"0.0.0.0/0\"]"));
    // 50 ms at 20 ppm are 2500 s, and 200 s to get there and back.
    let after = |world: &BTreeMap<String, Vec<Moment>>, node: &str, minutes: usize| {
        world[node][60 + minutes]
    };
    for node in ["server", "client"] {
        assert!((after(&plain, node, 5).error - 0.05).abs() < 1e-3, "{node}");
    }
    assert!((after(&smoothed, "server", 5).error - 0.05).abs() < 1e-3, "the server itself jumps");
    let half = after(&smoothed, "client", 23);
    assert!((0.02..0.03).contains(&half.error), "{half:?}");
    let served = after(&smoothed, "client", 60);
    assert!((served.error - 0.05).abs() < 1e-3, "{served:?}");
}
