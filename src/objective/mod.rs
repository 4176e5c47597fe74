//! Objectives that are formulas of a point: no samples, no layers, and every derivative known by hand.
//!
//! To the rest of the program an objective is a model that reads nothing, whose output is its loss: it is written
//! over tensors, so that gradients and Hessian-vector products come from where those of networks come from.
//!
//! A new one is a file here, its `mod` line and a line in the list below.

mod check;
mod expression;
mod formula;
mod logistic;
mod matrix_factorization;
mod monkey_saddle;
mod plateau;
mod quadratic;
mod quartic;
mod rosenbrock;
mod rotation;
mod saddle;
mod spec;
mod strict_saddle;
mod two_basins;
mod uv;
mod valley;

pub use formula::{Blocks, Facts, Formula, Region};
pub use spec::ObjectiveSpec;

formula::objectives! {
    quadratic: Quadratic = "quadratic";
    saddle: Saddle = "saddle";
    strict_saddle: StrictSaddle = "strict-saddle";
    monkey_saddle: MonkeySaddle = "monkey-saddle";
    plateau: Plateau = "plateau";
    valley: Valley = "valley";
    two_basins: TwoBasins = "two-basins";
    rosenbrock: Rosenbrock = "rosenbrock";
    quartic: Quartic = "quartic";
    uv: Uv = "uv";
    logistic: Logistic = "logistic";
    matrix_factorization: MatrixFactorization = "matrix-factorization";
    expression: Expression = "expression";
}
