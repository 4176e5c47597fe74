//! Parameters out of safetensors, under the model's own names or under those that PyTorch gives them elsewhere.

use std::collections::BTreeSet;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::autodiff::ParameterLayout;
use crate::error::{Error, Result};
use crate::input;

const REMEDY: &str = "give weights of this model, such as a run's init.safetensors";
/// Most differences that are told one by one.
const MOST_LINES: usize = 30;

/// Prefixes that wrappers of PyTorch's give to all names: those of several GPUs and of its compiler.
const WRAPPERS: [&str; 2] = ["module.", "_orig_mod."];

/// Weights as they were found.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenWeights {
    /// The flat vector (length P).
    pub theta: Vec<f64>,
    /// What names were taken for the model's, where they are others, in words.
    pub renamed: Option<String>,
}

/// The flat vector (length P) of the parameters in the safetensors file at `path`, in half, single or double
/// precision, whose names and shapes must be those of `layout`; their order does not matter.
///
/// # Errors
/// [`Error::Tensors`] naming every tensor that is missing, not expected or of another shape; [`Error::File`]
/// for one that holds something else than finite numbers, and for what is no such file.
pub fn read_safetensors(path: &Path, layout: &ParameterLayout) -> Result<Vec<f64>> {
    parse_safetensors(&input::read(path, REMEDY)?, path, layout)
}

/// As [`read_safetensors`], from the bytes of a file.
pub(super) fn parse_safetensors(
    bytes: &[u8],
    path: &Path,
    layout: &ParameterLayout,
) -> Result<Vec<f64>> {
    let file = open(bytes, path, REMEDY)?;
    let own = Names::own(layout);
    check(&file, path, layout, &own)?;
    values(&file, path, layout, &own, REMEDY)
}

/// As [`read_safetensors`]. Names may also have the prefixes `module.` and `_orig_mod.`, and layers those of
/// an `nn.Sequential` (`0.weight`, `2.weight`, …, with or without a name before them), in the order of the
/// model's.
///
/// # Errors
/// As [`read_safetensors`].
pub fn read_given_weights(path: &Path, layout: &ParameterLayout) -> Result<GivenWeights> {
    let bytes = input::read(path, REMEDY)?;
    given(&bytes, path, layout)
}

/// As [`read_given_weights`], from the bytes of a file.
pub(crate) fn given(bytes: &[u8], path: &Path, layout: &ParameterLayout) -> Result<GivenWeights> {
    let file = open(bytes, path, REMEDY)?;
    let own = Names::own(layout);
    let mut names = file.names();
    names.sort_unstable();
    let candidates =
        [Some(own.clone()), Names::wrapped(&names, layout), Names::sequential(&names, layout)];
    let fitting = |candidate: &Names| difference(&file, layout, candidate).is_empty();
    let Some(found) = candidates.into_iter().flatten().find(fitting) else {
        // Told in the model's own names, less what a wrapper adds.
        let nearest = Names::wrapped(&names, layout).unwrap_or(own);
        check(&file, path, layout, &nearest)?;
        return Err(Error::file(path, None, "it does not fit the model", REMEDY));
    };
    let theta = values(&file, path, layout, &found, REMEDY)?;
    Ok(GivenWeights { theta, renamed: found.renamed })
}

const CHECKPOINT: &str = "name another checkpoint, or run again";

/// The tensors in the bytes of a checkpoint's file.
///
/// # Errors
/// [`Error::File`] if it is none.
pub(super) fn tensors_of<'a>(bytes: &'a [u8], path: &Path) -> Result<SafeTensors<'a>> {
    open(bytes, path, CHECKPOINT)
}

/// The vector (length P) that is among the tensors of the file at `path` under the parameters' names with
/// `prefix` before them.
///
/// # Errors
/// [`Error::File`] if a tensor is missing or does not fit.
pub(super) fn read_tensors(
    tensors: &SafeTensors<'_>,
    path: &Path,
    prefix: &str,
    layout: &ParameterLayout,
) -> Result<Vec<f64>> {
    let in_file = layout.entries().iter().map(|entry| format!("{prefix}{}", entry.name)).collect();
    values(tensors, path, layout, &Names { in_file, renamed: None }, CHECKPOINT)
}

fn open<'a>(bytes: &'a [u8], path: &Path, remedy: &str) -> Result<SafeTensors<'a>> {
    SafeTensors::deserialize(bytes).map_err(|e| {
        let pickled = bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\x80\x02");
        match pickled {
            true => {
                let remedy = "save the state_dict with safetensors.torch.save_file";
                Error::file(path, None, "it is a pickle of PyTorch's, no safetensors file", remedy)
            }
            false => Error::file(path, None, format!("not a safetensors file ({e})"), remedy),
        }
    })
}

/// The name in a file of each of the model's tensors.
#[derive(Debug, Clone, PartialEq)]
struct Names {
    in_file: Vec<String>,
    renamed: Option<String>,
}

impl Names {
    /// The model's own.
    fn own(layout: &ParameterLayout) -> Self {
        let in_file = layout.entries().iter().map(|entry| entry.name.clone()).collect();
        Self { in_file, renamed: None }
    }

    /// The model's own behind the prefixes of wrappers, where all names have them.
    fn wrapped(names: &[&str], layout: &ParameterLayout) -> Option<Self> {
        let prefix = wrapping(names);
        if prefix.is_empty() {
            return None;
        }
        let in_file =
            layout.entries().iter().map(|entry| format!("{prefix}{}", entry.name)).collect();
        Some(Self {
            in_file,
            renamed: Some(format!("names begin with '{prefix}', which was left off")),
        })
    }

