//! Curves between networks: against closed forms, central differences and PyTorch's numbers.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use sharpscope::Result;
use sharpscope::autodiff::{
    Evaluation, GradientEvaluation, Objective, OutputMatrix, ParameterLayout, Samples,
};
use sharpscope::data::Dataset;
use sharpscope::device::{BackendChoice, Device, Precision};
use sharpscope::landscape::curve::{
    Band, BandSettings, Curve, CurveKind, CurveTraining, Descent, insert_pivots, measures, relax,
    train_curve,
};
use sharpscope::landscape::{Surface, along, evenly};
use sharpscope::optim::{Hyperparameters, Optimizer, OptimizerSpec};
use sharpscope::problem::{Loss, Supervised, supervised};

use crate::support::{Place, Table, json_file, names_in};

/// L(x, y) = (y - 1 + x^2)^2: a valley of no loss along the parabola y = 1 - x^2, on which (-1, 0) and (1, 0)
/// lie; the line between them goes over L = 1.
struct Valley {
    layout: ParameterLayout,
    at: [f64; 2],
}

impl Valley {
    fn new() -> Self {
        Self { layout: ParameterLayout::new([("w", vec![2])]), at: [0.0; 2] }
    }
}

const ENDS: [[f64; 2]; 2] = [[-1.0, 0.0], [1.0, 0.0]];

impl Objective for Valley {
    fn layout(&self) -> &ParameterLayout {
        &self.layout
    }

    fn sample_numbers(&self) -> &[usize] {
        &[0]
    }

    fn set_parameters(&mut self, theta: &[f64]) -> Result<()> {
        self.at = [theta[0], theta[1]];
        Ok(())
    }

    fn evaluate(&self) -> Result<Evaluation> {
        Ok(self.gradient(Samples::All)?.evaluation)
    }

    fn gradient(&self, _: Samples<'_>) -> Result<GradientEvaluation> {
        let [x, y] = self.at;
        let off = y - 1.0 + x * x;
        let evaluation = Evaluation { loss: off * off, accuracy: None };
        Ok(GradientEvaluation { evaluation, gradient: vec![4.0 * x * off, 2.0 * off] })
    }

    fn hvp_over(&self, _: Samples<'_>, v: &[f64]) -> Result<Vec<f64>> {
        let [x, y] = self.at;
        let off = y - 1.0 + x * x;
        let xx = 4.0 * off + 8.0 * x * x;
        Ok(vec![xx * v[0] + 4.0 * x * v[1], 4.0 * x * v[0] + 2.0 * v[1]])
    }

    fn output_product(&self, _: OutputMatrix, _: &[f64]) -> Result<Vec<f64>> {
        unreachable!("no curve asks for it")
    }
}

fn optimizer(name: &str) -> Box<dyn Optimizer> {
    OptimizerSpec::resolve(name, Hyperparameters::NONE).unwrap().build()
}

fn trained(kind: CurveKind, free: usize, name: &str, lr: f64, steps: usize) -> (Curve, Descent) {
    let mut curve = Curve::straight(kind, &ENDS[0], &ENDS[1], free).unwrap();
    let training = CurveTraining {
        optimizer: &mut *optimizer(name),
        rate: &|step| lr * (1.0 - step as f64 / steps as f64),
        steps,
        decay: 0.0,
        seed: 0,
        batch: &mut || None,
        round: &|w| w,
    };
    let end = train_curve(&mut curve, &mut Valley::new(), training, |_| Ok(true)).unwrap();
    (curve, end)
}

/// With one free point at (0, 2) a Bezier curve is the parabola itself.
#[test]
fn a_bezier_curve_finds_the_valley_whatever_trains_it() {
    for (name, lr, steps) in
        [("sgd", 0.5, 2000), ("momentum", 0.1, 2000), ("adam", 0.05, 2000), ("sam", 0.5, 2000)]
    {
        let (curve, end) = trained(CurveKind::Bezier, 1, name, lr, steps);
        assert_eq!(end, Descent::Completed);
        let [x, y] = curve.points()[1][..] else { panic!("two numbers") };
        let near = if name == "sam" { 1e-3 } else { 1e-6 };
        assert!(x.abs() < near && (y - 2.0).abs() < near, "{name}: {x}, {y}");
        assert_eq!([&curve.points()[0][..], &curve.points()[2][..]], [&ENDS[0][..], &ENDS[1][..]]);
    }
}

#[test]
fn a_polychain_comes_nearer_with_more_points() {
    let worst = |free| {
        let (curve, _) = trained(CurveKind::Polychain, free, "adam", 0.05, 3000);
        let mut valley = Valley::new();
        let points =
            along(&mut Surface::new(&mut valley), &evenly(121), |t| curve.at(t), None, |_| Ok(()));
        measures(&points.unwrap(), 2.0).unwrap().max_loss
    };
    let (one, three) = (worst(1), worst(3));
    assert!(one < 0.2 && three < 0.2 * one, "{one}, {three}");
}

