//! Saddles.

use serde_json::json;

use super::bench::{Bench, at, ends};
use super::{Demo, Example, Part};
use crate::error::Result;
use crate::experiment::Prepared;
use crate::linalg::{dot, norm};

pub(super) const DEMO: Demo = Demo {
    name: "saddle",
    title: "Saddles: critical points with a way down",
    definition: "A saddle is a critical point whose Hessian has an eigenvalue below zero, as well as one above. It is \
                 strict: gradient descent leaves it along that direction, from almost every start, exponentially in \
                 the number of steps and not at once.",
    examples: &[
        Example {
            name: "strict",
            what: "From almost on the ridge, descent goes to the saddle first, stays, and leaves.",
            settings: r#"{"objective": "strict-saddle", "start": [1e-4, 1], "lr": 0.1, "steps": 200, "smallest": true}"#,
            event: Some("saddle"),
        },
        Example {
            name: "bottomless",
            what: "A quadratic saddle: the distance grows by 1 + lr |l| in each step.",
            settings: r#"{"objective": "saddle", "start": [1, 1e-3], "lr": 0.1, "steps": 200, "smallest": true}"#,
            event: Some("saddle"),
        },
        Example {
            name: "factors",
            what: "Two factors near 0: a saddle between signs, as at a small initialisation.",
            settings: r#"{"objective": "uv", "start": [1e-5, 2e-5], "lr": 0.1, "steps": 200, "smallest": true}"#,
            event: Some("saddle"),
        },
    ],
    non_examples: &[
        Example {
            name: "bowl",
            what: "A minimum: no direction goes down.",
            settings: r#"{"objective": "quadratic", "start": [1, 1], "lr": 0.1, "steps": 100, "smallest": true}"#,
            event: Some("saddle"),
        },
        Example {
            name: "plateau",
            what: "A plateau curves down a little everywhere, and has no critical point.",
            settings: r#"{"objective": "plateau", "start": [4, 4], "lr": 0.1, "steps": 100, "smallest": true}"#,
            event: Some("saddle"),
        },
    ],
    derivation: "Along an eigenvector with l < 0 gradient descent near the saddle is x - lr l x = (1 + lr |l|) x: a \
                 distance d grows to D in log(D/d)/log(1 + lr |l|) steps. With two factors W2 W1 at 0 the gradient is 0, since each \
                 factor's has the other in it, and to second order the loss is <C, W2 W1> with C its gradient by the \
                 product: the Hessian couples the two factors by C alone, and its smallest eigenvalue is minus the \
                 largest singular value of C.",
    column: "lambda_min (--smallest)",
    event: "saddle",
    small,
    large,
};

fn small(bench: &mut Bench) -> Result<()> {
    let rows = bench.run("bottomless")?;
    let rows = rows.rows()?;
    let norms: Vec<f64> = rows.iter().filter_map(|row| row.grad_norm).collect();
    bench.check(
        "growth of the gradient in a step, 1 + 0.1 * 0.1",
        1.01,
        norms[199] / norms[198],
        1e-9,
    );
    let lambda_min = |row: usize| rows[row].lambda_min.unwrap_or(f64::NAN);
    bench.check("smallest eigenvalue", -0.1, lambda_min(0), 1e-8);
    let strict = bench.run("strict")?;
    let rows = strict.rows()?;
    // From 1e-4 to half-way, by 1 + lr |l| = 1.1 while it is small.
    let half = 0.25 * (0.25f64 - 1.0).powi(2);
    let steps = rows.iter().position(|row| row.train_loss.is_some_and(|loss| loss < half));
    let theory = (0.5f64 / 1e-4).ln() / 1.1f64.ln();
    let what = "steps to x = 1/2 from 1e-4, log(D/d)/log(1 + lr |l|)";
    bench.check(what, theory, steps.map_or(f64::NAN, |steps| steps as f64), 0.05);
    let mut uv = bench.problem(json!({"objective": "uv"}))?;
    at(&mut *uv.problem.train, &[0.0, 0.0])?;
    let found = ends(&*uv.problem.train, 1)?;
    bench.check(
        "smallest eigenvalue of two factors at 0, -t",
        -1.0,
        found.lambda_min.unwrap_or(f64::NAN),
        1e-8,
    );
    Ok(())
}

