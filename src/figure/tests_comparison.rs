//! What the figures of a comparison show.

use plotters::style::RGBColor;

use super::ComparisonFigure::{EdgeRatio, Loss, Sharpness, SharpnessAccuracy};
use super::canvas::{WIDTH, px, units};
use super::comparison::median;
use super::legend::{Entry, Sample, Table};
use super::palette::{Look, pale};
use super::panel::{EDGE, ROOM};
use super::tests_svg::{attribute, labels, meets, strokes, texts, ticks, tops};
use super::{ComparedRun, ComparisonFigure, ComparisonFigures, comparison_png, comparison_svg};
use crate::record::StepRow;

/// A row at the edge of stability for the learning rate.
fn row(step: usize, lr: f64, seed: u64) -> StepRow {
    let phase = (step * (3 + seed as usize)) % 11;
    let sharpness = (1.8 + 0.03 * phase as f64) / lr;
    StepRow {
        step,
        lr,
        train_loss: Some(1.0 / (lr * step as f64 + 1.0)),
        val_loss: Some(1.2 / (lr * step as f64 + 1.0)),
        val_accuracy: Some(0.9 + 0.001 * phase as f64),
        sharpness: Some(sharpness),
        threshold: Some(2.0 / lr),
        edge_ratio: Some(sharpness * lr / 2.0),
        ..StepRow::default()
    }
}

/// A comparison of learning rates.
fn comparison(rates: &[f64], seeds: u64, steps: usize) -> ComparisonFigures {
    let run = |setting: usize, seed: u64| ComparedRun {
        setting,
        seed,
        diverged: false,
        rows: (0..steps).map(|step| row(step, rates[setting], seed)).collect(),
    };
    ComparisonFigures {
        title: "mlp <all>\u{1}".to_string(),
        settings: rates.iter().map(|lr| format!("gd & η={lr}")).collect(),
        runs: (0..rates.len()).flat_map(|i| (0..seeds).map(move |seed| run(i, seed))).collect(),
        quantiles: false,
    }
}

/// Changes the rows of the runs of a setting.
fn change(figures: &mut ComparisonFigures, setting: usize, change: impl Fn(&mut StepRow)) {
    let runs = figures.runs.iter_mut().filter(|run| run.setting == setting);
    runs.flat_map(|run| &mut run.rows).for_each(change);
}

/// Draws the figure and checks what holds for every figure.
fn svg_of(figures: &ComparisonFigures, figure: ComparisonFigure) -> String {
    let svg = comparison_svg(figures, figure).unwrap();
    assert!(svg.starts_with("<svg width=\"1000\" height=\"750\""), "{}", &svg[..80]);
    assert!(svg.trim_end().ends_with("</svg>"));
    assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains('\u{1}'));
    assert!(!svg.contains(&i32::MAX.to_string()) && !svg.contains(&i32::MIN.to_string()));
    let texts = texts(&svg);
    for (i, a) in texts.iter().enumerate() {
        assert!(a.x[0] > -1.0 && a.x[1] < WIDTH + 1.0, "{a:?} is cut");
        let over = texts[..i].iter().find(|b| meets(a.x, b.x) && meets(a.y, b.y));
        assert!(over.is_none(), "{a:?} over {over:?}");
        let named = figures.settings.iter().any(|name| a.text.starts_with(name.as_str()));
        assert!(!named || a.y[1] < tops(&svg)[0], "{a:?} in the panel");
    }
    svg
}

fn check_png(figures: &ComparisonFigures, figure: ComparisonFigure) {
    let png = comparison_png(figures, figure).unwrap();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    assert_eq!(png[16..24], [0, 0, 6, 64, 0, 0, 4, 176]);
}

fn color(setting: usize) -> RGBColor {
    Look::of(setting).color
}

