//! Loss, accuracy and sharpness of averages, and of what they are averages of.

use rand::seq::SliceRandom;

use super::super::Compared;
use super::super::path::follow;
use super::ensemble::ensemble;
use super::members::{checkpoints, families, refuse_strangers};
use super::{AverageKind, Request};
use crate::autodiff::{Evaluation, Objective};
use crate::error::{Error, Result};
use crate::landscape::{
    FollowSettings, Sharpness, SharpnessFollower, Surface, Values, greedy_soup, mean,
};
use crate::rng::{self, Stream};

/// Averages and their members, measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The members, in order.
    pub members: Vec<Item>,
    /// The averages.
    pub averages: Vec<Item>,
    /// Validation samples that chose the greedy soup; none without one. The others report on all.
    pub held_out: Option<Vec<usize>>,
    /// What has to be said.
    pub remarks: Vec<String>,
    /// Whether members are several runs rather than the checkpoints of one.
    pub soup: bool,
}

/// A point, measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// What it is.
    pub name: String,
    /// Of a checkpoint, its step; of an average, that of the last of its members.
    pub step: usize,
    /// Of an average, which of [`Measured::members`] are in it, where they are there.
    pub of: Vec<usize>,
    /// Of an average, how many points are in it; 0 of a member.
    pub count: usize,
    /// The weights (length P); none where what members say is averaged.
    pub theta: Vec<f64>,
    /// Over training and validation samples, those of the latter that report.
    pub values: Values,
    /// Over the validation samples that choose, where some do.
    pub held_out: Option<Evaluation>,
    /// The largest Hessian eigenvalues.
    pub sharpness: Option<Sharpness>,
}

impl Item {
    /// Of something that has no weights of its own.
    fn said(name: String, step: usize, values: Values) -> Self {
        let (of, theta) = (Vec::new(), Vec::new());
        Self { name, step, of, count: 0, theta, values, held_out: None, sharpness: None }
    }
}

/// What measures points.
struct Meter<'a> {
    surface: Surface<'a>,
    held_out: Option<Box<dyn Objective>>,
    settings: FollowSettings,
    follower: SharpnessFollower,
}

impl Meter<'_> {
    fn item(&mut self, name: String, step: usize, theta: Vec<f64>) -> Result<Item> {
        let (values, sharpness) = match self.settings.top {
            0 => (self.surface.values(&theta)?, None),
            _ => self.surface.values_and_sharpness(&theta, &mut self.follower)?,
        };
        let held_out = match &mut self.held_out {
            Some(objective) => {
                objective.set_parameters(&theta)?;
                Some(objective.evaluate()?)
            }
            None => None,
        };
        Ok(Item { name, step, of: Vec::new(), count: 0, theta, values, held_out, sharpness })
    }
}

impl Request {
    /// Averages of one run's checkpoints.
    pub(super) fn checkpoints(
        &self,
        compared: &mut Compared,
        kinds: &[AverageKind],
    ) -> Result<Measured> {
        let Compared { members, prepared, .. } = compared;
        let layout = prepared.problem.train.layout().clone();
        let all = checkpoints(&members[0], &layout)?;
        let averages = kinds
            .iter()
            .map(|&kind| self.of_checkpoints(kind, &all, &members[0], &layout))
            .collect::<Result<Vec<_>>>()?;
        let settings = follow(prepared, self.top);
        let (dataset, loss) = (prepared.dataset.clone(), prepared.config.loss);
        let (surface, follower) = (prepared.problem.surface(), SharpnessFollower::new(settings));
        let mut meter = Meter { surface, held_out: None, settings, follower };
        let steps: Vec<usize> = all.iter().map(|checkpoint| checkpoint.step).collect();
        let mut measured = Measured {
            members: Vec::new(),
            averages: Vec::new(),
            held_out: None,
            remarks: Vec::new(),
            soup: false,
        };
        for checkpoint in all {
            let name = format!("step {}", checkpoint.step);
            measured.members.push(meter.item(name, checkpoint.step, checkpoint.theta)?);
        }
        for average in averages {
            // An average is not the next point of the path.
            meter.follower.forget();
            let last = average.steps.last().copied().unwrap_or(0);
            let of = |step: &usize| steps.iter().position(|other| other == step);
            let of: Vec<usize> = average.steps.iter().filter_map(of).collect();
            let item = match average.theta {
                Some(theta) => meter.item(average.name.clone(), last, theta)?,
                None => {
                    let members = of.iter().map(|&i| &measured.members[i].theta[..]);
                    let thetas: Vec<&[f64]> = members.collect();
                    let over = |objective: &mut dyn Objective| {
                        ensemble(objective, &dataset, loss, &thetas)
                    };
                    let train = over(meter.surface.train())?;
                    let validation = meter.surface.validation().map(over).transpose()?;
                    Item::said(average.name.clone(), last, Values { train, validation })
                }
            };
            measured.averages.push(Item { of, count: average.count, ..item });
            measured
                .remarks
                .extend(average.remark.map(|remark| format!("{}: {remark}", average.name)));
        }
        Ok(measured)
    }

