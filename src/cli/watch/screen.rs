//! The picture of a run on a terminal.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Borders, Chart, Clear, Dataset, GraphType, Paragraph, Wrap};

use super::curve::{Scale, bounds, thinned};
use super::view::View;
use super::watched::{Point, Standing, Watched};
use crate::record::short;

/// The least size that everything has room on.
const LEAST: (u16, u16) = (80, 24);
/// After so long without a row that is said.
const SILENCE: Duration = Duration::from_secs(10);

const HELP: &[(&str, &str)] = &[
    ("l", "loss on a logarithmic or a linear axis"),
    ("s", "sharpness and edge ratio likewise"),
    ("+  -", "fewer or more of the last steps"),
    ("0", "all steps"),
    ("?", "this help, and away with it"),
    ("q  Esc  Ctrl-C", "leave"),
];

/// Says that the terminal is too small, where it is.
pub(super) fn too_small(frame: &mut Frame) -> bool {
    let area = frame.area();
    if area.width >= LEAST.0 && area.height >= LEAST.1 {
        return false;
    }
    let text = format!(
        "This terminal is {}x{}; 80x24 are needed. Make it larger, or leave with q.",
        area.width, area.height
    );
    frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
    true
}

/// Draws a run.
pub(super) fn run(frame: &mut Frame, watched: &Watched, view: &View) {
    let rows = [
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Fill(10),
        Constraint::Fill(9),
        Constraint::Length(1),
    ];
    let [name, what, progress, numbers, above, below, keys] =
        Layout::vertical(rows).areas(frame.area());
    let halves = || Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).spacing(1);
    heading(frame, name, watched, view);
    frame.render_widget(Paragraph::new(watched.what.as_str()), what);
    frame.render_widget(Paragraph::new(progress_line(watched, progress.width)), progress);
    frame.render_widget(Paragraph::new(number_line(watched, view)), numbers);
    let [left, right] = halves().areas(above);
    loss(frame, left, watched, view);
    sharpness(frame, right, watched, view);
    let [left, right] = halves().areas(below);
    ratio(frame, left, watched, view);
    events(frame, right, watched);
    footer(frame, keys, view, "l s axes  + - 0 steps  ? help  q leave");
    if view.help {
        help(frame, HELP);
    }
}

fn heading(frame: &mut Frame, area: Rect, watched: &Watched, view: &View) {
    let (word, color) = standing(watched);
    let word_width = word.chars().count() as u16;
    let [left, right] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(word_width)]).areas(area);
    let bold = Style::new().add_modifier(Modifier::BOLD);
    frame.render_widget(Line::styled(watched.name.as_str(), bold), left);
    frame
        .render_widget(Line::styled(word, view.colored(color).add_modifier(Modifier::BOLD)), right);
}

/// How it stands, in words.
pub(super) fn standing(watched: &Watched) -> (String, Color) {
    match &watched.standing {
        Standing::Waiting => ("waiting for its first row".to_string(), Color::Yellow),
        Standing::UnderWay if watched.changed.elapsed() > SILENCE => {
            let seconds = watched.changed.elapsed().as_secs();
            (format!("no row for {}", duration(seconds as f64)), Color::Yellow)
        }
        Standing::UnderWay => ("under way".to_string(), Color::Green),
        Standing::Ended(word) if word == "done" => (word.clone(), Color::Green),
        Standing::Ended(word) => (word.clone(), Color::Red),
    }
}

/// A bar, the step, speed and the time that is left.
fn progress_line(watched: &Watched, width: u16) -> String {
    let taken = watched.taken();
    let mut text = match watched.steps {
        Some(steps) => format!("{taken}/{steps}"),
        None => format!("{taken} steps"),
    };
    if let Some(speed) = watched.speed() {
        text += &format!("  {} steps/s", short(speed));
    }
    if watched.standing == Standing::UnderWay
        && let Some(left) = watched.seconds_left()
    {
        text += &format!("  ETA {}", duration(left));
    }
    let Some(steps) = watched.steps.filter(|steps| *steps > 0) else { return text };
    let room = usize::from(width).saturating_sub(text.chars().count() + 8).min(40);
    let share = (taken as f64 / steps as f64).min(1.0);
    let full = (share * room as f64) as usize;
    format!("{}{} {:3.0}%  {text}", "━".repeat(full), "─".repeat(room - full), 100.0 * share)
}

