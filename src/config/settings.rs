//! Settings as given: each is a flag of `run` and a key of its JSON config.

use std::path::{Path, PathBuf};

use super::setting::{self, Unfit, settings};
use super::{
    BatchSize, ModelChoice, Numbers, ObjectiveChoice, Quantities, Solver, StartPoint, TargetColumn,
    TestSet, Values,
};
use crate::data::{Classes, Header};
use crate::device::{BackendChoice, Differentiation, Precision};
use crate::error::Result;
use crate::input;
use crate::optim::{Base, ScheduleKind, help};
use crate::problem::Loss;
use crate::profile::{Quantity, Realized};
use crate::record::WarningAction;

settings! {
    /// Settings of a run, each optional: flags win over the config file, and both over the defaults.
    /// A comparison may give several [`Values`] of some.
    pub struct Settings {
        "Problem" {
            /// Model preset, or JSON file [default: mlp, a tanh MLP with two hidden layers of 64]
            model: ModelChoice;
            /// Objective that a formula gives, in the place of model, dataset and loss: a name of
            /// 'sharpscope list', or JSON file [default: none]
            objective: ObjectiveChoice;
            /// Point that an objective starts from, a number for each variable [default: the
            /// file's, or drawn from --seed]
            start: StartPoint;
            /// Dataset, or file: CSV whose last column is the class, text for a transformer, .npy or
            /// .npz, images in IDX format with their labels beside them, or MNIST's or CIFAR's folder
            /// [default: digits]
            dataset: String, shown "NAME|FILE";
            /// File whose samples validate, like the dataset's [default: samples of the dataset]
            validation: String, shown "FILE";
            /// File, or share of the dataset such as 0.2, whose samples are kept for a test at the end of
            /// the run [default: none]
            test: TestSet;
            /// Initial weights, a safetensors file with the model's names and shapes [default:
            /// drawn from --seed]
            init: PathBuf, shown "FILE.safetensors";
            /// Loss: mse (1/2 squared error summed over outputs) or ce (cross-entropy) [default:
            /// mse; ce for text]
            loss: Loss;
            /// Training samples, the first of a seeded shuffle; windows of a text [default: 1000
            /// (500 windows of a text), or 80% of a smaller dataset]
            train_size: usize, checked at_least_one;
            /// Validation samples, the next of the shuffle; of a text, a stretch of windows
            /// [default: all that are left, and at most 500 windows]
            validation_size: usize;
            /// Scale each feature, and targets that are numbers, to mean 0 and variance 1 over the
            /// training samples [default: true for diabetes]
            standardize: bool;
        }
        "Data" {
            /// Points of a generated dataset [default: 20 for chebyshev, 500 for blobs, moons and
            /// spirals]
            points: usize;
            /// Degree of chebyshev's polynomial [default: 5]
            degree: usize, shown "K";
            /// Which classes are kept, such as 0,1,2, numbered anew in this order; a number alone is how
            /// many blobs and spirals have [default: all; 3]
            classes: Classes;
            /// Standard deviation of the points of blobs, moons and spirals about their curve
            /// [default: 0.3, 0.1 and 0.05]
            noise: f64, shown "S";
            /// Share of the training labels that is replaced by other classes [default: 0]
            label_noise: f64, shown "SHARE";
            /// Whether the first row of a CSV file names its columns [default: auto]
            header: Header;
            /// Target column of a CSV file: a name in its header, or a number from 1 [default: the
            /// last]
            target: TargetColumn, shown "COLUMN";
            /// The target of a CSV file is a number, not a class
            regression: bool;
        }
        "Training" {
            /// Which optimizer.
            optimizer: Values<String>, also "optimizers", told help::optimizers;
            /// Learning rate.
            lr: Values<f64>, shown "RATE", told help::learning_rates, checked rates;
            /// Samples in a minibatch, or full [default: full]
            batch_size: Values<BatchSize>, checked batches;
            /// Updates to take [default: 1000]
            steps: usize, checked steps;
            /// Seed of everything random [default: 0]
            seed: u64;
            /// Seed of the order of minibatches alone [default: --seed]
            order_seed: u64, shown "N";
            /// Seed of the data alone: which samples train and validate, the points of a generated
            /// dataset, label noise [default: --seed]
            data_seed: u64;
            /// Where a loss spike is warned of: stop (with a checkpoint), halve-lr (from the next
            /// update to the end), lower-lr (by as much as the coming steps need, given back when
            /// they bear it) or checkpoint [default: nothing]
            on_warning: WarningAction;
            /// Evaluate validation every N steps, besides where curvature is measured [default:
            /// --every]
            eval_every: usize, checked at_least_one;
        }
        "Optimizer" {
            /// What SAM and ASAM step with.
            base: Values<Base>, shown "NAME", told help::bases;
            /// Shorten gradients to this norm where they are longer, with any optimizer (with SAM and
            /// ASAM the gradient that they descend) [default: no clipping]
            clip_norm: f64, shown "NORM", checked clip_norm;
        }
        /// The numbers that optimizers take.
        + numbers: Numbers;
        "Learning rate" {
            /// What the learning rate does after the warm-up.
            schedule: Values<ScheduleKind>, shown "NAME", told help::schedules;
            /// Steps over which the learning rate rises from near 0 to --lr [default: 0]
            warmup: Values<usize>;
            /// Learning rate that a falling schedule ends at.
            final_lr: f64, shown "RATE", told help::final_rates, checked final_rate;
            /// What schedule step multiplies the learning rate by [default: 0.1]
            decay_factor: f64, shown "FACTOR", checked factor;
            /// After how many steps it does, each time; steps of a cycle of schedule cyclic [default: a
            /// third of --steps, rounded up]
            decay_every: usize, checked at_least_one;
            /// What the schedules that follow curvature keep to.
            edge_target: f64, shown "RATIO", told help::edge_target, checked edge_target;
        }
        "Averaging" {
            /// Average the weights over the run from this step on (stochastic weight averaging), beside
            /// training, which goes on as it would [default: never]
            swa_start: usize;
            /// Steps from one point of that average to the next [default: 1]
            swa_every: usize, checked at_least_one;
            /// Learning rate while weights are averaged, reached along a line before that [default: as
            /// --schedule has it]
            swa_lr: f64, shown "RATE", checked swa_rate;
        }
        "Curvature" {
            /// How many of the largest Hessian eigenvalues to log [default: 1]
            top: usize, shown "K", checked up_to::<1000>;
            /// Log the smallest eigenvalue too
            smallest: bool;
            /// Measure curvature every N steps [default: 1]
            every: usize, checked at_least_one;
            /// Relative residual at which an eigenvalue has converged [default: 1e-3]
            tolerance: f64, shown "R";
            /// Most Hessian-vector products in one measurement [default: 20 for each eigenvalue and
            /// one more, at least 100]
            max_iterations: usize, checked up_to::<1_000_000>;
            /// How the largest eigenvalues are found: davidson follows them from step to step,
            /// lanczos solves for them anew each time [default: davidson, or lanczos with
            /// --smallest]
            solver: Solver;
            /// Measurements between audits of the eigenvalues that davidson follows, by a solve
            /// from nothing [default: 50]
            audit_every: usize, checked at_least_one;
            /// How Hessian-vector products are differentiated: forward over reverse, or reverse
            /// over reverse [default: forward]
            hvp: Differentiation;
            /// Measure curvature on a fixed, seeded subset of N training samples [default: all of
            /// them]
            samples: usize, checked at_least_one;
            /// Minibatches over which batch sharpness is averaged, with minibatch training; 0 for
            /// none [default: 16]
            sharpness_batches: usize, checked at_most::<100_000>;
            /// Draw no more of them, from 8 on, once the standard error of batch sharpness is at most this
            /// share of it [default: draw all]
            sharpness_error: f64, shown "R", checked relative_error;
            /// Realized edge s'Hs/(-2g's) of each measured update s, on a quadratic below 1 exactly where
            /// the loss falls: at its start (step), also with the curvature at the midpoint of the
            /// oscillation (midpoint), or off [default: step]
            realized: Realized;
            /// Whether the sharpness is logged where SAM and ASAM take their gradient too.
            perturbed_sharpness: bool, told help::perturbed_sharpness;
            /// Log the largest eigenvalues at the midpoint of the oscillation too, where they are those of
            /// a flow [default: with --mechanism]
            midpoint_sharpness: bool;
            /// Log what holds the sharpness at the edge, at midpoints: how fast the loss sharpens, what an
            /// oscillation does against it, the variance at which the two are equal beside the measured
            /// one, and where the curvature comes from
            mechanism: bool;
            /// Further columns, measured where curvature is
            measure: Quantities, told quantities_help, checked each_once;
        }
        "Spectrum" {
            /// Measure the density of the whole spectrum every N steps [default: never]
            spectrum_every: usize, checked at_least_one;
            /// Random probes of a density, each of which takes --iterations products [default: 10]
            probes: usize, checked up_to::<MOST_PROBES>;
            /// Lanczos steps for each probe [default: 80]
            iterations: usize, checked up_to::<MOST_LANCZOS_STEPS>;
            /// Standard deviation that a density is smoothed with, in units of eigenvalues
            /// [default: 1% of their range]
            sigma: f64, shown "S", checked deviation;
        }
        "Device" {
            /// Device: auto takes a GPU if there is one, else the CPU [default: auto]
            backend: BackendChoice;
            /// Precision: f32, or f64 for reference runs on the CPU [default: f32]
            precision: Precision;
            /// Most samples in one pass, on each CPU thread, which bounds memory [default: 8192 on a
            /// GPU, 256 on the CPU or as few as 8 of samples that need large tensors]
            chunk: usize, checked at_least_one;
            /// Most MiB for what Hessian-vector products at the same parameters share; beyond it each
            /// computes it again [default: a quarter of the machine's memory, and at most 1024 on a
            /// GPU]
            memory: usize, shown "MIB";
        }
        "Output" {
            /// Run directory to write [default: runs/TIME-NAME]
            out: PathBuf, shown "DIR";
            /// Go on with the stopped run in this directory, from its latest complete checkpoint
            resume: PathBuf, shown "DIR";
            /// Name of the run, for its folder and figure [default: MODEL-DATASET-OPTIMIZER]
            name: String, checked |name| folder_name(name);
            /// Write a checkpoint every N steps, besides the one at the end [default: never]
            checkpoint_every: usize, checked at_least_one;
            /// Write event files for TensorBoard into the run directory too, each step as it is taken
            tensorboard: bool;
            /// Replace the files of a run that is already in --out
            force: bool;
        }
    }
}

