//! The loop that joins the engine and the machine.
//!
//! One thread waits, in one `poll`, for the sockets of all requests under way, the server's
//! sockets, the operator's connections, signals and resolved names, until the engine's deadline.
//! Everything that happens becomes an [`Input`]; every [`Output`] is carried out at once.

use std::io;
use std::net::{IpAddr, SocketAddr};

use timeball_config::Config;
use timeball_core::discipline::{ClockCommand, Drift};
use timeball_core::engine::{
    Command, CommandError, ExchangeId, PeerDatagram, Port, ResolveId, StampQuality, Transmit,
};
use timeball_core::report::Report;
use timeball_core::server::{Counters, ServerView};
use timeball_core::settings::Family;
use timeball_core::{Engine, Event, Input, Now, Output, Settings};
use timeball_host::poll::{Interest, PollSet, Readiness};
use timeball_host::precision::Precision;
use timeball_host::signals::{Signal, Signals};
use timeball_host::{interfaces, random};
use timeball_wire::{Instant, Span};

use crate::cmdmon::CommandPlane;
use crate::configuration::{Complete, ConfigFile, Configuration, Found};
use crate::control::listener::ControlListener;
use crate::directories;
use crate::error::Error;
use crate::exchanges::{Arrival, Exchanges};
use crate::logging::{Log, Manner, Words};
use crate::machine_clock::MachineClock;
use crate::memory::Memory;
use crate::names::Names;
use crate::process;
use crate::records::Records;
use crate::serve::{ForEngine, Server};
use crate::temperature::Thermometer;

/// How often the machine is looked at for what it does not tell: its addresses, and whether the
/// server can listen where it could not before.
const HOUSEKEEPING: Span = Span::from_secs(60);

/// Who may adjust the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClockControl {
    /// We, if the configuration and the kernel let us.
    #[default]
    AsConfigured,
    /// Not we, whatever the configuration says: the clock is watched.
    Never,
}

/// A running daemon: engine, clock and sockets, moved on turn by turn.
#[derive(Debug)]
pub struct EventLoop {
    pub(crate) engine: Engine,
    pub(crate) config: Config,
    pub(crate) configuration: Option<Configuration>,
    pub(crate) found: Found,
    pub(crate) log: Option<Log>,
    pub(crate) words: Words,
    pub(crate) control: Option<ControlListener>,
    pub(crate) commands: CommandPlane,
    pub(crate) server: Server,
    pub(crate) exchanges: Exchanges,
    clock: MachineClock,
    clock_control: ClockControl,
    /// Why the clock is only watched, if it is.
    watching: Option<String>,
    names: Names,
    memory: Memory,
    pub(crate) records: Records,
    pub(crate) thermometer: Option<Thermometer>,
    signals: Option<Signals>,
    pub(crate) poll: PollSet,
    housekeeping_due: Instant,
    /// What the operator asked for by signal and was not handed out yet.
    pending: Vec<Signal>,
    /// Something happened that changes how the daemon describes itself.
    news: bool,
    precision: Precision,
    /// TAI − UTC (s) that the kernel was told.
    tai_offset: Option<i32>,
    /// What was found before the daemon begins in earnest.
    first: Option<First>,
}

/// What is found out before the daemon begins in earnest.
#[derive(Clone, Copy, Debug, Default)]
struct First {
    /// How far the clock is off (s; true time minus system clock).
    offset: Option<f64>,
}

/// How a daemon begins, beside its configuration.
#[derive(Debug, Default)]
pub(crate) struct Beginning {
    pub(crate) clock_control: ClockControl,
    /// Whose habits the log follows.
    pub(crate) manner: Manner,
    /// What the engine works by until [`EventLoop::begin_in_earnest`]; `None` to begin so.
    pub(crate) first_settings: Option<Settings>,
    /// Set the clock to the time of the last run, if it is behind that.
    pub(crate) restore_time: bool,
}

impl First {
    /// What becomes of it all is said later.
    fn note(&mut self, event: &Event) {
        if let Event::Updated { offset, .. } = event {
            self.offset.get_or_insert(*offset);
        }
        tracing::debug!("{event}");
    }
}

impl EventLoop {
    /// A daemon that works by `config`. Opens the server's sockets and the control socket; what
    /// cannot be opened is a warning and not an error.
    ///
    /// # Errors
    /// When this machine's clocks cannot be read or it has no random numbers.
    pub fn new(config: Config, clock_control: ClockControl) -> Result<Self, Error> {
        Self::start(config, Beginning { clock_control, ..Beginning::default() })
    }

