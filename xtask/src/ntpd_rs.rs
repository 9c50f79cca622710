//! ntpd-rs, which Debian does not package: built once from crates.io, under `target/peers/`.

use std::fs;
use std::path::PathBuf;

use crate::shell::{Outcome, cargo, root, run};

/// The release that the tests are written against.
const VERSION: &str = "1.9.0";

/// Builds the daemon if it is not there. A machine that cannot is told so, and its tests skip.
pub(crate) fn build_if_missing() -> Outcome {
    if is_built() {
        println!("{VERSION} there, under {}", folder().display());
        return Ok(());
    }
    let built = run(cargo()
        .args(["install", "--locked", "--debug", "--force", "ntpd", "--version", VERSION])
        .args(["--bin", "ntp-daemon", "--no-default-features", "--features", "aws-lc,rustcrypto"])
        .arg("--root")
        .arg(folder())
        .env("CARGO_TARGET_DIR", scratch())
        .env("CARGO_PROFILE_DEV_DEBUG", "0"));
    if let Err(failure) = built {
        println!("SKIPPED: {failure}");
        println!("the tests with ntpd-rs will say so and skip");
    }
    // Some hundred megabytes that nobody needs again.
    match fs::remove_dir_all(scratch()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("cannot remove {}: {error}", scratch().display()).into())
        }
        _ => Ok(()),
    }
}

/// Cargo notes which versions it has installed.
fn is_built() -> bool {
    let noted = fs::read_to_string(folder().join(".crates.toml")).unwrap_or_default();
    noted.contains(&format!("\"ntpd {VERSION} ")) && folder().join("bin/ntp-daemon").exists()
}

fn folder() -> PathBuf {
    root().join("target/peers/ntpd-rs")
}

fn scratch() -> PathBuf {
    root().join("target/peers/ntpd-rs.build")
}
