//! Which samples train and which validate.

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use crate::error::{Error, Field, Message, Result};

/// Numbers of the training and of the validation samples, in the dataset's order of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Training samples, in the order in which they were drawn.
    pub train: Vec<usize>,
    /// Validation samples; none of them trains.
    pub validation: Vec<usize>,
    /// Test samples; none of them trains or validates.
    pub test: Vec<usize>,
}

impl Split {
    /// Shuffles all `samples` and takes the first `train` for training and the next `validation`
    /// (or all that are left) for validation.
    ///
    /// # Errors
    /// [`Error::Setting`] if there are not that many samples, or none to train on.
    pub fn shuffled<R: Rng>(
        samples: usize,
        train: usize,
        validation: Option<usize>,
        rng: &mut R,
    ) -> Result<Self> {
        Self::shuffled_beside_test(samples, 0, train, validation, rng)
    }

    /// The same of other samples: sample i here is `rows[i]` there.
    #[must_use]
    pub fn of_rows(self, rows: &[usize]) -> Self {
        let of = |samples: Vec<usize>| samples.into_iter().map(|i| rows[i]).collect();
        Self { train: of(self.train), validation: of(self.validation), test: of(self.test) }
    }

    /// As [`Split::shuffled`], the last `test` samples of the shuffle being kept for a test.
    ///
    /// # Errors
    /// As [`Split::shuffled`].
    pub fn shuffled_beside_test<R: Rng>(
        samples: usize,
        test: usize,
        train: usize,
        validation: Option<usize>,
        rng: &mut R,
    ) -> Result<Self> {
        let left = samples.saturating_sub(test);
        let validation = sizes(left, train, validation, usize::MAX)?;
        let mut order: Vec<usize> = (0..samples).collect();
        order.shuffle(rng);
        Ok(Self {
            train: order[..train].to_vec(),
            validation: order[train..train + validation].to_vec(),
            test: order[left..].to_vec(),
        })
    }

    /// For samples that follow one another, such as windows of a text: one stretch of `validation`
    /// of them (or all that are left, at most 500), its place drawn at random, validates, and `train`
    /// drawn from the others train. Of a text, no character is predicted both in training and in
    /// validation.
    ///
    /// # Errors
    /// As [`Split::shuffled`].
    pub fn by_position<R: Rng>(
        samples: usize,
        train: usize,
        validation: Option<usize>,
        rng: &mut R,
    ) -> Result<Self> {
        let validation = sizes(samples, train, validation, MOST_BY_DEFAULT)?;
        let start = rng.random_range(0..=samples - validation);
        let stretch = start..start + validation;
        let mut others: Vec<usize> = (0..samples).filter(|i| !stretch.contains(i)).collect();
        others.shuffle(rng);
        others.truncate(train);
        Ok(Self { train: others, validation: stretch.collect(), test: Vec::new() })
    }
}

/// Windows that validate by default: a text has many, and evaluating them would cost more than
/// training.
const MOST_BY_DEFAULT: usize = 500;

/// The number of validation samples, once the sizes are known to fit.
fn sizes(
    samples: usize,
    train: usize,
    validation: Option<usize>,
    most_by_default: usize,
) -> Result<usize> {
    if train == 0 {
        let remedy = "train on at least 1 sample";
        return Err(Error::setting("train_size", train, "nothing to train on", remedy));
    }
    if train > samples {
        let problem = format!("the dataset has {samples} samples");
        let remedy = format!("give at most {samples}");
        return Err(Error::setting("train_size", train, problem, remedy));
    }
    let left = samples - train;
    let validation = validation.unwrap_or(left.min(most_by_default));
    if validation > left {
        let problem = format!("{left} of {samples} samples are left beside the training set");
        let remedy = format!("give at most {left}, or a smaller ");
        let remedy = Message::from(remedy) + Field("train_size");
        return Err(Error::setting("validation_size", validation, problem, remedy));
    }
    Ok(validation)
}