    /// Like [`new`](Self::new), with more to say about how.
    pub(crate) fn start(mut config: Config, beginning: Beginning) -> Result<Self, Error> {
        let Beginning { clock_control, manner, first_settings, restore_time } = beginning;
        let mut words = Words::new(manner, &config);
        let records = Records::new(&config);
        config.engine.records = records.wanted();
        let mut clock = MachineClock::open().map_err(Error::Clock)?;
        let mut memory = Memory::new(&config.files, clock.monotonic().map_err(Error::Clock)?);
        memory.recall(&words);
        let watching = permit_clock_control(&mut config.engine, clock_control, &mut clock);
        if restore_time && watching.is_none() {
            clock.restore(memory.written(), &words).map_err(Error::Clock)?;
        }
        words.configure(&config);
        let now = clock.now().map_err(Error::Clock)?;
        let mut hash_key = [0; 16];
        random::fill(&mut hash_key).map_err(Error::Random)?;
        let precision = Precision::measure().map_err(Error::Clock)?;
        let view = ServerView::unsynchronised(precision.log2, now.monotonic);
        let first = first_settings.is_some();
        let settings = first_settings.unwrap_or_else(|| config.engine.clone());
        let engine = new_engine(now, settings, &memory, precision)?;
        if first && let (None, Some(drift)) = (&watching, memory.recalled()) {
            // The engine only watches for now.
            let frequency = ClockCommand::SetFrequency(drift.frequency);
            clock.adjust(frequency).map_err(Error::Adjust)?;
        }
        let mut event_loop = Self {
            engine,
            control: None,
            commands: CommandPlane::new(&config, hash_key),
            server: Server::new(&config, view, hash_key),
            exchanges: Exchanges::new(config.network.clone()),
            clock,
            clock_control,
            watching,
            names: Names::new().map_err(Error::Descriptors)?,
            memory,
            records,
            thermometer: Thermometer::new(config.clock.temperature.as_ref(), now.monotonic),
            signals: None,
            poll: PollSet::new(),
            housekeeping_due: now.monotonic,
            pending: Vec::new(),
            news: true,
            configuration: None,
            found: Found::default(),
            log: None,
            words,
            precision,
            tai_offset: None,
            first: first.then(First::default),
            config,
        };
        let user = process::user_to_become(&event_loop.config).ok().flatten();
        event_loop.commands.sockets.open(&event_loop.config.chronyc, user);
        event_loop.open_control();
        event_loop.carry_out_outputs()?;
        Ok(event_loop)
    }

    /// A daemon that works by a configuration file, and can [reload](Self::reload) it.
    ///
    /// # Errors
    /// The mistakes in the file, and as [`new`](Self::new).
    pub fn from_file(file: ConfigFile, clock_control: ClockControl) -> Result<Self, Error> {
        let configuration = Configuration::file(file);
        let Complete { config, found } = configuration.load()?;
        let mut event_loop = Self::new(config, clock_control)?;
        event_loop.found = found;
        event_loop.configuration = Some(configuration);
        Ok(event_loop)
    }

    /// Hands out the signals in `signals` from [`turn`](Self::turn).
    pub(crate) fn catch_signals(&mut self, signals: Signals) {
        self.signals = Some(signals);
    }

    /// Waits until something happens, `until` at most, and deals with it.
    ///
    /// # Errors
    /// When this machine's clocks cannot be read, or waiting fails. Nothing from outside is an error.
    pub fn turn(&mut self, until: Instant) -> Result<(), Error> {
        self.watch();
        let deadline = self.deadline(until)?;
        self.poll.wait(Some(deadline)).map_err(Error::Poll)?;
        // Our own requests first: whatever happens on the other sockets, time goes on.
        let now = self.monotonic()?;
        for (exchange, readiness) in self.exchanges.ready(&self.poll, now) {
            self.take_arrivals(exchange, readiness, now)?;
        }
        self.take_names()?;
        self.take_temperature()?;
        self.meet_deadlines()?;
        self.server.answer(&self.poll, &self.clock).map_err(Error::Clock)?;
        self.take_from_peers()?;
        self.attend_control()?;
        self.attend_commands()?;
        self.take_signals();
        Ok(())
    }

    /// Everything a person may ask, as of now.
    ///
    /// # Errors
    /// When this machine's clocks cannot be read.
    pub fn report(&mut self) -> Result<Report, Error> {
        let now = self.now()?;
        Ok(Report { server: Some(self.server.counters().clone()), ..self.engine.report(now) })
    }