#[test]
fn a_step_too_large_ends_the_training_of_a_curve() {
    let (curve, end) = trained(CurveKind::Bezier, 1, "sgd", 1e9, 2000);
    assert_eq!(end, Descent::Diverged);
    assert!(curve.free().iter().all(|w| w.is_finite()));
}

/// Decay is that of the curve's weights: its derivative by the free point is c(t) lambda theta(t).
#[test]
fn decay_pulls_the_curve_and_not_its_control_points() {
    /// No loss anywhere.
    struct Plain(ParameterLayout);

    impl Objective for Plain {
        fn layout(&self) -> &ParameterLayout {
            &self.0
        }
        fn sample_numbers(&self) -> &[usize] {
            &[0]
        }
        fn set_parameters(&mut self, _: &[f64]) -> Result<()> {
            Ok(())
        }
        fn evaluate(&self) -> Result<Evaluation> {
            Ok(Evaluation { loss: 0.0, accuracy: None })
        }
        fn gradient(&self, _: Samples<'_>) -> Result<GradientEvaluation> {
            Ok(GradientEvaluation { evaluation: self.evaluate()?, gradient: vec![0.0; 2] })
        }
        fn hvp_over(&self, _: Samples<'_>, v: &[f64]) -> Result<Vec<f64>> {
            Ok(vec![0.0; v.len()])
        }
        fn output_product(&self, _: OutputMatrix, _: &[f64]) -> Result<Vec<f64>> {
            unreachable!("no curve asks for it")
        }
    }

    let mut curve = Curve::straight(CurveKind::Bezier, &[1.0, 2.0], &[3.0, -1.0], 1).unwrap();
    let before = curve.clone();
    let mut t = 0.0;
    let training = CurveTraining {
        optimizer: &mut *optimizer("sgd"),
        rate: &|_| 0.1,
        steps: 1,
        decay: 0.3,
        seed: 5,
        batch: &mut || None,
        round: &|w| w,
    };
    let mut plain = Plain(ParameterLayout::new([("w", vec![2])]));
    train_curve(&mut curve, &mut plain, training, |step| {
        t = step.t;
        Ok(true)
    })
    .unwrap();
    let share = 2.0 * t * (1.0 - t);
    for (i, w) in before.at(t).iter().enumerate() {
        let expected = before.points()[1][i] - 0.1 * 0.3 * share * w;
        assert!((curve.points()[1][i] - expected).abs() < 1e-14);
    }
}

#[test]
fn a_band_relaxes_into_the_valley_and_pivots_come_where_the_loss_is_above_the_line() {
    let mut valley = Valley::new();
    let mut band = Band::straight(&ENDS[0], &ENDS[1], 2).unwrap();
    // The line's losses rise to the middle and fall again: only the middle piece bulges above its chord.
    assert_eq!(insert_pivots(&mut band, &mut valley, 9, 2).unwrap(), 1);
    for cycle in 0..4 {
        if cycle > 0 {
            assert_eq!(insert_pivots(&mut band, &mut valley, 9, 2).unwrap(), 2);
        }
        let settings = BandSettings {
            optimizer: &mut *optimizer("momentum"),
            rate: &|_| 0.02,
            steps: cycle * 200..(cycle + 1) * 200,
            decay: 0.0,
            batch: &mut || None,
            round: &|w| w,
        };
        let end = relax(&mut band, &mut valley, settings, |_| Ok(true)).unwrap();
        assert_eq!(end, Descent::Completed);
    }
    let points = band.chain.points();
    assert_eq!(points.len(), 11);
    for point in points {
        valley.set_parameters(point).unwrap();
        let loss = valley.evaluate().unwrap().loss;
        assert!(loss < 1e-9, "{point:?}: {loss}");
    }
    // At equal distances along the chain.
    let lengths: Vec<f64> =
        points.windows(2).map(|p| (p[0][0] - p[1][0]).hypot(p[0][1] - p[1][1])).collect();
    let mean = lengths.iter().sum::<f64>() / lengths.len() as f64;
    assert!(lengths.iter().all(|l| (l - mean).abs() < 1e-5 * mean), "{lengths:?}");
}

