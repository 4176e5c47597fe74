//! Images of the user's in IDX and CIFAR-10's format: written here byte by byte, read back, and
//! damaged in every way that has a message.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use sharpscope::Error;
use sharpscope::data::{DataOptions, Dataset, InputShape};

use super::Folder;

const IMAGES: &str = "train-images-idx3-ubyte";
const LABELS: &str = "train-labels-idx1-ubyte";
const CIFAR_RECORD: usize = 3073;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn idx(magic: u32, dimensions: &[u32], entries: &[u8]) -> Vec<u8> {
    let header = [&[magic], dimensions].concat();
    header.iter().flat_map(|number| number.to_be_bytes()).chain(entries.iter().copied()).collect()
}

fn images(dimensions: [u32; 3], pixels: &[u8]) -> Vec<u8> {
    idx(0x0803, &dimensions, pixels)
}

fn labels(labels: &[u8]) -> Vec<u8> {
    idx(0x0801, &[labels.len() as u32], labels)
}

fn pair(images: &[u8], labels: &[u8]) -> Result<Dataset, Error> {
    let folder = Folder::new();
    folder.write(LABELS, labels);
    Dataset::load(&folder.write(IMAGES, images))
}

/// The message of a file's error, which must name the file and end with a remedy.
fn refusal(result: Result<Dataset, Error>, file: &str) -> String {
    match result.expect_err("it was accepted") {
        error @ Error::File { .. } => {
            let text = error.to_string();
            assert!(text.contains(file), "{text} does not name {file}");
            assert!(text.contains("; ") && !text.contains('\n'), "{text}");
            text
        }
        other => panic!("not an error of the file: {other:?}"),
    }
}

#[test]
fn idx_files_are_read_with_the_labels_beside_them() {
    let pixels: Vec<u8> = (0..12).map(|i| i * 20).collect();
    let images = images([2, 2, 3], &pixels);
    let data = pair(&images, &labels(&[4, 1])).unwrap();
    let shape = InputShape::Image { channels: 1, height: 2, width: 3 };
    assert_eq!((data.len(), data.input_shape(), data.outputs()), (2, shape, 5));
    let second = [120.0, 140.0, 160.0, 180.0, 200.0, 220.0].map(|x: f64| x / 255.0);
    assert_eq!(*data.features(1), second);
    assert_eq!([data.label(0), data.label(1)], [Some(4), Some(1)]);

    // Either gzipped or not, under either of the usual names.
    let names = [
        ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
        ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte"),
        ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte.gz"),
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
    ];
    let content = |name: &str, bytes: &[u8]| {
        if name.ends_with(".gz") { gzip(bytes) } else { bytes.to_vec() }
    };
    let mut checksums = Vec::new();
    for (of_images, of_labels) in names {
        let folder = Folder::new();
        folder.write(of_labels, &content(of_labels, &labels(&[4, 1])));
        let path = folder.write(of_images, &content(of_images, &images));
        let found = Dataset::load(&path).unwrap();
        assert_eq!((&found.inputs, &found.targets), (&data.inputs, &data.targets), "{of_images}");
        checksums.push(found.sha256);
    }
    assert_eq!(checksums[3], data.sha256, "of the files' bytes, whatever their names");
    assert_ne!(checksums[0], checksums[1], "labels count as well");
    assert_ne!(checksums[0], data.sha256);
}

