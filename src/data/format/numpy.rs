//! Arrays of numpy's as samples: `.npz` with features and targets, `.npy` of features with the targets in
//! another one beside it or in a column.

use std::path::{Path, PathBuf};

use super::array::{Array, Element};
use super::images::Pixels;
use super::{Format, Source, idx, npy, npz, read};
use crate::data::dataset::{Dataset, digest};
use crate::data::options::Taken;
use crate::data::{DataNotes, DataOptions, InputShape, Targets};
use crate::error::{Error, Field, Message, Result};

pub(super) const FORMAT: Format = Format {
    wanted: ".npy and .npz",
    takes: &[
        (Taken::Target, ".npy files"),
        (Taken::Regression, ".npy and .npz files"),
        (Taken::LabelNoise, "files of classes"),
        (Taken::ChosenClasses, "files of classes"),
    ],
    recognises: |source| {
        let name = source.file_name();
        let named = [".npy", ".npz"].iter().any(|ending| name.ends_with(ending));
        Ok(named && !source.path.is_dir())
    },
    load,
};

/// Names that arrays of features and of targets have, those that train before others.
const FEATURES: &[&str] = &[
    "x_train",
    "X_train",
    "train_images",
    "train_data",
    "x",
    "X",
    "images",
    "data",
    "features",
    "inputs",
    "arr_0",
];
const TARGETS: &[&str] = &[
    "y_train",
    "Y_train",
    "train_labels",
    "train_targets",
    "y",
    "Y",
    "labels",
    "targets",
    "target",
    "label",
    "arr_1",
];

fn load(source: &Source, options: &DataOptions) -> Result<(Dataset, DataOptions)> {
    let regression = options.regression.unwrap_or(false);
    let of_classes = |option| matches!(option, Taken::LabelNoise | Taken::ChosenClasses);
    let takes = |option| FORMAT.takes(option) && !(regression && of_classes(option));
    options.check(source.name, takes)?;
    let bytes = source.unpacked()?;
    let (dataset, target) = match bytes.starts_with(npz::MAGIC) {
        true => (of_archive(bytes, &source.path, options)?, None),
        false => of_file(source, bytes, options)?,
    };
    let options = DataOptions {
        target,
        regression: Some(regression),
        classes: options.classes.clone(),
        label_noise: (!regression).then(|| options.label_noise.unwrap_or(0.0)),
        ..DataOptions::default()
    };
    Ok((Dataset { name: source.name.to_string(), ..dataset }, options))
}

fn wrong(path: &Path, problem: impl Into<String>, remedy: impl Into<Message>) -> Error {
    Error::file(path, None, problem.into(), remedy)
}

/// The dataset in an archive.
pub(in crate::data) fn of_archive(
    bytes: &[u8],
    path: &Path,
    options: &DataOptions,
) -> Result<Dataset> {
    const REMEDY: &str = "save it with numpy.savez(file, x=features, y=targets)";
    if let Some(target) = &options.target {
        let remedy = "leave it out: the targets are an array of their own";
        return Err(Error::setting("target", target, "an archive has no such column", remedy));
    }
    let refused = |problem: String| wrong(path, problem, REMEDY);
    let names = npz::names(bytes).map_err(refused)?;
    let named = |known: &[&str]| {
        known.iter().find_map(|name| names.iter().find(|found| found == name)).cloned()
    };
    let (Some(x), Some(y)) = (named(FEATURES), named(TARGETS)) else {
        let problem = format!("its arrays are {}, not features and targets", names.join(", "));
        return Err(refused(problem));
    };
    let array = |name: &str| npz::read(bytes, name).map_err(refused);
    let (features, targets) = (array(&x)?, array(&y)?);
    let mut dataset = of_arrays(&features, &targets, (path, path), options)?;
    let others: Vec<_> = names.into_iter().filter(|name| *name != x && *name != y).collect();
    if !others.is_empty() {
        dataset.notes.left_out.push(format!("arrays {}", others.join(", ")));
    }
    Ok(Dataset { sha256: digest(&[bytes]), ..dataset })
}

