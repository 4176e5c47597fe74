//! A network's symmetries as what they do to its flat parameter vector.

use crate::autodiff::{Carrier, ParameterLayout, Side, UnitGroup};
use crate::error::{Error, Result, check_length};

/// Groups of hidden units and their places in a flat parameter vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Symmetry {
    pub(super) groups: Vec<Group>,
    dim: usize,
}

/// Hidden units that may change places.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    pub name: String,
    pub units: usize,
    pub flips: bool,
    pub scales: bool,
    parts: Vec<Part>,
}

/// A tensor seen as `[outer, units, inner]`, row by row from `offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Part {
    offset: usize,
    outer: usize,
    inner: usize,
    side: Side,
}

/// Where the units of a group come from, and what they are multiplied by.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct UnitMove {
    /// The group's name.
    pub group: String,
    /// Unit i is what was unit `from[i]`.
    pub from: Vec<usize>,
    /// Times this: what makes the unit is multiplied by it, what reads it is divided.
    pub factors: Vec<f64>,
}

/// A move for each group of a [`Symmetry`].
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Rearrangement {
    /// In the order of the groups.
    pub moves: Vec<UnitMove>,
}

impl Symmetry {
    /// Those groups in a parameter vector of that layout.
    ///
    /// # Errors
    /// [`Error::Setting`] naming a tensor that the layout does not have, or whose axis does not hold so
    /// many units.
    pub fn new(layout: &ParameterLayout, groups: &[UnitGroup]) -> Result<Self> {
        let resolve = |group: &UnitGroup| {
            let part = |carrier: &Carrier| part(layout, carrier, group.units);
            Ok(Group {
                name: group.name.clone(),
                units: group.units,
                flips: group.flips,
                scales: group.scales,
                parts: group.carriers.iter().map(part).collect::<Result<_>>()?,
            })
        };
        let groups = groups.iter().map(resolve).collect::<Result<_>>()?;
        Ok(Self { groups, dim: layout.len() })
    }

    /// Whether there is nothing to rearrange.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Length P of the parameter vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The rearrangement that changes nothing.
    pub fn identity(&self) -> Rearrangement {
        let still = |group: &Group| UnitMove {
            group: group.name.clone(),
            from: (0..group.units).collect(),
            factors: vec![1.0; group.units],
        };
        Rearrangement { moves: self.groups.iter().map(still).collect() }
    }

    /// `theta` (length P) rearranged.
    ///
    /// # Errors
    /// [`Error::Length`] for another length, or for moves of another symmetry.
    pub fn apply(&self, rearrangement: &Rearrangement, theta: &[f64]) -> Result<Vec<f64>> {
        check_length("parameter vector", theta.len(), self.dim)?;
        check_length("rearrangement", rearrangement.moves.len(), self.groups.len())?;
        let mut moved = theta.to_vec();
        for (group, unit_move) in self.groups.iter().zip(&rearrangement.moves) {
            check_length("rearrangement of a group", unit_move.from.len(), group.units)?;
            group.apply(unit_move, &mut moved);
        }
        Ok(moved)
    }
}

impl Rearrangement {
    /// This, and then `next`.
    pub(super) fn then(&mut self, group: usize, next: &UnitMove) {
        let before = &self.moves[group];
        let from = next.from.iter().map(|&i| before.from[i]).collect();
        let factors = next.from.iter().zip(&next.factors).map(|(&i, f)| before.factors[i] * f);
        let factors = factors.collect();
        self.moves[group] = UnitMove { group: before.group.clone(), from, factors };
    }

    /// Units that do not stay where they are, units that change their sign, and all of them.
    pub fn counts(&self) -> (usize, usize, usize) {
        let moved = |m: &UnitMove| m.from.iter().enumerate().filter(|(i, from)| i != *from).count();
        let flipped = |m: &UnitMove| m.factors.iter().filter(|f| **f < 0.0).count();
        let sum = |count: &dyn Fn(&UnitMove) -> usize| self.moves.iter().map(count).sum();
        (sum(&moved), sum(&flipped), sum(&|m| m.from.len()))
    }
}

impl Group {
    /// Rearranges in place.
    pub fn apply(&self, unit_move: &UnitMove, theta: &mut [f64]) {
        for part in &self.parts {
            let Part { offset, outer, inner, side } = *part;
            let row = self.units * inner;
            for row in theta[offset..offset + outer * row].chunks_exact_mut(row.max(1)) {
                let old = row.to_vec();
                let moves = unit_move.from.iter().zip(&unit_move.factors);
                for (new, (&from, factor)) in row.chunks_exact_mut(inner).zip(moves) {
                    let factor = match side {
                        Side::Makes => *factor,
                        Side::Reads => factor.recip(),
                    };
                    let old = &old[from * inner..(from + 1) * inner];
                    new.iter_mut().zip(old).for_each(|(new, old)| *new = old * factor);
                }
            }
        }
    }

    /// The parameters of each unit one after the other, and how many a unit has; of one side, or all.
    pub fn units(&self, theta: &[f64], side: Option<Side>) -> (Vec<f64>, usize) {
        let parts = || self.parts.iter().filter(|part| side.is_none_or(|side| part.side == side));
        let length = parts().map(|part| part.outer * part.inner).sum();
        let mut columns = Vec::with_capacity(length * self.units);
        for unit in 0..self.units {
            for part in parts() {
                for row in 0..part.outer {
                    let start = part.offset + (row * self.units + unit) * part.inner;
                    columns.extend_from_slice(&theta[start..start + part.inner]);
                }
            }
        }
        (columns, length)
    }
}

fn part(layout: &ParameterLayout, carrier: &Carrier, units: usize) -> Result<Part> {
    let Carrier { tensor, axis, times, side } = carrier;
    let wrong = |problem: String| {
        Error::setting("units", tensor, problem, "name a tensor of the model and the units' axis")
    };
    let entry = layout.entries().iter().find(|entry| entry.name == *tensor);
    let entry = entry.ok_or_else(|| wrong("the model has no such tensor".to_string()))?;
    let length = entry.shape.get(*axis).copied().unwrap_or(0);
    let stretch = units * times;
    if stretch == 0 || length == 0 || !length.is_multiple_of(stretch) {
        let shape = &entry.shape;
        return Err(wrong(format!("axis {axis} of {shape:?} does not hold {units} units")));
    }
    let before: usize = entry.shape[..*axis].iter().product();
    let after: usize = entry.shape[axis + 1..].iter().product();
    Ok(Part {
        offset: entry.offset,
        outer: before * times,
        inner: length / stretch * after,
        side: *side,
    })
}
