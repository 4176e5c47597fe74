//! Checks of what was trained on what.

use std::collections::HashSet;

use super::rows::share;
use super::{Finding, Run, Verdict};
use crate::config::RunConfig;
use crate::data::{Dataset, Inputs};
use crate::experiment::Prepared;
use crate::record::StepRow;

/// Batch, objective, data and validation.
pub(super) fn findings(
    run: &Run<'_>,
    prepared: &std::result::Result<Prepared, String>,
) -> Vec<Finding> {
    let unknown = |check, why: &str| Finding::new(check, Verdict::NotKnown, None, why);
    let mut findings: Vec<Finding> = match &run.config {
        Ok(config) if config.objective().is_some() => return of_objective(run, config, prepared),
        Ok(config) => {
            let all = [Some(batch(run, config)), curvature(config)].into_iter().flatten();
            all.chain([objective(run, config), metrics(run, config)]).collect()
        }
        Err(why) => ["batch", "objective", "metrics"].map(|check| unknown(check, why)).into(),
    };
    match prepared {
        Ok(prepared) => findings.extend([data(run, prepared), validation(prepared)]),
        Err(why) => findings.extend(["data", "validation"].map(|check| unknown(check, why))),
    }
    findings.push(untouched());
    findings
}

/// Those of an objective that a formula gives.
fn of_objective(
    run: &Run<'_>,
    config: &RunConfig,
    prepared: &std::result::Result<Prepared, String>,
) -> Vec<Finding> {
    let variables = match prepared {
        Ok(prepared) => prepared.theta.len() as f64,
        Err(why) => return vec![Finding::new("objective", Verdict::NotKnown, None, why)],
    };
    let batch = "an objective has no samples: every update has its exact gradient";
    vec![Finding::new("batch", Verdict::Pass, variables, batch), objective(run, config)]
}

fn batch(run: &Run<'_>, config: &RunConfig) -> Finding {
    const CHECK: &str = "batch";
    let samples = config.train_size.unwrap_or(0);
    let Some(size) = config.batch_size.0 else {
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

/// That curvature is of some of the samples, where it is.
fn curvature(config: &RunConfig) -> Option<Finding> {
    let (some, all) = config.samples.zip(config.train_size).filter(|(some, all)| some < all)?;
    let text = format!(
        "sharpness and threshold are of the loss over {some} of the {all} training samples, which is sharper or flatter \
         than that over all; leave --samples out to compare with the threshold"
    );
    Some(Finding::new("curvature_samples", Verdict::Warn, share(some, all), text))
}

/// What is descended beside what `train_loss` is.
fn objective(run: &Run<'_>, config: &RunConfig) -> Finding {
    let given = &config.optimizer.hyperparameters;
    let decay = given.weight_decay.filter(|&decay| decay > 0.0);
    let decoupled = config.optimizer.decouples_decay();
    let norm = run.rows.iter().rev().find_map(|row| row.param_norm);
    let penalty = decay.filter(|_| !decoupled).zip(norm);
    let penalty = penalty.map(|(decay, norm)| decay / 2.0 * norm * norm);
    let loss = config.loss;
    let mut text = match config.objective() {
        Some(objective) => format!("train_loss is the value of {}", objective.facts().about()),
        None => format!("train_loss is the mean {loss} loss over the training samples"),
    };
    match given.rho.filter(|&rho| rho > 0.0) {
        Some(rho) => text += &format!("; descended is its gradient up the slope (rho {rho})"),
        None => text += ", and its gradient is descended",
    }
    if let (Some(decay), Some(penalty)) = (decay, penalty) {
        text += &format!(
            ", with weight decay {decay}: (lambda/2) ||theta||^2 = {penalty:.2e} at the end is not in it"
        );
    } else if let Some(decay) = decay {
        text += &format!("; weights also shrink by lr times {decay} at each step");
    }
    Finding::new("objective", Verdict::Pass, penalty.unwrap_or(0.0), text)
}

fn metrics(run: &Run<'_>, config: &RunConfig) -> Finding {
    let count = |value: fn(&StepRow) -> Option<f64>| {
        run.rows.iter().filter(|row| value(row).is_some()).count()
    };
    let (validated, accuracies) = (count(|row| row.val_loss), count(|row| row.train_accuracy));
    let text = format!(
        "{} loss{} and validation loss ({validated} steps) are columns of their own{}",
        config.loss,
        match accuracies {
            0 => String::new(),
            steps => format!(", training accuracy ({steps} steps)"),
        },
        if validated == 0 { "; nothing validates: give --validation-size" } else { "" }
    );
    Finding::judged("metrics", validated > 0, share(validated, run.rows.len()), text)
}

fn data(run: &Run<'_>, prepared: &Prepared) -> Finding {
    const CHECK: &str = "data";
    let samples = prepared.dataset.len() as f64;
    let same = prepared.run_info().and_then(|now| run.stored.check_same_problem(&now));
    match same {
        Ok(()) => {
            let text =
                format!("{} has the checksum that the run recorded", prepared.config.dataset);
            Finding::new(CHECK, Verdict::Pass, samples, text)
        }
        Err(error) => Finding::new(CHECK, Verdict::Warn, samples, error.in_flags()),
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

/// Whether there is a checkpoint that can be gone on from.
pub(super) fn checkpoint(run: &Run<'_>) -> Finding {
    const CHECK: &str = "checkpoint";
    let there = run.stored.checkpoints();
    let Some(last) = there.last().copied() else {
        let text = "there is none but the initial weights";
        return Finding::new(CHECK, Verdict::Warn, None, text);
    };
    let complete = run.stored.resumable().ok().flatten().filter(|&step| step > 0 || last == 0);
    let text = match complete {
        Some(step) => format!(
            "step {step} has parameters, optimizer, schedule and random state: run --resume goes on \
             from it{}",
            if step < last { ", later ones lack some of them" } else { "" }
        ),
        None => format!("step {last} lacks optimizer, schedule, random state or rows before it"),
    };
    Finding::judged(CHECK, complete == Some(last), complete.unwrap_or(last) as f64, text)
}
