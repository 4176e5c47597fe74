//! What averages are made of: a run's checkpoints, or runs that have a common ancestor.

use super::super::interpolate::Interpolation;
use super::super::{Compared, Member};
use super::{AverageKind, Request};
use crate::autodiff::ParameterLayout;
use crate::error::{Error, Result};
use crate::figure::short;
use crate::landscape::{exponential, mean, midpoint};
use crate::optim::{SWA, ScheduleKind, averaged_points};
use crate::problem::Loss;
use crate::rundir::read_safetensors;

/// A checkpoint.
pub(super) struct Checkpoint {
    pub step: usize,
    pub theta: Vec<f64>,
}

/// An average of checkpoints.
pub(super) struct Average {
    pub name: String,
    pub steps: Vec<usize>,
    /// How many points are in it.
    pub count: usize,
    /// Their mean; none where what they say is averaged.
    pub theta: Option<Vec<f64>>,
    pub remark: Option<String>,
}

/// The checkpoints of a run up to the one that is meant, its start not among them.
pub(super) fn checkpoints(member: &Member, layout: &ParameterLayout) -> Result<Vec<Checkpoint>> {
    let steps = member.run.checkpoints().into_iter();
    steps
        .filter(|&step| step > 0 && step <= member.step)
        .map(|step| {
            let theta = read_safetensors(&member.run.directory().weights(step), layout)?;
            Ok(Checkpoint { step, theta })
        })
        .collect()
}

impl Request {
    /// One of the averages of a run's checkpoints.
    pub(super) fn of_checkpoints(
        &self,
        kind: AverageKind,
        all: &[Checkpoint],
        member: &Member,
        layout: &ParameterLayout,
    ) -> Result<Average> {
        let kept = kind == AverageKind::Swa && self.start.is_none() && self.every.is_none();
        if let Some(kept) = kept.then(|| kept_while_training(member, layout)).transpose()?.flatten()
        {
            return Ok(kept);
        }
        let run = &member.name;
        let last = all.last().map_or(0, |checkpoint| checkpoint.step);
        let start = self.start.unwrap_or(last / 2);
        let from_start = || all.iter().filter(move |checkpoint| checkpoint.step >= start);
        let chosen: Vec<&Checkpoint> = match kind {
            AverageKind::Swa => {
                let first = from_start().next().map_or(0, |checkpoint| checkpoint.step);
                let due = |step: usize| {
                    self.every.is_none_or(|every| (step - first).is_multiple_of(every))
                };
                from_start().filter(|checkpoint| due(checkpoint.step)).collect()
            }
            AverageKind::Ema => from_start().collect(),
            AverageKind::Fge => {
                let cycle = self.cycle(member)?;
                let lowest = |step: usize| {
                    step.checked_sub(member.config.warmup).is_some_and(|s| s % cycle == cycle / 2)
                };
                from_start().filter(|checkpoint| lowest(checkpoint.step)).collect()
            }
            AverageKind::Last => all.iter().skip(all.len().saturating_sub(self.last)).collect(),
            AverageKind::Midpoint => all.iter().skip(all.len().saturating_sub(3)).collect(),
            _ => all.iter().collect(),
        };
        let least = if kind == AverageKind::Midpoint { 3 } else { 2 };
        if chosen.len() < least {
            let there: Vec<String> = all.iter().map(|c| c.step.to_string()).collect();
            let problem = format!(
                "{kind} takes {least} checkpoints or more, and {} of {run} are there",
                chosen.len()
            );
            let remedy = format!(
                "those there are {}; choose others, or run again with --checkpoint-every",
                if there.is_empty() { "none".to_string() } else { there.join(", ") }
            );
            return Err(Error::setting("--kind", kind, problem, remedy));
        }
        let points: Vec<&[f64]> = chosen.iter().map(|checkpoint| &checkpoint.theta[..]).collect();
        let steps: Vec<usize> = chosen.iter().map(|checkpoint| checkpoint.step).collect();
        let theta = match (kind, &points[..]) {
            (AverageKind::Fge, _) => None,
            (AverageKind::Ema, points) => Some(exponential(points, self.decay)?),
            (AverageKind::Midpoint, &[a, b, c]) => Some(midpoint([a, b, c])?),
            (_, points) => Some(mean(points)?),
        };
        let count = steps.len();
        let apart = (kind == AverageKind::Midpoint && steps.windows(2).any(|w| w[1] - w[0] != 1))
            .then(|| {
                "its checkpoints are not of steps in a row; take --checkpoint-every 1 for those"
                    .to_string()
            });
        let outputs = (kind == AverageKind::Fge).then(|| match member.config.loss {
            Loss::Ce => {
                "probabilities are averaged, not weights, so that it has no sharpness".to_string()
            }
            Loss::Mse => "outputs are averaged, which with mse are no probabilities".to_string(),
        });
        Ok(Average { name: kind.to_string(), steps, count, theta, remark: apart.or(outputs) })
    }

