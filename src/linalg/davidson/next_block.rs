//! What a step leaves for the next: its first vectors, and a space no larger than they and the models
//! need.

use faer::MatRef;

use super::frame::Frame;
use super::space::widened;
use super::{Products, Tracker, by_coordinates, columns, outside, random_unit_vector};
use crate::error::Result;
use crate::linalg::dot;
use crate::linalg::lanczos::krylov::orthogonalise;

/// A top eigenvector of the model with more than this outside of the first vectors is added to them.
const FORGOTTEN: f64 = 0.7;

impl Tracker {
    /// The guard's step of the power method, from its product among the first, by coordinates.
    pub(super) fn climb(&mut self, first: Products<'_>) {
        let q = self.space.rank();
        let Some((x, ax)) = columns(first, q).nth(self.guard_at) else { return };
        let quotient = dot(x, ax) / dot(x, x);
        self.lift = (0.9 * self.lift).max(-quotient);
        self.guard = x.iter().zip(ax).map(|(x, ax)| ax + self.lift * x).collect();
    }

    /// Chooses the next step's first vectors; returns their coordinates.
    pub(super) fn prepare(&mut self) -> Result<Vec<f64>> {
        let (k, mut q) = (self.settings.largest.min(self.n), self.space.rank());
        // The model has just been truncated: it begins with these.
        let tops = self.model.basis()[..q * k.min(self.model.rank())].to_vec();
        let mut block = match &self.before {
            // If it swings, it swings back.
            Some(before) if self.swing > 0.0 => {
                self.model.combined(1.0 - self.swing, before, self.swing)?.largest_vectors(k)?
            }
            _ => tops.clone(),
        };
        let steadiness = self.turn(&tops);
        if self.swing == 0.0 && steadiness > 0.0 {
            block.iter_mut().zip(&self.turned).for_each(|(x, turned)| *x += steadiness * turned);
        }
        self.wanted = block.len() / q;
        let mut frame = Frame::new(q);
        block.chunks_exact(q).for_each(|x| {
            frame.push(x, x);
        });
        // A pair that has just come up is not given up for what was before.
        for top in tops.chunks_exact(q) {
            let mut rest = top.to_vec();
            if frame.len() > 0 && orthogonalise(&mut rest, frame.vectors(), q).1 > FORGOTTEN {
                frame.push(top, top);
                block.extend_from_slice(top);
            }
        }
        self.tops = tops;
        self.guard_at = block.len() / q;
        let mut known = self.model.basis().to_vec();
        for x in frame.vectors().chunks_exact(q) {
            let new = outside(x.to_vec(), &known, q);
            known.extend(new.into_iter().flatten());
        }
        // Where the model fills the space there is nothing to guard against.
        while known.len() < self.n * q {
            if let Some(guard) = outside(std::mem::take(&mut self.guard), &known, q) {
                block.extend_from_slice(&guard);
                self.guard = guard;
                break;
            }
            let random = random_unit_vector(self.n, &mut self.rng);
            self.guard = self.absorb(&random);
            let wider = self.space.rank();
            known = widened(&known, q, wider);
            block = widened(&block, q, wider);
            q = wider;
        }
        Ok(block)
    }

    /// Leaves in the space the models, the guard, the turn, and the first vectors, of which `first` are
    /// the coordinates.
    pub(super) fn compress(&mut self, first: &[f64]) {
        let q = self.space.rank();
        let mut kept = self.model.basis().to_vec();
        let before = self.before.as_ref().map_or(&[][..], |before| before.basis());
        for held in [before, first, &self.guard, &self.turned] {
            for x in held.chunks_exact(q) {
                let new = outside(x.to_vec(), &kept, q);
                kept.extend(new.into_iter().flatten());
            }
        }
        self.space.turn(&kept);
        let rotation = MatRef::from_column_major_slice(&kept, q, kept.len() / q);
        self.model.turn(rotation);
        if let Some(before) = &mut self.before {
            before.turn(rotation);
        }
        self.known = first.to_vec();
        for held in [&mut self.known, &mut self.guard, &mut self.tops, &mut self.turned] {
            *held = by_coordinates(rotation.transpose(), held);
        }
    }

