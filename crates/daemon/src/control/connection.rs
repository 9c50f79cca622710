//! One operator's connection: a line comes in, a line goes out, and neither may take for ever.

use std::io::{self, Read, Write};
use std::mem;

use timeball_wire::{Instant, Span};

use super::protocol::{MAX_REQUEST, Response};

/// How long a client may take to finish its request, and then to take its answer.
pub(crate) const PATIENCE: Span = Span::from_secs(10);

/// A connection over a stream that does not block.
#[derive(Debug)]
pub(crate) struct Connection<S> {
    stream: S,
    /// What has come and was not answered yet.
    received: Vec<u8>,
    /// What is still to be sent.
    unsent: Vec<u8>,
    /// No more will come, or will be read.
    deaf: bool,
    deadline: Instant,
}

/// Whether it is worth keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is.
    Keep,
    /// It is not.
    Drop,
}

impl<S: Read + Write> Connection<S> {
    pub(crate) fn new(stream: S, now: Instant) -> Self {
        Self {
            stream,
            received: Vec::new(),
            unsent: Vec::new(),
            deaf: false,
            deadline: now + PATIENCE,
        }
    }

    pub(crate) fn stream(&self) -> &S {
        &self.stream
    }

    /// When it has taken too long.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// There is something to send, so nothing will be read.
    pub(crate) fn is_sending(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// A request is here that needs no more reading.
    pub(crate) fn has_request(&self) -> bool {
        !self.is_sending() && (self.received.contains(&b'\n') || self.is_too_long())
    }

    fn is_too_long(&self) -> bool {
        self.received.len() >= MAX_REQUEST && !self.received.contains(&b'\n')
    }

    /// Reads once.
    pub(crate) fn receive(&mut self) -> Fate {
        let mut chunk = [0; MAX_REQUEST];
        // Never more than one request over the limit is held.
        let room = (2 * MAX_REQUEST).saturating_sub(self.received.len()).min(chunk.len());
        let Some(chunk) = chunk.get_mut(..room).filter(|chunk| !chunk.is_empty()) else {
            return Fate::Keep;
        };
        match self.stream.read(chunk) {
            Ok(0) => {
                self.deaf = true;
                self.fate()
            }
            Ok(length) => {
                self.received.extend_from_slice(chunk.get(..length).unwrap_or_default());
                Fate::Keep
            }
            Err(error) if is_for_later(&error) => Fate::Keep,
            Err(_) => Fate::Drop,
        }
    }

    /// The next request line, if it is all here and the last one's answer is gone. An error is the
    /// answer to a line that is too long.
    pub(crate) fn next_request(&mut self) -> Option<Result<Vec<u8>, String>> {
        if self.is_sending() {
            return None;
        }
        if self.is_too_long() {
            // Where the next request begins cannot be known: this is the last answer.
            self.deaf = true;
            self.received.clear();
            return Some(Err(format!("a request has at most {MAX_REQUEST} bytes")));
        }
        let end = self.received.iter().position(|byte| *byte == b'\n')?;
        let rest = self.received.split_off(end.saturating_add(1));
        Some(Ok(mem::replace(&mut self.received, rest)))
    }

    /// Sends an answer, or as much of it as goes now.
    pub(crate) fn answer(&mut self, response: &Response, now: Instant) -> Fate {
        self.unsent = response.to_line();
        self.deadline = now + PATIENCE;
        self.send(now)
    }

    /// Sends more of the answer.
    pub(crate) fn send(&mut self, now: Instant) -> Fate {
        match self.stream.write(&self.unsent) {
            Ok(length) => {
                self.unsent.drain(..length.min(self.unsent.len()));
                if self.unsent.is_empty() {
                    self.deadline = now + PATIENCE;
                }
                self.fate()
            }
            Err(error) if is_for_later(&error) => Fate::Keep,
            Err(_) => Fate::Drop,
        }
    }

    /// After the last word, there is nothing to wait for.
    fn fate(&self) -> Fate {
        if self.deaf && !self.is_sending() && !self.has_request() { Fate::Drop } else { Fate::Keep }
    }
}

fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use proptest::prelude::*;

    use super::*;

    const START: Instant = Instant::from_nanos(0);

    fn pair() -> (UnixStream, Connection<UnixStream>) {
        let (client, daemon) = UnixStream::pair().unwrap();
        daemon.set_nonblocking(true).unwrap();
        client.set_nonblocking(true).unwrap();
        (client, Connection::new(daemon, START))
    }

