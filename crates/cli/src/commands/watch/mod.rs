//! `timeball watch`: looks at ports again and again, and tells when one is not as it should be.
//!
//! | file | what it is about |
//! |---|---|
//! | `arguments` | the command line, and the plan that it and the file make |
//! | `look` | looking, by threads: waiting for one port must not hold up the others |
//! | `outlets` | who is told: standard output, the `journal`, a `hook`, a `webhook` |
//! | `records` | the file of state and the file of metrics |
//! | `exporter` | the same metrics over HTTP |
//! | `text` | what people read |

mod arguments;
mod exporter;
mod hook;
mod journal;
mod look;
mod outlets;
mod records;
#[cfg(test)]
mod tests;
mod text;
mod webhook;

use std::io;

use timeball_guard::audit::scan::Moment;
use timeball_guard::watch::watcher::Extent;
use timeball_guard::watch::{Action, Plan, Watcher, metrics};
use timeball_host::clock::Clock;
use timeball_host::poll::{Interest, PollSet};
use timeball_host::signals::{Signal, Signals};
use timeball_host::wake::{Wake, Waker};
use timeball_wire::{Instant, Span};

pub(crate) use self::arguments::WatchArguments;
use self::exporter::Exporter;
use self::look::Lookers;
use self::outlets::{Form, Outlets};
use self::records::{Records, Urgency};
use crate::display::print;
use crate::outcome::{Failure, Outcome};

/// How long to try to deliver what is left when the command ends by itself.
const PATIENCE: Span = Span::from_secs(60);

/// Exits, if it does so by itself, with 1 unless everything is as expected.
pub(crate) fn run(arguments: &WatchArguments) -> Result<Outcome, Failure> {
    let plan = arguments.plan()?;
    if arguments.check {
        print(&text::subjects(&plan.subjects))?;
        return Ok(Outcome::Yes);
    }
    let (extent, form) = (arguments.extent(), arguments.form());
    let mut watch = Watch::start(plan, extent, form, arguments.hang_up())?;
    let end = loop {
        match watch.go_on()? {
            End::Reload => watch.reload(arguments.plan()),
            end => break end,
        }
    };
    match (extent, end) {
        (Extent::UntilSettled, End::Settled) => {
            if form == Form::Text {
                print(&text::standings(watch.watcher.entries()))?;
            }
            Ok(watch.watcher.is_as_expected().into())
        }
        // Somebody has cut it short.
        (Extent::UntilSettled, End::Stopped | End::Reload) => Ok(Outcome::No),
        (Extent::Forever, _) => Ok(Outcome::Yes),
    }
}

/// Why it does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// All is known.
    Settled,
    /// A signal has asked for it.
    Stopped,
    /// A signal has asked for the file to be read again.
    Reload,
}

/// What a hang-up asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HangUp {
    /// To read the file again.
    Rereads,
    /// To end: what hangs up is the terminal.
    Ends,
}

/// The state machine among everything that it needs.
struct Watch {
    clock: Clock,
    signals: Signals,
    hang_up: HangUp,
    wake: Wake,
    waker: Waker,
    watcher: Watcher,
    lookers: Lookers,
    outlets: Outlets,
    records: Records,
    exporter: Option<Exporter>,
}

impl Watch {
    fn start(plan: Plan, extent: Extent, form: Form, hang_up: HangUp) -> Result<Self, Failure> {
        let clock = Clock::open().map_err(Failure::system)?;
        let signals = Signals::install().map_err(Failure::system)?;
        let (wake, waker) = Wake::new().map_err(Failure::system)?;
        let now = moment(&clock)?;
        let (records, saved) = Records::open(&plan)?;
        let lookers = Lookers::start(&plan, waker.clone())?;
        let exporter = plan.metrics_listen.map(Exporter::start).transpose()?;
        let outlets = Outlets::start(&plan.outlets, form, saved.undelivered, waker.clone())?;
        let watcher = Watcher::new(now, plan.subjects, plan.schedule, extent, saved.subjects);
        Ok(Self {
            clock,
            signals,
            hang_up,
            wake,
            waker,
            watcher,
            lookers,
            outlets,
            records,
            exporter,
        })
    }

    /// Goes on by another plan, or by the one before if that cannot be.
    fn reload(&mut self, plan: Result<Plan, Failure>) {
        match plan.and_then(|plan| self.replan(plan)) {
            Ok(()) => anstream::eprintln!("the file has been read again"),
            Err(failure) => {
                failure.print();
                anstream::eprintln!("going on as before");
            }
        }
    }

    fn replan(&mut self, plan: Plan) -> Result<(), Failure> {
        let now = moment(&self.clock)?;
        if plan.metrics_listen != self.exporter.as_ref().map(Exporter::address) {
            anstream::eprintln!("another `metrics-listen` takes a restart");
        }
        let lookers = Lookers::start(&plan, self.waker.clone())?;
        self.outlets.replan(now.monotonic, &plan.outlets, self.waker.clone())?;
        self.lookers = lookers;
        self.records = Records::of(&plan);
        self.watcher.replan(now, plan.subjects, plan.schedule);
        self.write(now, Urgency::AtOnce)
    }

