//! The asking side of the control socket, blocking; for command line tools.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::protocol::{Request, Response};

/// How long an answer may take. The daemon answers within one turn of its loop.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer worth reading: a report of some ten thousand sources.
const MAX_RESPONSE: u64 = 16 << 20;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// There is no socket.
    #[error("{}: no such socket: is the daemon running, and is this its `control.socket`?", path.display())]
    NoSocket {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// There is a socket and nobody behind it.
    #[error("{}: nobody answers: the daemon that made this socket is not running", path.display())]
    Refused {
        /// The socket.
        path: PathBuf,
    },
    /// The socket belongs to somebody else.
    #[error("{}: permission denied: ask as root, or as the daemon's user", path.display())]
    NoPermission {
        /// The socket.
        path: PathBuf,
    },
    /// The conversation broke off.
    #[error("{}: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What came back is no answer.
    #[error("{}: the answer is not understood (another version?): {reason}", path.display())]
    BadAnswer {
        /// The socket.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Asks the daemon behind the socket `path` one thing.
///
/// # Errors
/// [`ClientError`] when there is no answer. A refusal is an answer: [`Response::Error`].
pub fn ask(path: impl AsRef<Path>, request: Request) -> Result<Response, ClientError> {
    let path = path.as_ref();
    let line = converse(path, request).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => ClientError::NoSocket { path: path.into() },
        io::ErrorKind::ConnectionRefused => ClientError::Refused { path: path.into() },
        io::ErrorKind::PermissionDenied => ClientError::NoPermission { path: path.into() },
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ClientError::Io {
            path: path.into(),
            source: io::Error::new(
                io::ErrorKind::TimedOut,
                format!("the daemon did not answer within {} s", PATIENCE.as_secs()),
            ),
        },
        _ => ClientError::Io { path: path.into(), source },
    })?;
    let bad = |reason: String| ClientError::BadAnswer { path: path.into(), reason };
    if !line.ends_with(b"\n") {
        return Err(bad(format!("it breaks off after {} bytes", line.len())));
    }
    serde_json::from_slice(&line).map_err(|error| bad(error.to_string()))
}

fn converse(path: &Path, request: Request) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&request.to_line())?;
    let mut line = Vec::new();
    BufReader::new(stream.take(MAX_RESPONSE)).read_until(b'\n', &mut line)?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    /// Asks a daemon that answers every request with `answer`.
    fn ask_one_that_says(answer: &'static [u8]) -> Result<Response, ClientError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let daemon = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut request = String::new();
            BufReader::new(&stream).read_line(&mut request).unwrap();
            (&stream).write_all(answer).unwrap();
            request
        });
        let response = ask(&path, Request::Burst);
        assert_eq!(daemon.join().unwrap(), "{\"command\":\"burst\"}\n");
        response
    }

    #[test]
    fn an_answer_is_passed_on() {
        let response = ask_one_that_says(b"{\"ok\":\"done\"}\n").unwrap();
        assert_eq!(response, Response::done("done"));
        let response = ask_one_that_says(b"{\"error\":\"no\"}\n").unwrap();
        assert_eq!(response, Response::Error("no".into()));
    }

    #[test]
    fn a_bad_answer_is_told_from_none() {
        for answer in [&b"what?\n"[..], b"{\"ok\":{\"synchronised\":1}}\n", b"{\"fine\":1}\n"] {
            let error = ask_one_that_says(answer).unwrap_err();
            assert!(matches!(error, ClientError::BadAnswer { .. }), "{error}");
        }
        let error = ask_one_that_says(b"{\"ok\":").unwrap_err();
        assert!(error.to_string().contains("breaks off after 6 bytes"), "{error}");
        let error = ask_one_that_says(b"").unwrap_err();
        assert!(error.to_string().contains("breaks off after 0 bytes"), "{error}");
    }

    #[test]
    fn no_socket_and_nobody_behind_it_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let error = ask(&path, Request::Status).unwrap_err();
        assert!(matches!(error, ClientError::NoSocket { .. }), "{error}");
        drop(UnixListener::bind(&path).unwrap());
        let error = ask(&path, Request::Status).unwrap_err();
        assert!(matches!(error, ClientError::Refused { .. }), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()));
    }
}