    /// Records how the top eigenvectors turned, and returns how much of the turn before that repeats,
    /// in [-1, 1].
    fn turn(&mut self, tops: &[f64]) -> f64 {
        let n = self.space.rank();
        if self.tops.len() != tops.len() {
            self.turned.clear();
            return 0.0;
        }
        let mut turned = tops.to_vec();
        let (mut numerator, mut denominator) = (0.0, 0.0);
        for (top, turned) in tops.chunks_exact(n).zip(turned.chunks_exact_mut(n)) {
            // The turn before, of the old eigenvectors that this one is made of.
            let mut carried = vec![0.0; n];
            for (j, old) in self.tops.chunks_exact(n).enumerate() {
                let share = dot(old, top);
                turned.iter_mut().zip(old).for_each(|(t, old)| *t -= share * old);
                if let Some(last) = self.turned.get(j * n..(j + 1) * n) {
                    carried.iter_mut().zip(last).for_each(|(c, last)| *c += share * last);
                }
            }
            numerator += dot(turned, &carried);
            denominator += dot(&carried, &carried);
        }
        self.turned = turned;
        if denominator > 0.0 { (numerator / denominator).clamp(-1.0, 1.0) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::low_rank::LowRankModel;
    use super::*;
    use crate::linalg::{DenseOperator, TrackerSettings, each_column, norm};

    const N: usize = 40;

    /// W B W', column after column.
    fn dense(tracker: &Tracker, model: &LowRankModel) -> Vec<f64> {
        let image = |i: usize| {
            let unit: Vec<f64> = (0..N).map(|j| f64::from(i == j)).collect();
            let mut space = tracker.space.clone();
            let c = space.absorb(&unit);
            let q = tracker.space.rank();
            tracker.space.vectors(&model.apply(&c[..q]))
        };
        (0..N).flat_map(image).collect()
    }

    fn close(a: &[f64], b: &[f64]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-11)
    }

    /// After some steps of an operator that swings, with the model as it was before the last.
    fn tracker() -> (Tracker, Vec<f64>) {
        let settings = TrackerSettings { rank: 6, ..TrackerSettings::new(2, 1e-3) };
        let (mut tracker, mut model) = (Tracker::new(N, settings), Vec::new());
        for t in 0..7 {
            model = dense(&tracker, &tracker.model);
            let swing = if t % 2 == 0 { 0.1 } else { -0.1 };
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
            each_column(&mut operator, &x, &mut ax).unwrap();
            tracker.update(&mut operator, &ax, None).unwrap();
        }
        assert!(tracker.swing > 0.0);
        (tracker, model)
    }

    #[test]
    fn the_model_before_is_that_of_the_step_before() {
        let (tracker, model) = tracker();
        assert!(close(&dense(&tracker, tracker.before.as_ref().unwrap()), &model));
    }

    #[test]
    fn first_vectors_are_known_as_long_as_the_metric_is_the_same() {
        let (mut tracker, _) = tracker();
        let x = tracker.directions().to_vec();
        for metric in [None, Some([1.0; N])] {
            if let Some(diagonal) = metric {
                tracker.rescale(&diagonal).unwrap();
            }
            let rank = tracker.space.rank();
            let (c, _) = tracker.begin(&x, None);
            assert_eq!(tracker.space.rank(), rank);
            let both = tracker.space.vectors(&c);
            assert!(close(&both, &[&x[..], &x].concat()), "metric {metric:?}");
        }
    }

    #[test]
    fn a_larger_and_a_smaller_space_hold_the_same() {
        let (mut tracker, _) = tracker();
        let models = |tracker: &Tracker| {
            let before = tracker.before.as_ref().unwrap();
            (dense(tracker, &tracker.model), dense(tracker, before))
        };
        let vectors = |tracker: &Tracker| {
            let held = [&tracker.known, &tracker.guard, &tracker.tops, &tracker.turned];
            held.map(|c| tracker.space.vectors(c)).concat()
        };
        let (then, now) = (models(&tracker), vectors(&tracker));
        assert!(close(&tracker.space.vectors(&tracker.known), &tracker.directions));
        let rank = tracker.space.rank();
        tracker.absorb(&random_unit_vector(N, &mut tracker.rng.clone()));
        assert_eq!(tracker.space.rank(), rank + 1);
        let check = |tracker: &Tracker| {
            let (model, before) = models(tracker);
            assert!(close(&model, &then.0) && close(&before, &then.1));
            assert!(close(&vectors(tracker), &now));
        };
        check(&tracker);
        tracker.compress(&tracker.known.clone());
        assert_eq!(tracker.space.rank(), rank);
        check(&tracker);
    }

    #[test]
    fn the_guard_is_orthogonal_to_the_model_and_the_first_vectors() {
        let (tracker, _) = tracker();
        let q = tracker.space.rank();
        let guard = &tracker.directions[tracker.guard_at * N..];
        let model = tracker.space.vectors(tracker.model.basis());
        for x in model.chunks(N).chain(tracker.directions[..tracker.guard_at * N].chunks(N)) {
            assert!(dot(guard, x).abs() < 1e-12 * norm(x));
        }
        assert!(guard.len() == N && q > tracker.model.rank() + 1, "nothing of the model before");
    }

    #[test]
    fn a_change_of_metric_changes_both_models() {
        let (mut tracker, _) = tracker();
        let models = |tracker: &Tracker| {
            [&tracker.model, tracker.before.as_ref().unwrap()].map(|model| dense(tracker, model))
        };
        let then = models(&tracker);
        let d: Vec<f64> = (0..N).map(|i| 1.0 + 0.5 * (i as f64).sin()).collect();
        let guard = tracker.space.vectors(&tracker.guard);
        tracker.rescale(&d).unwrap();
        for (then, now) in then.iter().zip(models(&tracker)) {
            let scaled = |(at, b): (usize, &f64)| d[at % N] * b * d[at / N];
            assert!(close(&now, &then.iter().enumerate().map(scaled).collect::<Vec<_>>()));
        }
        let scaled: Vec<f64> = guard.iter().zip(&d).map(|(guard, d)| guard * d).collect();
        assert!(close(&tracker.space.vectors(&tracker.guard), &scaled));
    }
}
