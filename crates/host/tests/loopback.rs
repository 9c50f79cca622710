//! Datagrams over the loopback interface: who stamped them, and where they came from.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::io;
use std::net::{IpAddr, SocketAddr};

use timeball_host::clock::Clock;
use timeball_host::poll::{Interest, PollSet, Readiness, Woken};
use timeball_host::socket::{
    ClientOptions, ClientSocket, Incoming, PortSharing, ReceiveBatch, Received, ServerOptions,
    ServerSocket, StampKeeper, StampSource, Stamping, Transmitted, Unreachable,
};
use timeball_wire::time::{Span, Timestamp};

const V4: &str = "127.0.0.1:0";
const V6: &str = "[::1]:0";

/// Waits until something is ready; a kernel that says nothing for ten seconds has lost it.
fn wait(socket: &impl std::os::fd::AsFd) -> Readiness {
    let clock = Clock::open().unwrap();
    let deadline = clock.monotonic().unwrap() + Span::from_secs(10);
    let mut set = PollSet::new();
    let slot = set.add(socket, Interest::Read);
    assert_eq!(set.wait(Some(deadline)).unwrap(), Woken::Ready(1), "nothing came");
    set.readiness(slot)
}

fn now() -> Timestamp {
    Clock::open().unwrap().system().unwrap()
}

fn server(listen: &str) -> ServerSocket {
    ServerSocket::open(&ServerOptions::new(listen.parse().unwrap())).unwrap()
}

fn client(server: &ServerSocket) -> ClientSocket {
    ClientSocket::open(server.local_address(), &ClientOptions::default()).unwrap()
}

/// Receives exactly one datagram.
fn receive_one(server: &mut ServerSocket) -> (Received, Vec<u8>) {
    let mut batch = ReceiveBatch::new(4, 1024);
    assert!(wait(server).readable);
    assert_eq!(server.receive(&mut batch).unwrap(), 1);
    let (received, bytes) = batch.iter().next().unwrap();
    (received, bytes.to_vec())
}

/// Takes everything that is ready at a client, until there are `datagrams` and `transmissions`.
fn collect(
    client: &mut ClientSocket,
    datagrams: usize,
    transmissions: usize,
) -> (Vec<Received>, Vec<Transmitted>) {
    let (mut received, mut transmitted) = (Vec::new(), Vec::new());
    let mut buffer = [0; 1024];
    while received.len() < datagrams || transmitted.len() < transmissions {
        let mut readiness = wait(client);
        while let Some(incoming) = client.incoming(&mut readiness, &mut buffer).unwrap() {
            match incoming {
                Incoming::Datagram(datagram) => received.push(datagram),
                Incoming::Transmitted(report) => transmitted.push(report),
                Incoming::Unreachable(reason) => panic!("{reason}"),
            }
        }
    }
    (received, transmitted)
}

fn has_ipv6() -> bool {
    let answer = ServerSocket::open(&ServerOptions::new(V6.parse().unwrap()));
    if let Err(error) = &answer {
        println!("SKIPPED: this machine has no IPv6 loopback: {error}");
    }
    answer.is_ok()
}

fn stamps_lie_between_the_readings_around_them(listen: &str) {
    let _keeper = StampKeeper::open().unwrap();
    let mut server = server(listen);
    // The kernel starts to stamp a moment after the first socket asks for it.
    for attempt in 0..1000 {
        let mut client = client(&server);
        assert!(client.stamping() >= Stamping::Kernel, "{:?}", client.stamping());
        let before = now();
        let sent = client.send(b"question").unwrap();
        let (received, bytes) = receive_one(&mut server);
        let after = now();
        assert_eq!(bytes, b"question");
        assert_eq!(received.from, client.local_address().unwrap());
        assert_eq!(received.to, Some(server.local_address().ip()));
        assert!(received.interface.is_some());
        assert!(!received.truncated);
        assert!(before <= received.stamp.at && received.stamp.at <= after, "{received:?}");

        let (_, transmitted) = collect(&mut client, 0, 1);
        assert_eq!(transmitted[0].counter, sent);
        assert_eq!(transmitted[0].hardware, None);
        let left = transmitted[0].stamp.unwrap();
        assert_eq!(left.source, StampSource::Kernel);
        assert!(before <= left.at && left.at <= received.stamp.at, "{left:?} {received:?}");
        if received.stamp.source == StampSource::Kernel {
            println!("kernel stamps from attempt {attempt}");
            return;
        }
        assert_eq!(received.stamp.source, StampSource::Daemon);
    }
    panic!("the kernel never stamped a received datagram");
}

#[test]
fn stamps_lie_between_the_readings_around_them_v4() {
    stamps_lie_between_the_readings_around_them(V4);
}

#[test]
fn stamps_lie_between_the_readings_around_them_v6() {
    if has_ipv6() {
        stamps_lie_between_the_readings_around_them(V6);
    }
}

