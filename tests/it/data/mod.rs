//! Datasets, their split and scaling, and the order of minibatches: against rows read by hand,
//! counts, and statistics recomputed here.

mod builtin;
mod choices;
mod classes;
mod files;
mod generated;
mod joined;
mod numpy;
mod tables;
mod text;

use std::collections::BTreeSet;

use proptest::prelude::*;
use sharpscope::Error;
use sharpscope::data::{Dataset, Split, Standardisation};
use sharpscope::rng::{Stream, stream};
use sharpscope::train::BatchOrder;

/// A folder of files, gone at the end.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_string()
    }

    /// Writes a file and gives its path.
    fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn load_text(text: &[u8]) -> Result<Dataset, Error> {
    Dataset::load(&Folder::new().write("data.csv", text))
}

/// The class that a label is: its place among those that occur.
fn class_of<T: Ord + Copy>(label: T, labels: &[T]) -> usize {
    labels.iter().filter(|&&other| other < label).collect::<BTreeSet<_>>().len()
}

/// The line that an error of a file names.
fn failing_line(text: &[u8]) -> Option<u64> {
    match load_text(text) {
        Err(Error::File { line, .. }) => line,
        other => panic!("expected an error of the file, got {other:?}"),
    }
}

#[test]
fn a_file_keeps_its_numbers_and_may_have_a_header() {
    let plain = load_text(b"1.5,-2,0\n3e2,4,2\n").unwrap();
    assert_eq!((plain.len(), plain.input_shape().len(), plain.outputs()), (2, 2, 2));
    assert_eq!(*plain.features(1), [300.0, 4.0]);
    let headed = load_text(b"a,b,label\n1.5,-2,0\n3e2,4,2\n").unwrap();
    assert_eq!(headed.features(0), plain.features(0));
    assert_eq!(headed.label(1), Some(1), "the second of the two classes that there are");
}

#[test]
fn a_row_that_cannot_be_used_is_named_by_its_line() {
    assert_eq!(failing_line(b"1,2,0\n1,0\n"), Some(2), "ragged");
    assert_eq!(failing_line(b"1,2,0\n1,x,0\n"), Some(2), "not a number");
    assert_eq!(failing_line(b"1,x,0\n1,2,0\n"), Some(1), "a header has no number at all");
    assert_eq!(failing_line(b"1,2,0\n\n1,,0\n"), Some(3), "empty cell, after an empty line");
    assert_eq!(failing_line(b"1,2,0\n1,NaN,0\n"), Some(2), "NaN");
    assert_eq!(failing_line(b"1,2,0\n1,inf,0\n"), Some(2), "infinite");
    assert_eq!(failing_line(b"1,2,0\n1,2,0.5\n"), Some(2), "fractional label");
    assert_eq!(failing_line(b"1,2,-1\n"), Some(1), "negative label");
    assert_eq!(failing_line(b"1,2,1e300\n"), Some(1), "label out of range");
    assert_eq!(failing_line(b"7\n8\n"), Some(1), "no features");
    assert_eq!(failing_line(b""), None, "empty file");
    assert_eq!(failing_line(b"a,b,label\n"), None, "header only");
}

#[test]
fn truncated_gzip_is_an_error() {
    let bytes = std::fs::read("datasets/digits.csv.gz").unwrap();
    let message = load_text(&bytes[..bytes.len() / 2]).unwrap_err().to_string();
    assert!(message.contains("gzip"), "{message}");
    assert_eq!(load_text(&bytes).unwrap().len(), 1797);
}

proptest! {
    #[test]
    fn valid_rows_come_back(
        (rows, labels) in (1usize..5, 1usize..5).prop_flat_map(|(width, n)| (
            proptest::collection::vec(proptest::collection::vec(-1e9..1e9f64, width), n),
            proptest::collection::vec(0usize..7, n),
        ))
    ) {
        let line = |(row, label): (&Vec<f64>, &usize)| {
            let cells: String = row.iter().map(|x| format!("{x},")).collect();
            format!("{cells}{label}\n")
        };
        let text: String = rows.iter().zip(&labels).map(line).collect();
        let data = load_text(text.as_bytes()).unwrap();
        prop_assert_eq!(data.len(), rows.len());
        for (i, row) in rows.iter().enumerate() {
            prop_assert_eq!(&*data.features(i), &row[..]);
            prop_assert_eq!(data.label(i), Some(class_of(labels[i], &labels)));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = load_text(&bytes);
    }

    #[test]
    fn arbitrary_cells_never_panic(text in "([0-9a-z.,\\-+\" ]{0,12}\n){0,5}") {
        let _ = load_text(text.as_bytes());
    }

    #[test]
    fn damaged_gzip_never_panics(at in 2usize..57_000, bit in 0u8..8) {
        let mut bytes = std::fs::read("datasets/digits.csv.gz").unwrap();
        bytes[at] ^= 1 << bit;
        let _ = load_text(&bytes);
    }
}

#[test]
fn a_split_is_disjoint_seeded_and_of_the_sizes_asked_for() {
    let split = |seed| {
        let mut rng = stream(seed, Stream::Split);
        Split::shuffled(100, 60, Some(30), &mut rng).unwrap()
    };
    let first = split(0);
    assert_eq!((first.train.len(), first.validation.len()), (60, 30));
    let mut all = [first.train.clone(), first.validation.clone()].concat();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 90);
    assert!(all.iter().all(|&i| i < 100));
    assert_eq!(first, split(0));
    assert_ne!(first, split(1));
    assert_ne!(first.train, (0..60).collect::<Vec<_>>());

    let rest = Split::shuffled(100, 60, None, &mut stream(0, Stream::Split)).unwrap();
    assert_eq!(rest.validation.len(), 40);
    assert_eq!(rest.train, first.train);
}

