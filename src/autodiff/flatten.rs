//! A module's parameters as one flat vector on the host.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::error::{Error, Result};

/// The float parameters of a module on any backend, of any precision, in the order of
/// `Module::visit`: the vector that [`super::Objective::set_parameters`] takes. Waits for the device.
///
/// # Errors
/// [`Error::Numerical`] if the device reports failure.
pub fn flat_parameters<B: Backend, M: Module<B>>(module: &M) -> Result<Vec<f64>> {
    struct Reader {
        theta: Vec<f64>,
        failure: Option<String>,
    }

    impl<B: Backend> ModuleVisitor<B> for Reader {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            match param.val().try_into_data() {
                Ok(data) => self.theta.extend(data.iter::<f64>()),
                Err(e) => self.failure = Some(format!("{e:?}")),
            }
        }
    }

    let mut reader = Reader { theta: Vec::new(), failure: None };
    module.visit(&mut reader);
    match reader.failure {
        Some(reason) => Err(Error::Numerical { what: "reading a module's parameters", reason }),
        None => Ok(reader.theta),
    }
}
