//! Monotonic time and finer root values, for those who ask.

use timeball_wire::{FieldType, MonoRoot, Packet};

use super::*;
use crate::datagram::compose_with;

fn asking() -> Vec<u8> {
    compose_with(&request(4, Mode::Client), Some(MonoRoot::default()), None).to_vec()
}

fn answered(responder: &mut Responder, request: &[u8]) -> Vec<u8> {
    let mut out = [0; MAX_ANSWER_LEN];
    let Verdict::Answer(length) = responder.respond(request, &arrival(CLIENT), NOW, &mut out)
    else {
        panic!("no answer");
    };
    out[..length].to_vec()
}

fn said(answer: &[u8]) -> MonoRoot {
    let packet = Packet::parse(answer).unwrap();
    let field = packet.extension_fields().next().unwrap();
    assert_eq!(field.field_type, FieldType::MONO_ROOT);
    MonoRoot::from_field(&field).unwrap()
}

#[test]
fn who_asks_hears_how_far_the_time_was_corrected() {
    let request = asking();
    let answer = answered(&mut serving(), &request);
    assert_eq!(answer.len(), request.len());
    let (said, receive) = (said(&answer), header_of(&answer).receive_timestamp);
    assert_eq!(said.epoch, 7);
    assert_eq!(receive.since(said.receive), Span::from_millis(250));
    assert!((said.root_delay.seconds() - 0.010).abs() < 4e-9);
    // Ten seconds older than the view.
    assert!((said.root_dispersion.seconds() - (0.001 + 150e-6)).abs() < 4e-9);
}

#[test]
fn who_does_not_ask_does_not() {
    let unknown = |first: usize, byte| {
        let mut request = asking();
        request[first] = byte;
        request
    };
    for request in [client_request().to_vec(), unknown(49, 0x24), unknown(55, 0x9b)] {
        assert_eq!(answered(&mut serving(), &request).len(), 48);
    }
}

#[test]
fn a_kiss_says_nothing_of_our_time() {
    let limit = RateLimit { interval: 8.0, burst: 1, leak: 0, kiss: 1 };
    let settings = Settings { rate_limit: Some(limit), ..everybody() };
    let mut responder = responder(&settings, synchronised());
    answered(&mut responder, &asking());
    let mut out = [0; MAX_ANSWER_LEN];
    let verdict = responder.respond(&asking(), &arrival(CLIENT), NOW, &mut out);
    assert_eq!(verdict, Verdict::Kiss(48));
}
