//! Parameters as safetensors, named and laid out as in PyTorch.

use safetensors::tensor::{Dtype, TensorView, serialize};

use crate::autodiff::{ParameterLayout, Precision};
use crate::error::{Error, Result, check_length};

/// The parameters `theta` (length P) as the bytes of a safetensors file, in the run's precision.
///
/// # Errors
/// [`Error::Length`] if the length is not P; [`Error::Numerical`] if the format cannot hold them.
pub fn to_safetensors(
    layout: &ParameterLayout,
    theta: &[f64],
    precision: Precision,
) -> Result<Vec<u8>> {
    check_length("parameter vector", theta.len(), layout.len())?;
    let failed = |e: safetensors::SafeTensorError| Error::Numerical {
        what: "writing safetensors",
        reason: e.to_string(),
    };
    let bytes: Vec<Vec<u8>> = layout
        .entries()
        .iter()
        .map(|entry| to_bytes(&theta[entry.offset..entry.offset + entry.len], precision))
        .collect();
    let dtype = match precision {
        Precision::F32 => Dtype::F32,
        Precision::F64 => Dtype::F64,
    };
    let tensors = layout
        .entries()
        .iter()
        .zip(&bytes)
        .map(|(entry, bytes)| {
            let view = TensorView::new(dtype, entry.shape.clone(), bytes)?;
            Ok((entry.name.clone(), view))
        })
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(failed)?;
    serialize(tensors, None).map_err(failed)
}

fn to_bytes(values: &[f64], precision: Precision) -> Vec<u8> {
    match precision {
        Precision::F32 => values.iter().flat_map(|&x| (x as f32).to_le_bytes()).collect(),
        Precision::F64 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
    }
}
