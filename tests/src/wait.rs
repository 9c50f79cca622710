//! Waiting for what other processes do.

use std::time::{Duration, Instant};

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(100);

/// Looks until there is something to see; until then a look returns how things stand.
///
/// # Panics
/// When `limit` has passed, with how things stood at the last look.
pub fn until<T>(what: &str, limit: Duration, look: impl FnMut() -> Result<T, String>) -> T {
    until_every(INTERVAL, what, limit, look)
}

/// As [`until`], with this much time between two looks: some do not like to be looked at too often.
///
/// # Panics
/// When `limit` has passed, with how things stood at the last look.
pub fn until_every<T>(
    interval: Duration,
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<T, String>,
) -> T {
    let start = Instant::now();
    loop {
        match look() {
            Ok(seen) => return seen,
            Err(state) if start.elapsed() > limit => {
                panic!("{what}: not within {} s\n{state}", limit.as_secs())
            }
            Err(_) => std::thread::sleep(interval),
        }
    }
}
