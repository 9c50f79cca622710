//! A URL that every alert is posted to.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use timeball_guard::watch::Alert;
use timeball_guard::watch::outbox::Delivery;
use timeball_host::wake::Waker;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use crate::outcome::Failure;

/// A receiver that takes longer has not taken it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait at the end for an attempt that has begun.
const PATIENCE: Duration = Duration::from_secs(5);

/// The thread that posts, one alert at a time.
pub(super) struct Webhook {
    to_post: mpsc::Sender<String>,
    deliveries: mpsc::Receiver<Delivery>,
}

impl Webhook {
    /// Starts the thread; it wakes the main loop when an attempt has ended.
    pub(super) fn start(url: String, waker: Waker) -> Result<Self, Failure> {
        let agent = agent(&trusted(&url)?);
        let (to_post, bodies) = mpsc::channel::<String>();
        let (delivered_by, deliveries) = mpsc::channel();
        thread::Builder::new()
            .name("webhook".into())
            .spawn(move || {
                for body in bodies {
                    let delivery = match post(&agent, &url, body) {
                        Ok(()) => Delivery::Taken,
                        Err(complaint) => {
                            anstream::eprintln!("the webhook does not take an alert: {complaint}");
                            Delivery::Failed
                        }
                    };
                    if delivered_by.send(delivery).is_err() {
                        return;
                    }
                    waker.wake();
                }
            })
            .map_err(Failure::system)?;
        Ok(Self { to_post, deliveries })
    }

    /// Posts one alert. What became of it comes by [`Webhook::deliveries`].
    pub(super) fn post(&self, alert: &Alert) {
        let body = serde_json::to_string(alert).unwrap_or_default();
        // The thread ends only after this sender, so it is there to receive.
        let _ = self.to_post.send(body);
    }

    /// What has become of attempts by now.
    pub(super) fn deliveries(&self) -> Vec<Delivery> {
        self.deliveries.try_iter().collect()
    }

    /// What becomes of the attempt that is under way, unless that takes too long.
    pub(super) fn last_delivery(&self) -> Option<Delivery> {
        self.deliveries.recv_timeout(PATIENCE).ok()
    }
}

/// The system's certificates, which are read only where they are needed.
fn trusted(url: &str) -> Result<Vec<CertificateDer<'static>>, Failure> {
    if !url.starts_with("https:") {
        return Ok(Vec::new());
    }
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let message = "the webhook needs the system's certificates, and there are none: install \
                       ca-certificates";
        return Err(Failure::System(message.into()));
    }
    Ok(found.certs)
}

fn agent(trusted: &[CertificateDer<'_>]) -> Agent {
    let certificates: Vec<Certificate<'static>> =
        trusted.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .root_certs(RootCerts::new_with_certs(&certificates));
    Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .user_agent(concat!("timeball/", env!("CARGO_PKG_VERSION")))
        // Whoever is sent elsewhere would not post there.
        .max_redirects(0)
        .max_redirects_will_error(false)
        // A connection of hours ago is most likely broken.
        .max_idle_connections(0)
        .tls_config(tls.build())
        .build()
        .new_agent()
}

/// Anything but a 2xx is no acceptance. The URL may hold a secret, and is not repeated.
fn post(agent: &Agent, url: &str, body: String) -> Result<(), String> {
    let answer = agent.post(url).content_type("application/json").send(body);
    match answer {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("it answers {}", answer.status())),
        Err(ureq::Error::StatusCode(code)) => Err(format!("it answers {code}")),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// Answers one request, and returns it: its head and its body.
    fn receive(stream: impl Read + Write, status: &str) -> (String, String) {
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
        }
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        reader.get_mut().write_all(answer.as_bytes()).unwrap();
        (head, String::from_utf8(body).unwrap())
    }

    #[test]
    fn only_success_is_acceptance() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/ntp?token=secret", listener.local_addr().unwrap());
        let agent = agent(&[]);
        for (status, expected) in [
            ("200 OK", Ok(())),
            ("204 No Content", Ok(())),
            ("302 Found", Err("it answers 302")),
            ("404 Not Found", Err("it answers 404")),
            ("503 Service Unavailable", Err("it answers 503")),
        ] {
            let (posted, (head, body)) = thread::scope(|scope| {
                let posting = scope.spawn(|| post(&agent, &url, "{\"a\":1}".into()));
                let received = receive(listener.accept().unwrap().0, status);
                (posting.join().unwrap(), received)
            });
            assert!(head.starts_with("post /ntp?token=secret http/1.1\r\n"), "{head}");
            assert!(head.contains("content-type: application/json\r\n"), "{head}");
            assert_eq!(body, "{\"a\":1}");
            match (posted, expected) {
                (Ok(()), Ok(())) => {}
                (Err(complaint), Err(part)) => assert!(complaint.starts_with(part), "{complaint}"),
                (posted, _) => panic!("{status}: {posted:?}"),
            }
        }
        drop(listener);
        let complaint = post(&agent, &url, String::new()).unwrap_err();
        assert!(!complaint.contains("secret"), "{complaint}");
    }

    #[test]
    fn a_certificate_has_to_be_one_that_is_trusted() {
        use rustls::pki_types::PrivatePkcs8KeyDer;
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let server = rustls::ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key.into())
            .unwrap();
        let server = Arc::new(server);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
        for (trusted, is_taken) in [(vec![certificate], true), (Vec::new(), false)] {
            let agent = agent(&trusted);
            let posted = thread::scope(|scope| {
                let posting = scope.spawn(|| post(&agent, &url, "{}".into()));
                let session = rustls::ServerConnection::new(Arc::clone(&server)).unwrap();
                let mut stream = rustls::StreamOwned::new(session, listener.accept().unwrap().0);
                if is_taken {
                    assert_eq!(receive(&mut stream, "200 OK").1, "{}");
                    stream.conn.send_close_notify();
                    stream.flush().unwrap();
                } else {
                    assert!(stream.read(&mut [0]).is_err(), "the client turns away");
                }
                drop(stream);
                posting.join().unwrap()
            });
            assert_eq!(posted.is_ok(), is_taken, "{posted:?}");
        }
    }
}
