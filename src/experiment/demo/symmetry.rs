//! Symmetries.

use rand::RngExt;
use rand::seq::SliceRandom;
use serde_json::json;

use super::bench::{Bench, at, ends};
use super::{Demo, Example, Part};
use crate::autodiff::OutputMatrix;
use crate::curvature::named_group;
use crate::error::Result;
use crate::experiment::Prepared;
use crate::landscape::align::Symmetry;
use crate::linalg::{dot, norm};
use crate::rng::{self, Stream};

pub(super) const DEMO: Demo = Demo {
    name: "symmetry",
    title: "Symmetry: directions that change nothing",
    definition: "A symmetry is a change of the parameters that leaves the loss as it is for every value of them: \
                 hidden units that change places, signs or scales, logits that are shifted together. A continuous one \
                 makes every minimum degenerate: along it the loss is flat.",
    examples: &[
        Example {
            name: "scales",
            what: "u to cu and v to v/c: minima on a curve, and u^2 - v^2 hardly changes on the way there.",
            settings: r#"{"objective": "uv", "start": [1.5, 0.2], "lr": 0.05, "steps": 200, "smallest": true, "checkpoint_every": 50}"#,
            event: None,
        },
        Example {
            name: "factors",
            what: "U to UA and V to V inv(A)': rank^2 zero eigenvalues at the minimum.",
            settings: r#"{"objective": "matrix-factorization", "lr": 0.05, "steps": 400, "smallest": true}"#,
            event: None,
        },
        Example {
            name: "signs",
            what: "Two minima that are one by a reflection.",
            settings: r#"{"objective": {"kind": "strict-saddle", "offset": 1}, "start": [-0.5, 1], "lr": 0.1, "steps": 100, "smallest": true}"#,
            event: Some("minimum_suspected"),
        },
    ],
    non_examples: &[
        Example {
            name: "valley",
            what: "A curve of minima with no symmetry: the sharpness changes along it because the loss around it does.",
            settings: r#"{"objective": "valley", "start": [1, 0.5], "lr": 0.1, "steps": 100, "smallest": true}"#,
            event: Some("saddle"),
        },
        Example {
            name: "basins",
            what: "Two minima of one value and different curvature: no symmetry leads from one to the other.",
            settings: r#"{"objective": "two-basins", "start": [0.5, 1], "lr": 0.1, "steps": 100, "smallest": true}"#,
            event: Some("saddle"),
        },
    ],
    derivation: "If L(T_s x) = L(x) for all s, the derivative by s at 0 is g'v = 0 with v the direction of the symmetry \
                 at x: the gradient is orthogonal to it (Noether; Kunin et al. 2021). Differentiated once more at a \
                 minimum, Hv = 0: as many zero eigenvalues as independent directions. For two factors v = (u, -v), and a step of gradient \
                 descent with r = uv - t changes u^2 - v^2 to (u^2 - v^2)(1 - lr^2 r^2): conserved to second order \
                 in the rate.",
    column: "lambda_1 ... lambda_K (--top K), whose tail is 0",
    event: "minimum_suspected",
    small,
    large,
};

fn small(bench: &mut Bench) -> Result<()> {
    let run = bench.run("scales")?;
    let (mut invariant, lr) = (1.5f64.powi(2) - 0.2f64.powi(2), 0.05);
    for row in run.rows()?.iter().take(200) {
        // The loss is r^2/2.
        let square = 2.0 * row.train_loss.unwrap_or(f64::NAN);
        invariant *= 1.0 - lr * lr * square;
    }
    let problem = bench.problem(json!({"objective": "uv"}))?;
    let end = run.directory().read_weights(200, problem.problem.train.layout())?;
    let found = end[0] * end[0] - end[1] * end[1];
    bench.check(
        "u^2 - v^2 after 200 steps, by the product of 1 - lr^2 r^2",
        invariant,
        found,
        1e-10,
    );
    let run = bench.run("factors")?;
    let mut problem = bench.problem(json!({"objective": "matrix-factorization"}))?;
    let theta = run.directory().read_weights(400, problem.problem.train.layout())?;
    at(&mut *problem.problem.train, &theta)?;
    let all = ends(&*problem.problem.train, theta.len())?.lambda;
    let zeros = all.iter().filter(|l| l.abs() < 1e-6 * all[0]).count();
    bench.check("zero eigenvalues, rank^2", 4.0, zeros as f64, 0.0);
    Ok(())
}

fn large(bench: &mut Bench) -> Result<()> {
    bench.on(Part::Softmax);
    shifted(bench)?;
    scales(bench)?;
    bench.on(Part::Transformer);
    let mut prepared = bench.transformer()?;
    rearranged(bench, &mut prepared, "stream, heads and gelu units in another order")?;
    mixed_heads(bench, &mut prepared)?;
    let theta = prepared.theta.clone();
    let layout = prepared.problem.train.layout().clone();
    let gradient = at(&mut *prepared.problem.train, &theta)?.gradient;
    let name = layout.entries().iter().find(|entry| entry.name.ends_with("in_proj_bias"));
    let (offset, third) = name.map_or((0, 0), |entry| (entry.offset, entry.len / 3));
    // A key's bias adds to all scores of a query the same number, and softmax takes it away.
    let keys = norm(&gradient[offset + third..offset + 2 * third]);
    bench.check("gradient by the keys' biases, of the whole", 0.0, keys / norm(&gradient), 1e-12);
    let mut v = vec![0.0; theta.len()];
    v[offset + third..offset + 2 * third].fill(1.0);
    let product = norm(&prepared.problem.train.hvp(&v)?);
    bench.check("Hessian times a shift of the keys' biases", 0.0, product, 1e-11);
    Ok(())
}

