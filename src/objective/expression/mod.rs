//! A formula of the user's own.
//!
//! The text is parsed here rather than by a crate: of those that also differentiate, exmex takes `-x^2` for
//! `(-x)^2` and knows no `1e-3`. What is parsed is a tree; evaluated over tensors it has the derivatives that
//! everything else here has, exact and in either precision.

mod parse;
mod tree;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::check;
use super::formula::{Blocks, Facts, Formula, Region};
use crate::error::Result;
use tree::Node;

/// f(x) as a formula of named variables: `+ - * / ^`, parentheses, `exp log sqrt sin cos tanh`, `pi`, numbers and
/// named parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct Expression {
    fields: Fields,
    tree: Node,
}

/// An expression as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Fields {
    variables: Vec<String>,
    formula: String,
    /// Numbers by name.
    #[serde(default)]
    parameters: Map<String, Value>,
    /// The middle of where starts are drawn; null for the origin.
    #[serde(default)]
    center: Option<Vec<f64>>,
    /// Half the width of that.
    #[serde(default = "two")]
    half_width: f64,
}

fn two() -> f64 {
    2.0
}

impl TryFrom<Fields> for Expression {
    type Error = String;

    fn try_from(fields: Fields) -> std::result::Result<Self, String> {
        let mut parameters = Vec::new();
        for (name, value) in &fields.parameters {
            let number = value.as_f64().filter(|number| number.is_finite());
            let number =
                number.ok_or_else(|| format!("parameter {name} = {value} is no number"))?;
            parameters.push((name.as_str(), number));
        }
        let names = parse::Names::new(&fields.variables, &parameters)?;
        let tree = parse::parse(&fields.formula, &names)?;
        if !tree.varies() {
            return Err(format!("formula '{}' has no variable in it", fields.formula));
        }
        Ok(Self { fields, tree })
    }
}

impl From<Expression> for Fields {
    fn from(expression: Expression) -> Self {
        expression.fields
    }
}

impl Facts for Expression {
    fn about(&self) -> &'static str {
        "a formula of your own, in a JSON file"
    }

    fn check(&self) -> Result<()> {
        let dimension = self.fields.variables.len();
        check::size("variables (how many)", dimension, 1)?;
        check::positive("half_width", self.fields.half_width)?;
        let Some(center) = &self.fields.center else { return Ok(()) };
        if center.len() != dimension {
            let problem = format!("there are {dimension} variables");
            let remedy = "give a number for each variable";
            return check::refuse("center", format!("{center:?}"), &problem, remedy);
        }
        check::numbers("center", center, 1)
    }

    fn blocks(&self) -> Blocks {
        Blocks::Point(self.fields.variables.len())
    }

    fn region(&self) -> Region {
        let center = self.fields.center.clone();
        let center = center.unwrap_or_else(|| vec![0.0; self.fields.variables.len()]);
        Region { center, half_width: self.fields.half_width }
    }
}

impl Formula for Expression {
    fn value<B: Backend>(&self, x: Tensor<B, 1>, _: Tensor<B, 1>) -> Tensor<B, 1> {
        self.tree.value(&x)
    }
}