/// The dataset in a file of features, and the column of its targets if they are in it.
fn of_file(
    source: &Source,
    bytes: &[u8],
    options: &DataOptions,
) -> Result<(Dataset, Option<String>)> {
    const REMEDY: &str = "save it with numpy.save(file, array), of numbers";
    let array = npy::parse(bytes).map_err(|problem| wrong(&source.path, problem, REMEDY))?;
    if let Some(beside) = targets_beside(&source.path).filter(|_| options.target.is_none()) {
        let of_targets = read(&beside)?;
        let targets = npy::parse(&of_targets).map_err(|problem| wrong(&beside, problem, REMEDY))?;
        let paths = (source.path.as_path(), beside.as_path());
        let dataset = of_arrays(&array, &targets, paths, options)?;
        let sha256 = digest(&[source.bytes()?, &of_targets]);
        return Ok((Dataset { sha256, ..dataset }, None));
    }
    let (dataset, target) = of_columns(&array, &source.path, options)?;
    Ok((Dataset { sha256: digest(&[source.bytes()?]), ..dataset }, Some(target)))
}

/// The file of targets beside one of features, by the names that such pairs have.
fn targets_beside(features: &Path) -> Option<PathBuf> {
    let name = features.file_name()?.to_str()?;
    let stem = name.strip_suffix(".npy")?;
    let pairs = [
        ("images", "labels"),
        ("features", "targets"),
        ("features", "labels"),
        ("data", "labels"),
        ("data", "targets"),
        ("inputs", "targets"),
    ];
    let by_word = pairs.iter().filter(|(x, _)| stem.contains(x)).map(|(x, y)| stem.replace(x, y));
    let letter = |x: &str, y: &str| {
        let whole = (stem == x).then(|| y.to_string());
        let first = stem.strip_prefix(&format!("{x}_")).map(|rest| format!("{y}_{rest}"));
        let last = stem.strip_suffix(&format!("_{x}")).map(|rest| format!("{rest}_{y}"));
        [whole, first, last].into_iter().flatten()
    };
    let by_letter = letter("x", "y").chain(letter("X", "y")).chain(letter("X", "Y"));
    let mut files =
        by_letter.chain(by_word).map(|name| features.with_file_name(format!("{name}.npy")));
    files.find(|file| file.is_file())
}

/// Features in one array, of whatever shape, and targets in another.
fn of_arrays(
    features: &Array<'_>,
    targets: &Array<'_>,
    (path, targets_path): (&Path, &Path),
    options: &DataOptions,
) -> Result<Dataset> {
    let (samples, labelled) = (features.shape[0], targets.shape[0]);
    if samples != labelled || samples == 0 {
        let problem = format!("{labelled} targets, but {samples} samples");
        return Err(wrong(
            targets_path,
            problem,
            "give one target for each sample, and one or more",
        ));
    }
    let (shape, pixels) = samples_of(features).ok_or_else(|| {
        let sizes: Vec<String> = features.shape.iter().map(usize::to_string).collect();
        let problem = format!("the samples are an array of {}", sizes.join("x"));
        let remedy = "give samples x features, or images as samples x rows x columns, with colours \
                      before or behind these";
        wrong(path, problem, remedy)
    })?;
    let width = targets.bytes.len() / targets.element.size() / samples;
    let mut notes = DataNotes::default();
    let targets = if options.regression.unwrap_or(false) {
        Targets::Values { outputs: width, values: targets.numbers() }
    } else if width == 1 {
        let (labels, names) = idx::whole(targets, targets_path)?.finish();
        let classes = names.len();
        notes = DataNotes::of_classes(names);
        Targets::Classes { classes, labels }
    } else {
        let problem = format!("there are {width} targets for each sample");
        let remedy = Message::from("give one class for each, or ") + regression();
        return Err(wrong(targets_path, problem, remedy));
    };
    if matches!(targets, Targets::Values { outputs: 0, .. }) {
        return Err(wrong(targets_path, "there are no targets in it", "give one or more a sample"));
    }
    let inputs = pixels.into_inputs(shape);
    Ok(Dataset { name: String::new(), sha256: String::new(), inputs, targets, notes })
}

