//! Pictures of the landscape between and around runs: quantities along paths, matrices of barriers, losses over
//! planes.

mod contour;
mod isolines;
mod matrix;
mod paths;

pub use contour::{ContourFigure, contour_png, contour_svg};
pub use matrix::{MatrixFigure, matrix_png, matrix_svg};
pub use paths::{PathCurve, PathFigure, PathPanel, Scale, Stroke, paths_png, paths_svg};