impl Settings {
    /// Reads a JSON config whose keys are the flags, underscores for dashes.
    ///
    /// # Errors
    /// [`crate::Error::File`] naming the line: unreadable, not JSON, an unknown key or a value of
    /// the wrong type.
    pub fn read(path: &Path) -> Result<Self> {
        const REMEDY: &str = "write settings as {\"lr\": 0.1, \"steps\": 200}; keys are the flags \
                              of 'sharpscope run --help', underscores for dashes";
        let text = input::read_text(path, "give a JSON config file")?;
        input::parse_json(&text, path, REMEDY)
    }

    /// The settings in a manifest's `config`. Keys that only a later version knows are left alone.
    ///
    /// # Errors
    /// If a value is not one of its key's.
    pub fn of_manifest(config: &serde_json::Value) -> std::result::Result<Self, serde_json::Error> {
        let mut config = config.clone();
        if let Some(keys) = config.as_object_mut() {
            let known = setting::keys::<Self>();
            keys.retain(|key, _| known.contains(&key.as_str()));
        }
        serde_json::from_value(config)
    }

    /// Refuses values that can be used in no run, whatever else is set.
    pub(crate) fn check(&self) -> Result<()> {
        setting::check(self)
    }
}

type Fit = std::result::Result<(), Unfit>;

