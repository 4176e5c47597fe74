//! Parameters as safetensors, named and laid out as in PyTorch.

use safetensors::tensor::{Dtype, TensorView, serialize};

use crate::autodiff::ParameterLayout;
use crate::device::Precision;
use crate::error::{Error, Result, check_length};

/// Tensors of a file to be: name, shape, type and bytes of each.
#[derive(Debug, Default)]
pub(super) struct Tensors(Vec<(String, Vec<usize>, Dtype, Vec<u8>)>);

impl Tensors {
    /// Adds a vector of length P, split as the parameters are, under their names with `prefix` before
    /// them.
    ///
    /// # Errors
    /// [`Error::Length`] if the length is not P.
    pub fn add(
        &mut self,
        prefix: &str,
        layout: &ParameterLayout,
        values: &[f64],
        precision: Precision,
    ) -> Result<()> {
        check_length("parameter vector", values.len(), layout.len())?;
        let dtype = match precision {
            Precision::F32 => Dtype::F32,
            Precision::F64 => Dtype::F64,
        };
        for entry in layout.entries() {
            let bytes = to_bytes(&values[entry.offset..entry.offset + entry.len], precision);
            self.0.push((format!("{prefix}{}", entry.name), entry.shape.clone(), dtype, bytes));
        }
        Ok(())
    }
}

/// The bytes of a safetensors file.
///
/// # Errors
/// [`Error::Encode`] if the format cannot hold them.
pub(super) fn write_tensors(tensors: &Tensors) -> Result<Vec<u8>> {
    let failed = |e: safetensors::SafeTensorError| Error::Encode {
        what: "safetensors",
        reason: e.to_string(),
    };
    let views = tensors
        .0
        .iter()
        .map(|(name, shape, dtype, bytes)| {
            Ok((name.clone(), TensorView::new(*dtype, shape.clone(), bytes)?))
        })
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(failed)?;
    serialize(views, None).map_err(failed)
}

/// The parameters `theta` (length P) as the bytes of a safetensors file, in the run's precision.
///
/// # Errors
/// [`Error::Length`] if the length is not P; [`Error::Encode`] if the format cannot hold them.
pub fn to_safetensors(
    layout: &ParameterLayout,
    theta: &[f64],
    precision: Precision,
) -> Result<Vec<u8>> {
    let mut tensors = Tensors::default();
    tensors.add("", layout, theta, precision)?;
    write_tensors(&tensors)
}

fn to_bytes(values: &[f64], precision: Precision) -> Vec<u8> {
    match precision {
        Precision::F32 => values.iter().flat_map(|&x| (x as f32).to_le_bytes()).collect(),
        Precision::F64 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
    }
}
