//! Means of independent draws, with what they leave open.

use statrs::distribution::{ContinuousCDF, StudentsT};
use statrs::statistics::Statistics;

/// A value and its error.
///
/// Of [`Estimate::of`] the standard error is the textbook's. Every estimate that the program states
/// (spectra, traces, batch sharpness, flatness) has one of which **two cover the exact value in at least
/// 95 of 100 cases**, also where draws are few or skewed: half the half-width of a 95% interval.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Estimate {
    /// The value, mostly a mean over independent draws.
    pub value: f64,
    /// Its standard error; `None` where there is too little to tell it from, as with a single draw.
    pub standard_error: Option<f64>,
}

impl Estimate {
    /// The mean of the draws and its standard error, the sample deviation over sqrt(n).
    pub fn of(draws: &[f64]) -> Self {
        let n = draws.len() as f64;
        let standard_error = (draws.len() > 1).then(|| draws.iter().std_dev() / n.sqrt());
        Self { value: draws.iter().mean(), standard_error }
    }

    /// The mean of the draws, with a standard error of which two cover 95%.
    ///
    /// With `variance`, that of one draw as it is known from elsewhere, the larger of two: the sample's,
    /// by Student's quantile for n - 1 degrees of freedom, and this one, by that for n (the fewest that
    /// a variance estimated from n random quadratic forms has: those of rank one). Without it the
    /// sample's, by a quantile moved by its skewness ([`skewed_quantile`]).
    pub fn covering(draws: &[f64], variance: Option<f64>) -> Self {
        let plain = Self::of(draws);
        let n = draws.len();
        let standard_error = plain.standard_error.map(|error| match variance {
            Some(variance) => {
                let known = (variance.max(0.0) / n as f64).sqrt();
                (in_halves(student(n - 1)) * error).max(in_halves(student(n)) * known)
            }
            None => in_halves(skewed_quantile(draws)) * error,
        });
        Self { standard_error, ..plain }
    }
}

/// What a standard error is multiplied by so that two of them reach as far as this quantile.
pub(super) fn in_halves(quantile: f64) -> f64 {
    (quantile / 2.0).max(1.0)
}

/// The 97.5% quantile of Student's distribution with so many degrees of freedom, at least one.
pub fn student(degrees: usize) -> f64 {
    // The parameters are in range.
    let distribution = StudentsT::new(0.0, 1.0, degrees.max(1) as f64);
    distribution.map_or(f64::INFINITY, |student| student.inverse_cdf(0.975))
}

/// Student's 97.5% quantile t for n - 1 degrees of freedom, moved outwards by the skewness g of the
/// draws, t + |g| (2 t^2 + 1)/(6 sqrt(n)): the first term of the mean's Edgeworth expansion (Johnson
/// 1978, Modified t tests and confidence intervals for asymmetrical populations; Hall 1992, On the
/// removal of skewness by transformation), taken on the side where it widens.
pub fn skewed_quantile(draws: &[f64]) -> f64 {
    let n = draws.len() as f64;
    let t = student(draws.len().saturating_sub(1));
    let mean = draws.iter().mean();
    let moment = |k: i32| draws.iter().map(|x| (x - mean).powi(k)).sum::<f64>() / n;
    let (second, third) = (moment(2), moment(3));
    let skewness = if second > 0.0 { (third / second.powf(1.5)).abs() } else { 0.0 };
    // Draws so alike that their differences are no numbers.
    let skewness = if skewness.is_finite() { skewness } else { 0.0 };
    t + skewness * (2.0 * t * t + 1.0) / (6.0 * n.sqrt())
}

/// Sums over probes z of random signs from which the covariance of K quadratic forms z'M_k z is read.
///
/// z'Mz has the variance 2 sum_{i != j} m_ij^2 (Hutchinson 1990), and over such z the i-th coordinate of
/// z * Mz the variance sum_{j != i} m_ij^2. So twice the sum of the coordinates' sample variances is an
/// unbiased estimate, and one from n * probes numbers rather than from `probes`. Likewise covariances.
#[derive(Debug, Clone)]
pub(super) struct SignScatter<const K: usize> {
    count: usize,
    /// The first probe's, from which the others are counted, so that what is the same for all leaves no
    /// rounding.
    first: [Vec<f64>; K],
    sum: [Vec<f64>; K],
    products: [[f64; K]; K],
}

