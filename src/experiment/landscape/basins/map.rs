//! A map of starts over two variables, coloured by where each is led.

use rayon::prelude::*;
use serde::Serialize;
use serde_json::json;

use crate::autodiff::{Objective, Samples};
use crate::config::RunConfig;
use crate::curvature::CurvatureMeter;
use crate::error::{Error, Result};
use crate::experiment::csv_table::Table;
use crate::experiment::landscape::path::at_least;
use crate::experiment::landscape::{Compared, Output};
use crate::figure::{ContourFigure, contour_png, contour_svg};
use crate::landscape::{distance, spread};
use crate::linalg::{Extremes, Solver, norm};
use crate::record::optional;

/// What is asked of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Map {
    /// The two variables, counted from 1; the others are those of the run.
    pub which: Vec<usize>,
    /// Starts on each side.
    pub points: usize,
    /// The middle, empty for that of the objective's region.
    pub center: Vec<f64>,
    /// Half the width; `None` for that of the region.
    pub half_width: Option<f64>,
    /// Updates from each start; `None` for the run's.
    pub steps: Option<usize>,
}

/// A map that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// Starts along the first variable.
    pub xs: Vec<f64>,
    /// Starts along the second.
    pub ys: Vec<f64>,
    /// For each of `ys` the starts over all of `xs`.
    pub starts: Vec<Start>,
    /// What was reached, by rising loss.
    pub minima: Vec<Minimum>,
    /// Updates from each start at most.
    pub steps: usize,
}

/// A start and where it was led.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// The loss at the start.
    pub loss: f64,
    /// The loss at the end; `None` where it diverged.
    pub end_loss: Option<f64>,
    /// Updates until nothing moved any more.
    pub steps: usize,
    /// How it ended.
    pub ending: Ending,
    /// The place of its minimum among those of the map.
    pub minimum: Option<usize>,
    end: Vec<f64>,
}

/// How a descent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// At a point with a small gradient.
    Settled,
    /// Still on its way, or going to and fro.
    Moving,
    /// Out of all bounds.
    Diverged,
}

/// Points that starts were led to, each near another: a minimum, or a connected set of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Minimum {
    /// The one of the lowest loss (length P).
    pub at: Vec<f64>,
    /// The loss there.
    pub loss: f64,
    /// The largest eigenvalue of the Hessian there.
    pub sharpness: Option<f64>,
    /// The smallest one; below 0, it is a saddle.
    pub lambda_min: Option<f64>,
    /// Starts that were led there.
    pub starts: usize,
    /// The largest distance of one of the points from that of the lowest loss.
    pub extent: f64,
}

/// A gradient this small, as a share of the median of those at the starts, has settled.
const SETTLED: f64 = 1e-2;
/// A descent is over where a step moves by no more than this share of the map's width, and the gradient is no more
/// than this share of that at the start.
const OVER: f64 = 1e-9;
/// Ends closer than this share of the map's width are of one minimum.
const TOGETHER: f64 = 0.02;
/// Beyond so many widths of the map nothing is looked for.
const BEYOND: f64 = 1e4;

