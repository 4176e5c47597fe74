//! The products of a step: what is multiplied until the pairs have converged, and the audit.

use super::{
    Audit, Frames, Products, Spent, Taken, Tracker, check_finite, outside, random_unit_vector,
};
use crate::error::Result;
use crate::linalg::frame::Ritz;
use crate::linalg::space::widened;
use crate::linalg::{Lanczos, SymmetricOperator, norm, random_unit_vectors};

impl Tracker {
    /// Takes products into the frame and the model.
    pub(super) fn take(&mut self, frame: &mut Frames, taken: &Taken) {
        let q = self.space.rank();
        for (at, (x, ax)) in taken.x.chunks_exact(q).zip(taken.ax.chunks_exact(q)).enumerate() {
            let new = frame.whole.push(x, ax);
            let known = match (&mut frame.part, &taken.kx) {
                (Some(part), Some(kx)) => {
                    part.push(x, &kx[at * q..(at + 1) * q]);
                    part
                }
                _ => &frame.whole,
            };
            if new {
                let (v, y) = known.pair(known.len() - 1);
                self.model.correct(v, y);
            }
        }
    }

    /// Multiplies until all pairs have converged or the step's allowance is used up.
    pub(super) fn solve(
        &mut self,
        operator: &mut dyn SymmetricOperator,
        frame: &mut Frames,
        spent: &mut Spent,
    ) -> Result<()> {
        while frame.whole.len() < self.n && spent.products < self.settings.max_products {
            let mut x = self.expansion(frame)?;
            let q = self.space.rank();
            x.truncate((self.settings.max_products - spent.products) * q);
            if x.is_empty() {
                break;
            }
            let vectors = self.space.vectors(&x);
            let mut products = vec![0.0; vectors.len()];
            operator.apply_block(&vectors, &mut products)?;
            check_finite(&products)?;
            spent.products += x.len() / q;
            spent.passes += 1;
            let (ax, kx, _) = self.images(Products { x: &vectors, ax: &products }, &[]);
            let x = widened(&x, q, self.space.rank());
            frame.widen(self.space.rank());
            self.take(frame, &Taken { x, ax, kx });
        }
        Ok(())
    }

    /// What to multiply for the pairs that have not converged, a vector for each, by coordinates:
    /// orthonormal, and orthogonal to the frame.
    fn expansion(&mut self, frame: &mut Frames) -> Result<Vec<f64>> {
        let k = self.settings.largest.min(self.n);
        let tolerance = self.settings.tolerance;
        let ritz = frame.whole.largest(k)?;
        let predicted = self.predict(&mut self.model.clone(), k, &ritz)?;
        frame.widen(self.space.rank());
        let mut held = frame.whole.vectors().to_vec();
        for i in 0..k {
            let pair = ritz.get(i);
            if let Some(pair) = pair {
                // The model may know better than the frame what the largest is.
                let expected = predicted.values.get(i).copied().unwrap_or(pair.value);
                let more = expected - pair.value > tolerance * pair.value.abs();
                if self.is_converged(pair) && !more {
                    continue;
                }
            }
            let (q, then) =
                (self.space.rank(), predicted.vectors.len() / predicted.values.len().max(1));
            let model = predicted.vectors.chunks_exact(then.max(1)).nth(i);
            let model = model.map(|x| widened(x, then, q));
            let residual = pair.map(|pair| widened(&pair.residual, pair.residual.len(), q));
            let candidates = [model, residual].into_iter().flatten();
            let mut new = candidates.into_iter().find_map(|x| outside(x, &held, q));
            if new.is_none() {
                let random = random_unit_vector(self.n, &mut self.rng);
                let random = self.absorb(&random);
                held = widened(&held, q, self.space.rank());
                frame.widen(self.space.rank());
                new = outside(random, &held, self.space.rank());
            }
            held.extend(new.into_iter().flatten());
        }
        Ok(held.split_off(frame.whole.vectors().len()))
    }

    /// Solves from nothing, and takes what it found into frame and model.
    pub(super) fn audit(
        &mut self,
        operator: &mut dyn SymmetricOperator,
        frame: &mut Frames,
        before: &[Ritz],
    ) -> Result<Audit> {
        let lanczos = Lanczos {
            largest: self.settings.largest,
            smallest: 0,
            tolerance: self.settings.tolerance,
            max_iterations: self.settings.audit_products,
        };
        let start = random_unit_vectors(self.n, lanczos.starts().min(self.n), &mut self.rng);
        let (outcome, ritz) = lanczos.solve_with_products(operator, &start, self.settings.rank)?;
        let (x, ax): (Vec<_>, Vec<_>) = ritz.into_iter().unzip();
        let (x, ax) = (x.concat(), ax.concat());
        let (ax, kx, x) = self.images(Products { x: &x, ax: &ax }, &x);
        frame.widen(self.space.rank());
        self.take(frame, &Taken { x, ax, kx });
        let after = frame.whole.largest(self.settings.largest)?;
        let disagrees = before.iter().zip(&after).any(|(old, new)| {
            let explained = norm(&old.residual) + norm(&new.residual);
            (new.value - old.value).abs() > explained
        });
        Ok(Audit {
            products: outcome.applications,
            passes: outcome.passes,
            before: before.iter().map(|pair| pair.value).collect(),
            after: Vec::new(),
            disagrees,
        })
    }
}
