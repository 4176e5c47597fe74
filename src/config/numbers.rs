//! The numbers of an optimizer, as settings.

use super::setting::{Setting, Visit, Visitor};
use super::{Values, flag};
use crate::error::Result;
use crate::optim::{Hyperparameters, NUMBERS, Number};

/// Values of the numbers that optimizers take: a setting for each entry of [`NUMBERS`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Numbers([Option<Values<f64>>; NUMBERS.len()]);

impl Numbers {
    /// The setting at that place in [`NUMBERS`].
    pub(super) fn at(&mut self, place: usize) -> &mut Option<Values<f64>> {
        &mut self.0[place]
    }

    /// These settings where given, else those of `other`.
    pub fn or(self, other: Self) -> Self {
        let mut others = other.0.into_iter();
        Self(self.0.map(|own| own.or(others.next().flatten())))
    }

    /// `given` with these numbers, of which each may have one value.
    pub(super) fn over(
        &self,
        given: Hyperparameters,
        one: impl Fn(&str, &Option<Values<f64>>) -> Result<Option<f64>>,
    ) -> Result<Hyperparameters> {
        let mut numbers = NUMBERS.iter().zip(&self.0);
        numbers.try_fold(given, |given, (number, values)| {
            Ok(given.with(number, one(&flag(number.name), values)?))
        })
    }
}

impl Visit for Numbers {
    fn visit<V: Visitor>(&mut self, visitor: &mut V) -> std::result::Result<(), V::Error> {
        NUMBERS.iter().zip(&mut self.0).try_for_each(|(number, values)| {
            visitor.setting(&setting(number, &|| number.help()), values)
        })
    }
}

fn setting<'a>(number: &Number, help: &'a dyn Fn() -> String) -> Setting<'a, Values<f64>> {
    Setting {
        name: number.name,
        alias: None,
        heading: Some("Optimizer"),
        value_name: number.value_name,
        help,
        check: None,
    }
}
