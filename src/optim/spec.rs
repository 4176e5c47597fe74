//! Optimizers by name: which hyperparameters each takes, with their defaults.

use serde::Serialize;

use super::{
    Clipped, CoupledDecay, ENTRIES, Hyperparameters, Optimizer, adam, help, momentum, sgd,
};
use crate::autodiff::ParameterLayout;
use crate::error::{Error, Result};
use crate::names::{all_of, choices};

/// One optimizer that can be named.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// Its update, in a line.
    pub update: &'static str,
    /// What is said of it besides, if anything.
    pub remark: Option<&'static str>,
    /// Learning rate where none is given.
    pub lr: f64,
    /// Where its weight decay is.
    pub decay: Decay,
    /// The hyperparameters that it takes, and their defaults; those that it does not take are
    /// `None`.
    pub defaults: Hyperparameters,
    /// Makes it, without coupled weight decay, for parameters of that layout. Only some go by it.
    pub build: fn(&Hyperparameters, &ParameterLayout) -> Box<dyn Optimizer>,
}

/// Where the weight decay of an optimizer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decay {
    /// In the gradient, as that of lambda ||w||^2 / 2.
    Coupled,
    /// Beside the step, shrinking the weights.
    Decoupled,
}

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

    /// Its update and what is said of it besides.
    pub fn about(&self) -> String {
        let remark = self.remark.map(|remark| format!("; {remark}"));
        format!("{}{}", self.update, remark.unwrap_or_default())
    }

    /// Its threshold's formula where nothing is given; `None` where none is known.
    pub fn formula(&self) -> Option<String> {
        let built = (self.build)(&self.defaults_over(None), &ParameterLayout::default());
        built.formula()
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
    pub(super) fn build(
        self,
        hyperparameters: &Hyperparameters,
        layout: &ParameterLayout,
    ) -> Box<dyn Optimizer> {
        with_decay((self.entry().build)(hyperparameters, layout), hyperparameters)
    }
}

/// An optimizer with every hyperparameter that it takes.
///
/// ```
/// use sharpscope::optim::{Hyperparameters, OptimizerSpec};
///
/// let given = Hyperparameters { beta2: Some(0.99), ..Hyperparameters::NONE };
/// let spec = OptimizerSpec::resolve("adam", given)?;
/// assert_eq!(spec.hyperparameters.beta1, Some(0.9)); // the default
/// assert!(spec.build().is_preconditioned());
///
/// let error = OptimizerSpec::resolve("adm", given).unwrap_err();
/// assert!(error.to_string().contains("did you mean 'adam'?"));
/// # Ok::<(), sharpscope::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OptimizerSpec {
    /// Its name.
    #[serde(rename = "optimizer")]
    pub name: &'static str,
    /// What it takes; nothing else is set.
    #[serde(flatten)]
    pub hyperparameters: Hyperparameters,
    /// The norm that gradients are shortened to; `None` where they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
}

impl OptimizerSpec {
    /// The name of the optimizer where none is given.
    pub const DEFAULT: &'static str = sgd::ENTRY.name;

    /// Whether its weight decay shrinks the weights beside the step instead of being in the gradient.
    pub fn decouples_decay(&self) -> bool {
        self.entry().decay == Decay::Decoupled
    }

    /// The optimizer called `name` with what is given and defaults for the rest.
    ///
    /// # Errors
    /// [`Error::UnknownName`]; [`Error::Setting`], whose key is the field of [`Hyperparameters`], for
    /// one that it does not take or that is out of range.
    pub fn resolve(name: &str, given: Hyperparameters) -> Result<Self> {
        let entry = Entry::find(name)?;
        let taken = entry.defaults_over(given.base);
        if let (Some(base), None) = (given.base, taken.base) {
            return Err(not_taken("base", base.to_string(), entry, taken));
        }
        for (number, value) in given.numbers() {
            let Some(value) = value else { continue };
            if !taken.has(number.name) {
                return Err(not_taken(number.name, format!("{value:?}"), entry, taken));
            }
            number.check(value)?;
        }
        Ok(Self { name: entry.name, hyperparameters: given.or(taken), clip_norm: None })
    }

    /// Whether the optimizer called `name`, over `base` where it has one, takes the hyperparameter
    /// called `field`.
    ///
    /// # Errors
    /// [`Error::UnknownName`].
    pub fn takes(name: &str, base: Option<Base>, field: &str) -> Result<bool> {
        Ok(Entry::find(name)?.defaults_over(base).has(field))
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

    /// Makes the optimizer, in its initial state, where the parameters' shapes are not known: for what it
    /// says of itself. One that goes by them (`muon`) refuses to step.
    pub fn build(&self) -> Box<dyn Optimizer> {
        self.build_for(&ParameterLayout::default())
    }

    /// Makes the optimizer, in its initial state, for parameters of that layout.
    pub fn build_for(&self, layout: &ParameterLayout) -> Box<dyn Optimizer> {
        let h = &self.hyperparameters;
        let optimizer = (self.entry().build)(h, layout);
        // A base has the decay inside.
        let optimizer = match self.decouples_decay() || h.base.is_some() {
            true => optimizer,
            false => with_decay(optimizer, h),
        };
        match self.clip_norm {
            Some(most) => Box::new(Clipped::new(optimizer, most)),
            None => optimizer,
        }
    }
}

impl std::fmt::Display for OptimizerSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)?;
        match self.hyperparameters.base {
            Some(Base::Sgd) | None => Ok(()),
            Some(base) => write!(f, " over {base}"),
        }
    }
}

fn with_decay(optimizer: Box<dyn Optimizer>, h: &Hyperparameters) -> Box<dyn Optimizer> {
    match h.weight_decay() {
        0.0 => optimizer,
        lambda => Box::new(CoupledDecay::new(optimizer, lambda)),
    }
}

fn not_taken(name: &str, value: String, entry: &Entry, taken: Hyperparameters) -> Error {
    let over = taken.base.map_or_else(String::new, |base| format!(" over {base}"));
    let mut takers: Vec<String> = help::takers(name).into_iter().map(str::to_string).collect();
    let over_bases = all_of(&help::takers("base"));
    for base in Base::ALL.into_iter().filter(|base| base.entry().defaults.has(name)) {
        takers.push(format!("{over_bases} with --base {base}"));
    }
    let problem = format!("{}{over} does not take it", entry.name);
    Error::setting(name, value, problem, format!("those that do: {}", takers.join(", ")))
}
