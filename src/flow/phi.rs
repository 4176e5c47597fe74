//! The phi functions of exponential integrators.

/// phi_j(z), from phi_0(z) = exp(z) and z phi_(j+1)(z) = phi_j(z) - 1/j!; phi_j(0) = 1/j!. By its series near zero,
/// where the recurrence cancels.
pub fn phi(j: u32, z: f64) -> f64 {
    /// Below it the series has all digits in so many terms.
    const SMALL: f64 = 1.0;
    const TERMS: u32 = 20;
    let factorial = |n: u32| (1..=n).map(f64::from).product::<f64>();
    if j == 0 {
        return z.exp();
    }
    if z.abs() < SMALL {
        let mut term = 1.0 / factorial(j);
        let mut sum = term;
        for n in 1..TERMS {
            term *= z / f64::from(j + n);
            sum += term;
        }
        return sum;
    }
    (phi(j - 1, z) - 1.0 / factorial(j - 1)) / z
}

#[cfg(test)]
mod tests {
    use super::phi;

    /// The integrals phi_j(z) = int_0^1 exp((1 - s) z) s^(j-1)/(j-1)! ds, by Simpson's rule.
    #[test]
    fn they_are_their_integrals() {
        const PIECES: usize = 2000;
        for z in [-60.0, -3.0, -1.0, -0.999, -1e-3, 0.0, 0.5, 2.0] {
            for j in 1..=3_u32 {
                let factorial = (1..j).map(f64::from).product::<f64>();
                let at = |s: f64| ((1.0 - s) * z).exp() * s.powi(j as i32 - 1) / factorial;
                let weight = |i: usize| match i {
                    0 | PIECES => 1.0,
                    i if i % 2 == 1 => 4.0,
                    _ => 2.0,
                };
                let sum: f64 = (0..=PIECES).map(|i| weight(i) * at(i as f64 / PIECES as f64)).sum();
                let integral = sum / (3.0 * PIECES as f64);
                let found = phi(j, z);
                assert!((found / integral - 1.0).abs() < 1e-7, "phi_{j}({z}) = {found}");
            }
        }
    }
}