impl Map {
    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn check(&self, compared: &Compared) -> Result<()> {
        let config = &compared.prepared.config;
        let Some(objective) = config.objective() else {
            let problem = "a map is over two variables of an objective";
            let remedy =
                "name a run of --objective, or two runs or more to ask which share a basin";
            return Err(Error::setting("RUN", &compared.members[0].name, problem, remedy));
        };
        at_least("--points", self.points, 2, "a map has two sides")?;
        at_least("--steps", self.steps.unwrap_or(1), 1, "nothing would move")?;
        let dimension = objective.facts().dimension();
        let shown = || self.which.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        let two = self.which.len() == 2 && self.which[0] != self.which[1];
        if !two || self.which.iter().any(|&at| at == 0 || at > dimension) {
            let problem = format!("a map is over two of {dimension} variables, counted from 1");
            return Err(Error::setting("--which", shown(), problem, "name two, such as 1,2"));
        }
        if !matches!(self.center.len(), 0 | 2) || self.center.iter().any(|x| !x.is_finite()) {
            let shown = format!("{:?}", self.center);
            let remedy = "give two finite numbers, such as 0,0";
            return Err(Error::setting("--center", shown, "a map has two variables", remedy));
        }
        if let Some(range) = self.half_width.filter(|range| !(range.is_finite() && *range > 0.0)) {
            let remedy = "give a finite number above 0";
            return Err(Error::setting("--range", format!("{range:?}"), "out of range", remedy));
        }
        if config.schedule.seeks() {
            let problem = "its rates followed the curvature of its own path";
            let remedy = "give a run with another --schedule";
            return Err(Error::setting("RUN", &compared.members[0].name, problem, remedy));
        }
        Ok(())
    }

    /// Descends from each start as the run did.
    ///
    /// # Errors
    /// If the device reports failure.
    pub fn make(&self, compared: &mut Compared) -> Result<Mapped> {
        let Compared { members, prepared, .. } = compared;
        let config = RunConfig {
            steps: self.steps.unwrap_or(prepared.config.steps),
            ..prepared.config.clone()
        };
        let Some(region) = config.objective().map(|objective| objective.facts().region()) else {
            unreachable!("it was checked to be an objective")
        };
        let half = self.half_width.unwrap_or(region.half_width);
        let [first, second] = [self.which[0] - 1, self.which[1] - 1];
        let middle = match self.center[..] {
            [x, y] => [x, y],
            _ => [region.center[first], region.center[second]],
        };
        let [xs, ys] = middle.map(|at| spread(at - half, at + half, self.points));
        let workers = match prepared.device.backend() {
            "cpu" => rayon::current_num_threads().clamp(1, ys.len()),
            _ => 1,
        };
        let objectives = (0..workers).map(|_| prepared.objective(&[0]));
        let objectives: Vec<Box<dyn Objective>> = objectives.collect::<Result<_>>()?;
        let here = members[0].theta.clone();
        let descent = Descent { config: &config, half };
        let rows = |(worker, mut objective): (usize, Box<dyn Objective>)| {
            let mut rows = Vec::new();
            for row in (worker..ys.len()).step_by(workers) {
                for &x in &xs {
                    let mut theta = here.clone();
                    (theta[first], theta[second]) = (x, ys[row]);
                    rows.push((row, descent.from(&mut *objective, theta)?));
                }
            }
            Ok(rows)
        };
        let all: Result<Vec<Vec<(usize, Descended)>>> =
            objectives.into_par_iter().enumerate().map(rows).collect();
        let mut all: Vec<(usize, Descended)> = all?.into_iter().flatten().collect();
        all.sort_by_key(|(row, _)| *row);
        let descents: Vec<Descended> = all.into_iter().map(|(_, descended)| descended).collect();
        let mut starts = settled(descents);
        let mut minima = together(&mut starts, 2.0 * half * TOGETHER)?;
        let meter = CurvatureMeter {
            extremes: Extremes { smallest: 1, ..prepared.meter().extremes },
            solver: Solver::Lanczos,
            ..prepared.meter()
        };
        for minimum in &mut minima {
            prepared.problem.train.set_parameters(&minimum.at)?;
            let found = meter.measure(&*prepared.problem.train, 0)?;
            minimum.sharpness = found.lambda.first().copied();
            minimum.lambda_min = found.lambda_min;
        }
        Ok(Mapped { xs, ys, starts, minima, steps: config.steps })
    }
}

/// A descent that is over.
struct Descended {
    loss: f64,
    first_gradient: f64,
    last_gradient: f64,
    end_loss: Option<f64>,
    steps: usize,
    end: Vec<f64>,
}