impl<const K: usize> SignScatter<K> {
    pub fn new() -> Self {
        Self {
            count: 0,
            first: std::array::from_fn(|_| Vec::new()),
            sum: std::array::from_fn(|_| Vec::new()),
            products: [[0.0; K]; K],
        }
    }

    /// Takes z * M_k z, coordinate by coordinate, of one probe.
    pub fn add(&mut self, mut coordinates: [Vec<f64>; K]) {
        self.count += 1;
        if self.count == 1 {
            self.sum = std::array::from_fn(|k| vec![0.0; coordinates[k].len()]);
            self.first = coordinates;
            return;
        }
        for (own, first) in coordinates.iter_mut().zip(&self.first) {
            own.iter_mut().zip(first).for_each(|(x, first)| *x -= first);
        }
        for (sum, own) in self.sum.iter_mut().zip(&coordinates) {
            sum.iter_mut().zip(own).for_each(|(sum, x)| *sum += x);
        }
        for i in 0..K {
            for j in 0..K {
                self.products[i][j] += super::dot(&coordinates[i], &coordinates[j]);
            }
        }
    }

    /// The covariances of the forms of one probe; from two probes on.
    pub fn covariance(&self) -> Option<[[f64; K]; K]> {
        let n = self.count as f64;
        let entry = |i: usize, j: usize| {
            let mean_part = super::dot(&self.sum[i], &self.sum[j]) / n;
            2.0 * (self.products[i][j] - mean_part) / (n - 1.0)
        };
        (self.count > 1).then(|| std::array::from_fn(|i| std::array::from_fn(|j| entry(i, j))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn students_quantiles_are_those_of_the_tables() {
        let table =
            [(1, 12.706_204_736), (4, 2.776_445_105), (9, 2.262_157_163), (60, 2.000_297_822)];
        for (degrees, expected) in table {
            assert!((student(degrees) - expected).abs() < 1e-6, "{degrees}: {}", student(degrees));
        }
    }

    /// Draws 0, 0, 3: mean 1, squares 2, cubes 2, so that the skewness is 2/2^1.5.
    #[test]
    fn covering_errors_by_hand() {
        let draws = [0.0, 0.0, 3.0];
        let t = student(2);
        let skewed = t + 0.5f64.sqrt() * (2.0 * t * t + 1.0) / (6.0 * 3f64.sqrt());
        assert!((skewed_quantile(&draws) - skewed).abs() < 1e-12);
        // The sample deviation is sqrt(3): a plain standard error of 1.
        let found = |variance| Estimate::covering(&draws, variance).standard_error.unwrap();
        assert!((found(None) - skewed / 2.0).abs() < 1e-12);
        assert!((found(Some(0.0)) - t / 2.0).abs() < 1e-12);
        assert!((found(Some(27.0)) - 3.0 * student(3) / 2.0).abs() < 1e-12);
        assert_eq!(Estimate::covering(&[2.0], None).standard_error, None);
        assert_eq!(Estimate::covering(&[2.0; 5], Some(0.0)).standard_error, Some(0.0));
        // Two errors are never less than two of the textbook's.
        let many: Vec<f64> = (0..1000).map(|i| f64::from(i % 2)).collect();
        let plain = Estimate::of(&many).standard_error;
        assert!(Estimate::covering(&many, Some(0.0)).standard_error == plain);
    }

    /// M = [[1, 2], [2, -1]] and signs (1, 1), (1, -1): z * Mz is (3, 1) and (-1, -3), coordinates that
    /// differ by 4 and so have the variance 8, twice whose sum is 32; the diagonal alone has none.
    #[test]
    fn the_scatter_of_signs_by_hand() {
        let mut scatter = SignScatter::<2>::new();
        scatter.add([vec![3.0, 1.0], vec![1.0, -1.0]]);
        assert_eq!(scatter.covariance(), None);
        scatter.add([vec![-1.0, -3.0], vec![1.0, -1.0]]);
        assert_eq!(scatter.covariance(), Some([[32.0, 0.0], [0.0, 0.0]]));
    }
}