#[test]
fn draws_each_run_and_the_median_over_seeds() {
    let alone = svg_of(&comparison(&[0.1, 0.2], 1, 100), Loss);
    let several = svg_of(&comparison(&[0.1, 0.2], 3, 100), Loss);
    for setting in 0..2 {
        let count = |svg, color, units| {
            let long = |(width, points): &&(i32, Vec<(i32, i32)>)| {
                *width == px(units) && points.len() > 50
            };
            strokes(svg, color).iter().filter(long).count()
        };
        let paler = pale(color(setting), 0.42);
        // In each of two panels.
        assert_eq!(count(&alone, color(setting), 1.6), 2);
        assert_eq!(count(&alone, color(setting), 2.2) + count(&alone, paler, 0.9), 0);
        assert_eq!(count(&several, color(setting), 2.2), 2);
        assert_eq!(count(&several, paler, 0.9), 6);
    }
    assert!(labels(&several).contains(&"median over seeds".to_string()));
    assert!(!labels(&alone).contains(&"median over seeds".to_string()));
}

#[test]
fn shows_each_threshold_in_the_colour_of_its_setting() {
    let mut figures = comparison(&[0.1, 0.4], 2, 100);
    // Constant, so that the place of a value is known.
    change(&mut figures, 0, |row| row.sharpness = Some(5.0));
    change(&mut figures, 1, |row| row.sharpness = Some(20.0));
    let svg = svg_of(&figures, Sharpness);
    let heights = |setting: usize, width: f64| -> Vec<i32> {
        let strokes = strokes(&svg, color(setting)).into_iter().filter(|s| s.0 == px(width));
        let mut heights: Vec<i32> = strokes.flat_map(|s| s.1).map(|point| point.1).collect();
        heights.retain(|y| units(*y) > tops(&svg)[0]);
        heights.sort_unstable();
        heights.dedup();
        heights
    };
    assert_eq!(heights(0, 1.8), heights(1, 2.2), "2/0.1 is 20");
    assert_eq!(heights(1, 1.8), heights(0, 2.2), "2/0.4 is 5");
    assert_eq!(heights(0, 1.8).len(), 1);
    assert!(labels(&svg).contains(&"stability threshold".to_string()));
}

#[test]
fn the_median_ends_with_most_of_the_seeds() {
    let mut figures = comparison(&[0.1], 3, 101);
    figures.runs[0].rows.truncate(41);
    figures.runs[2].rows.truncate(21);
    let svg = svg_of(&figures, Sharpness);
    let last = |color, width| {
        let lines = strokes(&svg, color).into_iter().filter(|stroke| stroke.0 == px(width));
        lines.flat_map(|stroke| stroke.1).map(|point| point.0).max().unwrap()
    };
    let end = f64::from(last(pale(color(0), 0.42), 0.9));
    let at = |step: f64| end - (100.0 - step) / 100.0 * 0.982 * ROOM * f64::from(px(100.0)) / 100.0;
    assert!((f64::from(last(color(0), 2.2)) - at(40.0)).abs() < 20.0);
    assert!((f64::from(last(color(0), 1.8)) - at(100.0)).abs() < 40.0, "the threshold is known");
}

#[test]
fn thresholds_that_coincide_alternate() {
    let mut figures = comparison(&[0.1, 0.2, 0.3], 1, 100);
    (0..3).for_each(|i| change(&mut figures, i, |row| row.threshold = Some(12.0)));
    let svg = svg_of(&figures, Sharpness);
    let dashes: Vec<[f64; 2]> = (0..3)
        .flat_map(|setting| strokes(&svg, color(setting)))
        .filter(|stroke| stroke.0 == px(1.8))
        .map(|(_, points)| [points[0].0, points[points.len() - 1].0].map(f64::from))
        .collect();
    assert!(dashes.len() > 60, "{}", dashes.len());
    for (i, a) in dashes.iter().enumerate() {
        assert!(dashes[..i].iter().all(|b| !meets(*a, *b)), "{a:?}");
    }
}

