//! What came back to a probe: counted, and put together within bounds.

use std::collections::BTreeMap;

use timeball_wire::cmdmon;
use timeball_wire::mode6::{ErrorCode, Fragment};
use timeball_wire::mode7::{Packet, PrivateErrorCode};
use timeball_wire::{Header, NtpTimestamp, Span, Timestamp};

use super::probe::{Family, Probe};

/// What came back to one probe.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What was asked.
    pub probe: Probe,
    /// How often it was sent.
    pub requests: u32,
    /// Bytes of all those requests (UDP payload).
    pub bytes_sent: u64,
    /// How many datagrams answered.
    pub packets: u32,
    /// Their bytes (UDP payload).
    pub bytes_received: u64,
    /// How many datagrams were the request itself, sent back.
    pub echoes: u32,
    /// The first datagram, as evidence; of a long one the beginning.
    pub first: Vec<u8>,
    /// What they say.
    pub content: Content,
}

/// What the datagrams of an answer say.
#[derive(Clone, Debug)]
pub enum Content {
    /// Nothing came, or nothing that could be read.
    Nothing,
    /// A time.
    Time(TimeAnswer),
    /// A control message.
    Control(ControlAnswer),
    /// A private message.
    Private(PrivateAnswer),
    /// chrony's command protocol answers.
    Chrony(cmdmon::Status),
}

/// The header of a time answer, and when it was asked for and came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeAnswer {
    /// Its header.
    pub header: Header,
    /// The transmit timestamp that the request carried, which says nothing.
    pub transmitted: NtpTimestamp,
    /// When the request left, by this machine's clock.
    pub origin: Timestamp,
    /// When the answer came, by this machine's clock.
    pub destination: Timestamp,
}

impl TimeAnswer {
    /// The server's clock minus this machine's; `None` if the server doesn't say its time.
    pub fn offset(&self) -> Option<Span> {
        let (receive, transmit) = self.server_times()?;
        Some((receive - self.origin).half() + (transmit - self.destination).half())
    }

    /// The round trip without the time in the server; `None` if the server doesn't say its time.
    pub fn delay(&self) -> Option<Span> {
        let (receive, transmit) = self.server_times()?;
        Some((self.destination - self.origin) - (transmit - receive))
    }

    /// The server's times T2 and T3, in the era that is nearest to this machine's clock.
    fn server_times(&self) -> Option<(Timestamp, Timestamp)> {
        let unfold = |timestamp: NtpTimestamp| {
            (!timestamp.is_zero()).then(|| timestamp.unfold(self.destination))
        };
        Some((unfold(self.header.receive_timestamp)?, unfold(self.header.transmit_timestamp)?))
    }
}

/// The fragments of a control message. Overlapping ones, those that would make it too long, and those
/// behind its end are counted and not kept.
#[derive(Clone, Debug, Default)]
pub struct ControlAnswer {
    /// The first word of status.
    pub status: u16,
    /// The refusal, if it was one.
    pub error: Option<ErrorCode>,
    fragments: BTreeMap<usize, Vec<u8>>,
    /// Length of the whole, once its last fragment has come.
    end: Option<usize>,
    /// Datagrams that did not fit.
    pub misfits: u32,
}

/// ntpq takes no more either.
const MAX_FRAGMENTS: usize = 64;
/// The most that is kept of an answer; nothing in mode 6 that matters here is longer.
const MAX_LEN: usize = 32 * 1024;