fn regression() -> Message {
    Field("regression") + " for numbers"
}

/// The shape of a sample, and all their numbers. Images are two dimensions, or three with colours first or
/// last.
fn samples_of(array: &Array<'_>) -> Option<(InputShape, Pixels)> {
    const COLOURS: [usize; 3] = [1, 3, 4];
    let numbers = || match array.element {
        Element::U8 if array.shape.len() > 2 => Pixels::Bytes(array.bytes.to_vec()),
        _ => Pixels::Numbers(array.numbers()),
    };
    let image = |channels, height, width| InputShape::Image { channels, height, width };
    let (shape, pixels) = match array.shape[1..] {
        [] => (InputShape::Features(1), numbers()),
        [features] => (InputShape::Features(features), numbers()),
        [height, width] => (image(1, height, width), numbers()),
        [channels, height, width] if COLOURS.contains(&channels) => {
            (image(channels, height, width), numbers())
        }
        [height, width, channels] if COLOURS.contains(&channels) => {
            let size = (height * width, channels);
            let pixels = match numbers() {
                Pixels::Bytes(bytes) => Pixels::Bytes(colours_first(&bytes, size)),
                Pixels::Numbers(numbers) => Pixels::Numbers(colours_first(&numbers, size)),
            };
            (image(channels, height, width), pixels)
        }
        _ => return None,
    };
    (!shape.is_empty()).then_some((shape, pixels))
}

/// Images of so many pixels with colours last, with colours first.
fn colours_first<T: Copy>(images: &[T], (pixels, channels): (usize, usize)) -> Vec<T> {
    let image = |image: &[T]| -> Vec<T> {
        (0..channels).flat_map(|c| (0..pixels).map(move |p| image[p * channels + c])).collect()
    };
    images.chunks_exact((pixels * channels).max(1)).flat_map(image).collect()
}

/// Rows of numbers, one column of them the target; also its number, from 1.
fn of_columns(array: &Array<'_>, path: &Path, options: &DataOptions) -> Result<(Dataset, String)> {
    let [samples, columns] = array.shape[..] else {
        let remedy = "put the targets beside it: y.npy beside x.npy, labels.npy beside images.npy";
        return Err(wrong(path, "there are no targets for it", remedy));
    };
    if samples == 0 || columns < 2 {
        let problem = format!("{samples} rows of {columns} columns are no samples with targets");
        return Err(wrong(path, problem, "give rows of features and a target"));
    }
    let number = match options.target.as_deref().map(str::parse::<usize>) {
        None => columns,
        Some(Ok(number)) if (1..=columns).contains(&number) => number,
        Some(_) => {
            let target = options.target.clone().unwrap_or_default();
            let remedy = format!("give a number from 1 to {columns}");
            return Err(Error::setting("target", target, "there is no such column", remedy));
        }
    };
    let (mut features, mut targets) = (Vec::new(), Vec::new());
    for row in array.numbers().chunks_exact(columns) {
        features.extend(row.iter().enumerate().filter(|(i, _)| i + 1 != number).map(|(_, x)| *x));
        targets.extend(row[number - 1].to_le_bytes());
    }
    let whole = |shape: Vec<usize>, bytes: Vec<u8>| Array {
        shape,
        element: Element::F64,
        big_endian: false,
        bytes: bytes.into(),
    };
    let bytes = features.iter().flat_map(|x: &f64| x.to_le_bytes()).collect();
    let features = whole(vec![samples, columns - 1], bytes);
    let targets = whole(vec![samples], targets);
    let dataset = of_arrays(&features, &targets, (path, path), options)?;
    Ok((dataset, number.to_string()))
}
