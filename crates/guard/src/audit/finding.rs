//! What can be found, how bad it is, and what to do about it in the software at hand.

mod remedy;

use serde::{Deserialize, Serialize};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Untidy.
    Low,
    /// Tells strangers what is none of their business, or serves doubtful time.
    Medium,
    /// Can be used against others, or serves wrong time.
    High,
    /// Is being used against others wherever it is found.
    Critical,
}

impl Severity {
    /// In one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// What can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingId {
    /// Mode 7 gives the list of clients.
    Mode7Monlist,
    /// Mode 7 answers anything else.
    Mode7Open,
    /// Mode 7 answers answers.
    Mode7Loop,
    /// An answer is longer than its request.
    Amplifier,
    /// Sends back what it gets.
    Reflector,
    /// Answers answers.
    AnswersAnswers,
    /// Takes strangers for its peers.
    MobilisesStrangers,
    /// Mode 6 gives the system's variables.
    Mode6Variables,
    /// Mode 6 gives the associations.
    Mode6Associations,
    /// Mode 6 gives the list of clients.
    Mode6Clients,
    /// chrony's command port answers.
    ChronyCommandPort,
    /// A version that nobody repairs any more.
    AbandonedSoftware,
    /// Its time is not this machine's.
    WrongTime,
    /// It serves although it is not synchronised.
    Unsynchronised,
    /// Its clock was last set long ago, or will be.
    StaleReference,
    /// It says that it may be wrong by more than anybody could use.
    AbsurdDispersion,
    /// It announces a leap second when there can be none.
    LeapOutOfSeason,
    /// It says that it has just been started.
    RestartVisible,
    /// A public server that tells a private address.
    PrivateAddress,
    /// TCP port 123 is open.
    TcpOpen,
    /// Answers each request beyond its limit with a kiss-o'-death.
    RateKisses,
    /// Answers what was sent to everybody on its network.
    AnswersBroadcast,
    /// Answers what was sent to NTP's multicast group.
    AnswersMulticast,
    /// Tells everybody on its network the time, without proof that it is the one who does.
    BroadcastsTime,
    /// Its certificate is none that a client could accept.
    NtsCertificate,
    /// Its certificate will soon be over.
    NtsCertificateEnds,
    /// Listens at the port for keys, and gives none.
    NtsNoKeys,
    /// Lacks the cipher that every server must have.
    NtsMandatoryCipher,
}

/// What is the same for every occurrence of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// In one line.
    pub title: &'static str,
    /// Usual severity; the amplifier's depends on its factor, the wrong time's on how wrong it is.
    pub severity: Severity,
    /// CVEs and sections of RFCs.
    pub references: &'static [&'static str],
}

/// Drops modes 6 and 7 by the three lowest bits of the first byte behind the UDP header.
const DROP_MODES_6_AND_7: &str =
    "nft add rule inet filter input udp dport 123 '@th,69,3' '{ 6, 7 }' drop";
const DROP_CHRONY_COMMANDS: &str = "nft add rule inet filter input udp dport 323 drop";
const DROP_TCP: &str = "nft add rule inet filter input tcp dport 123 drop";
const DROP_UNADDRESSED: &str =
    "nft add rule inet filter input udp dport 123 meta pkttype != host drop";
const DROP_OFFERS: &str = "nft add rule inet filter input udp dport 123 '@th,69,3' 1 drop";
const DROP_ANSWERS: &str =
    "nft add rule inet filter input udp dport 123 '@th,69,3' '{ 2, 4, 5 }' ct state new drop";

impl FindingId {
    /// Every one of them.
    pub const ALL: [Self; 28] = [
        Self::Mode7Monlist,
        Self::Mode7Open,
        Self::Mode7Loop,
        Self::Amplifier,
        Self::Reflector,
        Self::AnswersAnswers,
        Self::MobilisesStrangers,
        Self::Mode6Variables,
        Self::Mode6Associations,
        Self::Mode6Clients,
        Self::ChronyCommandPort,
        Self::AbandonedSoftware,
        Self::WrongTime,
        Self::Unsynchronised,
        Self::StaleReference,
        Self::AbsurdDispersion,
        Self::LeapOutOfSeason,
        Self::RestartVisible,
        Self::PrivateAddress,
        Self::TcpOpen,
        Self::RateKisses,
        Self::AnswersBroadcast,
        Self::AnswersMulticast,
        Self::BroadcastsTime,
        Self::NtsCertificate,
        Self::NtsCertificateEnds,
        Self::NtsNoKeys,
        Self::NtsMandatoryCipher,
    ];

