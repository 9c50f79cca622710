//! A segment of System V shared memory that another program writes its clock to: ntpd's reference
//! clock driver 28, as gpsd and others know it.
//!
//! Whoever may write to the segment sets the clock. So it is made for its owner alone unless the
//! configuration says otherwise, and one that somebody else has made is not used.

use std::ffi::c_int;
use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::{Ordering, fence};

use super::{ClockSample, Malformed, leap, timestamp};
use crate::os::check;

/// Key of the segment of unit 0: "NTP0".
const KEY: libc::key_t = 0x4e54_5030;

/// Permission for others than the owner to write.
const WRITABLE_BY_OTHERS: u16 = 0o022;

/// What stands in the segment.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    /// 0: `valid` alone says whether the rest is; 1: `count` says whether it was changed meanwhile.
    mode: c_int,
    count: c_int,
    clock_seconds: libc::time_t,
    clock_micros: c_int,
    receive_seconds: libc::time_t,
    receive_micros: c_int,
    leap: c_int,
    precision: c_int,
    samples: c_int,
    valid: c_int,
    /// The microseconds and what is below them, or 0 from programs that do not know this field.
    clock_nanos: c_int,
    receive_nanos: c_int,
    reserved: [c_int; 8],
}

/// A segment of shared memory, for reading.
#[derive(Debug)]
pub struct SharedMemoryClock {
    segment: NonNull<Layout>,
}

// SAFETY: the address is valid in the whole process, and only one thread at a time has the value.
unsafe impl Send for SharedMemoryClock {}

impl SharedMemoryClock {
    /// Opens the segment of this unit, or makes it with these permissions.
    ///
    /// # Errors
    ///
    /// When there is one that may not be accessed, that is too small, or that somebody else made
    /// than root and this process's user — unless others are permitted to write to it anyway.
    pub fn open(unit: u8, permissions: u16) -> io::Result<Self> {
        Self::attach(identify(KEY + libc::key_t::from(unit), permissions)?, permissions)
    }

    fn attach(id: c_int, permissions: u16) -> io::Result<Self> {
        if permissions & WRITABLE_BY_OTHERS == 0 {
            check_creator(id)?;
        }
        // SAFETY: a null address lets the kernel choose where; it maps nothing over anything else.
        let address = unsafe { libc::shmat(id, ptr::null(), 0) };
        if address.addr() == usize::MAX {
            return Err(io::Error::last_os_error());
        }
        let segment = NonNull::new(address.cast::<Layout>());
        let segment = segment.ok_or_else(|| io::Error::other("the segment is nowhere"))?;
        Ok(Self { segment })
    }

    /// Takes the sample that was written since the last time; `None` if there is none.
    ///
    /// # Errors
    ///
    /// What is wrong with it. It is not looked at again, unless it was being written.
    pub fn take(&mut self) -> Result<Option<ClockSample>, Malformed> {
        let segment = self.segment.as_ptr();
        // SAFETY: `segment` was mapped with at least this size and stays mapped as long as `self`
        // lives; page alignment suits it. Another process may write meanwhile: integers may be read
        // volatile all the same, as every pattern of bits is one, and what was torn is found below.
        let (copy, count) = unsafe {
            let count = (&raw const (*segment).count).read_volatile();
            fence(Ordering::Acquire);
            let copy = segment.read_volatile();
            fence(Ordering::Acquire);
            (copy, (count, (&raw const (*segment).count).read_volatile()))
        };
        if copy.valid == 0 {
            return Ok(None);
        }
        if copy.mode == 1 && (count.0 != copy.count || count.1 != copy.count) {
            return Err(Malformed::Torn);
        }
        // SAFETY: as above; an integer is written, which the protocol expects of its reader.
        unsafe { (&raw mut (*segment).valid).write_volatile(0) };
        decode(&copy).map(Some)
    }
}

impl Drop for SharedMemoryClock {
    fn drop(&mut self) {
        // SAFETY: this is the address that was mapped, and nothing refers to it any more.
        unsafe { libc::shmdt(self.segment.as_ptr().cast()) };
    }
}

fn identify(key: libc::key_t, permissions: u16) -> io::Result<c_int> {
    let flags = libc::IPC_CREAT | c_int::from(permissions & 0o777);
    // SAFETY: no pointers.
    check(unsafe { libc::shmget(key, size_of::<Layout>(), flags) }).map_err(|error| {
        match error.raw_os_error() {
            Some(libc::EINVAL) => io::Error::other(format!("there is a smaller segment: {error}")),
            _ => error,
        }
    })
}

