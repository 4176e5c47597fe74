//! Profiles a module that sharpscope knows nothing of, in a training loop that is not sharpscope's.
//!
//! A network with sine activations learns a curve by burn's own SGD with momentum. The profiler is
//! handed the parameters before each update and says how sharp the loss is against (2+2β)/η; it
//! writes a run directory as well, if a folder is named:
//!
//! ```sh
//! cargo run --release --example custom_module -- runs/sine
//! ```

use std::path::Path;
use std::sync::Arc;

use burn::backend::{Autodiff, Flex};
use burn::module::{Module, Param};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, Optimizer, SgdConfig};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use sharpscope::prelude::*;

/// f(x) = sin(x W + b) V.
#[derive(Module, Debug)]
struct SineNetwork<B: Backend> {
    frequencies: Param<Tensor<B, 2>>,
    phases: Param<Tensor<B, 1>>,
    amplitudes: Param<Tensor<B, 2>>,
}

impl<B: Backend> SineNetwork<B> {
    fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let angles = x.matmul(self.frequencies.val()) + self.phases.val().unsqueeze();
        angles.sin().matmul(self.amplitudes.val())
    }
}

/// Points of a curve, to be learnt in mean squared error.
struct Curve {
    points: Vec<(f64, f64)>,
    width: usize,
}

impl Task for Curve {
    type Model<B: Backend> = SineNetwork<B>;
    /// x and y, each `[samples, 1]`.
    type Batch<B: Backend> = (Tensor<B, 2>, Tensor<B, 2>);

    fn model<B: Backend>(&self, placement: &Placement<B::Device>) -> SineNetwork<B> {
        let width = self.width;
        // Fixed numbers here; whoever draws them at random does so on the host, from a seed.
        let spread = |from: f64, to: f64| -> Vec<f64> {
            (0..width).map(|i| from + (to - from) * i as f64 / (width - 1) as f64).collect()
        };
        let amplitudes: Vec<f64> =
            (0..width).map(|i| if i % 2 == 0 { 0.05 } else { -0.05 }).collect();
        SineNetwork {
            frequencies: Param::from_tensor(placement.float(&spread(0.5, 6.0), [1, width])),
            phases: Param::from_tensor(placement.float(&spread(-1.0, 1.0), [width])),
            amplitudes: Param::from_tensor(placement.float(&amplitudes, [width, 1])),
        }
    }

    fn batch<B: Backend>(
        &self,
        samples: &[usize],
        placement: &Placement<B::Device>,
    ) -> Self::Batch<B> {
        let column = |pick: fn(&(f64, f64)) -> f64| {
            let values: Vec<f64> = samples.iter().map(|&i| pick(&self.points[i])).collect();
            placement.float(&values, [samples.len(), 1])
        };
        (column(|p| p.0), column(|p| p.1))
    }

    fn loss<B: Backend>(
        &self,
        model: &SineNetwork<B>,
        (x, y): &(Tensor<B, 2>, Tensor<B, 2>),
    ) -> Tensor<B, 1> {
        (model.forward(x.clone()) - y.clone()).square().mean()
    }
}

/// The backend of this program's own training; the profiler chooses its own.
type Training = Autodiff<Flex>;

const LR: f64 = 0.02;
const BETA: f64 = 0.9;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let points = (0..100).map(|i| f64::from(i) / 50.0 - 1.0).map(|x| (x, (3.0 * x).sin() * x));
    let task = Arc::new(Curve { points: points.collect(), width: 32 });
    let samples: Vec<usize> = (0..task.points.len()).collect();

    // The rule whose threshold applies: burn's SGD with momentum and no dampening is heavy ball.
    let given = Hyperparameters { momentum: Some(BETA), ..Hyperparameters::NONE };
    let heavy_ball = OptimizerSpec::resolve("momentum", given)?.build();

    let device = Device::open(BackendChoice::Auto, Precision::F32)?;
    let settings = ProfilerSettings { top: 2, every: 5, ..ProfilerSettings::default() };
    let mut profiler = Profiler::new(Arc::clone(&task), samples.clone(), None, &device, settings)?;
    if let Some(folder) = std::env::args().nth(1) {
        profiler = profiler.with_run_directory(Path::new(&folder), "a sine network")?;
    }

    // From here on a training loop as burn's book has it, with one line more.
    let placement = Placement { device: Default::default(), precision: Precision::F32, workers: 1 };
    let mut model: SineNetwork<Training> = task.model(&placement);
    let batch = task.batch::<Training>(&samples, &placement);
    let momentum = MomentumConfig { momentum: BETA, dampening: 0.0, nesterov: false };
    let mut optimizer = SgdConfig::new().with_momentum(Some(momentum)).init();
    for step in 0..200 {
        let next = NextUpdate { lr: LR, optimizer: &*heavy_ball, preconditioner: None };
        let row = profiler.step(step, &flat_parameters(&model)?, next)?;
        if let (Some(loss), Some(ratio), Some(residual)) =
            (row.train_loss, row.edge_ratio, row.residual)
            && step % 20 == 0
        {
            println!(
                "step {step}: loss {loss:.4}, eigenvalues {:.2?}, {:.1} allowed, ratio {ratio:.2}, \
                 residual {residual:.0e}",
                row.lambda,
                row.threshold.unwrap_or(f64::NAN),
            );
        }
        for event in profiler.take_events() {
            println!("step {}: {}", event.step, event.kind.name());
        }

        let gradients = task.loss(&model, &batch).backward();
        let gradients = GradientsParams::from_grads(gradients, &model);
        model = optimizer.step(LR, model, gradients);
    }
    let summary = profiler.finish()?;
    println!(
        "sharpness {:.2?} to {:.2?} with {} Hessian-vector products",
        summary.initial_sharpness.unwrap_or(f64::NAN),
        summary.final_sharpness.unwrap_or(f64::NAN),
        summary.hvps
    );
    Ok(())
}
