//! Following the largest eigenpairs of an operator that changes slowly.
//!
//! Davidson's method with a model that may be out of date. Between steps a low-rank model B of the
//! operator A is kept. At each step
//!
//! 1. B is moved on: if A swings between two states, as it does at the edge of stability, part of the
//!    model before last is the better guess, and the share that fits the first products best is taken.
//! 2. The change of the gradient along the change of the parameters, where that is as curved as the
//!    top, corrects B for nothing.
//! 3. The first products, with the top eigenvectors of B as they are expected to have turned, and with a
//!    *guard* vector, correct it further, and Rayleigh and Ritz's method on them gives the pairs.
//! 4. While pairs' residuals are above the tolerance, or B still predicts more than was found, the
//!    vectors that B now thinks best for those pairs are multiplied as well, in one block, and correct
//!    it.
//!
//! Corrections are the Powell-symmetric-Broyden update, the least change of B that makes it right about
//! a product. The guard takes one step of the power method at each step, on what is orthogonal to all of
//! B: it climbs to the largest eigenvalue that B lacks, so that a direction is known before it overtakes.
//! (Orthogonal to the pairs alone, it settles on the next eigenvector, which B holds anyway, and sees
//! new ones no sooner than without it.)
//!
//! All vectors are coordinates in a small space (`Space`), which holds this model, the one before, and what a step
//! multiplied; the length of the vectors counts where they come in and go out, and once for each step.
//!
//! What is promised: residuals are those of this step's operator. That the pairs are the largest is
//! checked by an *audit*, a Lanczos solve from random vectors, at the first step, at every
//! [`TrackerSettings::audit_every`]th and where pairs do not converge; it restores the model.
//!
//! Not for an operator with a varying diagonal of full rank, such as weight decay in the metric of an adaptive
//! optimizer: eigenvectors there lie along single coordinates, whose eigenvalues change places from step
//! to step, out of sight of a model of few directions and of the guard. (With the diagonal kept exactly beside
//! the model, and a second guard for the sum, values were still passed over.)

mod expand;
mod frame;
mod low_rank;
mod memory;
mod next_block;
mod space;

use faer::MatRef;
use rand_chacha::ChaCha8Rng;

use self::frame::{Frame, Ritz};
use self::low_rank::LowRankModel;
use self::space::{Space, widened};
use super::dense::matrix_product;
use super::lanczos::krylov::orthogonalise;
use super::operator::{NOTHING, check_products};
use super::{
    EigenPair, Follow, FollowMemory, Lanczos, Method, SymmetricOperator, dot, norm,
    random_unit_vector,
};
use crate::error::{Result, check_length};
use crate::rng::{self, Stream};

/// Steps from one audit to the next, unless told otherwise.
pub const AUDIT_EVERY: usize = 50;

/// Of the change of a gradient, only a curvature along the step of this share of the largest eigenvalue
/// tells something of it; less did harm to relu networks.
const SECANT_SHARE: f64 = 0.3;

/// Less than this of a vector is left outside of others: nothing but rounding.
const ROUNDING: f64 = 1e-9;

/// Settings of a [`Tracker`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackerSettings {
    /// How many of the algebraically largest eigenpairs are followed.
    pub largest: usize,
    /// Relative residual at which a pair has converged.
    pub tolerance: f64,
    /// Eigenpairs that the model keeps from step to step.
    pub rank: usize,
    /// Most products in one step, those of an audit not counted.
    pub max_products: usize,
    /// Steps from one audit to the next.
    pub audit_every: usize,
    /// Most products in an audit.
    pub audit_products: usize,
    /// Seed of the random vectors.
    pub seed: u64,
}

impl TrackerSettings {
    /// Settings for that many pairs.
    pub fn new(largest: usize, tolerance: f64) -> Self {
        Self {
            largest,
            tolerance,
            rank: (9 + 3 * largest / 2).max(12),
            max_products: 20 + 10 * largest,
            audit_every: AUDIT_EVERY,
            audit_products: 100,
            seed: 0,
        }
    }
}

/// A cold solve and what it said of the values that were followed.
#[derive(Debug, Clone, PartialEq)]
pub struct Audit {
    /// Products it took.
    pub products: usize,
    /// In how many blocks.
    pub passes: usize,
    /// The values that were followed, largest first; none at the first step.
    pub before: Vec<f64>,
    /// The values after it, largest first.
    pub after: Vec<f64>,
    /// Whether they differ by more than the residuals explain.
    pub disagrees: bool,
}