#[test]
fn says_where_no_threshold_is_known_or_runs_diverged() {
    let mut figures = comparison(&[0.1, 0.2, 0.3, 0.4], 2, 50);
    change(&mut figures, 1, |row| (row.threshold, row.edge_ratio) = (None, None));
    (figures.runs[4].diverged, figures.runs[6].diverged) = (true, true);
    figures.runs[7].diverged = true;
    figures.settings.push("other".to_string());
    for (figure, remark) in [
        (Sharpness, " (no known threshold)"),
        (EdgeRatio, " (no known threshold)"),
        (Loss, ""),
        (SharpnessAccuracy, ""),
    ] {
        let labels = labels(&svg_of(&figures, figure));
        let expected = [
            "gd & η=0.1".to_string(),
            format!("gd & η=0.2{remark}"),
            "gd & η=0.3 (1 of 2 diverged)".to_string(),
            "gd & η=0.4 (diverged)".to_string(),
            "other (no data)".to_string(),
        ];
        assert!(expected.iter().all(|label| labels.contains(label)), "{labels:?}");
    }
}

#[test]
fn a_panel_of_its_own_shows_preconditioned_sharpness() {
    let mut figures = comparison(&[0.1, 0.2], 1, 80);
    assert_eq!(tops(&svg_of(&figures, Sharpness)).len(), 1);
    change(&mut figures, 1, |row| {
        row.preconditioned_sharpness = Some(3e4);
        row.threshold = Some(3.8e4);
    });
    let svg = svg_of(&figures, Sharpness);
    assert!(svg.contains("preconditioned sharpness"));
    let [first, second] = tops(&svg)[..] else { panic!("{:?}", tops(&svg)) };
    let dashes = |setting: usize| -> Vec<f64> {
        let dashes = strokes(&svg, color(setting)).into_iter().filter(|s| s.0 == px(1.8));
        dashes.map(|(_, points)| units(points[0].1)).collect()
    };
    assert!(dashes(0).iter().all(|y| *y > first && *y < second), "the other's is 2/η");
    assert!(!dashes(1).is_empty() && dashes(1).iter().all(|y| *y > second));
    // Neither axis is stretched to hold the other's values.
    assert!(!svg.contains("log scale"));
    let expected = ["10", "15", "20", "30000", "32000", "34000", "36000", "38000"];
    assert_eq!(ticks(&svg)[..8], expected);
}

#[test]
fn far_apart_settings_share_a_logarithmic_axis() {
    assert!(!svg_of(&comparison(&[0.05, 0.5], 1, 50), Sharpness).contains("log scale"));
    assert!(svg_of(&comparison(&[0.01, 0.5], 1, 50), Sharpness).contains("sharpness (log scale)"));
    assert!(!svg_of(&comparison(&[0.01, 0.5], 1, 50), EdgeRatio).contains("log scale"));
}

#[test]
fn no_diverging_run_stretches_an_axis() {
    let figures = comparison(&[0.1, 0.2], 3, 200);
    for (known, huge) in [(true, 4.0), (false, 1e9), (false, f64::MAX)] {
        let mut with = figures.clone();
        // Its end is neither the lowest nor the highest.
        let run = &mut with.runs[1];
        run.diverged = known;
        run.rows.truncate(if known { 30 } else { 200 });
        for row in run.rows.iter_mut().skip(10) {
            let grown = |value: Option<f64>| value.map(|v| v * (huge * row.step as f64).min(huge));
            row.train_loss = grown(row.train_loss);
            row.val_loss = grown(row.val_loss);
            row.sharpness = grown(row.sharpness);
            row.edge_ratio = grown(row.edge_ratio);
        }
        for figure in ComparisonFigure::ALL {
            let svg = svg_of(&with, figure);
            assert_eq!(ticks(&svg), ticks(&svg_of(&figures, figure)), "{figure:?}");
            let noted = svg.contains("clipped; reaches") || svg.contains("at the border");
            assert!(noted || huge == f64::MAX, "{figure:?}");
        }
    }
}