    /// The steps of a cycle: as asked for, or those of the run's schedule.
    fn cycle(&self, member: &Member) -> Result<usize> {
        let config = &member.config;
        let own = config.decay_every.filter(|_| config.schedule == ScheduleKind::Cyclic);
        self.every.or(own).ok_or_else(|| {
            let problem =
                format!("{} has no cycles: its schedule is {}", member.name, config.schedule);
            let remedy = "run with --schedule cyclic, or give the steps of a cycle with --every";
            Error::setting("--kind", AverageKind::Fge, problem, remedy)
        })
    }
}

/// The mean that a run kept while training, if it did and has one at that checkpoint.
fn kept_while_training(member: &Member, layout: &ParameterLayout) -> Result<Option<Average>> {
    let config = &member.config;
    let (Some(start), every) = (config.swa_start, config.swa_every.unwrap_or(1)) else {
        return Ok(None);
    };
    let count = averaged_points(member.step, start, every);
    if count == 0 || !member.run.directory().checkpoint_is_complete(member.step) {
        return Ok(None);
    }
    let state = member.run.state(member.step, layout, &mut *config.build_optimizer(layout))?;
    let mean = state.optimizer.accumulators.into_iter().find(|(name, _)| name == SWA);
    let remark = format!("kept while training, from step {start} on, every {every}");
    Ok(mean.map(|(_, theta)| Average {
        name: AverageKind::Swa.to_string(),
        steps: Vec::new(),
        count,
        theta: Some(theta),
        remark: Some(remark),
    }))
}

/// The runs of each ancestor: those of one run directory, and those that began with the same weights, as branches of
/// a run and fine-tunes of one file of weights do.
pub(super) fn families(compared: &Compared) -> Result<Vec<Vec<usize>>> {
    let layout = compared.prepared.problem.train.layout();
    let mut families: Vec<(Vec<f64>, Vec<usize>)> = Vec::new();
    for (i, member) in compared.members.iter().enumerate() {
        let start = read_safetensors(&member.run.directory().weights(0), layout)?;
        match families.iter_mut().find(|(other, _)| *other == start) {
            Some((_, members)) => members.push(i),
            None => families.push((start, vec![i])),
        }
    }
    Ok(families.into_iter().map(|(_, members)| members).collect())
}

/// That some of the runs have no common ancestor, with the barriers between all of them.
pub(super) fn refuse_strangers(compared: &mut Compared, families: &[Vec<usize>]) -> Result<()> {
    let asked = Interpolation { points: 11, top: 0, audit_every: 1, from_start: false };
    let lines = asked.measure(compared, |_, _| {})?;
    let name = |i: usize| compared.members[i].name.clone();
    let barriers: Vec<String> = lines
        .iter()
        .map(|line| {
            format!("{} to {} {}", name(line.from), name(line.to), short(line.train.loss.value))
        })
        .collect();
    let groups: Vec<String> = families
        .iter()
        .map(|members| members.iter().map(|&i| name(i)).collect::<Vec<_>>().join(" and "))
        .collect();
    let problem = format!(
        "they have no common ancestor, and weights of separate starts seldom average to anything; training loss barriers: {}",
        barriers.join(", ")
    );
    let remedy = "average branches of one run or fine-tunes of one file, align them first ('landscape align'), or \
                  insist with --strangers";
    Err(Error::setting("RUN", groups.join(" | "), problem, remedy))
}
