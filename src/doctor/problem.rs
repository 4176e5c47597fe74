//! Checks of what was trained on what.

use std::collections::HashSet;

use super::rows::share;
use super::{Finding, Known, Run, Verdict};
use crate::config::{RunConfig, lower};
use crate::data::{Dataset, Inputs};
use crate::run::Prepared;

/// Batch, objective, data and validation.
pub(super) fn findings(run: &Run, prepared: Known<'_>) -> Vec<Finding> {
    let Some(prepared) = prepared else {
        let unknown = |check| {
            let text = "the manifest does not say what was trained";
            Finding::new(check, Verdict::NotKnown, None, text)
        };
        return ["batch", "objective", "metrics", "data", "validation"].map(unknown).into();
    };
    vec![
        batch(run, prepared),
        objective(run, &prepared.config),
        metrics(run, &prepared.config),
        data(run, prepared),
        validation(prepared),
        untouched(),
    ]
}

fn batch(run: &Run, prepared: &Prepared) -> Finding {
    const CHECK: &str = "batch";
    let samples = prepared.split.train.len();
    let Some(size) = prepared.config.batch_size.0 else {
        let text = format!("full batch: every update uses all {samples} training samples");
        return Finding::new(CHECK, Verdict::Pass, samples as f64, text);
    };
    let measured = run.rows.iter().any(|row| row.batch_sharpness.is_some());
    let text = format!(
        "minibatches of {size} of {samples} samples: sharpness and threshold are the full batch's; \
         batch sharpness {}",
        match measured {
            true => "is logged beside them",
            false => "is not logged; leave --sharpness-batches at its default",
        }
    );
    Finding::judged(CHECK, measured, size as f64, text)
}

/// What is descended beside what `train_loss` is.
fn objective(run: &Run, config: &RunConfig) -> Finding {
    let given = &config.optimizer.hyperparameters;
    let loss = lower(&config.loss);
    let decay = given.weight_decay.filter(|&decay| decay > 0.0);
    let norm = run.rows.iter().rev().find_map(|row| row.param_norm);
    let penalty = decay.zip(norm).map(|(decay, norm)| decay / 2.0 * norm * norm);
    let mut text = format!("train_loss is the mean {loss} loss over the training samples");
    match (given.rho.filter(|&rho| rho > 0.0), decay) {
        (None, None) => text += ", and that is what is minimised",
        (rho, decay) => {
            text += "; minimised is";
            if let Some(rho) = rho {
                text += &format!(" its value at a point up the slope (rho {rho})");
            }
            if let Some(decay) = decay {
                let penalty = penalty.unwrap_or(0.0);
                text += &format!(
                    "{} weight decay {decay}, (lambda/2) ||theta||^2 = {penalty:.2e} at the end",
                    if rho.is_some() { " with" } else { " it with" }
                );
            }
        }
    }
    Finding::new("objective", Verdict::Pass, penalty.unwrap_or(0.0), text)
}

fn metrics(run: &Run, config: &RunConfig) -> Finding {
    let validated = run.rows.iter().filter(|row| row.val_loss.is_some()).count();
    let accuracies = run.rows.iter().filter(|row| row.train_accuracy.is_some()).count();
    let text = format!(
        "{} loss, training accuracy ({accuracies} steps) and validation loss ({validated} steps) are \
         columns of their own{}",
        lower(&config.loss),
        if validated == 0 { "; nothing validates: give --validation-size" } else { "" }
    );
    Finding::judged("metrics", validated > 0, share(validated, run.rows.len()), text)
}

fn data(run: &Run, prepared: &Prepared) -> Finding {
    const CHECK: &str = "data";
    let samples = prepared.dataset.len() as f64;
    let same = prepared.manifest().and_then(|now| run.directory.check_same_problem(&now));
    match same {
        Ok(()) => {
            let text =
                format!("{} has the checksum that the run recorded", prepared.config.dataset);
            Finding::new(CHECK, Verdict::Pass, samples, text)
        }
        Err(error) => Finding::new(CHECK, Verdict::Warn, samples, error.to_string()),
    }
}

/// Samples that validate and train, by number or by content.
fn validation(prepared: &Prepared) -> Finding {
    const CHECK: &str = "validation";
    let (train, held) = (&prepared.split.train, &prepared.split.validation);
    if held.is_empty() {
        return Finding::new(CHECK, Verdict::NotKnown, None, "nothing validates");
    }
    let key = |&sample: &usize| content(&prepared.dataset, sample);
    let trained: HashSet<Vec<u64>> = train.iter().map(key).collect();
    let shared = held.iter().filter(|sample| trained.contains(&key(sample))).count();
    let text = format!(
        "{shared} of {} validation samples equal a training sample; no update reads any of them",
        held.len()
    );
    Finding::judged(CHECK, shared == 0, shared as f64, text)
}

fn untouched() -> Finding {
    let text = "whether settings were chosen by their validation loss is not recorded; if they \
                were, report it on other data";
    Finding::new("tuning", Verdict::NotKnown, None, text)
}

/// A sample's input, to the bit.
fn content(dataset: &Dataset, sample: usize) -> Vec<u64> {
    match &dataset.inputs {
        Inputs::Tokens { .. } => dataset.window(sample).iter().map(|&token| token as u64).collect(),
        _ => dataset.features(sample).iter().map(|x| x.to_bits()).collect(),
    }
}

/// Whether the latest checkpoint can be gone on from.
pub(super) fn checkpoint(run: &Run) -> Finding {
    const CHECK: &str = "checkpoint";
    let Some(step) = run.directory.checkpoints().last().copied() else {
        let text = "there is none but the initial weights; give --checkpoint-every";
        return Finding::new(CHECK, Verdict::Warn, None, text);
    };
    let complete = run.directory.checkpoint_is_complete(step);
    let text = match complete {
        true => format!(
            "step {step} has parameters, optimizer, schedule and random state: run --resume goes on \
             from it"
        ),
        false => format!("step {step} lacks optimizer, schedule or random state"),
    };
    Finding::judged(CHECK, complete, step as f64, text)
}
