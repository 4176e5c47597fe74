//! Which directions a slice has, and from where to where it goes.

use super::super::{Compared, Member};
use super::{Along, Request};
use crate::autodiff::{ParameterLayout, Samples};
use crate::error::{Error, Result};
use crate::landscape::{
    FollowSettings, Plane, RANDOM_WALK_SHARES, SharpnessFollower, coordinates, cosine,
    filter_normalised, principal_components, rise_unit, second_difference,
};
use crate::linalg::dot;
use crate::rng::{self, Stream};
use crate::rundir::read_safetensors;

/// A slice before it is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice {
    /// The point that coordinates count from (length P).
    pub center: Vec<f64>,
    /// What it is called.
    pub center_name: String,
    /// The training loss there.
    pub center_loss: f64,
    /// The directions: two of a plane, or one or more that are cut along one by one.
    pub axes: Vec<Axis>,
    /// The cosine between the two directions of a plane.
    pub cosine: Option<f64>,
    /// Points to be marked on a plane: the runs, or the checkpoints of a trajectory, in their order.
    pub marks: Vec<Mark>,
    /// Whether they are the points of a path.
    pub joined: bool,
    /// What has to be said of the directions.
    pub remarks: Vec<String>,
}

/// A direction and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What it is called.
    pub name: String,
    /// The direction (length P).
    pub direction: Vec<f64>,
    /// The lowest and the highest multiple of it.
    pub ends: (f64, f64),
    /// Of an eigenvector: its eigenvalue.
    pub eigenvalue: Option<f64>,
    /// The relative residual of that.
    pub residual: Option<f64>,
    /// The loss' second difference along it, which takes no Hessian-vector product; as the eigenvalue, over the
    /// samples that curvature is measured on.
    pub second_difference: Option<f64>,
    /// The loss' slope along it at the center.
    pub slope: Option<f64>,
    /// sqrt(2 dL/|eigenvalue|).
    pub unit: Option<f64>,
    /// Of a principal component: its share of the variance.
    pub share: Option<f64>,
}

/// A point of a plane.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// What it is.
    pub name: String,
    /// Updates taken there.
    pub step: usize,
    /// Its coordinates, or those of the nearest point of the plane.
    pub at: [f64; 2],
    /// How far it is from the plane.
    pub off: f64,
}

impl Request {
    /// The directions asked for.
    ///
    /// # Errors
    /// As [`Request::measure`].
    pub(super) fn directions(&self, compared: &mut Compared) -> Result<Slice> {
        match self.along {
            Along::Eigenvectors => self.eigenvectors(compared),
            Along::Random => self.random(compared),
            Along::Plane => self.plane(compared),
            Along::Trajectory => self.trajectory(compared),
            Along::Coordinates => self.coordinates(compared),
        }
    }

    fn eigenvectors(&self, compared: &mut Compared) -> Result<Slice> {
        let Compared { members, prepared, .. } = compared;
        let center = members[0].theta.clone();
        let seed = prepared.config.seed;
        let mut surface = prepared.problem.surface();
        let top = self.which.iter().copied().max().unwrap_or(1);
        let mut slice = Slice::around(&members[0], surface.values(&center)?.train.loss);
        let settings = FollowSettings {
            tolerance: 1e-4,
            max_products: 100 * (top + 1),
            seed,
            ..FollowSettings::new(top)
        };
        let mut follower = SharpnessFollower::new(settings);
        let objective = surface.curvature();
        let Some(found) = follower.measure(objective, &center)?.1 else {
            return Err(Error::NonFinite { what: "a Hessian-vector product" });
        };
        if !found.converged {
            slice.remarks.push("eigenvectors did not converge to a residual of 1e-4".to_string());
        }
        let gradient = objective.gradient(Samples::All)?.gradient;
        let rise = self.rise.unwrap_or(slice.center_loss);
        let range = self.range.unwrap_or(1.0);
        for &k in &self.which {
            let (Some(direction), Some(&eigenvalue)) =
                (follower.vectors().get(k - 1), found.lambda.get(k - 1))
            else {
                let problem = format!("{} eigenvectors were found", found.lambda.len());
                return Err(Error::setting("--which", k, problem, "give smaller numbers"));
            };
            let unit = rise_unit(rise, eigenvalue);
            let half = range * unit.unwrap_or(1.0);
            let h = 0.1 * unit.unwrap_or(1.0);
            slice.axes.push(Axis {
                eigenvalue: Some(eigenvalue),
                residual: found.residual.get(k - 1).copied(),
                second_difference: Some(second_difference(objective, &center, direction, h)?),
                slope: Some(dot(&gradient, direction)),
                unit,
                ..Axis::new(format!("eigenvector {k}"), direction.clone(), (-half, half))
            });
        }
        slice.between();
        Ok(slice)
    }

