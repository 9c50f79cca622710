//! Lengths are those of chronyd; what is malformed is answered as it answers.

use super::request::CODES;
use super::*;

const SEQUENCE: u32 = 0x0102_0304;

fn header_of(version: u8, command: u16, len: usize) -> Vec<u8> {
    let [high, low] = command.to_be_bytes();
    let mut datagram = vec![version, 1, 0, 0, high, low, 0, 0, 1, 2, 3, 4];
    datagram.resize(len, 0);
    datagram
}

/// What a request of this version, command and length becomes.
fn received(version: u8, command: u16, len: usize) -> Result<Request, Option<Status>> {
    let datagram = header_of(version, command, len);
    RequestHeader::parse(&datagram).unwrap().request(&datagram)
}

/// The shortest request with this command that is long enough.
fn shortest(command: u16) -> usize {
    (28..=MAX_REQUEST_LEN)
        .find(|len| received(VERSION, command, *len) != Err(Some(Status::BadPacketLength)))
        .unwrap()
}

#[test]
fn requests_have_the_lengths_that_chronyd_expects() {
    let expected = [
        (1, 60),
        (2, 60),
        (3, 68),
        (4, 44),
        (5, 44),
        (6, 28),
        (7, 44),
        (8, 44),
        (9, 28),
        (11, 40),
        (13, 28),
        (14, 32),
        (15, 76),
        (16, 28),
        (17, 44),
        (18, 44),
        (19, 44),
        (20, 44),
        (21, 44),
        (22, 44),
        (23, 44),
        (24, 44),
        (25, 40),
        (26, 40),
        (29, 40),
        (30, 28),
        (31, 28),
        (33, 104),
        (34, 84),
        (35, 56),
        (36, 28),
        (37, 28),
        (41, 416),
        (42, 28),
        (43, 28),
        (44, 48),
        (45, 44),
        (46, 44),
        (47, 44),
        (48, 28),
        (49, 28),
        (50, 28),
        (51, 52),
        (52, 28),
        (53, 28),
        (54, 72),
        (56, 36),
        (57, 152),
        (62, 28),
        (63, 28),
        (64, 372),
        (65, 284),
        (66, 28),
        (67, 52),
        (68, 520),
        (69, 76),
        (70, 28),
        (71, 28),
        (72, 52),
        (73, 48),
        (74, 48),
    ];
    assert_eq!(CODES.len(), expected.len());
    for (command, len) in expected {
        assert!(CODES.contains(&command));
        assert_eq!(shortest(command), len, "{}", Request::name_of(command).unwrap());
    }
}

#[test]
fn requests_are_padded_for_the_newest_reply() {
    let mut buffer = [0xff; MAX_LEN];
    let mut len = |request: Request| request.emit(SEQUENCE, 0, &mut buffer).unwrap().len();
    assert_eq!(len(Request::ServerStats), 196);
    assert_eq!(len(Request::NtpData { address: Address::Unspecified }), 172);
    assert_eq!(len(Request::Tracking), 104);
    assert_eq!(len(Request::MakeStep), 28);
    let clients = Request::ClientAccesses { first_index: 0, clients: 8, min_hits: 0, reset: 0 };
    assert_eq!(len(clients), MAX_LEN);
}

#[test]
fn what_is_no_request_is_dropped() {
    let parse = RequestHeader::parse;
    assert_eq!(parse(&[]), Err(NotARequest::Length(0)));
    assert_eq!(parse(&header_of(6, 33, 27)), Err(NotARequest::Length(27)));
    assert_eq!(parse(&header_of(6, 33, 861)), Err(NotARequest::Length(861)));
    for (byte, value) in [(1, 2), (2, 1), (3, 1)] {
        let mut datagram = header_of(6, 33, 104);
        datagram[byte] = value;
        assert_eq!(parse(&datagram), Err(NotARequest::Type));
    }
}

#[test]
fn what_cannot_be_done_is_said_if_the_version_allows() {
    assert_eq!(received(6, 33, 104), Ok(Request::Tracking));
    assert_eq!(received(6, 33, 860), Ok(Request::Tracking));
    assert_eq!(received(4, 33, 104), Err(None));
    assert_eq!(received(5, 33, 28), Err(Some(Status::BadPacketVersion)));
    assert_eq!(received(7, 33, 104), Err(Some(Status::BadPacketVersion)));
    assert_eq!(received(6, 33, 103), Err(Some(Status::BadPacketLength)));
    for command in [0, 10, 12, 27, 32, 38, 55, 58, 61, 75, u16::MAX] {
        assert_eq!(received(6, command, 104), Err(Some(Status::Invalid)), "{command}");
        assert_eq!(Request::name_of(command), None);
    }
    // A source that is neither server nor peer nor pool.
    assert_eq!(received(6, 64, 372), Err(Some(Status::Invalid)));
}

#[test]
fn no_reply_is_longer_than_its_request() {
    let mut buffer = [0; MAX_LEN];
    let reply = Reply::from(Answer::SourceCount(3));
    let datagram = header_of(6, 14, 32);
    let header = RequestHeader::parse(&datagram).unwrap();
    assert_eq!(reply.emit(&header, &mut buffer).unwrap().len(), 32);
    let datagram = header_of(6, 14, 31);
    let header = RequestHeader::parse(&datagram).unwrap();
    assert_eq!(reply.emit(&header, &mut buffer), None);
    assert_eq!(Reply::from(Status::BadPacketLength).emit(&header, &mut buffer).unwrap().len(), 28);
}

#[test]
fn a_reply_belongs_to_its_request() {
    let datagram = header_of(6, 14, 32);
    let header = RequestHeader::parse(&datagram).unwrap();
    let mut buffer = [0; MAX_LEN];
    let reply = Reply::from(Answer::SourceCount(3));
    let bytes = reply.emit(&header, &mut buffer).unwrap().to_vec();
    let parse = |bytes: &[u8]| Reply::parse(bytes, 14, SEQUENCE);
    assert_eq!(parse(&bytes), Ok(reply));
    assert_eq!(Reply::parse(&bytes, 15, SEQUENCE), Err(ReplyError::NotForUs));
    assert_eq!(Reply::parse(&bytes, 14, SEQUENCE + 1), Err(ReplyError::NotForUs));
    assert_eq!(parse(&bytes[..27]), Err(ReplyError::NotForUs));
    assert_eq!(parse(&bytes[..31]), Err(ReplyError::Malformed));
    let changed = |at: usize, to: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = to;
        parse(&bytes)
    };
    assert_eq!(changed(0, 5), Err(ReplyError::NotForUs));
    assert_eq!(changed(1, 1), Err(ReplyError::NotForUs));
    assert_eq!(changed(2, 1), Err(ReplyError::NotForUs));
    assert_eq!(changed(7, 200), Err(ReplyError::Malformed));
    assert_eq!(changed(9, 77).unwrap().status, Status::Other(77));
    let mut complaint = bytes.clone();
    complaint[0] = 7;
    complaint[9] = 18;
    assert_eq!(parse(&complaint), Err(ReplyError::Version(7)));
}
