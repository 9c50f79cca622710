//! Interleaved mode: what a client hears that names the answer before.

use super::*;

/// A client in interleaved mode (RFC 9769 §2), and what it remembers of the last answer.
#[derive(Default)]
struct Client {
    origin: NtpTimestamp,
    receive: NtpTimestamp,
    requests: u64,
}

impl Client {
    fn request(&mut self) -> Header {
        self.requests += 1;
        Header {
            origin_timestamp: self.origin,
            receive_timestamp: self.receive,
            transmit_timestamp: NtpTimestamp::from_bits(0xc11e_0000_0000_0000 + self.requests),
            ..request(4, Mode::Client)
        }
    }

    /// Sends a request `second` seconds from now; the answer leaves 30 µs after we thought it would.
    fn exchange(&mut self, responder: &mut Responder, second: i64) -> (Header, Header) {
        let request = self.request();
        let answer = self.hear(responder, &request, second);
        if let Some(receive) = responder.pending() {
            assert_eq!(receive, answer.receive_timestamp);
            let left = transmit_at(second) + Span::from_nanos(30_000);
            responder.transmitted(receive, left, StampQuality::Kernel, UPTIME);
        }
        (request, answer)
    }

    fn hear(&mut self, responder: &mut Responder, request: &Header, second: i64) -> Header {
        let mut out = [0; MAX_ANSWER_LEN];
        let transmit = transmit_at(second);
        let received = transmit - Span::from_nanos(20_000);
        let arrival = Arrival { received, ..arrival(CLIENT) };
        let verdict = responder.respond(&request.to_bytes(), &arrival, transmit, &mut out);
        assert_eq!(verdict, Verdict::Answer(48));
        let answer = header_of(&out);
        self.origin = answer.receive_timestamp;
        self.receive = NtpTimestamp::from_bits(0xc11e_ffff_0000_0000 + self.requests);
        answer
    }
}

fn transmit_at(second: i64) -> Timestamp {
    NOW + Span::from_secs(second)
}

fn is_basic(request: &Header, answer: &Header) -> bool {
    answer.origin_timestamp == request.transmit_timestamp
}

/// The answer tells when the one before left, as the kernel has it.
fn is_interleaved(request: &Header, answer: &Header, previous: i64) -> bool {
    let left = transmit_at(previous) + Span::from_nanos(30_000);
    answer.origin_timestamp == request.receive_timestamp
        && answer.transmit_timestamp == Stamps::transmit(left)
}

#[test]
fn after_two_answers_each_tells_when_the_one_before_left() {
    let (mut responder, mut client) = (serving(), Client::default());
    for second in 0..20 {
        let (request, answer) = client.exchange(&mut responder, second);
        if second < 2 {
            assert!(is_basic(&request, &answer), "{second}");
        } else {
            assert!(is_interleaved(&request, &answer, second - 1), "{second}");
        }
    }
    let counters = responder.counters();
    assert_eq!((counters.answered, counters.interleaved), (20, 18));
    assert_eq!(counters.transmitted_by, StampCounts { daemon: 2, kernel: 18, hardware: 0 });
    assert_eq!(responder.held(), crate::server::Held { pairs: 19, span: 18.0 });
}

#[test]
fn a_client_in_basic_mode_costs_no_memory() {
    let mut responder = serving();
    for _ in 0..5 {
        time(&mut responder, &client_request());
        assert_eq!(responder.pending(), None);
    }
    // One that echoes our transmit timestamp, as basic mode did before RFC 9769.
    let answer = time(&mut responder, &client_request());
    let old = Header { origin_timestamp: answer.transmit_timestamp, ..request(4, Mode::Client) };
    assert!(is_basic(&old, &time(&mut responder, &old.to_bytes())));
    assert_eq!(responder.held().pairs, 0);
}

#[test]
fn without_a_word_from_the_kernel_our_own_has_to_do() {
    let (mut responder, mut client) = (serving(), Client::default());
    for second in 0..3 {
        let request = client.request();
        let answer = client.hear(&mut responder, &request, second);
        if second == 2 {
            assert_eq!(answer.origin_timestamp, request.receive_timestamp);
            assert_eq!(answer.transmit_timestamp, Stamps::transmit(transmit_at(1)));
        }
    }
}

#[test]
fn many_clients_behind_one_address_do_not_disturb_each_other() {
    let mut responder = serving();
    let mut clients: Vec<Client> = (0..100).map(|_| Client::default()).collect();
    for round in 0..5 {
        for (index, client) in (0..).zip(&mut clients) {
            let (request, answer) = client.exchange(&mut responder, round * 100 + index);
            let interleaved = is_interleaved(&request, &answer, (round - 1) * 100 + index);
            assert_eq!(interleaved, round >= 2, "client {index}, round {round}");
        }
    }
}

#[test]
fn an_answer_is_told_of_once_even_to_a_replayed_request() {
    let (mut responder, mut client) = (serving(), Client::default());
    client.exchange(&mut responder, 0);
    client.exchange(&mut responder, 1);
    let request = client.request();
    let answer = client.hear(&mut responder, &request, 2);
    assert!(is_interleaved(&request, &answer, 1));
    let replayed = client.hear(&mut responder, &request, 3);
    assert!(is_basic(&request, &replayed));
}

#[test]
fn a_step_of_the_clock_makes_all_begin_anew() {
    let (mut responder, mut client) = (serving(), Client::default());
    for second in 0..3 {
        client.exchange(&mut responder, second);
    }
    responder.clock_stepped();
    let (request, answer) = client.exchange(&mut responder, 3);
    assert!(is_basic(&request, &answer));
    let (request, answer) = client.exchange(&mut responder, 4);
    assert!(is_interleaved(&request, &answer, 3));
}

#[test]
fn without_memory_there_is_only_basic_mode() {
    let settings = Settings { client_log: None, ..everybody() };
    let (mut responder, mut client) = (responder(&settings, synchronised()), Client::default());
    for second in 0..5 {
        let (request, answer) = client.exchange(&mut responder, second);
        assert!(is_basic(&request, &answer));
    }
}

#[test]
fn older_versions_know_no_interleaved_mode() {
    let (mut responder, mut client) = (serving(), Client::default());
    for second in 0..5 {
        let request = Header { version: 3, ..client.request() };
        let answer = client.hear(&mut responder, &request, second);
        assert!(is_basic(&request, &answer));
    }
}
