//! Timestamps as people write them: UTC in the form of ISO 8601, `2036-02-07T06:28:16.5Z`.
//!
//! The calendar is the proleptic Gregorian one and days have 86 400 seconds: a [`Timestamp`] knows
//! no leap seconds, so `23:59:60` is not a time here.

use core::fmt::{self, Write as _};
use core::str::FromStr;

use arrayvec::ArrayString;

use crate::time::Timestamp;

const NANOS_PER_SEC: i64 = 1_000_000_000;
const SECS_PER_DAY: i64 = 86_400;

/// A day of the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Date {
    year: i64,
    month: i64,
    day: i64,
}

/// Days in 400 years, after which the calendar repeats.
const DAYS_PER_CYCLE: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01. Years that begin in March have their leap day at the end,
/// where it disturbs no month before it.
const EPOCH_FROM_MARCH_OF_YEAR_0: i64 = 719_468;

impl Date {
    fn from_days_since_epoch(days: i64) -> Self {
        let days = days + EPOCH_FROM_MARCH_OF_YEAR_0;
        let cycle = days.div_euclid(DAYS_PER_CYCLE);
        let day_of_cycle = days.rem_euclid(DAYS_PER_CYCLE);
        // A day is dropped from the count for each leap day so far, one of which is missing every
        // 100 years and back every 400.
        let year_of_cycle = (day_of_cycle - day_of_cycle / 1_460 + day_of_cycle / 36_524
            - day_of_cycle / 146_096)
            / 365;
        let day_of_year =
            day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
        // From March on, five months always have 153 days.
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - first_day_of(month_from_march) + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = cycle * 400 + year_of_cycle + i64::from(month <= 2);
        Self { year, month, day }
    }

    fn days_since_epoch(self) -> i64 {
        let year_from_march = self.year - i64::from(self.month <= 2);
        let cycle = year_from_march.div_euclid(400);
        let year_of_cycle = year_from_march.rem_euclid(400);
        let month_from_march = (self.month + 9) % 12;
        let day_of_year = first_day_of(month_from_march) + self.day - 1;
        let day_of_cycle =
            365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
        cycle * DAYS_PER_CYCLE + day_of_cycle - EPOCH_FROM_MARCH_OF_YEAR_0
    }
}

impl Timestamp {
    /// The UTC calendar day: year, month from 1, day from 1.
    pub fn civil_date(self) -> (i64, i64, i64) {
        let secs = self.nanos().div_euclid(NANOS_PER_SEC);
        let Date { year, month, day } = Date::from_days_since_epoch(secs.div_euclid(SECS_PER_DAY));
        (year, month, day)
    }
}

/// The day of a year beginning in March on which a month begins; March is month 0, day 0.
const fn first_day_of(month_from_march: i64) -> i64 {
    (153 * month_from_march + 2) / 5
}

impl fmt::Display for Timestamp {
    /// UTC with nine digits of fraction, or as many as the precision asks for (cut off, not
    /// rounded, as a clock shows them): `{t:.0}` is `2036-02-07T06:28:16Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.nanos().div_euclid(NANOS_PER_SEC);
        let nanos = self.nanos().rem_euclid(NANOS_PER_SEC);
        let Date { year, month, day } = Date::from_days_since_epoch(secs.div_euclid(SECS_PER_DAY));
        let second_of_day = secs.rem_euclid(SECS_PER_DAY);
        let (hour, minute, second) =
            (second_of_day / 3_600, second_of_day / 60 % 60, second_of_day % 60);

        let mut text = ArrayString::<32>::new();
        write!(text, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        let digits = f.precision().unwrap_or(9).min(9);
        if digits > 0 {
            let mut fraction = ArrayString::<9>::new();
            write!(fraction, "{nanos:09}")?;
            write!(text, ".{}", fraction.get(..digits).unwrap_or_default())?;
        }
        text.write_str("Z")?;
        // `pad` would take the precision for a maximal length.
        let width = f.width().unwrap_or(0);
        match f.align() {
            Some(fmt::Alignment::Right) => write!(f, "{text:>width$}"),
            Some(fmt::Alignment::Center) => write!(f, "{text:^width$}"),
            Some(fmt::Alignment::Left) | None => write!(f, "{text:<width$}"),
        }
    }
}

/// Why a text is no [`Timestamp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseTimestampError {
    /// Not of the form `YYYY-MM-DDThh:mm:ss[.fraction]Z` with one to nine digits of fraction.
    Malformed,
    /// Of that form, but no such day or time of day exists.
    NoSuchTime,
    /// Outside of the years 1677 to 2262 that a timestamp can hold.
    OutOfRange,
}

impl fmt::Display for ParseTimestampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a UTC time; write it like 2036-02-07T06:28:16.5Z",
            Self::NoSuchTime => "there is no such day or time of day",
            Self::OutOfRange => "outside of the years 1677 to 2262",
        })
    }
}

impl core::error::Error for ParseTimestampError {}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    /// Reads what `Display` writes, with none to nine digits of fraction.
    fn from_str(text: &str) -> Result<Self, ParseTimestampError> {
        let malformed = ParseTimestampError::Malformed;
        let (date, time) =
            text.strip_suffix('Z').and_then(|text| text.split_once('T')).ok_or(malformed)?;
        let (time, fraction) = match time.split_once('.') {
            Some((time, fraction)) => (time, nanos_of_fraction(fraction).ok_or(malformed)?),
            None => (time, 0),
        };
        let [year, month, day] = numbers(date, '-', [4, 2, 2]).ok_or(malformed)?;
        let [hour, minute, second] = numbers(time, ':', [2, 2, 2]).ok_or(malformed)?;

        let date = Date { year, month, day };
        let days = date.days_since_epoch();
        // A day past the end of its month would come back as one of the next month.
        let exists = (1..=12).contains(&month) && Date::from_days_since_epoch(days) == date;
        if !exists || hour > 23 || minute > 59 || second > 59 {
            return Err(ParseTimestampError::NoSuchTime);
        }
        let secs = days * SECS_PER_DAY + hour * 3_600 + minute * 60 + second;
        let nanos = i128::from(secs) * i128::from(NANOS_PER_SEC) + i128::from(fraction);
        i64::try_from(nanos).map(Self::from_nanos).map_err(|_| ParseTimestampError::OutOfRange)
    }
}

/// Three numbers of exactly these many digits.
fn numbers(text: &str, separator: char, digits: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let mut next = |digits: usize| {
        let part = parts.next()?;
        (part.len() == digits).then_some(())?;
        number(part)
    };
    let [a, b, c] = digits;
    let found = [next(a)?, next(b)?, next(c)?];
    parts.next().is_none().then_some(found)
}

fn nanos_of_fraction(digits: &str) -> Option<i64> {
    let missing = 9_usize.checked_sub(digits.len())?;
    Some(number(digits)? * 10_i64.pow(u32::try_from(missing).ok()?))
}

/// A number of decimal digits and nothing else: no sign, not empty.
fn number(digits: &str) -> Option<i64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}
