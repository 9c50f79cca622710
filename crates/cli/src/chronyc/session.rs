//! One command after another, against one daemon.

use std::io::Write;

use serde_json::json;
use timeball_host::resolver::AddressFamily;
use timeball_wire::ReferenceId;
use timeball_wire::cmdmon::{Address, Answer, Request, Status};

use super::command::{Command, Lookup};
use super::daemon::Daemon;
use super::help;
use super::names::{self, NameStyle};
use super::output::Output;
use super::record::Presentation;
use super::report;
use super::trouble::{Outcome, Trouble, status_line, words};

/// What lasts from one command to the next.
pub(super) struct Session<W> {
    pub(super) daemon: Daemon,
    pub(super) output: Output<W>,
    pub(super) names: NameStyle,
    pub(super) family: AddressFamily,
    /// Each answer ends with a line of one dot.
    pub(super) end_dot: bool,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Done,
    /// What was wrong has been said.
    Failed,
    /// No more commands are wanted; done or failed.
    Quit(bool),
}

/// Something that has a name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Named {
    /// A time source of the daemon.
    Source(Address),
    ReferenceClock(ReferenceId),
    Client(Address),
}

impl Named {
    /// A source in the reports in which a reference clock is a source without an address.
    pub(super) fn source(address: Address, reference_id: ReferenceId) -> Self {
        match address {
            Address::Unspecified => Self::ReferenceClock(reference_id),
            address => Self::Source(address),
        }
    }
}

impl<W: Write> Session<W> {
    /// Carries out the command of a line, and says what is wrong if it cannot.
    pub(super) fn run(&mut self, line: &str) -> End {
        let command = match Command::parse(line, self.family) {
            Ok(None) => return End::Done,
            Ok(Some(Command::Quit)) => return End::Quit(true),
            Ok(Some(command)) => Ok(command),
            Err(trouble) => Err(trouble),
        };
        let end = match command.and_then(|command| self.carry_out(command)) {
            Ok(()) => End::Done,
            Err(trouble) => self.complain(&trouble),
        };
        match self.finish() {
            Ok(()) => end,
            Err(error) => {
                eprintln!("Could not write to stdout: {error}");
                End::Quit(false)
            }
        }
    }

    fn carry_out(&mut self, command: Command) -> Outcome {
        match command {
            Command::Show(wanted) => report::show(self, wanted),
            Command::Do(request) => self.have_done(&request),
            Command::SetTime(time) => report::manual::set_time(self, time),
            Command::WaitSync(limits) => report::waitsync::wait(self, limits),
            Command::KeyGen(key) => {
                let line = key.generate()?;
                Ok(self.output.line(&line, &json!({ "key_file_line": line.as_str() }))?)
            }
            Command::Help => Ok(self.output.words(&help::text())?),
            Command::Dns(Lookup::Family(family)) => {
                self.family = family;
                Ok(())
            }
            Command::Dns(Lookup::HostNames(wanted)) => {
                self.names = if wanted { NameStyle::HostName } else { NameStyle::Numeric };
                Ok(())
            }
            Command::Timeout(timeout) => {
                self.daemon.patience.timeout = timeout;
                Ok(())
            }
            Command::Retries(retries) => {
                self.daemon.patience.retries = retries;
                Ok(())
            }
            Command::Obsolete(remark) => {
                eprintln!("{remark}");
                Ok(())
            }
            // `run` has seen to it.
            Command::Quit => Ok(()),
        }
    }

    /// A request that is answered by a status alone.
    fn have_done(&mut self, request: &Request) -> Outcome {
        let mut reply = self.daemon.ask(request)?;
        if reply.status == Status::Invalid
            && let Some(older) = Command::for_older_daemons(request)
        {
            reply = self.daemon.ask(&older)?;
        }
        match reply.status {
            status @ (Status::Success | Status::AccessAllowed | Status::AccessDenied) => {
                let (line, json) = status_line(words(status));
                self.output.line(&line, &json)?;
            }
            refused => return Err(Trouble::Refused(refused)),
        }
        match reply.answer {
            Answer::None => Ok(()),
            _ => Err(Trouble::BadReply),
        }
    }

    /// What the daemon answers, if it does not refuse.
    pub(super) fn fetch(&mut self, request: &Request) -> Outcome<Answer> {
        let reply = self.daemon.ask(request)?;
        match reply.status {
            Status::Success => Ok(reply.answer),
            refused => Err(Trouble::Refused(refused)),
        }
    }

    /// How many sources the daemon has.
    pub(super) fn count_sources(&mut self) -> Outcome<u32> {
        match self.fetch(&Request::SourceCount)? {
            Answer::SourceCount(count) => Ok(count),
            _ => Err(Trouble::BadReply),
        }
    }

    /// The name under which something is shown; host names have at most `width` characters.
    pub(super) fn name_of(&mut self, named: Named, width: usize) -> String {
        let address = match named {
            Named::ReferenceClock(id) => return names::reference_text(id),
            Named::Source(address) if self.names == NameStyle::AsConfigured => {
                return self.configured_name(address).unwrap_or_else(|| "?".into());
            }
            Named::Source(address) | Named::Client(address) => address,
        };
        match address {
            Address::Ip(ip) if self.shows_host_names() => {
                names::shortened(names::host_name(ip), width)
            }
            address => names::numeric(address),
        }
    }

    fn shows_host_names(&self) -> bool {
        let for_people = self.output.presentation() == Presentation::Text;
        for_people && self.names != NameStyle::Numeric
    }

    /// The name of a source in the daemon's configuration, if it can be printed.
    pub(super) fn configured_name(&mut self, address: Address) -> Option<String> {
        match self.fetch(&Request::SourceName { address }) {
            Ok(Answer::SourceName(name)) => {
                let printable = |name: &&str| name.bytes().all(|byte| byte.is_ascii_graphic());
                name.as_str().filter(printable).map(str::to_owned)
            }
            _ => None,
        }
    }

    /// Says what is wrong.
    pub(super) fn complain(&mut self, trouble: &Trouble) -> End {
        let Some(status) = trouble.status() else {
            return match trouble {
                Trouble::Interrupted => End::Quit(false),
                Trouble::NotSynchronised => End::Failed,
                complaint => {
                    eprintln!("{complaint}");
                    End::Failed
                }
            };
        };
        let (line, json) = status_line(status);
        match self.output.line(&line, &json) {
            Ok(()) => End::Failed,
            // Said when the output is finished.
            Err(_) => End::Quit(false),
        }
    }

    /// What was said so far reaches the reader.
    pub(super) fn flush(&mut self) -> Outcome {
        Ok(self.output.flush()?)
    }

    fn finish(&mut self) -> std::io::Result<()> {
        if self.end_dot {
            self.output.end_of_answer()?;
        }
        self.output.flush()
    }
}