#[test]
fn idx_files_that_cannot_be_used_are_refused() {
    let good_images = images([2, 1, 2], &[1, 2, 3, 4]);
    let good_labels = labels(&[0, 1]);
    assert_eq!(pair(&good_images, &good_labels).unwrap().len(), 2);
    let of_images = |bytes: &[u8]| refusal(pair(bytes, &good_labels), IMAGES);
    let of_labels = |bytes: &[u8]| refusal(pair(&good_images, bytes), LABELS);

    let text = of_images(&idx(0x0d03, &[2, 1, 2], &[0; 16]));
    assert!(text.contains("0x00000d03") && text.contains("0x00000803"), "{text}");
    let text = of_images(&good_labels);
    assert!(text.contains("file of labels"), "{text}");
    let text = of_labels(&good_images);
    assert!(text.contains("file of images"), "{text}");
    let text = of_labels(b"0,1\n");
    assert!(text.contains("0x00000801"), "{text}");

    let text = of_images(&images([2, 1, 2], &[1, 2, 3]));
    assert!(text.contains("2x1x2") && text.contains('3'), "{text}");
    of_images(&images([2, 1, 2], &[1, 2, 3, 4, 5]));
    // 2^96 bytes; 2^64, which wraps to none; a product that fits where there is no such file.
    let text = of_images(&images([u32::MAX; 3], &[]));
    assert!(text.contains("claims"), "{text}");
    of_images(&images([1 << 31, 1 << 31, 4], &[]));
    of_images(&images([60_000, 1 << 15, 1 << 15], &[7; 8]));
    of_labels(&idx(0x0801, &[u32::MAX], &[]));
    let text = of_images(&images([0, 28, 28], &[]));
    assert!(text.contains("0 images"), "{text}");
    of_images(&images([2, 0, 28], &[]));
    let text = of_images(&good_images[..10]);
    assert!(text.contains("dimensions"), "{text}");
    of_images(b"");
    of_labels(b"\0\0\x08");

    let text = of_labels(&labels(&[0, 1, 0]));
    assert!(text.contains("3 labels") && text.contains("2 images"), "{text}");

    let zipped = gzip(&good_images);
    let text = of_images(&zipped[..zipped.len() - 6]);
    assert!(text.contains("gzip"), "{text}");
}

#[test]
fn labels_that_are_not_there_are_asked_for() {
    let bytes = images([1, 1, 1], &[1]);
    let folder = Folder::new();
    let text = refusal(Dataset::load(&folder.write(IMAGES, &bytes)), LABELS);
    assert!(text.contains("beside the images"), "{text}");
    let text = refusal(Dataset::load(&folder.write("pictures-ubyte", &bytes)), "pictures-ubyte");
    assert!(text.contains("train-images-idx3-ubyte"), "{text}");
    let text = refusal(Dataset::load(&folder.write(LABELS, &labels(&[0]))), LABELS);
    assert!(text.contains("file of images"), "{text}");
    let text = refusal(Dataset::load(&folder.write("unknown.dat", b"abc\0\x01")), "unknown.dat");
    assert!(text.contains("IDX") && text.contains("CIFAR-10"), "{text}");
    let text = refusal(Dataset::load(&folder.path("missing-images-idx3-ubyte")), "missing-images");
    assert!(text.contains("cannot be read"), "{text}");
}

/// A record whose pixels count up from `first`.
fn record(label: u8, first: u8) -> Vec<u8> {
    let pixels = (0..CIFAR_RECORD - 1).map(|i| first.wrapping_add((i % 251) as u8));
    [label].into_iter().chain(pixels).collect()
}

#[test]
fn cifar_files_and_folders_are_read() {
    let folder = Folder::new();
    let bytes = [record(3, 0), record(9, 7)].concat();
    let data = Dataset::load(&folder.write("test_batch.bin", &bytes)).unwrap();
    let shape = InputShape::Image { channels: 3, height: 32, width: 32 };
    assert_eq!((data.len(), data.input_shape(), data.outputs()), (2, shape, 10));
    assert_eq!([data.label(0), data.label(1)], [Some(3), Some(9)]);
    // The second record's green plane begins 1024 pixels after its red one: 7 + 1024 % 251 = 27.
    assert_eq!(data.features(1)[0], 7.0 / 255.0);
    assert_eq!(data.features(1)[1024], 27.0 / 255.0);
    let zipped = Dataset::load(&folder.write("data_batch_1.bin.gz", &gzip(&bytes))).unwrap();
    assert_eq!((&zipped.inputs, &zipped.targets), (&data.inputs, &data.targets));

    let mut all = Vec::new();
    for i in 1..=5 {
        if i == 4 {
            let text = refusal(Dataset::load(&folder.path("")), "data_batch_4.bin");
            assert!(text.contains("data_batch_5.bin") && text.contains("digits"), "{text}");
        }
        let bytes = [record(i, i), record(0, 100 + i)].concat();
        folder.write(&format!("data_batch_{i}.bin"), &bytes);
        all.extend(bytes);
    }
    let data = Dataset::load(&folder.path("")).unwrap();
    assert_eq!(data.len(), 10);
    assert_eq!([0, 2, 4, 6, 8, 9].map(|i| data.label(i)), [1, 2, 3, 4, 5, 0].map(Some));
    assert_eq!(data.features(9)[0], 105.0 / 255.0);
    let joined = Dataset::load(&folder.write("all.bin", &all)).unwrap();
    assert_eq!((&joined.inputs, &joined.sha256), (&data.inputs, &data.sha256));
}