/// "1:02:03" or "2:03".
fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

fn number_line<'a>(watched: &'a Watched, view: &View) -> Line<'a> {
    let value = |x: Option<f64>| x.map_or_else(|| "-".to_string(), short);
    let sharpness = watched.latest(|point| point.sharpness);
    let ratio = watched.latest(|point| point.ratio);
    let mut spans = vec![
        Span::raw(format!("loss {}", value(watched.latest(|point| point.loss)))),
        Span::raw(watched.val_loss.map_or_else(String::new, |x| format!(" (val. {})", short(x)))),
        Span::raw(format!("  sharpness {}", value(sharpness))),
    ];
    if !watched.converged {
        spans.push(Span::styled(" (not converged)", view.colored(Color::Yellow)));
    }
    if let Some(formula) = &watched.formula {
        let threshold = value(watched.latest(|point| point.threshold));
        spans.push(Span::raw(format!("  {formula} {threshold}  ratio ")));
        let ratio_text = ratio.map_or_else(|| "-".to_string(), |ratio| format!("{ratio:.3}"));
        let above = ratio.is_some_and(|ratio| ratio >= 1.0);
        let style = if above { view.colored(Color::Red) } else { Style::new() };
        spans.push(Span::styled(ratio_text, style));
    }
    if let Some(phase) = watched.phase {
        spans.push(Span::raw(format!("  {}", phase.name())));
    }
    Line::from(spans)
}

/// A curve of a chart: its mark, its colour and its numbers.
struct Curve {
    marker: Marker,
    drawn: GraphType,
    color: Color,
    value: fn(&Point) -> Option<f64>,
}

const LINE: (Marker, GraphType) = (Marker::Braille, GraphType::Line);
/// Dots, which colour need not tell from a line.
const DOTS: (Marker, GraphType) = (Marker::Dot, GraphType::Scatter);

impl Curve {
    fn new(
        (marker, drawn): (Marker, GraphType),
        color: Color,
        value: fn(&Point) -> Option<f64>,
    ) -> Self {
        Self { marker, drawn, color, value }
    }
}

fn loss(frame: &mut Frame, area: Rect, watched: &Watched, view: &View) {
    let title = format!("Loss{}", view.loss.word());
    let curves = [Curve::new(LINE, Color::Cyan, |point| point.loss)];
    chart(frame, area, (watched, view), &title, view.loss, &curves);
}

fn sharpness(frame: &mut Frame, area: Rect, watched: &Watched, view: &View) {
    let mut title = "Sharpness".to_string();
    if let Some(formula) = &watched.formula {
        title += &format!(", •• {formula}");
    }
    title += view.curvature.word();
    if watched.unconverged > 0 {
        title += &format!(" ({} not converged)", watched.unconverged);
    }
    let curves = [
        Curve::new(DOTS, Color::Yellow, |point| point.threshold),
        Curve::new(LINE, Color::Cyan, |point| point.sharpness),
    ];
    chart(frame, area, (watched, view), &title, view.curvature, &curves);
}

fn ratio(frame: &mut Frame, area: Rect, watched: &Watched, view: &View) {
    let title = format!("Edge ratio, •• 1{}", view.curvature.word());
    let curves = [
        Curve::new(DOTS, Color::Yellow, |point| point.ratio.map(|_| 1.0)),
        Curve::new(LINE, Color::Cyan, |point| point.ratio),
    ];
    chart(frame, area, (watched, view), &title, view.curvature, &curves);
}

