//! Every random number of a run comes from one seed, through streams that do not share a number.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What random numbers are drawn for: the registry of all streams, rooms above included, so that no two
/// share a number. Which number a stream has here is part of what a seed means; it never changes, and a new
/// stream takes the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Splitting the dataset into training and validation samples.
    Split,
    /// Initial weights.
    Initialisation,
    /// The order of samples in an epoch of minibatches.
    Batches {
        /// Passes over the training set before this one.
        epoch: u32,
    },
    /// The subset of samples that curvature is measured on.
    CurvatureSamples,
    /// The eigensolver's start vector.
    Krylov {
        /// The training step.
        step: u32,
    },
    /// The minibatches that batch sharpness is averaged over.
    SharpnessBatches {
        /// The training step.
        step: u32,
    },
    /// The points of a generated dataset.
    Generation,
    /// Which labels are made wrong, and what they become.
    LabelNoise,
    /// The targets that a sampled Fisher matrix is about.
    FisherTargets {
        /// The chunk of samples.
        chunk: u32,
    },
    /// What a tracker of eigenvalues draws.
    Tracker,
    /// The probes of a spectral density or of a measure of flatness.
    Probes {
        /// The training step.
        step: u32,
    },
    /// Where searches for generalized sharpness start.
    Restarts {
        /// The training step.
        step: u32,
    },
    /// The probes of the trace beside a spectral density: the same for a layer by itself as among
    /// the others.
    TraceProbes {
        /// The training step.
        step: u32,
    },
    /// Random directions of a slice.
    SliceDirections,
    /// Which validation samples choose a soup, and which report on it.
    HeldOut,
    /// The orders in which hidden units are matched.
    Alignment {
        /// The start.
        start: u32,
    },
    /// The positions on a curve at which it is trained.
    Curve,
    /// The direction in which a copy of a run is moved.
    Perturbation {
        /// The copy.
        copy: u32,
    },
}

/// A generator for that stream: the same numbers for the same seed on every machine, independent of
/// what else is drawn.
pub fn stream(seed: u64, stream: Stream) -> ChaCha8Rng {
    let (kind, index) = match stream {
        Stream::Split => (0, 0),
        Stream::Initialisation => (1, 0),
        Stream::Batches { epoch } => (2, epoch),
        Stream::CurvatureSamples => (3, 0),
        Stream::Krylov { step } => (4, step),
        Stream::SharpnessBatches { step } => (5, step),
        Stream::Generation => (6, 0),
        Stream::LabelNoise => (7, 0),
        Stream::FisherTargets { chunk } => (8, chunk),
        Stream::Probes { step } => (9, step),
        Stream::Tracker => (10, 0),
        Stream::TraceProbes { step } => (11, step),
        Stream::Restarts { step } => (12, step),
        Stream::SliceDirections => (20, 0),
        Stream::HeldOut => (21, 0),
        Stream::Alignment { start } => (30, start),
        Stream::Curve => (31, 0),
        Stream::Perturbation { copy } => (32, copy),
    };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream((kind << 32) | u64::from(index));
    rng
}
