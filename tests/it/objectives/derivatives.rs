//! Values, gradients and Hessian-vector products: against formulas written down by hand, and against central
//! differences, in both precisions and both ways of differentiating.

use serde_json::{Value, json};
use sharpscope::autodiff::Samples;
use sharpscope::linalg::{dot, norm};

use super::opened;

/// Value, gradient and the Hessian times a direction, at a point.
type ByHand = fn(&[f64], &[f64]) -> (f64, Vec<f64>, Vec<f64>);

struct Case {
    objective: Value,
    by_hand: ByHand,
    point: Vec<f64>,
}

fn case(objective: Value, by_hand: ByHand, point: &[f64]) -> Case {
    Case { objective, by_hand, point: point.to_vec() }
}

/// The Hessian in full, row by row, times a direction.
fn times(hessian: &[f64], v: &[f64]) -> Vec<f64> {
    hessian.chunks(v.len()).map(|row| dot(row, v)).collect()
}

fn cases() -> Vec<Case> {
    vec![
        case(
            json!({"kind": "quadratic", "spectrum": [5, 1, -2], "rotation": null}),
            |x, v| {
                let l = [5.0, 1.0, -2.0];
                let by = |z: &[f64]| (0..3).map(|i| l[i] * z[i]).collect::<Vec<f64>>();
                (0.5 * dot(&by(x), x), by(x), by(v))
            },
            &[0.3, -1.2, 0.7],
        ),
        case(
            json!({"kind": "saddle", "spectrum": [2, -0.5], "offset": 3}),
            |x, v| {
                let value = 3.0 + x[0] * x[0] - 0.25 * x[1] * x[1];
                (value, vec![2.0 * x[0], -0.5 * x[1]], vec![2.0 * v[0], -0.5 * v[1]])
            },
            &[0.4, -0.9],
        ),
        case(
            json!({"kind": "strict-saddle", "dimension": 3, "stiffness": 2}),
            |x, v| {
                let well = x[0] * x[0] - 1.0;
                let value = 0.25 * well * well + x[1] * x[1] + x[2] * x[2];
                let gradient = vec![x[0] * well, 2.0 * x[1], 2.0 * x[2]];
                (value, gradient, vec![(3.0 * x[0] * x[0] - 1.0) * v[0], 2.0 * v[1], 2.0 * v[2]])
            },
            &[0.2, -0.5, 0.9],
        ),
        case(json!({"kind": "monkey-saddle", "confinement": 2}), monkey_saddle, &[0.3, -0.4]),
        case(
            json!({"kind": "plateau", "dimension": 2}),
            |x, v| {
                let t = [x[0].tanh(), x[1].tanh()];
                let first = |t: f64| 0.5 * t * (1.0 - t * t);
                let second = |t: f64| 0.5 * (1.0 - t * t) * (1.0 - 3.0 * t * t);
                let value = 0.25 * (t[0] * t[0] + t[1] * t[1]);
                let product = vec![second(t[0]) * v[0], second(t[1]) * v[1]];
                (value, vec![first(t[0]), first(t[1])], product)
            },
            &[0.4, -1.7],
        ),
        case(
            json!({"kind": "valley", "dimension": 3, "stiffness": 2, "bend": 0.5}),
            valley,
            &[0.8, -0.3, 0.6],
        ),
        case(json!({"kind": "two-basins", "sharp": 8, "flat": 2}), two_basins, &[0.6, -0.3]),
        case(json!({"kind": "rosenbrock"}), rosenbrock, &[-0.7, 0.9]),
        case(
            json!({"kind": "quartic", "target": 2}),
            |p, v| {
                let (x, y) = (p[0], p[1]);
                let value = 0.5 * x * x * y * y + 0.5 * (y - 2.0) * (y - 2.0);
                let hessian = [y * y, 2.0 * x * y, 2.0 * x * y, x * x + 1.0];
                (value, vec![x * y * y, x * x * y + y - 2.0], times(&hessian, v))
            },
            &[0.3, 1.4],
        ),
        case(json!({"kind": "uv", "width": 2, "target": 1.5}), uv, &[0.5, -1.0, 0.7, 0.2]),
        case(
            json!({"kind": "matrix-factorization", "rows": 2, "columns": 3, "rank": 1,
                   "singular_values": [3, 2]}),
            factors,
            &[0.7, -0.4, 0.3, 0.9, -1.1],
        ),
        case(
            json!({"kind": "expression", "variables": ["x", "y"], "parameters": {"b": 100},
                   "formula": "b*(y-x^2)^2 + (1 - x)^2"}),
            rosenbrock,
            &[-0.7, 0.9],
        ),
        case(
            json!({"kind": "expression", "variables": ["y", "x"],
                   "formula": "-x^2/4e-1 + sin(pi*y)*exp(-2*x) - sqrt(x)*log(y) + tanh(x*y) + cos(x)^-2 + y^1.5 + 2^x"}),
            everything,
            &[0.6, 0.8],
        ),
    ]
}

