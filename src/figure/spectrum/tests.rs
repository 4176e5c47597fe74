//! What pictures of spectra show.

use super::super::canvas::{HEIGHT, WIDTH, px, units};
use super::super::palette::{BLUE, GREEN, VERMILLION};
use super::super::panel::{EDGE, ROOM};
use super::super::series::Point;
use super::super::tests_svg::{labels, meets, strokes, texts};
use super::waterfall::blend;
use super::{
    Logarithm, SpectrumFigure, rounded, short, spectrum_png, spectrum_svg, waterfall_choice,
    waterfall_png, waterfall_svg,
};
use plotters::style::{BLACK, RGBColor};

/// The density of eigenvalues with these weights, smoothed by `sigma`.
fn density(nodes: &[Point], sigma: f64) -> Vec<Point> {
    let low = nodes.iter().map(|n| n.0).fold(f64::INFINITY, f64::min) - 6.0 * sigma;
    let high = nodes.iter().map(|n| n.0).fold(f64::NEG_INFINITY, f64::max) + 6.0 * sigma;
    let count = ((high - low) / sigma * 4.0).ceil() as usize;
    let at = |x: f64| {
        let part = |(node, w): &Point| w * (-0.5 * ((x - node) / sigma).powi(2)).exp();
        nodes.iter().map(part).sum::<f64>() / (sigma * std::f64::consts::TAU.sqrt())
    };
    let place = |i: usize| low + (high - low) * i as f64 / count as f64;
    (0..=count).map(|i| (place(i), at(place(i)))).collect()
}

/// That of a network with `n` parameters, whose largest eigenvalues are `top` and smaller.
fn network(n: f64, top: f64) -> Vec<Point> {
    let mut nodes = vec![(-0.1, 0.3), (0.0, 0.4), (0.1, 0.3), (-1.0, 1.0 / n)];
    nodes.extend([0.25, 0.5, 1.0].map(|share| (share * top, 1.0 / n)));
    density(&nodes, 0.01 * (top + 1.0))
}

fn figure() -> SpectrumFigure {
    SpectrumFigure {
        title: "mlp <gd> & η\u{1}: Hessian spectrum".into(),
        density: network(8970.0, 20.0),
        largest: vec![20.0, 10.0, 5.0],
        smallest: Some(-1.0),
        threshold: Some(25.0),
        threshold_label: "threshold".into(),
        note: "σ = 0.21 & 4 probes\u{1}".into(),
    }
}

/// Checks what holds for every picture.
fn check(svg: &str, png: &[u8]) {
    assert!(svg.starts_with("<svg width=\"1000\" height=\"750\""), "{}", &svg[..80]);
    assert!(svg.trim_end().ends_with("</svg>"));
    assert!(svg.len() < 1_000_000, "{}", svg.len());
    assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains('\u{1}'));
    assert!(!svg.contains(&i32::MAX.to_string()) && !svg.contains(&i32::MIN.to_string()));
    let texts = texts(svg);
    for (i, a) in texts.iter().enumerate() {
        assert!(a.x[0] > -1.0 && a.x[1] < WIDTH + 1.0, "{a:?} is cut");
        assert!(a.y[0] > 0.0 && a.y[1] < HEIGHT, "{a:?} is cut");
        let over = texts[..i].iter().find(|b| meets(a.x, b.x) && meets(a.y, b.y));
        assert!(over.is_none(), "{a:?} over {over:?}");
    }
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    assert_eq!(png[16..24], [0, 0, 6, 64, 0, 0, 4, 176]);
}

fn svg_of(figure: &SpectrumFigure) -> String {
    let svg = spectrum_svg(figure).unwrap();
    check(&svg, &spectrum_png(figure).unwrap());
    svg
}

fn waterfall_of(spectra: &[(usize, Vec<Point>)]) -> String {
    let svg = waterfall_svg("run <1>\u{1}", spectra).unwrap();
    check(&svg, &waterfall_png("run <1>\u{1}", spectra).unwrap());
    svg
}