    fn random(&self, compared: &mut Compared) -> Result<Slice> {
        let Compared { members, prepared, .. } = compared;
        let center = &members[0].theta;
        let seed = self.seed.unwrap_or(prepared.config.seed);
        let mut surface = prepared.problem.surface();
        let mut slice = Slice::around(&members[0], surface.values(center)?.train.loss);
        let mut rng = rng::stream(seed, Stream::SliceDirections);
        let range = self.range.unwrap_or(1.0);
        for k in 1..=self.dimensions {
            let direction = filter_normalised(surface.layout(), center, &mut rng)?;
            let name = format!("random direction {k}");
            slice.axes.push(Axis::new(name, direction, (-range, range)));
        }
        let still = "random directions have the length of each output's weights, and biases do not move (Li et al. \
                     2018)";
        slice.remarks.push(still.to_string());
        slice.between();
        Ok(slice)
    }

    fn plane(&self, compared: &mut Compared) -> Result<Slice> {
        let Compared { members, prepared, .. } = compared;
        let [first, second, third] = &members[..] else {
            unreachable!("a plane was checked to have three runs")
        };
        let plane = Plane::through([&first.theta, &second.theta, &third.theta])
            .map_err(|_| on_one_line(&third.name))?;
        let mut marks = Vec::new();
        for member in &members[..] {
            let (at, off) = plane.coordinates(&member.theta)?;
            marks.push(Mark { name: member.name.clone(), step: member.step, at, off });
        }
        let loss = prepared.problem.surface().values(&first.theta)?.train.loss;
        let mut slice = Slice { marks, ..Slice::around(first, loss) };
        let [u, v] = plane.basis;
        let name = format!("from {} towards {}", first.name, second.name);
        slice.axes.push(Axis::new(name, u, (0.0, 0.0)));
        slice.axes.push(Axis::new(format!("towards {}", third.name), v, (0.0, 0.0)));
        slice.fit(self.range.unwrap_or(0.25));
        slice.between();
        Ok(slice)
    }

    fn trajectory(&self, compared: &mut Compared) -> Result<Slice> {
        let Compared { members, prepared, .. } = compared;
        let member = &members[0];
        let points = checkpoints(member, prepared.problem.train.layout())?;
        let thetas: Vec<&[f64]> = points.iter().map(|(_, theta)| &theta[..]).collect();
        let components = principal_components(&thetas, 2)?;
        let [u, v] = &components.directions[..] else { return Err(on_one_line(&member.name)) };
        let mut marks = Vec::new();
        for (step, theta) in &points {
            let (at, off) = coordinates(&member.theta, [u, v], theta)?;
            marks.push(Mark { name: format!("step {step}"), step: *step, at, off });
        }
        let loss = prepared.problem.surface().values(&member.theta)?.train.loss;
        let mut slice = Slice { marks, joined: true, ..Slice::around(member, loss) };
        for (k, direction) in components.directions.iter().enumerate() {
            let axis = Axis::new(format!("component {}", k + 1), direction.clone(), (0.0, 0.0));
            slice.axes.push(Axis { share: Some(components.shares[k]), ..axis });
        }
        let [first, second] = [components.shares[0], components.shares[1]].map(|x| 100.0 * x);
        let [one, two] = RANDOM_WALK_SHARES.map(|x| 100.0 * x);
        slice.remarks.push(format!(
            "the two components hold {first:.0}% and {second:.0}% of the variance of {} checkpoints; those of a \
             random walk hold {one:.0}% and {two:.0}% and draw the same curves (Antognini and Sohl-Dickstein 2018)",
            points.len()
        ));
        slice.fit(self.range.unwrap_or(0.25));
        slice.between();
        Ok(slice)
    }