#[test]
fn a_single_run_that_diverged_stretches_no_axis() {
    let mut figures = comparison(&[0.1, 0.2], 1, 100);
    let diverged = figures.clone();
    figures.runs[1].rows.truncate(20);
    let mut with = diverged;
    with.runs[1].diverged = true;
    with.runs[1].rows.truncate(30);
    for row in with.runs[1].rows.iter_mut().skip(20) {
        (row.sharpness, row.train_loss) = (Some(300.0), Some(1e4));
        (row.edge_ratio, row.val_loss) = (Some(15.0), Some(1e4));
    }
    let highest = |figures, figure| {
        let upward = texts(&svg_of(figures, figure)).into_iter().filter(|text| text.x[1] < EDGE);
        upward.filter_map(|text| text.text.parse::<f64>().ok()).fold(0.0, f64::max)
    };
    for figure in [Sharpness, EdgeRatio, Loss] {
        let (found, without) = (highest(&with, figure), highest(&figures, figure));
        assert!(found > 0.0 && found < 1.2 * without, "{figure:?}: {found} beside {without}");
    }
}

#[test]
fn a_vanishing_learning_rate_stretches_no_axis() {
    let usual = comparison(&[0.1, 0.2], 1, 100);
    let mut figures = usual.clone();
    change(&mut figures, 1, |row| {
        let late = row.step.saturating_sub(69) as f64;
        row.threshold = Some(10.0 * late.powi(2).max(1.0));
    });
    let svg = svg_of(&figures, Sharpness);
    assert!(svg.contains("clipped; reaches 9000"));
    assert_eq!(ticks(&svg), ticks(&svg_of(&usual, Sharpness)));
}

#[test]
fn marks_where_runs_end_and_their_mean() {
    let mut figures = comparison(&[0.1, 0.2], 3, 40);
    let ends = [(10.0, 0.90), (12.0, 0.94), (20.0, 0.95), (14.0, 0.92), (16.0, 0.96), (15.0, 0.91)];
    for (run, (sharpness, accuracy)) in figures.runs.iter_mut().zip(ends) {
        run.rows[38].sharpness = Some(sharpness);
        run.rows[37].val_accuracy = Some(accuracy);
        // Nothing was measured at the last steps.
        run.rows[39].sharpness = None;
        (run.rows[39].val_accuracy, run.rows[38].val_accuracy) = (None, None);
    }
    figures.runs[5].diverged = true;
    let svg = svg_of(&figures, SharpnessAccuracy);
    let [blue, red] = ["#0072B2", "#D55E00"];
    let centers = |color: &str| -> Vec<[f64; 2]> {
        let circles = svg.lines().filter(|line| line.starts_with("<circle"));
        let own = circles.filter(|line| attribute(line, "fill") == color);
        let center = |line| ["cx", "cy"].map(|name| attribute(line, name).parse().unwrap());
        own.map(center).filter(|c: &[f64; 2]| c[1] > 4.8 * tops(&svg)[0]).collect()
    };
    let (first, second) = (centers(blue), centers(red));
    assert_eq!((first.len(), second.len()), (3, 2));
    // Proportional to the values: the mean's ring is drawn around the mean of the dots.
    let ratio = (first[1][0] - first[0][0]) / (first[2][0] - first[0][0]);
    assert!((ratio - 0.2).abs() < 0.01, "{ratio}");
    for (dots, setting) in [(first, 0), (second, 1)] {
        let rings = strokes(&svg, color(setting)).into_iter().filter(|stroke| stroke.1.len() == 50);
        let [(_, ring)] = &rings.collect::<Vec<_>>()[..] else { panic!("not one ring") };
        let mean = |part: usize| dots.iter().map(|dot| dot[part]).sum::<f64>() / dots.len() as f64;
        let center =
            [ring[0].0 + ring[24].0, ring[12].1 + ring[36].1].map(|sum| f64::from(sum) / 2.0);
        assert!((0..2).all(|part| (center[part] - mean(part)).abs() < 3.0), "{center:?}");
    }
    let crosses = strokes(&svg, color(1)).into_iter().filter(|stroke| stroke.1.len() == 2);
    assert_eq!(crosses.count(), 2, "of two lines");
    let labels = labels(&svg);
    for text in ["final sharpness", "diverged", "mean of those that did not diverge"] {
        assert!(labels.contains(&text.to_string()), "{text}");
    }
    assert!(svg.contains("final validation accuracy"));
    figures.runs[0].rows[37].val_accuracy = Some(0.01);
    assert!(!svg_of(&figures, SharpnessAccuracy).contains("log scale"));
    for run in &mut figures.runs {
        run.rows.iter_mut().for_each(|row| row.val_accuracy = None);
    }
    assert!(svg_of(&figures, SharpnessAccuracy).contains("final validation loss"));
}

