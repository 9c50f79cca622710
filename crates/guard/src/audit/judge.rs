//! From answers to a report: what leaked, what is wrong with the time, and what that amounts to.

mod keys;
mod leaks;
mod rate;
mod time;

use std::fmt::Write as _;

use timeball_wire::mode7::PrivateErrorCode;
use timeball_wire::{Header, Mode};

use super::answer::{Answer, Content, ControlAnswer, PrivateAnswer, TimeAnswer};
use super::finding::{FindingId, Severity};
use super::probe::{Family, Probe};
use super::report::{Finding, Grade, HostReport, ProbeReport, SymmetricReaction};
use super::scan::Outcome;
use super::software::{Software, Traits};
use super::tcp::TcpPort;
pub use keys::judge_keys;
pub use time::Limits;
use time::{is_kiss, time_report, weigh_time};

/// At such a factor the answer is a weapon by itself.
const WEAPON: f64 = 50.0;

/// What a host's answers amount to; `None` for one that answered nothing.
pub fn judge(outcome: &Outcome, port: u16, limits: &Limits) -> Option<HostReport> {
    if !outcome.has_answered() {
        return None;
    }
    let facts = Facts::of(outcome);
    let software = facts.software();
    let mut findings = Findings { software: &software, found: Vec::new() };
    facts.weigh_modes(&mut findings);
    facts.weigh_reflection(&mut findings);
    facts.weigh_amplification(&mut findings);
    facts.weigh_symmetric(&mut findings);
    facts.weigh_link(&mut findings);
    if software.is_abandoned_ntpd() {
        let evidence = format!("version {}", software.version.as_deref().unwrap_or_default());
        findings.add(FindingId::AbandonedSoftware, evidence);
    }
    if let Some(time) = facts.time() {
        weigh_time(time, outcome.target.address, limits, &mut findings);
    }
    let rate = rate::rate_report(&outcome.answers);
    if let Some(rate) = &rate {
        rate::weigh_rate(rate, &mut findings);
    }
    let mut findings = findings.found;
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.id));
    let worst = findings.iter().map(|finding| finding.severity).max();
    Some(HostReport {
        address: outcome.target.address,
        name: outcome.target.name.clone(),
        port,
        grade: Grade::of(worst),
        time: facts.time().map(|time| time_report(time, limits)),
        time_versions: facts.time_versions(),
        interleaved: facts.interleaved(),
        tcp_123: None,
        tcp_4460: None,
        nts_ke: None,
        rate,
        answers_symmetric_active: facts.header_of(Probe::SymmetricActive).is_some(),
        symmetric_active: facts.symmetric_reaction(),
        variables: facts.variables(),
        uptime: facts.uptime(),
        system: facts.system(),
        restrictions: facts.restrictions(),
        associations: facts.associations(),
        peers: facts.peers(),
        clients: facts.clients(),
        probes: outcome
            .answers
            .iter()
            .filter(|answer| answer.probe != Probe::Burst)
            .map(probe_report)
            .collect(),
        software,
        findings,
    })
}

/// Adds what a look at its ports over TCP has shown.
pub fn judge_tcp(host: &mut HostReport, tcp_123: TcpPort, tcp_4460: TcpPort) {
    (host.tcp_123, host.tcp_4460) = (Some(tcp_123), Some(tcp_4460));
    if tcp_123 == TcpPort::Open {
        let mut findings = Findings { software: &host.software, found: Vec::new() };
        findings.add(FindingId::TcpOpen, "a connection was made".into());
        let found = findings.found;
        host.add_findings(found);
    }
}

/// The findings of one host so far.
struct Findings<'a> {
    software: &'a Software,
    found: Vec<Finding>,
}

impl Findings<'_> {
    fn add(&mut self, id: FindingId, evidence: String) {
        self.add_as(id, id.description().severity, evidence);
    }

    fn add_as(&mut self, id: FindingId, severity: Severity, evidence: String) {
        let description = id.description();
        self.found.push(Finding {
            id,
            severity,
            title: description.title.to_owned(),
            evidence,
            references: description.references.iter().map(|&text| text.to_owned()).collect(),
            remedy: id.remedy(self.software.implementation).to_owned(),
            firewall: id.firewall_line().map(str::to_owned),
        });
    }
}

/// The answers, by what they were asked.
struct Facts<'a>(&'a [Answer]);

impl<'a> Facts<'a> {
    fn of(outcome: &'a Outcome) -> Self {
        Self(&outcome.answers)
    }

