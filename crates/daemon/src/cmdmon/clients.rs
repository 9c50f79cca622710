//! The reports of what was served, and to whom.

use arrayvec::ArrayVec;
use timeball_core::server::{Activity, Clients, Refusal, Responder};
use timeball_wire::Instant;
use timeball_wire::cmdmon::{
    Answer, ClientAccess, ClientAccesses, RequestHeader, Reserved, ServerStats3, ServerStats4,
};

use super::monitoring::{Reset, count, seconds_ago};

/// Places of the log looked at for one request, so that a sparse log does not hold up the loop; the
/// client goes on where we stopped.
const PLACES_AT_ONCE: usize = 65_536;
/// chrony's sign for an interval that nobody knows.
const UNKNOWN_INTERVAL: i8 = 127;

/// What a client wants to see of the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) first_index: u32,
    pub(super) clients: u32,
    /// Only those that asked for something so often.
    pub(super) min_hits: u32,
    /// Their counts start from zero again.
    pub(super) reset: bool,
}

/// A part of the client log, and the places in it to be reset.
pub(super) fn accesses(log: &Clients, wanted: Wanted, now: Instant) -> (ClientAccesses, Reset) {
    let places = log.places();
    let first = usize::try_from(wanted.first_index).unwrap_or(usize::MAX);
    let mut next = first;
    let mut accesses = ClientAccesses { indices: count(places as u64), ..nobody() };
    let room = accesses.clients.capacity();
    let most = usize::try_from(wanted.clients).map_or(room, |clients| clients.min(room));
    let mut reset = Reset::new();
    while next < places.min(first.saturating_add(PLACES_AT_ONCE)) && accesses.clients.len() < most {
        if let Some(client) = log.get(next) {
            if wanted.reset {
                reset.push(next);
            }
            let services = [client.ntp, client.key_exchange, client.command];
            if services.iter().any(|activity| activity.hits >= wanted.min_hits) {
                let [ntp, nke, command] = services;
                accesses.clients.push(ClientAccess {
                    address: client.address.into(),
                    ntp_hits: ntp.hits,
                    nke_hits: nke.hits,
                    command_hits: command.hits,
                    ntp_drops: ntp.drops,
                    nke_drops: nke.drops,
                    command_drops: command.drops,
                    ntp_interval: interval(ntp.interval),
                    nke_interval: interval(nke.interval),
                    command_interval: interval(command.interval),
                    ntp_timeout_interval: interval(ntp.interval_if_dropped),
                    last_ntp_hit_ago: ago(&ntp, now),
                    last_nke_hit_ago: ago(&nke, now),
                    last_command_hit_ago: ago(&command, now),
                });
            }
        }
        next = next.saturating_add(1);
    }
    accesses.next_index = count(next as u64);
    (accesses, reset)
}

/// The log of a server that serves nobody.
pub(super) fn nobody() -> ClientAccesses {
    ClientAccesses { indices: 0, next_index: 0, clients: ArrayVec::new() }
}

fn interval(log2_seconds: Option<f32>) -> i8 {
    // The conversion saturates.
    log2_seconds.map_or(UNKNOWN_INTERVAL, |interval| interval.round() as i8)
}

fn ago(activity: &Activity, now: Instant) -> u32 {
    seconds_ago(activity.age(now).map(|age| age.seconds()))
}

/// What was counted, in the newest form that fits the request.
pub(super) fn server_stats(server: &Responder, header: &RequestHeader) -> Answer {
    let (counters, held) = (server.counters(), server.held());
    let stats = ServerStats4 {
        ntp_hits: counters.requests(),
        nke_hits: counters.key_exchanges,
        command_hits: counters.commands,
        ntp_drops: counters.refused.by(Refusal::RateLimited),
        nke_drops: counters.key_exchanges_dropped,
        command_drops: counters.commands_dropped,
        log_drops: server.clients().map_or(0, Clients::evicted),
        ntp_authenticated_hits: counters.authenticated,
        ntp_interleaved_hits: counters.interleaved,
        ntp_timestamps: held.pairs as u64,
        ntp_span: held.span as u64,
        daemon_receive_timestamps: counters.received_by.daemon,
        daemon_transmit_timestamps: counters.transmitted_by.daemon,
        kernel_receive_timestamps: counters.received_by.kernel,
        kernel_transmit_timestamps: counters.transmitted_by.kernel,
        hardware_receive_timestamps: counters.received_by.hardware,
        hardware_transmit_timestamps: counters.transmitted_by.hardware,
        reserved: Reserved,
    };
    let older = ServerStats3 {
        ntp_hits: count(stats.ntp_hits),
        nke_hits: count(stats.nke_hits),
        command_hits: count(stats.command_hits),
        ntp_drops: count(stats.ntp_drops),
        nke_drops: count(stats.nke_drops),
        command_drops: count(stats.command_drops),
        log_drops: count(stats.log_drops),
        ntp_authenticated_hits: count(stats.ntp_authenticated_hits),
        ntp_interleaved_hits: count(stats.ntp_interleaved_hits),
        ntp_timestamps: count(stats.ntp_timestamps),
        ntp_span: count(stats.ntp_span),
    };
    let newest = Answer::ServerStats4(stats);
    if newest.fits(header) { newest } else { Answer::ServerStats3(older) }
}