#[test]
fn draws_whatever_there_is() {
    let nothing = ComparisonFigures::default();
    let mut odd = comparison(&[0.1, 0.2, 0.3], 2, 40);
    let values =
        [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -f64::MAX, 0.0, -3.0, 1e-300];
    for run in &mut odd.runs {
        for (row, value) in run.rows.iter_mut().skip(3 * run.setting).zip(values) {
            (row.train_loss, row.val_loss) = (Some(value), Some(value));
            (row.sharpness, row.threshold, row.edge_ratio) =
                (Some(value), Some(value), Some(value));
            row.val_accuracy = Some(value);
        }
    }
    odd.runs[0].rows.truncate(9);
    odd.runs[1].rows.clear();
    odd.runs[2].setting = 7;
    let constant = |value: f64| {
        let mut figures = comparison(&[0.1, 0.2], 2, 30);
        for row in figures.runs.iter_mut().flat_map(|run| &mut run.rows) {
            (row.train_loss, row.sharpness, row.edge_ratio) =
                (Some(value), Some(value), Some(value));
            (row.threshold, row.val_accuracy) = (Some(value), Some(value));
        }
        figures
    };
    let diverged = |mut figures: ComparisonFigures| {
        figures.runs.iter_mut().for_each(|run| run.diverged = true);
        figures
    };
    let cases = [
        odd.clone(),
        diverged(odd),
        diverged(comparison(&[0.1, 0.2], 3, 20)),
        comparison(&[0.1], 1, 300),
        comparison(&[0.1], 1, 1),
        comparison(&[0.1, 0.3], 5, 1),
        constant(0.0),
        constant(-2.0),
        constant(1e-30),
        constant(1e99),
    ];
    for figures in &cases {
        ComparisonFigure::ALL.iter().for_each(|figure| drop(svg_of(figures, *figure)));
    }
    for figures in [&cases[0], &cases[2], &cases[4], &nothing] {
        ComparisonFigure::ALL.iter().for_each(|figure| check_png(figures, *figure));
    }
    for figures in
        [nothing, comparison(&[], 1, 5), comparison(&[0.1], 0, 5), comparison(&[0.1], 3, 0)]
    {
        let svgs = ComparisonFigure::ALL.map(|figure| svg_of(&figures, figure));
        assert!(svgs.iter().all(|svg| svg.matches("no data\n").count() == 1));
    }
}

#[test]
fn stays_small() {
    for (seeds, steps) in [(5, 1000), (2, 10_000)] {
        let mut figures = comparison(&[0.1; 10], seeds, steps);
        for (i, run) in figures.runs.iter_mut().enumerate() {
            for row in &mut run.rows {
                let noise = ((row.step * (i + 7) * 7919) % 101) as f64 / 101.0;
                row.sharpness = Some(10.0 + 10.0 * noise);
                row.threshold = Some(10.0 + 10.0 * (1.0 - noise));
                row.preconditioned_sharpness = (i % 2 == 0).then_some(1e4 * (1.0 + noise));
                row.train_loss = Some(0.1 + noise);
                row.val_loss = Some(0.2 + noise);
                row.edge_ratio = Some(0.5 + noise);
            }
        }
        for figure in ComparisonFigure::ALL {
            let bytes = comparison_svg(&figures, figure).unwrap().len();
            assert!(bytes < 2_000_000, "{figure:?} {bytes}");
        }
    }
}

