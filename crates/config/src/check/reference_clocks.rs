//! Reference clocks: what each needs, and that they do not get into each other's way.

use timeball_core::reference_clock::{Driver, Settings, TimeScale};

use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::places::{Places, Scope};

const TABLE: &str = "reference-clock";

pub(crate) fn check(config: &Config, places: &Places, findings: &mut Vec<Diagnostic>) {
    let clocks = &config.engine.reference_clocks;
    for (index, clock) in clocks.iter().enumerate() {
        let scope = Scope::Item(TABLE, index);
        driver(clock, scope, places, findings);
        time_scale(config, clock, scope, places, findings);
        let twin = |other: &Settings| other.reference_id == clock.reference_id;
        if let Some(first) = clocks.iter().take(index).position(twin) {
            findings.push(
                Diagnostic::warning(format!(
                    "there is already a reference clock `{}`",
                    clock.reference_id.display(0)
                ))
                .at(places.nearest(scope, &["reference-id"]))
                .related(places.nearest(Scope::Item(TABLE, first), &["reference-id"]), "first here")
                .help("reference clocks are told apart by their reference IDs: give it another"),
            );
        }
        let same = |other: &Settings| is_same(&other.driver, &clock.driver);
        if clocks.iter().take(index).any(same) {
            findings.push(
                Diagnostic::warning(format!("the {} has another reader already", clock.driver))
                    .at(places.nearest(scope, &["unit", "path", "driver"]))
                    .help("each sample is taken by one of the two only: remove the other"),
            );
        }
    }
}

fn is_same(one: &Driver, other: &Driver) -> bool {
    match (one, other) {
        (Driver::SharedMemory { unit: one, .. }, Driver::SharedMemory { unit: other, .. }) => {
            one == other
        }
        (Driver::Socket { path: one }, Driver::Socket { path: other }) => one == other,
        (Driver::SharedMemory { .. }, Driver::Socket { .. })
        | (Driver::Socket { .. }, Driver::SharedMemory { .. }) => false,
    }
}

/// Keys of one driver say nothing to the other.
fn driver(clock: &Settings, scope: Scope, places: &Places, findings: &mut Vec<Diagnostic>) {
    let foreign: &[&str] = match &clock.driver {
        Driver::SharedMemory { .. } => &["path"],
        Driver::Socket { path } => {
            if path.as_os_str().is_empty() {
                findings.push(
                    Diagnostic::error("the socket of this reference clock has no `path`")
                        .at(places.nearest(scope, &["driver"]))
                        .help("add a line such as\npath = \"/run/timeball/gps.sock\""),
                );
            }
            &["unit", "permissions"]
        }
    };
    for name in foreign.iter().filter(|name| places.key(scope, name).is_some()) {
        findings.push(
            Diagnostic::warning(format!("`{name}` has no effect: the driver is another"))
                .at(places.key(scope, name))
                .related(places.value(scope, "driver"), "chosen here")
                .help("remove it, or choose the other driver"),
        );
    }
}

fn time_scale(
    config: &Config,
    clock: &Settings,
    scope: Scope,
    places: &Places,
    findings: &mut Vec<Diagnostic>,
) {
    let table =
        config.clock.leap_seconds_list.is_some() || config.clock.leap_seconds_zone.is_some();
    if clock.time_scale == TimeScale::Tai && !table {
        findings.push(
            Diagnostic::error("nothing tells how many seconds TAI is ahead of UTC")
                .at(places.nearest(scope, &["time-scale"]))
                .help(
                    "name a list of leap seconds: `leap-seconds-list` of [clock], or `leapseclist` \
                     or `leapsectz` in chrony.conf",
                ),
        );
    }
}
