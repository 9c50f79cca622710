//! Who may ask for what.

use timeball_config::Chronyc;
use timeball_core::server::rate_limit::{RateLimiter, Ruling};
use timeball_core::server::{Access, AccessRules, Extent, Habit, Treatment};
use timeball_wire::Instant;
use timeball_wire::cmdmon::Request;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::sockets::Requester;

/// What a requester may do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permission {
    /// Nothing.
    Refused,
    /// See what it asks for.
    Monitor,
    /// Have it done.
    Change,
}

/// Who may ask for what.
#[derive(Debug)]
pub(super) struct Gate {
    access: AccessRules,
    limiter: Option<RateLimiter>,
    hash_key: [u8; 16],
    open_commands: Vec<String>,
}

impl Gate {
    pub(super) fn new(settings: &Chronyc, hash_key: [u8; 16]) -> Self {
        let mut gate = Self {
            access: AccessRules::new(&[], &[]),
            limiter: None,
            hash_key,
            open_commands: Vec::new(),
        };
        gate.configure(settings);
        gate
    }

    /// Works by other settings from now on; what an operator has changed since is forgotten.
    pub(super) fn configure(&mut self, settings: &Chronyc) {
        self.access = AccessRules::new(&settings.allow, &settings.deny);
        self.open_commands.clone_from(&settings.open_commands);
        self.limiter = settings.rate_limit.map(|limit| match self.limiter.take() {
            Some(mut limiter) => {
                limiter.configure(&limit);
                limiter
            }
            None => RateLimiter::new(&limit, &self.hash_key),
        });
    }

    /// Lets the hosts in a network ask from now on, or not.
    pub(super) fn change(&mut self, net: IpNet, access: Access, extent: Extent) {
        self.access.change(net, access, extent);
    }

    /// May this requester ask for anything at all?
    pub(super) fn admits(&self, requester: &Requester) -> bool {
        match requester {
            Requester::Local(_) => true,
            Requester::Network { from, .. } => self.allows(from.ip()),
        }
    }

    /// May a host with this address ask for anything at all? This machine always may.
    pub(super) fn allows(&self, host: IpAddr) -> bool {
        is_this_machine(host) || self.access.allows(host)
    }

    /// Whether a request is one too many. This machine's own never are.
    pub(super) fn treat(&mut self, requester: &Requester, now: Instant) -> Treatment {
        let (Requester::Network { from, .. }, Some(limiter)) = (requester, &mut self.limiter)
        else {
            return Treatment::Served;
        };
        if is_this_machine(from.ip()) {
            return Treatment::Served;
        }
        match limiter.judge(from.ip(), Habit::Steady, now) {
            Ruling::Within | Ruling::Leak => Treatment::Served,
            Ruling::Kiss | Ruling::Over => Treatment::Dropped,
        }
    }

    /// What this requester may do with this request.
    pub(super) fn permission(&self, request: &Request, requester: &Requester) -> Permission {
        let kind = Kind::of(request);
        match (requester, kind) {
            (Requester::Local(_), Kind::Change) => Permission::Change,
            (Requester::Local(_), Kind::Report(_) | Kind::LocalReport) => Permission::Monitor,
            (Requester::Network { .. }, Kind::Report(words)) if self.is_open(words) => {
                Permission::Monitor
            }
            (Requester::Network { .. }, _) => Permission::Refused,
        }
    }

    fn is_open(&self, words: &[&str]) -> bool {
        self.open_commands.iter().any(|open| words.contains(&open.as_str()))
    }
}

/// Exactly the addresses that chronyc asks from if it asks the daemon beside it.
fn is_this_machine(host: IpAddr) -> bool {
    let host = host.to_canonical();
    host == Ipv4Addr::LOCALHOST || host == Ipv6Addr::LOCALHOST
}

/// What kind of thing is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A report that any of these words opens to the network.
    Report(&'static [&'static str]),
    /// A report that is never open to the network.
    LocalReport,
    /// A change.
    Change,
}