fn a_client_learns_where_an_answer_came_in(listen: &str) {
    let mut server = server(listen);
    for stamping in [Stamping::Hardware, Stamping::Kernel] {
        let options = ClientOptions { stamping, ..ClientOptions::default() };
        let mut client = ClientSocket::open(server.local_address(), &options).unwrap();
        client.send(b"question").unwrap();
        let (question, _) = receive_one(&mut server);
        server.reply(b"answer", question.from, question.to).unwrap();
        let (received, _) = collect(&mut client, 1, 0);
        assert_eq!(received[0].interface, Some(1), "{stamping:?}");
        assert_eq!(received[0].to, Some(server.local_address().ip()), "{stamping:?}");
    }
}

#[test]
fn a_client_learns_where_an_answer_came_in_v4() {
    a_client_learns_where_an_answer_came_in(V4);
}

#[test]
fn a_client_learns_where_an_answer_came_in_v6() {
    if has_ipv6() {
        a_client_learns_where_an_answer_came_in(V6);
    }
}

#[test]
fn answers_come_from_the_address_that_was_asked() {
    // A socket that listens everywhere, asked at an address it would not choose by itself.
    let mut server = server("0.0.0.0:0");
    let asked: IpAddr = "127.0.0.77".parse().unwrap();
    let address = SocketAddr::new(asked, server.local_address().port());
    let mut client = ClientSocket::open(address, &ClientOptions::default()).unwrap();
    client.send(b"who are you?").unwrap();
    let (received, _) = receive_one(&mut server);
    assert_eq!(received.to, Some(asked));

    server.reply(b"who you asked", received.from, received.to).unwrap();
    // The client is connected: an answer from any other address would not reach it.
    let (answers, _) = collect(&mut client, 1, 0);
    assert_eq!(answers[0].from, address);
    assert_eq!(answers[0].length, 13);
}

#[test]
fn answers_come_from_the_address_that_was_asked_v6() {
    if !has_ipv6() {
        return;
    }
    let mut server = server("[::]:0");
    let address = SocketAddr::new("::1".parse().unwrap(), server.local_address().port());
    let mut client = ClientSocket::open(address, &ClientOptions::default()).unwrap();
    client.send(b"question").unwrap();
    let (received, _) = receive_one(&mut server);
    assert_eq!(received.to, Some(address.ip()));
    server.reply(b"answer", received.from, received.to).unwrap();
    let (answers, _) = collect(&mut client, 1, 0);
    assert_eq!(answers[0].from, address);
}

#[test]
fn stamped_answers_are_counted_and_the_others_are_not() {
    let mut server = server(V4);
    let mut client = client(&server);
    client.send(b"question").unwrap();
    let (received, _) = receive_one(&mut server);
    let mut counters = Vec::new();
    for number in 0..5 {
        server.reply(b"plain", received.from, received.to).unwrap();
        // What does not fit in a datagram is refused, and not counted either.
        server.reply_stamped(&[0; 70_000], received.from, received.to).unwrap_err();
        let before = now();
        let counter = server.reply_stamped(b"stamped", received.from, received.to).unwrap();
        let counter = counter.unwrap();
        assert_eq!(counter.0, number);
        assert!(wait(&server).error_queue);
        let transmitted = server.recv_transmit_stamp().unwrap().unwrap();
        assert_eq!(transmitted.counter, counter);
        let left = transmitted.stamp.unwrap().at;
        assert!(before <= left && left <= now());
        counters.push(counter);
    }
    assert_eq!(server.recv_transmit_stamp().unwrap(), None);
    assert_eq!(collect(&mut client, 10, 1).0.len(), 10);
}

#[test]
fn transmissions_of_one_socket_are_told_apart() {
    let server = server(V4);
    let mut client = client(&server);
    let sent: Vec<_> = (0..8).map(|_| client.send(b"question").unwrap()).collect();
    let (_, transmitted) = collect(&mut client, 0, 8);
    let reported: Vec<_> = transmitted.iter().map(|report| report.counter).collect();
    assert_eq!(reported, sent);
    assert!(
        transmitted.windows(2).all(|pair| pair[0].stamp.unwrap().at < pair[1].stamp.unwrap().at)
    );
}

#[test]
fn a_batch_keeps_order_and_cuts_what_is_too_long() {
    let mut server = server(V4);
    let mut client = client(&server);
    let datagrams: [&[u8]; 4] = [b"one", b"", b"twelve bytes", b"four"];
    for datagram in datagrams {
        client.send(datagram).unwrap();
    }
    let mut batch = ReceiveBatch::new(3, 8);
    let (mut got, mut stamps) = (Vec::new(), Vec::new());
    while got.len() < datagrams.len() {
        wait(&server);
        let count = server.receive(&mut batch).unwrap();
        assert!((1..=3).contains(&count));
        assert_eq!(batch.iter().count(), count);
        got.extend(batch.iter().map(|(received, bytes)| (bytes.to_vec(), received.truncated)));
        stamps.extend(batch.iter().map(|(received, _)| received.stamp.at));
    }
    let whole = |bytes: &[u8]| (bytes.to_vec(), false);
    assert_eq!(got, [whole(b"one"), whole(b""), (b"twelve b".to_vec(), true), whole(b"four")]);
    assert!(stamps.is_sorted());
    assert_eq!(server.receive(&mut batch).unwrap(), 0);
    assert_eq!(batch.iter().count(), 0);
}

