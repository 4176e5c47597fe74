//! Eigensolvers, each a file of its own and a line here: how extreme eigenpairs of an operator are found
//! from nothing, and how they are followed while the operator changes.

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