impl ControlAnswer {
    fn add(&mut self, fragment: &Fragment<'_>) {
        if self.fragments.is_empty() {
            self.status = fragment.status;
        }
        if let Some(error) = fragment.error() {
            self.error = Some(error);
            return;
        }
        let start = usize::from(fragment.offset);
        let end = start.saturating_add(fragment.data.len());
        let before = self.fragments.range(..end).next_back();
        let overlaps = before.is_some_and(|(at, data)| at.saturating_add(data.len()) > start);
        let is_behind = self.end.is_some_and(|known| end > known);
        // An empty last fragment is what an empty list looks like.
        let is_duplicate = self.fragments.contains_key(&start);
        if overlaps
            || is_behind
            || is_duplicate
            || end > MAX_LEN
            || self.fragments.len() >= MAX_FRAGMENTS
        {
            self.misfits = self.misfits.saturating_add(1);
            return;
        }
        self.fragments.insert(start, fragment.data.to_vec());
        if !fragment.has_more {
            self.end = Some(end);
        }
    }

    /// Whether all of it is there, from the start to the end.
    pub fn is_complete(&self) -> bool {
        self.error.is_some() || self.end == Some(self.data().len())
    }

    /// The data from the start up to the first gap.
    pub fn data(&self) -> Vec<u8> {
        let mut data = Vec::new();
        for (at, fragment) in &self.fragments {
            if *at != data.len() {
                break;
            }
            data.extend_from_slice(fragment);
        }
        data
    }
}

/// The items of a private message.
#[derive(Clone, Debug)]
pub struct PrivateAnswer {
    /// What it says went wrong.
    pub error: PrivateErrorCode,
    /// The items in the order in which they came, all that were kept.
    pub items: Vec<Vec<u8>>,
    /// Sequence number of the packet that says it is the last.
    last: Option<u8>,
}

/// Twice what any ntpd keeps of its clients.
const MAX_ITEMS: usize = 1200;
/// Longer than any item that is read.
const MAX_ITEM_LEN: usize = 256;

impl PrivateAnswer {
    fn add(&mut self, packet: &Packet<'_>) {
        self.error = packet.error;
        let room = MAX_ITEMS.saturating_sub(self.items.len());
        let kept = packet.items().take(room).map(|item| item.get(..MAX_ITEM_LEN).unwrap_or(item));
        self.items.extend(kept.map(<[u8]>::to_vec));
        if !packet.has_more {
            self.last = Some(packet.sequence);
        }
    }
}

/// More than any ntpd sends in one datagram, and less than what could fill the memory.
const EVIDENCE_LEN: usize = 512;

impl Answer {
    /// Nothing yet.
    pub(super) fn new(probe: Probe) -> Self {
        Self {
            probe,
            requests: 0,
            bytes_sent: 0,
            packets: 0,
            bytes_received: 0,
            echoes: 0,
            first: Vec::new(),
            content: Content::Nothing,
        }
    }

    /// Counts a request.
    pub(super) fn sent(&mut self, request: &[u8]) {
        self.requests = self.requests.saturating_add(1);
        self.bytes_sent = self.bytes_sent.saturating_add(request.len() as u64);
    }

    /// Takes a datagram that answers the probe.
    pub(super) fn take(
        &mut self,
        datagram: &[u8],
        request: &[u8],
        origin: Timestamp,
        destination: Timestamp,
    ) {
        self.count(datagram);
        match self.probe.family() {
            Family::Time => {
                if let (Content::Nothing, Some(header)) =
                    (&self.content, datagram.first_chunk::<{ Header::LEN }>())
                {
                    let header = Header::from_bytes(header);
                    let sent = request.first_chunk().map(Header::from_bytes);
                    let transmitted = sent.map(|sent| sent.transmit_timestamp).unwrap_or_default();
                    let time = TimeAnswer { header, transmitted, origin, destination };
                    self.content = Content::Time(time);
                }
            }
            Family::Control(_) => {
                if let Ok(fragment) = Fragment::parse(datagram) {
                    if !matches!(self.content, Content::Control(_)) {
                        self.content = Content::Control(ControlAnswer::default());
                    }
                    if let Content::Control(control) = &mut self.content {
                        control.add(&fragment);
                    }
                }
            }
            Family::Private(..) => {
                if let Ok(packet) = Packet::parse(datagram) {
                    if !matches!(self.content, Content::Private(_)) {
                        self.content = Content::Private(PrivateAnswer {
                            error: packet.error,
                            items: Vec::new(),
                            last: None,
                        });
                    }
                    if let Content::Private(private) = &mut self.content {
                        private.add(&packet);
                    }
                }
            }
            Family::Chrony => {
                let reply = datagram.get(8..10).and_then(|bytes| <[u8; 2]>::try_from(bytes).ok());
                if let Some(status) = reply.map(u16::from_be_bytes) {
                    self.content = Content::Chrony(cmdmon::Status::from(status));
                }
            }
        }
    }

