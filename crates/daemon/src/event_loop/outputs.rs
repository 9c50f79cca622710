//! What the engine wants, carried out.

use std::io;

use timeball_core::discipline::{ClockCommand, Drift, SyncStatus};
use timeball_core::engine::{Port, ResolveId, StampQuality, Transmit};
use timeball_core::settings::Family;
use timeball_core::{Event, Input, Output};

use super::EventLoop;
use crate::error::Error;
use crate::names::Question;

impl EventLoop {
    /// Carrying out one output may make the engine want others; all of them are done in the end.
    pub(crate) fn carry_out_outputs(&mut self) -> Result<(), Error> {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Transmit(request) => self.transmit(&request)?,
                Output::Close(exchange) => {
                    self.exchanges.close(exchange);
                    self.server.close(exchange);
                }
                Output::Resolve { id, name, family } => self.resolve(id, &name, family)?,
                Output::ReadClock { clock, driver } => self.read_clock(clock, &driver)?,
                Output::EstablishKeys(wanted) => self.establish_keys(wanted)?,
                Output::Clock(command) => self.adjust_clock(command)?,
                Output::Publish(view) => self.server.publish(view),
                Output::SaveDrift(drift) => self.save_drift(drift)?,
                Output::Record(record) => self.records.write(&record),
                Output::Exit => return Err(Error::GivenUp),
                Output::Event(event) => {
                    if let Event::Updated { .. } = event {
                        self.key_establishments.clock_updated();
                    }
                    if let Event::ForeignStep { .. } | Event::Resumed { .. } = event {
                        self.exchanges.clock_stepped();
                        self.server.clock_stepped();
                    }
                    match &mut self.first {
                        Some(first) => first.note(&event),
                        None => self.words.log(&event),
                    }
                    self.news = true;
                }
            }
        }
        Ok(())
    }

    /// Literal addresses are known at once.
    fn resolve(&mut self, id: ResolveId, name: &str, family: Option<Family>) -> Result<(), Error> {
        if let Some(addresses) = self.names.resolve(Question::Source(id), name, family) {
            let now = self.now()?;
            let addresses = addresses.as_deref().map_err(Clone::clone);
            self.engine.handle(now, Input::Resolved { id, addresses });
        }
        Ok(())
    }

    /// The moment of transmission is the middle of the call until the kernel tells it better.
    fn transmit(&mut self, request: &Transmit) -> Result<(), Error> {
        let exchange = request.exchange;
        self.exchanges.prepare(self.clock.system().map_err(Error::Clock)?);
        let before = self.clock.system().map_err(Error::Clock)?;
        let (datagram, destination) = (&request.datagram, request.destination);
        let sent = match request.from {
            Port::Server => self.server.send(exchange, datagram, destination, before),
            Port::Fresh if self.server.is_asking(destination) => {
                self.server.ask(exchange, datagram, destination, before)
            }
            Port::Fresh => self.exchanges.transmit(request, before),
        };
        let now = self.now()?;
        self.engine.handle(
            now,
            match sent {
                Ok(()) => Input::Sent {
                    exchange,
                    at: before + (now.system - before).half(),
                    quality: StampQuality::Daemon,
                },
                Err(error) => {
                    let reason = send_failure(request, &error);
                    tracing::debug!("no request to {}: {reason}", request.destination);
                    Input::SendFailed { exchange, reason }
                }
            },
        );
        Ok(())
    }

    pub(super) fn adjust_clock(&mut self, command: ClockCommand) -> Result<(), Error> {
        let before = self.now()?;
        let tai_offset = self.clock.tai_offset();
        let result = self.clock.adjust(self.as_configured(command));
        let after = self.now()?;
        match command {
            ClockCommand::SetFrequency(_) => self.exchanges.frequency_changed(),
            ClockCommand::Step(_) => {
                self.exchanges.clock_stepped();
                self.server.clock_stepped();
            }
            ClockCommand::SetStatus(status) => {
                // Over a leap second the kernel counts it on by itself.
                let told = status.tai_offset.filter(|told| Some(*told) != tai_offset);
                if let (Ok(()), Some(told)) = (&result, told) {
                    self.words.tai_offset(told);
                }
            }
        }
        self.engine.handle(after, Input::ClockAdjusted { command, before, result });
        Ok(())
    }

    /// A kernel that knows that its clock is right copies it to the battery clock; it has no other
    /// switch for that.
    fn as_configured(&self, command: ClockCommand) -> ClockCommand {
        match command {
            ClockCommand::SetStatus(status) => ClockCommand::SetStatus(SyncStatus {
                synchronised: status.synchronised && self.config.clock.sync_battery_clock,
                ..status
            }),
            ClockCommand::SetFrequency(_) | ClockCommand::Step(_) => command,
        }
    }

    fn save_drift(&mut self, drift: Drift) -> Result<(), Error> {
        let now = self.now()?;
        self.memory.keep(drift, now.monotonic, now.system);
        Ok(())
    }
}

/// What the kernel says, which does not name the interface or address that it does not have.
fn send_failure(request: &Transmit, error: &io::Error) -> String {
    let device = request.bind_device.as_ref().map(|device| format!("; bind-device is {device}"));
    let address = request.bind_address.map(|address| format!("; bind-address is {address}"));
    format!("{error}{}{}", device.unwrap_or_default(), address.unwrap_or_default())
}
