//! chrony's control plane: what chronyc, and everything else that speaks its protocol, asks for.
//!
//! | file | what it is about |
//! |---|---|
//! | `sockets` | where requests come from: UDP, and a Unix socket |
//! | `gate` | who may ask for what |
//! | `monitoring` | reports, out of the one read model |
//! | `sources` | the reports of single sources |
//! | `clients` | the reports of what was served |
//! | `changes` | what a request changes |
//! | `new_source` | a source in a request, as settings |
//! | `manual` | the right time, entered by hand |
//!
//! A face translates and never computes. Over UDP only reports are given, and only those that are
//! open to everybody; the Unix socket, which only root and the daemon's user can reach, may ask for
//! everything. No reply is longer than its request.

mod changes;
mod clients;
mod gate;
mod manual;
mod monitoring;
mod new_source;
mod sockets;
mod sources;

use timeball_core::report::Report;
use timeball_core::server::Treatment;
use timeball_wire::Instant;
use timeball_wire::cmdmon::{MAX_LEN, Reply, Request, RequestHeader, Status};

use crate::error::Error;
use crate::event_loop::EventLoop;
use gate::{Gate, Permission};
use manual::Manual;
use monitoring::Readings;
use sockets::{Datagram, Requester, Sockets};

/// The control plane: its sockets, who may use them, and what it remembers itself.
#[derive(Debug)]
pub(crate) struct CommandPlane {
    pub(crate) sockets: Sockets,
    gate: Gate,
    manual: Manual,
}

impl CommandPlane {
    /// A plane for `config`, not yet open. `hash_key` must be unpredictable to clients.
    pub(crate) fn new(config: &timeball_config::Config, hash_key: [u8; 16]) -> Self {
        Self {
            sockets: Sockets::default(),
            gate: Gate::new(&config.chronyc, hash_key),
            manual: Manual::new(config.clock.manual),
        }
    }

    /// Works by another configuration from now on.
    pub(crate) fn configure(&mut self, config: &timeball_config::Config) {
        self.sockets.open(&config.chronyc, None);
        self.gate.configure(&config.chronyc);
        self.manual.configure(config.clock.manual);
    }
}

impl EventLoop {
    /// Answers the requests that the last wait found.
    pub(crate) fn attend_commands(&mut self) -> Result<(), Error> {
        let datagrams = self.commands.sockets.receive(&self.poll);
        if datagrams.is_empty() {
            return Ok(());
        }
        let now = self.monotonic()?;
        let mut report = None;
        let mut buffer = [0; MAX_LEN];
        for datagram in datagrams {
            let Some((header, reply)) = self.answer_command(&datagram, now, &mut report)? else {
                continue;
            };
            match reply.emit(&header, &mut buffer) {
                Some(reply) => self.commands.sockets.reply(&datagram, reply),
                None => tracing::debug!("a request too short for its reply gets none"),
            }
        }
        Ok(())
    }

    /// The reply to a datagram, if it gets one. `report` is kept from one to the next, until
    /// something changes.
    fn answer_command(
        &mut self,
        datagram: &Datagram,
        now: Instant,
        report: &mut Option<Report>,
    ) -> Result<Option<(RequestHeader, Reply)>, Error> {
        let requester = &datagram.from;
        if !self.commands.gate.admits(requester) {
            tracing::debug!("a request from {requester}, who may not ask, is dropped");
            return Ok(None);
        }
        let header = match RequestHeader::parse(&datagram.bytes) {
            Ok(header) => header,
            Err(reason) => {
                tracing::debug!("a datagram from {requester} is no request: {reason:?}");
                return Ok(None);
            }
        };
        let treatment = self.commands.gate.treat(requester, now);
        let host = match requester {
            Requester::Network { from, .. } => Some(from.ip()),
            Requester::Local(_) => None,
        };
        self.server.responder_mut().note_command(host, treatment, now);
        if treatment == Treatment::Dropped {
            return Ok(None);
        }
        let reply = match header.request(&datagram.bytes) {
            Ok(request) => self.carry_out(&request, &header, requester, now, report)?,
            Err(None) => return Ok(None),
            // The data were not understood, of a command that is not for everybody.
            Err(Some(Status::Invalid)) if Request::name_of(header.command).is_some() => {
                match requester {
                    Requester::Local(_) => Status::Invalid.into(),
                    Requester::Network { .. } => Status::Unauthorised.into(),
                }
            }
            Err(Some(status)) => status.into(),
        };
        Ok(Some((header, reply)))
    }

    fn carry_out(
        &mut self,
        request: &Request,
        header: &RequestHeader,
        requester: &Requester,
        now: Instant,
        report: &mut Option<Report>,
    ) -> Result<Reply, Error> {
        match self.commands.gate.permission(request, requester) {
            Permission::Refused => Ok(Status::Unauthorised.into()),
            Permission::Monitor => {
                let report = match report {
                    Some(report) => report,
                    none => none.insert(self.report()?),
                };
                let readings = Readings {
                    report,
                    now,
                    server: self.server.responder(),
                    logs_clients: self.config.engine.server.client_log.is_some(),
                    gate: &self.commands.gate,
                    manual: &self.commands.manual,
                };
                let (reply, reset) = readings.answer(request, header);
                // From the network there are reports, and nothing that changes anything.
                if let Requester::Local(_) = requester {
                    for place in reset {
                        self.server.responder_mut().reset_client(place);
                    }
                }
                Ok(reply)
            }
            Permission::Change => {
                *report = None;
                self.change(request)
            }
        }
    }
}

#[cfg(test)]
mod tests;
