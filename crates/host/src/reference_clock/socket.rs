//! A Unix socket that another program sends its clock to, as chrony's reference clock driver `SOCK`
//! has it and gpsd knows it. Only root and this process's user can send to it.

use std::io;
use std::path::Path;

use timeball_wire::Span;

use super::{ClockSample, Malformed, leap, timestamp};
use crate::unix_datagram::UnixDatagramSocket;
use crate::unix_socket::UnixSocketError;

/// "SOCK".
const MAGIC: i32 = 0x534f_434b;

/// No clock is further off than this (s).
const LARGEST_OFFSET: f64 = 4e9;

/// Length of a `timeval`.
const TIMEVAL: usize = size_of::<libc::timeval>();

/// Length of a message: a `timeval` and a `double`, then `int`s: pulse, leap, padding, magic.
const LENGTH: usize = TIMEVAL + 8 + 4 * 4;

/// A socket for samples.
#[derive(Debug)]
pub struct SocketClock {
    socket: UnixDatagramSocket,
}

impl SocketClock {
    /// Opens the socket.
    ///
    /// # Errors
    ///
    /// See [`UnixSocketError`].
    pub fn bind(path: &Path) -> Result<Self, UnixSocketError> {
        Ok(Self { socket: UnixDatagramSocket::bind_private(path)? })
    }

    /// Takes the oldest sample that has come, without waiting; `None` if there is none.
    ///
    /// # Errors
    ///
    /// When the socket is broken; within, what is wrong with the sample.
    pub fn take(&mut self) -> io::Result<Option<Result<ClockSample, Malformed>>> {
        let mut buffer = [0; LENGTH];
        let Some(received) = self.socket.receive(&mut buffer)? else { return Ok(None) };
        if received.truncated || received.length != LENGTH {
            return Ok(Some(Err(Malformed::Length)));
        }
        Ok(Some(decode(&buffer)))
    }
}

fn decode(message: &[u8; LENGTH]) -> Result<ClockSample, Malformed> {
    let mut rest = message.as_slice();
    // The two parts of a `timeval` are of the same length.
    let half = TIMEVAL / 2;
    let seconds = take_long(&mut rest, half).ok_or(Malformed::Length)?;
    let micros = take_long(&mut rest, half).ok_or(Malformed::Length)?;
    let offset = f64::from_ne_bytes(take(&mut rest).ok_or(Malformed::Length)?);
    let mut int = || take(&mut rest).map(i32::from_ne_bytes).ok_or(Malformed::Length);
    let [pulse, warning, _padding, magic] = [int()?, int()?, int()?, int()?];
    if magic != MAGIC {
        return Err(Malformed::Magic);
    }
    if pulse != 0 {
        return Err(Malformed::Pulse);
    }
    let nanos = micros.checked_mul(1000).ok_or(Malformed::Time)?;
    let received = timestamp(seconds, nanos).ok_or(Malformed::Time)?;
    // What is not a number is in no range.
    if !(-LARGEST_OFFSET..=LARGEST_OFFSET).contains(&offset) {
        return Err(Malformed::Time);
    }
    let reference = received + Span::from_seconds(offset);
    Ok(ClockSample { received, reference, leap: leap(warning)? })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, others) = rest.split_first_chunk()?;
    *rest = others;
    Some(*first)
}

/// A `long` of this machine.
fn take_long(rest: &mut &[u8], length: usize) -> Option<i64> {
    match length {
        8 => take(rest).map(i64::from_ne_bytes),
        _ => take(rest).map(|bytes| i64::from(i32::from_ne_bytes(bytes))),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixDatagram;

    use proptest::prelude::*;
    use timeball_wire::{LeapIndicator, Timestamp};

    use super::*;

    struct Message {
        seconds: i64,
        micros: i64,
        offset: f64,
        pulse: i32,
        leap: i32,
        magic: i32,
    }

    const GOOD: Message = Message {
        seconds: 1_700_000_000,
        micros: 250_000,
        offset: 0.5,
        pulse: 0,
        leap: 2,
        magic: MAGIC,
    };

    fn bytes(message: &Message) -> [u8; LENGTH] {
        let mut bytes = Vec::new();
        for part in [message.seconds, message.micros] {
            match TIMEVAL {
                16 => bytes.extend(part.to_ne_bytes()),
                _ => bytes.extend((part as i32).to_ne_bytes()),
            }
        }
        bytes.extend(message.offset.to_ne_bytes());
        for part in [message.pulse, message.leap, 0, message.magic] {
            bytes.extend(part.to_ne_bytes());
        }
        bytes.try_into().unwrap()
    }

    #[test]
    fn an_offset_is_clock_minus_system_clock() {
        let sample = decode(&bytes(&GOOD)).unwrap();
        assert_eq!(sample.received, Timestamp::from_nanos(1_700_000_000_250_000_000));
        assert_eq!(sample.reference, Timestamp::from_nanos(1_700_000_000_750_000_000));
        assert_eq!(sample.leap, LeapIndicator::Delete);
    }

    #[test]
    fn what_makes_no_sense_is_malformed() {
        for (message, malformed) in [
            (Message { magic: 0x4b43_4f53, ..GOOD }, Malformed::Magic),
            (Message { pulse: 1, ..GOOD }, Malformed::Pulse),
            (Message { leap: 4, ..GOOD }, Malformed::Leap),
            (Message { seconds: -1, ..GOOD }, Malformed::Time),
            (Message { micros: 1_000_000, ..GOOD }, Malformed::Time),
            (Message { micros: -1, ..GOOD }, Malformed::Time),
            (Message { offset: f64::NAN, ..GOOD }, Malformed::Time),
            (Message { offset: f64::INFINITY, ..GOOD }, Malformed::Time),
            (Message { offset: -1e10, ..GOOD }, Malformed::Time),
        ] {
            assert_eq!(decode(&bytes(&message)), Err(malformed));
        }
    }

    #[test]
    fn samples_come_through_a_socket_that_is_ours_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("clock.sock");
        let mut clock = SocketClock::bind(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(clock.take().unwrap(), None);
        let sender = UnixDatagram::unbound().unwrap();
        sender.send_to(&bytes(&GOOD), &path).unwrap();
        sender.send_to(&bytes(&GOOD)[1..], &path).unwrap();
        sender.send_to(&[0; LENGTH + 1], &path).unwrap();
        assert_eq!(clock.take().unwrap(), Some(decode(&bytes(&GOOD))));
        assert_eq!(clock.take().unwrap(), Some(Err(Malformed::Length)));
        assert_eq!(clock.take().unwrap(), Some(Err(Malformed::Length)));
        assert_eq!(clock.take().unwrap(), None);
        drop(clock);
        assert!(!path.exists());
    }

    proptest! {
        #[test]
        fn no_message_does_harm(bytes in prop::array::uniform32(0..=255u8), tail: [u8; 8]) {
            let mut message = [0; LENGTH];
            for (to, from) in message.iter_mut().zip(bytes.iter().chain(&tail)) {
                *to = *from;
            }
            if decode(&message).is_ok() {
                let magic = i32::from_ne_bytes(*message.last_chunk().unwrap());
                prop_assert_eq!(magic, MAGIC);
            }
        }
    }
}