#[test]
fn a_split_that_cannot_be_made_is_refused() {
    let split = |train, validation| {
        Split::shuffled(10, train, validation, &mut stream(0, Stream::Split)).unwrap_err()
    };
    assert!(split(0, None).to_string().contains("train_size = "));
    assert!(split(11, None).to_string().contains("train_size = "));
    assert!(split(8, Some(3)).to_string().contains("validation_size = "));
}

#[test]
fn a_split_by_position_validates_one_stretch() {
    let split = |seed, validation| {
        Split::by_position(2000, 900, validation, &mut stream(seed, Stream::Split)).unwrap()
    };
    let first = split(0, Some(300));
    assert_eq!((first.train.len(), first.validation.len()), (900, 300));
    assert!(first.validation.windows(2).all(|pair| pair[1] == pair[0] + 1));
    let mut all = [first.train.clone(), first.validation.clone()].concat();
    all.sort_unstable();
    all.dedup();
    assert_eq!((all.len(), all.last().is_some_and(|&last| last < 2000)), (1200, true));
    assert!(!first.train.is_sorted(), "drawn, not the first ones");
    assert_eq!(first, split(0, Some(300)));
    let starts: Vec<usize> = (0..8).map(|seed| split(seed, Some(300)).validation[0]).collect();
    let mut places = starts.clone();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), 8, "its place is drawn: {starts:?}");

    assert_eq!(split(0, None).validation.len(), 500, "at most 500 by default");
    assert_eq!(split(0, Some(1100)).validation.len(), 1100, "more where asked for");
    assert!(split(0, Some(0)).validation.is_empty());
    let small = Split::by_position(10, 8, None, &mut stream(0, Stream::Split)).unwrap();
    assert_eq!(small.validation.len(), 2);
    let refused = |train, validation| {
        Split::by_position(10, train, validation, &mut stream(0, Stream::Split)).unwrap_err()
    };
    assert!(refused(0, None).to_string().contains("train_size = "));
    assert!(refused(11, None).to_string().contains("train_size = "));
    assert!(refused(8, Some(3)).to_string().contains("validation_size = "));
}

#[test]
fn standardisation_uses_training_statistics_only() {
    let features = vec![1.0, 5.0, 3.0, 5.0, 100.0, 7.0];
    let mut data = Dataset::from_rows("toy", features, 2, vec![0, 1, 0], 2).unwrap();
    let statistics = Standardisation::of(&data, &[0, 1]);
    assert_eq!(statistics.mean, [2.0, 5.0]);
    assert_eq!(statistics.deviation, [1.0, 1.0], "a constant feature keeps its scale");
    statistics.apply(&mut data);
    assert_eq!(*data.features(0), [-1.0, 0.0]);
    assert_eq!(*data.features(1), [1.0, 0.0]);
    assert_eq!(*data.features(2), [98.0, 2.0]);
}

#[test]
fn an_epoch_of_minibatches_sees_each_sample_once() {
    let mut order = BatchOrder::new(10, 4, 7);
    let mut epoch = || -> Vec<Vec<usize>> { (0..3).map(|_| order.next_batch().to_vec()).collect() };
    let (first, second) = (epoch(), epoch());
    for batches in [&first, &second] {
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
        let mut seen = batches.concat();
        seen.sort_unstable();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
    }
    assert_ne!(first, second, "each epoch has an order of its own");
    let mut again = BatchOrder::new(10, 4, 7);
    assert_eq!(again.next_batch(), first[0]);
    let mut other = BatchOrder::new(10, 4, 8);
    assert_ne!(other.next_batch(), first[0]);
}
