//! The loop that joins the engine and the machine.
//!
//! One thread waits, in one `poll`, for the sockets of all requests under way, the server's
//! sockets, the operator's connections, signals and resolved names, until the engine's deadline.
//! Everything that happens becomes an [`Input`]; every [`Output`](timeball_core::Output) is carried out
//! at once.

mod outputs;

use std::net::{IpAddr, SocketAddr};

use timeball_config::Config;
use timeball_core::discipline::ClockCommand;
use timeball_core::engine::{Command, CommandError, ExchangeId, StampQuality};
use timeball_core::report::Report;
use timeball_core::server::{Counters, ServerView};
use timeball_core::{Engine, Event, Input, Now, Settings};
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
use crate::keys::KeyRing;
use crate::logging::{Log, Manner, Words};
use crate::machine_clock::MachineClock;
use crate::memory::Memory;
use crate::names::{Names, Question};
use crate::nts::KeyEstablishments;
use crate::nts_server::NtsServer;
use crate::process;
use crate::records::Records;
use crate::reference_clocks::ReferenceClocks;
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
    pub(crate) nts_server: NtsServer,
    pub(crate) key_ring: KeyRing,
    pub(crate) exchanges: Exchanges,
    pub(crate) key_establishments: KeyEstablishments,
    clock: MachineClock,
    clock_control: ClockControl,
    /// Why the clock is only watched, if it is.
    watching: Option<String>,
    pub(crate) names: Names,
    pub(crate) memory: Memory,
    pub(crate) records: Records,
    pub(crate) thermometer: Option<Thermometer>,
    pub(crate) reference_clocks: ReferenceClocks,
    signals: Option<Signals>,
    pub(crate) poll: PollSet,
    housekeeping_due: Instant,
    /// What the operator asked for by signal and was not handed out yet.
    pending: Vec<Signal>,
    /// Something happened that changes how the daemon describes itself.
    news: bool,
    precision: Precision,
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
        if let (None, Some(drift)) = (&watching, memory.recalled()) {
            // Whatever else there is to prepare, time goes on.
            let frequency = ClockCommand::SetFrequency(drift.frequency);
            clock.adjust(frequency).map_err(Error::Adjust)?;
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
        let mut event_loop = Self {
            engine,
            control: None,
            commands: CommandPlane::new(&config, hash_key),
            server: Server::new(&config, view, hash_key),
            nts_server: NtsServer::default(),
            key_ring: KeyRing::read(&config.files, manner)?,
            exchanges: Exchanges::new(config.network.clone()),
            key_establishments: KeyEstablishments::new(&config.nts),
            clock,
            clock_control,
            watching,
            names: Names::new().map_err(Error::Descriptors)?,
            memory,
            records,
            thermometer: Thermometer::new(config.clock.temperature.as_ref(), now.monotonic),
            reference_clocks: ReferenceClocks::default(),
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
            first: first.then(First::default),
            config,
        };
        let user = process::user_to_become(&event_loop.config).ok().flatten();
        event_loop.commands.sockets.open(&event_loop.config.chronyc, user);
        event_loop.reference_clocks.configure(&event_loop.config.engine.reference_clocks);
        event_loop.open_control();
        event_loop.hand_out_keys()?;
        event_loop.configure_nts()?;
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
        self.carry_out_outputs()?;
        self.watch();
        let deadline = self.deadline(until)?;
        self.poll.wait(Some(deadline)).map_err(Error::Poll)?;
        // Our own requests first: whatever happens on the other sockets, time goes on.
        let now = self.monotonic()?;
        for (exchange, readiness) in self.exchanges.ready(&self.poll, now) {
            self.take_arrivals(exchange, readiness, now)?;
        }
        self.take_names()?;
        self.attend_key_establishments()?;
        self.take_temperature()?;
        self.meet_deadlines()?;
        self.server.answer(&self.poll, &self.clock).map_err(Error::Clock)?;
        self.take_from_server()?;
        self.attend_nts()?;
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
        self.exchanges.close_all();
        self.key_establishments = KeyEstablishments::new(&self.config.nts);
        self.names = Names::new().map_err(Error::Descriptors)?;
        let settings = self.config.engine.clone();
        self.engine = new_engine(now, settings, &self.memory, self.precision)?;
        self.housekeeping_due = now.monotonic;
        self.hand_out_keys()?;
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
        self.keep_sessions()?;
        self.memory.last_chance(self.monotonic()?);
        self.nts_server.stop(self.monotonic()?);
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
        self.hand_out_keys()?;
        self.commands.configure(&config);
        self.exchanges.configure(config.network.clone());
        self.key_establishments.configure(&config.nts);
        if let Some(log) = &self.log {
            log.configured(config.log.level);
        }
        self.words.configure(&config);
        if config.clock.temperature != self.config.clock.temperature {
            let now = self.monotonic()?;
            self.thermometer = Thermometer::new(config.clock.temperature.as_ref(), now);
            self.tell(Input::Compensation(0.0))?;
        }
        self.reference_clocks.configure(&config.engine.reference_clocks);
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
        self.configure_nts()?;
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
        let user = process::user_to_become(&self.config).ok().flatten();
        match (ControlListener::open(path, user), &self.control) {
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
        self.nts_server.watch(&mut self.poll);
        self.names.watch(&mut self.poll);
        self.key_establishments.watch(&mut self.poll);
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
            self.key_establishments.deadline(),
            self.server.deadline(),
            self.nts_server.deadline(),
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

    /// What came to the server's sockets and is the engine's.
    fn take_from_server(&mut self) -> Result<(), Error> {
        for arrival in self.server.taken_for_engine() {
            self.tell(match &arrival {
                &ForEngine::Sent { exchange, at, quality } => Input::Sent { exchange, at, quality },
                ForEngine::Said(letter) => Input::PeerDatagram(letter.as_peers()),
                ForEngine::Answered(exchange, letter) => {
                    Input::Datagram(letter.as_answer(*exchange))
                }
            })?;
        }
        Ok(())
    }

    fn take_names(&mut self) -> Result<(), Error> {
        for (question, addresses) in self.names.take(&self.poll) {
            match question {
                Question::Source(id) => {
                    let addresses = addresses.as_deref().map_err(Clone::clone);
                    self.tell(Input::Resolved { id, addresses })?;
                }
                Question::NtpServer(_) => self.take_ntp_server(question, addresses)?,
            }
        }
        Ok(())
    }

    fn meet_deadlines(&mut self) -> Result<(), Error> {
        let now = self.clock.glance().map_err(Error::Clock)?;
        let due = self.engine.next_timeout().is_some_and(|due| due <= now.monotonic);
        // A machine that slept, or whose clock was set, must not serve what it knew before.
        if due || self.engine.is_disturbed(now) {
            let now = self.now()?;
            self.engine.handle(now, Input::Timeout);
            self.carry_out_outputs()?;
        }
        self.server.broadcast(&self.clock).map_err(Error::Clock)?;
        if self.housekeeping_due <= now.monotonic {
            self.housekeeping_due = now.monotonic + HOUSEKEEPING;
            self.server.retry();
            self.read_cookie_keys_again()?;
            self.look_at_own_addresses()?;
        }
        self.set_sessions_aside(now);
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
