//! Files of a run: numbers survive the way through text, weights the way through safetensors, and a
//! folder is never overwritten by surprise. What was written is read back the same, and what is no
//! table of a run is refused with its line.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use safetensors::SafeTensors;
use sharpscope::Error;
use sharpscope::config::{RunConfig, Settings};
use sharpscope::device::Precision;
use sharpscope::experiment::prepare;
use sharpscope::profile::{Observer, RunInfo};
use sharpscope::record::{Columns, Phase, StepRow, Summary, cells, column_names};
use sharpscope::rundir::{ManifestHead, RunDirectory, to_safetensors};

/// Two eigenvalues and no extra columns.
const TOP_2: Columns = Columns {
    top: 2,
    batch_sharpness_se: false,
    batch_noise: false,
    batch_grad_norm: false,
    components: 0,
    realized_ratio: false,
    realized_ratio_midpoint: false,
    midpoint_sharpness: false,
    midpoint_top: 0,
    mechanism: false,
    batch_mechanism: false,
    perturbed_sharpness: false,
    clip_factor: false,
    measured: Vec::new(),
};

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
        let names = column_names(&TOP_2);
        let cells = cells(&row_of(x), &names);
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
        column_names(&TOP_2).into_iter().zip(cells(&row_of(1.0), &column_names(&TOP_2))).collect();
    let cell = |name: &str| &named.iter().find(|(n, _)| n == name).unwrap().1;
    for name in ["val_loss", "batch_sharpness", "phase", "lambda_2", "lambda_min", "curvature_ms"] {
        assert_eq!(cell(name), "", "{name}");
    }
    assert_eq!(cell("converged"), "true");
    assert_eq!(cell("step"), "3");
}

#[test]
fn extra_columns_come_last_and_only_where_they_are_asked_for() {
    let row =
        StepRow { batch_sharpness_se: Some(0.25), perturbed_sharpness: Some(7.5), ..row_of(1.0) };
    let base = column_names(&TOP_2);
    let extras = [("batch_sharpness_se", "0.25"), ("perturbed_sharpness", "7.5")];
    for (se, perturbed) in [(false, false), (true, false), (false, true), (true, true)] {
        let columns = Columns { batch_sharpness_se: se, perturbed_sharpness: perturbed, ..TOP_2 };
        let names = column_names(&columns);
        let cells = cells(&row, &names);
        let asked = extras.into_iter().zip([se, perturbed]).filter(|(_, asked)| *asked);
        let (extra_names, extra_cells): (Vec<&str>, Vec<&str>) =
            asked.map(|(extra, _)| extra).unzip();
        assert_eq!(names[..base.len()], base);
        assert_eq!(names[base.len()..], extra_names);
        assert_eq!(cells[base.len()..], extra_cells);
    }
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
    RunDirectory::create(&folder, false)
        .unwrap()
        .write("manifest.json", include_bytes!("../goldens/gd/manifest.json"))
        .unwrap();
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

/// Writes a table of rows as a run does.
fn write_steps(folder: &Path, rows: &[StepRow], columns: &Columns) {
    let mut writer = csv::Writer::from_path(folder.join("steps.csv")).unwrap();
    writer.write_record(column_names(columns)).unwrap();
    for row in rows {
        writer.write_record(cells(row, &column_names(columns))).unwrap();
    }
    writer.flush().unwrap();
}

fn columns() -> impl Strategy<Value = Columns> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (0_usize..4, flags).prop_map(|(top, (batches, realized, perturbed, clip, mechanism))| Columns {
        top,
        batch_sharpness_se: batches,
        batch_noise: batches,
        batch_grad_norm: batches,
        components: if clip { top } else { 0 },
        realized_ratio: realized,
        realized_ratio_midpoint: realized,
        midpoint_sharpness: mechanism,
        midpoint_top: if mechanism { top } else { 0 },
        mechanism,
        batch_mechanism: mechanism && batches,
        clip_factor: clip,
        perturbed_sharpness: perturbed,
        measured: Vec::new(),
    })
}

