//! The IDX format of MNIST and its kin: images in one file, their labels in another.
//!
//! A file is 0, 0, the type of its entries (8: unsigned bytes), the number of its dimensions, each
//! dimension as four bytes, the highest first, and then the entries, the last dimension fastest.
//! Source: the page of the MNIST database by LeCun, Cortes and Burges. QMNIST's labels have two dimensions,
//! of which the first entry of a row is the class (Yadav and Bottou 2019).

use std::path::{Path, PathBuf};

use super::array::{Array, Element, entries};
use super::images::{self, Images, Pixels};
use super::{Format, Source, read};
use crate::data::dataset::{Dataset, digest};
use crate::data::gzip::unpack;
use crate::data::labels::{Label, Labels, MOST_CLASSES};
use crate::data::{DataOptions, InputShape};
use crate::error::{Error, Result};

pub(super) const FORMAT: Format = Format {
    wanted: "images in IDX format (*-images-idx3-ubyte)",
    takes: images::TAKES,
    recognises: |source| {
        if source.path.is_dir() {
            return Ok(false);
        }
        let unpacked = source.unpacked()?;
        let name = source.file_name();
        Ok(!name.contains(".csv") && recognised(&name, unpacked))
    },
    load,
};

const UNSIGNED_BYTES: u8 = 8;
const IMAGES: [u8; 4] = [0, 0, UNSIGNED_BYTES, 3];
const LABELS: [u8; 4] = [0, 0, UNSIGNED_BYTES, 1];

fn load(source: &Source, options: &DataOptions) -> Result<(Dataset, DataOptions)> {
    let options = images::options(&FORMAT, source.name, options)?;
    let path = labels_beside(&source.path)?;
    let (images, labels) = (source.bytes()?, read(&path)?);
    let sha256 = digest(&[images, &labels]);
    let images = parse((images, &source.path), (&labels, &path))?;
    Ok((Dataset::from_images(source.name, sha256, images), options))
}

/// Whether a file is meant as IDX, by its name or by the zeros that it begins with.
fn recognised(name: &str, unpacked: &[u8]) -> bool {
    ["-ubyte", "idx1", "idx2", "idx3"].iter().any(|part| name.contains(part))
        || unpacked.starts_with(&[0, 0])
}

/// The images that train, where a folder has them under the standard name, or holds the one that does.
pub(super) fn training_images(folder: &Path) -> Option<PathBuf> {
    let folders = ["", "raw", "MNIST/raw", "FashionMNIST/raw"].map(|name| folder.join(name));
    let names =
        ["train-images-idx3-ubyte", "train-images.idx3-ubyte", "qmnist-train-images-idx3-ubyte"];
    let files = folders.iter().flat_map(|folder| names.map(|name| folder.join(name)));
    let mut files = files.flat_map(|file| [file.with_added_extension("gz"), file]);
    files.find(|file| file.is_file())
}

/// Where the labels of `images` are by the standard naming (`train-images-idx3-ubyte` and
/// `train-labels-idx1-ubyte`, with a dot instead of either dash, or QMNIST's `labels-idx2-int`, gzipped or
/// not): the first that exists.
///
/// # Errors
/// [`Error::File`] where there is none, naming what was looked for.
fn labels_beside(images: &Path) -> Result<PathBuf> {
    let name = images.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let standard = [("images-idx3", "labels-idx1"), ("images.idx3", "labels.idx1")]
        .into_iter()
        .find(|(images, _)| name.contains(images))
        .map(|(images, labels)| name.replace(images, labels));
    let Some(labels) = standard else {
        if name.contains("labels") {
            let problem = "this is a file of labels";
            let remedy = "give the file of images; its labels are found beside it";
            return Err(Error::file(images, None, problem, remedy));
        }
        let problem = "its name does not say where the labels are";
        let remedy = "name the files as MNIST's, such as train-images-idx3-ubyte and \
                      train-labels-idx1-ubyte, in one folder";
        return Err(Error::file(images, None, problem, remedy));
    };
    let plain = labels.strip_suffix(".gz").unwrap_or(&labels).to_string();
    let stem = |mark: &str| plain.split_once(mark).map(|(before, _)| format!("{before}{mark}"));
    let of_bytes = stem("idx1").map(|stem| format!("{stem}-ubyte"));
    let of_qmnist = stem("idx1").map(|stem| format!("{}-int", stem.replace("idx1", "idx2")));
    let names = [Some(plain), of_bytes, of_qmnist].into_iter().flatten();
    let candidates = names.flat_map(|name| [name.clone(), format!("{name}.gz")]);
    let mut paths =
        std::iter::once(labels.clone()).chain(candidates).map(|name| images.with_file_name(name));
    paths.find(|path| path.is_file()).ok_or_else(|| {
        let path = images.with_file_name(&labels);
        let remedy = "put the labels beside the images, under that name, gzipped or not";
        Error::file(path, None, "there is no such file of labels", remedy)
    })
}

