//! Stated errors: what a density leaves open between its nodes, few and skewed probes, drawn targets.

use sharpscope::curvature::{CurvatureOperator, Matrix, SpectrumMeter};
use sharpscope::linalg::{
    Estimate, Quadrature, Recurrence, SpectralDensity, StochasticLanczos, exact_trace,
};
use sharpscope::optim::StabilityOperator;

use super::cases;
use super::known::{Known, gaussian, spread};
use crate::support::{Place, json_file};

fn within_two(found: Estimate, exact: f64) -> bool {
    (found.value - exact).abs() <= 2.0 * found.standard_error.unwrap() + 1e-12
}

/// A cluster at zero, many small eigenvalues of both signs, and few large ones: 40 + 250 + 10.
fn planted(seed: u64) -> Known {
    let small = gaussian(250, seed).into_iter().map(|x| 0.02 * x.signum() * x.abs().exp());
    let large = (0..10).map(|i| 20.0 * 0.8f64.powi(i));
    Known::rotated(std::iter::repeat_n(0.0, 40).chain(small).chain(large), seed + 1)
}

fn shares_of(values: &[f64], near: f64) -> [f64; 3] {
    let n = values.len() as f64;
    let share = |inside: &dyn Fn(f64) -> bool| {
        values.iter().filter(|&&value| inside(value)).count() as f64 / n
    };
    [share(&|x| x < -near), share(&|x| x.abs() <= near), share(&|x| x > near)]
}

/// The nodes of few steps see no cluster between them: without their spacing the masses are stated
/// as surely as they are wrong.
#[test]
fn masses_of_a_cluster_between_nodes_are_within_their_errors() {
    for seed in 0..6 {
        let known = planted(100 * seed);
        let near = 1e-3 * known.magnitude();
        let exact = shares_of(&known.values, near);
        let mut missed = 0;
        for (probes, steps) in [(4, 20), (10, 40), (24, 40), (10, 80)] {
            let density = known.density(probes, steps, seed);
            let shares = density.shares(near).unwrap();
            let plain = density.masses(near);
            let name = format!("seed {seed}, {probes} probes of {steps} steps");
            for ((share, plain), exact) in shares.iter().zip(plain).zip(exact) {
                assert!(within_two(share.estimate, exact), "{name}: {share:?} for {exact}");
                let [low, high] = share.bracket;
                let value = share.estimate.value;
                assert!((0.0..=1.0).contains(&low) && low <= high && high <= 1.0 + 1e-12);
                assert!(low - 1e-12 <= value && value <= high + 1e-12, "{name}: {share:?}");
                missed += usize::from(!within_two(plain, exact));
            }
            let all: f64 = shares.iter().map(|share| share.estimate.value).sum();
            assert!((all - 1.0).abs() < 1e-12, "{name}: {all}");
            // Sure of something all the same.
            let widest = shares.iter().map(|s| s.bracket[1] - s.bracket[0]).fold(0.0, f64::max);
            assert!(steps < 80 || widest < 0.25, "{name}: a bracket of {widest}");
        }
        assert!(missed > 0, "seed {seed}: the nodes alone would have done");
    }
}

/// Per probe, and against the probe's own exact measure: no scatter to hide behind.
#[test]
fn brackets_hold_each_probes_own_mass_and_close() {
    let known = planted(7);
    let near = 1e-3 * known.magnitude();
    let exact = known.density(3, 1000, 5);
    let mut widths = Vec::new();
    for steps in [1, 2, 5, 20, 60, 150] {
        let found = known.density(3, steps, 5);
        let mut width = 0.0;
        for (own, all) in found.probes.iter().zip(&exact.probes) {
            let one = |probe: &Quadrature| SpectralDensity {
                dim: known.n(),
                probes: vec![probe.clone()],
                products: 0,
                signs: None,
            };
            let truth = one(all).masses(near).map(|mass| mass.value);
            for (share, truth) in one(own).shares(near).unwrap().into_iter().zip(truth) {
                let [low, high] = share.bracket;
                assert!(low - 1e-9 <= truth && truth <= high + 1e-9, "{steps}: {share:?}, {truth}");
                assert_eq!(share.estimate.standard_error, None);
                width += high - low;
            }
        }
        widths.push(width);
    }
    assert!(widths.is_sorted_by(|a, b| a >= b), "{widths:?}");
    assert!(widths[5] < 0.02 && widths[0] > 3.0, "{widths:?}");
}