#[test]
fn cifar_files_that_cannot_be_used_are_refused() {
    let load = |bytes: &[u8]| Dataset::load(&Folder::new().write("data_batch_1.bin", bytes));
    let good = [record(0, 0), record(9, 0)].concat();
    assert_eq!(load(&good).unwrap().len(), 2);
    let text = refusal(load(&good[..good.len() - 1]), "data_batch_1.bin");
    assert!(text.contains("3073") && text.contains("6145"), "{text}");
    let text = refusal(load(&[good.clone(), record(10, 0)].concat()), "data_batch_1.bin");
    assert!(text.contains("record 3") && text.contains("10"), "{text}");
    let text = refusal(load(b""), "data_batch_1.bin");
    assert!(text.contains("empty"), "{text}");
    let zipped = gzip(&good);
    let text = refusal(load(&zipped[..zipped.len() / 2]), "data_batch_1.bin");
    assert!(text.contains("gzip"), "{text}");
}

#[test]
fn images_take_label_noise_and_nothing_else() {
    let folder = Folder::new();
    let path = folder.write("data_batch_1.bin", &record(1, 0));
    let load = |options| Dataset::load_with(&path, &options, None, 0);
    let noisy = DataOptions { label_noise: Some(0.5), ..DataOptions::default() };
    assert_eq!(load(noisy.clone()).unwrap().1, noisy);
    let target = DataOptions { target: Some("1".to_string()), ..DataOptions::default() };
    let text = load(target).unwrap_err().to_string();
    assert!(text.contains("target = 1: ") && text.contains("CSV files"), "{text}");
}

proptest! {
    #[test]
    fn valid_idx_files_come_back(
        (dimensions, pixels, classes) in (1u32..6, 1u32..6, 1u32..6).prop_flat_map(|(n, h, w)| (
            Just([n, h, w]),
            proptest::collection::vec(any::<u8>(), (n * h * w) as usize),
            proptest::collection::vec(any::<u8>(), n as usize),
        ))
    ) {
        let data = pair(&images(dimensions, &pixels), &labels(&classes)).unwrap();
        prop_assert_eq!(data.len(), classes.len());
        let size = (dimensions[1] * dimensions[2]) as usize;
        for (i, image) in pixels.chunks(size).enumerate() {
            let expected: Vec<f64> = image.iter().map(|&p| f64::from(p) / 255.0).collect();
            prop_assert_eq!(data.features(i), &expected[..]);
            prop_assert_eq!(data.label(i), Some(usize::from(classes[i])));
        }
    }

    #[test]
    fn arbitrary_idx_files_never_panic(
        dimensions in any::<[u32; 3]>(),
        right_magic in any::<bool>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let bytes = if right_magic { images(dimensions, &bytes) } else { bytes };
        let _ = pair(&bytes, &labels(&[0]));
        let _ = pair(&images([1, 1, 1], &[1]), &bytes);
    }

    #[test]
    fn arbitrary_cifar_files_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..20),
        records in proptest::collection::vec((any::<u8>(), any::<u8>()), 0..3),
    ) {
        let whole = records.iter().flat_map(|&(label, first)| record(label, first)).collect();
        let data = Dataset::load(&Folder::new().write("x.bin", &[whole, bytes.clone()].concat()));
        let good = bytes.is_empty() && !records.is_empty() && records.iter().all(|r| r.0 < 10);
        prop_assert_eq!(data.is_ok(), good);
        if let Ok(data) = data {
            for (i, &(label, first)) in records.iter().enumerate() {
                prop_assert_eq!(data.label(i), Some(usize::from(label)));
                prop_assert_eq!(data.features(i)[0], f64::from(first) / 255.0);
            }
        }
    }
}
