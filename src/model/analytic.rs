//! Objectives given by a formula, as a model that reads no samples and whose output is its loss.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::Serialize;

use super::architecture::{Architecture, Missing};
use super::keys::keys;
use super::tensors::{ParameterTensor, Start, tensor};
use super::{Initialisation, NetworkInputs};
use crate::autodiff::UnitGroup;
use crate::data::InputShape;
use crate::device::Placement;
use crate::error::Result;
use crate::objective::{Function, ObjectiveSpec};

/// An objective given by a formula. Its constants are what it reads.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnalyticSpec {
    /// The objective.
    pub objective: ObjectiveSpec,
}

keys! {
    /// The key of an objective.
    struct AnalyticKeys {
        objective: ObjectiveSpec,
    }
}

impl Architecture for AnalyticSpec {
    type Keys = AnalyticKeys;
    type Network<B: Backend> = Analytic<B>;

    fn from_keys(keys: AnalyticKeys, _: Initialisation) -> std::result::Result<Self, Missing> {
        Ok(Self { objective: keys.objective.ok_or(Missing("objective"))? })
    }

    fn validate(&self) -> Result<()> {
        self.objective.check()
    }

    /// `x` `[1, P]`, or `u` and `v`. They start where the objective says.
    fn tensors(&self, _: InputShape, _: usize) -> Result<Vec<ParameterTensor>> {
        let tensors = self.objective.facts().blocks().tensors().into_iter();
        Ok(tensors.map(|(name, shape)| tensor(name, &shape, Start::Constant(0.0))).collect())
    }

    fn unit_groups(&self) -> Vec<UnitGroup> {
        Vec::new()
    }

    fn largest_activation(&self, inputs: InputShape, _: usize) -> usize {
        inputs.len().max(self.objective.facts().dimension())
    }

    fn layers(&self) -> usize {
        0
    }

    fn width(&self) -> (&'static str, String) {
        ("objective", self.objective.kind().to_string())
    }

    fn network<B: Backend>(
        &self,
        _: InputShape,
        _: usize,
        placement: &Placement<B::Device>,
    ) -> Analytic<B> {
        let tensors = self.objective.facts().blocks().tensors();
        let named = |name: &str| {
            let (_, shape) = tensors.iter().find(|(known, _)| *known == name)?;
            Some(Param::from_tensor(placement.zeros(*shape)))
        };
        Analytic {
            x: named("x"),
            u: named("u"),
            v: named("v"),
            function: self.objective.function.clone(),
        }
    }

    fn forward<B: Backend>(network: &Analytic<B>, inputs: NetworkInputs<B>) -> Tensor<B, 2> {
        network.forward(inputs.features())
    }
}

/// A point and the function over it.
#[derive(Module, Debug)]
pub struct Analytic<B: Backend> {
    x: Option<Param<Tensor<B, 2>>>,
    u: Option<Param<Tensor<B, 2>>>,
    v: Option<Param<Tensor<B, 2>>>,
    #[module(skip)]
    function: Function,
}

impl<B: Backend> Analytic<B> {
    /// The value, `[1, 1]`, by the function's constants, `[1, constants]`.
    pub fn forward(&self, constants: Tensor<B, 2>) -> Tensor<B, 2> {
        let parts = [&self.x, &self.u, &self.v].into_iter().flatten();
        let mut parts: Vec<Tensor<B, 1>> = parts.map(|part| part.val().flatten(0, 1)).collect();
        let point = match parts.len() {
            1 => parts.remove(0),
            _ => Tensor::cat(parts, 0),
        };
        self.function.value(point, constants.flatten(0, 1)).reshape([1, 1])
    }
}