/// A row that a table with these columns can hold: times in whole microseconds, nothing elsewhere.
fn row(columns: Columns) -> impl Strategy<Value = StepRow> {
    let numbers = prop::collection::vec(prop::option::of(any::<f64>()), 47);
    let lambda = prop::collection::vec(any::<f64>(), 0..=columns.top);
    let counts = (any::<u32>(), any::<u32>(), any::<u32>());
    let rest = (
        any::<f64>(),
        prop::option::of(any::<bool>()),
        prop::option::of(prop::sample::select(&Phase::ALL[..])),
    );
    (numbers, lambda, counts, rest).prop_map(
        move |(x, lambda, (step, hvps, micros), (lr, converged, phase))| StepRow {
            step: step as usize,
            lr,
            train_loss: x[0],
            train_accuracy: x[1],
            val_loss: x[2],
            val_accuracy: x[3],
            grad_norm: x[4],
            update_norm: x[5],
            param_norm: x[6],
            relative_update: x[7],
            sharpness: x[8],
            preconditioned_sharpness: x[9],
            batch_sharpness: x[10],
            threshold: x[11],
            edge_ratio: x[12],
            residual: x[13],
            converged,
            step_curvature: x[46].filter(|_| columns.realized_ratio),
            gradient_component: lambda.clone().into_iter().take(columns.components).collect(),
            step_component: lambda.clone().into_iter().take(columns.components).collect(),
            midpoint_lambda: lambda.clone().into_iter().take(columns.midpoint_top).collect(),
            lambda,
            lambda_min: x[14],
            gradient_alignment: x[15],
            hvps: hvps as usize,
            phase,
            measured: BTreeMap::new(),
            step_ms: f64::from(micros) / 1e3,
            curvature_ms: converged.map(|_| f64::from(hvps) / 1e3),
            batch_sharpness_se: x[16].filter(|_| columns.batch_sharpness_se),
            perturbed_sharpness: x[17].filter(|_| columns.perturbed_sharpness),
            realized_ratio: x[18].filter(|_| columns.realized_ratio),
            step_is_ascent: converged.filter(|_| columns.realized_ratio),
            realized_ratio_midpoint: x[19].filter(|_| columns.realized_ratio_midpoint),
            batch_sharpness_ratio_of_means: x[20].filter(|_| columns.batch_noise),
            batch_sharpness_ratio_of_means_se: x[21].filter(|_| columns.batch_noise),
            noise_scale: x[22].filter(|_| columns.batch_noise),
            noise_scale_se: x[23].filter(|_| columns.batch_noise),
            noise_interaction: x[24].filter(|_| columns.batch_noise),
            noise_interaction_se: x[25].filter(|_| columns.batch_noise),
            batch_edge_small: x[26].filter(|_| columns.batch_noise),
            batch_edge_large: x[27].filter(|_| columns.batch_noise),
            batch_edge_position: x[28].filter(|_| columns.batch_noise),
            batch_grad_norm: x[29].filter(|_| columns.batch_grad_norm),
            clip_factor: x[30].filter(|_| columns.clip_factor),
            midpoint_sharpness: x[31].filter(|_| columns.midpoint_sharpness),
            midpoint_preconditioned_sharpness: x[32].filter(|_| columns.midpoint_sharpness),
            alpha: x[33].filter(|_| columns.mechanism),
            beta: x[34].filter(|_| columns.mechanism),
            predicted_variance: x[35].filter(|_| columns.mechanism),
            measured_variance: x[36].filter(|_| columns.mechanism),
            curvature_length: x[37].filter(|_| columns.mechanism),
            flatness_force_share: x[38].filter(|_| columns.mechanism),
            sharpness_alignment: x[39].filter(|_| columns.mechanism),
            gauss_newton_share: x[40].filter(|_| columns.mechanism),
            sharpness_gradient_error: x[41].filter(|_| columns.mechanism),
            top_gradient_variance: x[42].filter(|_| columns.batch_mechanism),
            top_gradient_variance_se: x[43].filter(|_| columns.batch_mechanism),
            predicted_gap: x[44].filter(|_| columns.batch_mechanism),
            predicted_gap_se: x[45].filter(|_| columns.batch_mechanism),
        },
    )
}