    /// Takes a datagram that is the request itself.
    pub(super) fn take_echo(&mut self, datagram: &[u8]) {
        self.count(datagram);
        self.echoes = self.echoes.saturating_add(1);
    }

    fn count(&mut self, datagram: &[u8]) {
        if self.packets == 0 {
            self.first = datagram.get(..EVIDENCE_LEN).unwrap_or(datagram).to_vec();
        }
        self.packets = self.packets.saturating_add(1);
        self.bytes_received = self.bytes_received.saturating_add(datagram.len() as u64);
    }

    /// Whether nothing more belongs to this answer. More may come all the same.
    pub fn is_complete(&self) -> bool {
        match &self.content {
            Content::Nothing => self.echoes > 0,
            Content::Time(_) | Content::Chrony(_) => true,
            Content::Control(control) => control.is_complete(),
            Content::Private(private) => {
                private.last.is_some_and(|last| self.packets > u32::from(last))
            }
        }
    }

    /// Bytes received for each byte sent; 0 for no answer.
    pub fn amplification(&self) -> f64 {
        if self.bytes_sent == 0 {
            return 0.0;
        }
        self.bytes_received as f64 / self.bytes_sent as f64
    }
}

/// Bytes from the network as text that no terminal obeys.
pub(super) fn printable(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace("\\'", "'").replace("\\\"", "\"")
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use timeball_wire::mode6::Opcode;
    use timeball_wire::mode7::RequestCode;

    use super::*;

    const NOW: Timestamp = Timestamp::from_nanos(0);

    /// A fragment of an answer to the request for variables.
    fn fragment(offset: u16, data: &[u8], has_more: bool) -> Vec<u8> {
        let request = Fragment::request(2, Opcode::ReadVariables, 1, 0);
        let fragment = Fragment { is_response: true, has_more, offset, data, ..request };
        fragment.emit(&mut [0; 600]).unwrap().to_vec()
    }

    fn control(datagrams: &[Vec<u8>]) -> Answer {
        let mut answer = Answer::new(Probe::ReadVariables);
        answer.sent(&[0; 12]);
        for datagram in datagrams {
            answer.take(datagram, &[], NOW, NOW);
        }
        answer
    }

    fn data(answer: &Answer) -> Vec<u8> {
        match &answer.content {
            Content::Control(control) => control.data(),
            content => panic!("{content:?}"),
        }
    }

    #[test]
    fn fragments_come_in_any_order() {
        let parts =
            [fragment(4, b"2222", true), fragment(8, b"33", false), fragment(0, b"1111", true)];
        assert!(!control(&parts[..1]).is_complete());
        assert!(!control(&parts[..2]).is_complete());
        let whole = control(&parts);
        assert!(whole.is_complete());
        assert_eq!(data(&whole), b"1111222233");
        assert_eq!((whole.packets, whole.bytes_received), (3, 16 + 16 + 16));
        assert_eq!(whole.amplification(), 4.0);
    }

    #[test]
    fn fragments_that_do_not_fit_are_counted_only() {
        let answer = control(&[
            fragment(0, b"1111", true),
            fragment(0, b"xxxx", true),
            fragment(2, b"xx", true),
            fragment(4, b"22", false),
            fragment(6, b"xx", true),
            fragment(40_000, b"xx", true),
        ]);
        assert!(answer.is_complete());
        assert_eq!(data(&answer), b"111122");
        let Content::Control(control) = &answer.content else { panic!() };
        assert_eq!((answer.packets, control.misfits), (6, 4));
    }

    #[test]
    fn endless_fragments_stop_growing() {
        let endless: Vec<Vec<u8>> =
            (0..500_u16).map(|number| fragment(number * 100, &[b'a'; 100], true)).collect();
        let answer = control(&endless);
        assert_eq!(data(&answer).len(), 6400);
        assert_eq!(answer.packets, 500);
        assert!(!answer.is_complete());
    }

    #[test]
    fn a_refusal_is_complete() {
        let mut refusal = fragment(0, b"", false);
        refusal[1] |= 0x40;
        refusal[4] = 7;
        let answer = control(&[refusal]);
        let Content::Control(control) = &answer.content else { panic!() };
        assert_eq!(control.error, Some(ErrorCode::Prohibited));
        assert!(answer.is_complete());
    }

    #[test]
    fn a_list_of_clients_is_complete_with_its_last_packet_and_stops_growing() {
        let packet = |sequence: u8, has_more| {
            let request = Packet::request(2, Packet::XNTPD, RequestCode::MONITOR_LIST_1);
            let answer = Packet {
                is_response: true,
                has_more,
                sequence,
                item_count: 6,
                item_size: 72,
                data: &[0; 432],
                ..request
            };
            answer.emit(0, &mut [0; 500]).unwrap().to_vec()
        };
        let mut answer = Answer::new(Probe::MonitorList1);
        answer.sent(&[0; 48]);
        answer.take(&packet(1, false), &[], NOW, NOW);
        assert!(!answer.is_complete(), "the first is missing");
        answer.take(&packet(0, true), &[], NOW, NOW);
        assert!(answer.is_complete());
        for _ in 0..1000 {
            answer.take(&packet(0, true), &[], NOW, NOW);
        }
        let Content::Private(private) = &answer.content else { panic!() };
        assert_eq!((private.items.len(), answer.packets), (MAX_ITEMS, 1002));
        assert!((answer.amplification() - 1002.0 * 440.0 / 48.0).abs() < 1e-9);
    }

    #[test]
    fn offset_and_delay_are_those_of_the_four_timestamps() {
        let at = |nanos: i64| Timestamp::from_nanos(1_000_000_000_000_000_000 + nanos);
        let mut header = Header::from_bytes(&[0; 48]);
        header.receive_timestamp = at(150).into();
        header.transmit_timestamp = at(170).into();
        let answer = TimeAnswer {
            header,
            transmitted: NtpTimestamp::ZERO,
            origin: at(0),
            destination: at(120),
        };
        assert_eq!(answer.offset(), Some(Span::from_nanos(100)));
        assert_eq!(answer.delay(), Some(Span::from_nanos(100)));
        header.receive_timestamp = NtpTimestamp::ZERO;
        assert_eq!(TimeAnswer { header, ..answer }.offset(), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_counted_and_bounded(
            datagrams in vec((any::<prop::sample::Index>(), vec(any::<u8>(), 0..600)), 0..40),
        ) {
            let probes = [
                Probe::TimeV4, Probe::ReadVariables, Probe::MonitorList1, Probe::ChronyCommand,
            ];
            for probe in probes {
                let mut answer = Answer::new(probe);
                for (first, datagram) in &datagrams {
                    let mut datagram = datagram.clone();
                    if let Some(byte) = datagram.first_mut() {
                        *byte = [0x24, 0x96, 0xd6, 0x97, 0xd7, 0x06][first.index(6)];
                    }
                    answer.take(&datagram, &[], NOW, NOW);
                }
                prop_assert_eq!(answer.packets as usize, datagrams.len());
                match &answer.content {
                    Content::Control(control) => prop_assert!(control.data().len() <= MAX_LEN),
                    Content::Private(private) => prop_assert!(private.items.len() <= MAX_ITEMS),
                    _ => {}
                }
            }
        }
    }
}