/// What was found at one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Tracked {
    /// The pairs, largest first; fewer than asked for where the operator has fewer.
    pub pairs: Vec<EigenPair>,
    /// All products, those of an audit and those that were given included.
    pub products: usize,
    /// In how many blocks they were taken.
    pub passes: usize,
    /// The audit, if there was one.
    pub audit: Option<Audit>,
}

/// Change of the parameters and of the gradient since the last step, each of length n.
#[derive(Debug, Clone, Copy)]
pub struct Secant<'a> {
    /// Change of the parameters.
    pub s: &'a [f64],
    /// Change of the gradient.
    pub y: &'a [f64],
}

/// Vectors, by length n or by coordinates, with their products, one after the other.
#[derive(Debug, Clone, Copy)]
struct Products<'a> {
    x: &'a [f64],
    /// A times each.
    ax: &'a [f64],
}

/// What is known of an operator from the steps before.
///
/// ```
/// use sharpscope::linalg::{DenseOperator, SymmetricOperator, Tracker, TrackerSettings};
///
/// let mut tracker = Tracker::new(3, TrackerSettings::new(1, 1e-3));
/// for top in [3.0, 3.1, 3.2] {
///     let mut operator = DenseOperator::new(3, vec![top, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, -1.0])?;
///     // Its products with what was found so far, which may come from elsewhere.
///     let x = tracker.directions().to_vec();
///     let mut ax = vec![0.0; x.len()];
///     operator.apply_block(&x, &mut ax)?;
///     let found = tracker.update(&mut operator, &ax, None)?;
///     assert!((found.pairs[0].value - top).abs() < 1e-3 * top);
/// }
/// # Ok::<(), sharpscope::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tracker {
    settings: TrackerSettings,
    n: usize,
    /// Holds all of what follows, by coordinates.
    space: Space,
    model: LowRankModel,
    /// The model as it was a step before.
    before: Option<LowRankModel>,
    /// The share of the model before that is put in place of the model.
    swing: f64,
    guard: Vec<f64>,
    /// Lifts the operator for the guard, so that eigenvalues far below zero do not attract it.
    lift: f64,
    /// Top eigenvectors of the model, and how they turned at the last step.
    tops: Vec<f64>,
    turned: Vec<f64>,
    /// The next first vectors, of length n, and their coordinates; none after a change of metric.
    directions: Vec<f64>,
    known: Vec<f64>,
    /// How many of the directions are for the pairs, and which one is the guard.
    wanted: usize,
    guard_at: usize,
    sharpness: Option<f64>,
    since_audit: usize,
    rng: ChaCha8Rng,
}

pub(super) const METHOD: Method = Method {
    both_ends: false,
    cold: |wanted| Box::new(Lanczos::from(wanted)),
    follow: Some(|n, settings| Box::new(Tracker::new(n, settings))),
};

impl Follow for Tracker {
    fn directions(&self) -> &[f64] {
        Tracker::directions(self)
    }

    fn update(
        &mut self,
        operator: &mut dyn SymmetricOperator,
        products: &[f64],
        secant: Option<Secant<'_>>,
    ) -> Result<Tracked> {
        Tracker::update(self, operator, products, secant)
    }

    fn rescale(&mut self, diagonal: &[f64]) -> Result<()> {
        Tracker::rescale(self, diagonal)
    }

    fn memory(&self) -> FollowMemory {
        Tracker::memory(self)
    }

    fn restore(&mut self, memory: &FollowMemory) -> Result<()> {
        Tracker::restore(self, memory)
    }
}

impl Tracker {
    /// For operators of dimension `n`, of which nothing is known.
    pub fn new(n: usize, settings: TrackerSettings) -> Self {
        let mut rng = rng::stream(settings.seed, Stream::Tracker);
        let mut space = Space::new(n);
        let guard = space.absorb(&random_unit_vector(n, &mut rng));
        Self {
            settings,
            n,
            model: LowRankModel::zero(space.rank()),
            space,
            before: None,
            swing: 0.0,
            guard,
            lift: 0.0,
            tops: Vec::new(),
            turned: Vec::new(),
            directions: Vec::new(),
            known: Vec::new(),
            wanted: 0,
            guard_at: 0,
            sharpness: None,
            since_audit: 0,
            rng,
        }
    }

    /// The vectors whose products the next [`Tracker::update`] begins with, one after the other.
    pub fn directions(&self) -> &[f64] {
        &self.directions
    }