fn quantities_help() -> String {
    let lines = Quantity::ALL.iter().map(|quantity| format!("{quantity} ({})", quantity.about()));
    let lines: Vec<String> = lines.collect();
    format!("Further columns, measured where curvature is: {} [default: none]", lines.join(", "))
}

fn each_once(quantities: &Quantities) -> Fit {
    let mut seen = Vec::new();
    for quantity in &quantities.0 {
        if seen.contains(quantity) {
            return Err(Unfit::new(quantity, "it is named twice", "name each once"));
        }
        seen.push(*quantity);
    }
    Ok(())
}

fn at_least_one(number: &usize) -> Fit {
    match number {
        0 => Err(Unfit::new(0, "must not be zero", "give 1 or more")),
        _ => Ok(()),
    }
}

/// Most probes of a density, and most Lanczos steps for each.
const MOST_PROBES: usize = 1000;
const MOST_LANCZOS_STEPS: usize = 1000;

fn at_most<const MOST: usize>(number: &usize) -> Fit {
    match *number {
        number if number > MOST => {
            Err(Unfit::new(number, "too many", format!("give at most {MOST}")))
        }
        _ => Ok(()),
    }
}

/// From 1 to that many.
fn up_to<const MOST: usize>(number: &usize) -> Fit {
    at_least_one(number).and(at_most::<MOST>(number))
}

