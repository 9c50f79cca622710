//! Every look at every node of a scenario, one line each, for those who want to know when and why
//! something happened: `samples FILE.toml [SEED]`. `timeball sim` prints what it comes to.

use std::error::Error;

use timeball_sim::{Look, Scenario, run_watched};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: samples FILE.toml [SEED]")?;
    let text = std::fs::read_to_string(&path)?;
    let scenario = Scenario::from_toml(&text).map_err(|error| format!("{path}: {error}"))?;
    let seed = match arguments.next() {
        Some(seed) => seed.parse()?,
        None => scenario.seed,
    };
    let outcome = run_watched(&scenario, seed, &mut |_| {}, &mut show)?;
    for node in &outcome.nodes {
        for line in &node.log {
            println!("{} {:.1} {:?}: {}", node.name, line.at, line.severity, line.text);
        }
    }
    Ok(())
}

fn show(look: &Look<'_>) {
    let Some(report) = look.report else { return };
    let tracking = &report.tracking;
    print!(
        "{} {:.1} error {:+.9} {} offset {:+.9} bound {:.9} frequency {:+.4} kernel {:+.4}",
        look.node,
        look.at,
        look.error,
        if tracking.synchronised { "ok" } else { "--" },
        tracking.offset.unwrap_or(f64::NAN),
        tracking.offset_bound.unwrap_or(f64::NAN),
        tracking.frequency_ppm,
        tracking.kernel_frequency_ppm,
    );
    for source in &report.sources {
        print!(
            " | {} {} {:+.9} ± {:.9} poll {} n {}",
            source.name,
            source.state,
            source.offset.unwrap_or(f64::NAN),
            source.offset_bound.unwrap_or(f64::NAN),
            source.poll,
            source.samples,
        );
    }
    println!();
}
