//! What is refused: models that answer differently each time, wrong lengths, no samples.

use std::sync::atomic::{AtomicU64, Ordering};

use burn::module::Param;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use sharpscope::Error;
use sharpscope::autodiff::{Objective, Task, check_determinism};
use sharpscope::device::{Placement, Precision};
use sharpscope::model::Activation;
use sharpscope::problem::{Loss, supervised};

use super::modules::{Block, ODD, Polynomial, module_objective};
use super::{Case, RAGGED, SMALL, combinations, cpu, loss_at, normal};

/// `|A|^2 / 2` times a factor that grows by `drift` with each evaluation.
struct Drifting {
    drift: f64,
    evaluations: AtomicU64,
}

impl Task for Drifting {
    type Model<B: Backend> = Block<B>;
    type Batch<B: Backend> = ();

    fn model<B: Backend>(&self, placement: &Placement<B::Device>) -> Block<B> {
        Block { matrix: Param::from_tensor(placement.zeros([2, 2])) }
    }

    fn batch<B: Backend>(&self, _samples: &[usize], _placement: &Placement<B::Device>) {}

    fn loss<B: Backend>(&self, model: &Block<B>, (): &()) -> Tensor<B, 1> {
        let before = self.evaluations.fetch_add(1, Ordering::Relaxed);
        let factor = 1.0 + self.drift * before as f64;
        model.matrix.val().square().sum().mul_scalar(0.5 * factor)
    }
}

/// What the check says of a drift, for chunks of 2 in 5 samples: 3 evaluations for each gradient.
fn check_drift(drift: f64, precision: Precision) -> sharpscope::Result<()> {
    let task = Drifting { drift, evaluations: AtomicU64::new(0) };
    let objective = module_objective(task, precision, Some(&[1.0, 2.0, -1.0, 0.5]));
    check_determinism(&objective, precision)
}

#[test]
fn a_model_that_answers_differently_each_time_is_refused() {
    for (precision, limit) in [(Precision::F32, 5e-5), (Precision::F64, 1e-10)] {
        let error = check_drift(1e-3, precision).expect_err("a drift of 1e-3 is no rounding");
        let message = error.to_string();
        assert!(message.contains("not deterministic") && message.contains("dropout"), "{message}");
        let Error::NotDeterministic { difference, allowed } = error else {
            panic!("{error:?}");
        };
        // Three evaluations lie between the two gradients.
        assert!((difference - 3e-3).abs() < 1e-5, "{difference}");
        assert_eq!(allowed, limit);
    }
}

#[test]
fn determinism_is_judged_by_the_precision() {
    for precision in [Precision::F32, Precision::F64] {
        check_drift(0.0, precision).expect("the same each time");
    }
    check_drift(1e-6, Precision::F32).expect("rounding in single precision");
    check_drift(1e-6, Precision::F64).expect_err("no rounding in double precision");
    check_drift(1e-12, Precision::F64).expect("rounding in double precision");
}

#[test]
fn the_loss_of_every_activation_is_deterministic() {
    for precision in [Precision::F32, Precision::F64] {
        for (activation, loss) in combinations() {
            let case = Case::random(&[9, 7], activation, loss, RAGGED);
            let mut objective = case.objective(&cpu(precision), 5);
            objective.set_parameters(&normal(objective.dim(), 1)).unwrap();
            check_determinism(&*objective, precision).expect("the same each time");
        }
    }
}

#[test]
fn vectors_of_the_wrong_length_are_refused_and_change_nothing() {
    let mut objective = module_objective(Polynomial, Precision::F64, Some(&ODD));
    let before = loss_at(&objective);
    for length in [0, 12, 14] {
        let wrong = vec![1.0; length];
        for refusal in
            [objective.set_parameters(&wrong).unwrap_err(), objective.hvp(&wrong).unwrap_err()]
        {
            let Error::Length { found, expected, .. } = refusal else { panic!("{refusal:?}") };
            assert_eq!((found, expected), (length, 13));
        }
    }
    assert_eq!(loss_at(&objective), before);
}

#[test]
fn an_objective_without_samples_or_with_empty_chunks_is_refused() {
    let case = Case::random(&[4], Activation::Tanh, Loss::Mse, SMALL);
    for (samples, chunk) in [(vec![], 4), (vec![0, 1], 0)] {
        let refusal = supervised(&cpu(Precision::F64), &case.task(), samples, chunk).err();
        assert!(matches!(refusal, Some(Error::Setting { .. })), "{refusal:?}");
    }
}