fn batches(sizes: &Values<BatchSize>) -> Fit {
    sizes.0.iter().filter_map(|size| size.0.as_ref()).try_for_each(at_least_one)
}

fn steps(number: &usize) -> Fit {
    up_to::<{ u32::MAX as usize }>(number)
}

/// A finite number that is above zero, or zero too.
fn finite(x: f64, zero: bool, problem: &'static str, example: &str) -> Fit {
    if x.is_finite() && (x > 0.0 || (zero && x == 0.0)) {
        return Ok(());
    }
    let range = if zero { "0 or more" } else { "above 0" };
    Err(Unfit::new(
        format!("{x:?}"),
        problem,
        format!("give a finite number {range}, such as {example}"),
    ))
}

fn rates(rates: &Values<f64>) -> Fit {
    rates.0.iter().try_for_each(|&rate| finite(rate, false, "not a learning rate", "0.2"))
}

fn swa_rate(rate: &f64) -> Fit {
    finite(*rate, false, "not a learning rate", "0.1")
}

fn final_rate(rate: &f64) -> Fit {
    finite(*rate, true, "not a learning rate", "0.01")
}

fn edge_target(ratio: &f64) -> Fit {
    finite(*ratio, false, "not an edge ratio to keep", "1")
}

fn clip_norm(norm: &f64) -> Fit {
    finite(*norm, false, "not a norm to shorten gradients to", "1")
}

fn factor(factor: &f64) -> Fit {
    finite(*factor, false, "not a factor for a learning rate", "0.1")
}

fn relative_error(error: &f64) -> Fit {
    finite(*error, false, "not a relative error", "0.05")
}

fn deviation(sigma: &f64) -> Fit {
    finite(*sigma, false, "not a standard deviation", "0.1")?;
    // Beyond these, sums with eigenvalues are not what they seem, or not finite.
    if (1e-30..=1e30).contains(sigma) {
        return Ok(());
    }
    let remedy = "give a number from 1e-30 to 1e30, such as 0.1";
    Err(Unfit::new(format!("{sigma:?}"), "out of range", remedy))
}

/// A name that can be a folder's.
fn folder_name(name: &str) -> Fit {
    if name.is_empty() || name.contains(['/', '\\', '\0']) {
        let remedy = "give a name without slashes; --out sets the folder";
        return Err(Unfit::new(name, "not a folder's name", remedy));
    }
    Ok(())
}
