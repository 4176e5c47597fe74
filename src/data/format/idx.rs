//! The IDX format of MNIST and its kin: images in one file, their labels in another.
//!
//! A file is 0, 0, the type of its entries (8: unsigned bytes), the number of its dimensions, each
//! dimension as four bytes, the highest first, and then the entries, the last dimension fastest.
//! Source: the page of the MNIST database by LeCun, Cortes and Burges.

use std::path::{Path, PathBuf};

use super::images::{self, Images};
use super::{Format, Source, count, read};
use crate::data::dataset::{Dataset, digest};
use crate::data::gzip::unpack;
use crate::data::{DataOptions, InputShape};
use crate::error::{Error, Result};

pub(super) const FORMAT: Format = Format {
    wanted: "images in IDX format (*-images-idx3-ubyte)",
    takes: images::TAKES,
    recognises: |source| {
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
    let path = labels_beside(source.path)?;
    let (images, labels) = (source.bytes()?, read(&path)?);
    let sha256 = digest(&[images, &labels]);
    let images = parse((images, source.path), (&labels, &path))?;
    let classes = count(&images.labels);
    Ok((Dataset::from_images(source.name, sha256, images, classes), options))
}

/// Whether a file is meant as IDX, by its name or by the zeros that it begins with.
fn recognised(name: &str, unpacked: &[u8]) -> bool {
    ["-ubyte", "idx1", "idx3"].iter().any(|part| name.contains(part))
        || unpacked.starts_with(&[0, 0])
}

/// Where the labels of `images` are by the standard naming (`train-images-idx3-ubyte` and
/// `train-labels-idx1-ubyte`, with a dot instead of either dash, gzipped or not): the first that
/// exists.
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
    let candidates = [labels.clone(), plain.clone(), format!("{plain}.gz")];
    let mut paths = candidates.iter().map(|name| images.with_file_name(name));
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
/// size, no images, and counts that differ.
pub(in crate::data) fn parse(images: (&[u8], &Path), labels: (&[u8], &Path)) -> Result<Images> {
    let pixels = unpack(images.0, images.1)?;
    let classes = unpack(labels.0, labels.1)?;
    let ([count, height, width], pixels) = entries(&pixels, IMAGES, images.1, "images")?;
    let ([labelled], classes) = entries(&classes, LABELS, labels.1, "labels")?;
    if pixels.is_empty() {
        let problem = format!("{count} images of {height}x{width} pixels are no data");
        return Err(Error::file(images.1, None, problem, "give at least one pixel of one image"));
    }
    if count != labelled {
        let file = images.1.display();
        let problem = format!("{labelled} labels, but {count} images in {file}");
        let remedy = "give images and labels of the same set";
        return Err(Error::file(labels.1, None, problem, remedy));
    }
    Ok(Images {
        shape: InputShape::Image { channels: 1, height, width },
        pixels: pixels.to_vec(),
        labels: classes.iter().map(|&label| usize::from(label)).collect(),
    })
}

/// The dimensions and entries of a file of unsigned bytes. What the header claims is compared with
/// what is there before anything is allocated for it.
fn entries<'a, const D: usize>(
    bytes: &'a [u8],
    magic: [u8; 4],
    path: &Path,
    what: &str,
) -> Result<([usize; D], &'a [u8])> {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let Some((found, rest)) = bytes.split_first_chunk::<4>() else {
        let problem = format!("{} bytes are too few for an IDX file", bytes.len());
        return Err(Error::file(path, None, problem, "download or copy the file again"));
    };
    if *found != magic {
        let problem = format!(
            "the magic number is 0x{}, not that of {what} in IDX format, 0x{}",
            hex(found),
            hex(&magic)
        );
        let remedy = match *found {
            IMAGES => "this is a file of images: exchange the two files",
            LABELS => "this is a file of labels: give the file of images, *-images-idx3-ubyte",
            _ => "give files of unsigned bytes, as MNIST's",
        };
        return Err(Error::file(path, None, problem, remedy));
    }
    let Some((header, data)) = rest.split_at_checked(4 * D) else {
        let problem = format!("the file ends before its {D} dimensions");
        return Err(Error::file(path, None, problem, "download or copy the file again"));
    };
    let (sizes, _) = header.as_chunks::<4>();
    let dimensions: [usize; D] = std::array::from_fn(|i| u32::from_be_bytes(sizes[i]) as usize);
    let claimed = dimensions.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    if claimed != Some(data.len()) {
        let shape = dimensions.map(|size| size.to_string()).join("x");
        let problem = format!("the header claims {shape} bytes, but {} follow it", data.len());
        return Err(Error::file(path, None, problem, "download or copy the file again"));
    }
    Ok((dimensions, data))
}