/// Reads a pair of files, each gzipped or not.
///
/// # Errors
/// [`Error::File`] for damaged gzip, a wrong magic number, dimensions that do not fit the file's
/// size, no images, labels that are no classes, and counts that differ.
pub(in crate::data) fn parse(images: (&[u8], &Path), labels: (&[u8], &Path)) -> Result<Images> {
    let pixels = unpack(images.0, images.1)?;
    let classes = unpack(labels.0, labels.1)?;
    let pixels = array(&pixels, IMAGES, images.1, "images")?;
    let classes = array(&classes, LABELS, labels.1, "labels")?;
    let [count, height, width] = [0, 1, 2].map(|dimension| pixels.shape[dimension]);
    if pixels.bytes.is_empty() {
        let problem = format!("{count} images of {height}x{width} pixels are no data");
        return Err(Error::file(images.1, None, problem, "give at least one pixel of one image"));
    }
    let labelled = classes.shape[0];
    if count != labelled {
        let file = images.1.display();
        let problem = format!("{labelled} labels, but {count} images in {file}");
        let remedy = "give images and labels of the same set";
        return Err(Error::file(labels.1, None, problem, remedy));
    }
    Ok(Images {
        shape: InputShape::Image { channels: 1, height, width },
        pixels: match pixels.element {
            Element::U8 => Pixels::Bytes(pixels.bytes.to_vec()),
            _ => Pixels::Numbers(pixels.numbers()),
        },
        labels: whole(&classes, labels.1)?,
    })
}

/// The first entry of each row as a class.
///
/// # Errors
/// [`Error::File`] naming the label.
pub(super) fn whole(labels: &Array<'_>, path: &Path) -> Result<Labels> {
    let width = entries(&labels.shape[1..]).unwrap_or(1).max(1);
    let mut classes = Labels::default();
    for (sample, &label) in labels.numbers().iter().step_by(width).enumerate() {
        let whole = label.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&label);
        let problem = match whole {
            true if classes.push(Label::Number(label as u64)) => continue,
            true => format!("label {} is one of more than {MOST_CLASSES} classes", sample + 1),
            false => format!("label {} is {label}, not a class number", sample + 1),
        };
        return Err(Error::file(path, None, problem, "give classes 0, 1, 2, …"));
    }
    Ok(classes)
}

/// The type of entries with that number.
fn element(number: u8) -> Option<Element> {
    Some(match number {
        UNSIGNED_BYTES => Element::U8,
        0x09 => Element::I8,
        0x0b => Element::I16,
        0x0c => Element::I32,
        0x0d => Element::F32,
        0x0e => Element::F64,
        _ => return None,
    })
}

/// The array in a file like those with that magic number. What the header claims is compared with what is
/// there before anything is allocated for it.
fn array<'a>(bytes: &'a [u8], magic: [u8; 4], path: &Path, what: &str) -> Result<Array<'a>> {
    const AGAIN: &str = "download or copy the file again";
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let Some((found, rest)) = bytes.split_first_chunk::<4>() else {
        let problem = format!("{} bytes are too few for an IDX file", bytes.len());
        return Err(Error::file(path, None, problem, AGAIN));
    };
    let [zero, also_zero, kind, dimensions] = *found;
    let labels = magic == LABELS;
    let fits = dimensions == magic[3] || (labels && dimensions == 2);
    let Some(element) = element(kind).filter(|_| [zero, also_zero] == [0, 0] && fits) else {
        let problem = format!(
            "the magic number is 0x{}, not that of {what} in IDX format, 0x{}",
            hex(found),
            hex(&magic)
        );
        let remedy = match *found {
            IMAGES => "this is a file of images: exchange the two files",
            LABELS => "this is a file of labels: give the file of images, *-images-idx3-ubyte",
            _ => "give IDX files such as MNIST's",
        };
        return Err(Error::file(path, None, problem, remedy));
    };
    let count = usize::from(dimensions);
    let Some((header, data)) = rest.split_at_checked(4 * count) else {
        let problem = format!("the file ends before its {count} dimensions");
        return Err(Error::file(path, None, problem, AGAIN));
    };
    let (sizes, _) = header.as_chunks::<4>();
    let shape: Vec<usize> = sizes.iter().map(|&size| u32::from_be_bytes(size) as usize).collect();
    let claimed = entries(&shape).and_then(|entries| entries.checked_mul(element.size()));
    if claimed != Some(data.len()) {
        let entries = if element.size() == 1 { "bytes" } else { "entries" };
        let shape = shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
        let problem =
            format!("the header claims {shape} {entries}, but {} bytes follow", data.len());
        return Err(Error::file(path, None, problem, AGAIN));
    }
    Ok(Array { shape, element, big_endian: true, bytes: data.into() })
}
