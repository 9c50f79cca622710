//! A laboratory: hosts in network namespaces, all on one switch, out of reach of any network.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};

use crate::need;
use crate::process::{output_of, without_clock_rights};

/// Namespaces are called `timeball-PROCESS-LABORATORY-HOST`.
const PREFIX: &str = "timeball-";
/// The switch's interface.
pub(crate) const BRIDGE: &str = "switch0";
/// Where `ip netns` keeps its handles.
const HANDLES: &str = "/run/netns";
/// How long a forked child may take to execute its program.
const FORKS_WITHIN: Duration = Duration::from_secs(60);

/// A switch and the hosts plugged into it.
#[derive(Debug)]
pub struct Laboratory {
    number: u32,
    switch: Namespace,
    hosts: AtomicU8,
}

impl Laboratory {
    /// An empty one.
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        remove_leftovers();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let switch = Namespace::new(number, "switch");
        switch.ip("link add switch0 type bridge mcast_snooping 0");
        switch.ip("link set switch0 up");
        Self { number, switch, hosts: AtomicU8::new(0) }
    }

    /// Plugs in a new host, with an IPv4 and an IPv6 address.
    pub fn host(&self, name: &str) -> Host {
        let number = self.hosts.fetch_add(1, Ordering::Relaxed) + 1;
        let namespace = Namespace::new(self.number, name);
        let port = format!("port{number}");
        let ipv4 = Ipv4Addr::new(10, 123, 0, number);
        let ipv6 = Ipv6Addr::new(0xfd00, 0x7b, 0, 0, 0, 0, 0, u16::from(number));
        namespace.ip("link set lo up");
        namespace
            .ip(&format!("link add eth0 type veth peer name {port} netns {}", self.switch.name));
        namespace.ip(&format!("address add {ipv4}/24 dev eth0"));
        namespace.ip(&format!("address add {ipv6}/64 dev eth0 nodad"));
        namespace.ip("link set eth0 up");
        self.switch.ip(&format!("link set {port} master {BRIDGE} up"));
        Host { namespace, ipv4, ipv6 }
    }

    /// A command that sees every frame that the switch forwards.
    pub(crate) fn switch_command(&self, program: &Path) -> Command {
        self.switch.command(program)
    }
}

impl Default for Laboratory {
    fn default() -> Self {
        Self::new()
    }
}

/// A machine in the laboratory: addresses of its own, but this machine's clock.
#[derive(Debug)]
pub struct Host {
    namespace: Namespace,
    /// Its IPv4 address.
    pub ipv4: Ipv4Addr,
    /// Its IPv6 address.
    pub ipv6: Ipv6Addr,
}

impl Host {
    /// Its IPv4 address, as peers want it.
    pub fn address(&self) -> IpAddr {
        self.ipv4.into()
    }

    /// A command that runs on this host, without rights to any clock.
    pub fn command(&self, program: &Path) -> Command {
        self.namespace.command(program)
    }

    /// Does something, such as opening a socket, on this host.
    pub fn inside<T: Send>(&self, action: impl FnOnce() -> T + Send) -> T {
        self.namespace.inside(action)
    }

    /// A UDP socket of this host.
    pub fn udp(&self, address: IpAddr, port: u16) -> UdpSocket {
        self.inside(|| once_free(|| UdpSocket::bind((address, port))))
    }

    /// A listening TCP socket of this host.
    pub fn tcp(&self, address: IpAddr, port: u16) -> TcpListener {
        self.inside(|| once_free(|| TcpListener::bind((address, port))))
    }
}

/// Binds a socket. One of the same port that was just closed lives on in a child that another test
/// has forked, until that executes its program: it is waited for.
fn once_free<T>(bind: impl Fn() -> io::Result<T>) -> T {
    let deadline = Instant::now() + FORKS_WITHIN;
    loop {
        match bind() {
            Ok(socket) => return socket,
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) => panic!("bind a socket: {error}"),
        }
    }
}

/// A network namespace that goes when it is dropped.
#[derive(Debug)]
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    fn new(laboratory: u32, name: &str) -> Self {
        let name = format!("{PREFIX}{}-{laboratory}-{name}", std::process::id());
        ip(&["netns", "add", &name]);
        Self { name }
    }

    /// Runs `ip` on this namespace's interfaces.
    fn ip(&self, words: &str) {
        let words = words.split_whitespace();
        output_of(need::command("ip").args(["-n", &self.name]).args(words));
    }

    fn command(&self, program: &Path) -> Command {
        let inner = without_clock_rights();
        let mut command = need::command("ip");
        command.args(["netns", "exec", &self.name]);
        command.arg(inner.get_program()).args(inner.get_args()).arg(program);
        command
    }

    fn inside<T: Send>(&self, action: impl FnOnce() -> T + Send) -> T {
        let handle = fs::File::open(Path::new(HANDLES).join(&self.name)).expect("open a namespace");
        // Only the calling thread changes its namespace: one that ends with the action.
        let outcome = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(handle.as_fd(), CloneFlags::CLONE_NEWNET).expect("enter a namespace");
                action()
            });
            thread.join()
        });
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove_namespace(&self.name);
    }
}

fn ip(words: &[&str]) {
    output_of(need::command("ip").args(words));
}

/// Not being able to remove a namespace is no reason to fail a test, but one to be told of.
fn remove_namespace(name: &str) {
    match need::command("ip").args(["netns", "delete", name]).output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => eprintln!("remove {name}: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => eprintln!("remove {name}: {error}"),
    }
}

/// Removes the namespaces of test processes that were killed.
fn remove_leftovers() {
    let names = match fs::read_dir(HANDLES) {
        Ok(entries) => {
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => panic!("read {HANDLES}: {error}"),
    };
    for name in names {
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        let Some(process) = process.and_then(|process| process.parse::<u32>().ok()) else {
            continue;
        };
        if !Path::new(&format!("/proc/{process}")).exists() {
            remove_namespace(&name);
        }
    }
}
