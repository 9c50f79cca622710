//! Runs scenario files and prints their tables: `simulate FILE.toml…`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    for path in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&path)?;
        let scenario =
            timeball_sim::Scenario::from_toml(&text).map_err(|error| format!("{path}: {error}"))?;
        let outcome = timeball_sim::run(&scenario, scenario.seed, &mut |_| {})?;
        println!("{}", timeball_sim::table(&outcome));
    }
    Ok(())
}
