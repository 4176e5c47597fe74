//! Single eigenvalues in the picture of a density: a stem up to the curve, a triangle, the value.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::error::Result;
use crate::report::figure::canvas::{Canvas, Pen, Pixel, px, text_width};
use crate::report::figure::failed;

/// The size of letters, and layout units around a value.
const SMALL: f64 = 12.0;
const AROUND: f64 = 4.0;
/// Of a triangle.
const HEIGHT: f64 = 7.5;
const HALF_WIDTH: f64 = 4.5;
/// From the curve to a triangle.
const GAP: f64 = 2.0;

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
        self.marks.push(Mark { column, text, color });
    }

    /// What stands for an eigenvalue of this colour.
    pub(super) fn stem(color: RGBColor) -> Pen {
        Pen::solid(color, 1.3)
    }

    /// Draws all of them, with the values that there is room for.
    pub(super) fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        let bottom = self.corners[0].1;
        for Mark { column, color, .. } in self.marks.iter().rev() {
            let tip = self.tip(*column);
            canvas.stroke(&[(*column, bottom), (*column, tip)], Self::stem(*color))?;
            let corner = |x: f64, y: f64| (column + px(x), tip - px(y));
            let corners =
                vec![corner(0.0, 0.0), corner(-HALF_WIDTH, HEIGHT), corner(HALF_WIDTH, HEIGHT)];
            canvas.area.draw(&Polygon::new(corners, color.filled())).map_err(failed)?;
        }
        for (mark, [columns, rows]) in self.values() {
            let (base, end) = (self.tip(mark.column) - px(HEIGHT), rows[1] + px(1.0));
            if base - end > px(2.0) {
                canvas
                    .stroke(&[(mark.column, base), (mark.column, end)], Self::stem(mark.color))?;
            }
            let middle = ((columns[0] + columns[1]) / 2, (rows[0] + rows[1]) / 2);
            let style = canvas.font(SMALL, HPos::Center).color(&mark.color);
            canvas.text(&mark.text, middle, &style)?;
        }
        Ok(())
    }

    /// The row of a triangle's tip.
    fn tip(&self, column: i32) -> i32 {
        self.highest(column, column) - px(GAP)
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

    /// Where values are written: above the curve and all triangles, beside the line, and not over
    /// each other.
    fn values(&self) -> Vec<(&Mark, Box)> {
        let mut placed: Vec<(&Mark, Box)> = Vec::new();
        for mark in &self.marks {
            let half = px(text_width(&mark.text, SMALL) / 2.0 + AROUND);
            let ends = self.corners.map(|corner| corner.0);
            let mut middle = mark.column.min(ends[1] - half).max(ends[0] + half);
            if let Some(line) = self.line.filter(|line| (line - middle).abs() < half) {
                let right = mark.column >= line && line + 2 * half <= ends[1];
                middle = if right || line - 2 * half < ends[0] { line + half } else { line - half };
            }
            let columns = [middle - half, middle + half];
            let mut top = self.highest(columns[0], columns[1]);
            for other in &self.marks {
                let wide = px(HALF_WIDTH);
                if other.column + wide > columns[0] && other.column - wide < columns[1] {
                    top = top.min(self.tip(other.column) - px(HEIGHT));
                }
            }
            let rows = [top - px(GAP + SMALL), top - px(GAP)];
            let meets = |a: [i32; 2], b: [i32; 2]| a[0] < b[1] && b[0] < a[1];
            let free = placed.iter().all(|(_, b)| !(meets(b[0], columns) && meets(b[1], rows)));
            if free && rows[0] >= self.corners[1].1 {
                placed.push((mark, [columns, rows]));
            }
        }
        placed
    }
}
