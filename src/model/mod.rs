//! What is trained: architectures, their activations and their initial weights.
//!
//! An architecture is a JSON object ([`ModelSpec`]); presets live in `models/` and are built into
//! the binary. Input and output sizes come from the data.
//!
//! A new kind of architecture is a file here, its `mod` line and a line in the list below; a new preset
//! is a file in `models/` and a line in `spec.rs`.

mod activation;
mod analytic;
mod architecture;
mod cnn;
mod init;
mod inputs;
mod keys;
mod layers;
mod mlp;
mod spec;
mod tensors;
mod transformer;

pub use activation::Activation;
pub use cnn::Pooling;
pub use init::{Initialisation, initial_parameters};
pub use inputs::NetworkInputs;
pub use spec::preset_names;
pub use tensors::ParameterTensor;

architecture::architectures! {
    mlp: Mlp, MlpSpec = "mlp";
    cnn: Cnn, CnnSpec = "cnn";
    transformer: Transformer, TransformerSpec = "transformer";
    analytic: Analytic, AnalyticSpec = "objective";
}
