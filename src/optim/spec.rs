//! Optimizers by name: which hyperparameters each takes, with their defaults and ranges.

use serde::Serialize;

use super::{CoupledDecay, Optimizer, adagrad, adam, momentum, rmsprop, sam, sgd};
use crate::error::{Error, Result};
use crate::names::choices;

/// One optimizer that can be named.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// Its update, in a line.
    pub about: &'static str,
    /// Learning rate where none is given.
    pub lr: f64,
    /// The hyperparameters that it takes, and their defaults; those that it does not take are
    /// `None`.
    pub defaults: Hyperparameters,
    /// Makes it, without coupled weight decay.
    pub build: fn(&Hyperparameters) -> Box<dyn Optimizer>,
}

/// Every optimizer.
pub const ENTRIES: [Entry; 10] = [
    sgd::ENTRY,
    momentum::HEAVY_BALL,
    momentum::NESTEROV,
    momentum::EMA,
    adam::ADAM,
    adam::ADAMW,
    rmsprop::ENTRY,
    adagrad::ENTRY,
    sam::SAM,
    sam::ASAM,
];

impl Entry {
    /// The optimizer of that name.
    ///
    /// # Errors
    /// [`Error::UnknownName`].
    pub fn find(name: &str) -> Result<&'static Self> {
        let names: Vec<&str> = ENTRIES.iter().map(|entry| entry.name).collect();
        let found = ENTRIES.iter().find(|entry| entry.name == name);
        found.ok_or_else(|| Error::unknown_name("optimizer", name, &names))
    }

    /// Whether its weight decay is outside the gradient.
    fn decouples_decay(&self) -> bool {
        self.name == adam::ADAMW.name
    }

    /// What it takes over that base: its own and the base's.
    fn defaults_over(&self, base: Option<Base>) -> Hyperparameters {
        match (self.defaults.base, base) {
            (Some(default), base) => {
                let base = base.unwrap_or(default);
                let own = Hyperparameters { base: Some(base), ..self.defaults };
                own.or(base.entry().defaults)
            }
            (None, _) => self.defaults,
        }
    }
}

choices! {
    /// What SAM and ASAM may be built over.
    pub enum Base ("base optimizer") {
        /// Gradient descent.
        Sgd = "sgd",
        /// Heavy ball.
        Momentum = "momentum",
        /// Adam.
        Adam = "adam",
    }
}

impl Base {
    fn entry(self) -> &'static Entry {
        match self {
            Base::Sgd => &sgd::ENTRY,
            Base::Momentum => &momentum::HEAVY_BALL,
            Base::Adam => &adam::ADAM,
        }
    }

    /// The base with its coupled weight decay.
    pub(super) fn build(self, hyperparameters: &Hyperparameters) -> Box<dyn Optimizer> {
        with_decay((self.entry().build)(hyperparameters), hyperparameters)
    }
}

/// Numbers that optimizers take besides the learning rate; `None` where one is not given or not
/// taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Hyperparameters {
    /// What SAM and ASAM step with.
    pub base: Option<Base>,
    /// Momentum beta, in [0, 1).
    pub momentum: Option<f64>,
    /// Decay of Adam's first moment, in [0, 1).
    pub beta1: Option<f64>,
    /// Decay of the second moment, in [0, 1).
    pub beta2: Option<f64>,
    /// What is added to the preconditioner, above 0.
    pub eps: Option<f64>,
    /// Ascent radius of SAM and ASAM, at least 0.
    pub rho: Option<f64>,
    /// Weight decay lambda, at least 0: decoupled for AdamW, else coupled.
    pub weight_decay: Option<f64>,
}

/// Reading a hyperparameter that the entry's defaults hold.
macro_rules! taken {
    ($($name:ident: $type:ty),*) => {
        $(pub(super) fn $name(&self) -> $type {
            let Some(value) = self.$name else {
                unreachable!(concat!(stringify!($name), " is in the optimizer's defaults"))
            };
            value
        })*
    };
}

impl Hyperparameters {
    /// None given.
    pub const NONE: Self = Self {
        base: None,
        momentum: None,
        beta1: None,
        beta2: None,
        eps: None,
        rho: None,
        weight_decay: None,
    };

    taken!(base: Base, momentum: f64, beta1: f64, beta2: f64, eps: f64, rho: f64, weight_decay: f64);

    /// These where given, else those of `other`.
    fn or(self, other: Self) -> Self {
        Self {
            base: self.base.or(other.base),
            momentum: self.momentum.or(other.momentum),
            beta1: self.beta1.or(other.beta1),
            beta2: self.beta2.or(other.beta2),
            eps: self.eps.or(other.eps),
            rho: self.rho.or(other.rho),
            weight_decay: self.weight_decay.or(other.weight_decay),
        }
    }

