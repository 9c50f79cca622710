//! Integrals by Simpson's rule, for what formulas say to be compared with.

/// Where the integrand is to be evaluated, and by what each value counts; `steps` is even.
pub(in crate::estimator::bank) fn nodes(
    low: f64,
    high: f64,
    steps: u32,
) -> impl Iterator<Item = (f64, f64)> {
    let h = (high - low) / f64::from(steps);
    (0..=steps).map(move |step| {
        let weight = match step {
            0 => 1.0,
            step if step == steps => 1.0,
            step if step % 2 == 1 => 4.0,
            _ => 2.0,
        };
        (low + h * f64::from(step), weight * h / 3.0)
    })
}

#[test]
fn the_integral_of_a_cubic_is_exact() {
    let integral: f64 = nodes(1.0, 3.0, 2).map(|(x, weight)| weight * x.powi(3)).sum();
    assert!((integral - 20.0).abs() < 1e-12, "{integral}");
}
