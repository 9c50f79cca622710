//! A Linux virtual machine whose clock may be set: emulated, without acceleration, so that it
//! runs wherever the tests run.
//!
//! The guest runs inside a [`Host`] of a laboratory. It sees that host's loopback as
//! [`OUTSIDE`], and its own NTP port is [`INSIDE_PORT`] there.

mod initramfs;
mod kernel_clock;
mod timeball;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub use self::kernel_clock::KernelClock;
pub use self::timeball::ClockError;
use crate::namespace::Host;
use crate::need::{self, Need};
use crate::peer::installation::Peer;
use crate::process::output_of;

/// What a test with a virtual machine needs, besides a laboratory.
pub const GUEST: [Need; 6] = [
    Need::Program("qemu-system-x86_64"),
    Need::Program("busybox"),
    Need::Program("cpio"),
    Need::Program("mkfs.ext4"),
    Need::Unpacked(Peer::Linux),
    Need::Unpacked(Peer::Chrony),
];

/// The host's loopback, as the guest sees it.
pub const OUTSIDE: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
/// The guest's port 123, on the host's loopback.
pub const INSIDE_PORT: u16 = 5123;

/// Emulation is slow, and another core may be busy.
const BOOTS_WITHIN: Duration = Duration::from_secs(180);
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

/// One at a time: two emulated processors on two cores would disturb each other's time.
static TURN: Mutex<()> = Mutex::new(());

/// Root file system and state disk; outlives the guests that boot from it.
#[derive(Debug)]
pub struct Machine {
    initramfs: PathBuf,
    disk: PathBuf,
    console: PathBuf,
    _folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Machine {
    /// Builds it, with an empty disk.
    pub fn new() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().expect("create a folder");
        let initramfs = initramfs::build(folder.path());
        let disk = folder.path().join("disk");
        let file = File::create(&disk).expect("create a disk image");
        file.set_len(16 << 20).expect("size a disk image");
        output_of(need::command("mkfs.ext4").args(["-q", "-F"]).arg(&disk));
        let console = folder.path().join("console");
        Self { initramfs, disk, console, _folder: folder, _turn: turn }
    }

    /// Switches it on, its hardware clock wrong by so many seconds, and waits until it is up.
    pub fn boot(&self, host: &Host, clock_error: i64) -> Guest {
        let mut command = host.command(&need::program("qemu-system-x86_64"));
        command
            .args(["-accel", "tcg", "-cpu", "max", "-m", "384"])
            .args(["-nodefaults", "-display", "none", "-no-reboot"])
            .arg("-kernel")
            .arg(initramfs::kernel())
            .arg("-initrd")
            .arg(&self.initramfs)
            // The HPET's rate is known; the processor's would have to be measured under load.
            .args(["-append", "console=ttyS0 panic=-1 clocksource=hpet"])
            .args(["-rtc", &format!("base={}", utc_in(clock_error))])
            .arg("-chardev")
            .arg(format!("file,id=console,path={}", self.console.display()))
            .args(["-serial", "chardev:console", "-serial", "stdio"])
            .arg("-drive")
            .arg(format!("file={},format=raw,if=virtio", self.disk.display()))
            .arg("-netdev")
            .arg(format!("user,id=net,hostfwd=udp:127.0.0.1:{INSIDE_PORT}-:123"))
            .args(["-device", "virtio-net-pci,netdev=net,romfile="]);
        Guest::start(&mut command, &self.console)
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

/// The guest's NTP port, as a program on the host reaches it.
pub fn inside() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), INSIDE_PORT)
}

/// A machine that is up. Dropping it is pulling the plug.
#[derive(Debug)]
pub struct Guest {
    qemu: Child,
    commands: ChildStdin,
    lines: Receiver<String>,
    console: PathBuf,
}

/// What a command printed in the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// Standard output and complaints.
    pub text: String,
    /// Exit status.
    pub status: i32,
}

impl Guest {
    fn start(qemu: &mut Command, console: &Path) -> Self {
        let mut qemu = qemu
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("start qemu");
        let commands = qemu.stdin.take().expect("qemu's input is a pipe");
        let output = qemu.stdout.take().expect("qemu's output is a pipe");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                // A line that cannot be read is qemu's end; a receiver that is gone, the test's.
                let Ok(line) = line else { return };
                if sender.send(line.trim_end_matches('\r').to_owned()).is_err() {
                    return;
                }
            }
        });
        let guest = Self { qemu, commands, lines, console: console.to_owned() };
        let deadline = Instant::now() + BOOTS_WITHIN;
        while guest.next_line(deadline, "it is up") != "guest: ready" {}
        guest
    }

    /// Runs one line of shell.
    pub fn shell(&mut self, line: &str) -> Printed {
        assert!(!line.contains('\n'), "one line: {line:?}");
        writeln!(self.commands, "{line}").expect("write to the guest");
        let deadline = Instant::now() + ANSWERS_WITHIN;
        let mut text: Vec<String> = Vec::new();
        loop {
            let next = self.next_line(deadline, line);
            if let Some(status) = next.strip_prefix("guest: status ") {
                let status = status.parse().expect("an exit status is a number");
                let text = text.join("\n").trim_end().to_owned();
                return Printed { text, status };
            }
            text.push(next);
        }
    }

    /// Runs one line of shell to its good end and returns what it printed.
    ///
    /// # Panics
    /// If the end is not good.
    pub fn shell_ok(&mut self, line: &str) -> String {
        let printed = self.shell(line);
        assert_eq!(printed.status, 0, "{line} printed:\n{}", printed.text);
        printed.text
    }

    /// Writes a file, whatever it contains.
    pub fn write_file(&mut self, path: &str, text: &str) {
        self.shell_ok(&format!(": > {path}"));
        for line in text.lines() {
            let quoted = line.replace('\'', r"'\''");
            self.shell_ok(&format!("echo '{quoted}' >> {path}"));
        }
    }

    /// What its kernel says of its clock.
    pub fn kernel_clock(&mut self) -> KernelClock {
        KernelClock::read(&self.shell_ok("adjtimex"))
    }

    /// Switches it off in good order, its disk written.
    pub fn power_off(mut self) {
        self.shell_ok("umount /var/lib/timeball");
        writeln!(self.commands, "poweroff -f").expect("write to the guest");
        let deadline = Instant::now() + ANSWERS_WITHIN;
        loop {
            match self.qemu.try_wait().expect("ask for qemu's state") {
                Some(status) => {
                    assert!(status.success(), "qemu ended with {status}");
                    return;
                }
                None if Instant::now() > deadline => panic!("the guest does not power off"),
                None => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    fn next_line(&self, deadline: Instant, what: &str) -> String {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("the guest is silent: {what}"),
            Err(RecvTimeoutError::Disconnected) => panic!("the guest has ended: {what}"),
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let console = std::fs::read(&self.console).unwrap_or_default();
            eprintln!("── console of the guest\n{}", String::from_utf8_lossy(&console));
        }
        // Killing one that has ended already is no failure.
        if let Err(error) = self.qemu.kill().and_then(|()| self.qemu.wait()) {
            eprintln!("end qemu: {error}");
        }
    }
}

/// The hour that it will be in so many seconds, as qemu wants it.
fn utc_in(seconds: i64) -> String {
    let when = format!("{seconds} seconds");
    let printed = output_of(Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%S", "-d", &when]));
    printed.trim().to_owned()
}
