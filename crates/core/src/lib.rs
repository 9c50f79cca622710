//! The NTP engine, without I/O.
//!
//! Time, randomness and bytes come in as arguments, commands go out as values: the same code runs
//! in the daemon, in the simulator and in the fuzzers. It reads in the order a measurement travels:
//!
//! 1. [`engine`]: [`Engine::handle`](engine::Engine::handle) takes an [`Input`];
//! 2. [`association`]: is the datagram the answer that was asked for? A [`reference_clock`] is read
//!    instead of asked;
//! 3. [`measurement`]: two one-way delays on the [`timeline`] of the free-running oscillator;
//! 4. [`estimator`]: per source, what is true time minus oscillator time, and how sure are we?
//! 5. [`selection`]: truechimers and falsetickers, each with its reason;
//! 6. [`combination`]: one offset and frequency out of the truechimers;
//! 7. [`discipline`]: how to make the system clock agree; a
//!    [`ClockCommand`](discipline::ClockCommand) goes out as an [`Output`].
//!
//! Beside that walk stands [`server`], which answers clients, and [`report`], the one read model
//! that every control plane shows.
#![forbid(unsafe_code)]

pub mod association;
pub mod combination;
pub mod datagram;
pub mod discipline;
pub mod engine;
pub mod era;
pub mod estimator;
pub mod event;
pub mod measurement;
pub mod now;
pub mod record;
pub mod reference_clock;
pub mod report;
pub mod selection;
pub mod server;
pub mod settings;
pub mod timeline;

pub use engine::{Engine, Input, Output};
pub use event::Event;
pub use now::Now;
pub use settings::Settings;