/// One step of a measure with mean 1 and variance 4: by Cantelli's
/// inequality there is at most 4/(4 + 1) at 0 and below, and perhaps nothing.
#[test]
fn a_bracket_by_hand() {
    let probe = Quadrature {
        nodes: vec![1.0],
        weights: vec![1.0],
        recurrence: Some(Recurrence { diagonal: vec![1.0], subdiagonal: vec![2.0] }),
    };
    let density = SpectralDensity { dim: 9, probes: vec![probe; 2], products: 2, signs: None };
    let [negative, zero, positive] = density.shares(0.0).unwrap();
    let close = |found: [f64; 2], expected: [f64; 2]| {
        found.iter().zip(expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-12, "{found:?}"));
    };
    close(negative.bracket, [0.0, 0.8]);
    close(zero.bracket, [0.0, 0.8]);
    close(positive.bracket, [0.2, 1.0]);
    // The middles 0.4, 0.4 and 0.6 are 0.4 too much.
    let values = [negative, zero, positive].map(|share| share.estimate.value);
    for (value, expected) in values.into_iter().zip([0.2, 0.4, 0.4]) {
        assert!((value - expected).abs() < 1e-12, "{values:?}");
    }
    // A norm of one step lacks the square of what is left over: 9 (1 + 4).
    let norm = density.frobenius(0.0);
    assert!((norm.value - 3.0).abs() < 1e-12);
    assert!((2.0 * norm.standard_error.unwrap() - (45f64.sqrt() - 3.0)).abs() < 1e-12);
}

/// What is exact has no bracket, and the rest is Student's.
#[test]
fn exact_quadratures_leave_the_scatter_alone() {
    let known = Known::rotated([-1.0, 0.0, 2.0].into_iter().cycle().take(60), 3);
    let density = known.density(5, 20, 1);
    assert!(density.probes.iter().all(|probe| probe.recurrence.is_none()));
    for (share, plain) in density.shares(0.01).unwrap().into_iter().zip(density.masses(0.01)) {
        assert!((share.estimate.value - plain.value).abs() < 1e-12);
        assert!((share.bracket[1] - share.bracket[0]).abs() < 1e-12, "{share:?}");
        let ratio = share.estimate.standard_error.unwrap() / plain.standard_error.unwrap();
        assert!(ratio > 2.776 / 2.0 - 1e-3, "{ratio}");
    }
}

/// Rank one and a little: z'Az is as skew as a squared normal deviate. The textbook's two errors of 5
/// and 10 probes hold the norm in 78 and 86 of 100.
#[test]
fn norms_ranks_and_traces_of_skewed_probes_are_covered() {
    const SEEDS: u64 = 300;
    let known = Known::rotated(spread(-0.5, 0.5, 119).chain([20.0]), 4);
    let (trace, squares) = (known.trace(), known.values.iter().map(|x| x * x).sum::<f64>());
    for probes in [3, 5, 10] {
        let (mut covered, mut plain) = ([0; 3], 0);
        for seed in 0..SEEDS {
            let density = known.density(probes, 3, seed);
            let found = [density.trace(), density.frobenius(0.0), density.rank()];
            let exact = [trace, squares.sqrt(), trace * trace / squares];
            for ((covered, found), exact) in covered.iter_mut().zip(found).zip(exact) {
                *covered += usize::from(within_two(found, exact));
            }
            plain += usize::from(within_two(density.sum(|x| x * x), squares));
        }
        // 95 of 100, give or take 1.3.
        assert!(covered.iter().all(|&covered| covered >= 279), "{probes}: {covered:?} of {SEEDS}");
        assert!(plain < 279, "{probes}: {plain} of the textbook's");
    }
}

