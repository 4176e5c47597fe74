//! The coordinates of a preconditioner that is not diagonal in the parameters' own, in a checkpoint.

use faer::{Mat, MatRef};

use super::RunDirectory;
use super::weights::{Tensors, write_tensors};
use crate::autodiff::ParameterLayout;
use crate::error::{Error, Result};
use crate::optim::{Basis, Rotation};

/// Before the name of a parameter whose side it is.
const LEFT: &str = "left.";
const RIGHT: &str = "right.";

/// The bytes of a safetensors file with the matrices of each rotated tensor.
///
/// # Errors
/// [`Error::Encode`] if the format cannot hold them.
pub(super) fn write_basis(layout: &ParameterLayout, basis: &Basis) -> Result<Vec<u8>> {
    let mut tensors = Tensors::default();
    for rotation in basis.rotations() {
        let own = |entry: &&crate::autodiff::ParameterEntry| {
            entry.offset == rotation.range.start && entry.len == rotation.range.len()
        };
        let Some(entry) = layout.entries().iter().find(own) else { continue };
        for (prefix, matrix) in [(LEFT, &rotation.left), (RIGHT, &rotation.right)] {
            let Some(matrix) = matrix else { continue };
            let (n, m) = (matrix.nrows(), matrix.ncols());
            let rows: Vec<f64> = (0..n * m).map(|at| matrix[(at / m, at % m)]).collect();
            tensors.add_plain(format!("{prefix}{}", entry.name), vec![n, m], &rows);
        }
    }
    write_tensors(&tensors)
}

impl RunDirectory {
    /// The coordinates in which the preconditioner of the update from a checkpoint is diagonal; `None` for the
    /// parameters' own.
    ///
    /// # Errors
    /// [`Error::File`] if they cannot be read or are another model's.
    pub fn basis(&self, step: usize, layout: &ParameterLayout) -> Result<Option<Basis>> {
        let Some((path, tensors)) = self.read_basis(step)? else { return Ok(None) };
        let side = |name: String, n: usize| -> Result<Option<Mat<f64>>> {
            let Some((_, shape, values)) = tensors.iter().find(|(other, _, _)| *other == name)
            else {
                return Ok(None);
            };
            if shape[..] != [n, n] {
                let problem = format!("{name} is {shape:?} and not {:?}", [n, n]);
                let remedy = "name another checkpoint, or run again";
                return Err(Error::file(&path, None, problem, remedy));
            }
            Ok(Some(MatRef::from_row_major_slice(values, n, n).to_owned()))
        };
        let mut rotations = Vec::new();
        for entry in layout.entries().iter().filter(|entry| entry.len > 0) {
            let rows = entry.shape.first().copied().unwrap_or(1);
            let left = side(format!("{LEFT}{}", entry.name), rows)?;
            let right = side(format!("{RIGHT}{}", entry.name), entry.len / rows.max(1))?;
            let range = entry.offset..entry.offset + entry.len;
            if left.is_some() || right.is_some() {
                rotations.push(Rotation { range, left, right, rows });
            }
        }
        Ok(Some(Basis::new(rotations)))
    }
}