impl Kind {
    fn of(request: &Request) -> Self {
        match request {
            Request::SourceCount => {
                Self::Report(&["sources", "sourcestats", "selectdata", "authdata", "ntpdata"])
            }
            Request::SourceData { .. } => Self::Report(&["sources"]),
            Request::SourceStats { .. } => Self::Report(&["sourcestats"]),
            Request::SelectData { .. } => Self::Report(&["selectdata"]),
            Request::AuthenticationData { .. } => Self::Report(&["authdata"]),
            Request::NtpData { .. } => Self::Report(&["ntpdata"]),
            Request::SourceName { .. } => Self::Report(&["sourcename"]),
            Request::Tracking => Self::Report(&["tracking"]),
            Request::Activity => Self::Report(&["activity"]),
            Request::ManualList => Self::Report(&["manual"]),
            Request::RtcReport => Self::Report(&["rtcdata"]),
            Request::Smoothing => Self::Report(&["smoothing"]),
            Request::ServerStats => Self::Report(&["serverstats"]),
            Request::ClientAccesses { .. } => Self::Report(&["clients"]),
            Request::AccessCheck { .. } | Request::CommandAccessCheck { .. } => Self::LocalReport,
            Request::Online { .. }
            | Request::Offline { .. }
            | Request::Onoffline
            | Request::Burst { .. }
            | Request::ModifyMinpoll { .. }
            | Request::ModifyMaxpoll { .. }
            | Request::ModifyMaxdelay { .. }
            | Request::ModifyMaxdelayratio { .. }
            | Request::ModifyMaxdelaydevratio { .. }
            | Request::ModifyMinstratum { .. }
            | Request::ModifyPolltarget { .. }
            | Request::ModifyMaxupdateskew { .. }
            | Request::ModifyMakestep { .. }
            | Request::ModifySelectOptions { .. }
            | Request::ModifyOffset { .. }
            | Request::Dump
            | Request::Settime { .. }
            | Request::Manual { .. }
            | Request::ManualDelete { .. }
            | Request::Rekey
            | Request::Allow { .. }
            | Request::AllowAll { .. }
            | Request::Deny { .. }
            | Request::DenyAll { .. }
            | Request::CommandAllow { .. }
            | Request::CommandAllowAll { .. }
            | Request::CommandDeny { .. }
            | Request::CommandDenyAll { .. }
            | Request::AddSource { .. }
            | Request::DeleteSource { .. }
            | Request::WriteRtc
            | Request::TrimRtc
            | Request::ChangeFrequency { .. }
            | Request::ChangeOffset { .. }
            | Request::CycleLogs
            | Request::MakeStep
            | Request::Reselect
            | Request::ReselectDistance { .. }
            | Request::Smoothtime { .. }
            | Request::Refresh
            | Request::Local2 { .. }
            | Request::Local { .. }
            | Request::Shutdown
            | Request::ResetSources
            | Request::ReloadSources => Self::Change,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use timeball_core::server::RateLimit;
    use timeball_wire::cmdmon::Address;

    use super::*;

    fn gate(settings: Chronyc) -> Gate {
        Gate::new(&settings, *b"a key for tests.")
    }

    fn network(from: &str) -> Requester {
        let from = std::net::SocketAddr::new(from.parse().unwrap(), 1234);
        Requester::Network { socket: 0, from, to: None }
    }

    fn local() -> Requester {
        Requester::Local(PathBuf::from("/run/client"))
    }

    #[test]
    fn this_machine_and_those_allowed_may_ask() {
        let mut gate = gate(Chronyc {
            allow: vec!["192.0.2.0/24".parse().unwrap()],
            deny: vec!["192.0.2.7/32".parse().unwrap()],
            ..Chronyc::default()
        });
        for (from, admitted) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("127.0.0.2", false),
            ("192.0.2.1", true),
            ("192.0.2.7", false),
            ("198.51.100.1", false),
        ] {
            assert_eq!(gate.admits(&network(from)), admitted, "{from}");
        }
        assert!(gate.admits(&local()));
        gate.change("0.0.0.0/0".parse().unwrap(), Access::Deny, Extent::All);
        assert!(!gate.admits(&network("192.0.2.1")));
        assert!(gate.admits(&network("127.0.0.1")));
    }

    #[test]
    fn the_network_sees_what_is_open_and_changes_nothing() {
        let gate = gate(Chronyc {
            open_commands: vec!["ntpdata".to_owned(), "tracking".to_owned()],
            ..Chronyc::default()
        });
        let address = Address::Unspecified;
        for (request, permission) in [
            (Request::Tracking, Permission::Monitor),
            (Request::SourceCount, Permission::Monitor),
            (Request::NtpData { address }, Permission::Monitor),
            (Request::SourceData { index: 0 }, Permission::Refused),
            (Request::AccessCheck { address }, Permission::Refused),
            (Request::MakeStep, Permission::Refused),
            (Request::Shutdown, Permission::Refused),
        ] {
            assert_eq!(gate.permission(&request, &network("127.0.0.1")), permission, "{request:?}");
        }
        for (request, permission) in [
            (Request::SourceData { index: 0 }, Permission::Monitor),
            (Request::AccessCheck { address }, Permission::Monitor),
            (Request::MakeStep, Permission::Change),
        ] {
            assert_eq!(gate.permission(&request, &local()), permission, "{request:?}");
        }
    }

    #[test]
    fn too_many_requests_are_dropped_but_not_this_machines_own() {
        let limit = RateLimit { interval: 1.0, burst: 2, leak: 0, kiss: 0 };
        let mut gate = gate(Chronyc { rate_limit: Some(limit), ..Chronyc::default() });
        let now = Instant::from_nanos(0);
        let mut treatments = |from: &Requester| [(); 3].map(|()| gate.treat(from, now));
        use Treatment::{Dropped, Served};
        assert_eq!(treatments(&network("192.0.2.1")), [Served, Served, Dropped]);
        assert_eq!(treatments(&network("127.0.0.1")), [Served; 3]);
        assert_eq!(treatments(&local()), [Served; 3]);
    }
}
