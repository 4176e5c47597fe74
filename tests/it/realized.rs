//! The realized edge: on a quadratic, exactly where the loss of the step's samples stops falling.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use serde_json::json;
use sharpscope::autodiff::{
    Evaluation, GradientEvaluation, Objective, OutputMatrix, ParameterLayout, Samples,
};
use sharpscope::curvature::CurvatureMeter;
use sharpscope::device::Precision;
use sharpscope::linalg::{Lanczos, dot, norm};
use sharpscope::optim::{ENTRIES, Hyperparameters, OptimizerSpec, Schedule};
use sharpscope::problem::Problem;
use sharpscope::profile::{
    Checkpoint, History, NextUpdate, Observer, Profiler, ProfilerSettings, Realized, StepMeter,
    TrainingState,
};
use sharpscope::record::{EventKind, StepRow};
use sharpscope::stability::{Monitor, StabilitySettings};
use sharpscope::train::{BatchOrder, TrainSettings, Trainer};

use crate::support::{Place, Table};

const DIM: usize = 6;
const SAMPLES: usize = 8;

/// The mean over samples n of sum_i a_ni (w_i - c_ni)^2 / 2 + q w_i^4 / 12, by hand.
struct Own {
    layout: ParameterLayout,
    numbers: Vec<usize>,
    quartic: f64,
    theta: Vec<f64>,
}

impl Own {
    fn new(quartic: f64) -> Self {
        let layout = ParameterLayout::new([("w", vec![2, 2]), ("b", vec![2])]);
        Self { layout, numbers: (0..SAMPLES).collect(), quartic, theta: vec![0.0; DIM] }
    }

    fn curvature(n: usize, i: usize) -> f64 {
        0.3 + ((3 * n + 5 * i) % 7) as f64 / 2.0
    }

    fn centre(n: usize, i: usize) -> f64 {
        ((5 * n + 2 * i) % 9) as f64 / 9.0 - 0.4
    }

    fn mean(samples: Samples<'_>, of: impl Fn(usize) -> f64) -> f64 {
        let all: Vec<usize> = (0..SAMPLES).collect();
        let samples = match samples {
            Samples::All => &all,
            Samples::Batch(batch) => batch,
        };
        samples.iter().map(|&n| of(n)).sum::<f64>() / samples.len() as f64
    }

    fn loss(&self, samples: Samples<'_>) -> f64 {
        let coordinate = |n: usize, (i, w): (usize, &f64)| {
            Self::curvature(n, i) * (w - Self::centre(n, i)).powi(2) / 2.0
                + self.quartic * w.powi(4) / 12.0
        };
        Self::mean(samples, |n| self.theta.iter().enumerate().map(|at| coordinate(n, at)).sum())
    }
}

impl Objective for Own {
    fn layout(&self) -> &ParameterLayout {
        &self.layout
    }

    fn sample_numbers(&self) -> &[usize] {
        &self.numbers
    }

    fn set_parameters(&mut self, theta: &[f64]) -> sharpscope::Result<()> {
        self.theta = theta.to_vec();
        Ok(())
    }

    fn evaluate(&self) -> sharpscope::Result<Evaluation> {
        Ok(Evaluation { loss: self.loss(Samples::All), accuracy: None })
    }

    fn gradient(&self, samples: Samples<'_>) -> sharpscope::Result<GradientEvaluation> {
        let slope = |(i, w): (usize, &f64)| {
            Self::mean(samples, |n| Self::curvature(n, i) * (w - Self::centre(n, i)))
                + self.quartic * w.powi(3) / 3.0
        };
        let evaluation = Evaluation { loss: self.loss(samples), accuracy: None };
        Ok(GradientEvaluation {
            evaluation,
            gradient: self.theta.iter().enumerate().map(slope).collect(),
        })
    }

    fn hvp_over(&self, samples: Samples<'_>, v: &[f64]) -> sharpscope::Result<Vec<f64>> {
        let curved = |i: usize| {
            Self::mean(samples, |n| Self::curvature(n, i)) + self.quartic * self.theta[i].powi(2)
        };
        Ok(v.iter().enumerate().map(|(i, v)| curved(i) * v).collect())
    }

    fn output_product(&self, _: OutputMatrix, _: &[f64]) -> sharpscope::Result<Vec<f64>> {
        unreachable!("nobody asks for it")
    }
}

/// Rows, and the parameters that each describes, then those after the last.
#[derive(Default)]
struct Kept {
    rows: Vec<StepRow>,
    theta: Vec<Vec<f64>>,
}

impl Observer for Kept {
    fn row(&mut self, row: &StepRow) -> sharpscope::Result<()> {
        self.rows.push(row.clone());
        Ok(())
    }

