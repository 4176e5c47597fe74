//! What a language model must do: see the past only, and count as many answers as there are tokens.

use serde_json::json;
use sharpscope::autodiff::Objective;
use sharpscope::device::Precision;
use sharpscope::model::ModelSpec;
use sharpscope::problem::Loss;

use super::{Problem, spec, text};
use crate::derivatives::{assert_close, cpu, gradient, normal};

const VOCABULARY: usize = 3;
const CONTEXT: usize = 5;

fn transformer(layers: usize, tied: bool) -> ModelSpec {
    spec(json!({
        "kind": "transformer", "layers": layers, "heads": 2, "width": 4, "context": CONTEXT,
        "tied": tied,
    }))
}

/// The model at normally distributed parameters, on one window of all of `tokens`.
fn on_window(model: &ModelSpec, tokens: &[usize]) -> Box<dyn Objective> {
    let data = text(VOCABULARY, tokens.len() - 1, tokens.to_vec());
    let mut objective =
        Problem::new(model.clone(), data, Loss::Ce).objective(&cpu(Precision::F64), 1);
    let theta = normal(objective.dim(), 11);
    objective.set_parameters(&theta).unwrap();
    objective
}

/// What the model takes for the probability of a text, given its first token.
fn probability(model: &ModelSpec, tokens: &[usize]) -> f64 {
    let predictions = (tokens.len() - 1) as f64;
    (-predictions * on_window(model, tokens).evaluate().unwrap().loss).exp()
}

/// P(text) = sum over c of P(text c), for texts of every length: a model that saw the token that it
/// is to predict, or a later one, would break it.
#[test]
fn probabilities_of_the_next_token_add_up_to_one_after_every_text() {
    for tied in [false, true] {
        let model = transformer(2, tied);
        let mut texts: Vec<(Vec<usize>, f64)> = vec![(vec![2], 1.0)];
        for _ in 0..CONTEXT {
            let mut longer = Vec::new();
            for (text, expected) in texts {
                let branches: Vec<(Vec<usize>, f64)> = (0..VOCABULARY)
                    .map(|next| {
                        let text = [&text[..], &[next]].concat();
                        let probability = probability(&model, &text);
                        (text, probability)
                    })
                    .collect();
                let total: f64 = branches.iter().map(|(_, probability)| probability).sum();
                assert!((total / expected - 1.0).abs() < 1e-10, "{text:?}: {total}, {expected}");
                // Texts go on from one branch of each, so that there are not too many.
                longer.push(branches[text.len() % VOCABULARY].clone());
                longer.push(branches[(text.len() + 1) % VOCABULARY].clone());
            }
            texts = longer;
        }
    }
}

#[test]
fn the_past_is_seen_and_in_its_order() {
    let model = transformer(1, false);
    let last = |tokens: &[usize]| {
        probability(&model, tokens) / probability(&model, &tokens[..tokens.len() - 1])
    };
    let usual = last(&[0, 1, 2, 1]);
    for other in [[1, 1, 2, 1], [0, 2, 2, 1], [1, 0, 2, 1]] {
        assert!((last(&other) / usual - 1.0).abs() > 1e-3, "{other:?}");
    }
}

#[test]
fn positions_beyond_the_window_and_tokens_that_do_not_occur_have_no_gradient() {
    let model = transformer(1, false);
    let objective = on_window(&model, &[0, 1, 0, 2]);
    let gradient = gradient(&*objective);
    let rows = |name: &str| {
        let entry = objective.layout().entries().iter().find(|e| e.name == name).unwrap();
        gradient[entry.offset..entry.offset + entry.len].chunks(4).collect::<Vec<_>>()
    };
    let is_zero = |row: &&[f64]| row.iter().all(|&x| x == 0.0);
    let zero_rows = |name: &str| rows(name).iter().map(is_zero).collect::<Vec<_>>();
    // The window reads three tokens; token 2 is predicted and never read.
    assert_eq!(zero_rows("positions.weight"), [false, false, false, true, true]);
    assert_eq!(zero_rows("embedding.weight"), [false, false, true]);
}

/// Without blocks, the logits are the head's products with normalised sums of two table rows.
#[test]
fn loss_and_accuracy_without_blocks_are_those_counted_by_hand() {
    const WINDOWS: usize = 7;
    let model = transformer(0, false);
    // No pattern that every guess would meet or miss.
    let tokens: Vec<usize> = (0..=WINDOWS * CONTEXT).map(|i| (i * i / 3 + i / 4) % 3).collect();
    let problem = Problem::new(model, text(VOCABULARY, CONTEXT, tokens.clone()), Loss::Ce);
    let mut objective = problem.objective(&cpu(Precision::F64), 3);
    let theta = normal(objective.dim(), 12);
    objective.set_parameters(&theta).unwrap();

    let width = 4;
    let (embedding, rest) = theta.split_at(VOCABULARY * width);
    let (positions, rest) = rest.split_at(CONTEXT * width);
    let (scale, rest) = rest.split_at(width);
    let (shift, head) = rest.split_at(width);
    let row = |table: &[f64], i: usize| table[i * width..(i + 1) * width].to_vec();
    let (mut right, mut loss) = (0, 0.0);
    for i in 0..WINDOWS * CONTEXT {
        let (e, p) = (row(embedding, tokens[i]), row(positions, i % CONTEXT));
        let x: Vec<f64> = e.iter().zip(p).map(|(e, p)| e + p).collect();
        let mean = x.iter().sum::<f64>() / width as f64;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
        let y: Vec<f64> = (0..width)
            .map(|j| (x[j] - mean) / (variance + 1e-5).sqrt() * scale[j] + shift[j])
            .collect();
        let logits: Vec<f64> = (0..VOCABULARY)
            .map(|o| row(head, o).iter().zip(&y).map(|(w, y)| w * y).sum())
            .collect();
        let best = (0..VOCABULARY).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
        let next = tokens[i + 1];
        right += usize::from(best == next);
        loss += logits.iter().map(|z| z.exp()).sum::<f64>().ln() - logits[next];
    }
    let count = WINDOWS * CONTEXT;
    assert!(right > 5 && right < count - 5, "{right} of {count} is no test of an accuracy");
    let found = objective.evaluate().unwrap();
    let accuracy = found.accuracy.expect("an accuracy");
    assert!((accuracy - right as f64 / count as f64).abs() < 1e-12, "{accuracy}");
    assert_close(&[found.loss], &[loss / count as f64], 1e-12, "loss");
}
