//! What holds for every figure, what single figures show, and their parts.

use super::axis::number;
use super::series::{Point, clip, decimate, runs};
use super::{FigureLabels, to_png, to_svg};
use crate::record::StepRow;

fn labels() -> FigureLabels {
    FigureLabels { title: "mlp <gd> & η\u{1}".into(), threshold: "2/η".into() }
}

fn row(step: usize) -> StepRow {
    let sharpness = 7.0 + (step % 7) as f64;
    StepRow {
        step,
        train_loss: Some(1.0 / (step as f64 + 1.0)),
        sharpness: Some(sharpness),
        threshold: Some(10.0),
        lambda: vec![sharpness, 0.5 * sharpness, 0.1],
        residual: Some(1e-4),
        converged: Some(true),
        ..StepRow::default()
    }
}

fn rows(count: usize) -> Vec<StepRow> {
    (0..count).map(row).collect()
}

/// Draws both formats and checks what holds for every figure.
fn svg_of(rows: &[StepRow]) -> String {
    let svg = to_svg(rows, &labels()).unwrap();
    assert!(svg.starts_with("<svg width=\"1000\" height=\"750\""), "{}", &svg[..80]);
    assert!(svg.trim_end().ends_with("</svg>"));
    assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    assert!(svg.contains("mlp &lt;gd&gt; &amp; η\n"));
    assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains('\u{1}'));
    assert!(!svg.contains(&i32::MAX.to_string()) && !svg.contains(&i32::MIN.to_string()));
    let png = to_png(rows, &labels()).unwrap();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    assert_eq!(png[16..24], [0, 0, 6, 64, 0, 0, 4, 176]);
    svg
}

#[test]
fn names_what_it_shows() {
    let svg = svg_of(&rows(100));
    for text in ["threshold (2/η)", "sharpness λ₁", "λ₂–λ₃", "training loss", "loss (log scale)"]
    {
        assert!(svg.contains(text), "{text}");
    }
    for text in ["validation loss", "λₘᵢₙ", "not converged", "clipped", "no data"] {
        assert!(!svg.contains(text), "{text}");
    }
}

#[test]
fn draws_without_data() {
    assert!(svg_of(&[]).contains("no data"));
    let empty: Vec<_> = (0..9).map(|step| StepRow { step, ..StepRow::default() }).collect();
    assert_eq!(svg_of(&empty).matches("no data").count(), 2);
}

#[test]
fn draws_a_single_row() {
    assert!(svg_of(&[row(12)]).contains("<circle"));
}

#[test]
fn draws_constant_and_negative_values() {
    for (loss, sharpness) in [(0.7, -3.0), (0.0, 0.0), (1e-12, 1e-30), (1e9, 1e9)] {
        let fixed = |row: StepRow| StepRow {
            train_loss: Some(loss),
            sharpness: Some(sharpness),
            threshold: None,
            lambda: Vec::new(),
            ..row
        };
        let svg = svg_of(&rows(30).into_iter().map(fixed).collect::<Vec<_>>());
        assert!(!svg.contains("log scale"));
    }
}

#[test]
fn skips_what_is_not_finite() {
    let mut all = rows(40);
    let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -f64::MAX];
    for (row, value) in all.iter_mut().skip(5).zip(values) {
        row.train_loss = Some(value);
        row.sharpness = Some(value);
        row.threshold = Some(value);
        row.residual = Some(value);
        row.lambda = vec![value; 3];
        row.converged = Some(false);
    }
    assert!(svg_of(&all).contains("loss (log scale)"));
}

#[test]
fn marks_what_did_not_converge() {
    let mut all = rows(300);
    (all[100].converged, all[100].residual) = (Some(false), Some(0.1));
    (all[200].converged, all[200].sharpness, all[200].lambda) = (Some(false), None, Vec::new());
    let svg = svg_of(&all);
    assert!(svg.contains("not converged"));
    assert_eq!(svg.matches("#FDF0D2").count(), 3, "two rows and the legend");
}

#[test]
fn clips_a_diverging_sharpness() {
    let mut all = rows(200);
    all[199].sharpness = Some(1e30);
    all[199].train_loss = Some(1e30);
    assert!(svg_of(&all).contains("clipped; reaches 1.0×10³⁰"));
}