proptest! {
    #[test]
    fn rows_are_read_back_as_they_were_written(
        (columns, rows) in columns()
            .prop_flat_map(|columns| (Just(columns.clone()), prop::collection::vec(row(columns), 0..4))),
    ) {
        let folder = tempfile::tempdir().unwrap();
        write_steps(folder.path(), &rows, &columns);
        let table = RunDirectory::at(folder.path()).steps().unwrap();
        prop_assert_eq!(&table.columns, &column_names(&columns));
        // The text of a row, for the sake of numbers that are not equal to themselves.
        prop_assert_eq!(format!("{:?}", table.rows().unwrap()), format!("{rows:?}"));
    }
}

/// Keeps rows as the table will have them, with times in microseconds, and the manifest as it is before
/// the first of them and after the last.
#[derive(Default)]
struct Kept {
    folder: PathBuf,
    manifests: Vec<ManifestHead>,
    rows: Vec<StepRow>,
}

impl Kept {
    fn read_manifest(&mut self) {
        self.manifests.extend(RunDirectory::at(&self.folder).manifest_head().unwrap());
    }
}

impl Observer for Kept {
    fn started(&mut self, run: &RunInfo) -> sharpscope::Result<()> {
        assert_eq!((run.first_step, run.steps, run.theta.len()), (0, Some(4), run.layout.len()));
        self.read_manifest();
        Ok(())
    }

    fn finished(&mut self, summary: &Summary, error: Option<&Error>) -> sharpscope::Result<()> {
        assert!(error.is_none());
        assert_eq!(summary.steps, self.rows.len());
        self.read_manifest();
        Ok(())
    }

    fn row(&mut self, row: &StepRow) -> sharpscope::Result<()> {
        let rounded = |ms: f64| format!("{ms:.3}").parse().unwrap();
        let (step_ms, curvature_ms) = (rounded(row.step_ms), row.curvature_ms.map(rounded));
        self.rows.push(StepRow { step_ms, curvature_ms, ..row.clone() });
        Ok(())
    }
}

#[test]
fn a_run_is_read_back_as_it_went() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("run");
    let settings: Settings = serde_json::from_value(serde_json::json!({
        "model": "linear", "train_size": 40, "validation_size": 20, "backend": "cpu", "steps": 4,
        "optimizer": "sam", "batch_size": 10, "sharpness_batches": 2, "top": 2,
        "perturbed_sharpness": true, "every": 2, "eval_every": 3, "out": &folder,
    }))
    .unwrap();
    let config = RunConfig::resolve(settings).unwrap();
    assert_eq!(RunDirectory::at(&folder).manifest_head().unwrap(), None);
    let mut kept = Kept { folder: folder.clone(), ..Kept::default() };
    let started = prepare(config).unwrap().start().unwrap();
    let finished = started.train(vec![Box::new(&mut kept)], &AtomicBool::new(false)).unwrap();
    let [under_way, ended] = &kept.manifests[..] else { panic!("the run begins and ends once") };
    assert_eq!((under_way.exit_code, under_way.config["optimizer"].as_str()), (None, Some("sam")));
    assert_eq!(ended.exit_code, Some(0));

    let directory = RunDirectory::at(&folder);
    assert_eq!(directory.steps().unwrap().rows().unwrap(), kept.rows);
    assert_eq!(kept.rows.iter().filter(|row| row.perturbed_sharpness.is_some()).count(), 2);
    assert_eq!(directory.summary().unwrap(), finished.summary);
    assert_eq!(directory.manifest_head().unwrap().unwrap().exit_code, Some(0));
}

