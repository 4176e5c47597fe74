//! What is trained: architectures, their activations and their initial weights.
//!
//! An architecture is a JSON object ([`ModelSpec`]); presets live in `models/` and are built into
//! the binary. Input and output sizes come from the data.

mod activation;
mod init;
mod mlp;
mod spec;

pub use activation::Activation;
pub use init::{Initialisation, initial_parameters};
pub use mlp::Mlp;
pub use spec::{MlpSpec, ModelSpec, preset_names};
