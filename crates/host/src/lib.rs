//! This machine, as a time service needs it: the kernel clock, sockets that know when a datagram
//! came and went, and the few services of the operating system a daemon cannot do without.
//!
//! | room | what it is for |
//! |---|---|
//! | [`clock`] | read the system, monotonic and raw clocks as one sample; read and program the kernel's discipline |
//! | [`precision`] | how finely the system clock can be read |
//! | [`socket`] | UDP for clients and servers, with kernel timestamps and destination addresses |
//! | [`network_card`] | cards that stamp datagrams themselves |
//! | [`phc`] | the clock of such a card, in system time |
//! | [`reference_clock`] | programs that have the time from a receiver |
//! | [`poll`] | wait for descriptors until a deadline |
//! | [`wake`] | a pipe by which another thread ends that wait |
//! | [`signals`] | TERM, INT, HUP and USR1 as something to wait for |
//! | [`entry`] | how a program begins |
//! | [`process`] | leave the terminal, take precedence, give up rights |
//! | [`resolver`] | host names to addresses without blocking the loop |
//! | [`inherited`] | sockets that the service manager has opened |
//! | [`interfaces`] | this machine's own addresses and interfaces |
//! | [`listeners`] | what listens at a port of this machine, and whose it is |
//! | [`random`] | entropy from the operating system |
//! | [`service`] | readiness, status and watchdog for the service manager |
//! | [`unix_socket`] | the listening socket of the control plane |
//! | [`unix_datagram`] | a socket for single messages between processes of this machine |
//! | [`system_log`] | the system's log |
//! | [`pid_file`] | one daemon per pid file |
//! | [`atomic_file`] | small state files that are either old or new, never half |
//!
//! # One thread, plain calls
//!
//! Nothing here needs `epoll`, `io_uring` or a raw system call: every request goes through an
//! ordinary function of the C library, so that a simulator which interposes those functions can
//! run the daemon unchanged. Sockets are created with a plain type and made non-blocking
//! afterwards. Whatever a kernel refuses — timestamps, destination addresses, a clock, a pipe that
//! can be waited for — is missing from the answer in a way the caller can see, and never an error
//! in itself.
//!
//! Two habits keep that promise: read a socket **once per readiness** that [`poll::PollSet`]
//! reported, never "until it would block"; and never duplicate a descriptor.
//!
//! This is the only crate with `unsafe` code; every block says why it is sound.

pub mod atomic_file;
pub mod clock;
pub mod entry;
pub mod inherited;
pub mod interfaces;
pub mod listeners;
pub mod network_card;
pub mod phc;
pub mod pid_file;
pub mod poll;
pub mod precision;
pub mod process;
pub mod random;
pub mod reference_clock;
pub mod resolver;
pub mod service;
pub mod signals;
pub mod socket;
pub mod startup_code;
pub mod system_log;
pub mod unix_datagram;
pub mod unix_socket;
pub mod wake;

mod os;
