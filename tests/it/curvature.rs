//! Curvature beyond the plain Hessian: the preconditioned operator against dense matrices, batch
//! sharpness against all batches there are, SAM's perturbed point.

use sharpscope::autodiff::{Objective, Samples};
use sharpscope::curvature::{BatchCurvature, BatchSharpness, CurvatureMeter, Preconditioned};
use sharpscope::data::InputShape;
use sharpscope::device::Precision;
use sharpscope::linalg::{
    DenseOperator, Estimate, Lanczos, SymmetricOperator, dot, norm, symmetric_eigen,
};
use sharpscope::model::{Activation, initial_parameters};
use sharpscope::optim::StabilityOperator;
use sharpscope::problem::Loss;
use sharpscope::rng::{Stream, stream};

use crate::derivatives::{Case, Data, assert_close, cpu, dense_hessian, gradient, measure, normal};
use crate::training::train;

const EXACT: Lanczos = Lanczos { largest: 1, smallest: 0, tolerance: 1e-10, max_iterations: 200 };

fn case(samples: usize) -> Case {
    let data = Data { samples, inputs: 6, classes: 3 };
    Case::random(&[5], Activation::Tanh, Loss::Ce, data)
}

/// A small net away from its initialisation, with the dense Hessian there.
fn problem(samples: usize) -> (Box<dyn Objective>, Vec<f64>, Vec<f64>) {
    let case = case(samples);
    let mut objective = case.objective(&cpu(Precision::F64), samples);
    let theta: Vec<f64> = normal(objective.dim(), 5).iter().map(|x| 0.7 * x).collect();
    objective.set_parameters(&theta).unwrap();
    let hessian = dense_hessian(&*objective);
    (objective, theta, hessian)
}

/// The largest eigenvalue of P^-1/2 (H + shift I) P^-1/2, formed entry by entry.
fn dense_preconditioned(hessian: &[f64], p: &[f64], shift: f64) -> f64 {
    let n = p.len();
    let entry = |i: usize, j: usize| {
        let diagonal = if i == j { shift } else { 0.0 };
        (hessian[i * n + j] + diagonal) / (p[i] * p[j]).sqrt()
    };
    let matrix: Vec<f64> = (0..n * n).map(|k| entry(k / n, k % n)).collect();
    symmetric_eigen(n, &matrix).unwrap().values.into_iter().fold(f64::MIN, f64::max)
}

/// Preconditioners from mild to spread over six orders of magnitude.
#[test]
fn preconditioned_sharpness_is_that_of_the_dense_operator() {
    let (objective, _, hessian) = problem(20);
    let meter = CurvatureMeter::lanczos(EXACT, 3);
    for spread in [0.5, 2.0, 6.0] {
        let uniform = normal(objective.dim(), 11).into_iter().map(|x| x.tanh());
        let p: Vec<f64> = uniform.map(|x| 10f64.powf(spread * x / 2.0)).collect();
        for shift in [0.0, 0.3] {
            let operator =
                StabilityOperator { preconditioner: Some(p.clone()), basis: None, shift };
            let found = meter.measure_operator(&*objective, &operator, 0).unwrap();
            let expected = dense_preconditioned(&hessian, &p, shift);
            assert!(found.converged, "spread {spread}, shift {shift}");
            assert_close(&[found.lambda[0]], &[expected], 1e-9, "preconditioned sharpness");
        }
    }
}

/// One product more would be one transfer more.
#[test]
fn the_preconditioner_adds_no_product() {
    struct Counted(DenseOperator, usize);

    impl SymmetricOperator for &mut Counted {
        fn dim(&self) -> usize {
            self.0.dim()
        }

        fn apply(&mut self, x: &[f64], y: &mut [f64]) -> sharpscope::Result<()> {
            self.1 += 1;
            self.0.apply(x, y)
        }
    }

    let mut inner = Counted(DenseOperator::new(2, vec![2.0, 1.0, 1.0, 3.0]).unwrap(), 0);
    let operator =
        StabilityOperator { preconditioner: Some(vec![4.0, 9.0]), basis: None, shift: 0.5 };
    let mut y = [0.0; 2];
    Preconditioned::new(&mut inner, &operator).unwrap().apply(&[1.0, 1.0], &mut y).unwrap();
    assert_eq!(inner.1, 1);
    // [[2.5/4, 1/6], [1/6, 3.5/9]] times [1, 1].
    assert_close(&y, &[2.5 / 4.0 + 1.0 / 6.0, 1.0 / 6.0 + 3.5 / 9.0], 1e-15, "product");
}

