//! chronyd as a server, truthful or not, and as a judge of other servers.

use std::fs::{self, DirBuilder};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use crate::namespace::Host;
use crate::peer::installation::{Peer, place};
use crate::probe;
use crate::process::{Daemon, run_within};
use crate::timeball;
use crate::wait;

/// What time a server gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Truth {
    /// This machine's.
    Honest,
    /// This machine's, and so many seconds.
    Shifted(f64),
    /// This machine's at the start, and then faster by so many parts per million.
    Drifting(f64),
}

impl Truth {
    /// Served time minus this machine's, so long after the start.
    fn error_after(self, elapsed: Duration) -> f64 {
        match self {
            Self::Honest => 0.0,
            Self::Shifted(by) => by,
            Self::Drifting(ppm) => ppm * 1e-6 * elapsed.as_secs_f64(),
        }
    }
}

/// chronyd that serves everybody and controls no clock.
#[derive(Debug)]
pub struct Chronyd {
    daemon: Daemon,
    _feed: Option<ReferenceClock>,
    folder: TempDir,
}

impl Chronyd {
    /// Starts it and waits until it serves the time it shall.
    pub fn start(host: &Host, truth: Truth) -> Self {
        Self::start_on_port(host, truth, 123)
    }

    /// The same on another port.
    pub fn start_on_port(host: &Host, truth: Truth, port: u16) -> Self {
        let folder = tempfile::tempdir().expect("create a folder");
        let socket = folder.path().join("refclock");
        let source = match truth {
            Truth::Honest => "local stratum 1".to_owned(),
            Truth::Shifted(_) | Truth::Drifting(_) => {
                format!("refclock SOCK {} poll 0 filter 4", socket.display())
            }
        };
        let configuration = format!(
            "{source}\nport {port}\nallow\ncmdport 0\nbindcmdaddress /\npidfile {}\n",
            folder.path().join("pid").display()
        );
        let file = folder.path().join("chrony.conf");
        fs::write(&file, configuration).expect("write a configuration");
        let mut command = host.command(&program());
        command.args(["-x", "-d", "-u", "root", "-f"]).arg(&file);
        let mut daemon = Daemon::start("chronyd", &mut command, &folder.path().join("log"));
        let feed = match truth {
            Truth::Honest => None,
            Truth::Shifted(_) | Truth::Drifting(_) => Some(ReferenceClock::start(socket, truth)),
        };
        let shift = truth.error_after(Duration::ZERO);
        probe::until_serving("chronyd", host, port, shift, Duration::from_secs(60), || {
            daemon.assert_running();
        });
        Self { daemon, _feed: feed, folder }
    }

    /// Starts it with a configuration of the test's own, and waits until it can be asked at
    /// [`Chronyd::command_socket`].
    pub fn configured(host: &Host, configuration: &str) -> Self {
        Self::start_configured("chronyd", host.command(&program()), configuration)
    }

    /// The same with timeball in its place.
    pub fn played_by_timeball(host: &Host, configuration: &str) -> Self {
        let mut command = host.command(&timeball::program());
        command.arg("chronyd");
        Self::start_configured("timeball as chronyd", command, configuration)
    }

    fn start_configured(name: &str, mut command: Command, configuration: &str) -> Self {
        let folder = tempfile::tempdir().expect("create a folder");
        let socket = command_socket(folder.path());
        let run = socket.parent().expect("a socket has a folder");
        DirBuilder::new().mode(0o750).create(run).expect("create a folder for the socket");
        let configuration = format!(
            "{configuration}\nbindcmdaddress {}\npidfile {}\n",
            socket.display(),
            folder.path().join("pid").display()
        );
        let file = folder.path().join("chrony.conf");
        fs::write(&file, configuration).expect("write a configuration");
        command.args(["-x", "-d", "-u", "root", "-f"]).arg(&file);
        let daemon = Daemon::start(name, &mut command, &folder.path().join("log"));
        wait_for_file(&socket);
        Self { daemon, _feed: None, folder }
    }

    /// Where it takes commands, if it was started with a configuration of the test's own.
    pub fn command_socket(&self) -> PathBuf {
        command_socket(self.folder.path())
    }

    /// The kernel's number of it.
    pub fn process(&self) -> u32 {
        self.daemon.process()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        self.daemon.log()
    }
}

/// What `chronyd -Q` makes of a server: true time minus this machine's clock, by that server.
pub fn measure(host: &Host, server: SocketAddr) -> f64 {
    let output = run_within(
        Duration::from_secs(60),
        host.command(&program())
            .args(["-Q", "-t", "40", "-u", "root", "-f", "/dev/null"])
            .arg(format!("server {} port {} iburst", server.ip(), server.port()))
            .args(["cmdport 0", "bindcmdaddress /"]),
    );
    // "System clock wrong by 0.499986 seconds (ignored)"
    let log = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    log.lines()
        .find_map(|line| {
            line.split_once("System clock wrong by ")?.1.split(' ').next()?.parse().ok()
        })
        .unwrap_or_else(|| panic!("chronyd -Q took no time from {server}\n{log}"))
}

/// chrony's own client.
pub fn chronyc() -> PathBuf {
    place(Peer::Chrony).join("usr/bin/chronyc")
}

fn program() -> PathBuf {
    place(Peer::Chrony).join("usr/sbin/chronyd")
}

/// chronyd wants a folder for it that nobody else can write to.
fn command_socket(folder: &Path) -> PathBuf {
    folder.join("run/chronyd.sock")
}

/// Feeds chronyd's SOCK reference clock with samples that are wrong as they shall be.
#[derive(Debug)]
struct ReferenceClock {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ReferenceClock {
    const INTERVAL: Duration = Duration::from_millis(250);
    /// Long enough for any test; then it ends by itself.
    const LIFETIME: Duration = Duration::from_secs(1800);

    fn start(socket: PathBuf, truth: Truth) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            wait_for_file(&socket);
            let sender = UnixDatagram::unbound().expect("open a socket");
            let start = Instant::now();
            while !stopped.load(Ordering::Relaxed) && start.elapsed() < Self::LIFETIME {
                let error = truth.error_after(start.elapsed());
                // chronyd may be gone already: the test's end, not its failure.
                if sender.send_to(&sample(SystemTime::now(), error), &socket).is_err() {
                    return;
                }
                std::thread::sleep(Self::INTERVAL);
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for ReferenceClock {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            eprintln!("the reference clock's thread has panicked");
        }
    }
}

/// chrony's SOCK datagram: timeval, true time minus system time, pulse, leap, padding, magic.
fn sample(now: SystemTime, shift: f64) -> [u8; 40] {
    const MAGIC: i32 = 0x534f_434b;
    let since = now.duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    let seconds = i64::try_from(since.as_secs()).expect("the clock is before the end of time");
    let mut bytes = [0; 40];
    bytes[0..8].copy_from_slice(&seconds.to_ne_bytes());
    bytes[8..16].copy_from_slice(&i64::from(since.subsec_micros()).to_ne_bytes());
    bytes[16..24].copy_from_slice(&shift.to_ne_bytes());
    bytes[36..40].copy_from_slice(&MAGIC.to_ne_bytes());
    bytes
}

fn wait_for_file(path: &Path) {
    wait::until("chronyd opens its socket", Duration::from_secs(10), || {
        if path.exists() { Ok(()) } else { Err(format!("no {}", path.display())) }
    });
}
