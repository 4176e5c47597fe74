//! Single eigenvalues in the picture of a density: a stem up to the curve, a triangle, the value.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::error::Result;
use crate::figure::canvas::{Canvas, Pen, Pixel, px, text_width};
use crate::figure::failed;

/// The size of letters, and layout units around a value.
const SMALL: f64 = 12.0;
const AROUND: f64 = 4.0;
/// Of a triangle.
const HEIGHT: f64 = 7.5;
const HALF_WIDTH: f64 = 4.5;
/// From the curve to a triangle.
const GAP: f64 = 2.0;
/// How far beside it the curve counts as being at an eigenvalue.
const BESIDE: f64 = 1.5;
/// How far a value may stand from its triangle.
const FAR: f64 = 50.0;

/// Eigenvalues in a picture, those first whose values matter most.
pub(super) struct Marks {
    /// The lower left and the upper right corner of the plot.
    corners: [Pixel; 2],
    /// The line above them, from left to right.
    curve: Vec<Pixel>,
    /// A column that no value may lie across.
    line: Option<i32>,
    marks: Vec<Mark>,
}

struct Mark {
    column: i32,
    /// The row of its triangle's tip.
    tip: i32,
    text: String,
    color: RGBColor,
}

/// Columns and rows, from and to.
type Box = [[i32; 2]; 2];

impl Marks {
    /// None yet.
    pub(super) fn new(corners: [Pixel; 2], curve: Vec<Pixel>, line: Option<i32>) -> Self {
        Self { corners, curve, line, marks: Vec::new() }
    }

    /// An eigenvalue at this column.
    pub(super) fn add(&mut self, column: i32, text: String, color: RGBColor) {
        let [from, to] = [-BESIDE, BESIDE].map(|by| column + px(by));
        let tip = self.highest(from, to) - px(GAP);
        self.marks.push(Mark { column, tip, text, color });
    }

    /// What stands for an eigenvalue of this colour.
    pub(super) fn stem(color: RGBColor) -> Pen {
        Pen::solid(color, 1.3)
    }

    /// Draws all of them, with the values that there is room for.
    pub(super) fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        let bottom = self.corners[0].1;
        for Mark { column, tip, color, .. } in self.marks.iter().rev() {
            canvas.stroke(&[(*column, bottom), (*column, *tip)], Self::stem(*color))?;
            let corner = |x: f64, y: f64| (column + px(x), tip - px(y));
            let shape =
                vec![corner(0.0, 0.0), corner(-HALF_WIDTH, HEIGHT), corner(HALF_WIDTH, HEIGHT)];
            canvas.area.draw(&Polygon::new(shape, color.filled())).map_err(failed)?;
        }
        for (mark, value) in self.values() {
            let [_, [end, base]] = mark.line_to(&value);
            if base - end > px(GAP) {
                let line = [(mark.column, base), (mark.column, end)];
                canvas.stroke(&line, Self::stem(mark.color))?;
            }
            let [columns, rows] = value;
            let middle = ((columns[0] + columns[1]) / 2, (rows[0] + rows[1]) / 2);
            let style = canvas.font(SMALL, HPos::Center).color(&mark.color);
            canvas.text(&mark.text, middle, &style)?;
        }
        Ok(())
    }

    /// The highest row of the curve between two columns.
    fn highest(&self, from: i32, to: i32) -> i32 {
        let inside = self.curve.iter().filter(|p| p.0 >= from && p.0 <= to).map(|p| p.1);
        let crossing = |column: i32| {
            let pairs = self.curve.windows(2).filter(move |w| w[0].0 < column && column < w[1].0);
            pairs.map(move |w| {
                let share = f64::from(column - w[0].0) / f64::from(w[1].0 - w[0].0);
                w[0].1 + (share * f64::from(w[1].1 - w[0].1)).round() as i32
            })
        };
        let all = inside.chain(crossing(from)).chain(crossing(to));
        all.chain([self.corners[0].1]).min().unwrap_or_default()
    }

    /// Where values are written, as far as there is room.
    fn values(&self) -> Vec<(&Mark, Box)> {
        let mut placed: Vec<(&Mark, Box)> = Vec::new();
        for mark in &self.marks {
            let half = px(text_width(&mark.text, SMALL) / 2.0 + AROUND);
            let lift = |place: &Box| mark.tip - place[1][1];
            let free = |place: &Box| {
                let line = mark.line_to(place);
                let over = |(other, value): &(&Mark, Box)| {
                    let other_line = other.line_to(value);
                    meets(value, place) || meets(value, &line) || meets(&other_line, place)
                };
                let inside = place[1][0] >= self.corners[1].1;
                lift(place) <= px(FAR) && inside && !placed.iter().any(over)
            };
            // Where the curve is steep, a value stands lower at one of the sides.
            let aside = half - px(BESIDE);
            let places = [0, -aside, aside].map(|by| self.place(mark.column, by, half));
            let best = places.into_iter().filter(free).min_by_key(|place| lift(place) / px(GAP));
            placed.extend(best.map(|place| (mark, place)));
        }
        placed
    }

    /// For a value `2 * half` wide, so far aside from its column: above the curve and all triangles,
    /// and beside the line.
    fn place(&self, column: i32, aside: i32, half: i32) -> Box {
        let [left, right] = self.corners.map(|corner| corner.0);
        let mut middle = (column + aside).min(right - half).max(left + half);
        if let Some(line) = self.line.filter(|line| (line - middle).abs() < half) {
            let after = column >= line && line + 2 * half <= right || line - 2 * half < left;
            middle = if after { line + half } else { line - half };
        }
        let columns = [middle - half, middle + half];
        let beside = px(HALF_WIDTH);
        let below = self
            .marks
            .iter()
            .filter(|mark| mark.column + beside > columns[0] && mark.column - beside < columns[1]);
        let tops = below.map(|mark| mark.tip - px(HEIGHT));
        let top = tops.fold(self.highest(columns[0], columns[1]), i32::min) - px(GAP);
        [columns, [top - px(SMALL), top]]
    }
}

impl Mark {
    /// What a line takes from the triangle up to the value.
    fn line_to(&self, value: &Box) -> Box {
        let half = px(1.0);
        [[self.column - half, self.column + half], [value[1][1], self.tip - px(HEIGHT)]]
    }
}

fn meets(a: &Box, b: &Box) -> bool {
    a.iter().zip(b).all(|(a, b)| a[0] < b[1] && b[0] < a[1])
}
