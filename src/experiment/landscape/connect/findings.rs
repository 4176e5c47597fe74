//! How curve finding fails, each with its number.

use super::{Measured, Trained};
use crate::experiment::doctor::Finding;
use crate::landscape::curve::{Curve, Descent};
use crate::linalg::norm;

/// Means over t and over arc length that differ by more are not the same number.
const MEANS: f64 = 0.1;
/// A control point this near to an end, by the chord, is that end.
const COLLAPSED: f64 = 0.01;
/// What the largest loss on a curve may be over the ends' (Garipov et al. 2018 reach 1.0 to 1.18).
const OVER_ENDS: f64 = 1.2;

/// Goes through what may be wrong with a trained curve between `ends` (length P each).
pub fn findings(
    curve: &Curve,
    ends: [&[f64]; 2],
    trained: &Trained,
    line: &Measured,
    path: &Measured,
) -> Vec<Finding> {
    vec![
        training(trained),
        ends_stay(curve, ends),
        below_line(line, path),
        over_ends(path),
        means(path),
        collapsed(curve, path.measures.chord),
        length(path),
    ]
}

fn training(trained: &Trained) -> Finding {
    let number = trained.steps.last().map(|step| step.loss);
    let count = trained.steps.len();
    let (holds, text) = match trained.end {
        Descent::Completed => (true, format!("{count} updates were taken")),
        Descent::Diverged => {
            (false, format!("it diverged after {count} updates; give a lower --lr"))
        }
        Descent::Stopped => (false, format!("it was stopped after {count} updates")),
    };
    Finding::judged("curve_training", holds, number, text)
}

fn ends_stay(curve: &Curve, ends: [&[f64]; 2]) -> Finding {
    let moved = [0.0, 1.0].iter().zip(ends).map(|(&t, end)| {
        let at = curve.at(t);
        norm(&at.iter().zip(end).map(|(a, b)| a - b).collect::<Vec<_>>())
    });
    let moved = moved.fold(0.0, f64::max);
    let text = format!("the curve's ends are {moved:e} from the runs' weights");
    Finding::judged("ends_stay", moved == 0.0, moved, text)
}

/// The text, and what to do about it where it should be otherwise.
fn advised(holds: bool, text: String, advice: &str) -> String {
    if holds { text } else { format!("{text}; {advice}") }
}

fn below_line(line: &Measured, path: &Measured) -> Finding {
    let (on_line, on_curve) = (line.measures.max_loss, path.measures.max_loss);
    // A line without a barrier leaves a curve nothing to go below.
    let holds = on_curve < on_line || line.train.over_worse_end.value <= 0.0;
    let text = format!(
        "the largest training loss is {on_curve:.4} on the curve and {on_line:.4} on the straight line"
    );
    let advice = "train longer, at another --lr, or with more --bends";
    Finding::judged("below_the_line", holds, on_curve / on_line, advised(holds, text, advice))
}

fn over_ends(path: &Measured) -> Finding {
    let over = path.measures.over_ends;
    let holds = over <= OVER_ENDS;
    let text = format!(
        "the largest training loss on the curve, at t = {:.2}, is {over:.3} times that of the worse end",
        path.measures.max_at
    );
    let advice = "curves that were published stay below 1.2: train longer, or with more --bends";
    Finding::judged("over_the_ends", holds, over, advised(holds, text, advice))
}

fn means(path: &Measured) -> Finding {
    let (over_t, over_length) = (path.measures.mean_over_t, path.measures.mean_over_length);
    let ratio = over_t / over_length;
    let holds = (ratio - 1.0).abs() <= MEANS;
    let text = format!(
        "the mean training loss is {over_t:.4} over t and {over_length:.4} over arc length"
    );
    let advice = "t runs unevenly along the curve: take the second";
    Finding::judged("means_agree", holds, ratio, advised(holds, text, advice))
}

fn collapsed(curve: &Curve, chord: f64) -> Finding {
    let points = curve.points();
    let ends = [&points[0], &points[points.len() - 1]];
    let apart =
        |a: &[f64], b: &[f64]| norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>());
    let inner = &points[1..points.len() - 1];
    let nearest = inner.iter().flat_map(|p| ends.map(|end| apart(p, end) / chord));
    let nearest = nearest.fold(f64::INFINITY, f64::min);
    let holds = nearest > COLLAPSED;
    let text =
        format!("the free point nearest to an end is {nearest:.3} of the ends' distance from it");
    let advice = "it adds nothing to the curve: take fewer --bends, or a lower --lr";
    Finding::judged("no_point_collapsed", holds, nearest, advised(holds, text, advice))
}

fn length(path: &Measured) -> Finding {
    let ratio = path.measures.length / path.measures.chord;
    // Chords of rounded points.
    let holds = ratio >= 1.0 - 1e-6;
    let text = format!("the curve is {ratio:.3} times as long as the ends are apart");
    let advice = "it does not join them";
    Finding::judged("not_shorter", holds, ratio, advised(holds, text, advice))
}
