//! What a tracker knows between two steps, to be kept and taken up again to the last bit.

use super::low_rank::LowRankModel;
use super::space::Space;
use super::{FollowMemory, Tracker};
use crate::error::{Error, Result};

impl Tracker {
    /// All that the next step depends on. (A model's eigenpairs are those of its core, and what the space
    /// has spare is overwritten.)
    pub(super) fn memory(&self) -> FollowMemory {
        let (basis, turns) = self.space.memory();
        let (model_basis, model_core) = self.model.memory();
        let reals = [
            ("space", basis),
            ("model.basis", model_basis),
            ("model.core", model_core),
            ("guard", &self.guard),
            ("tops", &self.tops),
            ("turned", &self.turned),
            ("directions", &self.directions),
            ("known", &self.known),
            ("swing", &[self.swing]),
            ("lift", &[self.lift]),
        ];
        let before = self.before.iter().flat_map(|before| {
            let (basis, core) = before.memory();
            [("before.basis", basis), ("before.core", core)]
        });
        let sharpness = self.sharpness.as_slice();
        let sharpness = (!sharpness.is_empty()).then_some(("sharpness", sharpness));
        let reals = reals.into_iter().chain(before).chain(sharpness);
        let counts = [
            ("turns", turns),
            ("wanted", self.wanted),
            ("guard_at", self.guard_at),
            ("since_audit", self.since_audit),
            ("random", self.rng.get_word_pos() as usize),
        ];
        FollowMemory {
            reals: reals.map(|(name, values)| (name.to_string(), values.to_vec())).collect(),
            counts: counts.map(|(name, count)| (name.to_string(), count as u64)).into(),
        }
    }

    /// Takes up what another with the same settings knew.
    ///
    /// # Errors
    /// [`Error::State`] naming what is missing or does not fit.
    pub(super) fn restore(&mut self, memory: &FollowMemory) -> Result<()> {
        let Tracker { n, settings, .. } = *self;
        let read = Reader(memory);
        let space = Space::restored(n, read.columns("space", n)?, read.count("turns")?);
        let q = space.rank();
        let model = read.model("model", q)?.ok_or_else(|| missing("model.basis"))?;
        let before = read.model("before", q)?;
        let directions = read.columns("directions", n)?;
        let (first, known) = (directions.len() / n, read.columns("known", q)?);
        if !known.is_empty() && known.len() != first * q {
            return Err(unfit("known"));
        }
        let (wanted, guard_at) = (read.count("wanted")?, read.count("guard_at")?);
        if wanted.max(guard_at) > first {
            return Err(unfit("wanted"));
        }
        let mut fresh = Self::new(n, settings);
        fresh.rng.set_word_pos(u128::from(read.counter("random")?));
        *self = Self {
            model,
            before,
            swing: read.number("swing")?.ok_or_else(|| missing("swing"))?,
            guard: read.columns("guard", q)?,
            lift: read.number("lift")?.ok_or_else(|| missing("lift"))?,
            tops: read.columns("tops", q)?,
            turned: read.columns("turned", q)?,
            directions,
            known,
            wanted,
            guard_at,
            sharpness: read.number("sharpness")?,
            since_audit: read.count("since_audit")?,
            space,
            ..fresh
        };
        Ok(())
    }
}

fn state(reason: String) -> Error {
    Error::State { what: "taking up the eigenvalues that were followed", reason }
}

fn missing(name: &str) -> Error {
    state(format!("there is no {name}"))
}

fn unfit(name: &str) -> Error {
    state(format!("{name} does not fit the rest"))
}

/// Reads a memory by its names.
struct Reader<'a>(&'a FollowMemory);

