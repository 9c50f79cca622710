//! What a request changes: a command to the engine, or a matter of the daemon itself.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use timeball_core::association::{Connectivity, PollInterval};
use timeball_core::engine::{Command, CommandError, SourceChange, Sources};
use timeball_core::report::SourceReport;
use timeball_core::selection::Options;
use timeball_core::server::{Access, Extent};
use timeball_core::settings::Local;
use timeball_host::signals::Signal;
use timeball_host::socket::{ClientOptions, ClientSocket, Stamping};
use timeball_wire::cmdmon::{Address, Answer, Reply, Request, SelectMask, SourceFlags, Status};

use super::manual::{self, Adjustment};
use super::{new_source, sources};
use crate::error::Error;
use crate::event_loop::EventLoop;

/// How long an orphan waits after the start if nobody says (s).
const ORPHAN_WAIT: f64 = 300.0;

impl EventLoop {
    /// Does what a request asks for, and says what became of it.
    pub(super) fn change(&mut self, request: &Request) -> Result<Reply, Error> {
        let status = match *request {
            Request::Settime { time } => return self.set_time(time.into()),
            Request::Manual { option } => self.commands.manual.switch(option),
            Request::ManualDelete { index } => return self.delete_manual_sample(index),

            Request::Online { mask, address } => {
                self.connect(mask, address, Connectivity::Online)?
            }
            Request::Offline { mask, address } => {
                self.connect(mask, address, Connectivity::Offline)?
            }
            Request::Onoffline => self.connect_by_route()?,
            Request::Burst { mask, address, good, total } => {
                match (u32::try_from(good), u32::try_from(total)) {
                    (Ok(good), Ok(total)) => self.about_sources(mask, address, |sources| {
                        Command::Burst { sources, good: Some(good), total: Some(total) }
                    })?,
                    _ => Status::Invalid,
                }
            }
            Request::ModifyMinpoll { address, min_poll } => {
                self.modify(address, poll_interval(min_poll).map(SourceChange::MinPoll))?
            }
            Request::ModifyMaxpoll { address, max_poll } => {
                self.modify(address, poll_interval(max_poll).map(SourceChange::MaxPoll))?
            }
            Request::ModifyMaxdelay { address, max_delay } => {
                self.modify(address, Some(SourceChange::MaxDelay(max_delay.into())))?
            }
            Request::ModifyMaxdelayratio { address, ratio } => {
                self.modify(address, Some(SourceChange::MaxDelayRatio(ratio.into())))?
            }
            Request::ModifyMaxdelaydevratio { address, ratio } => {
                self.modify(address, Some(SourceChange::MaxDelayDevRatio(ratio.into())))?
            }
            Request::ModifyMinstratum { address, min_stratum } => {
                let stratum = u8::try_from(min_stratum).ok();
                self.modify(address, stratum.map(SourceChange::MinStratum))?
            }
            Request::ModifyPolltarget { address, poll_target } => {
                let target = usize::try_from(poll_target).ok();
                self.modify(address, target.map(|target| SourceChange::PollTarget(target.max(1))))?
            }
            Request::ModifyOffset { address, offset, .. } => {
                self.modify(address, Some(SourceChange::Offset(offset.into())))?
            }
            Request::ModifySelectOptions { address, mask, options, .. } => {
                self.modify_select_options(address, mask, options)?
            }
            Request::AddSource { ref source } => match new_source::settings(source) {
                Ok(settings) => self.order(Command::Add(Box::new(settings)))?,
                Err(status) => status,
            },
            Request::DeleteSource { address } => match address {
                Address::Ip(address) => self.order(Command::Delete(address))?,
                Address::Id(_) => match sources::find(&self.report()?.sources, address) {
                    Some(source) => self.order(Command::DeleteNamed(source.name.clone()))?,
                    None => Status::NoSuchSource,
                },
                Address::Unspecified => Status::NoSuchSource,
            },

            Request::Reselect => self.order(Command::Reselect)?,
            Request::ReselectDistance { distance } => {
                self.order(Command::ReselectDistance(distance.into()))?
            }
            Request::ResetSources => self.order(Command::ResetSources)?,
            Request::Refresh => self.order(Command::Refresh)?,
            Request::MakeStep => match self.why_it_only_watches() {
                Some(_) => Status::Failed,
                None => self.order(Command::Step)?,
            },
            Request::ModifyMakestep { limit, threshold } => {
                let limit = u32::try_from(limit).ok();
                self.order(Command::StepPolicy { threshold: threshold.into(), limit })?
            }
            Request::ModifyMaxupdateskew { max_update_skew } => {
                self.order(Command::MaxUpdateSkew(f64::from(max_update_skew) * 1e-6))?
            }
            Request::ChangeFrequency { frequency } => {
                self.order(Command::AdjustFrequency(-f64::from(frequency) * 1e-6))?
            }
            Request::ChangeOffset { offset } => {
                self.order(Command::AdjustOffset(-f64::from(offset)))?
            }

            Request::Local { on: 0, .. } | Request::Local2 { on: 0, .. } => {
                self.order(Command::Local(None))?
            }
            Request::Local {
                stratum,
                distance,
                orphan,
                activate,
                wait_synchronised,
                wait_unsynchronised,
                ..
            } => self.order(Command::Local(Some(Local {
                stratum: stratum.clamp(1, 15) as u8,
                distance: distance.into(),
                activate: activate.into(),
                orphan: orphan != 0,
                wait_synchronised: wait_synchronised.into(),
                wait_unsynchronised: wait_unsynchronised.into(),
            })))?,
            Request::Local2 { stratum, distance, orphan, .. } => {
                self.order(Command::Local(Some(Local {
                    stratum: stratum.clamp(1, 15) as u8,
                    distance: distance.into(),
                    orphan: orphan != 0,
                    wait_unsynchronised: if orphan != 0 { ORPHAN_WAIT } else { 0.0 },
                    ..Local::default()
                })))?
            }
            Request::Smoothtime { option: 0 } => self.order(Command::ResetSmoothing)?,
            Request::Smoothtime { option: 1 } => self.order(Command::ActivateSmoothing)?,
            Request::Smoothtime { .. } => Status::Invalid,

            Request::Allow { address, bits } => {
                self.serve(address, bits, Access::Allow, Extent::Default)
            }
            Request::AllowAll { address, bits } => {
                self.serve(address, bits, Access::Allow, Extent::All)
            }
            Request::Deny { address, bits } => {
                self.serve(address, bits, Access::Deny, Extent::Default)
            }
            Request::DenyAll { address, bits } => {
                self.serve(address, bits, Access::Deny, Extent::All)
            }
            Request::CommandAllow { address, bits } => {
                self.admit(address, bits, Access::Allow, Extent::Default)
            }
            Request::CommandAllowAll { address, bits } => {
                self.admit(address, bits, Access::Allow, Extent::All)
            }
            Request::CommandDeny { address, bits } => {
                self.admit(address, bits, Access::Deny, Extent::Default)
            }
            Request::CommandDenyAll { address, bits } => {
                self.admit(address, bits, Access::Deny, Extent::All)
            }

            Request::Shutdown => {
                tracing::info!("Received shutdown command");
                self.raise(Signal::Terminate);
                Status::Success
            }
            Request::WriteRtc | Request::TrimRtc => Status::NoRtc,
            Request::CycleLogs => {
                self.records.cycle();
                Status::Success
            }
            Request::Dump => {
                // As chronyd, which has nowhere to write to either.
                self.dump_measurements()?;
                Status::Success
            }
            Request::ReloadSources => {
                self.reload_sources()?;
                Status::Success
            }
            Request::Rekey => {
                self.read_cookie_keys_again()?;
                self.read_keys_again()?
            }

            // Reports, which change nothing.
            Request::SourceCount
            | Request::SourceData { .. }
            | Request::SourceStats { .. }
            | Request::SelectData { .. }
            | Request::NtpData { .. }
            | Request::AuthenticationData { .. }
            | Request::SourceName { .. }
            | Request::Tracking
            | Request::Activity
            | Request::Smoothing
            | Request::ServerStats
            | Request::ClientAccesses { .. }
            | Request::ManualList
            | Request::RtcReport
            | Request::AccessCheck { .. }
            | Request::CommandAccessCheck { .. } => Status::Invalid,
        };
        Ok(status.into())
    }

