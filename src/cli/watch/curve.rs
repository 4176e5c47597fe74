//! Curves for a screen: few points of many, none of which hides a peak.

/// The scale of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    Logarithmic,
}

impl Scale {
    /// Where a value stands; `None` for one that has no place.
    fn place(self, value: f64) -> Option<f64> {
        let place = match self {
            Scale::Linear => value,
            Scale::Logarithmic => value.log10(),
        };
        place.is_finite().then_some(place)
    }

    /// The value at a place.
    pub fn value(self, place: f64) -> f64 {
        match self {
            Scale::Linear => place,
            Scale::Logarithmic => 10f64.powf(place),
        }
    }

    /// In a title.
    pub fn word(self) -> &'static str {
        match self {
            Scale::Linear => "",
            Scale::Logarithmic => ", log axis",
        }
    }

    pub fn other(self) -> Self {
        match self {
            Scale::Linear => Scale::Logarithmic,
            Scale::Logarithmic => Scale::Linear,
        }
    }
}

/// Points of a curve over steps `from..to` for an axis of so many columns: of each column the first, the least, the
/// largest and the last.
pub(super) fn thinned(
    points: impl Iterator<Item = (usize, Option<f64>)>,
    (from, to): (usize, usize),
    columns: usize,
    scale: Scale,
) -> Vec<(f64, f64)> {
    let width = (to.saturating_sub(from)).max(1);
    let column = |step: usize| (step - from) * columns.max(1) / width;
    let placed = points
        .filter(|(step, _)| (from..to).contains(step))
        .filter_map(|(step, value)| Some((step, scale.place(value?)?)));
    let mut thin = Vec::new();
    let mut group: Vec<(usize, f64)> = Vec::new();
    for (step, place) in placed {
        if group.first().is_some_and(|(first, _)| column(*first) != column(step)) {
            close(&mut group, &mut thin);
        }
        // First, least, largest, last.
        match group.len() {
            0 => group = vec![(step, place); 4],
            _ => {
                if place < group[1].1 {
                    group[1] = (step, place);
                }
                if place > group[2].1 {
                    group[2] = (step, place);
                }
                group[3] = (step, place);
            }
        }
    }
    close(&mut group, &mut thin);
    thin
}

fn close(group: &mut Vec<(usize, f64)>, thin: &mut Vec<(f64, f64)>) {
    group.sort_by_key(|(step, _)| *step);
    group.dedup();
    thin.extend(group.drain(..).map(|(step, place)| (step as f64, place)));
}

/// The axis on which all of these have a place, with some room.
pub(super) fn bounds<'a>(curves: impl IntoIterator<Item = &'a Vec<(f64, f64)>>) -> [f64; 2] {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for (_, place) in curves.into_iter().flatten() {
        (low, high) = (low.min(*place), high.max(*place));
    }
    if low > high {
        return [0.0, 1.0];
    }
    let room = match high - low {
        0.0 => (0.05 * low.abs()).max(1e-12),
        width => 0.05 * width,
    };
    [low - room, high + room]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_of_one_step_stays() {
        let value = |step: usize| if step == 7777 { 100.0 } else { (step % 3) as f64 };
        let points = || (0..10_000).map(|step| (step, Some(value(step))));
        let thin = thinned(points(), (0, 10_000), 60, Scale::Linear);
        assert!(thin.len() <= 4 * 60 && thin.contains(&(7777.0, 100.0)), "{}", thin.len());
        assert!(thin.is_sorted_by(|a, b| a.0 <= b.0));
        assert_eq!(thin.first(), Some(&(0.0, 0.0)));
        assert_eq!(bounds([&thin]), [-5.0, 105.0]);
        // The last steps alone.
        let thin = thinned(points(), (9_990, 10_000), 60, Scale::Linear);
        assert_eq!(thin.len(), 10);
    }

    #[test]
    fn what_has_no_place_is_left_out() {
        let points = [Some(0.0), None, Some(f64::NAN), Some(100.0), Some(f64::INFINITY)];
        let points = || points.into_iter().enumerate();
        assert_eq!(thinned(points(), (0, 5), 10, Scale::Logarithmic), [(3.0, 2.0)]);
        assert_eq!(thinned(points(), (0, 5), 10, Scale::Linear).len(), 2);
        assert_eq!(thinned([].into_iter(), (0, 0), 10, Scale::Linear), []);
        assert_eq!(bounds([]), [0.0, 1.0]);
        let [low, high] = bounds([&vec![(0.0, 2.0)]]);
        assert!(low < 2.0 && 2.0 < high);
    }
}