impl Reader<'_> {
    fn find(&self, name: &str) -> Option<&[f64]> {
        self.0.reals.get(name).map(Vec::as_slice)
    }

    /// Columns of length `n`.
    fn columns(&self, name: &str, n: usize) -> Result<Vec<f64>> {
        let values = self.find(name).ok_or_else(|| missing(name))?;
        match values.len() % n.max(1) {
            0 => Ok(values.to_vec()),
            _ => Err(unfit(name)),
        }
    }

    fn number(&self, name: &str) -> Result<Option<f64>> {
        match self.find(name) {
            None => Ok(None),
            Some([value]) => Ok(Some(*value)),
            Some(_) => Err(unfit(name)),
        }
    }

    fn counter(&self, name: &str) -> Result<u64> {
        self.0.counts.get(name).copied().ok_or_else(|| missing(name))
    }

    fn count(&self, name: &str) -> Result<usize> {
        usize::try_from(self.counter(name)?).map_err(|_| unfit(name))
    }

    /// A model for vectors of length `q`; `None` where there is none of that name.
    fn model(&self, name: &str, q: usize) -> Result<Option<LowRankModel>> {
        let core = format!("{name}.core");
        let name = format!("{name}.basis");
        if self.find(&name).is_none() {
            return Ok(None);
        }
        let basis = self.columns(&name, q)?;
        let rank = basis.len() / q.max(1);
        let core = self.find(&core).filter(|core| core.len() == rank * rank);
        let core = core.ok_or_else(|| unfit(&name))?;
        Ok(Some(LowRankModel::restored(q, basis, core.to_vec())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::{DenseOperator, SymmetricOperator, Tracked, TrackerSettings};

    const N: usize = 30;

    /// Step `t` of an operator that swings and drifts.
    fn step(tracker: &mut Tracker, t: usize) -> Tracked {
        let swing = if t.is_multiple_of(2) { 0.1 } else { -0.1 };
        let entry = |i: usize, j: usize| match i.abs_diff(j) {
            0 => 10.0 * 0.8_f64.powi(i as i32) + 0.01 * t as f64,
            1 => swing,
            7 => 0.02 * t as f64,
            _ => 0.0,
        };
        let entries = (0..N * N).map(|at| entry(at % N, at / N)).collect();
        let mut operator = DenseOperator::new(N, entries).unwrap();
        let x = tracker.directions().to_vec();
        let mut ax = vec![0.0; x.len()];
        operator.apply_block(&x, &mut ax).unwrap();
        tracker.update(&mut operator, &ax, None).unwrap()
    }

    #[test]
    fn one_that_takes_up_a_memory_goes_on_to_the_last_bit() {
        let settings = TrackerSettings { rank: 6, audit_every: 9, ..TrackerSettings::new(2, 1e-3) };
        let scale: Vec<f64> = (0..N).map(|i| 1.0 + 0.01 * (i as f64).sin()).collect();
        for kept_at in [0, 1, 2, 7, 8, 9, 40] {
            let mut whole = Tracker::new(N, settings);
            (0..kept_at).for_each(|t| drop(step(&mut whole, t)));
            let mut other = Tracker::new(N, settings);
            other.restore(&whole.memory()).unwrap();
            for t in kept_at..kept_at + 12 {
                assert_eq!(step(&mut whole, t), step(&mut other, t), "kept at {kept_at}, step {t}");
                assert_eq!(whole.directions(), other.directions());
                if t % 5 == 3 {
                    whole.rescale(&scale).unwrap();
                    other.rescale(&scale).unwrap();
                }
            }
        }
    }

    #[test]
    fn a_memory_that_is_not_whole_is_refused() {
        let mut tracker =
            Tracker::new(N, TrackerSettings { rank: 6, ..TrackerSettings::new(2, 1e-3) });
        (0..4).for_each(|t| drop(step(&mut tracker, t)));
        let memory = tracker.memory();
        for name in memory.reals.keys() {
            let mut other = memory.clone();
            other.reals.get_mut(name).unwrap().push(0.5);
            assert!(tracker.clone().restore(&other).is_err(), "{name} is longer");
            other.reals.remove(name);
            // Of these there may be none.
            let optional = ["before.basis", "sharpness"].contains(&name.as_str());
            assert_eq!(tracker.clone().restore(&other).is_ok(), optional, "{name} is missing");
        }
        for name in memory.counts.keys() {
            let mut other = memory.clone();
            other.counts.remove(name);
            assert!(tracker.clone().restore(&other).is_err(), "{name} is missing");
        }
    }
}