    fn order(&mut self, command: Command) -> Result<Status, Error> {
        Ok(match self.command(command)? {
            Ok(()) => Status::Success,
            Err(error) => status_of(error),
        })
    }

    // Sources.

    /// Gives a command about the sources in a network, if there are any.
    fn about_sources(
        &mut self,
        mask: Address,
        address: Address,
        command: impl FnOnce(Sources) -> Command,
    ) -> Result<Status, Error> {
        let Some(sources) = network(mask, address) else { return Ok(Status::Invalid) };
        let report = self.report()?;
        let meant = |source: &SourceReport| match (sources, source.address) {
            (Sources::All, _) => true,
            (_, address) => address.is_some_and(|address| sources.contains(address)),
        };
        match report.sources.iter().any(meant) {
            true => self.order(command(sources)),
            false => Ok(Status::NoSuchSource),
        }
    }

    fn connect(
        &mut self,
        mask: Address,
        address: Address,
        connectivity: Connectivity,
    ) -> Result<Status, Error> {
        self.about_sources(mask, address, |sources| Command::Connect { sources, connectivity })
    }

    /// Asks the sources to which there is a route, and no others.
    fn connect_by_route(&mut self) -> Result<Status, Error> {
        for source in self.report()?.sources {
            let Some(address) = source.address else { continue };
            let connectivity = match has_route(address, source.port) {
                true => Connectivity::Online,
                false => Connectivity::Offline,
            };
            let sources = Sources::Within(IpNet::from(address));
            // A source that has just gone has no need of a route.
            self.order(Command::Connect { sources, connectivity })?;
        }
        Ok(Status::Success)
    }

