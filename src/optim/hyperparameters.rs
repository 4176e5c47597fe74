//! Numbers that optimizers take besides the learning rate. Each is written here, once: the fields,
//! their checks, flags, columns and labels come from the table.

use serde::Serialize;

use super::Base;
use crate::error::{Error, Result};

/// A number that some optimizers take.
pub struct Number {
    /// Its name: the field of [`Hyperparameters`], and the key of a config.
    pub name: &'static str,
    /// How formulas and labels write it.
    pub symbol: &'static str,
    /// What stands for its value in help.
    pub value_name: &'static str,
    /// What it is, for help; `{decoupled}` stands for the optimizers whose decay is.
    pub(super) about: &'static str,
    range: Range,
    get: fn(&Hyperparameters) -> Option<f64>,
    set: fn(&mut Hyperparameters, Option<f64>),
}

/// Which values a number may have.
#[derive(Clone, Copy)]
struct Range {
    holds: fn(f64) -> bool,
    /// What is wrong with one outside.
    problem: &'static str,
    remedy: &'static str,
}

/// Of a moving mean.
const DECAY_RATE: Range = Range {
    holds: |x| (0.0..1.0).contains(&x),
    problem: "a decay rate lies in [0, 1)",
    remedy: "give a number from 0 to below 1, such as 0.9",
};

const DIVISOR: Range = Range {
    holds: |x| x > 0.0 && x.is_finite(),
    problem: "the update divides by it where a gradient is zero",
    remedy: "give a finite number above 0, such as 1e-8",
};

const RADIUS: Range = Range {
    holds: not_negative,
    problem: "a radius cannot be negative",
    remedy: "give a finite number of 0 or more, such as 0.05",
};

const SHARE: Range = Range {
    holds: |x| (0.0..=1.0).contains(&x),
    problem: "a share lies in [0, 1]",
    remedy: "give a number from 0 to 1, such as 0.7",
};

const WEIGHT: Range = Range {
    holds: not_negative,
    problem: "a weight cannot be negative",
    remedy: "give a finite number of 0 or more, such as 8",
};

const STEPS: Range = Range {
    holds: |x| x >= 1.0 && x.fract() == 0.0 && x <= 1e9,
    problem: "not a number of steps",
    remedy: "give a whole number of 1 or more, such as 10",
};

const DECAY: Range = Range {
    holds: not_negative,
    problem: "a decay cannot be negative",
    remedy: "give a finite number of 0 or more, such as 1e-4",
};

fn not_negative(x: f64) -> bool {
    x >= 0.0 && x.is_finite()
}

/// Defines [`Hyperparameters`] and [`NUMBERS`]: of each number its doc comment, its name, its symbol,
/// what stands for its value in help, its range, and what it is in help.
macro_rules! hyperparameters {
    ($(
        $(#[$doc:meta])+
        $name:ident: $symbol:literal, $value_name:literal, $range:ident, $about:literal;
    )+) => {
        /// What optimizers take besides the learning rate; `None` where it is not given or not taken.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
        pub struct Hyperparameters {
            /// What SAM and ASAM step with.
            pub base: Option<Base>,
            $($(#[$doc])+ pub $name: Option<f64>,)+
        }

        /// Every number, in the order in which they are listed.
        pub static NUMBERS: [Number; [$($symbol),+].len()] = [$(Number {
            name: stringify!($name),
            symbol: $symbol,
            value_name: $value_name,
            about: $about,
            range: $range,
            get: |hyperparameters| hyperparameters.$name,
            set: |hyperparameters, value| hyperparameters.$name = value,
        }),+];

        impl Hyperparameters {
            /// None given.
            pub const NONE: Self = Self { base: None, $($name: None),+ };

            /// These where given, else those of `other`.
            pub(super) fn or(self, other: Self) -> Self {
                Self { base: self.base.or(other.base), $($name: self.$name.or(other.$name)),+ }
            }

            $(pub(super) fn $name(&self) -> f64 {
                let Some(value) = self.$name else {
                    unreachable!(concat!(stringify!($name), " is in the optimizer's defaults"))
                };
                value
            })+
        }
    };
}

hyperparameters! {
    /// Momentum beta, in [0, 1).
    momentum: "β", "BETA", DECAY_RATE, "Momentum beta";
    /// Decay of Adam's first moment, in [0, 1).
    beta1: "β₁", "BETA", DECAY_RATE, "Decay of Adam's first moment";
    /// Decay of the second moment, in [0, 1).
    beta2: "β₂", "BETA", DECAY_RATE, "Decay of the second moment";
    /// Decay of AdEMAMix's slow mean, in [0, 1).
    beta3: "β₃", "BETA", DECAY_RATE, "Decay of AdEMAMix's slow mean";
    /// Weight of AdEMAMix's slow mean, at least 0.
    alpha: "α", "ALPHA", WEIGHT, "Weight of AdEMAMix's slow mean";
    /// Share of the mean in quasi-hyperbolic momentum's step, in [0, 1].
    nu: "ν", "NU", SHARE, "Share of the mean in quasi-hyperbolic momentum's step";
    /// Steps between refreshes of a preconditioner's bases, a whole number of at least 1.
    refresh: "refresh", "STEPS", STEPS, "Steps between refreshes of Shampoo's and SOAP's bases";
    /// What is added to the preconditioner, above 0.
    eps: "ε", "EPS", DIVISOR, "Added to an adaptive optimizer's denominator";
    /// Ascent radius of SAM and ASAM, at least 0.
    rho: "ρ", "RHO", RADIUS, "Ascent radius";
    /// Weight decay lambda, at least 0: beside the step or in the gradient, as
    /// [`Entry::decay`](super::Entry::decay) says.
    weight_decay: "λ", "LAMBDA", DECAY,
        "Weight decay lambda: decoupled for {decoupled}, else added to the gradient";
}

impl Number {
    /// Refuses a value that no optimizer can take.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the number.
    pub(super) fn check(&self, value: f64) -> Result<()> {
        let Range { holds, problem, remedy } = self.range;
        match holds(value) {
            true => Ok(()),
            false => Err(Error::setting(self.name, format!("{value:?}"), problem, remedy)),
        }
    }
}

impl Hyperparameters {
    /// Each number, where it is given or taken.
    pub fn numbers(&self) -> impl Iterator<Item = (&'static Number, Option<f64>)> {
        NUMBERS.iter().map(|number| (number, (number.get)(self)))
    }

    /// These with that number.
    pub fn with(mut self, number: &Number, value: Option<f64>) -> Self {
        (number.set)(&mut self, value);
        self
    }

    /// Whether the number of that name, or `base`, is there.
    pub fn has(&self, name: &str) -> bool {
        let is_there =
            |(number, value): (&Number, Option<f64>)| number.name == name && value.is_some();
        (name == "base" && self.base.is_some()) || self.numbers().any(is_there)
    }

    /// The base, which the entry's defaults hold.
    pub(super) fn base(&self) -> Base {
        let Some(base) = self.base else { unreachable!("base is in the optimizer's defaults") };
        base
    }
}
