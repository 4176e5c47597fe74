//! Averages of weights: of the points that one run passes through, and of several runs.

use crate::error::{Error, Result, check_length};

/// The mean of points as they come: after n points w + (x - w)/n (Izmailov et al. 2018, 1803.05407).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunningMean {
    mean: Vec<f64>,
    count: usize,
}

impl RunningMean {
    /// Takes a point in.
    ///
    /// # Errors
    /// [`Error::Length`] for another length than that of the points before.
    pub fn add(&mut self, theta: &[f64]) -> Result<()> {
        if self.count == 0 {
            self.mean = vec![0.0; theta.len()];
        }
        check_length("point of a mean", theta.len(), self.mean.len())?;
        self.count += 1;
        let share = 1.0 / self.count as f64;
        self.mean.iter_mut().zip(theta).for_each(|(w, x)| *w += (x - *w) * share);
        Ok(())
    }

    /// The mean; empty before the first point.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// How many points there were.
    pub fn count(&self) -> usize {
        self.count
    }
}

/// The mean of some points: of a run's last iterates, of all of them (Polyak and Juditsky 1992), of several runs (a
/// uniform soup, Wortsman et al. 2022, 2203.05482).
///
/// # Errors
/// [`Error::Setting`] for no points; [`Error::Length`] for points of different lengths.
pub fn mean(points: &[&[f64]]) -> Result<Vec<f64>> {
    let mut mean = RunningMean::default();
    points.iter().try_for_each(|point| mean.add(point))?;
    match mean.count() {
        0 => Err(nothing()),
        _ => Ok(mean.mean),
    }
}

/// The exponential moving average of points in their order, e = decay e + (1 - decay) x from the first point on.
///
/// # Errors
/// As [`mean`]; [`Error::Setting`] for a decay outside of [0, 1).
pub fn exponential(points: &[&[f64]], decay: f64) -> Result<Vec<f64>> {
    if !(0.0..1.0).contains(&decay) {
        let remedy = "give 0 or more and less than 1, such as 0.9";
        return Err(Error::setting("decay", format!("{decay:?}"), "not a decay", remedy));
    }
    let [first, rest @ ..] = points else { return Err(nothing()) };
    let mut average = first.to_vec();
    for point in rest {
        check_length("point of a mean", point.len(), average.len())?;
        average.iter_mut().zip(*point).for_each(|(e, x)| *e = decay * *e + (1.0 - decay) * x);
    }
    Ok(average)
}

/// (a + 2 b + c)/4: where three iterates in a row oscillate with period two about a moving center, the center without
/// its motion's first order (as Cohen et al. 2024, 2410.24206, compare central flows with).
///
/// # Errors
/// [`Error::Length`] for points of different lengths.
pub fn midpoint([a, b, c]: [&[f64]; 3]) -> Result<Vec<f64>> {
    super::combined(&[0.25, 0.5, 0.25], &[a, b, c])
}

/// A greedy soup.
#[derive(Debug, Clone, PartialEq)]
pub struct Soup {
    /// Which members are in it, in the order in which they were taken.
    pub members: Vec<usize>,
    /// Their mean (length P).
    pub theta: Vec<f64>,
    /// Its score.
    pub score: f64,
    /// Each member's own score.
    pub scores: Vec<f64>,
}

/// The greedy soup of Wortsman et al. (2022): members by falling score, the best first; each is kept if the mean with it
/// scores strictly higher than without, in one pass. `score` is on samples that are not reported on; higher is better, and
/// what is not a number is worse than everything. The soup never scores below the best member.
///
/// # Errors
/// As [`mean`], and those of `score`.
pub fn greedy_soup(
    points: &[&[f64]],
    mut score: impl FnMut(&[f64]) -> Result<f64>,
) -> Result<Soup> {
    let mut score = |theta: &[f64]| -> Result<f64> {
        let value = score(theta)?;
        Ok(if value.is_nan() { f64::NEG_INFINITY } else { value })
    };
    let scores = points.iter().map(|point| score(point)).collect::<Result<Vec<f64>>>()?;
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let [best, others @ ..] = &order[..] else { return Err(nothing()) };
    let mut soup = Soup {
        members: vec![*best],
        theta: points[*best].to_vec(),
        score: scores[*best],
        scores: scores.clone(),
    };
    for &next in others {
        let with: Vec<&[f64]> =
            soup.members.iter().chain([&next]).map(|&member| points[member]).collect();
        let theta = mean(&with)?;
        let found = score(&theta)?;
        if found > soup.score {
            soup.members.push(next);
            (soup.theta, soup.score) = (theta, found);
        }
    }
    Ok(soup)
}

fn nothing() -> Error {
    Error::setting("points", 0, "there is nothing to average", "give one point or more")
}
