//! Parameters as safetensors, named and laid out as in PyTorch.

use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, serialize};

use crate::autodiff::{ParameterLayout, Precision};
use crate::error::{Error, Result, check_length};
use crate::input;

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

/// The flat vector (length P) of the parameters in the safetensors file at `path`, in single or
/// double precision, whose names and shapes must be those of `layout`; their order does not matter.
///
/// # Errors
/// [`Error::File`] naming every tensor that is missing, not expected or of another shape, or that
/// holds something else than finite numbers.
pub fn read_safetensors(path: &Path, layout: &ParameterLayout) -> Result<Vec<f64>> {
    const REMEDY: &str = "give weights of this model, such as a run's init.safetensors";
    let wrong = |problem: String| Error::file(path, None, problem, REMEDY);
    let bytes = input::read(path, REMEDY)?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|e| wrong(format!("not a safetensors file ({e})")))?;
    let difference = difference(&file, layout);
    if !difference.is_empty() {
        return Err(wrong(format!("it does not fit the model: {}", difference.join("; "))));
    }
    let mut theta = Vec::with_capacity(layout.len());
    for entry in layout.entries() {
        let view = file.tensor(&entry.name).map_err(|e| wrong(e.to_string()))?;
        let before = theta.len();
        match view.dtype() {
            Dtype::F32 => theta.extend(view.data().chunks_exact(4).map(|bytes| {
                f64::from(f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            })),
            Dtype::F64 => theta.extend(
                view.data()
                    .chunks_exact(8)
                    .map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap_or_default())),
            ),
            other => {
                let problem = format!("{} holds {other:?}, not F32 or F64", entry.name);
                return Err(wrong(problem));
            }
        }
        if let Some(value) = theta[before..].iter().find(|value| !value.is_finite()) {
            return Err(wrong(format!("{} holds {value}", entry.name)));
        }
    }
    Ok(theta)
}

/// What tells the tensors of a file from those of a model: both sides of each difference.
fn difference(file: &SafeTensors<'_>, layout: &ParameterLayout) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in layout.entries() {
        match file.tensor(&entry.name) {
            Ok(view) if view.shape() == entry.shape => {}
            Ok(view) => lines.push(format!(
                "{} is {:?} in the file and {:?} in the model",
                entry.name,
                view.shape(),
                entry.shape
            )),
            Err(_) => lines.push(format!("{} {:?} is not in the file", entry.name, entry.shape)),
        }
    }
    let mut names = file.names();
    names.sort_unstable();
    for name in names {
        if layout.entries().iter().all(|entry| entry.name != *name) {
            let shape = file.tensor(name).map(|view| view.shape().to_vec()).unwrap_or_default();
            lines.push(format!("{name} {shape:?} is not in the model"));
        }
    }
    lines
}