    fn checkpoint(&mut self, checkpoint: Checkpoint<'_>) -> sharpscope::Result<()> {
        self.theta.push(checkpoint.state.theta.clone());
        Ok(())
    }
}

fn start() -> Vec<f64> {
    (0..DIM).map(|i| 1.0 - 0.3 * i as f64).collect()
}

fn settings(lr: f64, batch_size: Option<usize>, realized: Realized) -> TrainSettings {
    let lanczos = Lanczos { largest: 1, smallest: 0, tolerance: 1e-9, max_iterations: 50 };
    TrainSettings {
        schedule: Schedule::constant(lr),
        seek: None,
        steps: 6,
        batch_size,
        every: 1,
        eval_every: 1,
        meter: StepMeter {
            meter: CurvatureMeter::lanczos(lanczos, 0),
            batch_sharpness: None,
            realized,
            perturbed_sharpness: false,
            midpoint_sharpness: false,
            mechanism: None,
            quantities: Vec::new(),
            classes: Vec::new(),
        },
        spectrum: None,
        checkpoint_every: Some(1),
        on_warning: None,
        seed: 3,
        precision: Precision::F64,
    }
}

fn trained(optimizer: &OptimizerSpec, quartic: f64, settings: TrainSettings) -> Kept {
    let problem = Problem {
        train: Box::new(Own::new(quartic)),
        validation: None,
        test: None,
        curvature: None,
    };
    let mut kept = Kept::default();
    let optimizer = optimizer.build_for(problem.train.layout());
    let trainer = Trainer { problem, settings, optimizer, interrupted: &AtomicBool::new(false) };
    let state = TrainingState::initial(start());
    let end = trainer.run(state, &History::default(), &mut [&mut kept]).unwrap();
    assert!(end.error.is_none(), "{:?}", end.error);
    kept
}

/// g's and the change of the loss over `samples` from one point to another.
fn change(from: &[f64], to: &[f64], samples: Samples<'_>) -> (f64, f64) {
    let mut own = Own::new(0.0);
    own.set_parameters(from).unwrap();
    let before = own.gradient(samples).unwrap();
    own.set_parameters(to).unwrap();
    let step: Vec<f64> = to.iter().zip(from).map(|(to, from)| to - from).collect();
    (dot(&before.gradient, &step), own.loss(samples) - before.evaluation.loss)
}

/// For every optimizer, over learning rates from far too small to far too large, on all samples and on
/// minibatches: the change of the loss is g's (1 - r), and both signs of it are seen.
#[test]
fn the_loss_of_a_quadratic_falls_exactly_if_the_ratio_is_below_one() {
    for entry in ENTRIES {
        for batch_size in [None, Some(3)] {
            let spec = OptimizerSpec::resolve(entry.name, Hyperparameters::NONE).unwrap();
            let [mut fell, mut rose] = [0; 2];
            for exponent in -16..8 {
                let settings = settings(2.0_f64.powi(exponent), batch_size, Realized::Step);
                let kept = trained(&spec, 0.0, settings);
                let mut order = batch_size.map(|size| BatchOrder::new(SAMPLES, size, 3));
                for (row, pair) in kept.rows.iter().zip(kept.theta.windows(2)) {
                    let batch = order.as_mut().map(|order| order.next_batch().to_vec());
                    let samples = batch.as_deref().map_or(Samples::All, Samples::Batch);
                    let (slope, difference) = change(&pair[0], &pair[1], samples);
                    if norm(&pair[1]) > 1e6 || slope == 0.0 {
                        continue;
                    }
                    let what = format!("{}, {batch_size:?}, 2^{exponent}: {row:?}", entry.name);
                    assert_eq!(row.step_is_ascent, Some(slope >= 0.0), "{what}");
                    let Some(ratio) = row.realized_ratio else {
                        assert!(slope >= 0.0, "{what}");
                        continue;
                    };
                    assert!(slope < 0.0, "{what}");
                    let expected = slope * (1.0 - ratio);
                    let scale = slope.abs() * (1.0 + ratio) + 1e-7;
                    assert!((difference - expected).abs() < 1e-8 * scale, "{what}: {difference}");
                    if (ratio - 1.0).abs() > 1e-6 && slope.abs() > 1e-8 {
                        assert_eq!(difference < 0.0, ratio < 1.0, "{what}");
                        if ratio < 1.0 { fell += 1 } else { rose += 1 }
                    }
                }
            }
            let rises = rose > 0 || !can_overshoot(entry.name);
            assert!(fell > 3 && rises, "{}, {batch_size:?}: {fell}, {rose}", entry.name);
        }
    }
}