    fn go_on(&mut self) -> Result<End, Failure> {
        loop {
            let now = moment(&self.clock)?;
            self.take(now)?;
            let action = self.watcher.poll(now);
            self.tell(now)?;
            match action {
                Action::Look(index) => {
                    if let Some(entry) = self.watcher.entries().get(index) {
                        self.lookers.look(index, entry.subject.clone());
                    }
                }
                Action::WaitUntil(until) => {
                    let next = [until, self.outlets.next_timeout(now.monotonic)];
                    let deadline = next.into_iter().chain([self.records.next_timeout()]);
                    match self.wait(deadline.flatten().min())? {
                        None => {}
                        Some(End::Reload) => return Ok(End::Reload),
                        Some(end) => {
                            self.end(now)?;
                            return Ok(end);
                        }
                    }
                }
                Action::Finished => {
                    self.deliver_the_rest()?;
                    return Ok(End::Settled);
                }
            }
        }
    }

    /// Takes what the threads have brought.
    fn take(&mut self, now: Moment) -> Result<(), Failure> {
        self.wake.clear();
        let seen = self.lookers.seen();
        for (index, seen) in &seen {
            self.watcher.handle(now, *index, seen);
            self.records.note(now.monotonic);
        }
        let is_delivered = self.outlets.take(now.monotonic);
        if is_delivered {
            self.write(now, Urgency::AtOnce)?;
        }
        if is_delivered || !seen.is_empty() {
            self.publish();
        }
        self.write(now, Urgency::WhenDue)
    }

    fn publish(&self) {
        if let Some(exporter) = &self.exporter {
            exporter.publish(metrics::render(&self.watcher, self.outlets.outbox()));
        }
    }

    /// Tells what there is to tell, having noted it: what is interrupted here may be told twice by the
    /// webhook, and never not at all.
    fn tell(&mut self, now: Moment) -> Result<(), Failure> {
        let mut alerts = Vec::new();
        while let Some(alert) = self.watcher.poll_alert() {
            self.outlets.queue(&alert);
            alerts.push(alert);
        }
        if !alerts.is_empty() {
            self.write(now, Urgency::AtOnce)?;
        }
        for alert in alerts {
            self.outlets.tell(&alert)?;
        }
        self.outlets.post(now.monotonic);
        Ok(())
    }

    fn write(&mut self, now: Moment, urgency: Urgency) -> Result<(), Failure> {
        self.records.write(now.monotonic, urgency, &self.watcher, self.outlets.outbox())
    }

    /// Waits until something happens; what for, if that is a signal not to go on.
    fn wait(&self, until: Option<Instant>) -> Result<Option<End>, Failure> {
        let mut poll = PollSet::new();
        for descriptor in [self.signals.descriptor(), self.wake.descriptor()].into_iter().flatten()
        {
            poll.add(descriptor, Interest::Read);
        }
        poll.wait(until).map_err(Failure::system)?;
        let asked = self.signals.take().filter_map(|signal| match (signal, self.hang_up) {
            (Signal::Terminate | Signal::Interrupt | Signal::Quit, _)
            | (Signal::Reload, HangUp::Ends) => Some(End::Stopped),
            (Signal::Reload, HangUp::Rereads) => Some(End::Reload),
            (Signal::User1, _) => None,
        });
        // Whoever is to end need not read anything before.
        Ok(asked.reduce(|one, other| if one == End::Stopped { one } else { other }))
    }

    /// Nothing more is looked at; what is on its way may arrive.
    fn deliver_the_rest(&mut self) -> Result<(), Failure> {
        let start = moment(&self.clock)?;
        let end = start.monotonic + PATIENCE;
        loop {
            let now = moment(&self.clock)?;
            self.take(now)?;
            self.outlets.post(now.monotonic);
            let is_over = self.outlets.is_everything_delivered() || now.monotonic >= end;
            let timeout = self.outlets.next_timeout(now.monotonic);
            let until = timeout.map_or(end, |at| at.min(end));
            if is_over || self.wait(Some(until))? == Some(End::Stopped) {
                return self.end(now);
            }
        }
    }

    fn end(&mut self, now: Moment) -> Result<(), Failure> {
        self.outlets.settle(now.monotonic);
        self.write(now, Urgency::AtOnce)?;
        self.outlets.end();
        Ok(())
    }
}

fn moment(clock: &Clock) -> Result<Moment, Failure> {
    let read = || -> io::Result<Moment> {
        Ok(Moment { monotonic: clock.monotonic()?, system: clock.system()? })
    };
    read().map_err(Failure::system)
}
