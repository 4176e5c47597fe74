//! Where an optimizer's real update stops being stable on a quadratic, found by bisection.

use sharpscope::linalg::{norm, symmetric_eigen};
use sharpscope::optim::{Optimizer, StabilityContext};

use super::step;

/// Length of the start, so small that a second moment, or the norm of a gradient that has a
/// constant part, does not feel the quadratic.
const TINY: f64 = 1e-30;
/// What counts as gone to infinity: still tiny, but further than momentum overshoots.
const FAR: f64 = 1e-20;

/// w^T H w / 2 over one or two parameters, and `slope` times one more parameter where given. That
/// one moves, but its gradient stays, and with it the norm of the gradient.
#[derive(Clone)]
pub(super) struct Quadratic {
    hessian: Vec<f64>,
    slope: Option<f64>,
}

impl Quadratic {
    /// lambda w^2 / 2.
    pub fn line(lambda: f64) -> Self {
        Self { hessian: vec![lambda], slope: None }
    }

    /// Curvatures lambda and 0.3 lambda along axes turned against the coordinates by 0.6 rad.
    pub fn plane(lambda: f64) -> Self {
        let (s, c) = 0.6_f64.sin_cos();
        let small = 0.3 * lambda;
        let mixed = (lambda - small) * s * c;
        let hessian =
            vec![lambda * c * c + small * s * s, mixed, mixed, lambda * s * s + small * c * c];
        Self { hessian, slope: None }
    }

    pub fn with_slope(self, slope: f64) -> Self {
        Self { slope: Some(slope), ..self }
    }

    /// Parameters without that of the slope.
    fn dim(&self) -> usize {
        self.hessian.len().isqrt()
    }

    fn gradient(&self, theta: &[f64]) -> Vec<f64> {
        let n = self.dim();
        let row = |i: usize| (0..n).map(|j| self.hessian[i * n + j] * theta[j]).sum();
        (0..n).map(row).chain(self.slope).collect()
    }

    /// The largest eigenvalue of the optimizer's operator at this Hessian.
    fn sharpness(&self, optimizer: &dyn Optimizer) -> f64 {
        let n = self.dim();
        let operator = optimizer.operator();
        let p = operator.preconditioner.unwrap_or_else(|| vec![1.0; n]);
        let mut scaled = self.hessian.clone();
        if let Some(basis) = operator.basis {
            basis.enter(&mut scaled, n);
            let turned: Vec<f64> = (0..n * n).map(|at| scaled[at % n * n + at / n]).collect();
            scaled = turned;
            basis.enter(&mut scaled, n);
        }
        for i in 0..n {
            scaled[i * n + i] += operator.shift;
            for j in 0..n {
                scaled[i * n + j] /= (p[i] * p[j]).sqrt();
            }
        }
        symmetric_eigen(n, &scaled).unwrap().values.into_iter().fold(f64::MIN, f64::max)
    }

    /// Whether the iterates stay bounded: over the last quarter of the steps they come no further
    /// from the minimum than over the one before. By then only the mode that decides is left.
    fn is_stable(&self, optimizer: &mut dyn Optimizer, lr: f64, steps: usize) -> bool {
        let n = self.dim();
        let mut theta = vec![TINY; n];
        theta.extend(self.slope.map(|_| 0.0));
        let mut furthest = [0.0_f64; 4];
        for i in 0..steps {
            step(optimizer, lr, &mut theta, &|w| self.gradient(w));
            let distance = norm(&theta[..n]);
            if distance.is_nan() || distance > FAR {
                return false;
            }
            let quarter = &mut furthest[4 * i / steps];
            *quarter = quarter.max(distance);
        }
        furthest[3] <= furthest[2]
    }
}

/// An optimizer to be tested on quadratics.
pub(super) struct Trial<'a> {
    pub name: String,
    /// Makes it anew, as it is before the first step on the quadratic.
    pub make: &'a dyn Fn() -> Box<dyn Optimizer>,
    /// The quadratic of that curvature.
    pub quadratic: &'a dyn Fn(f64) -> Quadratic,
    pub lr: f64,
    pub steps: usize,
}

impl Trial<'_> {
    /// The curvature at which the update stops being stable, to a relative 1e-9, found without any
    /// formula; and the optimizer after its steps there.
    fn edge(&self) -> (f64, Box<dyn Optimizer>) {
        let is_stable = |lambda: f64| {
            (self.quadratic)(lambda).is_stable(&mut *(self.make)(), self.lr, self.steps)
        };
        let mut unstable = 1e-3 / self.lr;
        assert!(is_stable(unstable), "{}: never stable", self.name);
        while is_stable(unstable) {
            unstable *= 2.0;
            assert!(unstable < 1e9 / self.lr, "{}: always stable", self.name);
        }
        let mut stable = 0.5 * unstable;
        while unstable - stable > 1e-9 * stable {
            let middle = 0.5 * (stable + unstable);
            if is_stable(middle) { stable = middle } else { unstable = middle }
        }
        let mut optimizer = (self.make)();
        (self.quadratic)(stable).is_stable(&mut *optimizer, self.lr, self.steps);
        (stable, optimizer)
    }

    /// Asserts that the threshold is where the operator's largest eigenvalue is at the edge.
    pub fn check(&self, tolerance: f64) {
        let (edge, optimizer) = self.edge();
        let quadratic = (self.quadratic)(edge);
        let context = StabilityContext { lr: self.lr, grad_norm: quadratic.slope };
        let threshold = optimizer.threshold(&context).expect("a threshold");
        let sharpness = quadratic.sharpness(&*optimizer);
        let error = (sharpness / threshold - 1.0).abs();
        println!("{}, lr {}: relative error {error:.1e}", self.name, self.lr);
        assert!(
            error <= tolerance,
            "{}, lr {}: unstable from {sharpness}, threshold {threshold}, relative error {error:.1e}",
            self.name,
            self.lr
        );
    }
}