    /// Soups of several runs.
    pub(super) fn soups(&self, compared: &mut Compared, kinds: &[AverageKind]) -> Result<Measured> {
        let families = families(compared)?;
        let mut remarks = Vec::new();
        if families.len() > 1 {
            if !self.strangers {
                refuse_strangers(compared, &families)?;
            }
            remarks.push(format!("the runs have {} ancestors, none in common", families.len()));
        }
        let greedy = kinds.contains(&AverageKind::Greedy);
        let parts = if greedy { Some(HeldOut::of(compared)?) } else { None };
        let Compared { members, prepared, .. } = compared;
        let settings = follow(prepared, self.top);
        let (mut reporting, mut held_out, mut chosen) = (None, None, None);
        if let Some(HeldOut { choosing, others, remark }) = parts {
            remarks.push(remark);
            reporting = Some(prepared.objective(&others)?);
            held_out = Some(prepared.objective(&choosing)?);
            chosen = Some(choosing);
        }
        let mut surface = Surface::new(&mut *prepared.problem.train);
        match (&mut reporting, &mut prepared.problem.validation) {
            (Some(reporting), _) => surface = surface.with_validation(&mut **reporting),
            (None, Some(validation)) => surface = surface.with_validation(&mut **validation),
            (None, None) => {}
        }
        if let Some(curvature) = &mut prepared.problem.curvature {
            surface = surface.with_curvature(&mut **curvature);
        }
        let follower = SharpnessFollower::new(settings);
        let mut meter = Meter { surface, held_out, settings, follower };
        let thetas: Vec<&[f64]> = members.iter().map(|member| &member.theta[..]).collect();
        let mut measured = Measured {
            members: Vec::new(),
            averages: Vec::new(),
            held_out: chosen,
            remarks,
            soup: true,
        };
        for member in members.iter() {
            meter.follower.forget();
            let item = meter.item(member.name.clone(), member.step, member.theta.clone())?;
            measured.members.push(item);
        }
        for kind in kinds {
            let (theta, of) = match (kind, &mut meter.held_out) {
                (AverageKind::Greedy, Some(held_out)) => {
                    let soup = greedy_soup(&thetas, |theta| score(&mut **held_out, theta))?;
                    (soup.theta, soup.members)
                }
                _ => (mean(&thetas)?, (0..thetas.len()).collect()),
            };
            meter.follower.forget();
            let last = members.iter().map(|member| member.step).max().unwrap_or(0);
            let count = of.len();
            measured.averages.push(Item {
                of,
                count,
                ..meter.item(kind.to_string(), last, theta)?
            });
        }
        Ok(measured)
    }
}

/// Accuracy where there is one, else the loss below zero.
fn score(objective: &mut dyn Objective, theta: &[f64]) -> Result<f64> {
    objective.set_parameters(theta)?;
    let Evaluation { loss, accuracy } = objective.evaluate()?;
    Ok(accuracy.unwrap_or(-loss))
}

/// Samples that choose a soup, and others that report on it.
struct HeldOut {
    choosing: Vec<usize>,
    others: Vec<usize>,
    /// Which those are, in words.
    remark: String,
}

impl HeldOut {
    /// The validation samples choose and the test samples report, where there are any; else half of the former does
    /// either.
    fn of(compared: &Compared) -> Result<Self> {
        let prepared = &compared.prepared;
        let (mut choosing, test) = (prepared.split.validation.clone(), &prepared.split.test);
        if !test.is_empty() && !choosing.is_empty() {
            let remark = format!(
                "the {} validation samples chose the greedy soup; validation numbers are over the {} test samples",
                choosing.len(),
                test.len()
            );
            return Ok(Self { choosing, others: test.clone(), remark });
        }
        let all = choosing.len();
        if all < 2 {
            let problem = format!("{all} samples validate, and some must choose and others report");
            let remedy = "take --kind uniform, or runs with a --validation-size of 2 or more";
            return Err(Error::setting("--kind", "greedy", problem, remedy));
        }
        choosing.shuffle(&mut rng::stream(prepared.config.seed, Stream::HeldOut));
        let others = choosing.split_off(all / 2);
        let remark = format!(
            "{} of the {all} validation samples, by a seeded shuffle, chose the greedy soup; validation numbers are \
             over the other {} (runs with --test have samples of their own for that)",
            choosing.len(),
            others.len()
        );
        Ok(Self { choosing, others, remark })
    }
}
