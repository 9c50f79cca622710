//! Programs that run while a test runs, and programs that run to their end.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::need;
use crate::wait;

/// How long a daemon may take to end after TERM before it is killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Wraps a command so that it cannot touch the clock and does not outlive this thread.
///
/// The capability leaves the bounding set, so that no program started from here can get it
/// back.
pub fn without_clock_rights() -> Command {
    let mut command = need::command("setpriv");
    command.args(["--bounding-set=-sys_time", "--inh-caps=-sys_time", "--pdeathsig=KILL", "--"]);
    command
}

/// A program that runs until it is dropped.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts it with its output and complaints in the file `log`.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Self {
        let file = File::create(log).expect("create a log file");
        let other = file.try_clone().expect("clone a descriptor");
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(other)
            .spawn()
            .unwrap_or_else(|error| panic!("start {name}: {error}"));
        Self { name: name.to_owned(), child, log: log.to_owned() }
    }

    /// The kernel's number of it.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has written so far.
    pub fn log(&self) -> String {
        fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Waits for a line that contains `text`, and returns it.
    pub fn wait_for_log(&mut self, text: &str, limit: Duration) -> String {
        wait::until(&format!("{} says \"{text}\"", self.name), limit, || {
            self.assert_running();
            let log = self.log();
            log.lines().find(|line| line.contains(text)).map(str::to_owned).ok_or(log)
        })
    }

    /// # Panics
    /// With its log, if it has ended.
    pub fn assert_running(&mut self) {
        if let Some(status) = self.child.try_wait().expect("ask for a child's state") {
            panic!("{} ended with {status}\n{}", self.name, self.log());
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process ID is positive");
        kill(Pid::from_raw(pid), signal)
            .unwrap_or_else(|error| panic!("send {signal} to {}: {error}", self.name));
    }

    /// Asks it to end and waits for it; kills it if it doesn't.
    pub fn stop(&mut self) -> ExitStatus {
        if let Some(status) = self.child.try_wait().expect("ask for a child's state") {
            return status;
        }
        self.signal(Signal::SIGTERM);
        let start = std::time::Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().expect("ask for a child's state") {
                return status;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.child.kill().expect("kill a child");
        self.child.wait().expect("wait for a killed child")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let status = self.stop();
        if std::thread::panicking() {
            eprintln!("── log of {} ({status})\n{}", self.name, self.log());
        }
    }
}

/// Runs a program to its end.
///
/// # Panics
/// If it cannot be started or has not ended after `limit`.
pub fn run_within(limit: Duration, command: &mut Command) -> Output {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("start {command:?}: {error}"));
    // Read by threads, so that a full pipe never holds up the program.
    let stdout = read_to_end(child.stdout.take());
    let stderr = read_to_end(child.stderr.take());
    let start = std::time::Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("ask for a child's state") {
            break status;
        }
        if start.elapsed() > limit {
            child.kill().expect("kill a child");
            child.wait().expect("wait for a killed child");
            let told = stderr.join().expect("a reader does not panic");
            panic!(
                "{command:?} has not ended within {} s\n{}",
                limit.as_secs(),
                String::from_utf8_lossy(&told)
            );
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    Output {
        status,
        stdout: stdout.join().expect("a reader does not panic"),
        stderr: stderr.join().expect("a reader does not panic"),
    }
}

/// Runs a program to its good end and returns what it printed.
///
/// # Panics
/// With its complaints, if the end is not good.
pub fn output_of(command: &mut Command) -> String {
    let output = run_within(Duration::from_secs(60), command);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        panic!(
            "{command:?} ended with {}\n{stdout}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    stdout
}

fn read_to_end(
    pipe: Option<impl std::io::Read + Send + 'static>,
) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes).expect("read a child's output");
        }
        bytes
    })
}