    /// Each number under its flag.
    pub fn numbers(&self) -> [(&'static str, Option<f64>); 6] {
        [
            ("--momentum", self.momentum),
            ("--beta1", self.beta1),
            ("--beta2", self.beta2),
            ("--eps", self.eps),
            ("--rho", self.rho),
            ("--weight-decay", self.weight_decay),
        ]
    }

    /// Whether the number of that flag, or `--base`, is there.
    pub fn has(&self, flag: &str) -> bool {
        let given = |(name, value): (&str, Option<f64>)| name == flag && value.is_some();
        (flag == "--base" && self.base.is_some()) || self.numbers().into_iter().any(given)
    }
}

/// An optimizer with every hyperparameter that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OptimizerSpec {
    /// Its name.
    #[serde(rename = "optimizer")]
    pub name: &'static str,
    /// What it takes; nothing else is set.
    #[serde(flatten)]
    pub hyperparameters: Hyperparameters,
}

impl OptimizerSpec {
    /// Whether its weight decay shrinks the weights beside the step instead of being in the gradient.
    pub fn decouples_decay(&self) -> bool {
        Entry::find(self.name).is_ok_and(Entry::decouples_decay)
    }

    /// The optimizer called `name` with what is given and defaults for the rest.
    ///
    /// # Errors
    /// [`Error::UnknownName`]; [`Error::Setting`] for a hyperparameter that it does not take or that
    /// is out of range.
    pub fn resolve(name: &str, given: Hyperparameters) -> Result<Self> {
        let entry = Entry::find(name)?;
        let taken = entry.defaults_over(given.base);
        if let (Some(base), None) = (given.base, taken.base) {
            return Err(not_taken("--base", base.to_string(), entry, taken));
        }
        for (flag, value) in given.numbers() {
            let Some(value) = value else { continue };
            if !taken.has(flag) {
                return Err(not_taken(flag, format!("{value:?}"), entry, taken));
            }
            check(flag, value)?;
        }
        Ok(Self { name: entry.name, hyperparameters: given.or(taken) })
    }

    /// Whether the optimizer called `name`, over `base` where it has one, takes that flag.
    ///
    /// # Errors
    /// [`Error::UnknownName`].
    pub fn takes(name: &str, base: Option<Base>, flag: &str) -> Result<bool> {
        Ok(Entry::find(name)?.defaults_over(base).has(flag))
    }

    /// Learning rate where none is given: the base's for an optimizer over another.
    pub fn default_lr(&self) -> f64 {
        match self.hyperparameters.base {
            Some(base) => base.entry().lr,
            None => self.entry().lr,
        }
    }

    /// What it takes where nothing is given.
    pub fn defaults(&self) -> Hyperparameters {
        self.entry().defaults_over(self.hyperparameters.base)
    }

    fn entry(&self) -> &'static Entry {
        let Some(entry) = ENTRIES.iter().find(|entry| entry.name == self.name) else {
            unreachable!("the name is that of an entry")
        };
        entry
    }

    /// Its name, and its base's where that is not gradient descent, for a folder's name.
    pub fn slug(&self) -> String {
        self.to_string().replace(" over ", "-")
    }

    /// Makes the optimizer, in its initial state.
    pub fn build(&self) -> Box<dyn Optimizer> {
        let h = &self.hyperparameters;
        let entry = self.entry();
        let optimizer = (entry.build)(h);
        if entry.decouples_decay() || h.base.is_some() {
            return optimizer;
        }
        with_decay(optimizer, h)
    }
}

impl std::fmt::Display for OptimizerSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)?;
        match self.hyperparameters.base {
            Some(Base::Sgd) | None => Ok(()),
            Some(base) => write!(f, " over {}", base.entry().name),
        }
    }
}

fn with_decay(optimizer: Box<dyn Optimizer>, h: &Hyperparameters) -> Box<dyn Optimizer> {
    match h.weight_decay() {
        0.0 => optimizer,
        lambda => Box::new(CoupledDecay::new(optimizer, lambda)),
    }
}

fn not_taken(flag: &str, value: String, entry: &Entry, taken: Hyperparameters) -> Error {
    let over = match taken.base {
        Some(base) => format!(" over {}", base.entry().name),
        None => String::new(),
    };
    let mut takers: Vec<String> =
        ENTRIES.iter().filter(|e| e.defaults.has(flag)).map(|e| e.name.to_string()).collect();
    for base in [Base::Momentum, Base::Adam] {
        if base.entry().defaults.has(flag) {
            takers.push(format!("sam and asam with --base {}", base.entry().name));
        }
    }
    let problem = format!("{}{over} does not take it", entry.name);
    Error::setting(flag, value, problem, format!("those that do: {}", takers.join(", ")))
}

fn check(flag: &str, value: f64) -> Result<()> {
    let (fits, problem, remedy) = match flag {
        "--momentum" | "--beta1" | "--beta2" => (
            (0.0..1.0).contains(&value),
            "a decay rate lies in [0, 1)",
            "give a number from 0 to below 1, such as 0.9",
        ),
        "--eps" => (
            value > 0.0 && value.is_finite(),
            "the update divides by it where a gradient is zero",
            "give a finite number above 0, such as 1e-8",
        ),
        "--rho" => (
            value >= 0.0 && value.is_finite(),
            "a radius cannot be negative",
            "give a finite number of 0 or more, such as 0.05",
        ),
        _ => (
            value >= 0.0 && value.is_finite(),
            "a decay cannot be negative",
            "give a finite number of 0 or more, such as 1e-4",
        ),
    };
    match fits {
        true => Ok(()),
        false => Err(Error::setting(flag, format!("{value:?}"), problem, remedy)),
    }
}
