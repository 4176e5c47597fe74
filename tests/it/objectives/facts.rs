//! What is known of each objective: curvatures of its critical points, the edge, symmetries.

use serde_json::{Value, json};
use sharpscope::autodiff::Samples;
use sharpscope::linalg::norm;

use super::opened;

/// Eigenvalues of the Hessian at a point, descending, and the length of the gradient.
fn spectrum(objective: &Value, point: &[f64]) -> (Vec<f64>, f64) {
    let more = json!({ "top": point.len(), "tolerance": 1e-10 });
    let mut run = opened(objective, more);
    run.problem.train.set_parameters(point).unwrap();
    let curvature = run.meter().measure(&*run.problem.train, 0).unwrap();
    let gradient = run.problem.train.gradient(Samples::All).unwrap().gradient;
    (curvature.lambda, norm(&gradient))
}

#[test]
fn critical_points_have_the_curvatures_of_their_formulas() {
    let s = 0.5f64.sqrt();
    let monkey = json!({"kind": "monkey-saddle", "confinement": 3});
    let cases: [(Value, &[f64], &[f64]); 12] = [
        (json!({"kind": "saddle"}), &[0.0, 0.0], &[1.0, -0.1]),
        (json!({"kind": "strict-saddle"}), &[0.0, 0.0], &[4.0, -1.0]),
        (json!({"kind": "strict-saddle"}), &[-1.0, 0.0], &[4.0, 2.0]),
        (monkey.clone(), &[0.0, 0.0], &[0.0, 0.0]),
        // 9/c radially and 27/c across, c = 3, at the radius 3/c.
        (monkey.clone(), &[-1.0, 0.0], &[9.0, 3.0]),
        (monkey, &[0.5, 1.5 * (1.0 / 3.0f64).sqrt()], &[9.0, 3.0]),
        // a (1 + 4 c² x²) across, 0 along.
        (json!({"kind": "valley", "stiffness": 2}), &[1.0, 1.0], &[10.0, 0.0]),
        (json!({"kind": "two-basins"}), &[1.0, 0.0], &[8.0, 1.0]),
        (json!({"kind": "two-basins"}), &[-1.0, 0.0], &[2.0, 1.0]),
        // 501 +- sqrt(501² - 400), of trace 1002 and determinant 400.
        (json!({"kind": "rosenbrock"}), &[1.0, 1.0], &[1001.600640, 0.399360128]),
        (json!({"kind": "uv", "width": 2, "target": 1}), &[s, s, s, s], &[2.0, 0.0, 0.0, 0.0]),
        (json!({"kind": "uv", "target": 1}), &[2.0, 0.5], &[4.25, 0.0]),
    ];
    for (objective, point, wanted) in cases {
        let (found, gradient) = spectrum(&objective, point);
        assert!(gradient < 1e-12, "{objective} at {point:?}: {gradient}");
        for (found, wanted) in found.iter().zip(wanted) {
            let close = (found - wanted).abs() < 1e-7 * wanted.abs().max(1.0);
            assert!(close, "{objective} at {point:?}: {found}, not {wanted}");
        }
    }
}

/// U = V = sqrt(S): twice the largest singular value, and rank² zeros by U to UA, V to V inv(A)'.
#[test]
fn a_balanced_factorization_has_the_zeros_of_its_symmetry() {
    let objective = json!({"kind": "matrix-factorization", "rows": 3, "columns": 3, "rank": 2,
                           "singular_values": [3, 2]});
    let (a, b) = (3f64.sqrt(), 2f64.sqrt());
    let half = [a, 0.0, 0.0, b, 0.0, 0.0];
    let (eigenvalues, gradient) = spectrum(&objective, &[half, half].concat());
    assert!(gradient < 1e-12, "{gradient}");
    assert!((eigenvalues[0] - 6.0).abs() < 1e-8, "{eigenvalues:?}");
    assert_eq!(eigenvalues.iter().filter(|l| l.abs() < 1e-8).count(), 4, "{eigenvalues:?}");
}

/// Gradient descent on the quartic ends in the cycle y² = 2/eta, x = +-sqrt((t - y)/y).
#[test]
fn the_quartic_stabilises_itself_at_the_edge() {
    use std::sync::atomic::AtomicBool;

    let lr = 0.25;
    let more = json!({ "lr": lr, "steps": 1501, "start": [0.01, 1.0], "every": 1500 });
    let run = opened(&json!({"kind": "quartic"}), more);
    let still = AtomicBool::new(false);
    let folder = tempfile::TempDir::new().unwrap();
    let mut run = run;
    run.config.place.out = Some(folder.path().join("run"));
    let finished = run.start().unwrap().train(Vec::new(), &still).unwrap();
    let y = (2.0f64 / lr).sqrt();
    let square = (3.0 - y) / y;
    // Of [[y², 2xy], [2xy, x² + 1]].
    let (trace, determinant) =
        (y * y + square + 1.0, y * y * (square + 1.0) - 4.0 * square * y * y);
    let sharpness = 0.5 * (trace + (trace * trace - 4.0 * determinant).sqrt());
    let measured = finished.summary.final_sharpness.unwrap();
    assert!((measured / sharpness - 1.0).abs() < 1e-5, "{measured}, not {sharpness}");
    assert!(measured > 2.0 / lr && measured < 9.0);
}