fn monkey_saddle(p: &[f64], v: &[f64]) -> (f64, Vec<f64>, Vec<f64>) {
    let (x, y, c) = (p[0], p[1], 2.0);
    let r = x * x + y * y;
    let value = x.powi(3) - 3.0 * x * y * y + c / 4.0 * r * r + 27.0 / 32.0;
    let gradient = vec![3.0 * x * x - 3.0 * y * y + c * r * x, -6.0 * x * y + c * r * y];
    let across = -6.0 * y + 2.0 * c * x * y;
    let hessian =
        [6.0 * x + c * (3.0 * x * x + y * y), across, across, -6.0 * x + c * (x * x + 3.0 * y * y)];
    (value, gradient, times(&hessian, v))
}

fn valley(x: &[f64], v: &[f64]) -> (f64, Vec<f64>, Vec<f64>) {
    let (a, c) = (2.0, 0.5);
    let r = [x[1] - c * x[0] * x[0], x[2] - c * x[0] * x[0]];
    let value = 0.5 * a * (r[0] * r[0] + r[1] * r[1]);
    let gradient = vec![-2.0 * a * c * x[0] * (r[0] + r[1]), a * r[0], a * r[1]];
    let top = -2.0 * a * c * (r[0] + r[1]) + 8.0 * a * c * c * x[0] * x[0];
    let side = -2.0 * a * c * x[0];
    let hessian = [top, side, side, side, a, 0.0, side, 0.0, a];
    (value, gradient, times(&hessian, v))
}

fn two_basins(p: &[f64], v: &[f64]) -> (f64, Vec<f64>, Vec<f64>) {
    let (s, b, x) = (2.0, 2f64.ln(), p[0]);
    let (h, e) = (x * x - 1.0, (b * x).exp());
    let value = 0.25 * s * h * h * e + 0.5 * p[1] * p[1];
    let slope = 0.25 * s * e * (4.0 * x * h + b * h * h);
    let curvature = 0.25 * s * e * (8.0 * x * x + 4.0 * h + 8.0 * b * x * h + b * b * h * h);
    (value, vec![slope, p[1]], vec![curvature * v[0], v[1]])
}

fn rosenbrock(p: &[f64], v: &[f64]) -> (f64, Vec<f64>, Vec<f64>) {
    let (x, y) = (p[0], p[1]);
    let gap = y - x * x;
    let gradient = vec![-400.0 * x * gap - 2.0 * (1.0 - x), 200.0 * gap];
    let hessian = [1200.0 * x * x - 400.0 * y + 2.0, -400.0 * x, -400.0 * x, 200.0];
    (100.0 * gap * gap + (1.0 - x) * (1.0 - x), gradient, times(&hessian, v))
}

fn uv(p: &[f64], w: &[f64]) -> (f64, Vec<f64>, Vec<f64>) {
    let (u, v) = p.split_at(2);
    let (du, dv) = w.split_at(2);
    let r = dot(u, v) - 1.5;
    let dr = dot(du, v) + dot(u, dv);
    let scaled = |by: f64, a: &[f64], plus: f64, b: &[f64]| -> Vec<f64> {
        a.iter().zip(b).map(|(a, b)| by * a + plus * b).collect()
    };
    let gradient = [scaled(r, v, 0.0, v), scaled(r, u, 0.0, u)].concat();
    (0.5 * r * r, gradient, [scaled(dr, v, r, dv), scaled(dr, u, r, du)].concat())
}

/// Rank 1: u of length 2, v of length 3, M = diag(3, 2).
fn factors(p: &[f64], w: &[f64]) -> (f64, Vec<f64>, Vec<f64>) {
    let (u, v) = p.split_at(2);
    let (du, dv) = w.split_at(2);
    let m = [[3.0, 0.0, 0.0], [0.0, 2.0, 0.0]];
    let (mut value, mut gradient, mut product) = (0.0, vec![0.0; 5], vec![0.0; 5]);
    for i in 0..2 {
        for j in 0..3 {
            let r = u[i] * v[j] - m[i][j];
            let dr = du[i] * v[j] + u[i] * dv[j];
            value += 0.5 * r * r;
            gradient[i] += r * v[j];
            gradient[2 + j] += r * u[i];
            product[i] += dr * v[j] + r * dv[j];
            product[2 + j] += dr * u[i] + r * du[i];
        }
    }
    (value, gradient, product)
}

