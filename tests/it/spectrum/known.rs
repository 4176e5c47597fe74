//! Matrices A = Q diag(lambda) Q' whose eigenvalues are known, Q being a random orthogonal matrix, and
//! how far a density is from them.

use faer::Mat;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use sharpscope::error::{Error, Result};
use sharpscope::linalg::{
    DenseOperator, SpectralDensity, StochasticLanczos, SymmetricOperator, symmetric_eigen,
};
use statrs::distribution::{ContinuousCDF, Normal};

/// A generator for a test.
pub fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// A matrix whose eigenvalues and eigenvectors are known.
pub struct Known {
    /// Ascending.
    pub values: Vec<f64>,
    /// Column i belongs to `values[i]`.
    pub vectors: Mat<f64>,
    pub entries: Vec<f64>,
}

impl Known {
    /// `Q diag(values) Q'`.
    pub fn rotated(values: impl IntoIterator<Item = f64>, seed: u64) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let n = values.len();
        let draws = gaussian(n * n, seed);
        let vectors = Mat::from_fn(n, n, |i, j| draws[i * n + j]).qr().compute_Q();
        let scaled = Mat::from_fn(n, n, |i, j| vectors[(i, j)] * values[j]);
        let a = &scaled * vectors.transpose();
        let entries =
            (0..n * n).map(|ij| 0.5 * (a[(ij / n, ij % n)] + a[(ij % n, ij / n)])).collect();
        Self { values, vectors, entries }
    }

    /// `X X' / samples` for a normally distributed X of n rows and `samples` columns.
    pub fn wishart(n: usize, samples: usize, seed: u64) -> Self {
        let draws = gaussian(n * samples, seed);
        let x = Mat::from_fn(n, samples, |i, j| draws[i * samples + j]);
        let a = &x * x.transpose();
        let entries: Vec<f64> = (0..n * n).map(|ij| a[(ij / n, ij % n)] / samples as f64).collect();
        let eigen = symmetric_eigen(n, &entries).unwrap();
        let vectors = Mat::from_fn(n, n, |i, j| eigen.vector(j)[i]);
        Self { values: eigen.values, vectors, entries }
    }

    pub fn n(&self) -> usize {
        self.values.len()
    }

    pub fn operator(&self) -> DenseOperator {
        DenseOperator::new(self.n(), self.entries.clone()).unwrap()
    }

    /// The largest magnitude among the eigenvalues.
    pub fn magnitude(&self) -> f64 {
        self.values.iter().fold(0.0, |largest, x| largest.max(x.abs()))
    }

    pub fn trace(&self) -> f64 {
        self.values.iter().sum()
    }

    /// The density, of which all that must hold of any is checked.
    pub fn density(&self, probes: usize, iterations: usize, seed: u64) -> SpectralDensity {
        let quadrature = StochasticLanczos { probes, iterations };
        let density = quadrature.run(&mut self.operator(), &mut rng(seed)).unwrap();
        assert_eq!((density.dim, density.probes.len()), (self.n(), probes));
        let nodes = density.probes.iter().map(|probe| probe.nodes.len());
        assert_eq!(density.products, nodes.sum::<usize>());
        for probe in &density.probes {
            assert!(probe.nodes.is_sorted());
            assert_eq!(probe.nodes.len(), probe.weights.len());
            assert!(probe.weights.iter().all(|&weight| weight >= 0.0));
            assert!((probe.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
        density
    }
}

pub fn gaussian(n: usize, seed: u64) -> Vec<f64> {
    StandardNormal.sample_iter(rng(seed)).take(n).collect()
}

/// `count` values from `from` to `to`, evenly spaced, both included.
pub fn spread(from: f64, to: f64, count: usize) -> impl Iterator<Item = f64> {
    (0..count).map(move |i| from + (to - from) * i as f64 / (count - 1) as f64)
}

/// Wasserstein-1 distance of the density smoothed with `sigma` from the eigenvalues smoothed alike:
/// the integral of the difference of their distribution functions, without its sign.
pub fn wasserstein(density: &SpectralDensity, values: &[f64], sigma: f64) -> f64 {
    let normal = Normal::standard();
    let (low, high) = (values[0] - 7.0 * sigma, values[values.len() - 1] + 7.0 * sigma);
    let gap = sigma / 8.0;
    let (mut below, mut before, mut total) = (0.0, 0.0, 0.0);
    for i in 0..=((high - low) / gap).ceil() as usize {
        let x = low + gap * i as f64;
        let here = density.at(x, sigma);
        below += 0.5 * gap * (before + here);
        before = here;
        let exact = values.iter().map(|value| normal.cdf((x - value) / sigma)).sum::<f64>();
        total += gap * (below - exact / values.len() as f64).abs();
    }
    total
}

/// Answers with `entry` for everything from the third product on; an error where there is none.
pub struct Broken {
    pub entry: Option<f64>,
    pub products: usize,
}

impl SymmetricOperator for Broken {
    fn dim(&self) -> usize {
        12
    }

    fn apply(&mut self, x: &[f64], y: &mut [f64]) -> Result<()> {
        self.products += 1;
        for (i, (y, x)) in y.iter_mut().zip(x).enumerate() {
            *y = i as f64 * x;
        }
        match (self.products < 3, self.entry) {
            (true, _) => {}
            (false, Some(entry)) => y[7] = entry,
            (false, None) => return Err(Error::Length { what: "mine", found: 1, expected: 2 }),
        }
        Ok(())
    }
}