#[test]
fn shows_the_threshold_with_its_operator() {
    let mut all = rows(50);
    for row in &mut all {
        row.preconditioned_sharpness = row.sharpness.map(|s| 1000.0 * s);
        row.threshold = Some(10_000.0);
    }
    let svg = svg_of(&all);
    assert!(svg.contains("preconditioned sharpness") && svg.contains("Hessian eigenvalues"));
}

/// Beside the edge ratio, in a panel of its own.
#[test]
fn shows_the_realized_ratio_where_it_was_measured() {
    let mut all = rows(50);
    assert!(!svg_of(&all).contains("ratio"));
    for row in &mut all {
        row.edge_ratio = row.sharpness.map(|s| s / 10.0);
        row.realized_ratio = (row.step % 3 > 0).then_some(0.9);
    }
    let svg = svg_of(&all);
    assert!(svg.contains("realized ratio") && svg.contains("edge ratio"));
    assert!(!svg.contains("at the midpoint"));
    for row in &mut all {
        row.preconditioned_sharpness = row.sharpness;
        row.realized_ratio_midpoint = row.realized_ratio;
    }
    assert!(svg_of(&all).contains("at the midpoint"));
}

#[test]
fn stays_small_for_long_runs() {
    let mut all = rows(100_000);
    for row in &mut all {
        row.val_loss = Some((row.step % 11) as f64 + 0.1);
        row.threshold = Some(10.0 + (row.step % 5) as f64);
        row.lambda = (0..50).map(|k| ((row.step * (k + 3)) % 17) as f64).collect();
        row.lambda_min = Some(-((row.step % 3) as f64));
        (row.converged, row.residual) = (Some(row.step % 2 == 0), Some(0.05));
    }
    let bytes = svg_of(&all).len();
    assert!(bytes < 1_000_000, "{bytes}");
}

#[test]
fn connects_regular_measurements_and_leaves_gaps() {
    let at = |steps: &[usize]| steps.iter().map(|&s| (s as f64, 1.0)).collect::<Vec<_>>();
    let runs_of = |steps: &[usize]| runs(&at(steps)).iter().map(|r| r.len()).collect::<Vec<_>>();
    assert_eq!(runs_of(&[0, 10, 20, 30, 40]), [5]);
    assert_eq!(runs_of(&[0, 1, 2, 3, 53, 103, 153]), [7]);
    assert_eq!(runs_of(&[0, 1, 2, 90, 91, 92]), [3, 3]);
}

#[test]
fn decimation_keeps_the_extremes() {
    let points: Vec<Point> =
        (0..1000).map(|i| (f64::from(i) / 100.0, f64::from(i * 37 % 101))).collect();
    let kept = decimate(&points, 1.0);
    assert!(kept.len() <= 40);
    let highest = |points: &[Point]| points.iter().map(|p| p.1).fold(0.0, f64::max);
    assert_eq!(highest(&kept), highest(&points));
}

#[test]
fn clipping_splits_at_the_edges() {
    let points = [(0.0, 0.0), (1.0, 2.0), (2.0, 0.0), (3.0, 0.0), (4.0, -1e200)];
    let pieces = clip(&points, (-1.0, 1.0));
    assert_eq!(pieces[0], [(0.0, 0.0), (0.5, 1.0)]);
    assert_eq!(pieces[1][..3], [(1.5, 1.0), (2.0, 0.0), (3.0, 0.0)]);
    assert_eq!((pieces.len(), pieces[1].len(), pieces[1][3].1), (2, 4, -1.0));
    assert!(clip(&[(0.0, 2.0), (1.0, 2.0)], (-1.0, 1.0)).is_empty());
}

#[test]
fn numbers_read_well() {
    assert_eq!(number(0.02, 0.01, true), "0.02");
    assert_eq!(number(-2.0, 1.0, true), "−2");
    assert_eq!(number(1.5e7, 5e6, false), "1.5×10⁷");
    assert_eq!(number(1e-5, 1e-5, false), "10⁻⁵");
}