/// f = -x²/0.4 + sin(πy)e^(-2x) - √x log y + tanh(xy) + 1/cos² x + y^1.5 + 2^x, with y before x.
fn everything(p: &[f64], v: &[f64]) -> (f64, Vec<f64>, Vec<f64>) {
    let (y, x) = (p[0], p[1]);
    let pi = std::f64::consts::PI;
    let (s, c, e) = ((pi * y).sin(), (pi * y).cos(), (-2.0 * x).exp());
    let (t, l2) = ((x * y).tanh(), 2f64.ln());
    let (d, tan) = (1.0 - t * t, x.tan());
    let (sec, two) = (1.0 / x.cos().powi(2), 2f64.powf(x));
    let value = -2.5 * x * x + s * e - x.sqrt() * y.ln() + t + sec + y.powf(1.5) + two;
    let by_x =
        -5.0 * x - 2.0 * s * e - 0.5 / x.sqrt() * y.ln() + y * d + 2.0 * sec * tan + l2 * two;
    let by_y = pi * c * e - x.sqrt() / y + x * d + 1.5 * y.sqrt();
    let xx = -5.0 + 4.0 * s * e + 0.25 * x.powf(-1.5) * y.ln() - 2.0 * y * y * t * d
        + 4.0 * sec * tan * tan
        + 2.0 * sec * sec
        + l2 * l2 * two;
    let yy = -pi * pi * s * e + x.sqrt() / (y * y) - 2.0 * x * x * t * d + 0.75 / y.sqrt();
    let xy = -2.0 * pi * c * e - 0.5 / (x.sqrt() * y) + d - 2.0 * x * y * t * d;
    (value, vec![by_y, by_x], times(&[yy, xy, xy, xx], v))
}

fn direction(dim: usize) -> Vec<f64> {
    (0..dim).map(|i| 0.9 - 0.37 * i as f64).collect()
}

fn assert_close(found: &[f64], wanted: &[f64], relative: f64, what: &str) {
    let difference: Vec<f64> = found.iter().zip(wanted).map(|(a, b)| a - b).collect();
    let scale = norm(wanted).max(1e-3);
    assert!(norm(&difference) <= relative * scale, "{what}: {found:?}, not {wanted:?}");
}