    fn answer(&self, probe: Probe) -> Option<&'a Answer> {
        self.0.iter().find(|answer| answer.probe == probe && answer.packets > 0)
    }

    fn header_of(&self, probe: Probe) -> Option<&'a TimeAnswer> {
        match &self.answer(probe)?.content {
            Content::Time(time) => Some(time),
            _ => None,
        }
    }

    /// The answer to a control message that was no refusal.
    fn granted(&self, probe: Probe) -> Option<&'a ControlAnswer> {
        match &self.answer(probe)?.content {
            Content::Control(control) if control.error.is_none() => Some(control),
            _ => None,
        }
    }

    /// The answers to private messages that were no refusals.
    fn private(&self) -> impl Iterator<Item = (&'a Answer, &'a PrivateAnswer)> {
        self.0.iter().filter_map(|answer| match &answer.content {
            Content::Private(private)
                if matches!(private.error, PrivateErrorCode::None | PrivateErrorCode::NoData) =>
            {
                Some((answer, private))
            }
            _ => None,
        })
    }

    /// Whether it answers an interleaved request as such, with the origin timestamp that only such an
    /// answer has (RFC 9769 §2).
    fn interleaved(&self) -> Option<bool> {
        let answer = self.header_of(Probe::InterleavedAgain)?;
        Some(answer.header.origin_timestamp != answer.transmitted)
    }

    /// What became of the offer to be a peer. Who answers without remembering does so at once and once;
    /// whoever says more, or only later, has begun an association and polls by its own clock.
    fn symmetric_reaction(&self) -> SymmetricReaction {
        let Some(answer) = self.answer(Probe::SymmetricActive) else {
            return SymmetricReaction::Silence;
        };
        let is_late = self
            .header_of(Probe::SymmetricActive)
            .is_some_and(|time| time.destination - time.origin > Probe::ANSWERED_WITHIN);
        let spoken = answer.packets.saturating_sub(answer.echoes);
        if spoken > answer.requests || is_late {
            SymmetricReaction::Mobilises
        } else {
            SymmetricReaction::Answers
        }
    }

    /// The best answer to a request for the time, in version 4 if there is one.
    fn time(&self) -> Option<&'a TimeAnswer> {
        let probes = [
            Probe::TimeV4,
            Probe::TimeV3,
            Probe::TimeV2,
            Probe::TimeV1,
            Probe::Broadcast,
            Probe::Multicast,
        ];
        probes
            .into_iter()
            .filter_map(|probe| self.header_of(probe))
            .find(|time| time.header.mode == Mode::Server)
    }

    /// Versions that were asked for and answered in.
    fn time_versions(&self) -> Vec<u8> {
        let mut versions: Vec<u8> = self
            .0
            .iter()
            .filter_map(|answer| {
                let asked = answer.probe.time_version()?;
                let time = self.header_of(answer.probe)?;
                (time.header.version == asked).then_some(asked)
            })
            .collect();
        versions.sort_unstable();
        versions
    }

    fn software(&self) -> Software {
        let variables = self.variables();
        let value = |name: &str| variables.get(name).map(String::as_str);
        let time_v4 = self.answer(Probe::TimeV4).and_then(|answer| answer.first.first_chunk());
        Software::recognise(&Traits {
            version: value("version"),
            system: value("system"),
            speaks_chrony: self.answer(Probe::ChronyCommand).is_some(),
            time_v4: time_v4.copied(),
        })
    }

    /// What modes 6 and 7 and chrony's protocol give away.
    fn weigh_modes(&self, findings: &mut Findings<'_>) {
        let lists: Vec<_> =
            self.private().filter(|(answer, _)| is_monitor_list(answer.probe)).collect();
        if !lists.is_empty() {
            let clients: usize = lists.iter().map(|(_, private)| private.items.len()).sum();
            let evidence =
                format!("{}: {clients} entries", sizes(lists.iter().map(|(answer, _)| *answer)));
            findings.add(FindingId::Mode7Monlist, evidence);
        }
        // Any answer at all, even a refusal, shows that mode 7 is there.
        let others = self.0.iter().filter(|answer| {
            matches!(answer.probe.family(), Family::Private(..))
                && answer.probe != Probe::StrayError
                && matches!(answer.content, Content::Private(_))
                && !(is_monitor_list(answer.probe)
                    && lists.iter().any(|(list, _)| list.probe == answer.probe))
        });
        let others: Vec<&Answer> = others.collect();
        if !others.is_empty() {
            findings.add(FindingId::Mode7Open, sizes(others.into_iter()));
        }
        for (probe, id) in [
            (Probe::ReadVariables, FindingId::Mode6Variables),
            (Probe::ReadStatus, FindingId::Mode6Associations),
            (Probe::ReadMru, FindingId::Mode6Clients),
        ] {
            if self.granted(probe).is_some() {
                findings.add(id, sizes(self.answer(probe).into_iter()));
            }
        }
        if let Some(answer) = self.answer(Probe::ChronyCommand) {
            findings.add(FindingId::ChronyCommandPort, sizes(std::iter::once(answer)));
        }
    }

    /// Whether it can be made to talk to itself or its like.
    fn weigh_reflection(&self, findings: &mut Findings<'_>) {
        let echoing: Vec<&Answer> = self.0.iter().filter(|answer| answer.echoes > 0).collect();
        if !echoing.is_empty() {
            findings.add(FindingId::Reflector, sizes(echoing.into_iter()));
        }
        let answered = |probe| self.answer(probe).filter(|answer| answer.echoes == 0);
        if let Some(answer) = answered(Probe::StrayError) {
            findings.add(FindingId::Mode7Loop, sizes(std::iter::once(answer)));
        }
        if let Some(answer) = answered(Probe::StrayAnswer) {
            findings.add(FindingId::AnswersAnswers, sizes(std::iter::once(answer)));
        }
    }

    /// Whether it begins associations with strangers.
    fn weigh_symmetric(&self, findings: &mut Findings<'_>) {
        if self.symmetric_reaction() == SymmetricReaction::Mobilises {
            let answer = self.answer(Probe::SymmetricActive);
            findings.add(FindingId::MobilisesStrangers, sizes(answer.into_iter()));
        }
    }

    /// Whether it answers what was not sent to it alone, or talks to everybody itself.
    fn weigh_link(&self, findings: &mut Findings<'_>) {
        for (probe, id) in [
            (Probe::Broadcast, FindingId::AnswersBroadcast),
            (Probe::Multicast, FindingId::AnswersMulticast),
        ] {
            if let Some(answer) = self.answer(probe) {
                findings.add(id, sizes(std::iter::once(answer)));
            }
        }
        if let (Some(answer), Some(time)) =
            (self.answer(Probe::BroadcastTime), self.header_of(Probe::BroadcastTime))
            && answer.first.len() <= Header::LEN
        {
            let evidence = format!(
                "stratum {}, every 2^{} s by its own word: {} bytes in {} packets, no key",
                time.header.stratum, time.header.poll, answer.bytes_received, answer.packets
            );
            findings.add(FindingId::BroadcastsTime, evidence);
        }
    }

    /// The worst that somebody with a forged address could do with it.
    fn weigh_amplification(&self, findings: &mut Findings<'_>) {
        let amplifying = self
            .0
            .iter()
            .filter(|answer| answer.probe.can_be_forged() && answer.amplification() > 1.0);
        let mut amplifying: Vec<&Answer> = amplifying.collect();
        amplifying.sort_by(|a, b| b.amplification().total_cmp(&a.amplification()));
        if let Some(worst) = amplifying.first() {
            let severity =
                if worst.amplification() >= WEAPON { Severity::Critical } else { Severity::High };
            findings.add_as(FindingId::Amplifier, severity, sizes(amplifying.into_iter()));
        }
    }
}

