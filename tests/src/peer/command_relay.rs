//! A relay in front of chronyd's command socket that gives the same answer to the same question for
//! ever: two clients can be compared to the last digit, however fast the daemon's numbers change.

use std::collections::HashMap;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;

/// Longer than any request or reply.
const ROOM: usize = 2048;
const LOOKS_AROUND_EVERY: Duration = Duration::from_millis(50);
const DAEMON_ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// In requests.
const COMMAND: std::ops::Range<usize> = 4..6;
const REQUEST_SEQUENCE: std::ops::Range<usize> = 8..12;
const REQUEST_DATA: usize = 20;
/// In replies.
const REPLY_SEQUENCE: std::ops::Range<usize> = 16..20;

/// The relay; it ends when this is dropped.
#[derive(Debug)]
pub struct CommandRelay {
    folder: TempDir,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl CommandRelay {
    /// Starts it in front of this socket.
    pub fn start(daemon: &Path) -> Self {
        let folder = tempfile::tempdir().expect("create a folder");
        let clients = UnixDatagram::bind(socket(folder.path())).expect("bind the relay's socket");
        clients.set_read_timeout(Some(LOOKS_AROUND_EVERY)).expect("set a timeout");
        let upstream =
            UnixDatagram::bind(folder.path().join("upstream")).expect("bind the other socket");
        upstream.connect(daemon).expect("connect to the daemon");
        upstream.set_read_timeout(Some(DAEMON_ANSWERS_WITHIN)).expect("set a timeout");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || relay(&clients, &upstream, &stopped));
        Self { folder, stop, thread: Some(thread) }
    }

    /// Where clients ask.
    pub fn socket(&self) -> PathBuf {
        socket(self.folder.path())
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("chronyd.sock")
}

impl Drop for CommandRelay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            eprintln!("the relay's thread has panicked");
        }
    }
}

fn relay(clients: &UnixDatagram, upstream: &UnixDatagram, stopped: &AtomicBool) {
    let mut answers: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
    let mut buffer = [0; ROOM];
    while !stopped.load(Ordering::Relaxed) {
        let Ok((length, client)) = clients.recv_from(&mut buffer) else {
            continue;
        };
        let request = &buffer[..length];
        let mut reply = answers
            .entry(question(request))
            .or_insert_with(|| answer_of_the_daemon(upstream, request))
            .clone();
        reply[REPLY_SEQUENCE].copy_from_slice(&request[REQUEST_SEQUENCE]);
        let path = client.as_pathname().expect("clients bind their sockets");
        // A client that did not wait is gone: its test says so.
        if clients.send_to(&reply, path).is_err() {
            eprintln!("{} is gone: {}", path.display(), fs::exists(path).is_ok());
        }
    }
}

/// What is asked, whoever asks: clients pad to different lengths.
fn question(request: &[u8]) -> Vec<u8> {
    let data = &request[REQUEST_DATA..];
    let end = data.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    [&request[COMMAND], &data[..end]].concat()
}

fn answer_of_the_daemon(upstream: &UnixDatagram, request: &[u8]) -> Vec<u8> {
    let mut reply = vec![0; ROOM];
    upstream.send(request).expect("ask the daemon");
    let length = upstream.recv(&mut reply).expect("the daemon answers");
    reply.truncate(length);
    reply
}