    /// Changes one source. `None` stands for a value that no source can have.
    fn modify(&mut self, address: Address, change: Option<SourceChange>) -> Result<Status, Error> {
        match (address, change) {
            (Address::Ip(address), Some(change)) => {
                self.order(Command::Modify { address: address.to_canonical(), change })
            }
            (Address::Ip(_), None) => Ok(Status::Invalid),
            (Address::Unspecified | Address::Id(_), _) => Ok(Status::NoSuchSource),
        }
    }

    fn modify_select_options(
        &mut self,
        address: Address,
        mask: SelectMask,
        options: SourceFlags,
    ) -> Result<Status, Error> {
        let report = self.report()?;
        let Some(source) = sources::find(&report.sources, address) else {
            return Ok(Status::NoSuchSource);
        };
        let changed = |flag: SourceFlags, now| match mask.contains(flag.into()) {
            true => options.contains(flag),
            false => now,
        };
        let Options { noselect, prefer, trust, require } = source.options;
        let options = Options {
            noselect: changed(SourceFlags::NOSELECT, noselect),
            prefer: changed(SourceFlags::PREFER, prefer),
            trust: changed(SourceFlags::TRUST, trust),
            require: changed(SourceFlags::REQUIRE, require),
        };
        self.modify(address, Some(SourceChange::Options(options)))
    }

    // Access.

    fn serve(&mut self, address: Address, bits: i32, access: Access, extent: Extent) -> Status {
        let Some(networks) = subnets(address, bits) else { return Status::BadSubnet };
        for network in networks {
            self.server.change_access(network, access, extent);
        }
        self.nts_server.change_access(self.server.responder().access());
        Status::Success
    }

    fn admit(&mut self, address: Address, bits: i32, access: Access, extent: Extent) -> Status {
        let Some(networks) = subnets(address, bits) else { return Status::BadSubnet };
        for network in networks {
            self.commands.gate.change(network, access, extent);
        }
        Status::Success
    }

    // Time entered by hand.

    fn set_time(&mut self, entered: timeball_wire::Timestamp) -> Result<Reply, Error> {
        if !self.commands.manual.is_enabled() {
            return Ok(Status::NotEnabled.into());
        }
        let Some(now) = manual::best_time(&self.report()?.tracking) else {
            return Ok(Status::Failed.into());
        };
        match self.commands.manual.enter(now, entered) {
            Some(adjustment) => self.adjust_by_hand(adjustment),
            None => Ok(Status::Failed.into()),
        }
    }

    fn delete_manual_sample(&mut self, index: i32) -> Result<Reply, Error> {
        let Some(now) = manual::best_time(&self.report()?.tracking) else {
            return Ok(Status::Failed.into());
        };
        match self.commands.manual.delete(index, now) {
            Some(adjustment) => {
                let reply = self.adjust_by_hand(adjustment)?;
                Ok(reply.status.into())
            }
            None => Ok(Status::BadSample.into()),
        }
    }

    fn adjust_by_hand(&mut self, adjustment: Adjustment) -> Result<Reply, Error> {
        let Adjustment { offset, gain, .. } = adjustment;
        let commands = [
            (gain != 0.0).then_some(Command::AdjustFrequency(-gain)),
            (offset != 0.0).then_some(Command::AdjustOffset(-offset)),
        ];
        for command in commands.into_iter().flatten() {
            match self.order(command)? {
                Status::Success => {}
                refused => return Ok(refused.into()),
            }
        }
        let frequency = -self.report()?.tracking.frequency_ppm;
        Ok(Answer::ManualTimestamp(adjustment.report(frequency)).into())
    }
}