/// The rows in a `steps.csv` of this content.
fn rows_in(content: &[u8]) -> sharpscope::Result<Vec<StepRow>> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("steps.csv"), content).unwrap();
    RunDirectory::at(folder.path()).steps()?.rows()
}

#[test]
fn a_last_line_that_is_half_written_is_dropped_wherever_it_ends() {
    let rows = [row_of(1.5), row_of(-2e300), row_of(1e-7)];
    let folder = tempfile::tempdir().unwrap();
    write_steps(folder.path(), &rows, &TOP_2);
    let text = fs::read(folder.path().join("steps.csv")).unwrap();
    let line_ends: Vec<usize> = (0..text.len()).filter(|&i| text[i] == b'\n').collect();
    for cut in line_ends[0]..text.len() {
        let whole = line_ends.iter().filter(|&&end| end < cut).count().saturating_sub(1);
        assert_eq!(rows_in(&text[..cut]).unwrap(), rows[..whole], "cut at byte {cut}");
    }
    assert_eq!(rows_in(&text).unwrap(), rows);
}

#[test]
fn what_is_no_table_of_steps_is_refused_with_its_line() {
    let cases: [(&[u8], u64, &str); 15] = [
        (b"", 1, "'step'"),
        (b"\n", 1, "'step'"),
        (b"name,lr\n0,0.1\n", 1, "'step'"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", 1, "table"),
        (b"step,lr\n0,0.1\n1\n2,0.1\n", 3, "1 cells under 2 columns"),
        (b"step,lr\n0,0.1,7\n1,0.1\n2,0.1\n", 2, "3 cells under 2 columns"),
        (b"step,lr\n0,0.1\n1,\xff\n", 3, "table"),
        (b"step,lr\n0,0.1\nx,0.1\n", 3, "step = 'x'"),
        (b"step,lr\n-1,0.1\n", 2, "step = '-1'"),
        (b"step,lr\n,0.1\n", 2, "step = ''"),
        (b"step,lr\n0,\n", 2, "lr = ''"),
        (b"step,lr,sharpness\n0,0.1,\n1,0.1,high\n", 3, "sharpness = 'high'"),
        (b"step,lr,lambda_1\n0,0.1,high\n", 2, "lambda_1 = 'high'"),
        (b"step,lr,hvps\n0,0.1,1.5\n", 2, "hvps = '1.5'"),
        (b"step,lr,converged\n0,0.1,yes\n", 2, "converged = 'yes'"),
    ];
    for (content, expected, part) in cases {
        let shown = content.escape_ascii();
        match rows_in(content) {
            Err(Error::File { path, line, problem, remedy }) => {
                assert_eq!(line, Some(expected), "{shown}");
                assert!(path.ends_with("steps.csv") && !remedy.to_string().is_empty(), "{shown}");
                assert!(problem.to_string().contains(part), "{shown}: {problem}");
            }
            other => panic!("{shown}: {other:?}"),
        }
    }
}

#[test]
fn columns_that_are_missing_are_not_measured_and_foreign_ones_are_left_alone() {
    let rows = rows_in(b"step,lr,note,sharpness\n3,0.5,\"mine, all\",2\n4,0.5,,\n").unwrap();
    let row = |step, sharpness| StepRow { step, lr: 0.5, sharpness, ..StepRow::default() };
    assert_eq!(rows, [row(3, Some(2.0)), row(4, None)]);
    let missing = tempfile::tempdir().unwrap();
    let directory = RunDirectory::at(missing.path());
    assert!(matches!(directory.steps(), Err(Error::File { line: None, .. })));
    assert!(matches!(directory.summary(), Err(Error::File { line: None, .. })));
    fs::write(missing.path().join("manifest.json"), "{\n\"config\": {},\n").unwrap();
    assert!(matches!(directory.manifest_head(), Err(Error::File { line: Some(3), .. })));
}
