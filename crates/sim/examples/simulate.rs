//! Runs scenario files and prints their tables: `simulate [--seed=N] [--samples] FILE.toml…`.
//! `--samples` writes every look at every node to standard error.

use std::error::Error;

use timeball_sim::{Look, Scenario, run_watched, table};

fn main() -> Result<(), Box<dyn Error>> {
    let (flags, paths): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let samples = flags.iter().any(|flag| flag == "--samples");
    let seed = flags.iter().find_map(|flag| flag.strip_prefix("--seed=")).map(str::parse);
    let seed: Option<u64> = seed.transpose()?;
    for path in paths {
        let text = std::fs::read_to_string(&path)?;
        let scenario = Scenario::from_toml(&text).map_err(|error| format!("{path}: {error}"))?;
        let watch = |look: &Look<'_>| {
            if samples {
                show(look);
            }
        };
        let seed = seed.unwrap_or(scenario.seed);
        let outcome = run_watched(&scenario, seed, &mut |_| {}, &mut { watch })?;
        println!("{}", table(&outcome));
    }
    Ok(())
}

fn show(look: &Look<'_>) {
    let Some(report) = look.report else { return };
    let tracking = &report.tracking;
    eprint!(
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
        eprint!(
            " | {} {} {:+.9} ± {:.9} poll {} n {}",
            source.name,
            source.state,
            source.offset.unwrap_or(f64::NAN),
            source.offset_bound.unwrap_or(f64::NAN),
            source.poll,
            source.samples,
        );
    }
    eprintln!();
}