    /// What became of the requests of clients.
    pub fn server_counters(&self) -> &Counters {
        self.server.counters()
    }

    /// Where clients are served.
    pub fn server_addresses(&self) -> Vec<SocketAddr> {
        self.server.addresses().collect()
    }

    /// The monotonic clock, the scale of [`turn`](Self::turn)'s deadline.
    ///
    /// # Errors
    /// When this machine's clocks cannot be read.
    pub fn monotonic(&self) -> Result<Instant, Error> {
        self.clock.monotonic().map_err(Error::Clock)
    }

    /// Asks the engine for something.
    ///
    /// # Errors
    /// When this machine's clocks cannot be read; within, why it is not done.
    pub fn command(&mut self, command: Command) -> Result<Result<(), CommandError>, Error> {
        let now = self.now()?;
        let result = self.engine.command(now, command);
        self.carry_out_outputs()?;
        Ok(result)
    }

    /// Why this daemon only watches the clock; `None` for one that adjusts it.
    pub fn why_it_only_watches(&self) -> Option<&str> {
        self.watching.as_deref()
    }

    /// What this daemon works by.
    pub(crate) const fn configuration_in_force(&self) -> &Config {
        &self.config
    }

    /// How far the clock is off (s; true time minus system clock), if that was found before the
    /// daemon begins in earnest.
    pub(crate) fn first_offset(&self) -> Option<f64> {
        self.first?.offset
    }

    /// Steps the clock by `offset` (s), if it is ours to.
    ///
    /// # Errors
    /// When this machine's clocks cannot be read.
    pub(crate) fn step(&mut self, offset: f64) -> Result<(), Error> {
        if self.watching.is_none() {
            self.adjust_clock(ClockCommand::Step(Span::from_seconds(offset)))?;
        }
        self.carry_out_outputs()
    }

    /// Ends the time of the first settings: an engine that works by the configuration begins, and
    /// `slew` (s) is what it has to correct at once. Nothing is left of what the first one knew.
    ///
    /// # Errors
    /// When this machine's clocks cannot be read.
    pub(crate) fn begin_in_earnest(&mut self, slew: f64) -> Result<(), Error> {
        let now = self.now()?;
        self.first = None;
        // Exchanges and questions are numbered from the beginning again.
        self.exchanges = Exchanges::new(self.config.network.clone());
        self.names = Names::new().map_err(Error::Descriptors)?;
        let settings = self.config.engine.clone();
        self.engine = new_engine(now, settings, &self.memory, self.precision)?;
        self.housekeeping_due = now.monotonic;
        self.carry_out_outputs()?;
        if slew != 0.0 && self.watching.is_none() {
            self.command(Command::AdjustOffset(slew))?.map_err(Error::Command)?;
        }
        Ok(())
    }

    /// Leaves the clock as it should run without us, and remembers the oscillator.
    ///
    /// # Errors
    /// When this machine's clocks cannot be read.
    pub fn stop(&mut self) -> Result<(), Error> {
        self.dump_measurements()?;
        self.memory.last_chance(self.monotonic()?);
        self.command(Command::Stop)?.map_err(Error::Command)?;
        self.control = None;
        Ok(())
    }

    /// As if the operator had sent this signal.
    pub(crate) fn raise(&mut self, signal: Signal) {
        self.pending.push(signal);
    }

    /// Signals that came since the last call.
    pub(crate) fn signals_taken(&mut self) -> Vec<Signal> {
        std::mem::take(&mut self.pending)
    }

