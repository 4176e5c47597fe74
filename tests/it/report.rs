//! Files of a run: numbers survive the way through text, weights the way through safetensors, and a
//! folder is never overwritten by surprise.

use std::fs;

use proptest::prelude::*;
use safetensors::SafeTensors;
use sharpscope::Error;
use sharpscope::autodiff::Precision;
use sharpscope::config::{RunConfig, Settings};
use sharpscope::record::{StepRow, column_names};
use sharpscope::report::{RunDirectory, cells, to_safetensors};
use sharpscope::run::prepare;

fn row_of(x: f64) -> StepRow {
    StepRow {
        step: 3,
        lr: x,
        train_loss: Some(x),
        sharpness: Some(-x),
        lambda: vec![x],
        converged: Some(true),
        ..StepRow::default()
    }
}

proptest! {
    #[test]
    fn numbers_read_back_as_the_same_value(x in any::<f64>()) {
        let names = column_names(2);
        let cells = cells(&row_of(x), 2);
        prop_assert_eq!(names.len(), cells.len());
        for (name, cell) in names.iter().zip(&cells) {
            let expected = match name.as_str() {
                "lr" | "train_loss" | "lambda_1" => x,
                "sharpness" => -x,
                _ => continue,
            };
            let read: f64 = cell.parse().unwrap();
            prop_assert!(read == expected || (read.is_nan() && expected.is_nan()), "{}", cell);
        }
    }
}

#[test]
fn what_was_not_measured_is_an_empty_cell() {
    let named: Vec<(String, String)> =
        column_names(2).into_iter().zip(cells(&row_of(1.0), 2)).collect();
    let cell = |name: &str| &named.iter().find(|(n, _)| n == name).unwrap().1;
    for name in ["val_loss", "batch_sharpness", "phase", "lambda_2", "lambda_min", "curvature_ms"] {
        assert_eq!(cell(name), "", "{name}");
    }
    assert_eq!(cell("converged"), "true");
    assert_eq!(cell("step"), "3");
}

#[test]
fn weights_pass_through_safetensors_in_pytorch_names_and_layout() {
    let settings: Settings = serde_json::from_value(serde_json::json!({
        "model": { "kind": "mlp", "hidden": [3] }, "train_size": 20, "backend": "cpu",
    }))
    .unwrap();
    let prepared = prepare(RunConfig::resolve(settings).unwrap()).unwrap();
    let layout = prepared.problem.train.layout();
    let theta: Vec<f64> = (0..layout.len()).map(|i| i as f64 * 0.5).collect();
    for (precision, width) in [(Precision::F32, 4), (Precision::F64, 8)] {
        let bytes = to_safetensors(layout, &theta, precision).unwrap();
        let read = SafeTensors::deserialize(&bytes).unwrap();
        let shape = |name: &str| read.tensor(name).unwrap().shape().to_vec();
        assert_eq!(shape("layers.0.weight"), [3, 64]);
        assert_eq!(shape("layers.0.bias"), [3]);
        assert_eq!(shape("layers.1.weight"), [10, 3]);
        assert_eq!(shape("layers.1.bias"), [10]);
        let second = read.tensor("layers.1.weight").unwrap();
        let entry = &second.data()[width..2 * width];
        let value = match precision {
            Precision::F32 => f64::from(f32::from_le_bytes(entry.try_into().unwrap())),
            Precision::F64 => f64::from_le_bytes(entry.try_into().unwrap()),
        };
        assert_eq!(value, theta[64 * 3 + 3 + 1]);
    }
    assert!(matches!(
        to_safetensors(layout, &theta[1..], Precision::F32),
        Err(Error::Length { .. })
    ));
}

#[test]
fn a_folder_with_anything_in_it_is_left_alone() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("run");
    RunDirectory::create(&folder, false).unwrap().write("manifest.json", b"{}").unwrap();
    fs::write(folder.join("notes.txt"), "mine").unwrap();

    assert!(matches!(RunDirectory::create(&folder, false), Err(Error::Output { .. })));
    assert!(folder.join("manifest.json").exists());

    fs::create_dir(folder.join("checkpoints")).unwrap();
    RunDirectory::create(&folder, true).unwrap();
    assert!(!folder.join("manifest.json").exists());
    assert!(!folder.join("checkpoints").exists());
    assert_eq!(fs::read_to_string(folder.join("notes.txt")).unwrap(), "mine");

    // Now it holds no run any more.
    assert!(matches!(RunDirectory::create(&folder, true), Err(Error::Output { .. })));
    assert!(RunDirectory::create(&parent.path().join("a/b/c"), false).is_ok());
}

#[test]
fn files_are_replaced_at_once_and_readable_by_others() {
    let folder = tempfile::tempdir().unwrap();
    let directory = RunDirectory::create(folder.path(), false).unwrap();
    directory.write("summary.json", b"first").unwrap();
    directory.write("summary.json", b"second").unwrap();
    assert_eq!(fs::read(folder.path().join("summary.json")).unwrap(), b"second");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(folder.path().join("summary.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o444, 0o444);
    }
}
