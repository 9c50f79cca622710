//! Notes when this is built: no time before that can be the present.

use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let seconds = std::env::var("SOURCE_DATE_EPOCH").ok().unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or_else(|_| "0".to_owned(), |now| now.as_secs().to_string())
    });
    println!("cargo::rustc-env=TIMEBALL_BUILT={seconds}");
}
