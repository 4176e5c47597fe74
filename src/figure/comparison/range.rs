//! Ranges of values to which no run that diverged, and none far from all others, can stretch an
//! axis.

use crate::figure::panel::Panel;
use crate::figure::range::{ends, from_zero, padded, with_zero};
use crate::figure::series::{Line, Point, Role, quantile};

/// Eigenvalues have a logarithmic axis if two lines' usual magnitudes have this quotient or more.
const FAR_APART: f64 = 20.0;
/// A line whose usual magnitude is this many times the median line's is no reason for a longer
/// axis.
const TOO_FAR: f64 = 1e4;

/// What an axis shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Eigenvalues, whose zero matters.
    Curvature,
    /// Those over their thresholds: zero and one matter.
    Ratio,
    /// A loss, whose logarithm matters.
    Loss,
    /// The last eigenvalue of each run: differences matter.
    Last,
    /// A share: differences matter, as they are.
    Share,
}

/// Values of one run, or of a threshold.
#[derive(Clone, Debug)]
pub(super) struct Values {
    values: Vec<f64>,
    /// Their usual magnitude.
    size: f64,
    /// How many times that their axis shows, if it is linear or logarithmic.
    most: [f64; 2],
}

impl Values {
    /// One value.
    pub(super) fn one(value: f64) -> Self {
        Self { values: vec![value], size: value.abs(), most: [1.0; 2] }
    }

    fn of(line: &Line, kind: Kind) -> Self {
        let values: Vec<f64> = line.points.iter().map(|p| p.1).collect();
        // Learning rates near 0 send a threshold off to infinity.
        let (share, most) = match line.role {
            Role::Threshold => (0.5, [1.5, 3.0]),
            Role::Seed | Role::Measured => (0.95, [3.0, 10.0]),
        };
        let usual = quantile(values.iter().map(|v| v.abs()), share).unwrap_or(0.0);
        // Losses may fall to a small share of the first at once.
        let first = values.first().filter(|_| kind == Kind::Loss).map_or(0.0, |v| v.abs());
        Self { values, size: usual.max(first), most }
    }

    /// Its ends on a linear axis.
    fn linear(&self) -> Point {
        let (low, high) = ends(self.values.iter().copied());
        let most = self.most[0] * self.size;
        (low.max(-most), high.min(most).max(low))
    }

    /// Its ends on a logarithmic axis; a few values far below the others do not count.
    fn log(&self) -> Point {
        let positive = || self.values.iter().copied().filter(|v| *v > 0.0);
        let (low, high) = ends(positive());
        let low = low.max(quantile(positive(), 0.02).unwrap_or(low) / 3.0);
        (low, high.min(self.most[1] * self.size).max(low))
    }
}

/// Of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shown {
    /// Whether it is logarithmic.
    pub(super) log: bool,
    /// The lowest and highest value shown, without margins; not their logarithms.
    pub(super) ends: Point,
}

impl Shown {
    /// What shows the values well; `None` where there are none.
    pub(super) fn of(runs: &[Values], kind: Kind) -> Option<Self> {
        let mut sizes: Vec<f64> = runs.iter().map(|run| run.size).filter(|s| *s > 0.0).collect();
        sizes.sort_by(f64::total_cmp);
        let middle = sizes.get(sizes.len().saturating_sub(1) / 2).copied().unwrap_or(0.0);
        let near = |run: &&Values| run.size <= TOO_FAR * middle;
        let runs = || runs.iter().filter(near);
        let together = |part: fn(&Values) -> Point| {
            let (low, high): (Vec<_>, Vec<_>) = runs().map(part).unzip();
            (ends(low.into_iter()).0, ends(high.into_iter()).1)
        };
        let ((low, high), logs) = (together(Values::linear), together(Values::log));
        if low > high {
            return None;
        }
        let values = || runs().flat_map(|run| run.values.iter());
        let others = values().filter(|v| **v <= 0.0).count();
        let largest = runs().map(|run| run.size).fold(0.0, f64::max);
        let logs = (logs.0.max(1e-10 * largest), logs.1);
        let log = 20 * others <= values().count()
            && match kind {
                Kind::Curvature | Kind::Last => {
                    sizes.first().is_some_and(|least| largest > FAR_APART * least)
                }
                Kind::Ratio => largest > FAR_APART,
                Kind::Loss => logs.1 > 3.0 * logs.0,
                Kind::Share => false,
            };
        let ends = match kind {
            _ if log => logs,
            Kind::Loss | Kind::Last | Kind::Share => (low, high),
            Kind::Curvature | Kind::Ratio => from_zero(low, high),
        };
        Some(Self { log, ends })
    }

    /// What the axis spans, in its coordinate.
    pub(super) fn range(self, kind: Kind) -> Point {
        let (from, to) = self.ends;
        match kind {
            _ if self.log => padded(from.log10(), to.log10()),
            Kind::Loss | Kind::Last | Kind::Share => padded(from, to),
            Kind::Curvature | Kind::Ratio => with_zero(from, to),
        }
    }

    /// Whether the axis ends before a value.
    pub(super) fn hides(self, value: f64) -> bool {
        value < self.ends.0 || value > self.ends.1
    }
}

/// Also takes the logarithms, where the axis is to be logarithmic.
pub(super) fn choose_range(panel: &mut Panel, kind: Kind) {
    let usual = |line: &&Line| !line.outlying;
    let mut lines: Vec<_> = panel.lines.iter().filter(usual).collect();
    if lines.iter().all(|line| line.role == Role::Threshold) {
        lines = panel.lines.iter().collect();
    }
    let runs: Vec<_> = lines.into_iter().map(|line| Values::of(line, kind)).collect();
    let Some(shown) = Shown::of(&runs, kind) else {
        return;
    };
    let (low, high) = ends(panel.lines.iter().flat_map(|line| line.points.iter().map(|p| p.1)));
    panel.clipped = [high, low].into_iter().find(|value| shown.hides(*value));
    panel.range = shown.range(kind);
    if shown.log {
        panel.take_logarithms();
    }
}