#[test]
fn a_preconditioner_of_the_wrong_length_is_refused() {
    let (objective, _, _) = problem(4);
    let meter = CurvatureMeter::lanczos(EXACT, 3);
    let operator =
        StabilityOperator { preconditioner: Some(vec![1.0; 3]), basis: None, shift: 0.0 };
    let error = meter.measure_operator(&*objective, &operator, 0).unwrap_err();
    assert!(error.to_string().contains("preconditioner"), "{error}");
}

/// The P that a step's row uses is the one that the step divided by: Adam's moments, written out
/// here, with the gradient at that step in them.
#[test]
fn a_run_with_adam_logs_the_sharpness_preconditioned_by_the_state_of_that_step() {
    let settings = serde_json::json!({
        "model": {"kind": "mlp", "hidden": [2]}, "train_size": 30, "validation_size": 0,
        "optimizer": "adam", "lr": 0.01, "beta1": 0.8, "beta2": 0.95, "eps": 1e-3,
        "weight_decay": 0.02, "steps": 6, "precision": "f64", "tolerance": 1e-9, "backend": "cpu",
        "max_iterations": 160
    });
    let trained = train(settings.clone());
    let settings = serde_json::from_value(settings).unwrap();
    let config = sharpscope::config::RunConfig::resolve(settings).unwrap();
    let mut prepared = sharpscope::experiment::prepare(config).unwrap();
    let objective = &mut prepared.problem.train;
    let (mut theta, n) = (prepared.theta.clone(), objective.dim());
    let (mut m, mut nu) = (vec![0.0; n], vec![0.0; n]);
    for row in &trained.rows {
        objective.set_parameters(&theta).unwrap();
        let (t, g) = (row.step as i32 + 1, gradient(&**objective));
        let mut p = vec![0.0; n];
        let before = theta.clone();
        for i in 0..n {
            let g = g[i] + 0.02 * before[i];
            m[i] = 0.8 * m[i] + 0.2 * g;
            nu[i] = 0.95 * nu[i] + 0.05 * g * g;
            p[i] = (nu[i] / (1.0 - 0.95f64.powi(t))).sqrt() + 1e-3;
            theta[i] -= 0.01 * (m[i] / (1.0 - 0.8f64.powi(t))) / p[i];
        }
        if [0, 3, 5].contains(&row.step) {
            let expected = dense_preconditioned(&dense_hessian(&**objective), &p, 0.02);
            let found = row.preconditioned_sharpness.unwrap();
            assert_close(&[found], &[expected], 1e-7, &format!("step {}", row.step));
        }
        let threshold = (2.0 + 2.0 * 0.8) / (0.2 * 0.01);
        assert_close(&[row.threshold.unwrap()], &[threshold], 1e-12, "threshold");
        let ratio = row.preconditioned_sharpness.unwrap() / row.threshold.unwrap();
        assert_eq!(row.edge_ratio, Some(ratio));
    }
}

/// Every subset of `size` out of `n`.
fn subsets(n: usize, size: usize) -> Vec<Vec<usize>> {
    let members = |mask: u32| (0..n).filter(move |i| mask >> i & 1 == 1);
    (0..1u32 << n)
        .filter(|mask| mask.count_ones() as usize == size)
        .map(|mask| members(mask).collect())
        .collect()
}

/// What is exact over all batches of a size, with H by differences of gradients.
struct Enumerated {
    mean_of_ratios: f64,
    ratio_of_means: f64,
    noise_scale: f64,
    interaction: f64,
}

