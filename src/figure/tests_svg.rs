//! Reads figures back from their SVG.

use plotters::style::RGBColor;

use super::canvas::{GREY, px, text_width, units};

/// A text with its box in layout units.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) x: [f64; 2],
    pub(super) y: [f64; 2],
}

pub(super) fn attribute<'a>(tag: &'a str, name: &str) -> &'a str {
    let begin = format!(" {name}=\"");
    tag.split_once(&begin).and_then(|(_, rest)| rest.split('"').next()).unwrap()
}

/// The texts that are not upright.
pub(super) fn texts(svg: &str) -> Vec<Text> {
    let text = |part: &str| {
        let (tag, rest) = part.split_once(">\n")?;
        let number = |name| attribute(tag, name).parse::<f64>().unwrap();
        let place = |name| units(number(name) as i32);
        let em = number("font-size") * units(1000) / 1000.0;
        let text = rest.split("\n</text>").next()?;
        let plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        let width = text_width(&plain, em);
        let left = match attribute(tag, "text-anchor") {
            "start" => place("x"),
            "middle" => place("x") - width / 2.0,
            _ => place("x") - width,
        };
        let y = [place("y") - 0.36 * em, place("y") + 0.36 * em];
        (!tag.contains("transform")).then_some(Text { text: plain, x: [left, left + width], y })
    };
    svg.split("<text").skip(1).filter_map(text).collect()
}

/// The widths and points of the strokes of a colour, in pixels.
pub(super) fn strokes(svg: &str, color: RGBColor) -> Vec<(i32, Vec<(i32, i32)>)> {
    let color = format!("#{:02X}{:02X}{:02X}", color.0, color.1, color.2);
    let point = |text: &str| {
        let (x, y) = text.split_once(',').unwrap();
        (x.parse().unwrap(), y.parse().unwrap())
    };
    let lines = svg.lines().filter(|line| line.starts_with("<polyline"));
    lines
        .filter(|line| attribute(line, "stroke") == color)
        .map(|line| {
            let points = attribute(line, "points").split_whitespace().map(point).collect();
            (attribute(line, "stroke-width").parse().unwrap(), points)
        })
        .collect()
}

/// The upper ends of the panels, in layout units.
pub(super) fn tops(svg: &str) -> Vec<f64> {
    let axes = strokes(svg, GREY).into_iter().map(|(_, points)| points);
    let upright = axes.filter(|p| p[0].0 == p[1].0 && (p[0].1 - p[1].1).abs() > px(100.0));
    upright.map(|points| units(points[0].1.min(points[1].1))).collect()
}

/// Whether two spans have a point in common.
pub(super) fn meets(a: [f64; 2], b: [f64; 2]) -> bool {
    a[0] < b[1] && b[0] < a[1]
}

pub(super) fn labels(svg: &str) -> Vec<String> {
    texts(svg).into_iter().map(|text| text.text).collect()
}

/// The labels on the axes.
pub(super) fn ticks(svg: &str) -> Vec<String> {
    let numeric = |text: &String| text.chars().all(|c| c.is_ascii_digit() || c == '.');
    labels(svg).into_iter().filter(numeric).collect()
}
