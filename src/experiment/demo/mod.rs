//! Concepts of the optimization landscape shown: what theory says beside what is measured, on objectives that can be
//! computed by hand, on a softmax and on a transformer.
//!
//! A new one is a file here, its `mod` line and a line in [`DEMOS`].

mod basin;
mod bench;
mod critical_point;
mod degeneracy;
mod dense;
mod edge;
mod gallery;
mod interpolation;
mod mistakes;
mod mode_connectivity;
mod negative_curvature;
mod page;
mod plateau;
mod reparametrization;
mod saddle;
mod sharpness;
mod spectrum;
mod swa;
mod symmetry;

use std::path::{Path, PathBuf};

use serde_json::json;

use super::csv_table::Table;
use super::landscape::Output;
use crate::error::{Error, Result};
use crate::names::choices;
use crate::record::optional;

pub use bench::{Bench, Made, Role, View};
pub use gallery::Gallery;

/// All of them, in the order in which they are listed.
pub const DEMOS: &[Demo] = &[
    critical_point::DEMO,
    saddle::DEMO,
    plateau::DEMO,
    negative_curvature::DEMO,
    degeneracy::DEMO,
    symmetry::DEMO,
    sharpness::DEMO,
    reparametrization::DEMO,
    edge::DEMO,
    basin::DEMO,
    interpolation::DEMO,
    mode_connectivity::DEMO,
    swa::DEMO,
    spectrum::DEMO,
    mistakes::DEMO,
];

/// A concept and how it is shown.
pub struct Demo {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is, in a line.
    pub title: &'static str,
    /// Its definition.
    pub definition: &'static str,
    /// Runs that show it.
    pub examples: &'static [Example],
    /// Runs that look like it and do not.
    pub non_examples: &'static [Example],
    /// How the relation that is checked follows.
    pub derivation: &'static str,
    /// The columns to log in a run of one's own.
    pub column: &'static str,
    /// The event that tells of it.
    pub event: &'static str,
    /// The checks on objectives, from the runs of the examples by name.
    small: fn(&mut Bench) -> Result<()>,
    /// The checks on a softmax and on a transformer.
    large: fn(&mut Bench) -> Result<()>,
}

/// A run that is made for a demonstration.
pub struct Example {
    /// The folder of the run.
    pub name: &'static str,
    /// What is to be seen.
    pub what: &'static str,
    /// Its settings in JSON.
    pub settings: &'static str,
    /// The event that it has; of a non-example, that it does not have.
    pub event: Option<&'static str>,
}

choices! {
    /// What a check is made on.
    pub enum Part ("part") {
        /// An objective that can be computed by hand.
        Small = "small",
        /// A softmax.
        Softmax = "softmax",
        /// A transformer.
        Transformer = "transformer",
    }
}

/// A number of theory beside the measured one.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// On what.
    pub part: Part,
    /// What the number is.
    pub what: String,
    /// What theory says.
    pub theory: f64,
    /// What was measured.
    pub measured: f64,
    /// Up to which error they agree.
    pub tolerance: f64,
}

impl Check {
    /// The relative error; where theory says 0 the absolute one.
    pub fn error(&self) -> f64 {
        match self.theory {
            0.0 => self.measured.abs(),
            theory => (self.measured / theory - 1.0).abs(),
        }
    }

    /// Whether the two agree.
    pub fn holds(&self) -> bool {
        self.error() <= self.tolerance
    }
}

/// A demonstration that was made.
#[derive(Debug)]
pub struct Shown {
    /// Its checks.
    pub checks: Vec<Check>,
    /// The folder.
    pub folder: PathBuf,
    /// The page in it.
    pub page: PathBuf,
}

impl Demo {
    /// The one of that name.
    ///
    /// # Errors
    /// [`Error::UnknownName`].
    pub fn named(name: &str) -> Result<&'static Self> {
        let names: Vec<&str> = DEMOS.iter().map(|demo| demo.name).collect();
        let found = DEMOS.iter().find(|demo| demo.name == name);
        found.ok_or_else(|| Error::unknown_name("demonstration", name, &names))
    }

    /// Makes the runs and the checks in a folder: `quick` on objectives alone.
    ///
    /// # Errors
    /// [`Error::Output`] for a folder that holds something else; what goes wrong in a run.
    pub fn show(&self, out: Option<&Path>, force: bool, quick: bool) -> Result<Shown> {
        let described = json!({ "demo": self.name, "quick": quick });
        let mut output = Output::create(out, force, self.name, &described)?;
        let mut bench = Bench::new(output.path().to_path_buf());
        for (examples, role) in
            [(self.examples, Role::Example), (self.non_examples, Role::NonExample)]
        {
            for example in examples {
                bench.example(example, role)?;
            }
        }
        (self.small)(&mut bench)?;
        if !quick {
            (self.large)(&mut bench)?;
        }
        let columns = ["part", "what", "theory", "measured", "error", "tolerance", "holds"];
        let mut table = Table::new(columns.into_iter())?;
        for check in bench.checks() {
            let numbers = [check.theory, check.measured, check.error(), check.tolerance];
            let numbers = numbers.map(|x| optional(Some(x)));
            let words = [check.part.to_string(), check.what.clone()];
            let row = words.into_iter().chain(numbers).chain([check.holds().to_string()]);
            table.write(row.collect::<Vec<_>>().iter().map(String::as_str))?;
        }
        output.write("checks.csv", &table.finish()?)?;
        output.write("page.html", page::of(self, &bench).as_bytes())?;
        output.list(bench.files()?)?;
        let folder = output.finish()?;
        let page = folder.join("page.html");
        Ok(Shown { checks: bench.into_checks(), folder, page })
    }
}
