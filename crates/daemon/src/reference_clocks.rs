//! Reference clocks of this machine: their drivers, opened when they are first needed and again
//! whenever that has failed.

use std::collections::BTreeMap;

use timeball_core::Input;
use timeball_core::engine::ClockReading;
use timeball_core::reference_clock::{Driver, RawSample, Settings};
use timeball_core::selection::SourceId;
use timeball_host::reference_clock::shared_memory::SharedMemoryClock;
use timeball_host::reference_clock::socket::SocketClock;
use timeball_host::reference_clock::{ClockSample, Malformed};

use crate::error::Error;
use crate::event_loop::EventLoop;

/// More samples than this are not taken in one reading: the next one takes the others.
const MOST_SAMPLES: usize = 256;

/// Every driver that is open.
#[derive(Debug, Default)]
pub(crate) struct ReferenceClocks {
    open: BTreeMap<Driver, Device>,
}

#[derive(Debug)]
enum Device {
    SharedMemory(SharedMemoryClock),
    Socket(SocketClock),
}

/// What a reading has brought.
#[derive(Debug, Default)]
struct Taken {
    samples: Vec<RawSample>,
    malformed: u64,
}

impl ReferenceClocks {
    /// Opens the drivers of these clocks while this process still has all its rights, and closes
    /// those of others. What cannot be opened is a warning, and tried again at every reading.
    pub(crate) fn configure(&mut self, clocks: &[Settings]) {
        self.open.retain(|driver, _| clocks.iter().any(|clock| clock.driver == *driver));
        for Settings { driver, reference_id, .. } in clocks {
            if let Err(reason) = self.device(driver) {
                let name = reference_id.display(0);
                tracing::warn!("reference clock {name} cannot be read: {driver}: {reason}");
            }
        }
    }

    fn device(&mut self, driver: &Driver) -> Result<&mut Device, String> {
        use std::collections::btree_map::Entry;
        match self.open.entry(driver.clone()) {
            Entry::Occupied(open) => Ok(open.into_mut()),
            Entry::Vacant(closed) => Ok(closed.insert(Device::open(driver)?)),
        }
    }

    fn read(&mut self, driver: &Driver) -> Result<Taken, String> {
        let taken = self.device(driver)?.read();
        if taken.is_err() {
            self.open.remove(driver);
        }
        taken
    }
}

impl Device {
    fn open(driver: &Driver) -> Result<Self, String> {
        match driver {
            Driver::SharedMemory { unit, permissions } => {
                let clock = SharedMemoryClock::open(*unit, *permissions);
                clock.map(Self::SharedMemory).map_err(|error| error.to_string())
            }
            Driver::Socket { path } => {
                SocketClock::bind(path).map(Self::Socket).map_err(|error| error.to_string())
            }
        }
    }

    fn read(&mut self) -> Result<Taken, String> {
        let mut taken = Taken::default();
        match self {
            Self::SharedMemory(clock) => match clock.take() {
                Ok(sample) => taken.samples.extend(sample.map(raw)),
                Err(malformed) => taken.count(malformed),
            },
            Self::Socket(clock) => {
                for _ in 0..MOST_SAMPLES {
                    match clock.take().map_err(|error| error.to_string())? {
                        Some(Ok(sample)) => taken.samples.push(raw(sample)),
                        Some(Err(malformed)) => taken.count(malformed),
                        None => break,
                    }
                }
            }
        }
        Ok(taken)
    }
}

impl Taken {
    fn count(&mut self, malformed: Malformed) {
        tracing::debug!("a sample of a reference clock is malformed: {malformed}");
        self.malformed += 1;
    }
}

fn raw(sample: ClockSample) -> RawSample {
    let ClockSample { received, reference, leap } = sample;
    RawSample { received, reference, leap }
}

impl EventLoop {
    /// Reads a reference clock and tells the engine what came of it.
    pub(crate) fn read_clock(&mut self, clock: SourceId, driver: &Driver) -> Result<(), Error> {
        let taken = self.reference_clocks.read(driver);
        let now = self.now()?;
        let reading = match &taken {
            Ok(Taken { samples, malformed }) => {
                ClockReading::Samples { samples, malformed: *malformed }
            }
            Err(reason) => ClockReading::Failed(reason),
        };
        self.engine.handle(now, Input::ClockRead { clock, reading });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use timeball_wire::ReferenceId;

    use super::*;

    fn settings(driver: Driver) -> Settings {
        Settings::new(driver, ReferenceId::from_bytes(*b"GPS\0"))
    }

    #[test]
    fn a_driver_stays_open_as_long_as_it_is_wanted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("clock.sock");
        let driver = Driver::Socket { path: path.clone() };
        let mut clocks = ReferenceClocks::default();
        clocks.configure(&[settings(driver.clone())]);
        assert!(path.exists());
        let sender = std::os::unix::net::UnixDatagram::unbound().unwrap();
        sender.send_to(b"no sample", &path).unwrap();
        let taken = clocks.read(&driver).unwrap();
        assert_eq!((taken.samples.len(), taken.malformed), (0, 1));
        clocks.configure(&[settings(driver.clone())]);
        assert!(path.exists());
        clocks.configure(&[]);
        assert!(!path.exists());
    }

    #[test]
    fn what_cannot_be_opened_is_tried_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("later").join("clock.sock");
        let driver = Driver::Socket { path: path.clone() };
        let mut clocks = ReferenceClocks::default();
        clocks.configure(&[settings(driver.clone())]);
        assert!(clocks.read(&driver).is_err());
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        assert!(clocks.read(&driver).is_ok());
    }
}
