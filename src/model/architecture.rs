//! What each kind of model says of itself, and the list of kinds made one type.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::keys::Keys;
use super::{Initialisation, NetworkInputs, ParameterTensor};
use crate::autodiff::UnitGroup;
use crate::data::InputShape;
use crate::device::Placement;
use crate::error::{Error, Result};

/// A specification's kind, as in JSON. The list of kinds says it.
pub(super) trait OfKind {
    /// The kind's name.
    fn kind(&self) -> &'static str;
}

/// A kind of model: its specification, and how a network is made of that.
pub(super) trait Architecture: OfKind {
    /// The keys that it takes in JSON besides `kind` and `init`.
    type Keys: Keys
    where
        Self: Sized;
    /// The network as a burn module.
    type Network<B: Backend>: Module<B>
    where
        Self: Sized;

    /// The specification that the keys make, with defaults for those that are not given. Sizes are not
    /// checked.
    ///
    /// # Errors
    /// A key that must be given and is not.
    fn from_keys(keys: Self::Keys, init: Initialisation) -> std::result::Result<Self, Missing>
    where
        Self: Sized;

    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`Error::Setting`].
    fn validate(&self) -> Result<()>;

    /// The parameter tensors for these input and output sizes, in the order in which the network
    /// visits them.
    ///
    /// # Errors
    /// [`Error::Setting`] if it cannot read such inputs.
    fn tensors(&self, inputs: InputShape, outputs: usize) -> Result<Vec<ParameterTensor>>;

    /// The hidden units that may change places, signs or scales.
    fn unit_groups(&self) -> Vec<UnitGroup>;

    /// Numbers in the largest tensor that one sample makes, for sizes that have passed
    /// [`Architecture::tensors`].
    fn largest_activation(&self, inputs: InputShape, outputs: usize) -> usize;

    /// Tokens that it sees at once, if it reads text.
    fn context(&self) -> Option<usize> {
        None
    }

    /// Layers or blocks, of those whose number is of choice.
    fn layers(&self) -> usize;

    /// What makes it wide: the key, as messages name it, and its value.
    fn width(&self) -> (&'static str, String);

    /// The network with all parameters zero, for sizes that have passed [`Architecture::tensors`].
    fn network<B: Backend>(
        &self,
        inputs: InputShape,
        outputs: usize,
        placement: &Placement<B::Device>,
    ) -> Self::Network<B>
    where
        Self: Sized;

    /// The network's outputs, `[rows, outputs]`; a row is a sample or, in text, a token.
    fn forward<B: Backend>(network: &Self::Network<B>, inputs: NetworkInputs<B>) -> Tensor<B, 2>
    where
        Self: Sized;
}

/// A key that must be given.
pub(super) struct Missing(pub &'static str);

/// The refusal of inputs by a model that reads others.
pub(super) fn unreadable(
    model: &impl Architecture,
    inputs: InputShape,
    needs: &str,
    remedy: &str,
) -> Error {
    let problem = format!("it reads {needs}, and the data are {inputs}");
    Error::setting("model", model.kind(), problem, remedy)
}

/// The refusal of a size of zero.
pub(super) fn zero(key: &str, shown: String, remedy: &str) -> Error {
    Error::setting(key, shown, "a size is zero", remedy)
}

/// What is there because the model was checked against the data.
pub(super) fn checked<T>(sizes: Option<T>) -> T {
    sizes.unwrap_or_else(|| unreachable!("the model was checked against the data"))
}

/// Makes one type of all kinds, of specifications ([`super::ModelSpec`]) and of networks
/// ([`super::Network`]). A line is the kind's file, its burn module, its specification and its name in
/// JSON.
macro_rules! architectures {
    ($($file:ident: $Network:ident, $Spec:ident = $name:literal;)+) => {
        $(pub use $file::{$Network, $Spec};)+

        /// An architecture, without the input and output sizes, which come from the data.
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        #[serde(tag = "kind")]
        pub enum ModelSpec {
            $(
                #[doc = concat!("That of kind `", $name, "`.")]
                #[serde(rename = $name)]
                $Network($Spec),
            )+
        }

        /// A kind of model, by name.
        #[derive(Clone, Copy, serde::Deserialize)]
        enum Kind {
            $(#[serde(rename = $name)] $Network,)+
        }

        $(impl architecture::OfKind for $Spec {
            fn kind(&self) -> &'static str {
                $name
            }
        })+

        impl ModelSpec {
            fn architecture(&self) -> &dyn architecture::Architecture {
                match self {
                    $(ModelSpec::$Network(spec) => spec,)+
                }
            }
        }

        impl Kind {
            /// All kinds, as listed.
            const ALL: &'static [Self] = &[$(Kind::$Network),+];

            fn name(self) -> &'static str {
                match self {
                    $(Kind::$Network => $name,)+
                }
            }

            /// The keys that it takes besides `kind` and `init`.
            fn keys(self) -> &'static [&'static str] {
                match self {
                    $(Kind::$Network => keys::of::<$Spec>(),)+
                }
            }

            /// Reads the value of a key that it takes.
            fn read<'de, A: serde::de::MapAccess<'de>>(
                self,
                key: &str,
                map: &mut A,
            ) -> std::result::Result<keys::Value, A::Error> {
                match self {
                    $(Kind::$Network => keys::read::<$Spec, A>(key, map),)+
                }
            }

            /// The specification of this kind.
            fn specification(
                self,
                given: &mut keys::Given,
                init: Initialisation,
            ) -> std::result::Result<ModelSpec, keys::WrongKey> {
                Ok(match self {
                    $(Kind::$Network => ModelSpec::$Network(keys::specification(given, init)?),)+
                })
            }
        }

        pub use network::Network;

        // A handful of networks exist at a time: their size, and that of their records, does not
        // matter.
        #[allow(clippy::large_enum_variant)]
        mod network {
            use burn::module::Module;
            use burn::tensor::Tensor;
            use burn::tensor::backend::Backend;

            use super::architecture::Architecture;
            use super::{ModelSpec, NetworkInputs, $($Network, $Spec),+};
            use crate::data::InputShape;
            use crate::device::Placement;

            /// A network of one of the architectures.
            #[derive(Module, Debug)]
            pub enum Network<B: Backend> {
                $(
                    #[doc = concat!("That of kind `", $name, "`.")]
                    $Network($Network<B>),
                )+
            }

            impl<B: Backend> Network<B> {
                /// A network with all parameters zero. The specification and the sizes must have
                /// passed [`ModelSpec::tensors`].
                pub fn zeros(
                    spec: &ModelSpec,
                    inputs: InputShape,
                    outputs: usize,
                    placement: &Placement<B::Device>,
                ) -> Self {
                    match spec {
                        $(ModelSpec::$Network(spec) => {
                            Network::$Network(spec.network(inputs, outputs, placement))
                        })+
                    }
                }

                /// Outputs `[samples, outputs]`; for a language model `[windows * context, vocabulary]`.
                pub fn forward(&self, inputs: NetworkInputs<B>) -> Tensor<B, 2> {
                    match self {
                        $(Network::$Network(network) => $Spec::forward(network, inputs),)+
                    }
                }
            }
        }
    };
}

pub(super) use architectures;