/// On the parabola traced at uneven speed the mean over t is not that over arc length.
#[test]
fn means_over_arc_length_do_not_depend_on_speed() {
    let mut valley = Valley::new();
    let mut of = |speed: fn(f64) -> f64| {
        // Along the straight line, over L = (1 - x^2)^2, whose mean is 8/15.
        let path = |t: f64| vec![2.0 * speed(t) - 1.0, 0.0];
        let points =
            along(&mut Surface::new(&mut valley), &evenly(2001), path, None, |_| Ok(())).unwrap();
        measures(&points, 2.0).unwrap()
    };
    let (even, uneven) = (of(|t| t), of(|t| t * t * t));
    for m in [even, uneven] {
        assert!((m.mean_over_length - 8.0 / 15.0).abs() < 1e-5, "{m:?}");
        assert!((m.length - 2.0).abs() < 1e-12 && (m.max_loss - 1.0).abs() < 1e-5, "{m:?}");
    }
    assert!((even.mean_over_t - 8.0 / 15.0).abs() < 1e-5);
    assert!((uneven.mean_over_t - 8.0 / 15.0).abs() > 0.1, "{uneven:?}");
}

#[derive(Deserialize)]
struct Reference {
    widths: [usize; 3],
    inputs: Vec<f64>,
    labels: Vec<usize>,
    points: Vec<Vec<f64>>,
    curves: std::collections::BTreeMap<String, ReferenceCurve>,
}

#[derive(Deserialize)]
struct ReferenceCurve {
    losses: Vec<f64>,
    /// By the free points at t = 0.3.
    gradients: Vec<f64>,
}

fn reference() -> (Reference, Box<dyn Objective>) {
    let reference: Reference = serde_json::from_str(include_str!("../data/curves.json")).unwrap();
    let [inputs, hidden, classes] = reference.widths;
    let (features, labels) = (reference.inputs.clone(), reference.labels.clone());
    let data = Dataset::from_rows("reference", features, inputs, labels, classes).unwrap();
    let samples = data.len();
    let model = json!({"kind": "mlp", "hidden": [hidden], "activation": "tanh"});
    let model = serde_json::from_value(model).unwrap();
    let task = Arc::new(Supervised { model, data: Arc::new(data), loss: Loss::Ce });
    let device = Device::open(BackendChoice::Cpu, Precision::F64).unwrap();
    let objective = supervised(&device, &task, (0..samples).collect(), samples).unwrap();
    (reference, objective)
}

#[test]
fn losses_and_gradients_on_curves_are_pytorchs() {
    let (reference, mut objective) = reference();
    for (kind, expected) in &reference.curves {
        let curve = Curve::new(kind.parse().unwrap(), reference.points.clone()).unwrap();
        let ts = evenly(expected.losses.len());
        assert_eq!(ts.len(), 11);
        let points =
            along(&mut Surface::new(&mut *objective), &ts, |t| curve.at(t), None, |_| Ok(()));
        for (point, loss) in points.unwrap().iter().zip(&expected.losses) {
            let found = point.values.train.loss;
            assert!((found - loss).abs() < 1e-12 * loss, "{kind}, {}: {found}, {loss}", point.t);
        }
        objective.set_parameters(&curve.at(0.3)).unwrap();
        let gradient = objective.gradient(Samples::All).unwrap().gradient;
        let found = curve.free_gradient(0.3, &gradient);
        let off = found.iter().zip(&expected.gradients).map(|(a, b)| (a - b).abs());
        assert_eq!(found.len(), expected.gradients.len());
        assert!(off.fold(0.0, f64::max) < 1e-12, "{kind}");
    }
}

#[test]
fn gradients_on_curves_are_central_differences() {
    let (reference, mut objective) = reference();
    for kind in CurveKind::ALL {
        let mut curve = Curve::new(kind, reference.points.clone()).unwrap();
        for t in [0.15, 0.5, 0.8] {
            objective.set_parameters(&curve.at(t)).unwrap();
            let gradient = objective.gradient(Samples::All).unwrap().gradient;
            let found = curve.free_gradient(t, &gradient);
            let free = curve.free();
            for k in (0..free.len()).step_by(5) {
                let mut moved = |h: f64| {
                    let mut free = free.clone();
                    free[k] += h;
                    curve.set_free(&free).unwrap();
                    objective.set_parameters(&curve.at(t)).unwrap();
                    objective.evaluate().unwrap().loss
                };
                let h = 1e-5;
                let difference = (moved(h) - moved(-h)) / (2.0 * h);
                assert!((found[k] - difference).abs() < 1e-9, "{kind} at {t}, {k}");
            }
            curve.set_free(&free).unwrap();
        }
    }
}

const RUN: &str =
    "run --backend cpu --dataset moons --points 60 --model @/m.json --lr 0.5 --steps 40";

