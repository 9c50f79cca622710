//! The native control plane: a Unix socket on which the operator's tools ask.
//!
//! A face translates and never computes: what it shows is the engine's
//! [`Report`](timeball_core::report::Report), what it asks is one of the engine's commands.
pub mod client;
mod connection;
pub(crate) mod listener;
pub mod protocol;

pub use client::{ClientError, ask};
pub use protocol::{Answer, Request, Response};

use timeball_core::engine::{Command, Sources};

use crate::error::Error;
use crate::event_loop::EventLoop;

impl EventLoop {
    /// Moves the connections on and answers the requests that are complete.
    pub(crate) fn attend_control(&mut self) -> Result<(), Error> {
        let now = self.monotonic()?;
        let requests = match &mut self.control {
            Some(control) => {
                control.turn(&self.poll, now);
                control.requests()
            }
            None => return Ok(()),
        };
        for (connection, line) in requests {
            let response = match line.and_then(|line| Request::from_line(&line)) {
                Ok(request) => self.respond(request)?,
                Err(mistake) => Response::Error(mistake),
            };
            if let Some(control) = &mut self.control {
                control.answer(connection, &response, now);
            }
        }
        Ok(())
    }

    /// Does what an operator asks.
    ///
    /// # Errors
    /// When this machine's clocks cannot be read. What an operator may not have is a
    /// [`Response::Error`].
    pub fn respond(&mut self, request: Request) -> Result<Response, Error> {
        if let (Request::Step, Some(reason)) = (request, self.why_it_only_watches()) {
            let refusal = format!("this daemon does not control the clock: {reason}");
            return Ok(Response::Error(refusal));
        }
        Ok(match request {
            Request::Status | Request::Sources => Response::report(self.report()?),
            Request::Step => self.pass_on(Command::Step, "the clock is stepped as measured")?,
            Request::Burst => {
                let everywhere = Command::Burst { sources: Sources::All, good: None, total: None };
                self.pass_on(everywhere, "asking every source several times")?
            }
            Request::Refresh => self.pass_on(Command::Refresh, "resolving every name anew")?,
            Request::Reload => match self.reload()? {
                Ok(done) => Response::done(done),
                Err(mistakes) => Response::Error(mistakes),
            },
        })
    }

    fn pass_on(&mut self, command: Command, what_it_does: &str) -> Result<Response, Error> {
        Ok(match self.command(command)? {
            Ok(()) => Response::done(what_it_does),
            Err(error) => Response::Error(error.to_string()),
        })
    }
}
