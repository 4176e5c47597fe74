//! Momentum with minibatches: mean-square stability of the real update on a scalar quadratic whose batches
//! have the curvature L with probability p and none otherwise, found by bisection.

use sharpscope::optim::{Hyperparameters, OptimizerSpec, StabilityContext};

use super::step;

const RATE: f64 = 0.01;

/// The update as a matrix on (w, velocity), for a curvature: heavy ball's memory is its velocity.
fn matrix(spec: &OptimizerSpec, curvature: f64) -> [[f64; 2]; 2] {
    let column = |w: f64, velocity: f64| {
        let mut optimizer = spec.build();
        let mut state = optimizer.state();
        state.accumulators = vec![("momentum_buffer".to_string(), vec![velocity])];
        optimizer.restore(&state).unwrap();
        let mut theta = vec![w];
        step(&mut *optimizer, RATE, &mut theta, &|w| vec![curvature * w[0]]);
        (theta[0], optimizer.state().accumulators[0].1[0])
    };
    let (first, second) = (column(1.0, 0.0), column(0.0, 1.0));
    [[first.0, second.0], [first.1, second.1]]
}

/// Growth of the second moments (w^2, w v, v^2) in a step, from its powers.
fn growth(spec: &OptimizerSpec, curvature: f64, p: f64) -> f64 {
    let [on, off] = [curvature, 0.0].map(|curvature| matrix(spec, curvature));
    let moments = |[[a, b], [c, d]]: [[f64; 2]; 2], [x, y, z]: [f64; 3]| {
        [
            a * a * x + 2.0 * a * b * y + b * b * z,
            a * c * x + (a * d + b * c) * y + b * d * z,
            c * c * x + 2.0 * c * d * y + d * d * z,
        ]
    };
    let mut state = [1.0, 0.0, 1.0];
    let mut log = 0.0;
    // In the second half, when the fastest mode is all that is left.
    let steps = 20_000;
    for step in 0..2 * steps {
        let (on, off) = (moments(on, state), moments(off, state));
        for i in 0..3 {
            state[i] = p * on[i] + (1.0 - p) * off[i];
        }
        let size = state.iter().map(|x| x.abs()).sum::<f64>();
        state.iter_mut().for_each(|x| *x /= size);
        log += if step < steps { 0.0 } else { size.ln() };
    }
    log / f64::from(steps)
}

/// The largest curvature times the rate at which second moments do not grow.
fn critical(spec: &OptimizerSpec, p: f64) -> f64 {
    let grows = |curvature: f64| growth(spec, curvature, p) > 1e-9;
    let (mut low, mut high) = (0.0, 5.0 / RATE);
    for _ in 0..30 {
        let middle = f64::midpoint(low, high);
        if grows(middle) { high = middle } else { low = middle }
    }
    low * RATE
}

/// From 2(1 + beta), the full batch, to 2(1 - beta), batches of which few have curvature: between what batch
/// sharpness settles at with large and with small ones.
#[test]
fn heavy_balls_edge_lies_between_those_of_small_and_of_large_batches() {
    let spec = OptimizerSpec::resolve("momentum", Hyperparameters::NONE).unwrap();
    let context = StabilityContext { lr: RATE, grad_norm: None };
    let [small, large] = spec.build().batch_edges(&context).unwrap().map(|edge| edge * RATE);
    assert!((small - 0.2).abs() < 1e-12 && (large - 3.8).abs() < 1e-12);
    let expected =
        [(1.0, 3.8), (0.9, 1.357), (0.5, 0.38), (0.1, 0.221), (0.01, 0.2019), (0.001, 0.2002)];
    for (p, expected) in expected {
        let found = critical(&spec, p);
        assert!((found / expected - 1.0).abs() < 2e-3, "p = {p}: {found}, not {expected}");
        assert!((small * 0.999..=large * 1.001).contains(&found));
    }
}

/// Without momentum the two are one, gradient descent's threshold; with a preconditioner none is known.
#[test]
fn edges_of_small_and_large_batches_of_each_rule() {
    let context = StabilityContext { lr: RATE, grad_norm: None };
    let edges = |name: &str| {
        let rule = OptimizerSpec::resolve(name, Hyperparameters::NONE).unwrap().build();
        let edges = rule.batch_edges(&context).map(|edges| edges.map(|edge| edge * RATE));
        if let (Some([_, large]), Some(threshold)) = (edges, rule.threshold(&context)) {
            assert!((large - threshold * RATE).abs() < 1e-12, "{name}");
        }
        edges.map(|edges| edges.map(|edge| (1e6 * edge).round() / 1e6))
    };
    assert_eq!(edges("sgd"), Some([2.0, 2.0]));
    assert_eq!(edges("nesterov"), Some([0.2, 1.357_143]));
    assert_eq!(edges("ema-momentum"), Some([2.0, 38.0]));
    assert_eq!(edges("adam"), None);
    assert_eq!(edges("sam"), None);
}