fn meter(matrix: Matrix, seed: u64) -> SpectrumMeter {
    SpectrumMeter {
        quadrature: StochasticLanczos { probes: 10, iterations: 12 },
        sigma: None,
        matrix,
        operator: StabilityOperator::default(),
        group: None,
        top: 1,
        tolerance: 1e-3,
        max_iterations: 200,
        trace_accuracy: 0.02,
        trace_products: 60,
        seed,
    }
}

/// The stopping rule takes few probes where they happen to be near each other.
#[test]
fn traces_that_stop_early_are_covered() {
    let case = &cases()[0];
    let objective = case.objective();
    let exact = case.matrices["hessian"].trace;
    let covered = (0..200)
        .filter(|&seed| {
            let meter = SpectrumMeter { trace_accuracy: 0.5, ..meter(Matrix::Hessian, seed) };
            let found = meter.measure(&*objective, 0).unwrap();
            within_two(found.trace.estimate, exact)
        })
        .count();
    assert!(covered >= 186, "{covered} of 200");
}

/// Over seeds, which draw probes and targets alike, the trace is the Fisher matrix's own.
#[test]
fn a_sampled_fishers_errors_hold_the_drawing_of_targets() {
    let case = &cases()[0];
    let objective = case.objective();
    let fisher = CurvatureOperator::new(&*objective, Matrix::Fisher, 0);
    let exact = exact_trace(&mut { fisher }).unwrap().estimate.value;
    let (mut covered, mut quadratures) = (0, 0);
    for seed in 0..200 {
        let found = meter(Matrix::SampledFisher, seed).measure(&*objective, 0).unwrap();
        covered += usize::from(within_two(found.trace.estimate, exact));
        quadratures += usize::from(within_two(found.quadrature_trace, exact));
        assert!(found.trace.products <= 60);
    }
    assert!(covered >= 186 && quadratures >= 186, "{covered} and {quadratures} of 200");
}

/// 24 probes agreed on 0.000 +- 0.000 near zero and 0.524 +- 0.008 below, of 0.127 and 0.432 by the whole
/// matrix.
#[test]
fn the_masses_of_a_networks_residual_are_within_their_errors() {
    let place = Place::new();
    let model = r#"{"kind": "cnn", "channels": [4, 6], "activation": "silu", "pooling": "max"}"#;
    place.file("cnn.json", model);
    place.run_well(
        "run --backend cpu --model @/cnn.json --dataset digits --train-size 60 --loss ce --lr 0.3 \
         --steps 40 --seed 34 --precision f64 --every 40 --out r",
    );
    let done = place.run_well("spectrum r --matrix residual --probes 6");
    assert!(done.out.contains("two hold 95%"), "{}", done.out);
    let numbers = json_file(place.made("r").join("spectra/step-40-residual.json"));
    let masses = &numbers["masses"];
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    let exact = [("negative", 0.432), ("zero", 0.127), ("positive", 0.441)];
    for ((name, exact), bracket) in exact.into_iter().zip(masses["brackets"].as_array().unwrap()) {
        let (value, error) =
            (number(&masses[name]["value"]), number(&masses[name]["standard_error"]));
        assert!((value - exact).abs() <= 2.0 * error, "{name}: {value} +- {error} for {exact}");
        let [low, high] = [0, 1].map(|end| number(&bracket[end]));
        assert!(low <= exact + 0.01 && exact <= high + 0.01, "{name}: {bracket} for {exact}");
        // Sure of something all the same.
        assert!(error < 0.15, "{name}: {value} +- {error}");
    }
}