fn chart(
    frame: &mut Frame,
    area: Rect,
    (watched, view): (&Watched, &View),
    title: &str,
    scale: Scale,
    curves: &[Curve],
) {
    let block = Block::new().borders(Borders::TOP).title(format!(" {title} "));
    let (from, to) = view.steps(watched);
    let columns = usize::from(area.width.saturating_sub(9));
    let points: Vec<Vec<(f64, f64)>> = curves
        .iter()
        .map(|curve| {
            let columns = if curve.drawn == GraphType::Line { 2 * columns } else { columns / 2 };
            let values = watched.points.iter().map(|point| (point.step, (curve.value)(point)));
            thinned(values, (from, to), columns, scale)
        })
        .collect();
    if points.iter().all(Vec::is_empty) {
        frame.render_widget(Paragraph::new("nothing measured yet").block(block), area);
        return;
    }
    let [low, high] = bounds(&points);
    let label = |place: f64| format!("{:>8}", short(scale.value(place)));
    let datasets = curves.iter().zip(&points).map(|(curve, points)| {
        Dataset::default()
            .marker(curve.marker)
            .graph_type(curve.drawn)
            .style(view.colored(curve.color))
            .data(points)
    });
    let last = to.saturating_sub(1);
    let chart = Chart::new(datasets.collect())
        .block(block)
        .legend_position(None)
        .x_axis(
            Axis::default()
                .bounds([from as f64, last.max(from + 1) as f64])
                .labels([from.to_string(), last.to_string()]),
        )
        .y_axis(Axis::default().bounds([low, high]).labels([
            label(low),
            label(0.5 * (low + high)),
            label(high),
        ]));
    frame.render_widget(chart, area);
}

/// The latest events, the last one lowest.
fn events(frame: &mut Frame, area: Rect, watched: &Watched) {
    let title = match watched.event_count {
        0 => " Events ".to_string(),
        count => format!(" Events: {count} "),
    };
    let block = Block::new().borders(Borders::TOP).title(title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let (width, height) = (usize::from(inner.width), usize::from(inner.height));
    let mut lines: Vec<String> = Vec::new();
    for (step, text) in watched.events.iter().rev() {
        let mut folded = folded(&format!("{step}: {text}"), width);
        if lines.len() + folded.len() > height {
            break;
        }
        folded.reverse();
        lines.extend(folded);
    }
    lines.reverse();
    let text = if lines.is_empty() { "none yet".to_string() } else { lines.join("\n") };
    frame.render_widget(Paragraph::new(text), inner);
}

/// A text in lines of at most that width, broken between words.
fn folded(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let room =
            |line: &String| Span::raw(line.as_str()).width() + 1 + Span::raw(word).width() <= width;
        match lines.last_mut() {
            Some(line) if room(line) => *line += &format!(" {word}"),
            Some(_) => lines.push(format!("  {word}")),
            None => lines.push(word.to_string()),
        }
    }
    lines
}

/// The last line.
pub(super) fn footer(frame: &mut Frame, area: Rect, view: &View, keys: &str) {
    let text = view.note.as_deref().unwrap_or(keys);
    frame.render_widget(Line::styled(text, Style::new().add_modifier(Modifier::DIM)), area);
}

/// What the keys do, above everything.
pub(super) fn help(frame: &mut Frame, keys: &[(&str, &str)]) {
    let width = keys.iter().map(|(_, what)| what.chars().count()).max().unwrap_or(0) as u16 + 20;
    let area =
        frame.area().centered(Constraint::Length(width), Constraint::Length(keys.len() as u16 + 2));
    let lines: Vec<Line> =
        keys.iter().map(|(key, what)| Line::raw(format!(" {key:<14}  {what}"))).collect();
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" Keys ")), area);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_folded_between_words_and_times_read_well() {
        assert_eq!(folded("ab cd ef", 5), ["ab cd", "  ef"]);
        assert_eq!(folded("abcdefgh", 5), ["abcdefgh"]);
        assert_eq!([0.4, 61.0, 3723.0].map(duration), ["0:00", "1:01", "1:02:03"]);
    }
}
