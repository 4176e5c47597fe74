//! Wrong labels, put in on purpose.

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use super::{Dataset, Targets};
use crate::error::{Error, Result};

impl Dataset {
    /// Replaces the labels of that share of `samples` (rounded to a whole number of them, which ones
    /// drawn at random) by classes drawn uniformly from the others. Does nothing to a dataset without
    /// classes.
    ///
    /// # Errors
    /// [`Error::Setting`] for a share outside of \[0, 1\], and where there is no other class.
    pub fn add_label_noise<R: Rng>(
        &mut self,
        samples: &[usize],
        share: f64,
        rng: &mut R,
    ) -> Result<()> {
        const FIELD: &str = "label_noise";
        if !(0.0..=1.0).contains(&share) {
            let remedy = "give a number from 0 to 1";
            return Err(Error::setting(FIELD, format!("{share:?}"), "not a share", remedy));
        }
        let Targets::Classes { classes, labels } = &mut self.targets else { return Ok(()) };
        let count = (share * samples.len() as f64).round() as usize;
        if count > 0 && *classes < 2 {
            let problem = "there is no other class";
            return Err(Error::setting(FIELD, format!("{share:?}"), problem, "leave it out"));
        }
        let mut chosen = samples.to_vec();
        chosen.shuffle(rng);
        for &sample in &chosen[..count] {
            // One of the classes below its own, or above it.
            let other = rng.random_range(0..*classes - 1);
            labels[sample] = if other < labels[sample] { other } else { other + 1 };
        }
        Ok(())
    }
}