fn large(bench: &mut Bench) -> Result<()> {
    bench.on(Part::Softmax);
    let deep = bench.problem(json!({
        "model": {"kind": "mlp", "hidden": [8], "activation": "identity", "bias": false},
        "dataset": "blobs", "loss": "ce", "train_size": 100,
    }))?;
    zero_factors(bench, deep)?;
    bench.on(Part::Transformer);
    attention(bench)
}

/// Two layers at 0: the smallest eigenvalue by a singular value of the data.
fn zero_factors(bench: &mut Bench, mut prepared: Prepared) -> Result<()> {
    let zero = vec![0.0; prepared.theta.len()];
    let gradient = at(&mut *prepared.problem.train, &zero)?.gradient;
    bench.check("gradient of two layers at 0", 0.0, norm(&gradient), 1e-12);
    let theory = -largest_singular_value(&covariance(&prepared));
    let found = ends(&*prepared.problem.train, 1)?.lambda_min.unwrap_or(f64::NAN);
    bench.check("smallest eigenvalue, -s_max of mean (1/K - y) x'", theory, found, 1e-6);
    Ok(())
}

/// mean over samples of (1/K - y) x', `K` rows: the gradient of the loss by the product of the layers at 0.
fn covariance(prepared: &Prepared) -> Vec<Vec<f64>> {
    let (data, train) = (&prepared.dataset, &prepared.split.train);
    let classes = data.outputs();
    let mut rows = vec![vec![0.0; data.input_shape().len()]; classes];
    for &sample in train {
        for (class, row) in rows.iter_mut().enumerate() {
            let hit = f64::from(data.label(sample) == Some(class));
            let weight = (1.0 / classes as f64 - hit) / train.len() as f64;
            row.iter_mut().zip(&*data.features(sample)).for_each(|(r, x)| *r += weight * x);
        }
    }
    rows
}

/// By powers of C'C.
fn largest_singular_value(rows: &[Vec<f64>]) -> f64 {
    let mut v = vec![1.0; rows.first().map_or(0, Vec::len)];
    let mut value = 0.0;
    for _ in 0..2000 {
        let image: Vec<f64> = rows.iter().map(|row| dot(row, &v)).collect();
        value = norm(&image) / norm(&v);
        let mut next = vec![0.0; v.len()];
        for (row, y) in rows.iter().zip(&image) {
            next.iter_mut().zip(row).for_each(|(n, x)| *n += y * x);
        }
        let length = norm(&next);
        v = next.into_iter().map(|x| x / length).collect();
    }
    value
}

/// Queries and keys at 0 are two such factors of the scores: their gradients are 0, and the curvature along a pair of
/// their directions is opposite for opposite signs.
fn attention(bench: &mut Bench) -> Result<()> {
    let mut prepared = bench.transformer()?;
    let entries = prepared.problem.train.layout().entries().to_vec();
    let mut theta = prepared.theta.clone();
    let mut places = Vec::new();
    for entry in entries.iter().filter(|entry| entry.name.contains("self_attn.in_proj")) {
        // Of queries, keys and values, one after the other.
        let third = entry.len / 3;
        theta[entry.offset..entry.offset + 2 * third].fill(0.0);
        places.push((entry.offset, third));
    }
    let gradient = at(&mut *prepared.problem.train, &theta)?.gradient;
    let within = |from: &(usize, usize)| gradient[from.0..from.0 + 2 * from.1].to_vec();
    let own: Vec<f64> = places.iter().flat_map(within).collect();
    let share = norm(&own) / norm(&gradient);
    bench.check("gradient by queries and keys, both being 0, of the whole", 0.0, share, 1e-12);
    let direction = |sign: f64| {
        let mut v = vec![0.0; theta.len()];
        for &(offset, third) in &places {
            for i in 0..third {
                v[offset + i] = ((i * 7 % 5) as f64) - 2.0;
                v[offset + third + i] = sign * (((i * 3 % 7) as f64) - 3.0);
            }
        }
        v
    };
    let along = |sign: f64| -> Result<f64> {
        let v = direction(sign);
        Ok(dot(&v, &prepared.problem.train.hvp(&v)?) / dot(&v, &v))
    };
    let (up, down) = (along(1.0)?, along(-1.0)?);
    bench.check("curvature along (q, -k) over that along (q, k)", -1.0, down / up, 1e-8);
    Ok(())
}