/// How starts are descended from.
struct Descent<'a> {
    config: &'a RunConfig,
    /// Half the map's width.
    half: f64,
}

impl Descent<'_> {
    /// From there, until nothing moves or the steps are taken.
    fn from(&self, objective: &mut dyn Objective, mut theta: Vec<f64>) -> Result<Descended> {
        let (precision, schedule) = (self.config.precision, self.config.learning_rate());
        let mut optimizer = self.config.build_optimizer(objective.layout());
        theta.iter_mut().for_each(|x| *x = precision.round(*x));
        let mut descended: Option<Descended> = None;
        for step in 0..=self.config.steps {
            objective.set_parameters(&theta)?;
            let there = objective.gradient(Samples::All)?;
            let (loss, length) = (there.evaluation.loss, norm(&there.gradient));
            let inside =
                loss.is_finite() && length.is_finite() && norm(&theta) <= BEYOND * self.half;
            let seen = descended.get_or_insert_with(|| Descended {
                loss,
                first_gradient: length,
                last_gradient: length,
                end_loss: None,
                steps: 0,
                end: theta.clone(),
            });
            seen.end_loss = inside.then_some(loss);
            (seen.last_gradient, seen.steps) = (length, step);
            seen.end.clone_from(&theta);
            if !inside || step == self.config.steps {
                break;
            }
            let mut elsewhere = |at: &[f64]| {
                objective.set_parameters(at)?;
                Ok(objective.gradient(Samples::All)?.gradient)
            };
            optimizer.step(schedule.rate(step), &mut theta, &there.gradient, &mut elsewhere)?;
            theta.iter_mut().for_each(|x| *x = precision.round(*x));
            // What remembers may stand still for a step where the gradient is not small.
            let small = length <= OVER * seen.first_gradient;
            if small && distance(&theta, &seen.end)? <= OVER * self.half {
                break;
            }
        }
        descended.ok_or(Error::NonFinite { what: "a descent" })
    }
}

/// The starts, with how each ended.
fn settled(descents: Vec<Descended>) -> Vec<Start> {
    let mut first: Vec<f64> = descents.iter().map(|d| d.first_gradient).collect();
    first.retain(|length| length.is_finite());
    first.sort_by(f64::total_cmp);
    let small = SETTLED * first.get(first.len() / 2).copied().unwrap_or(0.0);
    let start = |d: Descended| Start {
        loss: d.loss,
        end_loss: d.end_loss,
        steps: d.steps,
        ending: match d.end_loss {
            None => Ending::Diverged,
            Some(_) if d.last_gradient <= small => Ending::Settled,
            Some(_) => Ending::Moving,
        },
        minimum: None,
        end: d.end,
    };
    descents.into_iter().map(start).collect()
}

/// Ends that are linked by steps of at most `apart`, as minima by rising loss.
fn together(starts: &mut [Start], apart: f64) -> Result<Vec<Minimum>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for at in 0..starts.len() {
        if starts[at].ending != Ending::Settled {
            continue;
        }
        let mut joined = vec![at];
        let mut others = Vec::new();
        for group in groups {
            let mut near = false;
            for &other in &group {
                near = near || distance(&starts[other].end, &starts[at].end)? <= apart;
            }
            if near { joined.extend(group) } else { others.push(group) }
        }
        others.push(joined);
        groups = others;
    }
    let loss = |at: usize| starts[at].end_loss.unwrap_or(f64::INFINITY);
    for group in &mut groups {
        group.sort_by(|&a, &b| loss(a).total_cmp(&loss(b)).then(a.cmp(&b)));
    }
    // Equal losses are told apart by rounding alone: by the first variables then.
    let key = |group: &Vec<usize>| (loss(group[0]) * 1e9).round();
    let place = |group: &Vec<usize>| starts[group[0]].end.clone();
    let ordered = |a: &Vec<usize>, b: &Vec<usize>| {
        let by_place = place(a).partial_cmp(&place(b)).unwrap_or(std::cmp::Ordering::Equal);
        key(a).total_cmp(&key(b)).then(by_place)
    };
    groups.sort_by(ordered);
    let mut minima = Vec::new();
    for group in &groups {
        let at = starts[group[0]].end.clone();
        let mut extent = 0.0f64;
        for &other in group {
            extent = extent.max(distance(&at, &starts[other].end)?);
        }
        let loss = loss(group[0]);
        minima.push(Minimum {
            at,
            loss,
            sharpness: None,
            lambda_min: None,
            starts: group.len(),
            extent,
        });
    }
    for (number, group) in groups.iter().enumerate() {
        group.iter().for_each(|&at| starts[at].minimum = Some(number));
    }
    Ok(minima)
}