    fn read(client: &mut UnixStream) -> String {
        let mut bytes = [0; 256];
        let length = client.read(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    #[test]
    fn a_request_may_come_in_pieces() {
        let (mut client, mut connection) = pair();
        client.write_all(b"one").unwrap();
        assert_eq!(connection.receive(), Fate::Keep);
        assert_eq!(connection.next_request(), None);
        client.write_all(b" two\n").unwrap();
        assert_eq!(connection.receive(), Fate::Keep);
        assert!(connection.has_request());
        assert_eq!(connection.next_request(), Some(Ok(b"one two\n".to_vec())));
        assert_eq!(connection.next_request(), None);
        assert_eq!(connection.answer(&Response::done("x"), START), Fate::Keep);
        assert_eq!(read(&mut client), "{\"ok\":\"x\"}\n");
    }

    #[test]
    fn several_requests_are_answered_one_after_the_other_and_then_it_ends() {
        let (mut client, mut connection) = pair();
        client.write_all(b"one\ntwo\n").unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(connection.receive(), Fate::Keep);
        assert_eq!(connection.receive(), Fate::Keep, "requests are waiting");
        assert_eq!(connection.next_request(), Some(Ok(b"one\n".to_vec())));
        assert_eq!(connection.answer(&Response::done("1"), START), Fate::Keep);
        assert!(connection.has_request());
        assert_eq!(connection.next_request(), Some(Ok(b"two\n".to_vec())));
        assert_eq!(connection.answer(&Response::done("2"), START), Fate::Drop);
        assert_eq!(read(&mut client), "{\"ok\":\"1\"}\n{\"ok\":\"2\"}\n");
    }

    #[test]
    fn an_endless_request_is_answered_and_ends_the_connection() {
        let (mut client, mut connection) = pair();
        client.write_all(&[b'x'; 3 * MAX_REQUEST]).unwrap();
        assert_eq!(connection.receive(), Fate::Keep);
        assert!(connection.has_request());
        assert_eq!(
            connection.next_request(),
            Some(Err(format!("a request has at most {MAX_REQUEST} bytes")))
        );
        assert_eq!(connection.answer(&Response::Error("long".into()), START), Fate::Drop);
        assert_eq!(read(&mut client), "{\"error\":\"long\"}\n");
    }

    #[test]
    fn what_is_held_is_bounded() {
        let (mut client, mut connection) = pair();
        for _ in 0..20 {
            // The socket's buffer fills up, for nobody takes it all.
            let _ = client.write(&[b'\n'; MAX_REQUEST]);
            assert_eq!(connection.receive(), Fate::Keep);
            assert!(connection.received.len() <= 2 * MAX_REQUEST);
        }
    }

    #[test]
    fn a_client_that_does_not_read_keeps_its_deadline() {
        let (mut client, mut connection) = pair();
        let long = Response::done("x".repeat(4 << 20));
        let asked = START + Span::from_secs(3);
        assert_eq!(connection.answer(&long, asked), Fate::Keep);
        assert!(connection.is_sending());
        let later = asked + Span::from_secs(2);
        let mut sink = vec![0; 1 << 16];
        assert!(client.read(&mut sink).unwrap() > 0);
        assert_eq!(connection.send(later), Fate::Keep);
        assert_eq!(connection.deadline(), asked + PATIENCE, "some progress is not enough");
        client.write_all(b"next\n").unwrap();
        assert_eq!(connection.receive(), Fate::Keep);
        assert_eq!(connection.next_request(), None, "not before the answer is gone");
        while connection.is_sending() {
            assert!(client.read(&mut sink).unwrap() > 0);
            assert_eq!(connection.send(later), Fate::Keep);
        }
        assert_eq!(connection.deadline(), later + PATIENCE);
        assert_eq!(connection.next_request(), Some(Ok(b"next\n".to_vec())));
    }

    #[test]
    fn a_client_that_is_gone_is_noticed() {
        let (client, mut connection) = pair();
        drop(client);
        assert_eq!(connection.receive(), Fate::Drop);
        let (client, mut connection) = pair();
        drop(client);
        assert_eq!(connection.answer(&Response::done("x"), START), Fate::Drop);
    }

    proptest! {
        #[test]
        fn no_input_breaks_it(chunks in prop::collection::vec(
            prop::collection::vec(prop::sample::select(&b"a{}\"\n\xff"[..]), 1..3000), 1..8,
        )) {
            let (mut client, mut connection) = pair();
            let mut lines = 0;
            for chunk in &chunks {
                client.write_all(chunk).unwrap();
                prop_assert_eq!(connection.receive(), Fate::Keep);
                while let Some(request) = connection.next_request() {
                    lines += usize::from(request.is_ok());
                    let _ = connection.answer(&Response::done("x"), START);
                    prop_assert!(client.read(&mut [0; 256]).unwrap() > 0);
                }
                if connection.deaf {
                    return Ok(());
                }
            }
            let sent = chunks.iter().flatten().filter(|byte| **byte == b'\n').count();
            prop_assert_eq!(lines, sent);
        }
    }
}