    /// Its name in reports; never changed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mode7Monlist => "mode7-monlist",
            Self::Mode7Open => "mode7-open",
            Self::Mode7Loop => "mode7-loop",
            Self::Amplifier => "amplifier",
            Self::Reflector => "reflector",
            Self::AnswersAnswers => "answers-answers",
            Self::MobilisesStrangers => "mobilises-strangers",
            Self::Mode6Variables => "mode6-variables",
            Self::Mode6Associations => "mode6-associations",
            Self::Mode6Clients => "mode6-clients",
            Self::ChronyCommandPort => "chrony-command-port",
            Self::AbandonedSoftware => "abandoned-software",
            Self::WrongTime => "wrong-time",
            Self::Unsynchronised => "unsynchronised",
            Self::StaleReference => "stale-reference",
            Self::AbsurdDispersion => "absurd-dispersion",
            Self::LeapOutOfSeason => "leap-out-of-season",
            Self::RestartVisible => "restart-visible",
            Self::PrivateAddress => "private-address",
            Self::TcpOpen => "tcp-open",
            Self::RateKisses => "rate-kisses",
            Self::AnswersBroadcast => "answers-broadcast",
            Self::AnswersMulticast => "answers-multicast",
            Self::BroadcastsTime => "broadcasts-time",
            Self::NtsCertificate => "nts-certificate",
            Self::NtsCertificateEnds => "nts-certificate-ends",
            Self::NtsNoKeys => "nts-no-keys",
            Self::NtsMandatoryCipher => "nts-mandatory-cipher",
        }
    }

    /// What is the same for every occurrence.
    pub const fn description(self) -> Description {
        let (severity, title, references): (_, _, &'static [&'static str]) = match self {
            Self::Mode7Monlist => (
                Severity::Critical,
                "gives its list of clients to anybody (monlist)",
                &["CVE-2013-5211", "RFC 8633 §3.4"],
            ),
            Self::Mode7Open => (
                Severity::High,
                "answers ntpdc's private messages",
                &["RFC 9327 appendix A", "RFC 8633 §3.4"],
            ),
            Self::Mode7Loop => (
                Severity::High,
                "answers mode 7 errors, so that two servers can keep each other busy for ever",
                &["CVE-2009-3563"],
            ),
            Self::Amplifier => (
                Severity::High,
                "answers with more bytes than it is asked with",
                &["RFC 9327 §6", "RFC 8633 §3.4"],
            ),
            Self::Reflector => (Severity::High, "sends back what it is sent", &["CVE-2016-6301"]),
            Self::AnswersAnswers => (
                Severity::High,
                "answers answers, so that two servers can keep each other busy for ever",
                &["CVE-2024-2169"],
            ),
            Self::MobilisesStrangers => (
                Severity::High,
                "begins an association with whoever offers to be its peer, and may follow him",
                &["RFC 8633 §5.6", "CVE-2015-7871"],
            ),
            Self::Mode6Variables => (
                Severity::Medium,
                "tells its version, system and state to anybody (mode 6)",
                &["RFC 9327 §6", "RFC 8633 §3.4"],
            ),
            Self::Mode6Associations => (
                Severity::Medium,
                "tells its associations to anybody (mode 6)",
                &["RFC 9327 §6", "CVE-2015-8139"],
            ),
            Self::Mode6Clients => (
                Severity::High,
                "gives its list of clients to anybody who has an address (mode 6)",
                &["RFC 9327 §6", "RFC 8633 §3.4"],
            ),
            Self::ChronyCommandPort => (
                Severity::Medium,
                "answers chrony's command protocol from outside",
                &["chrony.conf(5) cmdallow"],
            ),
            Self::AbandonedSoftware => {
                (Severity::Medium, "is a version that gets no repairs any more", &["RFC 8633 §3.1"])
            }
            Self::WrongTime => (
                Severity::Medium,
                "gives another time than the one it is compared with",
                &["RFC 8633 §3.2"],
            ),
            Self::Unsynchronised => {
                (Severity::Low, "answers although it is not synchronised", &["RFC 5905 §7.3"])
            }
            Self::StaleReference => {
                (Severity::Low, "was last set long ago, or in the future", &["RFC 5905 §7.3"])
            }
            Self::AbsurdDispersion => (
                Severity::Low,
                "says that it may be wrong by more than 16 s",
                &["RFC 5905 §7.2 (MAXDISP)"],
            ),
            Self::LeapOutOfSeason => (
                Severity::Medium,
                "announces a leap second when there can be none",
                &["RFC 8633 §3.7", "ITU-R TF.460"],
            ),
            Self::RestartVisible => (
                Severity::Low,
                "tells that it has just been started, which is when it is easiest to mislead",
                &["RFC 8633 §5.2", "CVE-2015-5300"],
            ),
            Self::PrivateAddress => (
                Severity::Low,
                "tells the public an address of its private network",
                &["RFC 8633 §5.1"],
            ),
            Self::TcpOpen => {
                (Severity::Low, "has TCP port 123 open, which NTP does not use", &["RFC 5905 §7.2"])
            }
            Self::RateKisses => (
                Severity::Low,
                "answers each request beyond its limit with a kiss-o'-death, so that there is no limit",
                &["RFC 5905 §7.4", "RFC 8633 §5.4"],
            ),
            Self::AnswersBroadcast => (
                Severity::Medium,
                "answers what was sent to everybody on its network: one packet, many answers",
                &["RFC 8633 §5.5"],
            ),
            Self::AnswersMulticast => (
                Severity::Low,
                "offers itself to whoever asks the multicast group of NTP",
                &["RFC 5905 §3.1", "RFC 8633 §5.5"],
            ),
            Self::BroadcastsTime => (
                Severity::Low,
                "tells everybody on its network the time without proof: clients that believe it believe anybody",
                &["RFC 8633 §5.5"],
            ),
            Self::NtsCertificate => (
                Severity::Medium,
                "has a certificate for NTS that clients refuse",
                &["RFC 8915 §3", "RFC 8915 §8.5"],
            ),
            Self::NtsCertificateEnds => (
                Severity::Low,
                "has a certificate for NTS that will soon be over",
                &["RFC 8915 §3"],
            ),
            Self::NtsNoKeys => (
                Severity::Medium,
                "listens at the port for NTS keys, and gives none",
                &["RFC 8915 §4"],
            ),
            Self::NtsMandatoryCipher => (
                Severity::Low,
                "lacks AEAD_AES_SIV_CMAC_256, which every server with NTS has to have",
                &["RFC 8915 §5.1"],
            ),
        };
        Description { title, severity, references }
    }

    /// A line for the host's own firewall, where one helps.
    pub const fn firewall_line(self) -> Option<&'static str> {
        match self {
            Self::Mode7Monlist
            | Self::Mode7Open
            | Self::Mode7Loop
            | Self::Mode6Variables
            | Self::Mode6Associations
            | Self::Mode6Clients
            | Self::Amplifier
            | Self::Reflector => Some(DROP_MODES_6_AND_7),
            Self::AnswersAnswers => Some(DROP_ANSWERS),
            Self::MobilisesStrangers => Some(DROP_OFFERS),
            Self::ChronyCommandPort => Some(DROP_CHRONY_COMMANDS),
            Self::TcpOpen => Some(DROP_TCP),
            Self::AnswersBroadcast | Self::AnswersMulticast => Some(DROP_UNADDRESSED),
            Self::AbandonedSoftware
            | Self::WrongTime
            | Self::Unsynchronised
            | Self::StaleReference
            | Self::AbsurdDispersion
            | Self::LeapOutOfSeason
            | Self::RestartVisible
            | Self::PrivateAddress
            | Self::RateKisses
            | Self::BroadcastsTime
            | Self::NtsCertificate
            | Self::NtsCertificateEnds
            | Self::NtsNoKeys
            | Self::NtsMandatoryCipher => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::software::Implementation;
    use super::*;

    #[test]
    fn every_finding_is_described() {
        for id in FindingId::ALL {
            let description = id.description();
            assert!(!description.references.is_empty(), "{id:?}");
            assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{}\"", id.name()));
            for implementation in
                [Implementation::Ntpd, Implementation::Windows, Implementation::Unknown]
            {
                assert!(id.remedy(implementation).ends_with('.'), "{id:?}");
            }
        }
        let mut sorted = FindingId::ALL.to_vec();
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), FindingId::ALL.len());
    }

    #[test]
    fn severities_are_ordered() {
        assert!(Severity::Low < Severity::Medium && Severity::High < Severity::Critical);
        assert_eq!(Severity::Critical.name(), "critical");
    }
}