/// All hidden units in another order, with other signs and scales where the model allows that.
fn rearranged(bench: &mut Bench, prepared: &mut Prepared, what: &str) -> Result<()> {
    let theta = prepared.theta.clone();
    let groups = prepared.config.model.unit_groups();
    let symmetry = Symmetry::new(prepared.problem.train.layout(), &groups)?;
    let mut moves = symmetry.identity();
    let rng = &mut rng::stream(0, Stream::Alignment { start: 0 });
    for (unit_move, group) in moves.moves.iter_mut().zip(&groups) {
        unit_move.from.shuffle(rng);
        for factor in &mut unit_move.factors {
            let sign = if group.flips && rng.random() { -1.0 } else { 1.0 };
            *factor = sign * if group.scales { rng.random_range(0.5..2.0) } else { 1.0 };
        }
    }
    let moved = symmetry.apply(&moves, &theta)?;
    let objective = &mut *prepared.problem.train;
    let before = at(objective, &theta)?.evaluation.loss;
    let after = at(objective, &moved)?.evaluation.loss;
    bench.check(format!("loss with {what}"), before, after, 1e-13);
    Ok(())
}

/// All logits shifted together.
fn shifted(bench: &mut Bench) -> Result<()> {
    let mut prepared = bench.softmax("tanh")?;
    rearranged(bench, &mut prepared, "tanh units in another order and of other signs")?;
    let theta = prepared.theta.clone();
    let objective = &mut *prepared.problem.train;
    let mut v = vec![0.0; theta.len()];
    let bias = named_group(objective.layout(), "layers.1.bias")?.coordinates[0].clone();
    v[bias].fill(1.0);
    let gradient = at(objective, &theta)?.gradient;
    let share = dot(&gradient, &v).abs() / norm(&gradient);
    bench.check("gradient along a shift of all logits, of the whole", 0.0, share, 1e-12);
    let product = norm(&objective.hvp(&v)?);
    bench.check("Hessian times a shift of all logits", 0.0, product, 1e-12);
    Ok(())
}

/// Queries by I + eA and keys by its inverse transposed, in each head: no score changes, and so no output, to first order.
fn mixed_heads(bench: &mut Bench, prepared: &mut Prepared) -> Result<()> {
    let (theta, heads) = (prepared.theta.clone(), 2);
    let objective = &mut *prepared.problem.train;
    let gradient = at(objective, &theta)?.gradient;
    let mut v = vec![0.0; theta.len()];
    for name in ["in_proj_weight", "in_proj_bias"] {
        let name = format!("blocks.0.self_attn.{name}");
        let all = named_group(objective.layout(), &name)?.coordinates[0].clone();
        let entry = objective.layout().entries().iter().find(|entry| entry.name == name);
        let columns = entry.map_or(1, |entry| entry.shape.get(1).copied().unwrap_or(1));
        let width = all.len() / columns / 3;
        let size = width / heads;
        let a = |i: usize, j: usize| ((i * 3 + j * 5) % 7) as f64 - 3.0;
        for (row, column) in
            (0..width).flat_map(|row| (0..columns).map(move |column| (row, column)))
        {
            let (first, own) = (row / size * size, row % size);
            let place = |row: usize| all.start + row * columns + column;
            for other in 0..size {
                v[place(row)] += a(own, other) * theta[place(first + other)];
                v[place(width + row)] -= a(other, own) * theta[place(width + first + other)];
            }
        }
    }
    let share = dot(&gradient, &v).abs() / (norm(&gradient) * norm(&v));
    bench.check("cosine of the gradient with a mixing of queries and keys", 0.0, share, 1e-12);
    let product = norm(&objective.output_product(OutputMatrix::GaussNewton, &v)?) / norm(&v);
    bench.check("Gauss-Newton matrix times that mixing", 0.0, product, 1e-11);
    Ok(())
}

/// A relu unit's scale.
fn scales(bench: &mut Bench) -> Result<()> {
    let mut prepared = bench.softmax("relu")?;
    rearranged(bench, &mut prepared, "relu units in another order and of other scales")?;
    let theta = prepared.theta.clone();
    let layout = prepared.problem.train.layout().clone();
    let mut v = vec![0.0; theta.len()];
    for (name, sign) in
        [("layers.0.weight", 1.0), ("layers.0.bias", 1.0), ("layers.1.weight", -1.0)]
    {
        let range = named_group(&layout, name)?.coordinates[0].clone();
        range.for_each(|at| v[at] = sign * theta[at]);
    }
    let gradient = at(&mut *prepared.problem.train, &theta)?.gradient;
    let share = dot(&gradient, &v).abs() / (norm(&gradient) * norm(&v));
    bench.check("cosine of the gradient with the relu units' scaling", 0.0, share, 1e-12);
    Ok(())
}