/// How an objective is evaluated, and how near the numbers are then.
type Way = (&'static str, &'static str, &'static str, f64);

fn check_by_hand(cases: impl Iterator<Item = Case>, ways: &[Way]) {
    for Case { objective, by_hand, point } in cases {
        for &(backend, precision, hvp, relative) in ways {
            let more = json!({ "backend": backend, "precision": precision, "hvp": hvp });
            let mut loss = opened(&objective, more).problem.train;
            let v = direction(point.len());
            let (value, gradient, product) = by_hand(&point, &v);
            loss.set_parameters(&point).unwrap();
            let what = format!("{objective}, {backend}, {precision}, {hvp}");
            let evaluated = loss.evaluate().unwrap();
            assert_eq!(evaluated.accuracy, None, "{what}");
            assert_close(&[evaluated.loss], &[value], relative, &what);
            assert_close(
                &loss.gradient(Samples::All).unwrap().gradient,
                &gradient,
                relative,
                &what,
            );
            assert_close(&loss.hvp(&v).unwrap(), &product, relative, &what);
        }
    }
}

#[test]
fn values_gradients_and_products_are_those_written_down_by_hand() {
    let ways = [
        ("cpu", "f64", "forward", 1e-13),
        ("cpu", "f64", "reverse", 1e-13),
        ("cpu", "f32", "forward", 2e-5),
    ];
    check_by_hand(cases().into_iter(), &ways);
}

/// On a GPU, or on a software driver, which compiles each operation of a formula: of every sixth of them.
#[test]
fn on_wgpu_they_are_the_same_to_single_precision() {
    check_by_hand(cases().into_iter().step_by(6), &[("wgpu", "f32", "forward", 2e-5)]);
}

/// Those whose numbers are drawn have no formula by hand but that of the numbers.
#[test]
fn a_rotated_quadratic_has_the_spectrum_asked_for() {
    let spectrum = [7.0, 3.0, 1.0, 0.0, -2.0];
    let objective = json!({"kind": "quadratic", "spectrum": spectrum, "rotation": 4});
    let mut loss = opened(&objective, json!({})).problem.train;
    let x = [0.4, -0.2, 1.1, 0.5, -0.9];
    loss.set_parameters(&x).unwrap();
    let columns: Vec<Vec<f64>> = (0..5)
        .map(|i| loss.hvp(&(0..5).map(|j| f64::from(i == j)).collect::<Vec<_>>()).unwrap())
        .collect();
    assert!(
        columns
            .iter()
            .enumerate()
            .all(|(i, column)| { (0..5).filter(|&j| j != i).any(|j| column[j].abs() > 0.05) })
    );
    // The sums of the eigenvalues' powers are the traces of the matrix's powers.
    let mut power: Vec<Vec<f64>> = columns.clone();
    for exponent in 1..=5 {
        let trace: f64 = (0..5).map(|i| power[i][i]).sum();
        let wanted: f64 = spectrum.iter().map(|l: &f64| l.powi(exponent)).sum();
        assert!((trace - wanted).abs() < 1e-10 * wanted.abs().max(1.0), "{exponent}: {trace}");
        power = power
            .iter()
            .map(|column| {
                let mut next = vec![0.0; 5];
                for (k, x) in column.iter().enumerate() {
                    next.iter_mut().zip(&columns[k]).for_each(|(n, c)| *n += x * c);
                }
                next
            })
            .collect();
    }
    let hx: Vec<f64> = loss.hvp(&x).unwrap();
    assert_close(&loss.gradient(Samples::All).unwrap().gradient, &hx, 1e-13, "gradient");
    assert_close(&[loss.evaluate().unwrap().loss], &[0.5 * dot(&hx, &x)], 1e-13, "value");
}

#[test]
fn logistic_regression_is_that_of_its_points() {
    let objective =
        json!({"kind": "logistic", "dimension": 3, "points": 11, "regularization": 0.2});
    let run = opened(&objective, json!({}));
    let points = run.config.objective().unwrap().facts().constants();
    let mut loss = run.problem.train;
    // At 0 every margin is 0, where max and abs have kinks.
    for w in [[0.0; 3], [0.8, -0.5, 0.3]] {
        let v = direction(3);
        let (mut value, mut gradient, mut product) = (0.1 * dot(&w, &w), [0.0; 3], [0.0; 3]);
        for a in points.chunks(3) {
            let p = 1.0 / (1.0 + dot(a, &w).exp());
            value -= (1.0 - p).ln() / 11.0;
            for i in 0..3 {
                gradient[i] -= p * a[i] / 11.0;
                product[i] += p * (1.0 - p) * dot(a, &v) * a[i] / 11.0;
            }
        }
        for i in 0..3 {
            gradient[i] += 0.2 * w[i];
            product[i] += 0.2 * v[i];
        }
        loss.set_parameters(&w).unwrap();
        assert_close(&[loss.evaluate().unwrap().loss], &[value], 1e-13, "value");
        assert_close(&loss.gradient(Samples::All).unwrap().gradient, &gradient, 1e-13, "gradient");
        assert_close(&loss.hvp(&v).unwrap(), &product, 1e-13, "product");
    }
}

/// Of every objective with its usual numbers, in more variables where it takes them.
#[test]
fn derivatives_are_central_differences() {
    let wide = |name: &str| match name {
        "quadratic" => json!({"kind": name, "spectrum": [9, 4, 1, 0.1]}),
        "saddle" => json!({"kind": name, "spectrum": [1, 0.5, -0.1, -1]}),
        "strict-saddle" | "plateau" | "valley" | "two-basins" | "rosenbrock" | "logistic" => {
            json!({"kind": name, "dimension": 5})
        }
        "uv" => json!({"kind": name, "width": 3}),
        "expression" => {
            json!({"kind": name, "variables": ["a", "b"], "formula": "exp(a*b)/(2 + sin(a)) + b^3"})
        }
        name => json!({ "kind": name }),
    };
    for name in sharpscope::objective::NAMES {
        let run = opened(&wide(name), json!({}));
        let (mut loss, x) = (run.problem.train, run.theta);
        let v = direction(x.len());
        let h = 1e-5;
        let moved = |by: f64| -> Vec<f64> { x.iter().zip(&v).map(|(x, v)| x + by * v).collect() };
        let mut at = |x: &[f64]| {
            loss.set_parameters(x).unwrap();
            let there = loss.gradient(Samples::All).unwrap();
            (there.evaluation.loss, there.gradient)
        };
        let ((above, up), (below, down)) = (at(&moved(h)), at(&moved(-h)));
        let (_, gradient) = at(&x);
        let slope = (above - below) / (2.0 * h);
        let scale = norm(&gradient) * norm(&v) + 1.0;
        assert!((slope - dot(&gradient, &v)).abs() < 1e-8 * scale, "{name}: {slope}");
        let difference: Vec<f64> = up.iter().zip(&down).map(|(a, b)| (a - b) / (2.0 * h)).collect();
        assert_close(&loss.hvp(&v).unwrap(), &difference, 1e-6, name);
    }
}
