//! The products of a step: what is multiplied until the pairs have converged, and the audit.

use super::frame::{Frame, Ritz};
use super::space::widened;
use super::{
    Audit, Products, Spent, Tracker, check_products, columns, outside, random_unit_vector,
};
use crate::error::Result;
use crate::linalg::{Lanczos, SymmetricOperator, norm, random_unit_vectors};

impl Tracker {
    /// Takes a product, by coordinates, into the frame and the model.
    pub(super) fn take(&mut self, frame: &mut Frame, x: &[f64], ax: &[f64]) {
        if frame.push(x, ax) {
            let (v, y) = frame.pair(frame.len() - 1);
            self.model.correct(v, y);
        }
    }

    /// Multiplies until all pairs have converged or the step's allowance is used up.
    pub(super) fn solve(
        &mut self,
        operator: &mut dyn SymmetricOperator,
        frame: &mut Frame,
        spent: &mut Spent,
    ) -> Result<()> {
        while frame.len() < self.n && spent.products < self.settings.max_products {
            let mut x = self.expansion(frame)?;
            let q = self.space.rank();
            x.truncate((self.settings.max_products - spent.products) * q);
            if x.is_empty() {
                break;
            }
            let vectors = self.space.vectors(&x);
            let mut products = vec![0.0; vectors.len()];
            operator.apply_block(&vectors, &mut products)?;
            check_products(&mut products)?;
            spent.products += x.len() / q;
            spent.passes += 1;
            let ax = self.absorb(&products);
            let x = widened(&x, q, self.space.rank());
            frame.widen(self.space.rank());
            for (x, ax) in columns(Products { x: &x, ax: &ax }, self.space.rank()) {
                self.take(frame, x, ax);
            }
        }
        Ok(())
    }

    /// What to multiply for the pairs that have not converged, a vector for each, by coordinates:
    /// orthonormal, and orthogonal to the frame.
    fn expansion(&mut self, frame: &mut Frame) -> Result<Vec<f64>> {
        let k = self.settings.largest.min(self.n);
        let tolerance = self.settings.tolerance;
        let ritz = frame.largest(k)?;
        let eigen = self.model.eigen()?;
        let rank = eigen.values.len();
        let mut held = frame.vectors().to_vec();
        for i in 0..k {
            let pair = ritz.get(i);
            if let Some(pair) = pair {
                // The model may know better than the frame what the largest is.
                let predicted = if i < rank { eigen.values[rank - 1 - i] } else { pair.value };
                let more = predicted - pair.value > tolerance * pair.value.abs();
                if self.is_converged(pair) && !more {
                    continue;
                }
            }
            let q = self.space.rank();
            let model = (i < rank).then(|| self.model.vector(eigen.vector(rank - 1 - i)));
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
        Ok(held.split_off(frame.vectors().len()))
    }

    /// Solves from nothing, and takes what it found into frame and model.
    pub(super) fn audit(
        &mut self,
        operator: &mut dyn SymmetricOperator,
        frame: &mut Frame,
        before: &[Ritz],
    ) -> Result<Audit> {
        let lanczos = Lanczos {
            largest: self.settings.largest,
            smallest: 0,
            tolerance: self.settings.tolerance,
            max_iterations: self.settings.audit_products,
        };
        let starts = lanczos.starts().min(self.n);
        let start = random_unit_vectors(self.n, starts, &mut self.rng);
        let (outcome, ritz) = lanczos.solve_with_products(operator, &start, self.settings.rank)?;
        let (x, ax): (Vec<_>, Vec<_>) = ritz.into_iter().unzip();
        let found = self.absorb(&[x.concat(), ax.concat()].concat());
        frame.widen(self.space.rank());
        let (x, ax) = found.split_at(found.len() / 2);
        for (x, ax) in columns(Products { x, ax }, self.space.rank()) {
            self.take(frame, x, ax);
        }
        let after = frame.largest(self.settings.largest)?;
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