/// Refuses what somebody else made. A kernel that does not say who did is believed.
fn check_creator(id: c_int) -> io::Result<()> {
    // SAFETY: the structure is made of integers; all-zero bytes are a value.
    let mut status: libc::shmid_ds = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills one such structure, which outlives the call.
    if unsafe { libc::shmctl(id, libc::IPC_STAT, &raw mut status) } < 0 {
        return Ok(());
    }
    // SAFETY: no arguments, and it cannot fail.
    let us = unsafe { libc::geteuid() };
    let stranger = [status.shm_perm.cuid, status.shm_perm.uid]
        .into_iter()
        .find(|owner| *owner != 0 && *owner != us);
    match stranger {
        None => Ok(()),
        Some(user) => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("the segment belongs to user {user}, who is neither root nor this process's"),
        )),
    }
}

/// What a consistent copy of the segment says.
fn decode(layout: &Layout) -> Result<ClockSample, Malformed> {
    if !matches!(layout.mode, 0 | 1) {
        return Err(Malformed::Mode);
    }
    let received = time(layout.receive_seconds, layout.receive_micros, layout.receive_nanos);
    let reference = time(layout.clock_seconds, layout.clock_micros, layout.clock_nanos);
    Ok(ClockSample {
        received: received.ok_or(Malformed::Time)?,
        reference: reference.ok_or(Malformed::Time)?,
        leap: leap(layout.leap)?,
    })
}