fn place() -> Place {
    let place = Place::new();
    place.file("m.json", r#"{"kind": "mlp", "hidden": [6], "activation": "tanh"}"#);
    place.run_well(&format!("{RUN} --out a"));
    place.run_well(&format!("{RUN} --seed 1 --data-seed 0 --out b"));
    place
}

#[test]
fn a_curve_between_runs_is_trained_measured_and_judged() {
    let place = place();
    for (curve, bends) in [("bezier", 2), ("polychain", 2), ("neb", 3)] {
        let flags = "--points 9 -- --optimizer momentum --lr 0.2 --steps 80 --batch-size 20";
        place.run_well(&format!(
            "landscape connect a b --curve {curve} --bends {bends} --cycles 2 --out {curve} {flags}"
        ));
        let made = |name: &str| place.made(&format!("{curve}/{name}"));
        let names = names_in(made(""));
        for name in ["connect.csv", "connect.svg", "connect.png", "training.csv", "training.svg"] {
            assert!(names.iter().any(|other| other == name), "{curve}: no {name} in {names:?}");
        }
        let table = Table::read(made("connect.csv"));
        assert_eq!(table.rows.len(), 18);
        assert!((0..18).all(|row| table.number(row, "lambda_1").is_finite()));
        let training = Table::read(made("training.csv"));
        assert_eq!(training.rows.len(), 80);
        assert!(training.column("loss").iter().all(|loss| loss.is_finite()));
        let result = json_file(made("connect.json"));
        let findings: Vec<&str> = result["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| finding["check"].as_str().unwrap())
            .collect();
        assert_eq!(
            findings,
            [
                "curve_training",
                "ends_stay",
                "below_the_line",
                "over_the_ends",
                "means_agree",
                "no_point_collapsed",
                "not_shorter"
            ]
        );
        let verdict = |check: &str| {
            let found = result["findings"].as_array().unwrap();
            found.iter().find(|f| f["check"] == check).unwrap()["verdict"].clone()
        };
        assert_eq!(verdict("ends_stay"), "pass", "{curve}");
        assert_eq!(verdict("not_shorter"), "pass", "{curve}");
        let settings = &json_file(made("manifest.json"))["settings"];
        assert_eq!(settings["training"]["optimizer"]["optimizer"], "momentum");
        // A control point is weights of the model.
        let point = made("point-1.safetensors");
        place.run_well(&format!("{RUN} --force --out from --init {}", point.display()));
    }
}

/// Nothing but the settings and the seed decides a curve.
#[test]
fn the_same_curve_is_found_again() {
    let place = place();
    let command = "landscape connect a b --points 5 --top 0";
    place.run_well(&format!("{command} --out one -- --steps 20"));
    place.run_well(&format!("{command} --out two -- --steps 20"));
    place.run_well(&format!("{command} --out three -- --steps 20 --seed 1"));
    let file = |name: &str| std::fs::read(place.made(&format!("{name}/connect.csv"))).unwrap();
    assert_eq!(file("one"), file("two"));
    assert_ne!(file("one"), file("three"));
}

/// A curve that was not trained is told from one that was.
#[test]
fn a_curve_that_failed_is_found_out() {
    let place = place();
    place.run_well(
        "landscape connect a b --points 9 --top 0 --out bad -- --optimizer sgd --lr 1e-9 --steps 1",
    );
    let verdicts = |name: &str| -> Vec<(String, String)> {
        let result = json_file(place.made(&format!("{name}/connect.json")));
        let text = |value: &Value| value.as_str().unwrap().to_string();
        let found = result["findings"].as_array().unwrap();
        found.iter().map(|f| (text(&f["check"]), text(&f["verdict"]))).collect()
    };
    assert!(verdicts("bad").contains(&("below_the_line".to_string(), "warn".to_string())));
    let done = place
        .run("landscape connect a b --points 9 --top 0 --out worse -- --optimizer sgd --lr 1e30");
    assert_eq!(done.code, Some(3), "{}", done.err);
    assert!(verdicts("worse").contains(&("curve_training".to_string(), "warn".to_string())));
}

#[test]
fn what_is_no_curve_is_refused() {
    let place = place();
    for (words, part) in [
        ("a a", "given twice"),
        ("a b --points 1", "--points = 1"),
        ("a b --bends 0", "--bends = 0"),
        ("a b --curve neb --cycles 0", "--cycles = 0"),
        ("a b --curve spline", "spline"),
        ("a b@7", "no checkpoint there"),
        ("a b -- --model linear", "more than how the curve is trained"),
        ("a b -- --batch-size 100000", "--batch-size"),
        ("a b -- --optimizer adm", "adam"),
        ("a b -- --lrr 1", "--lrr"),
        ("a", "B"),
    ] {
        let words = format!("landscape connect --out new {words}");
        let done = place.run(&words);
        assert_eq!(done.code, Some(2), "{words}: {}", done.err);
        assert!(done.err.contains(part), "{words}: {}", done.err);
        assert_eq!(done.err.lines().count(), 1, "{words}: {}", done.err);
        assert!(!place.made("new").exists(), "{words}");
    }
}
