//! Arrays that numpy wrote (`scripts/pytorch/files.py`), read back to the formulas that they were filled by,
//! and damaged.

use sharpscope::Error;
use sharpscope::data::{DataOptions, Dataset, InputShape, Inputs, Targets};

use super::Folder;

const IMAGES: &[u8] = include_bytes!("../../data/files/images.npz");
const COLOURS: &[u8] = include_bytes!("../../data/files/colours.npz");
const COLUMNS: &[u8] = include_bytes!("../../data/files/columns.npy");
const X: &[u8] = include_bytes!("../../data/files/x.npy");
const Y: &[u8] = include_bytes!("../../data/files/y.npy");

fn load(files: &[(&str, &[u8])], options: &DataOptions) -> Result<Dataset, Error> {
    let folder = Folder::new();
    let paths: Vec<String> = files.iter().map(|(name, bytes)| folder.write(name, bytes)).collect();
    Dataset::load_with(&paths[0], options, None, 0).map(|(dataset, _)| dataset)
}

fn numbers(regression: bool, target: Option<&str>) -> DataOptions {
    let target = target.map(str::to_string);
    DataOptions { regression: Some(regression), target, ..DataOptions::default() }
}

#[test]
fn archives_hold_images_and_their_classes() {
    let data = load(&[("mnist.npz", IMAGES)], &numbers(false, None)).unwrap();
    let shape = InputShape::Image { channels: 1, height: 2, width: 3 };
    let pixels = (0..24).map(|i| i * 10).collect();
    assert_eq!(data.inputs, Inputs::Images { shape, pixels });
    assert_eq!(data.targets, Targets::Classes { classes: 3, labels: vec![0, 2, 0, 1] });
    let said = data.description();
    assert!(
        said.contains("(3, 5, 9)") && said.contains("left out: arrays x_test, y_test"),
        "{said}"
    );

    let data = load(&[("c.npz", COLOURS)], &numbers(false, None)).unwrap();
    let shape = InputShape::Image { channels: 3, height: 2, width: 2 };
    // Colours first: red of all pixels, then green, then blue.
    let pixel = |image: u8, colour: u8, pixel: u8| 10 * (12 * image + 3 * pixel + colour);
    let pixels = (0..24).map(|i| pixel(i / 12, i % 12 / 4, i % 4)).collect();
    assert_eq!(data.inputs, Inputs::Images { shape, pixels });
    assert_eq!(data.targets, Targets::Classes { classes: 2, labels: vec![1, 0] });
}

#[test]
fn arrays_hold_their_targets_in_a_column_or_beside_them() {
    let data = load(&[("columns.npy", COLUMNS)], &numbers(false, None)).unwrap();
    let features = (0..5).flat_map(|i| [f64::from(i) / 4.0, f64::from(i) - 2.5]);
    let shape = InputShape::Features(2);
    assert_eq!(data.inputs, Inputs::Features { shape, values: features.collect() });
    assert_eq!(data.targets, Targets::Classes { classes: 2, labels: vec![0, 1, 0, 1, 0] });
    let first = load(&[("columns.npy", COLUMNS)], &numbers(true, Some("1"))).unwrap();
    let values = (0..5).map(|i| f64::from(i) / 4.0).collect();
    assert_eq!(first.targets, Targets::Values { outputs: 1, values });
    assert_eq!(*first.features(3), [0.5, 1.0]);

    for (x, y) in
        [("x.npy", "y.npy"), ("X_train.npy", "y_train.npy"), ("train_x.npy", "train_y.npy")]
    {
        let data = load(&[(x, X), (y, Y)], &numbers(true, None)).unwrap();
        let values = (0..12).map(|i| f64::from(i) / 8.0).collect();
        assert_eq!(data.inputs, Inputs::Features { shape: InputShape::Features(3), values });
        let values = (0..8).map(|i| f64::from(i) - 3.0).collect();
        assert_eq!(data.targets, Targets::Values { outputs: 2, values });
    }
}

#[test]
fn arrays_that_cannot_be_used_are_refused_with_what_is_wrong() {
    let refused = |files: &[(&str, &[u8])], options: &DataOptions| {
        let text = load(files, options).unwrap_err().to_string();
        assert!(text.contains("; ") && !text.contains('\n'), "{text}");
        text
    };
    let classes = numbers(false, None);
    let text = refused(&[("x.npy", X), ("y.npy", Y)], &classes);
    assert!(text.contains("2 targets for each sample") && text.contains("`regression`"), "{text}");
    let text = refused(&[("x.npy", X)], &classes);
    assert!(text.contains("label 1 is 0.25"), "{text}");
    let text = refused(&[("columns.npy", COLUMNS)], &numbers(true, Some("4")));
    assert!(text.contains("target = 4") && text.contains("1 to 3"), "{text}");
    let text = refused(&[("a.npz", IMAGES)], &numbers(false, Some("1")));
    assert!(text.contains("target = 1"), "{text}");
    let text = refused(&[("x.npy", X), ("y.npy", COLUMNS)], &numbers(true, None));
    assert!(text.contains("5 targets, but 4 samples"), "{text}");
    let with = |from: &str, to: &str| -> Vec<u8> {
        assert_eq!(from.len(), to.len());
        let at = X.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
        [&X[..at], to.as_bytes(), &X[at + to.len()..]].concat()
    };
    for (bytes, part) in [
        (with("(4, 3)", "(4, 4)"), "4x4"),
        (with("'>f8'", "'<U8'"), "'<U8'"),
        (with("'descr'", "'descs'"), "'descr'"),
        (with("(4, 3)", "[4, 3]"), "shape"),
        (X[..50].to_vec(), "header"),
        (X[..X.len() - 1].to_vec(), "95 bytes follow"),
        (b"\x93NUMPY\x09\0".to_vec(), "version 9"),
        (b"x".to_vec(), "no .npy file"),
    ] {
        let text = refused(&[("x.npy", &bytes)], &classes);
        assert!(text.contains(part), "no {part} in {text}");
    }
    let text = refused(&[("a.npz", &IMAGES[..IMAGES.len() - 30])], &classes);
    assert!(text.contains(".npz"), "{text}");
    let mut spoilt = IMAGES.to_vec();
    // Behind the header of the first array, in what is packed.
    spoilt[70] ^= 0xff;
    refused(&[("a.npz", &spoilt)], &classes);
}
