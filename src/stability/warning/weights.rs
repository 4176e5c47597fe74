//! What the models go by, and with which weights.

use serde::{Deserialize, Serialize};

/// Writes out [`WarningWeights`] and [`FEATURES`].
macro_rules! features {
    ($($(#[doc = $about:literal])* $name:ident,)*) => {
        /// Weights of a logistic model of a spike: probability 1/(1 + exp(-(intercept + w'x))). Each is that of the
        /// feature of its name, which lies within fixed bounds and is 0 where the row does not have what it takes.
        #[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct WarningWeights {
            /// Constant.
            pub intercept: f64,
            $($(#[doc = $about])* pub $name: f64,)*
        }

        /// The features' names in the order of [`super::Signal::features`].
        pub const FEATURES: [&str; WarningWeights::COUNT - 1] = [$(stringify!($name)),*];

        impl WarningWeights {
            /// How many there are, the constant included.
            pub const COUNT: usize = 1 + [$(stringify!($name)),*].len();

            /// The weights, the constant first.
            pub fn to_array(&self) -> [f64; Self::COUNT] {
                [self.intercept, $(self.$name),*]
            }

            /// As [`WarningWeights::to_array`] gives them.
            pub const fn from_array(weights: [f64; Self::COUNT]) -> Self {
                let [intercept, $($name),*] = weights;
                Self { intercept, $($name),* }
            }
        }
    };
}

features! {
    /// -ln(1 + n), n the steps until the oscillation is visible.
    urgency,
    /// The logarithm of the growth by then, if n is within the horizon.
    reach,
    /// Coherent growth times build-up.
    clean,
    /// Coherent: the logarithm of the measured growth or of that by the edge ratio, the lesser, less so the more the
    /// measured one scatters, if n is within the horizon.
    coherent,
    /// A tenth of the logarithm of the oscillation's share of the loss.
    energy,
    /// Build-up: a tenth of that logarithm's rise above its least value in the latest rows.
    build_up,
    /// The loss's rise over its baseline.
    loss_rise,
    /// Batch sharpness over what it settles at, beyond 1; -1 where it cannot be compared.
    batch,
    /// The logarithm by which the schedule raises the learning rate by then, if n is within the horizon.
    planned,
    /// The logarithm of the largest energy that is predicted for the horizon, over what a spike takes.
    predicted,
    /// The same where one in ten scenarios is below.
    predicted_least,
    /// The same where one in ten scenarios is above.
    predicted_most,
    /// The edge ratio.
    ratio,
    /// By how much it is beyond 1.
    beyond,
    /// The second mode's edge ratio.
    second,
    /// Modes beyond the edge.
    modes,
    /// Change of the ratio's logarithm over the horizon, but for the schedule's.
    trend,
    /// The realized ratio.
    realized,
    /// By how much it is beyond 1.
    realized_beyond,
    /// By how much the realized ratio of the row before was beyond 1.
    realized_before,
    /// By how much the realized ratio was beyond 1 at each of the latest rows.
    sustained,
    /// The rise of the loss that the quadratic along the step predicts for the next step, over the loss.
    step_rise,
    /// The logarithm of the curvature along the step over the loss.
    step_curvature,
    /// The logarithm of 1 and the deviation of the gradient's norm above the median of the latest rows.
    gradient_deviation,
    /// Robust deviation of the loss about its baseline, over it.
    scatter,
    /// 1 where there is no threshold to go by.
    without_threshold,
}