    /// Those of numbered modules, which are taken for the model's in their order.
    fn sequential(names: &[&str], layout: &ParameterLayout) -> Option<Self> {
        let mut prefix = wrapping(names);
        let numbered = |prefix: &str| -> Option<Vec<usize>> {
            let number = |name: &&str| name.strip_prefix(prefix)?.split_once('.')?.0.parse().ok();
            let mut numbers: Vec<usize> = names.iter().map(number).collect::<Option<_>>()?;
            numbers.sort_unstable();
            numbers.dedup();
            Some(numbers)
        };
        if numbered(&prefix).is_none() {
            let rest = names.first()?.strip_prefix(&prefix)?;
            prefix = format!("{prefix}{}.", rest.split_once('.')?.0);
        }
        let numbers = numbered(&prefix)?;
        let module = |name: &'_ str| name.rsplit_once('.').map(|(module, _)| module.to_string());
        let mut modules: Vec<String> =
            layout.entries().iter().map(|entry| module(&entry.name)).collect::<Option<_>>()?;
        modules.dedup();
        if modules.len() != numbers.len() {
            return None;
        }
        let place = |name: &str| -> Option<String> {
            let (own, part) = name.rsplit_once('.')?;
            let number = numbers[modules.iter().position(|module| module == own)?];
            Some(format!("{prefix}{number}.{part}"))
        };
        let in_file = layout.entries().iter().map(|entry| place(&entry.name));
        let pairs = numbers.iter().zip(&modules);
        let pairs: Vec<String> =
            pairs.map(|(number, module)| format!("{prefix}{number} as {module}")).collect();
        Some(Self { in_file: in_file.collect::<Option<_>>()?, renamed: Some(pairs.join(", ")) })
    }
}

/// The prefixes of wrappers that all names have.
fn wrapping(names: &[&str]) -> String {
    let mut prefix = String::new();
    while let Some(wrapper) = WRAPPERS.into_iter().find(|wrapper| {
        let longer = format!("{prefix}{wrapper}");
        !names.is_empty() && names.iter().all(|name| name.starts_with(&longer))
    }) {
        prefix += wrapper;
    }
    prefix
}

/// The numbers of a file's tensors in the order of the layout.
fn values(
    file: &SafeTensors<'_>,
    path: &Path,
    layout: &ParameterLayout,
    names: &Names,
    remedy: &str,
) -> Result<Vec<f64>> {
    let wrong = |problem: String| Error::file(path, None, problem, remedy);
    let mut theta = Vec::with_capacity(layout.len());
    for (entry, name) in layout.entries().iter().zip(&names.in_file) {
        let view = file.tensor(name).map_err(|e| wrong(e.to_string()))?;
        if view.shape() != entry.shape {
            return Err(wrong(format!("{name} is {:?} and not {:?}", view.shape(), entry.shape)));
        }
        let numbers = numbers(&view)
            .ok_or_else(|| wrong(format!("{name} holds {:?}, not real numbers", view.dtype())))?;
        if let Some(value) = numbers.iter().find(|value| !value.is_finite()) {
            return Err(wrong(format!("{name} holds {value}")));
        }
        theta.extend(numbers);
    }
    Ok(theta)
}

/// A tensor's numbers; `None` where they are not real.
fn numbers(view: &TensorView<'_>) -> Option<Vec<f64>> {
    let (twos, _) = view.data().as_chunks::<2>();
    let (fours, _) = view.data().as_chunks::<4>();
    let (eights, _) = view.data().as_chunks::<8>();
    Some(match view.dtype() {
        Dtype::F16 => twos.iter().map(|&x| half::f16::from_le_bytes(x).to_f64()).collect(),
        Dtype::BF16 => twos.iter().map(|&x| half::bf16::from_le_bytes(x).to_f64()).collect(),
        Dtype::F32 => fours.iter().map(|&x| f64::from(f32::from_le_bytes(x))).collect(),
        Dtype::F64 => eights.iter().map(|&x| f64::from_le_bytes(x)).collect(),
        _ => return None,
    })
}

/// Refuses tensors that are not the model's.
fn check(
    file: &SafeTensors<'_>,
    path: &Path,
    layout: &ParameterLayout,
    names: &Names,
) -> Result<()> {
    let mut lines = difference(file, layout, names);
    if lines.is_empty() {
        return Ok(());
    }
    let more = lines.len().saturating_sub(MOST_LINES);
    lines.truncate(MOST_LINES);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    Err(Error::Tensors {
        path: path.to_path_buf(),
        problem: "it does not fit the model".to_string(),
        remedy: REMEDY.to_string(),
        lines,
    })
}

/// What tells the tensors of a file from those of a model: both sides of each difference.
fn difference(file: &SafeTensors<'_>, layout: &ParameterLayout, wanted: &Names) -> Vec<String> {
    let mut lines = Vec::new();
    for (entry, name) in layout.entries().iter().zip(&wanted.in_file) {
        match file.tensor(name) {
            Ok(view) if view.shape() == entry.shape => {}
            Ok(view) => lines.push(format!(
                "{name} is {:?} in the file and {:?} in the model",
                view.shape(),
                entry.shape
            )),
            Err(_) => lines.push(format!("{name} {:?} is not in the file", entry.shape)),
        }
    }
    let mut names = file.names();
    names.sort_unstable();
    let wanted: BTreeSet<&str> = wanted.in_file.iter().map(String::as_str).collect();
    for name in names {
        if !wanted.contains(name) {
            let shape = file.tensor(name).map(|view| view.shape().to_vec()).unwrap_or_default();
            lines.push(format!("{name} {shape:?} is not in the model"));
        }
    }
    lines
}