    /// Two variables, counted from zero, through the point that the run is at in all others.
    fn coordinates(&self, compared: &mut Compared) -> Result<Slice> {
        let Compared { members, prepared, .. } = compared;
        let member = &members[0];
        let points = checkpoints(member, prepared.problem.train.layout())?;
        let loss = prepared.problem.surface().values(&member.theta)?.train.loss;
        let mut slice = Slice { joined: true, ..Slice::around(member, loss) };
        let mut center = member.theta.clone();
        for &variable in &self.which {
            center[variable - 1] = 0.0;
            let mut direction = vec![0.0; center.len()];
            direction[variable - 1] = 1.0;
            slice.axes.push(Axis::new(format!("x_{variable}"), direction, (0.0, 0.0)));
        }
        let [u, v] = &slice.axes[..] else { return Err(on_one_line(&member.name)) };
        for (step, theta) in &points {
            let (at, off) = coordinates(&center, [&u.direction, &v.direction], theta)?;
            slice.marks.push(Mark { name: format!("step {step}"), step: *step, at, off });
        }
        slice.center = center;
        slice.fit(self.range.unwrap_or(0.25));
        slice.between();
        Ok(slice)
    }
}

fn on_one_line(run: &str) -> Error {
    let remedy = "give points that are not on one line";
    Error::setting("RUN", run, "the points make no plane", remedy)
}

/// The steps of a run's checkpoints up to the one that is meant, the start among them.
pub(super) fn steps(member: &Member) -> Vec<usize> {
    let mut steps = member.run.checkpoints();
    steps.retain(|&step| step <= member.step);
    if !steps.contains(&0) {
        steps.insert(0, 0);
    }
    steps
}

/// Their weights.
fn checkpoints(member: &Member, layout: &ParameterLayout) -> Result<Vec<(usize, Vec<f64>)>> {
    let weights = |step: usize| read_safetensors(&member.run.directory().weights(step), layout);
    steps(member).into_iter().map(|step| Ok((step, weights(step)?))).collect()
}

impl Slice {
    fn around(member: &Member, loss: f64) -> Self {
        Self {
            center: member.theta.clone(),
            center_name: member.name.clone(),
            center_loss: loss,
            axes: Vec::new(),
            cosine: None,
            marks: Vec::new(),
            joined: false,
            remarks: Vec::new(),
        }
    }

    /// Enters the cosine between the two directions, if there are two.
    fn between(&mut self) {
        if let [first, second] = &self.axes[..] {
            self.cosine = Some(cosine(&first.direction, &second.direction));
        }
    }

    /// Makes the axes reach around the marks, with a `margin` at each end as a share of their extent. Both axes have
    /// the same scale, and the shorter one at least half the length of the longer.
    fn fit(&mut self, margin: f64) {
        let extent = |k: usize| {
            let values = || self.marks.iter().map(|mark| mark.at[k]);
            let low = values().fold(f64::INFINITY, f64::min);
            let high = values().fold(f64::NEG_INFINITY, f64::max);
            (low, high)
        };
        let extents = [extent(0), extent(1)];
        let longest = extents.iter().map(|(low, high)| high - low).fold(0.0, f64::max);
        if longest == 0.0 {
            // One point alone.
            let around = extents.map(|(at, _)| (at - 1.0, at + 1.0));
            self.axes.iter_mut().zip(around).for_each(|(axis, ends)| axis.ends = ends);
            return;
        }
        for (axis, (low, high)) in self.axes.iter_mut().zip(extents) {
            let wider = (0.5 * (0.5 * longest - (high - low))).max(0.0) + margin * longest;
            axis.ends = (low - wider, high + wider);
        }
    }
}

impl Axis {
    fn new(name: String, direction: Vec<f64>, ends: (f64, f64)) -> Self {
        Self {
            name,
            direction,
            ends,
            eigenvalue: None,
            residual: None,
            second_difference: None,
            slope: None,
            unit: None,
            share: None,
        }
    }
}
