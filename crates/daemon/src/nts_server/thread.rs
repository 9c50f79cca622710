//! A service in a thread of its own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use timeball_host::clock::monotonic_now;
use timeball_host::poll::{Interest, PollSet};
use timeball_host::wake::{Wake, Waker};

use super::service::Service;

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct ServiceThread {
    handle: Option<JoinHandle<()>>,
    ending: Arc<AtomicBool>,
    waker: Waker,
}

impl ServiceThread {
    /// Starts it.
    ///
    /// # Errors
    /// When there can be no more threads or pipes.
    pub(super) fn start(mut service: Service) -> io::Result<Self> {
        let (wake, waker) = Wake::new()?;
        let ending = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ending);
        let work = move || {
            if let Err(error) = run(&mut service, &wake, &end) {
                tracing::error!("nobody gives keys to clients with NTS any more: {error}");
            }
        };
        let handle = thread::Builder::new().name("nts-ke".to_owned()).spawn(work)?;
        Ok(Self { handle: Some(handle), ending, waker })
    }
}

fn run(service: &mut Service, wake: &Wake, end: &AtomicBool) -> io::Result<()> {
    let mut poll = PollSet::new();
    while !end.load(Ordering::Acquire) {
        poll.clear();
        service.watch(&mut poll);
        if let Some(descriptor) = wake.descriptor() {
            poll.add(descriptor, Interest::Read);
        }
        poll.wait(service.deadline())?;
        wake.clear();
        service.turn(&poll, monotonic_now()?);
    }
    Ok(())
}

impl Drop for ServiceThread {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Release);
        self.waker.wake();
        if let Some(handle) = self.handle.take() {
            // It has said why if it ended otherwise.
            let _ = handle.join();
        }
    }
}
