//! What to change, in the software that was recognised.

use super::super::software::Implementation;
use super::FindingId;

impl FindingId {
    /// What to change in this software.
    pub const fn remedy(self, implementation: Implementation) -> &'static str {
        match self {
            Self::Mode7Monlist | Self::Mode7Open | Self::Mode7Loop => mode_7(implementation),
            Self::Mode6Variables
            | Self::Mode6Associations
            | Self::Mode6Clients
            | Self::Amplifier => mode_6(implementation),
            Self::Reflector | Self::AnswersAnswers => {
                "Upgrade whatever answers here; until then let the firewall drop it."
            }
            Self::MobilisesStrangers => {
                "Name the peers in the configuration, each with a key, and take no others: ntpd's \
                 `restrict default nopeer …`, and never `disable auth`."
            }
            Self::BroadcastsTime => {
                "Give it a key that its clients prove (`broadcast … key N`), or better have them ask a \
                 server instead."
            }
            Self::ChronyCommandPort => {
                "Remove `cmdallow` and `bindcmdaddress` with a public address from chrony.conf; \
                 `cmdport 0` closes the port altogether."
            }
            Self::AbandonedSoftware => {
                "Upgrade to ntpd 4.2.8p18 or later, or to an implementation that is maintained."
            }
            Self::WrongTime => {
                "Compare with other servers first: this machine's clock may be the wrong one. Then see \
                 which sources the server follows, and give it four or more."
            }
            Self::Unsynchronised if matches!(implementation, Implementation::Windows) => {
                "`w32tm /query /status` says what it follows. Outside of a domain the time service wants \
                 `w32tm /config /manualpeerlist:... /syncfromflags:manual /update`."
            }
            Self::Unsynchronised => {
                "See why it has no source. A server that never has one should be taken out of the lists \
                 of its clients."
            }
            Self::StaleReference => {
                "See whether it still reaches its sources; a local clock (`local stratum`, 127.127.1.0) \
                 hides that it does not."
            }
            Self::AbsurdDispersion if matches!(implementation, Implementation::Windows) => {
                "Windows' time service admits much more than it is wrong by; clients that shall follow it \
                 all the same need a larger limit (chronyd's `maxdistance`)."
            }
            Self::AbsurdDispersion => "See whether it still reaches its sources.",
            Self::LeapOutOfSeason => {
                "Give it a current list of leap seconds, and find the source that announces this one."
            }
            Self::RestartVisible => {
                "It goes by itself once the server is synchronised; if it does not, see why it isn't."
            }
            Self::TcpOpen => {
                "See which program listens there (`ss -ltnp`); it is no time service. End it, or move it."
            }
            Self::RateKisses => {
                "Let the limit be silent: `restrict default limited` without `kod`; chronyd's `ratelimit` \
                 is silent by itself."
            }
            Self::AnswersBroadcast => {
                "Drop what is not addressed to the host itself; routers should not let directed broadcasts \
                 in (RFC 2644)."
            }
            Self::AnswersMulticast => {
                "Remove `manycastserver` unless its clients authenticate it: anybody on the network can \
                 offer himself in its place."
            }
            Self::NtsCertificate => {
                "Get a certificate for the name that clients ask for, from somebody they trust, and have \
                 it renewed in time. On a private network give them the authority (`ntstrustedcerts`, \
                 `ca`, `--trust`)."
            }
            Self::NtsCertificateEnds => {
                "See why it has not been renewed, and whether the server reads the new one by itself."
            }
            Self::NtsNoKeys => {
                "See which program listens there (`ss -ltnp`), and its log: key establishment is TLS 1.3 \
                 with ALPN `ntske/1`."
            }
            Self::NtsMandatoryCipher => {
                "Allow cipher 15 beside the others: clients that know no other get no keys."
            }
            Self::PrivateAddress => {
                "The reference ID is the address of the server above. Harmless to many; chronyd and \
                 timeball can serve from a host whose sources are public, or with a local reference."
            }
        }
    }
}

const fn mode_7(implementation: Implementation) -> &'static str {
    match implementation {
        Implementation::Ntpd => {
            "Upgrade to 4.2.7p26 or later, which has no monlist; until then `disable monitor`, and \
             `restrict default kod nomodify notrap nopeer noquery` (and the same with `-6`) in \
             ntp.conf. From 4.2.7p230 on, mode 7 is off unless `enable mode7` stands there."
        }
        Implementation::Junos => {
            "Upgrade Junos; until then a firewall filter on lo0 that accepts UDP port 123 only from the \
             configured servers and clients."
        }
        Implementation::Cisco => {
            "`ntp access-group serve-only ACL`, or `ntp allow mode private` removed; a control-plane \
             policy that drops UDP port 123 from elsewhere."
        }
        Implementation::Ntpsec | Implementation::Chrony | Implementation::Windows => {
            "This software has no mode 7: something else answers at this address. Find it."
        }
        Implementation::Unknown => {
            "If it is ntpd: upgrade to 4.2.7p26 or later, or `disable monitor` and `restrict default \
             noquery`. If it is a router, a camera or another appliance: upgrade its firmware, or block \
             UDP port 123 from outside."
        }
    }
}

const fn mode_6(implementation: Implementation) -> &'static str {
    match implementation {
        Implementation::Ntpd => {
            "`restrict default kod limited nomodify nopeer noquery notrap` (and `restrict -6 default …`) \
             in ntp.conf, and `restrict 127.0.0.1` and `restrict ::1` for this host's own ntpq."
        }
        Implementation::Ntpsec => {
            "`restrict default kod limited nomodify noquery` in ntp.conf, and `restrict 127.0.0.1` and \
             `restrict ::1` for this host's own ntpq; a `restrict` that takes `noquery` away again is \
             what opens it."
        }
        Implementation::Junos => {
            "A firewall filter on lo0 that accepts UDP port 123 only from the configured servers and \
             clients."
        }
        Implementation::Cisco => {
            "`no ntp allow mode control`, or `ntp access-group serve-only ACL`."
        }
        Implementation::Chrony | Implementation::Windows | Implementation::Unknown => {
            "If it is ntpd: `restrict default noquery` in ntp.conf. If it is a router or another \
             appliance: its own way to forbid NTP control queries, or block UDP port 123 from outside."
        }
    }
}