    /// Finds the pairs of this step's operator, given its products with [`Tracker::directions`].
    ///
    /// # Errors
    /// [`crate::Error::Length`] for an operator or products of another size, [`crate::Error::NonFinite`] if a product
    /// has an infinite or undefined entry, and whatever the operator reports.
    pub fn update(
        &mut self,
        operator: &mut dyn SymmetricOperator,
        products: &[f64],
        secant: Option<Secant<'_>>,
    ) -> Result<Tracked> {
        let n = self.n;
        check_length("operator", operator.dim(), n)?;
        check_length("products", products.len(), self.directions.len())?;
        let mut products = products.to_vec();
        check_products(&mut products)?;
        let mut before = self.model.clone();
        let (coordinates, secant) = self.begin(&products, secant);
        let q = self.space.rank();
        let (x, ax) = coordinates.split_at(coordinates.len() / 2);
        let coordinates = Products { x, ax };
        self.move_on(coordinates)?;
        if let Some((s, y)) = secant {
            self.model.correct(&s, &y);
        }
        self.climb(coordinates);
        let mut frame = Frame::new(q);
        for (x, ax) in columns(coordinates, q) {
            self.take(&mut frame, x, ax);
        }
        let given = products.len() / n.max(1);
        let mut spent = Spent { products: given, passes: usize::from(given > 0) };
        let mut audit = None;
        let known = frame.len() > 0;
        if known {
            self.solve(operator, &mut frame, &mut spent)?;
        }
        let pairs = frame.largest(self.settings.largest)?;
        let wanted = self.settings.largest.min(n);
        let converged = pairs.len() == wanted && pairs.iter().all(|pair| self.is_converged(pair));
        self.since_audit += 1;
        if !known || !converged || self.since_audit >= self.settings.audit_every {
            let found = self.audit(operator, &mut frame, &pairs)?;
            // The products of the audit are not of the step's own allowance.
            self.solve(operator, &mut frame, &mut spent)?;
            spent.products += found.products;
            spent.passes += found.passes;
            self.since_audit = 0;
            audit = Some(found);
        }
        let pairs = frame.largest(self.settings.largest)?;
        if let Some(audit) = &mut audit {
            audit.after = pairs.iter().map(|pair| pair.value).collect();
        }
        self.model.truncate(self.settings.rank)?;
        before.widen(self.space.rank());
        // What an audit found, the model before did not know.
        self.before = audit.is_none().then_some(before);
        if audit.is_some() {
            self.swing = 0.0;
        }
        self.sharpness = pairs.first().map(|pair| pair.value);
        let pairs = self.finish(&pairs)?;
        let Spent { products, passes } = spent;
        Ok(Tracked { pairs, products, passes, audit })
    }

    /// The operator changes from A to D A D for the diagonal D with these entries, all above zero. The
    /// directions become D^-1 times what they were, so that A times what D makes of them is what it was.
    ///
    /// # Errors
    /// [`crate::Error::Length`] for another length than n.
    pub fn rescale(&mut self, diagonal: &[f64]) -> Result<()> {
        check_length("diagonal", diagonal.len(), self.n)?;
        let old = self.space.rank();
        let map = self.space.rescale(diagonal)?;
        let q = self.space.rank();
        let map = MatRef::from_column_major_slice(&map, q, old);
        self.model = self.model.mapped(map)?;
        self.before = self.before.as_ref().map(|model| model.mapped(map)).transpose()?;
        for held in [&mut self.guard, &mut self.tops, &mut self.turned] {
            *held = by_coordinates(map, held);
        }
        for top in self.tops.chunks_exact_mut(q) {
            let length = norm(top).max(f64::MIN_POSITIVE);
            top.iter_mut().for_each(|x| *x /= length);
        }
        self.known.clear();
        for (x, d) in self.directions.iter_mut().zip(diagonal.iter().cycle()) {
            *x /= d;
        }
        Ok(())
    }

    /// Coordinates of the first products' vectors, then of the products, and of the change of the
    /// parameters, to unit length, with that of the gradient, where this tells something.
    fn begin(&mut self, products: &[f64], secant: Option<Secant<'_>>) -> (Vec<f64>, Learned) {
        let known = !self.known.is_empty();
        let mut block = if known { Vec::new() } else { self.directions.clone() };
        block.extend_from_slice(products);
        let secant = secant.filter(|secant| self.tells(secant));
        if let Some(Secant { s, y }) = secant {
            let length = norm(s);
            block.extend(s.iter().chain(y).map(|x| x / length));
        }
        let mut coordinates = self.absorb(&block);
        let q = self.space.rank();
        let learned = secant.map(|_| {
            let y = coordinates.split_off(coordinates.len() - q);
            (coordinates.split_off(coordinates.len() - q), y)
        });
        if known {
            coordinates.splice(0..0, self.known.iter().copied());
        }
        (coordinates, learned)
    }

