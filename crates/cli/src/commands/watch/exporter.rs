//! Metrics over HTTP, for Prometheus to fetch: one page, and one connection at a time.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::outcome::Failure;

/// Whoever takes longer to ask, or to listen, goes without.
const PATIENCE: Duration = Duration::from_secs(5);
/// After an error of the system, which may be that it has no descriptors left.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest head of a request (bytes).
const LONGEST_HEAD: usize = 8192;
/// Prometheus' text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The thread that answers. It ends with the process.
pub(super) struct Exporter {
    address: SocketAddr,
    page: Arc<Mutex<String>>,
}

impl Exporter {
    /// Starts it, with an empty page.
    pub(super) fn start(address: SocketAddr) -> Result<Self, Failure> {
        let refused = |error: io::Error| {
            Failure::System(format!("cannot give metrics at {address}: {error}"))
        };
        let listener = TcpListener::bind(address).map_err(refused)?;
        let page = Arc::new(Mutex::new(String::new()));
        let exporter =
            Self { address: listener.local_addr().map_err(refused)?, page: Arc::clone(&page) };
        thread::Builder::new()
            .name("metrics".into())
            .spawn(move || serve(&listener, &page))
            .map_err(Failure::system)?;
        Ok(exporter)
    }

    /// Where it can be fetched.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// This is the page from now on.
    pub(super) fn publish(&self, page: String) {
        if let Ok(mut shown) = self.page.lock() {
            *shown = page;
        }
    }
}

fn serve(listener: &TcpListener, page: &Mutex<String>) {
    for stream in listener.incoming() {
        match stream {
            Ok(stream) => {
                let page = page.lock().map(|page| page.clone()).unwrap_or_default();
                // Whoever hangs up before the end does not want it.
                let _ = answer(stream, &page);
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

fn answer(mut stream: TcpStream, page: &str) -> io::Result<()> {
    let answer = match read_head(&mut stream)? {
        Some(head) => respond(&head, page),
        None => Answer::error("431 Request Header Fields Too Large", ""),
    };
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(answer.to_string().as_bytes())
}

/// Everything up to the empty line; `None` if that does not come.
fn read_head(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let deadline = Instant::now() + PATIENCE;
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while head.len() < LONGEST_HEAD {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(buffer.get(..length).unwrap_or_default());
        if head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
            return Ok(Some(head));
        }
    }
    Ok(None)
}

/// An answer, whose end is the end of the connection (RFC 9112).
#[derive(Debug, PartialEq, Eq)]
struct Answer<'p> {
    status: &'static str,
    more: &'static str,
    length: usize,
    body: &'p str,
}

impl Answer<'_> {
    const fn error(status: &'static str, more: &'static str) -> Self {
        Self { status, more, length: 0, body: "" }
    }
}

impl std::fmt::Display for Answer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { status, more, length, body } = self;
        write!(
            f,
            "HTTP/1.1 {status}\r\nContent-Type: {TEXT}\r\nContent-Length: {length}\r\n\
             {more}Connection: close\r\n\r\n{body}"
        )
    }
}

fn respond<'p>(head: &[u8], page: &'p str) -> Answer<'p> {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = std::str::from_utf8(line).unwrap_or_default();
    let words: Vec<&str> = line.split(' ').collect();
    let &[method, target, version] = words.as_slice() else {
        return Answer::error("400 Bad Request", "");
    };
    if !version.starts_with("HTTP/1.") {
        return Answer::error("505 HTTP Version Not Supported", "");
    }
    let path = target.split('?').next().unwrap_or_default();
    match (method, path) {
        ("GET" | "HEAD", "/metrics") => {
            let body = if method == "GET" { page } else { "" };
            Answer { status: "200 OK", more: "", length: page.len(), body }
        }
        ("GET" | "HEAD", _) => Answer::error("404 Not Found", ""),
        _ => Answer::error("405 Method Not Allowed", "Allow: GET, HEAD\r\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(exporter: &Exporter, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(exporter.address).unwrap();
        stream.write_all(request).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn the_newest_page_is_given_to_whoever_asks() {
        let exporter = Exporter::start("127.0.0.1:0".parse().unwrap()).unwrap();
        exporter.publish("old 1\n".into());
        // Who says nothing holds nobody up for ever, who hangs up nobody at all.
        drop(TcpStream::connect(exporter.address).unwrap());
        let _silent = TcpStream::connect(exporter.address).unwrap();
        exporter.publish("new 2\n".into());
        let said = asked(&exporter, b"GET /metrics?a=b HTTP/1.1\r\nHost: x\r\n\r\n");
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("Content-Type: text/plain; version=0.0.4"), "{head}");
        assert!(head.contains("Content-Length: 6\r\n"), "{head}");
        assert_eq!(body, "new 2\n");
        let too_long = vec![b'a'; LONGEST_HEAD];
        let said = asked(&exporter, &too_long);
        assert!(said.starts_with("HTTP/1.1 431 "), "{said}");
    }

    #[test]
    fn what_is_not_asked_well_is_told_so() {
        for (request, status) in [
            (&b"GET /metrics HTTP/1.0\r\n"[..], "200 OK"),
            (b"HEAD /metrics HTTP/1.1\r\n", "200 OK"),
            (b"GET / HTTP/1.1\r\n", "404 Not Found"),
            (b"GET /metrics/ HTTP/1.1\r\n", "404 Not Found"),
            (b"POST /metrics HTTP/1.1\r\n", "405 Method Not Allowed"),
            (b"GET /metrics HTTP/2\r\n", "505 HTTP Version Not Supported"),
            (b"GET /metrics\r\n", "400 Bad Request"),
            (b"GET  /metrics HTTP/1.1\r\n", "400 Bad Request"),
            (b"\xff\xfe\r\n", "400 Bad Request"),
            (b"", "400 Bad Request"),
        ] {
            assert_eq!(respond(request, "page").status, status, "{request:?}");
        }
        let head = respond(b"HEAD /metrics HTTP/1.1\r\n", "page");
        assert_eq!((head.length, head.body), (4, ""));
    }

    #[test]
    fn an_address_that_is_taken_is_told() {
        let exporter = Exporter::start("127.0.0.1:0".parse().unwrap()).unwrap();
        let Err(Failure::System(complaint)) = Exporter::start(exporter.address) else {
            panic!("two listen at one port")
        };
        assert!(complaint.starts_with("cannot give metrics at 127.0.0.1:"), "{complaint}");
    }
}
