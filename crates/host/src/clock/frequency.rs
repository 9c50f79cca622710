//! Frequency as a number, and as the two registers in which Linux keeps it.
//!
//! `tick` is the length of a clock tick in microseconds, nominally 10 000 at 100 ticks per second:
//! coarse (100 ppm) with a range of ±10 %. `freq` adds to it in units of 2⁻¹⁶ ppm, within
//! ±500 ppm. Both add up to the frequency error of the system clock relative to the hardware clock:
//! `(tick − nominal) / nominal + freq / 65 536 000 000`.

/// The largest frequency that can be programmed, as a fraction (10 %).
pub const MAXIMUM_FREQUENCY: f64 = 0.1;

/// Units of the `freq` register in a frequency of one.
const FREQ_UNITS: f64 = 65_536e6;
/// The limit of the `freq` register, 500 ppm.
const FREQ_LIMIT: i64 = 500 << 16;

/// Both registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Registers {
    pub(super) tick: i64,
    pub(super) freq: i64,
}

impl Registers {
    /// The registers nearest to `frequency`, which is limited to [`MAXIMUM_FREQUENCY`];
    /// not-a-number becomes zero. Within ±500 ppm `tick` stays nominal, as every other program that
    /// looks at the clock expects.
    pub(super) fn from_frequency(frequency: f64, ticks_per_second: i64) -> Self {
        let nominal = nominal_tick(ticks_per_second);
        let units = (frequency.clamp(-MAXIMUM_FREQUENCY, MAXIMUM_FREQUENCY) * FREQ_UNITS).round();
        let units = units as i64;
        if units.abs() <= FREQ_LIMIT {
            return Self { tick: nominal, freq: units };
        }
        let units_per_tick = FREQ_UNITS / nominal as f64;
        let ticks = (units as f64 / units_per_tick).round() as i64;
        let rest = units - (ticks as f64 * units_per_tick).round() as i64;
        Self { tick: nominal + ticks, freq: rest.clamp(-FREQ_LIMIT, FREQ_LIMIT) }
    }

    /// The frequency these registers make.
    pub(super) fn frequency(self, ticks_per_second: i64) -> f64 {
        let nominal = nominal_tick(ticks_per_second);
        (self.tick.saturating_sub(nominal)) as f64 / nominal as f64 + self.freq as f64 / FREQ_UNITS
    }
}

fn nominal_tick(ticks_per_second: i64) -> i64 {
    let hz = ticks_per_second.clamp(1, 1_000_000);
    (1_000_000 + hz / 2) / hz
}

/// The kernel's ticks per second as user space sees them (`USER_HZ`).
pub(super) fn ticks_per_second() -> i64 {
    // SAFETY: no pointers; an unknown name answers -1.
    let hz = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    // Every architecture this runs on has 100; a kernel that cannot tell is taken for one of them.
    if hz > 0 { hz } else { 100 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HZ: i64 = 100;

    #[test]
    fn small_frequencies_leave_the_tick_alone() {
        let registers = Registers::from_frequency(12.5e-6, HZ);
        assert_eq!(registers, Registers { tick: 10_000, freq: 819_200 });
        assert_eq!(
            Registers::from_frequency(-500e-6, HZ),
            Registers { tick: 10_000, freq: -32_768_000 }
        );
    }

    #[test]
    fn large_frequencies_use_both_registers() {
        // 1 230.5 ppm = 12 ticks of 100 ppm and 30.5 ppm.
        let registers = Registers::from_frequency(1230.5e-6, HZ);
        assert_eq!(registers, Registers { tick: 10_012, freq: 30 * 65_536 + 32_768 });
    }

    #[test]
    fn nothing_leaves_the_range_the_kernel_accepts() {
        assert_eq!(Registers::from_frequency(3.0, HZ), Registers { tick: 11_000, freq: 0 });
        assert_eq!(Registers::from_frequency(-0.1, HZ), Registers { tick: 9_000, freq: 0 });
        assert_eq!(Registers::from_frequency(f64::NAN, HZ), Registers { tick: 10_000, freq: 0 });
    }

    proptest! {
        #[test]
        fn splitting_loses_half_a_unit_at_most(frequency in -0.1f64..0.1, hz in prop::sample::select(vec![100i64, 250, 1000])) {
            let registers = Registers::from_frequency(frequency, hz);
            let back = registers.frequency(hz);
            prop_assert!((back - frequency).abs() <= 0.51 / FREQ_UNITS, "{frequency} became {back}");
            prop_assert!(registers.freq.abs() <= FREQ_LIMIT);
            let nominal = nominal_tick(hz);
            prop_assert!(registers.tick * 10 >= nominal * 9 - 10 && registers.tick * 10 <= nominal * 11 + 10);
        }

        #[test]
        fn splitting_is_stable(frequency in -0.1f64..0.1) {
            let once = Registers::from_frequency(frequency, HZ);
            prop_assert_eq!(Registers::from_frequency(once.frequency(HZ), HZ), once);
        }

        #[test]
        fn any_register_content_decodes_to_a_finite_number(tick in any::<i64>(), freq in any::<i64>(), hz in any::<i64>()) {
            let frequency = Registers { tick, freq }.frequency(hz);
            prop_assert!(frequency.is_finite());
        }
    }
}
