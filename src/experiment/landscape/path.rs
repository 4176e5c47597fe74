//! Paths between runs, measured.

use crate::error::{Error, Result};
use crate::experiment::Prepared;
use crate::landscape::{
    Barriers, FollowSettings, PathPoint, SharpnessFollower, along, barriers, evenly,
};

/// That many of the largest eigenvalues followed, with random numbers from the run's seed.
pub(super) fn follow(prepared: &Prepared, top: usize) -> FollowSettings {
    FollowSettings { seed: prepared.config.seed, ..FollowSettings::new(top) }
}

/// So many points of a path, evenly, with the barriers over training and validation samples. Without eigenvalues to follow
/// none are measured.
pub(super) fn measured(
    prepared: &mut Prepared,
    settings: FollowSettings,
    points: usize,
    path: impl Fn(f64) -> Vec<f64>,
) -> Result<(Vec<PathPoint>, Barriers, Option<Barriers>)> {
    let mut follower = (settings.top > 0).then(|| SharpnessFollower::new(settings));
    let mut surface = prepared.problem.surface();
    let points = along(&mut surface, &evenly(points), path, follower.as_mut(), |_| Ok(()))?;
    let (Some(train), validation) = barriers(&points) else { unreachable!("a path has points") };
    Ok((points, train, validation))
}

/// Refuses a number below `least`.
pub(super) fn at_least(flag: &str, value: usize, least: usize, problem: &str) -> Result<()> {
    match value < least {
        true => Err(Error::setting(flag, value, problem, format!("give {least} or more"))),
        false => Ok(()),
    }
}