    /// True once after something changed how the daemon describes itself.
    pub(crate) fn has_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }

    /// Works by `config` from now on.
    pub(crate) fn configure(&mut self, mut config: Config) -> Result<(), Error> {
        self.watching =
            permit_clock_control(&mut config.engine, self.clock_control, &mut self.clock);
        self.server.configure(&config);
        self.commands.configure(&config);
        self.exchanges.configure(config.network.clone());
        if let Some(log) = &self.log {
            log.configured(config.log.level);
        }
        self.words.configure(&config);
        if config.clock.temperature != self.config.clock.temperature {
            let now = self.monotonic()?;
            self.thermometer = Thermometer::new(config.clock.temperature.as_ref(), now);
            self.tell(Input::Compensation(0.0))?;
        }
        if config.log != self.config.log || config.files != self.config.files {
            self.records = Records::new(&config);
        }
        config.engine.records = self.records.wanted();
        if config.files != self.config.files {
            directories::make_for(&config, None);
            self.memory = Memory::new(&config.files, self.monotonic()?);
        }
        if config.files.pid_file != self.config.files.pid_file {
            tracing::warn!("`pid-file` has changed, which takes a restart; the old one stays");
        }
        let settings = config.engine.clone();
        let socket_moved = config.control != self.config.control;
        self.config = config;
        if socket_moved {
            self.open_control();
        }
        self.command(Command::Configure(Box::new(settings)))?.map_err(Error::Command)?;
        // Not before: the engine may have had a last word to say to the kernel.
        if !self.config.engine.discipline.control {
            self.clock.release_control();
        }
        Ok(())
    }

    /// Listens where the configuration says. Who is connected stays so, and a path that does not
    /// work leaves the socket where it was.
    fn open_control(&mut self) {
        let Some(path) = &self.config.control.socket else {
            self.control = None;
            return;
        };
        match (ControlListener::open(path), &self.control) {
            (Ok(listener), _) => self.control = Some(listener.adopting(self.control.take())),
            (Err(error), None) => tracing::warn!(
                "no control socket: {error}; `timeball status` and others will not reach this \
                 daemon"
            ),
            (Err(error), Some(_)) => {
                tracing::warn!("the control socket stays where it was: {error}");
            }
        }
    }

    // Waiting.

    fn watch(&mut self) {
        self.poll.clear();
        self.exchanges.watch(&mut self.poll);
        self.server.set_peers(self.engine.peers().collect());
        self.server.watch(&mut self.poll);
        self.names.watch(&mut self.poll);
        self.commands.sockets.watch(&mut self.poll);
        if let Some(control) = &mut self.control {
            control.watch(&mut self.poll);
        }
        if let Some(signals) = self.signals.as_ref().and_then(Signals::descriptor) {
            self.poll.add(signals, Interest::Read);
        }
    }

    fn deadline(&self, until: Instant) -> Result<Instant, Error> {
        let now = self.monotonic()?;
        let control = self.control.as_ref().and_then(|control| control.deadline(now));
        let all = [
            Some(until),
            Some(self.housekeeping_due),
            self.engine.next_timeout(),
            self.thermometer.as_ref().map(Thermometer::due),
            self.exchanges.deadline(),
            self.server.deadline(),
            control,
        ];
        Ok(all.into_iter().flatten().min().unwrap_or(until))
    }

    // Inputs.

    fn take_arrivals(
        &mut self,
        exchange: ExchangeId,
        mut readiness: Readiness,
        now: Instant,
    ) -> Result<(), Error> {
        loop {
            let arrival = self.exchanges.next(exchange, &mut readiness, now);
            let now = self.clock.now().map_err(Error::Clock)?;
            let input = match arrival {
                None => return Ok(()),
                Some(Arrival::Datagram { answer, left }) => {
                    if let Some(at) = left {
                        let quality = StampQuality::Hardware;
                        self.engine.handle(now, Input::Sent { exchange, at, quality });
                    }
                    Input::Datagram(answer)
                }
                Some(Arrival::Sent { at, quality }) => Input::Sent { exchange, at, quality },
                Some(Arrival::Failed(reason)) => Input::SendFailed { exchange, reason },
            };
            self.engine.handle(now, input);
            self.carry_out_outputs()?;
        }
    }

    /// What came to the server's sockets and is ours.
    fn take_from_peers(&mut self) -> Result<(), Error> {
        for arrival in self.server.taken_for_engine() {
            match &arrival {
                ForEngine::Sent { exchange, at, quality } => {
                    let (exchange, at, quality) = (*exchange, *at, *quality);
                    self.tell(Input::Sent { exchange, at, quality })?;
                }
                ForEngine::Datagram { from, to, bytes, received, quality } => {
                    let (from, to, received, quality) = (*from, *to, *received, *quality);
                    let datagram = PeerDatagram { from, to, bytes, received, quality };
                    self.tell(Input::PeerDatagram(datagram))?;
                }
            }
        }
        Ok(())
    }

    fn take_names(&mut self) -> Result<(), Error> {
        for (id, addresses) in self.names.take(&self.poll) {
            let addresses = addresses.as_deref().map_err(Clone::clone);
            self.tell(Input::Resolved { id, addresses })?;
        }
        Ok(())
    }

    fn meet_deadlines(&mut self) -> Result<(), Error> {
        let now = self.now()?;
        let due = self.engine.next_timeout().is_some_and(|due| due <= now.monotonic);
        // A machine that slept, or whose clock was set, must not serve what it knew before.
        if due || self.engine.is_disturbed(now) {
            self.engine.handle(now, Input::Timeout);
            self.carry_out_outputs()?;
        }
        self.server.broadcast(&self.clock).map_err(Error::Clock)?;
        if self.housekeeping_due <= now.monotonic {
            self.housekeeping_due = now.monotonic + HOUSEKEEPING;
            self.server.retry();
            self.look_at_own_addresses()?;
        }
        Ok(())
    }

    fn look_at_own_addresses(&mut self) -> Result<(), Error> {
        match interfaces::local_addresses() {
            Ok(addresses) => {
                // What listens on loopback beside us is a server like any other.
                let addresses: Vec<IpAddr> = addresses
                    .into_iter()
                    .filter(|local| !local.loopback)
                    .map(|local| local.address)
                    .collect();
                self.tell(Input::OwnAddresses(&addresses))
            }
            Err(error) => {
                tracing::debug!("the addresses of this machine are unknown: {error}");
                Ok(())
            }
        }
    }

    fn take_signals(&mut self) {
        if let Some(signals) = &self.signals {
            self.pending.extend(signals.take());
        }
    }

    pub(crate) fn now(&mut self) -> Result<Now, Error> {
        self.clock.now().map_err(Error::Clock)
    }

    pub(crate) fn tell(&mut self, input: Input<'_>) -> Result<(), Error> {
        let now = self.now()?;
        self.engine.handle(now, input);
        self.carry_out_outputs()
    }

    // Outputs.

    /// Carrying out one output may make the engine want others; all of them are done in the end.
    pub(crate) fn carry_out_outputs(&mut self) -> Result<(), Error> {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Transmit(request) => self.transmit(&request)?,
                Output::Close(exchange) => self.exchanges.close(exchange),
                Output::Resolve { id, name, family } => self.resolve(id, &name, family)?,
                Output::Clock(command) => self.adjust_clock(command)?,
                Output::Publish(view) => self.server.publish(view),
                Output::SaveDrift(drift) => self.save_drift(drift)?,
                Output::Record(record) => self.records.write(&record),
                Output::Exit => return Err(Error::GivenUp),
                Output::Event(event) => {
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
        if let Some(addresses) = self.names.resolve(id, name, family) {
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
        let sent = match request.from {
            Port::Fresh => self.exchanges.transmit(request, before),
            Port::Server => {
                self.server.send(exchange, &request.datagram, request.destination, before)
            }
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

    fn adjust_clock(&mut self, command: ClockCommand) -> Result<(), Error> {
        let before = self.now()?;
        let result = self.clock.adjust(command);
        let after = self.now()?;
        match command {
            ClockCommand::SetFrequency(_) => self.exchanges.frequency_changed(),
            ClockCommand::Step(_) => {
                self.exchanges.clock_stepped();
                self.server.clock_stepped();
            }
            ClockCommand::SetStatus(status) => {
                if result.is_ok() && status.tai_offset != self.tai_offset {
                    self.tai_offset = status.tai_offset;
                    self.words.tai_offset(status.tai_offset);
                }
            }
        }
        self.engine.handle(after, Input::ClockAdjusted { command, before, result });
        Ok(())
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

/// Settles whether the engine corrects the clock or only watches it, and answers why the latter.
fn permit_clock_control(
    settings: &mut Settings,
    clock_control: ClockControl,
    clock: &mut MachineClock,
) -> Option<String> {
    let reason = match clock_control {
        ClockControl::Never => "--no-clock was given".into(),
        ClockControl::AsConfigured if !settings.discipline.control => {
            "`control = false` in [clock]".into()
        }
        ClockControl::AsConfigured => match clock.take_control() {
            Ok(()) => return None,
            Err(error) => {
                tracing::warn!("the clock is watched and not corrected: {error}");
                settings.discipline.control = false;
                return Some(error.to_string());
            }
        },
    };
    tracing::info!("the clock is watched and not corrected: {reason}");
    settings.discipline.control = false;
    Some(reason)
}

fn new_engine(
    now: Now,
    settings: Settings,
    memory: &Memory,
    precision: Precision,
) -> Result<Engine, Error> {
    let seed = random::seed().map_err(Error::Random)?;
    Ok(Engine::new(now, settings, memory.recalled(), precision.span.seconds(), seed))
}