    /// Coordinates of the columns of `x` (of length n), for which the space grows if it must, and with it
    /// all that is known.
    fn absorb(&mut self, x: &[f64]) -> Vec<f64> {
        let old = self.space.rank();
        let coordinates = self.space.absorb(x);
        let q = self.space.rank();
        self.model.widen(q);
        if let Some(before) = &mut self.before {
            before.widen(q);
        }
        for held in [&mut self.guard, &mut self.tops, &mut self.turned, &mut self.known] {
            *held = widened(held, old, q);
        }
        coordinates
    }

    /// Puts that share of the model before in place of the model which fits the first products best:
    /// none where the operator changes steadily, about a half where it swings.
    fn move_on(&mut self, first: Products<'_>) -> Result<()> {
        let Some(before) = &self.before else { return Ok(()) };
        let (mut numerator, mut denominator) = (0.0, 0.0);
        for (x, ax) in columns(first, self.space.rank()).take(self.wanted) {
            let (now, then) = (self.model.apply(x), before.apply(x));
            for ((now, then), ax) in now.iter().zip(&then).zip(ax) {
                numerator += (now - ax) * (now - then);
                denominator += (now - then) * (now - then);
            }
        }
        self.swing = match denominator > 0.0 {
            true => (numerator / denominator).clamp(0.0, 1.0),
            false => 0.0,
        };
        if self.swing > 0.0 {
            self.model = self.model.combined(1.0 - self.swing, before, self.swing)?;
        }
        Ok(())
    }

    /// Whether the change of the gradient is to correct the model.
    fn tells(&self, Secant { s, y }: &Secant<'_>) -> bool {
        let curvature = dot(s, y) / dot(s, s);
        let least = self.sharpness.map(|sharpness| SECANT_SHARE * sharpness);
        least.is_some_and(|least| curvature.is_finite() && curvature > least.max(NOTHING))
    }

    fn is_converged(&self, pair: &Ritz) -> bool {
        pair.relative_residual() <= self.settings.tolerance
    }

    /// Chooses the next step's first vectors, and leaves this step's space for the next one's. Returns the
    /// pairs.
    fn finish(&mut self, pairs: &[Ritz]) -> Result<Vec<EigenPair>> {
        let first = self.prepare()?;
        let q = self.space.rank();
        let mut block: Vec<f64> =
            pairs.iter().flat_map(|pair| widened(&pair.vector, pair.vector.len(), q)).collect();
        block.extend_from_slice(&first);
        let mut vectors = self.space.vectors(&block);
        self.directions = vectors.split_off(pairs.len() * self.n);
        self.compress(&first);
        let pair = |(pair, vector): (&Ritz, &[f64])| EigenPair {
            value: pair.value,
            vector: vector.to_vec(),
            residual: pair.relative_residual(),
            converged: self.is_converged(pair),
        };
        Ok(pairs.iter().zip(vectors.chunks_exact(self.n)).map(pair).collect())
    }
}

/// The change of the parameters and of the gradient, by coordinates.
type Learned = Option<(Vec<f64>, Vec<f64>)>;

/// Products taken in a step, and in how many blocks.
struct Spent {
    products: usize,
    passes: usize,
}

fn columns(products: Products<'_>, n: usize) -> impl Iterator<Item = (&[f64], &[f64])> {
    products.x.chunks_exact(n.max(1)).zip(products.ax.chunks_exact(n.max(1)))
}

/// M C for the columns of C, as long as M has columns.
fn by_coordinates(map: MatRef<'_, f64>, c: &[f64]) -> Vec<f64> {
    let columns = c.len() / map.ncols().max(1);
    matrix_product(map, MatRef::from_column_major_slice(c, map.ncols(), columns))
}

/// What of `x` lies outside the span of `basis` (orthonormal columns), to unit length; `None` where that
/// is rounding.
fn outside(mut x: Vec<f64>, basis: &[f64], n: usize) -> Option<Vec<f64>> {
    let before = norm(&x);
    for _ in 0..2 {
        let left = match basis.is_empty() {
            true => norm(&x),
            false => orthogonalise(&mut x, basis, n).1,
        };
        if !(left.is_finite() && left > ROUNDING * before) {
            return None;
        }
        // A second pass, since what is left may be little.
        x.iter_mut().for_each(|x| *x /= left);
    }
    Some(x)
}
