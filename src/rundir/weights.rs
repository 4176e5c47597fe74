//! Parameters as safetensors, named and laid out as in PyTorch.

use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, serialize};

use super::weights_in::{read_tensors, tensors_of};
use crate::autodiff::ParameterLayout;
use crate::device::Precision;
use crate::error::{Error, Result, check_length};
use crate::linalg::FollowMemory;

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

    /// Adds numbers that are not laid out as the parameters are, in double precision.
    pub fn add_plain(&mut self, name: String, shape: Vec<usize>, values: &[f64]) {
        self.0.push((name, shape, Dtype::F64, to_bytes(values, Precision::F64)));
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

const CHECKPOINT: &str = "name another checkpoint, or run again";

/// What is known of followed eigenvalues as the bytes of a safetensors file: a tensor of one axis under
/// each name, float64 or, of a counter, uint64.
///
/// # Errors
/// [`Error::Encode`] if the format cannot hold it.
pub(super) fn write_memory(memory: &FollowMemory) -> Result<Vec<u8>> {
    let mut tensors = Tensors::default();
    for (name, values) in &memory.reals {
        let bytes = to_bytes(values, Precision::F64);
        tensors.0.push((name.clone(), vec![values.len()], Dtype::F64, bytes));
    }
    for (name, count) in &memory.counts {
        tensors.0.push((name.clone(), vec![1], Dtype::U64, count.to_le_bytes().to_vec()));
    }
    write_tensors(&tensors)
}

/// The memory in the bytes of the file at `path`, which [`write_memory`] has made.
///
/// # Errors
/// [`Error::File`] for other bytes.
pub(super) fn read_memory(bytes: &[u8], path: &Path) -> Result<FollowMemory> {
    let mut memory = FollowMemory::default();
    for (name, view) in tensors_of(bytes, path)?.iter() {
        let words = view.data().chunks_exact(8).map(|b| b.try_into().unwrap_or_default());
        match (view.dtype(), words.len()) {
            (Dtype::F64, _) => {
                memory.reals.insert(name.to_string(), words.map(f64::from_le_bytes).collect());
            }
            (Dtype::U64, 1) => {
                let count = words.map(u64::from_le_bytes).next().unwrap_or_default();
                memory.counts.insert(name.to_string(), count);
            }
            (other, many) => {
                let problem = format!("{name} holds {many} numbers of {other:?}");
                return Err(Error::file(path, None, problem, CHECKPOINT));
            }
        }
    }
    Ok(memory)
}

/// The vector among the tensors of the file at `path` under that name: as [`read_tensors`] has it or, where it is
/// not laid out as the parameters are, in one tensor.
///
/// # Errors
/// As [`read_tensors`].
pub(super) fn read_vector(
    tensors: &SafeTensors<'_>,
    path: &Path,
    name: &str,
    layout: &ParameterLayout,
) -> Result<Vec<f64>> {
    match tensors.tensor(name) {
        Ok(view) if view.dtype() == Dtype::F64 => plain_values(name, &view, path),
        _ => read_tensors(tensors, path, &format!("{name}."), layout),
    }
}

/// A tensor's name, shape and numbers, row after row.
pub(super) type Plain = (String, Vec<usize>, Vec<f64>);

/// The tensors in double precision of the file at `path`.
///
/// # Errors
/// [`Error::File`] if one holds what is not finite.
pub(super) fn read_plain(file: &SafeTensors<'_>, path: &Path) -> Result<Vec<Plain>> {
    let tensors = file.iter().filter(|(_, view)| view.dtype() == Dtype::F64);
    let read = |(name, view): (&str, TensorView<'_>)| {
        Ok((name.to_string(), view.shape().to_vec(), plain_values(name, &view, path)?))
    };
    tensors.map(read).collect()
}

/// The numbers of a tensor in double precision.
fn plain_values(name: &str, view: &TensorView<'_>, path: &Path) -> Result<Vec<f64>> {
    let numbers = view.data().chunks_exact(8);
    let values: Vec<f64> =
        numbers.map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap_or_default())).collect();
    match values.iter().find(|value| !value.is_finite()) {
        Some(value) => Err(Error::file(path, None, format!("{name} holds {value}"), CHECKPOINT)),
        None => Ok(values),
    }
}