impl Minimum {
    /// What it is by its smallest eigenvalue.
    pub fn kind(&self) -> &'static str {
        let down = self.lambda_min.unwrap_or(0.0);
        match -down > 1e-3 * self.sharpness.unwrap_or(0.0).abs() {
            true => "saddle",
            false => "minimum",
        }
    }
}

impl Mapped {
    /// Starts that ended so.
    pub fn count(&self, ending: Ending) -> usize {
        self.starts.iter().filter(|start| start.ending == ending).count()
    }
}

/// Writes `basins.csv`, `.json`, `.svg` and `.png`.
///
/// # Errors
/// [`Error::Io`], [`Error::Encode`], [`Error::Draw`].
pub fn write(output: &mut Output, name: &str, mapped: &Mapped, asked: &Map) -> Result<()> {
    output.write("basins.csv", &table(mapped)?)?;
    let numbers = json!({
        "which": asked.which,
        "steps": mapped.steps,
        "minima": mapped.minima,
        "settled": mapped.count(Ending::Settled),
        "moving": mapped.count(Ending::Moving),
        "diverged": mapped.count(Ending::Diverged),
    });
    output.json("basins", &numbers)?;
    let [first, second] = [asked.which[0], asked.which[1]];
    let marks = mapped.minima.iter().take(MOST_MARKS).enumerate().map(|(number, minimum)| {
        (
            format!("{} {}", minimum.kind(), number + 1),
            minimum.at[first - 1],
            minimum.at[second - 1],
        )
    });
    let figure = ContourFigure {
        title: format!("Where starts lead: {name}"),
        axes: [format!("x_{first}"), format!("x_{second}")],
        xs: mapped.xs.clone(),
        ys: mapped.ys.clone(),
        values: mapped.starts.iter().map(|start| start.loss).collect(),
        regions: mapped.starts.iter().map(|start| start.minimum).collect(),
        marks: marks.collect(),
        joined: false,
        note: "a colour for each minimum; grey: still moving, or diverged".to_string(),
    };
    output.picture("basins", &contour_svg(&figure)?, &contour_png(&figure)?)
}

/// Most minima that are named in a picture.
const MOST_MARKS: usize = 12;

fn table(mapped: &Mapped) -> Result<Vec<u8>> {
    let columns = ["x", "y", "loss", "minimum", "ending", "end_loss", "steps"];
    let mut table = Table::new(columns.into_iter())?;
    for (at, start) in mapped.starts.iter().enumerate() {
        let (x, y) = (mapped.xs[at % mapped.xs.len()], mapped.ys[at / mapped.xs.len()]);
        let number = start.minimum.map_or_else(String::new, |number| (number + 1).to_string());
        let ending = match start.ending {
            Ending::Settled => "settled",
            Ending::Moving => "moving",
            Ending::Diverged => "diverged",
        };
        let row = [
            optional(Some(x)),
            optional(Some(y)),
            optional(Some(start.loss)),
            number,
            ending.to_string(),
            optional(start.end_loss),
            start.steps.to_string(),
        ];
        table.write(row.iter().map(String::as_str))?;
    }
    table.finish()
}