fn enumerated(case: &Case, theta: &[f64], size: usize) -> Enumerated {
    let mut objective = case.objective(&cpu(Precision::F64), case.data.len());
    let mut gradient = |point: &[f64], samples: Samples<'_>| {
        objective.set_parameters(point).unwrap();
        objective.gradient(samples).unwrap().gradient
    };
    let full = gradient(theta, Samples::All);
    let [mut ratio, mut curvature, mut square, mut along, mut scatter] = [0.0; 5];
    let batches = subsets(case.data.len(), size);
    for batch in &batches {
        let g = gradient(theta, Samples::Batch(batch));
        let h = 1e-5 / norm(&g);
        let moved = |sign: f64| -> Vec<f64> {
            theta.iter().zip(&g).map(|(w, g)| w + sign * h * g).collect()
        };
        let mut form = |samples: Samples<'_>| {
            let (up, down) = (gradient(&moved(1.0), samples), gradient(&moved(-1.0), samples));
            (dot(&g, &up) - dot(&g, &down)) / (2.0 * h)
        };
        let own = form(Samples::Batch(batch));
        ratio += own / dot(&g, &g);
        curvature += own;
        square += dot(&g, &g);
        along += form(Samples::All);
    }
    // Of single samples: the covariance as it is defined.
    for sample in 0..case.data.len() {
        let g = gradient(theta, Samples::Batch(&[sample]));
        scatter += g.iter().zip(&full).map(|(g, f)| (g - f).powi(2)).sum::<f64>();
    }
    let (count, signal) = (batches.len() as f64, dot(&full, &full));
    Enumerated {
        mean_of_ratios: ratio / count,
        ratio_of_means: curvature / square,
        noise_scale: scatter / case.data.len() as f64 / signal,
        interaction: along / count / signal,
    }
}

/// A case of eight samples with its objective at a point, the gradient there, and what is exact over all
/// pairs.
fn eight() -> (Box<dyn Objective>, Vec<f64>, Enumerated) {
    let case = case(8);
    let mut objective = case.objective(&cpu(Precision::F64), 8);
    let theta: Vec<f64> = normal(objective.dim(), 5).iter().map(|x| 0.7 * x).collect();
    objective.set_parameters(&theta).unwrap();
    let full = gradient(&*objective);
    let exact = enumerated(&case, &theta, 2);
    (objective, full, exact)
}

