//! What an ntpd before 4.2.7p26 did when it was asked for its clients, made from the layout that
//! RFC 9327 appendix A and ntpd's `ntp_request.h` document: no packaged server does it any more.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::namespace::Host;

/// Clients that it remembers, as many as ntpd did.
pub const CLIENTS: usize = 600;
/// Clients in one packet, as many as fit 500 bytes.
pub const CLIENTS_PER_PACKET: usize = 6;
/// Bytes of one packet.
pub const PACKET_LEN: usize = 8 + CLIENTS_PER_PACKET * CLIENT_LEN;
/// `struct info_monitor_1`.
const CLIENT_LEN: usize = 72;
const LOOKS_AROUND_EVERY: Duration = Duration::from_millis(50);

/// A server that answers `monlist` and nothing else.
#[derive(Debug)]
pub struct MonlistServer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl MonlistServer {
    /// Starts it.
    pub fn start(host: &Host) -> Self {
        let socket = host.udp(host.address(), 123);
        socket.set_read_timeout(Some(LOOKS_AROUND_EVERY)).expect("set a timeout");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || serve(&socket, &stopped));
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for MonlistServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            eprintln!("the thread of the monlist server has panicked");
        }
    }
}

fn serve(socket: &UdpSocket, stop: &AtomicBool) {
    let mut request = [0; 512];
    while !stop.load(Ordering::Relaxed) {
        let Ok((length, client)) = socket.recv_from(&mut request) else { continue };
        // Version 2, mode 7, implementation 3, request code 42.
        if length >= 8 && request[..4] == [0x17, 0x00, 0x03, 0x2a] {
            for packet in answer() {
                socket.send_to(&packet, client).expect("send an answer");
            }
        }
    }
}

/// The whole list.
fn answer() -> Vec<Vec<u8>> {
    let packets = CLIENTS.div_ceil(CLIENTS_PER_PACKET);
    (0..packets)
        .map(|sequence| {
            let more = if sequence + 1 < packets { 0x40 } else { 0 };
            let number = u8::try_from(sequence).expect("a sequence number has seven bits");
            let mut packet = vec![0x97 | more, number, 0x03, 0x2a, 0, 6, 0, 72];
            for place in 0..CLIENTS_PER_PACKET {
                packet.extend(client(sequence * CLIENTS_PER_PACKET + place));
            }
            packet
        })
        .collect()
}

/// The address of one of the clients: half of them from a private network.
pub fn client_address(number: usize) -> Ipv4Addr {
    let last = u8::try_from(number % 250 + 1).expect("below 251");
    let third = u8::try_from(number / 250).expect("few");
    if number.is_multiple_of(2) {
        Ipv4Addr::new(192, 168, third, last)
    } else {
        Ipv4Addr::new(8, 8, third, last)
    }
}

fn client(number: usize) -> [u8; CLIENT_LEN] {
    let mut item = [0; CLIENT_LEN];
    // Seconds between packets, seconds since the last, restrictions, packets.
    item[3] = 64;
    item[7] = 10;
    item[15] = 5;
    item[16..20].copy_from_slice(&client_address(number).octets());
    item[20..24].copy_from_slice(&[10, 123, 0, 1]);
    // Port, mode and version of the last packet.
    item[28..32].copy_from_slice(&[0, 123, 3, 4]);
    item
}