/// Adafactor moves each tensor by at most its own size at the first update, however large the rate: from here
/// that lowers the loss.
fn can_overshoot(optimizer: &str) -> bool {
    optimizer != "adafactor"
}

/// Where the change of the loss is bisected to nothing, the ratio is 1.
#[test]
fn where_the_loss_stands_still_the_ratio_is_one() {
    for entry in ENTRIES.iter().filter(|entry| can_overshoot(entry.name)) {
        let spec = OptimizerSpec::resolve(entry.name, Hyperparameters::NONE).unwrap();
        let at = |lr: f64| {
            let TrainSettings { meter, .. } = settings(lr, None, Realized::Step);
            let settings = TrainSettings { steps: 1, ..settings(lr, None, Realized::Step) };
            let kept = trained(&spec, 0.0, TrainSettings { meter, ..settings });
            let (_, difference) = change(&kept.theta[0], &kept.theta[1], Samples::All);
            (difference, kept.rows[0].realized_ratio)
        };
        let (mut low, mut high) = (1e-5, 1e3);
        assert!(at(low).0 < 0.0 && at(high).0 > 0.0, "{}", entry.name);
        for _ in 0..50 {
            let middle = f64::midpoint(low, high);
            if at(middle).0 < 0.0 { low = middle } else { high = middle }
        }
        let ratio = at(low).1.unwrap();
        assert!((ratio - 1.0).abs() < 1e-9, "{}: {ratio}", entry.name);
    }
}

/// With the curvature of the midpoint and the slope of the start.
#[test]
fn the_ratio_at_the_midpoint_has_the_curvature_there() {
    let sgd = OptimizerSpec::resolve("sgd", Hyperparameters::NONE).unwrap();
    let kept = trained(&sgd, 0.7, settings(0.5, None, Realized::Midpoint));
    assert_eq!(kept.rows[0].realized_ratio_midpoint, None, "nothing is before the start");
    for (row, three) in kept.rows[1..].iter().zip(kept.theta.windows(3)) {
        let middle: Vec<f64> =
            (0..DIM).map(|i| (three[0][i] + 2.0 * three[1][i] + three[2][i]) / 4.0).collect();
        let step: Vec<f64> = (0..DIM).map(|i| three[2][i] - three[1][i]).collect();
        let ratio = |point: &[f64]| {
            let mut own = Own::new(0.7);
            own.set_parameters(&three[1]).unwrap();
            let slope = dot(&own.gradient(Samples::All).unwrap().gradient, &step);
            own.set_parameters(point).unwrap();
            dot(&step, &own.hvp_over(Samples::All, &step).unwrap()) / (-2.0 * slope)
        };
        let found = [row.realized_ratio.unwrap(), row.realized_ratio_midpoint.unwrap()];
        for (found, expected) in found.into_iter().zip([ratio(&three[1]), ratio(&middle)]) {
            assert!((found / expected - 1.0).abs() < 1e-12, "step {}", row.step);
        }
        assert_ne!(found[0], found[1]);
    }
    let off = trained(&sgd, 0.7, settings(0.5, None, Realized::Off));
    assert!(
        off.rows.iter().all(|row| row.realized_ratio.is_none() && row.step_is_ascent.is_none())
    );
    let products = |kept: &Kept| kept.rows.iter().map(|row| row.hvps).sum::<usize>();
    assert_eq!(products(&kept) - products(&off), 6 + 5, "one product each");
}

/// A loop of one's own has the same numbers, once the update is known.
#[test]
fn a_loop_of_ones_own_has_the_same() {
    let sgd = OptimizerSpec::resolve("sgd", Hyperparameters::NONE).unwrap();
    let expected = trained(&sgd, 0.7, settings(0.5, None, Realized::Midpoint));
    let settings = ProfilerSettings { realized: Realized::Midpoint, ..ProfilerSettings::default() };
    let told = Arc::new(Mutex::new(Vec::new()));
    struct Told(Arc<Mutex<Vec<StepRow>>>);
    impl Observer for Told {
        fn row(&mut self, row: &StepRow) -> sharpscope::Result<()> {
            self.0.lock().unwrap().push(row.clone());
            Ok(())
        }
    }
    let mut profiler = Profiler::over(Box::new(Own::new(0.7)), Precision::F64, settings)
        .unwrap()
        .with_observer(Told(told.clone()));
    let rule = sgd.build();
    for (step, theta) in expected.theta.iter().enumerate() {
        let next = NextUpdate { lr: 0.5, optimizer: &*rule, preconditioner: None };
        assert_eq!(profiler.step(step, theta, next).unwrap().realized_ratio, None);
        let completed = profiler.completed().map(|row| (row.step, row.realized_ratio));
        let before = step.checked_sub(1).map(|at| (at, expected.rows[at].realized_ratio));
        assert_eq!(completed, before);
    }
    profiler.finish().unwrap();
    let told = told.lock().unwrap();
    for (found, expected) in told.iter().zip(&expected.rows) {
        assert_eq!(found.realized_ratio, expected.realized_ratio);
        assert_eq!(found.realized_ratio_midpoint, expected.realized_ratio_midpoint);
        assert_eq!(found.step_is_ascent, expected.step_is_ascent);
    }
    assert_eq!(told.last().unwrap().realized_ratio, None, "no update is known after it");
}