/// The nanoseconds count if they are those of the microseconds.
fn time(seconds: libc::time_t, micros: c_int, nanos: c_int) -> Option<timeball_wire::Timestamp> {
    let coarse = i64::from(micros).checked_mul(1000)?;
    let fine = i64::from(nanos);
    let agree = (0..1000).contains(&(fine - coarse));
    timestamp(seconds, if agree { fine } else { coarse })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use timeball_wire::{LeapIndicator, Timestamp};

    use super::*;

    fn layout() -> Layout {
        Layout {
            mode: 1,
            count: 7,
            clock_seconds: 1_700_000_000,
            clock_micros: 250_000,
            receive_seconds: 1_700_000_001,
            receive_micros: 750_000,
            leap: 1,
            precision: -20,
            samples: 3,
            valid: 1,
            clock_nanos: 250_000_123,
            receive_nanos: 750_000_999,
            reserved: [0; 8],
        }
    }

    #[test]
    fn the_layout_is_the_one_that_everybody_knows() {
        assert_eq!(std::mem::offset_of!(Layout, mode), 0);
        assert_eq!(std::mem::offset_of!(Layout, count), 4);
        assert_eq!(std::mem::offset_of!(Layout, clock_seconds), 8);
        if size_of::<libc::time_t>() == 8 && align_of::<libc::time_t>() == 8 {
            assert_eq!(std::mem::offset_of!(Layout, receive_seconds), 24);
            assert_eq!(std::mem::offset_of!(Layout, leap), 36);
            assert_eq!(std::mem::offset_of!(Layout, valid), 48);
            assert_eq!(size_of::<Layout>(), 96);
        }
    }

    #[test]
    fn nanoseconds_count_if_they_agree_with_the_microseconds() {
        let sample = decode(&layout()).unwrap();
        assert_eq!(sample.reference, Timestamp::from_nanos(1_700_000_000_250_000_123));
        assert_eq!(sample.received, Timestamp::from_nanos(1_700_000_001_750_000_999));
        assert_eq!(sample.leap, LeapIndicator::Insert);
        for nanos in [0, 250_001_000, 249_999_999, -1, c_int::MAX] {
            let sample = decode(&Layout { clock_nanos: nanos, ..layout() }).unwrap();
            assert_eq!(sample.reference, Timestamp::from_nanos(1_700_000_000_250_000_000));
        }
    }

    #[test]
    fn what_no_clock_shows_is_malformed() {
        let cases = [
            (Layout { mode: 2, ..layout() }, Malformed::Mode),
            (Layout { clock_micros: -1, clock_nanos: 0, ..layout() }, Malformed::Time),
            (Layout { clock_micros: 1_000_000, ..layout() }, Malformed::Time),
            (Layout { receive_micros: c_int::MIN, ..layout() }, Malformed::Time),
            (Layout { receive_seconds: -1, ..layout() }, Malformed::Time),
            (Layout { clock_seconds: libc::time_t::MAX, ..layout() }, Malformed::Time),
            (Layout { leap: 4, ..layout() }, Malformed::Leap),
            (Layout { leap: -1, ..layout() }, Malformed::Leap),
        ];
        for (layout, malformed) in cases {
            assert_eq!(decode(&layout), Err(malformed), "{layout:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_a_sample_or_malformed(
            mode: c_int,
            seconds: (libc::time_t, libc::time_t),
            micros: (c_int, c_int),
            nanos: (c_int, c_int),
            leap: c_int,
        ) {
            let wild = Layout {
                mode: if mode % 2 == 0 { mode } else { mode & 1 },
                clock_seconds: seconds.0,
                receive_seconds: seconds.1,
                clock_micros: micros.0,
                receive_micros: micros.1,
                clock_nanos: nanos.0,
                receive_nanos: nanos.1,
                leap,
                ..layout()
            };
            match decode(&wild) {
                Ok(sample) => {
                    prop_assert_eq!(sample.reference.nanos() / 1_000_000_000, seconds.0);
                    prop_assert_eq!(sample.received.nanos() / 1_000_000_000, seconds.1);
                }
                Err(Malformed::Mode) => prop_assert!(!matches!(wild.mode, 0 | 1)),
                Err(Malformed::Leap) => prop_assert!(!(0..4).contains(&leap)),
                Err(other) => prop_assert_eq!(other, Malformed::Time),
            }
        }

        #[test]
        fn every_time_comes_back(
            seconds in 0..9_000_000_000i64,
            nanos in 0..1_000_000_000i32,
        ) {
            let told = time(seconds, nanos / 1000, nanos).unwrap();
            prop_assert_eq!(told.nanos(), seconds * 1_000_000_000 + i64::from(nanos));
        }
    }

    /// A segment of our own that nobody else can find, gone when the test ends; `None` where there
    /// is no shared memory.
    fn segment() -> Option<(SharedMemoryClock, SharedMemoryClock)> {
        let id = match identify(libc::IPC_PRIVATE, 0o600) {
            Ok(id) => id,
            Err(error) => {
                println!("SKIPPED: no shared memory here: {error}");
                return None;
            }
        };
        let both = (SharedMemoryClock::attach(id, 0o600), SharedMemoryClock::attach(id, 0o600));
        // SAFETY: no pointer is used by this command. The segment goes with the last that has it.
        check(unsafe { libc::shmctl(id, libc::IPC_RMID, ptr::null_mut()) }).unwrap();
        Some((both.0.unwrap(), both.1.unwrap()))
    }

    fn write(to: &SharedMemoryClock, layout: Layout) {
        // SAFETY: the segment has this size and is mapped; nobody reads it meanwhile.
        unsafe { to.segment.as_ptr().write_volatile(layout) };
    }

    fn read(from: &SharedMemoryClock) -> Layout {
        // SAFETY: the segment has this size and is mapped; nobody writes it meanwhile.
        unsafe { from.segment.as_ptr().read_volatile() }
    }

    #[test]
    fn a_sample_is_taken_once_through_real_memory() {
        let Some((writer, mut reader)) = segment() else { return };
        assert_eq!(reader.take(), Ok(None), "nothing has been written");
        for mode in [0, 1] {
            let written = Layout { mode, ..layout() };
            write(&writer, written);
            assert_eq!(reader.take(), decode(&written).map(Some));
            assert_eq!(read(&writer), Layout { valid: 0, ..written });
            assert_eq!(reader.take(), Ok(None));
        }
    }

    #[test]
    fn what_is_malformed_is_told_once() {
        let Some((writer, mut reader)) = segment() else { return };
        write(&writer, Layout { leap: 9, ..layout() });
        assert_eq!(reader.take(), Err(Malformed::Leap));
        assert_eq!(reader.take(), Ok(None));
    }

    #[test]
    fn a_sample_that_changes_meanwhile_is_never_a_mixture() {
        use std::sync::atomic::AtomicBool;

        let Some((writer, mut reader)) = segment() else { return };
        let enough = AtomicBool::new(false);
        let (mut taken, mut torn) = (0, 0);
        std::thread::scope(|scope| {
            let (writer, enough) = (writer, &enough);
            scope.spawn(move || {
                let writer = writer;
                let segment = writer.segment.as_ptr();
                for round in 0..c_int::MAX / 2 {
                    if enough.load(Ordering::Relaxed) {
                        return;
                    }
                    // SAFETY: the segment is mapped; integers are written volatile, and the protocol
                    // is what makes the reader safe from what it sees in between.
                    unsafe {
                        (&raw mut (*segment).mode).write_volatile(1);
                        (&raw mut (*segment).valid).write_volatile(0);
                        (&raw mut (*segment).count).write_volatile(2 * round);
                        fence(Ordering::SeqCst);
                        (&raw mut (*segment).clock_seconds).write_volatile(round.into());
                        (&raw mut (*segment).receive_seconds).write_volatile(round.into());
                        fence(Ordering::SeqCst);
                        (&raw mut (*segment).count).write_volatile(2 * round + 1);
                        (&raw mut (*segment).valid).write_volatile(1);
                    }
                }
            });
            while taken < 100 {
                match reader.take() {
                    Ok(Some(sample)) => {
                        assert_eq!(sample.received, sample.reference);
                        taken += 1;
                    }
                    Ok(None) => std::thread::yield_now(),
                    Err(Malformed::Torn) => torn += 1,
                    Err(other) => panic!("{other}"),
                }
            }
            enough.store(true, Ordering::Relaxed);
        });
        println!("{taken} samples taken, {torn} found torn");
    }
}