fn status_of(error: CommandError) -> Status {
    match error {
        CommandError::NoSuchSource => Status::NoSuchSource,
        CommandError::SourceExists => Status::SourceAlreadyKnown,
        CommandError::NotEnabled => Status::NotEnabled,
        CommandError::NotSynchronised => Status::Failed,
    }
}

fn poll_interval(exponent: i32) -> Option<PollInterval> {
    let exponent = i8::try_from(exponent).ok()?;
    let interval = PollInterval::new(exponent);
    // Limited to what is possible.
    (interval.exponent() == exponent).then_some(interval)
}

/// The sources in a network; `None` for a mask that makes no network. A mask of another family stands
/// for the very address.
fn network(mask: Address, address: Address) -> Option<Sources> {
    let network = match (address, mask) {
        (Address::Unspecified, _) => return Some(Sources::All),
        (Address::Ip(IpAddr::V4(address)), Address::Ip(IpAddr::V4(mask))) => {
            Ipv4Net::with_netmask(address, mask).ok()?.trunc().into()
        }
        (Address::Ip(IpAddr::V6(address)), Address::Ip(IpAddr::V6(mask))) => {
            Ipv6Net::with_netmask(address, mask).ok()?.trunc().into()
        }
        (Address::Ip(address), _) => IpNet::from(address),
        (Address::Id(_), _) => return None,
    };
    Some(Sources::Within(network))
}

/// The networks that a rule is about: without an address, everybody's.
fn subnets(address: Address, bits: i32) -> Option<Vec<IpNet>> {
    match address {
        Address::Unspecified if bits == 0 => {
            Some(vec![IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())])
        }
        Address::Ip(ip) => Some(vec![IpNet::new(ip, u8::try_from(bits).ok()?).ok()?.trunc()]),
        Address::Unspecified | Address::Id(_) => None,
    }
}

/// A datagram could be sent there.
fn has_route(address: IpAddr, port: u16) -> bool {
    let options = ClientOptions { stamping: Stamping::Daemon, ..ClientOptions::default() };
    ClientSocket::open((address, port).into(), &options).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Address {
        Address::Ip(text.parse().unwrap())
    }

    #[test]
    fn a_mask_and_an_address_mean_sources() {
        let within = |text: &str| Some(Sources::Within(text.parse().unwrap()));
        assert_eq!(network(Address::Unspecified, Address::Unspecified), Some(Sources::All));
        assert_eq!(network(ip("255.255.255.0"), ip("192.0.2.7")), within("192.0.2.0/24"));
        assert_eq!(network(ip("255.255.255.255"), ip("192.0.2.7")), within("192.0.2.7/32"));
        assert_eq!(network(Address::Unspecified, ip("192.0.2.7")), within("192.0.2.7/32"));
        assert_eq!(network(ip("ffff::"), ip("192.0.2.7")), within("192.0.2.7/32"));
        assert_eq!(network(ip("ffff:ffff::"), ip("2001:db8::1")), within("2001:db8::/32"));
        assert_eq!(network(ip("255.0.255.0"), ip("192.0.2.7")), None);
        assert_eq!(network(Address::Unspecified, Address::Id(1)), None);
    }

    #[test]
    fn a_rule_is_about_networks() {
        let nets = |texts: &[&str]| {
            Some(texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpNet>>())
        };
        assert_eq!(subnets(Address::Unspecified, 0), nets(&["0.0.0.0/0", "::/0"]));
        assert_eq!(subnets(ip("192.0.2.7"), 24), nets(&["192.0.2.0/24"]));
        assert_eq!(subnets(ip("2001:db8::1"), 128), nets(&["2001:db8::1/128"]));
        for (address, bits) in [
            (Address::Unspecified, 1),
            (Address::Id(1), 0),
            (ip("192.0.2.7"), 33),
            (ip("192.0.2.7"), -1),
            (ip("::1"), 129),
            (ip("::1"), 256),
        ] {
            assert_eq!(subnets(address, bits), None, "{address:?}/{bits}");
        }
    }

    #[test]
    fn poll_intervals_are_those_there_are() {
        assert_eq!(poll_interval(6).map(PollInterval::exponent), Some(6));
        assert_eq!(poll_interval(-7).map(PollInterval::exponent), Some(-7));
        for impossible in [-8, 25, 128, i32::MIN, i32::MAX] {
            assert_eq!(poll_interval(impossible), None);
        }
    }
}
