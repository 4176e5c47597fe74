//! Eigensolvers, each a file of its own and a line here: how extreme eigenpairs of an operator are found
//! from nothing, and how they are followed while the operator changes.

use std::collections::BTreeMap;

use super::{
    Lanczos, LanczosOutcome, Secant, SymmetricOperator, Tracked, TrackerSettings, davidson, lanczos,
};
use crate::error::Result;
use crate::names::choices;

/// Which eigenpairs are wanted, and how well.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extremes {
    /// How many of the algebraically largest.
    pub largest: usize,
    /// How many of the algebraically smallest.
    pub smallest: usize,
    /// Relative residual at which a pair has converged.
    pub tolerance: f64,
    /// Most products with the operator in one solve.
    pub max_products: usize,
}

/// A cold solve: knows the operator by its products only, and nothing of it beforehand.
pub trait EigenSolver {
    /// How many random start vectors make the solve one that can be trusted.
    fn starts(&self) -> usize;

    /// Solves from the columns of `start` (n x b, b at least 1).
    ///
    /// # Errors
    /// [`crate::Error::Length`] if `start` does not fit, [`crate::Error::NonFinite`] if a product is not
    /// finite, and whatever the operator reports.
    fn solve(&self, operator: &mut dyn SymmetricOperator, start: &[f64]) -> Result<LanczosOutcome>;
}

/// Follows the largest eigenpairs of an operator that changes from one step to the next.
pub trait Follow: Send {
    /// The vectors whose products the next [`Follow::update`] begins with, one after the other, each of
    /// length n.
    fn directions(&self) -> &[f64];

    /// Finds the pairs of this step's operator, given its products with [`Follow::directions`] and the
    /// change of parameters and gradient since the step before, if the operator is a Hessian.
    ///
    /// # Errors
    /// [`crate::Error::Length`] for an operator or products of another size, [`crate::Error::NonFinite`] if a
    /// product is not finite, and whatever the operator reports.
    fn update(
        &mut self,
        operator: &mut dyn SymmetricOperator,
        products: &[f64],
        secant: Option<Secant<'_>>,
    ) -> Result<Tracked>;

    /// The operator changes from A to D A D for the diagonal D with these entries, all above zero: the
    /// directions become D^-1 times what they were.
    ///
    /// # Errors
    /// [`crate::Error::Length`] for another length than n.
    fn rescale(&mut self, diagonal: &[f64]) -> Result<()>;

    /// All that the next [`Follow::update`] depends on, between two of them.
    fn memory(&self) -> FollowMemory;

    /// Takes up where another that was begun in the same way stood.
    ///
    /// # Errors
    /// [`crate::Error::State`] naming what is missing or does not fit.
    fn restore(&mut self, memory: &FollowMemory) -> Result<()>;
}

/// What a [`Follow`] knows, by names, so that a file can hold it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FollowMemory {
    /// Vectors, and single numbers as vectors of one entry.
    pub reals: BTreeMap<String, Vec<f64>>,
    /// Counters.
    pub counts: BTreeMap<String, u64>,
}

impl FollowMemory {
    /// Takes in all of `other`, with `prefix` before its names.
    pub fn extend(&mut self, prefix: &str, other: Self) {
        let named = |name: String| format!("{prefix}{name}");
        self.reals.extend(other.reals.into_iter().map(|(name, values)| (named(name), values)));
        self.counts.extend(other.counts.into_iter().map(|(name, count)| (named(name), count)));
    }

    /// What has `prefix` before its names, without it.
    pub fn part(&self, prefix: &str) -> Self {
        fn part<T: Clone>(all: &BTreeMap<String, T>, prefix: &str) -> BTreeMap<String, T> {
            let named = all.iter().filter_map(|(name, x)| Some((name.strip_prefix(prefix)?, x)));
            named.map(|(name, x)| (name.to_string(), x.clone())).collect()
        }
        Self { reals: part(&self.reals, prefix), counts: part(&self.counts, prefix) }
    }
}

/// Begins to follow the pairs of operators of dimension n.
pub type Following = fn(usize, TrackerSettings) -> Box<dyn Follow>;

/// What a solver can do.
#[derive(Clone, Copy)]
pub struct Method {
    /// Whether it finds the smallest eigenvalues too.
    pub both_ends: bool,
    /// Its solve from nothing.
    pub cold: fn(Extremes) -> Box<dyn EigenSolver>,
    /// How it follows pairs, if it does.
    pub follow: Option<Following>,
}

/// Lists the solvers, the default first.
macro_rules! solvers {
    ($($(#[$about:meta])* $Solver:ident = $name:literal, $method:path;)+) => {
        choices! {
            /// How extreme eigenvalues are found.
            pub enum Solver ("solver") {
                $($(#[$about])* $Solver = $name),+
            }
        }

        impl Solver {
            /// What it can do.
            pub fn method(self) -> Method {
                match self {
                    $(Self::$Solver => $method),+
                }
            }
        }
    };
}

solvers! {
    /// Followed from the measurement before, by Davidson's method.
    Davidson = "davidson", davidson::METHOD;
    /// Solved for from nothing, by the Lanczos method.
    Lanczos = "lanczos", lanczos::METHOD;
}

impl Solver {
    /// Whether it goes on from the measurement before.
    pub fn follows(self) -> bool {
        self.method().follow.is_some()
    }
}

impl From<Extremes> for Lanczos {
    fn from(Extremes { largest, smallest, tolerance, max_products }: Extremes) -> Self {
        Self { largest, smallest, tolerance, max_iterations: max_products }
    }
}