/// SAM ascends by the norm of the gradient that it is given: so is its threshold, with minibatches too.
#[test]
fn sams_threshold_is_by_the_gradient_that_it_ascends_along() {
    let sam = OptimizerSpec::resolve("sam", Hyperparameters::NONE).unwrap();
    let (lr, rho) = (0.05, 0.05);
    let kept = trained(&sam, 0.0, settings(lr, Some(2), Realized::Step));
    let mut order = BatchOrder::new(SAMPLES, 2, 3);
    let mut own = Own::new(0.0);
    for (row, theta) in kept.rows.iter().zip(&kept.theta) {
        own.set_parameters(theta).unwrap();
        let batch = order.next_batch().to_vec();
        let size = norm(&own.gradient(Samples::Batch(&batch)).unwrap().gradient);
        assert!((row.batch_grad_norm.unwrap() / size - 1.0).abs() < 1e-12);
        assert!((row.grad_norm.unwrap() / size - 1.0).abs() > 1e-3);
        // Long and Bartlett (2023).
        let edge = size / (2.0 * rho) * ((1.0 + 8.0 * rho / (lr * size)).sqrt() - 1.0);
        assert!((row.threshold.unwrap() / edge - 1.0).abs() < 1e-9, "{row:?}");
    }
}

#[test]
fn events_tell_where_the_ratio_reaches_one_and_where_it_has_left() {
    let ratios = [0.5, 0.99, 1.01, 0.95, 1.2, 0.8, 0.7, 0.6, 0.5, 1.0];
    let rows: Vec<StepRow> = ratios
        .iter()
        .enumerate()
        .map(|(step, &ratio)| StepRow {
            step,
            realized_ratio: Some(ratio),
            edge_ratio: Some(2.0 * ratio),
            ..StepRow::default()
        })
        .collect();
    let seen = Monitor::new(&StabilitySettings::default(), 1e-3).replay(&rows);
    let told: Vec<(usize, &str)> = seen.events.iter().map(|e| (e.step, e.kind.name())).collect();
    let expected =
        [(2, "realized_edge_entered"), (7, "realized_edge_left"), (9, "realized_edge_entered")];
    assert_eq!(told, expected);
    let EventKind::RealizedEdgeLeft { realized_ratio, edge_ratio, entered } = seen.events[1].kind
    else {
        panic!("{:?}", seen.events[1])
    };
    assert_eq!((realized_ratio, edge_ratio, entered), (0.6, Some(1.2), 2));
}

#[test]
fn the_program_logs_it_and_goes_on_with_it() {
    let place = Place::new();
    let run = "run --backend cpu --model linear --train-size 60 --validation-size 0 --precision f64 \
               --lr 0.1 --batch-size 20 --sharpness-batches 2 --realized midpoint";
    place.run_well(&format!("{run} --steps 9 --out whole"));
    place.run_well(&format!("{run} --steps 5 --out parts"));
    place.run_well("run --resume parts --steps 9");
    let [whole, parts] = ["whole", "parts"].map(|run| Table::of(place.made(run)));
    for name in ["realized_ratio", "realized_ratio_midpoint", "step_is_ascent"] {
        let cells = |table: &Table| (0..9).map(|row| table.cell(row, name).to_string()).collect();
        let (whole, parts): (Vec<String>, Vec<String>) = (cells(&whole), cells(&parts));
        assert_eq!(whole, parts, "{name}");
        assert_eq!(
            whole.iter().filter(|cell| cell.is_empty()).count(),
            usize::from(name.ends_with("midpoint"))
        );
    }
    let summary = crate::support::json_file(place.made("whole/summary.json"));
    assert_eq!(summary["final_realized_ratio"], json!(whole.number(8, "realized_ratio")));
    let doctor = place.run_well("doctor whole").out;
    assert!(doctor.contains("realized edge"), "{doctor}");
    place.run_well(
        &format!("{run} --realized off --steps 2 --out off").replace("--realized midpoint", ""),
    );
    assert!(!Table::of(place.made("off")).header.contains("realized"));
}
