//! What an optimizer remembers from step to step, so that a checkpoint can hold it.

use crate::error::{Error, Result, check_length};

/// An optimizer's memory, to be read or written in place.
#[derive(Debug, Default)]
pub struct Memory<'a> {
    /// Steps taken, where the update depends on their number.
    pub steps: Option<&'a mut i32>,
    /// Accumulators under PyTorch's names for them; each is empty before the first step, and, most of them,
    /// of length P from then on.
    pub accumulators: Vec<(&'static str, &'a mut Vec<f64>)>,
}

/// A copy of an optimizer's [`Memory`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OptimizerState {
    /// Steps taken, where the update depends on their number.
    pub steps: Option<i32>,
    /// Accumulators with their names, most of length P; none before the first step.
    pub accumulators: Vec<(String, Vec<f64>)>,
}

impl Memory<'_> {
    pub(super) fn copy(self) -> OptimizerState {
        // Of what has begun some may be empty, as what an optimizer keeps of vectors where there are none.
        let has_begun = self.accumulators.iter().any(|(_, values)| !values.is_empty());
        let kept = self.accumulators.into_iter().filter(|_| has_begun);
        OptimizerState {
            steps: self.steps.copied(),
            accumulators: kept.map(|(name, v)| (name.to_string(), v.clone())).collect(),
        }
    }

    pub(super) fn overwrite(self, state: &OptimizerState) -> Result<()> {
        let given = state.accumulators.len();
        if given > 0 {
            check_length("optimizer state", given, self.accumulators.len())?;
        }
        if let (Some(steps), Some(stored)) = (self.steps, state.steps) {
            *steps = stored;
        }
        for (name, values) in self.accumulators {
            let stored = state.accumulators.iter().find(|(other, _)| other == name);
            *values = match stored {
                Some((_, stored)) => stored.clone(),
                None if given == 0 => Vec::new(),
                None => {
                    let reason = format!("the state holds no {name}");
                    return Err(Error::State { what: "restoring the optimizer", reason });
                }
            };
        }
        Ok(())
    }
}