/// Each estimate beside its exact value.
fn beside(found: &BatchCurvature, exact: &Enumerated) -> [(&'static str, Estimate, f64); 4] {
    [
        ("mean of ratios", found.mean_of_ratios, exact.mean_of_ratios),
        ("ratio of means", found.ratio_of_means, exact.ratio_of_means),
        ("noise scale", found.noise_scale.unwrap(), exact.noise_scale),
        ("interaction", found.interaction.unwrap(), exact.interaction),
    ]
}

fn drawn(batches: usize, seed: u64) -> BatchSharpness {
    BatchSharpness { batches, batch_size: 2, accuracy: None, seed }
}

/// Over all 28 pairs of 8 samples; the standard error must cover what it says, 95 times in 100 but
/// for the skewness of a ratio of few draws.
#[test]
fn batch_sharpness_is_that_over_all_batches_within_its_standard_error() {
    let (objective, full, exact) = eight();
    let seeds = 200;
    let mut covered = [0; 4];
    for seed in 0..seeds {
        let found = drawn(40, seed).measure(&*objective, Some(&full), 0).unwrap().unwrap();
        for (covered, (_, estimate, exact)) in covered.iter_mut().zip(beside(&found, &exact)) {
            let error = (estimate.value - exact).abs() / estimate.standard_error.unwrap();
            *covered += usize::from(error < 1.96);
        }
        assert_eq!((found.batches, found.products), (40, 60));
    }
    assert!((180..=198).contains(&covered[1]), "{} of {seeds} intervals", covered[1]);
    assert!(covered.iter().all(|covered| *covered >= 180), "{covered:?} of {seeds}");

    let found = drawn(4000, 1).measure(&*objective, Some(&full), 3).unwrap().unwrap();
    for (what, estimate, exact) in beside(&found, &exact) {
        let error = estimate.value - exact;
        let stated = estimate.standard_error.unwrap();
        assert!(error.abs() < 4.0 * stated, "{what}: {error} from {exact}");
        assert!(stated < 0.1 * exact.abs(), "{what}: {stated} of {exact}");
    }
    let Estimate { standard_error, .. } = found.ratio_of_means;
    assert!(standard_error.unwrap() < 0.03 * exact.ratio_of_means.abs());
    // They are not the same thing.
    let [mean, ratio] = [exact.mean_of_ratios, exact.ratio_of_means];
    assert!((mean / ratio - 1.0).abs() > 0.01, "{mean}, {ratio}");
}

/// Few batches, of which those with a large gradient weigh most: two errors hold it where there are any.
#[test]
fn batch_sharpness_of_few_batches_is_within_two_standard_errors() {
    let (objective, _, exact) = eight();
    let exact = exact.ratio_of_means;
    for batches in [8, 16] {
        let (mut covered, mut stated) = (0, 0);
        for seed in 0..400 {
            let found = drawn(batches, seed).measure(&*objective, None, 0).unwrap().unwrap();
            let estimate = found.ratio_of_means;
            let Some(error) = estimate.standard_error else { continue };
            stated += 1;
            covered += usize::from((estimate.value - exact).abs() <= 2.0 * error);
        }
        assert!(stated >= 100, "{batches}: stated in {stated} of 400");
        assert!(100 * covered >= 93 * stated, "{batches}: {covered} of {stated} hold {exact}");
    }
}

/// As many batches as the error asks for, at least eight.
#[test]
fn drawing_of_batches_ends_where_the_error_is_small() {
    let (objective, _, _) = eight();
    let with = |accuracy| BatchSharpness { accuracy: Some(accuracy), ..drawn(2000, 3) };
    let measure = |accuracy| with(accuracy).measure(&*objective, None, 0).unwrap().unwrap();
    assert_eq!(measure(1e3).batches, 8);
    assert_eq!(measure(1e-9).batches, 2000);
    let found = measure(0.1);
    assert!((9..2000).contains(&found.batches), "{}", found.batches);
    let Estimate { value, standard_error } = found.mean_of_ratios;
    assert!(standard_error.unwrap() <= 0.1 * value.abs());
    assert_eq!((found.noise_scale, found.interaction), (None, None), "without the full gradient");
}

/// The batch that is the whole set has no variance.
#[test]
fn batch_sharpness_of_the_full_batch_is_the_curvature_along_the_gradient() {
    let (objective, _, hessian) = problem(9);
    let batches = BatchSharpness { batches: 3, batch_size: 9, accuracy: None, seed: 0 };
    let g = gradient(&*objective);
    let found = batches.measure(&*objective, Some(&g), 0).unwrap().unwrap();
    let mut product = vec![0.0; g.len()];
    DenseOperator::new(g.len(), hessian).unwrap().apply(&g, &mut product).unwrap();
    let expected = dot(&g, &product) / dot(&g, &g);
    for estimate in [found.mean_of_ratios, found.ratio_of_means] {
        assert_close(&[estimate.value], &[expected], 1e-12, "batch sharpness");
        assert!(estimate.standard_error.unwrap() < 1e-12 * expected.abs());
    }
    assert_close(&[found.interaction.unwrap().value], &[expected], 1e-12, "interaction");
    assert_eq!(found.noise_scale, None, "no batch differs from the whole");
}

/// The product over a batch is that of an objective made of the batch alone.
#[test]
fn a_product_over_a_batch_is_that_of_its_samples() {
    let case = case(10);
    let device = cpu(Precision::F64);
    let theta = case.smooth_point(case.objective(&device, 10).dim());
    let all = case.at(&device, &theta);
    let v = normal(all.dim(), 2);
    let task = case.task();
    let mut some = sharpscope::problem::supervised(&device, &task, vec![7, 2, 4], 2).unwrap();
    some.set_parameters(&theta).unwrap();
    let found = all.hvp_over(Samples::Batch(&[7, 2, 4]), &v).unwrap();
    assert_close(&found, &some.hvp(&v).unwrap(), 1e-13, "product");
    assert!(all.hvp_over(Samples::Batch(&[10]), &v).is_err());
    assert!(all.hvp_over(Samples::Batch(&[]), &v).is_err());
}

/// SAM's own sharpness, its threshold and its perturbed point, recomputed from the first step's
/// gradient.
#[test]
fn a_run_with_sam_logs_its_edge_and_the_sharpness_where_it_takes_its_gradient() {
    let settings = serde_json::json!({
        "model": {"kind": "mlp", "hidden": [3]}, "train_size": 40, "validation_size": 0,
        "optimizer": "sam", "rho": 0.3, "lr": 0.1, "steps": 2, "precision": "f64",
        "tolerance": 1e-9, "perturbed_sharpness": true, "backend": "cpu", "max_iterations": 200
    });
    let trained = train(settings.clone());
    let config =
        sharpscope::config::RunConfig::resolve(serde_json::from_value(settings).unwrap()).unwrap();
    let mut prepared = sharpscope::experiment::prepare(config).unwrap();
    let objective = &mut prepared.problem.train;
    let mut theta = prepared.theta.clone();
    for row in &trained.rows {
        objective.set_parameters(&theta).unwrap();
        let g = gradient(&**objective);
        let sharpness = measure(&**objective, EXACT).lambda[0];
        let length = norm(&g);
        let point: Vec<f64> = theta.iter().zip(&g).map(|(w, g)| w + 0.3 * g / length).collect();
        objective.set_parameters(&point).unwrap();
        let perturbed = measure(&**objective, EXACT).lambda[0];
        let descent = gradient(&**objective);
        theta.iter_mut().zip(&descent).for_each(|(w, g)| *w -= 0.1 * g);

        let edge = length / 0.6 * ((1.0 + 8.0 * 0.3 / (0.1 * length)).sqrt() - 1.0);
        assert_close(&[row.grad_norm.unwrap()], &[length], 1e-12, "gradient at w");
        assert_close(&[row.threshold.unwrap()], &[edge], 1e-12, "SAM's edge");
        assert_close(&[row.sharpness.unwrap()], &[sharpness], 1e-8, "sharpness at w");
        assert_close(&[row.perturbed_sharpness.unwrap()], &[perturbed], 1e-8, "perturbed");
        assert!((perturbed / sharpness - 1.0).abs() > 1e-3, "the two points differ");
        assert_close(&[row.update_norm.unwrap()], &[0.1 * norm(&descent)], 1e-12, "update");
    }
}

/// Where one measures changes nothing about where one goes.
#[test]
fn measuring_does_not_change_the_path() {
    for optimizer in ["adam", "sam"] {
        let with = |every: usize| {
            let mut settings = serde_json::json!({
                "model": "linear", "train_size": 30, "validation_size": 0, "steps": 7,
                "optimizer": optimizer, "every": every, "batch_size": 10, "eval_every": 7
            });
            if optimizer == "sam" {
                settings["perturbed_sharpness"] = true.into();
            }
            train(settings).rows
        };
        let (often, seldom) = (with(1), with(7));
        for (a, b) in often.iter().zip(&seldom) {
            assert_eq!(a.update_norm, b.update_norm, "{optimizer}, step {}", a.step);
            assert_eq!(a.param_norm, b.param_norm, "{optimizer}, step {}", a.step);
        }
        assert!(often.iter().all(|row| row.batch_sharpness_se.is_some()));
    }
}

/// Weight decay of plain gradient descent shifts the spectrum.
#[test]
fn coupled_decay_adds_lambda_to_the_sharpness_that_is_compared() {
    let trained = train(serde_json::json!({
        "model": "linear", "train_size": 30, "validation_size": 0, "steps": 2, "lr": 0.1,
        "weight_decay": 0.25, "precision": "f64"
    }));
    for row in &trained.rows {
        let shifted = row.sharpness.unwrap() + 0.25;
        assert_eq!(row.preconditioned_sharpness, Some(shifted));
        assert_eq!(row.edge_ratio, Some(shifted / 20.0));
    }
}

#[test]
fn initial_weights_do_not_depend_on_the_optimizer() {
    let initial = |optimizer: &str| {
        train(serde_json::json!({
            "model": "linear", "train_size": 30, "steps": 1, "optimizer": optimizer, "seed": 4
        }))
        .initial
    };
    let expected = initial("sgd");
    for optimizer in ["adam", "sam", "momentum"] {
        assert_eq!(initial(optimizer), expected, "{optimizer}");
    }
    let spec = sharpscope::model::ModelSpec::load("linear").unwrap();
    let inputs = InputShape::Features(64);
    let mut rng = stream(4, Stream::Initialisation);
    let drawn = initial_parameters(&spec, inputs, 10, &mut rng).unwrap();
    let rounded: Vec<f64> = drawn.into_iter().map(|w| f64::from(w as f32)).collect();
    assert_eq!(rounded, expected);
}