#[test]
fn what_is_too_long_for_a_client_says_so() {
    let mut server = server(V4);
    let mut client = client(&server);
    client.send(b"question").unwrap();
    let (received, _) = receive_one(&mut server);
    server.reply(&[7; 100], received.from, received.to).unwrap();
    let mut small = [0; 48];
    let mut answer = None;
    while answer.is_none() {
        let mut readiness = wait(&client);
        while let Some(incoming) = client.incoming(&mut readiness, &mut small).unwrap() {
            if let Incoming::Datagram(datagram) = incoming {
                answer = Some(datagram);
            }
        }
    }
    let answer = answer.unwrap();
    assert_eq!((answer.length, answer.truncated), (48, true));
    assert_eq!(small, [7; 48]);
}

#[test]
fn a_closed_port_is_an_outcome_and_not_an_error() {
    let server = server(V4);
    let mut client = client(&server);
    drop(server);
    client.send(b"anybody?").unwrap();
    let mut buffer = [0; 64];
    let mut outcome = None;
    while outcome.is_none() {
        let mut readiness = wait(&client);
        while let Some(incoming) = client.incoming(&mut readiness, &mut buffer).unwrap() {
            match incoming {
                Incoming::Unreachable(reason) => outcome = Some(reason),
                Incoming::Transmitted(_) => {}
                Incoming::Datagram(datagram) => panic!("{datagram:?}"),
            }
        }
    }
    assert_eq!(outcome, Some(Unreachable::Port));
}

#[test]
fn without_kernel_stamps_the_program_stamps() {
    let listen = V4.parse().unwrap();
    let options = ServerOptions { stamping: Stamping::Daemon, ..ServerOptions::new(listen) };
    let mut server = ServerSocket::open(&options).unwrap();
    assert_eq!(server.stamping(), Stamping::Daemon);
    let options = ClientOptions { stamping: Stamping::Daemon, ..ClientOptions::default() };
    let mut client = ClientSocket::open(server.local_address(), &options).unwrap();
    assert_eq!(client.stamping(), Stamping::Daemon);
    let before = now();
    client.send(b"question").unwrap();
    let (received, _) = receive_one(&mut server);
    assert_eq!(received.stamp.source, StampSource::Daemon);
    assert!(before <= received.stamp.at && received.stamp.at <= now());
    let counter = server.reply_stamped(b"answer", received.from, received.to).unwrap();
    assert_eq!(counter, None);
    let (answers, transmitted) = collect(&mut client, 1, 0);
    assert_eq!(answers[0].stamp.source, StampSource::Daemon);
    assert_eq!(transmitted, []);
}

#[test]
fn each_request_has_its_own_port() {
    let server = server(V4);
    let clients: Vec<_> = (0..16).map(|_| client(&server)).collect();
    let mut ports: Vec<_> =
        clients.iter().map(|client| client.local_address().unwrap().port()).collect();
    // Neighbours would be guessed from one another.
    let neighbours = ports.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) <= 2).count();
    assert!(neighbours < 8, "{ports:?}");
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 16);
}

#[test]
fn a_client_can_choose_its_address_and_device() {
    let mut server = server("127.0.0.1:0");
    let options = ClientOptions {
        bind_address: Some("127.0.0.5".parse().unwrap()),
        bind_device: Some("lo".into()),
        dscp: 46,
        ..ClientOptions::default()
    };
    let mut client = match ClientSocket::open(server.local_address(), &options) {
        Ok(client) => client,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            println!("SKIPPED: this user may not choose a device: {error}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    client.send(b"question").unwrap();
    let (received, _) = receive_one(&mut server);
    assert_eq!(received.from.ip(), options.bind_address.unwrap());

    let nowhere = ClientOptions { bind_device: Some("nowhere0".into()), ..options };
    let error = ClientSocket::open(server.local_address(), &nowhere).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
}

#[test]
fn a_port_is_shared_by_agreement_only() {
    let alone = server(V4);
    let again = ServerOptions::new(alone.local_address());
    let error = ServerSocket::open(&again).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);

    let listen = V4.parse().unwrap();
    let first = ServerOptions { sharing: PortSharing::Workers, ..ServerOptions::new(listen) };
    let first = ServerSocket::open(&first).unwrap();
    let second = ServerOptions {
        sharing: PortSharing::Workers,
        ..ServerOptions::new(first.local_address())
    };
    let second = ServerSocket::open(&second).unwrap();
    assert_eq!(first.local_address(), second.local_address());
}

#[test]
fn both_families_listen_at_one_port() {
    if !has_ipv6() {
        return;
    }
    let v4 = server("0.0.0.0:0");
    let v6 = SocketAddr::new("::".parse().unwrap(), v4.local_address().port());
    ServerSocket::open(&ServerOptions::new(v6)).unwrap();
}
