//! Initial weights, drawn on the host so that every device starts from the same numbers.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal, StandardUniform};

use super::ModelSpec;
use crate::data::InputShape;
use crate::error::Result;
use crate::names::choices;

choices! {
    /// The distribution of the initial weights of a layer with `in` inputs and `out` outputs.
    #[derive(Default)]
    pub enum Initialisation ("initialisation") {
        /// `torch.nn.Linear`'s default: weights and biases uniform within 1 / sqrt(in).
        #[default]
        Pytorch = "pytorch",
        /// Uniform within sqrt(6 / (in + out)), biases zero (Glorot & Bengio 2010).
        Xavier = "xavier",
        /// Normal with variance 2 / in, biases zero (He et al. 2015).
        Kaiming = "kaiming",
        /// Normal with variance 1 / in, biases zero (LeCun et al. 1998).
        Lecun = "lecun",
    }
}

impl Initialisation {
    pub(super) fn weight<R: Rng>(self, fan_in: f64, fan_out: f64, rng: &mut R) -> f64 {
        match self {
            Initialisation::Pytorch => symmetric_uniform(fan_in.sqrt().recip(), rng),
            Initialisation::Xavier => symmetric_uniform((6.0 / (fan_in + fan_out)).sqrt(), rng),
            Initialisation::Kaiming => normal((2.0 / fan_in).sqrt(), rng),
            Initialisation::Lecun => normal(fan_in.sqrt().recip(), rng),
        }
    }

    pub(super) fn bias<R: Rng>(self, fan_in: f64, rng: &mut R) -> f64 {
        match self {
            Initialisation::Pytorch => symmetric_uniform(fan_in.sqrt().recip(), rng),
            _ => 0.0,
        }
    }
}

fn symmetric_uniform<R: Rng>(bound: f64, rng: &mut R) -> f64 {
    let unit: f64 = StandardUniform.sample(rng);
    bound * (2.0 * unit - 1.0)
}

pub(super) fn normal<R: Rng>(deviation: f64, rng: &mut R) -> f64 {
    let z: f64 = StandardNormal.sample(rng);
    deviation * z
}

/// The flat parameter vector at the start, in the order of the module's own layout.
///
/// # Errors
/// As [`ModelSpec::tensors`].
pub fn initial_parameters<R: Rng>(
    spec: &ModelSpec,
    inputs: InputShape,
    outputs: usize,
    rng: &mut R,
) -> Result<Vec<f64>> {
    let tensors = spec.tensors(inputs, outputs)?;
    if let Some(objective) = spec.objective() {
        return Ok(objective.start_point(rng));
    }
    Ok(tensors.iter().flat_map(|tensor| tensor.draw(rng)).collect())
}
