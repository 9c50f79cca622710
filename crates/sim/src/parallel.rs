//! The same work for many inputs, on all processors. Results come in the order of the inputs, whoever
//! finishes first.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// `work` for every item, on as many threads as the machine runs at once.
pub fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let (done, results) = mpsc::channel();
    let threads = thread::available_parallelism().map_or(1, usize::from).min(items.len());
    let mut results: Vec<(usize, R)> = thread::scope(|scope| {
        for _ in 0..threads {
            let (next, work, done) = (&next, &work, done.clone());
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { return };
                    // Nobody listens any more only when everything is over.
                    let _ = done.send((index, work(item)));
                }
            });
        }
        drop(done);
        results.iter().collect()
    });
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_the_items() {
        let items: Vec<u64> = (0..1000).collect();
        let squares: Vec<u64> = items.iter().map(|item| item * item).collect();
        assert_eq!(map(&items, |item| item * item), squares);
        assert_eq!(map(&[] as &[u64], |item| *item), []);
    }

    #[test]
    fn work_that_panics_is_not_swallowed() {
        let outcome = std::panic::catch_unwind(|| {
            map(&[1, 2, 3], |item| assert_ne!(*item, 2));
        });
        assert!(outcome.is_err());
    }
}