/// The columns of the upright lines of a colour inside of the plot, from left to right.
fn uprights(svg: &str, color: RGBColor) -> Vec<i32> {
    let lines = strokes(svg, color).into_iter().map(|(_, points)| points);
    let mut columns: Vec<i32> =
        lines.filter(|p| p.iter().all(|q| q.0 == p[0].0)).map(|p| p[0].0).collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// The eigenvalue at a column, by two of the axis' labels.
fn eigenvalue(svg: &str, [a, b]: [&str; 2], column: i32) -> f64 {
    let texts = texts(svg);
    let center = |name: &str| {
        let text = texts
            .iter()
            .rfind(|text| text.text == name && text.x[1] > EDGE && text.y[0] > 600.0)
            .unwrap();
        (text.x[0] + text.x[1]) / 2.0
    };
    let (from, to) = (a.parse::<f64>().unwrap(), b.parse::<f64>().unwrap());
    from + (to - from) * (units(column) - center(a)) / (center(b) - center(a))
}

/// The line of a colour that has the most points.
fn longest(svg: &str, color: RGBColor) -> Vec<(i32, i32)> {
    strokes(svg, color).into_iter().map(|s| s.1).max_by_key(Vec::len).unwrap()
}

#[test]
fn names_what_it_shows() {
    let labels = labels(&svg_of(&figure()));
    for text in [
        "mlp <gd> & η: Hessian spectrum",
        "density",
        "3 largest eigenvalues",
        "smallest eigenvalue",
        "threshold 25",
        "eigenvalue",
        "σ = 0.21 & 4 probes",
        "20.0",
        "5.00",
        "−1.00",
    ] {
        assert!(labels.iter().any(|label| label == text), "{text} in {labels:?}");
    }
    let less = SpectrumFigure {
        largest: vec![20.0],
        smallest: None,
        threshold: None,
        note: String::new(),
        ..figure()
    };
    let svg = svg_of(&less);
    assert!(svg.contains("largest eigenvalue\n") && svg.contains("density (log scale)"));
    assert!(!svg.contains("smallest") && !svg.contains("threshold") && !svg.contains("beyond"));
}

#[test]
fn marks_stand_at_their_eigenvalues() {
    let svg = svg_of(&figure());
    let close = |columns: Vec<i32>, values: &[f64]| {
        assert_eq!(columns.len(), values.len(), "{columns:?}");
        for (column, value) in columns.into_iter().zip(values) {
            let found = eigenvalue(&svg, ["0", "20"], column);
            assert!((found - value).abs() < 0.05, "{found} for {value}");
        }
    };
    // With the legend's samples left out, which are not upright.
    close(uprights(&svg, VERMILLION), &[5.0, 10.0, 20.0]);
    close(uprights(&svg, GREEN), &[-1.0]);
    let dashes = uprights(&svg, BLACK);
    close(dashes, &[25.0]);
}

#[test]
fn marks_reach_the_curve() {
    let svg = svg_of(&figure());
    let bumps = strokes(&svg, BLUE).into_iter().map(|s| s.1).filter(|p| p.len() > 10);
    let bumps: Vec<_> = bumps.collect();
    assert_eq!(bumps.len(), 4, "the bulk and three lone eigenvalues");
    for (_, stem) in strokes(&svg, VERMILLION).iter().filter(|(_, p)| p[0].0 == p[1].0) {
        let bump = bumps
            .iter()
            .find(|bump| bump.first().unwrap().0 < stem[0].0 && stem[0].0 < bump.last().unwrap().0);
        let top = bump.unwrap().iter().map(|p| p.1).min().unwrap();
        let tip = stem.iter().map(|p| p.1).min().unwrap();
        assert!((px(0.5)..px(4.0)).contains(&(top - tip)), "{top} {tip}");
    }
}

#[test]
fn lone_eigenvalues_are_seen_beside_many() {
    for n in [30.0, 8970.0, 1e6, 1e7] {
        let svg = svg_of(&SpectrumFigure { density: network(n, 20.0), ..figure() });
        let points = strokes(&svg, BLUE).into_iter().map(|s| s.1).filter(|p| p.len() > 10);
        let points: Vec<_> = points.flatten().collect();
        let rows = || points.iter().map(|p| p.1);
        let (top, bottom) = (rows().min().unwrap(), rows().max().unwrap());
        let near = |p: &&(i32, i32)| (eigenvalue(&svg, ["0", "20"], p.0) - 20.0).abs() < 0.5;
        let height = bottom - points.iter().filter(near).map(|p| p.1).min().unwrap();
        let share = f64::from(height) / f64::from(bottom - top);
        assert!(share > 0.12, "{share} for {n}");
    }
}

#[test]
fn tails_are_cut() {
    for nodes in [vec![(0.0, 1.0)], vec![(0.0, 0.5), (1.0, 0.5)], vec![(0.0, 1.0), (1.0, 1e-15)]] {
        let logarithm = Logarithm::of(&density(&nodes, 0.01)).unwrap();
        let decades = logarithm.peak - logarithm.floor;
        assert!((decades - 6.0).abs() < 1e-9, "{decades} for {nodes:?}");
    }
    let many = [(0.0, 1.0), (1.0, 1e-6), (2.0, 1e-6)];
    let logarithm = Logarithm::of(&density(&many, 0.01)).unwrap();
    assert!((logarithm.peak - logarithm.floor - 7.5).abs() < 1e-3);
    let (low, high) = logarithm.extent();
    assert!(low < -0.03 && low > -0.07 && high > 2.01 && high < 2.06, "{low} {high}");
}

#[test]
fn a_far_threshold_is_named_only() {
    for at in [1000.0, -500.0] {
        let svg = svg_of(&SpectrumFigure { threshold: Some(at), ..figure() });
        let text = format!("threshold {} is beyond the axis", short(at));
        assert!(svg.contains(&text), "{:?}", labels(&svg));
        assert!(uprights(&svg, BLACK).is_empty());
        assert!(eigenvalue(&svg, ["0", "20"], px(EDGE + ROOM)) < 25.0);
    }
    for at in [f64::NAN, f64::INFINITY] {
        let svg = svg_of(&SpectrumFigure { threshold: Some(at), ..figure() });
        assert!(!svg.contains("threshold"));
    }
}

#[test]
fn values_do_not_lie_across_the_threshold() {
    for at in [19.3, 19.9, 20.0, 20.1, 20.7] {
        let svg = svg_of(&SpectrumFigure { threshold: Some(at), ..figure() });
        let line = units(uprights(&svg, BLACK)[0]);
        let texts = texts(&svg);
        let value = texts.iter().find(|t| t.text == "20.0").unwrap();
        assert!(!meets(value.x, [line - 1.0, line + 1.0]), "{value:?} {line}");
        // On the side of the eigenvalue.
        assert_eq!(value.x[0] > line, 20.0 >= at, "{at}");
    }
}

#[test]
fn many_marks_keep_apart() {
    let largest: Vec<f64> = (0..200).map(|i| 20.0 * 0.97f64.powi(i)).collect();
    let svg = svg_of(&SpectrumFigure { largest, ..figure() });
    let labels = labels(&svg);
    for text in ["200 largest eigenvalues", "20.0", "−1.00"] {
        assert!(labels.iter().any(|label| label == text), "{text} in {labels:?}");
    }
    // Each has a triangle.
    let color = format!("fill=\"#{:02X}{:02X}{:02X}\"", VERMILLION.0, VERMILLION.1, VERMILLION.2);
    let triangles = svg.lines().filter(|l| l.starts_with("<polygon") && l.contains(&color));
    assert_eq!(triangles.count(), 200);
}

#[test]
fn draws_what_is_degenerate() {
    let zero = SpectrumFigure {
        density: density(&[(0.0, 1.0)], 0.01),
        largest: vec![0.0; 3],
        smallest: Some(0.0),
        threshold: Some(0.0),
        ..figure()
    };
    assert!(svg_of(&zero).contains("threshold 0\n"));
    let negative: Vec<Point> = (1..9).map(|i| (-f64::from(i), 0.125)).collect();
    for (nodes, sigma) in [
        (vec![(3.0, 1.0)], 0.03),
        (negative, 0.08),
        (vec![(1e-9, 0.5), (1e9, 0.5)], 1e7),
        (vec![(0.0, 0.5), (1e-9, 0.5)], 1e-11),
        (vec![(1e9, 1.0)], 1e-7),
        (vec![(1e150, 1.0)], 1e148),
    ] {
        let (low, high) = (nodes[0].0, nodes[nodes.len() - 1].0);
        for threshold in [None, Some(2.0), Some(2.0 * high), Some(high)] {
            let figure = SpectrumFigure {
                density: density(&nodes, sigma),
                largest: vec![low.max(high)],
                smallest: Some(low.min(high)),
                threshold,
                ..figure()
            };
            assert!(longest(&svg_of(&figure), BLUE).len() > 1, "{nodes:?}");
        }
    }
}

#[test]
fn draws_without_density() {
    let wrong = [f64::NAN, f64::INFINITY, -f64::MAX];
    let none = SpectrumFigure {
        density: wrong.iter().flat_map(|&x| [(x, 1.0), (0.5, x)]).collect(),
        largest: wrong.to_vec(),
        smallest: Some(f64::NAN),
        ..figure()
    };
    assert!(svg_of(&none).contains("no data"));
    assert!(svg_of(&SpectrumFigure::default()).contains("no data"));
    let marks = SpectrumFigure { density: Vec::new(), ..figure() };
    let svg = svg_of(&marks);
    assert!(!svg.contains("no data") && labels(&svg).contains(&"20.0".to_string()));
    let zero = SpectrumFigure { density: vec![(0.0, 0.0), (1.0, 0.0)], ..figure() };
    assert!(svg_of(&zero).contains("20.0"));
}

#[test]
fn values_read_well() {
    assert_eq!(rounded(20.0, 20.0), "20.0");
    assert_eq!(rounded(-0.12345, 20.0), "−0.123");
    assert_eq!(rounded(1e-15, 20.0), "0");
    assert_eq!(rounded(1e-15, 1e-15), "1.00×10⁻¹⁵");
    assert_eq!(short(20.0), "20");
    assert_eq!(short(-0.1205), "−0.12");
    assert_eq!(short(0.0), "0");
    assert_eq!(short(2.5e-7), "2.5×10⁻⁷");
    assert_eq!(short(1e-7), "10⁻⁷");
    assert_eq!(short(38_000.0), "38000");
}

#[test]
fn a_waterfall_begins_at_the_bottom() {
    let spectra = [300, 0, 100].map(|step| (step, network(8970.0, 2.0 + step as f64 / 20.0)));
    let svg = waterfall_of(&spectra);
    let texts = texts(&svg);
    let label = |name: &str| texts.iter().find(|t| t.text == name && t.x[1] < EDGE).unwrap();
    let rows = ["0", "100", "300"].map(|name| label(name).y[1]);
    assert!(rows[0] > rows[1] && rows[1] > rows[2], "{rows:?}");
    assert!(texts.iter().any(|text| text.text == "run <1>: ") || svg.contains("run &lt;1&gt;"));
    // The largest eigenvalue of each, beside its own label.
    for (share, name, top) in [(0.0, "0", 2.0), (0.5, "100", 7.0), (1.0, "300", 17.0)] {
        let lines = strokes(&svg, blend(share)).into_iter().map(|s| s.1);
        let curved: Vec<_> = lines.filter(|p| p.len() > 5).collect();
        let last = curved.iter().max_by_key(|p| p[0].0).unwrap();
        let peak = last.iter().min_by_key(|p| p.1).unwrap();
        let found = eigenvalue(&svg, ["0", "15"], peak.0);
        assert!((found - top).abs() < 0.1, "{found} for {top}");
        let base = units(last.iter().map(|p| p.1).max().unwrap());
        let row = (label(name).y[0] + label(name).y[1]) / 2.0;
        assert!((base - row).abs() < 3.0, "{base} {row}");
    }
}

#[test]
fn a_waterfall_is_logarithmic() {
    // Plateaus of 1, 1e-2 and 1e-4.
    let plateau = |x: f64| 10f64.powf(-2.0 * x.floor());
    let curve: Vec<Point> =
        (0..300).map(|i| f64::from(i) / 100.0).map(|x| (x, plateau(x))).collect();
    let svg = waterfall_of(&[(0, curve.clone()), (1, curve)]);
    assert!(svg.contains("height of a ridge: density 10⁻⁶ to 1, log scale"), "{:?}", labels(&svg));
    let mut line = longest(&svg, blend(1.0));
    line.sort_unstable();
    let row = |at: f64| {
        let near = |p: &&(i32, i32)| eigenvalue(&svg, ["0", "2.0"], p.0) <= at;
        line.iter().rfind(near).unwrap().1
    };
    let (base, rows) = (line.iter().map(|p| p.1).max().unwrap(), [0.5, 1.5, 2.5].map(row));
    let heights = rows.map(|row| f64::from(base - row));
    assert!((heights[1] / heights[0] - 4.0 / 6.0).abs() < 0.01, "{heights:?}");
    assert!((heights[2] / heights[0] - 2.0 / 6.0).abs() < 0.01, "{heights:?}");
}

#[test]
fn a_waterfall_thins_out_evenly() {
    let choice = |count| waterfall_choice(count).collect::<Vec<_>>();
    assert!(choice(0).is_empty());
    assert_eq!(choice(1), [0]);
    assert_eq!(choice(3), [0, 1, 2]);
    assert_eq!(choice(40), (0..40).collect::<Vec<_>>());
    let many = choice(1000);
    assert_eq!((many.len(), many[0], many[39]), (40, 0, 999));
    assert!(many.windows(2).all(|w| (25..=26).contains(&(w[1] - w[0]))));

    let spectra: Vec<_> =
        (0..79).map(|i| (10 * i, network(8970.0, 2.0 + i as f64 / 4.0))).collect();
    let svg = waterfall_of(&spectra);
    let labels = labels(&svg);
    assert!(labels.contains(&"780".to_string()) && !labels.contains(&"770".to_string()));
    let drawn = (0..40).filter(|&i| !strokes(&svg, blend(f64::from(i) / 39.0)).is_empty());
    assert_eq!(drawn.count(), 40);
}

#[test]
fn a_waterfall_shows_outliers_but_not_explosions() {
    let spectra = |top: f64| {
        let spectrum = |i| (i, network(8970.0, if i == 3 { top } else { 20.0 }));
        (0..5).map(spectrum).collect::<Vec<_>>()
    };
    let svg = waterfall_of(&spectra(200.0));
    assert!(!svg.contains("clipped"));
    assert!(eigenvalue(&svg, ["0", "200"], px(EDGE + ROOM)) > 200.0);
    let svg = waterfall_of(&spectra(1e9));
    assert!(svg.contains("clipped; reaches 1.0×10⁹"), "{:?}", labels(&svg));
    assert!(eigenvalue(&svg, ["0", "600"], px(EDGE + ROOM)) < 1000.0);
    // Its part on the axis is drawn, from end to end.
    let line = longest(&svg, blend(0.75));
    assert!(units(line.last().unwrap().0 - line[0].0) > 0.9 * ROOM, "{line:?}");
    assert!(line.iter().all(|p| (EDGE - 1.0..EDGE + ROOM + 1.0).contains(&units(p.0))));
}

#[test]
fn a_waterfall_of_degenerate_spectra() {
    assert!(waterfall_of(&[]).contains("no data"));
    assert!(waterfall_of(&[(0, Vec::new()), (7, vec![(f64::NAN, 1.0)])]).contains("no data"));
    assert!(!waterfall_of(&[(12, network(100.0, 3.0))]).contains("no data"));
    let zero = density(&[(0.0, 1.0)], 0.01);
    let tiny = density(&[(1e-12, 1.0)], 1e-14);
    let spectra =
        [zero.clone(), zero, tiny, network(100.0, 1.0), density(&[(-5.0, 0.5), (-1.0, 0.5)], 0.04)];
    let spectra: Vec<_> = spectra.into_iter().enumerate().collect();
    for count in 1..=spectra.len() {
        assert!(waterfall_of(&spectra[..count]).contains("height of a ridge"));
    }
}

#[test]
fn pictures_stay_small() {
    // Each eigenvalue a peak of its own.
    let spikes: Vec<Point> =
        (0..20_000).map(|i| (f64::from(i), 10f64.powi(-(i * 7 % 5)))).collect();
    let figure = SpectrumFigure {
        density: spikes.clone(),
        largest: (0..100).map(|i| f64::from(20_000 - 150 * i)).collect(),
        ..figure()
    };
    svg_of(&figure);
    let spectra: Vec<_> = (0..60).map(|step| (step, spikes.clone())).collect();
    waterfall_of(&spectra);
}
