//! Chunks, minibatches and workers.

use sharpscope::autodiff::{Evaluation, Objective, ReverseObjective, Samples};
use sharpscope::device::{Compute, Precision};
use sharpscope::model::Activation;
use sharpscope::problem::{Loss, supervised};

use super::{
    Case, LOSSES, RAGGED, assert_close, cpu, normal, on_cpu, relative_error, scaled, unit,
};

#[test]
fn chunks_of_any_size_give_the_same_loss_gradient_and_product() {
    // Sums over 37 samples in another order.
    const TOLERANCE: f64 = 16.0 * f64::EPSILON;
    for loss in LOSSES {
        let case = Case::random(&[9, 7], Activation::Tanh, loss, RAGGED);
        let device = cpu(Precision::F64);
        let whole = case.objective(&device, RAGGED.samples);
        let theta = scaled(&normal(whole.dim(), 1), 0.5);
        let v = normal(whole.dim(), 2);
        let evaluate = |mut objective: Box<dyn Objective>| {
            objective.set_parameters(&theta).unwrap();
            let found = objective.gradient(Samples::All).unwrap();
            assert_eq!(found.evaluation, objective.evaluate().unwrap());
            (found, objective.hvp(&v).unwrap())
        };
        let (expected, expected_product) = evaluate(whole);
        for chunk in [1, 5, 16, 100] {
            let (found, product) = evaluate(case.objective(&device, chunk));
            let name = format!("{loss:?} in chunks of {chunk}");
            let (loss, expected_loss) = (found.evaluation.loss, expected.evaluation.loss);
            assert_close(&[loss], &[expected_loss], TOLERANCE, &name);
            assert_eq!(found.evaluation.accuracy, expected.evaluation.accuracy, "{name}");
            assert_close(&found.gradient, &expected.gradient, TOLERANCE, &name);
            assert_close(&product, &expected_product, TOLERANCE, &name);
        }
    }
}

#[test]
fn loss_and_accuracy_are_those_counted_by_hand() {
    for loss in LOSSES {
        let case = Case::random(&[9, 7], Activation::Tanh, loss, RAGGED);
        let mut objective = case.objective(&cpu(Precision::F64), 5);
        let theta = normal(objective.dim(), 1);
        objective.set_parameters(&theta).unwrap();
        let (mut correct, mut total) = (0, 0.0);
        for i in 0..RAGGED.samples {
            let outputs = case.forward_on_host(&theta, i, f64::tanh).outputs;
            let label = case.data.label(i).unwrap();
            let best = (0..outputs.len()).max_by(|&a, &b| outputs[a].total_cmp(&outputs[b]));
            correct += usize::from(best == Some(label));
            total += match loss {
                Loss::Mse => {
                    let target = unit(outputs.len(), label);
                    0.5 * outputs.iter().zip(target).map(|(f, y)| (f - y).powi(2)).sum::<f64>()
                }
                Loss::Ce => outputs.iter().map(|f| f.exp()).sum::<f64>().ln() - outputs[label],
            };
        }
        assert!(correct > 0 && correct < RAGGED.samples, "{correct} is no test of an accuracy");
        let Evaluation { loss, accuracy } = objective.evaluate().unwrap();
        assert_eq!(accuracy, Some(correct as f64 / RAGGED.samples as f64));
        assert_close(&[loss], &[total / RAGGED.samples as f64], 1e-13, "loss");
    }
}

#[test]
fn a_minibatch_is_the_loss_over_those_samples_only() {
    let case = Case::random(&[9], Activation::Silu, Loss::Ce, RAGGED);
    let device = cpu(Precision::F64);
    // Position p of the list is sample 36 - p: a position is not a sample number.
    let reversed: Vec<usize> = (0..RAGGED.samples).rev().collect();
    let mut whole = supervised(&device, &case.task(), reversed, 4).unwrap();
    let theta = scaled(&normal(whole.dim(), 1), 0.5);
    whole.set_parameters(&theta).unwrap();
    let before = whole.gradient(Samples::All).unwrap();
    for positions in [&[0, 3, 36, 17, 5, 9, 30, 2, 21][..], &[8], &[4, 4, 7]] {
        let samples = positions.iter().map(|p| 36 - p).collect();
        let mut part = supervised(&device, &case.task(), samples, 4).unwrap();
        part.set_parameters(&theta).unwrap();
        let found = whole.gradient(Samples::Batch(positions)).unwrap();
        assert_eq!(found, part.gradient(Samples::All).unwrap(), "{positions:?}");
        assert!(relative_error(&found.gradient, &before.gradient) > 0.01);
    }
    assert_eq!(whole.gradient(Samples::All).unwrap(), before, "a minibatch leaves no trace");
}

#[test]
fn any_number_of_workers_gives_the_same_bits_each_time() {
    let case = Case::random(&[9, 7], Activation::Gelu, Loss::Ce, RAGGED);
    for precision in [Precision::F32, Precision::F64] {
        let results: Vec<_> = [1, 2, 4]
            .into_iter()
            .flat_map(|workers| {
                let samples = (0..RAGGED.samples).collect();
                let placement = on_cpu(precision, workers);
                let mut objective =
                    ReverseObjective::<Compute, _>::new(case.task(), placement, samples, 3)
                        .unwrap();
                let n = objective.dim();
                objective.set_parameters(&scaled(&normal(n, 1), 0.5)).unwrap();
                (0..3)
                    .map(|_| {
                        let found = objective.gradient(Samples::All).unwrap();
                        (
                            found,
                            objective.evaluate().unwrap(),
                            objective.hvp(&normal(n, 2)).unwrap(),
                        )
                    })
                    .collect::<Vec<_>>()
            })
            .collect();
        assert!(results.iter().all(|result| *result == results[0]), "{precision:?}");
    }
}
