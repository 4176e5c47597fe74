//! What is trained: architectures, their activations and their initial weights.
//!
//! An architecture is a JSON object ([`ModelSpec`]); presets live in `models/` and are built into
//! the binary. Input and output sizes come from the data.

mod activation;
mod cnn;
mod init;
mod layers;
mod mlp;
mod network;
mod spec;
mod tensors;
mod transformer;

pub use activation::Activation;
pub use cnn::{Cnn, CnnSpec, Pooling};
pub use init::{Initialisation, initial_parameters};
pub use mlp::{Mlp, MlpSpec};
pub use network::{Network, NetworkInputs};
pub use spec::{ModelSpec, preset_names};
pub use tensors::ParameterTensor;
pub use transformer::{Transformer, TransformerSpec};