#[test]
fn names_fit_above_the_panels() {
    let long = "nesterov β=0.9 η=0.1, batch 128, cosine to zero, decoupled weight decay 0.0001";
    for (count, names) in [
        (10, vec!["sgd η=0.1", "momentum β=0.9 η=0.05 batch 64"]),
        (10, vec![long]),
        (6, vec!["sgd", "sam", long]),
        (3, vec!["wide ".repeat(60).as_str()]),
        (120, vec!["sgd η=0.1", "sam"]),
    ] {
        let mut figures = comparison(&vec![0.1; count], 1, 30);
        for (i, name) in figures.settings.iter_mut().enumerate() {
            *name = names[i % names.len()].to_string();
        }
        let svg = svg_of(&figures, Loss);
        let panels = tops(&svg);
        assert!(panels[0] < 300.0, "{panels:?} leave little room");
        // The legend is all there is above the first panel, but for the headline.
        let above = texts(&svg).into_iter().filter(|text| text.y[1] < panels[0]);
        let smallest = above.map(|text| text.y[1] - text.y[0]).fold(f64::INFINITY, f64::min);
        assert!(smallest > 0.72 * 10.0, "{smallest}");
    }
}

#[test]
fn a_table_sets_names_in_few_lines() {
    let table = |names: &[&str]| {
        let entry = |name: &&str| Entry { text: name.to_string(), sample: Sample::Blank };
        Table::new(names.iter().map(entry).collect(), ROOM)
    };
    assert_eq!(table(&[]).height(), 0.0);
    let line = table(&["sgd"]).height();
    assert_eq!(table(&["sgd η=0.1", "sgd η=0.2", "sgd η=0.4"]).height(), line);
    assert_eq!(table(&["momentum β=0.9 η=0.1"; 8]).height(), 2.0 * line);
    let wide =
        "a name that takes nearly all of the room that a line has and leaves none for many others";
    let half = "a name that takes half of the room of a line";
    assert_eq!(table(&[wide, half, "a", "b", "c", "d"]).height(), 2.0 * line, "not six lines");
}

#[test]
fn settings_look_different() {
    let looks: Vec<Look> = (0..24).map(Look::of).collect();
    for (i, a) in looks.iter().enumerate() {
        assert!(looks[..i].iter().all(|b| (a.color, a.dash) != (b.color, b.dash)), "{i}");
    }
    assert!(
        looks[..10]
            .iter()
            .enumerate()
            .all(|(i, a)| { looks[..i].iter().all(|b| (a.color, a.mark) != (b.color, b.mark)) })
    );
}

#[test]
fn medians_need_most_of_the_runs() {
    let run = |values: &[f64]| {
        let points = values.iter().enumerate().map(|(step, value)| (step as f64, *value));
        (points.collect::<Vec<_>>(), false)
    };
    let runs = [run(&[1.0, 5.0, 2.0, 9.0]), run(&[3.0, 4.0, 8.0]), run(&[2.0, 6.0])];
    assert_eq!(median(&runs, 2), [(0.0, 2.0), (1.0, 5.0), (2.0, 5.0)]);
    assert_eq!(median(&runs, 1)[3], (3.0, 9.0));
    assert!(median(&[], 1).is_empty());
}

#[test]
fn files_have_different_names() {
    let stems = ComparisonFigure::ALL.map(ComparisonFigure::stem);
    assert_eq!(stems, ["sharpness", "edge_ratio", "loss", "sharpness_accuracy"]);
}