const fn is_monitor_list(probe: Probe) -> bool {
    matches!(
        probe,
        Probe::MonitorList1 | Probe::MonitorList | Probe::MonitorList1Old | Probe::MonitorListOld
    )
}

/// `read-variables: 12 bytes in, 464 out in 1 packet, × 38.7; …`.
fn sizes<'a>(answers: impl Iterator<Item = &'a Answer>) -> String {
    let mut text = String::new();
    for answer in answers {
        let separator = if text.is_empty() { "" } else { "; " };
        let plural = if answer.packets == 1 { "" } else { "s" };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "{separator}{}: {} bytes asked, {} answered in {} packet{plural}, × {:.1}",
            answer.probe.name(),
            answer.bytes_sent,
            answer.bytes_received,
            answer.packets,
            answer.amplification(),
        );
    }
    text
}

fn probe_report(answer: &Answer) -> ProbeReport {
    let refusal = match &answer.content {
        Content::Control(control) => control.error.map(|error| error.to_string()),
        Content::Private(private) if private.error != PrivateErrorCode::None => {
            Some(private.error.to_string())
        }
        Content::Time(time) if is_kiss(time) => {
            Some(format!("kiss-o'-death {}", time.header.reference_id.kiss_code()))
        }
        Content::Chrony(status) => Some(format!("{status:?}")),
        _ => None,
    };
    ProbeReport {
        probe: answer.probe,
        requests: answer.requests,
        bytes_sent: answer.bytes_sent,
        packets: answer.packets,
        bytes_received: answer.bytes_received,
        amplification: answer.amplification(),
        refusal,
        first: answer.first.iter().fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        }),
    }
}

#[cfg(test)]
mod tests;
