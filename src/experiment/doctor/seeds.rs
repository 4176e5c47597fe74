//! How many seeds stand behind a comparison.

use std::path::Path;

use super::{Finding, Verdict};
use crate::experiment::compare::{ComparisonManifest, ListedMember};

/// Fewer say little about the spread.
const ENOUGH: usize = 3;

/// Counts the completed runs of this run's setting in the comparison that it is of.
pub(super) fn finding(run: &Path) -> Finding {
    const CHECK: &str = "seeds";
    let alone = || {
        let text = "one run: how much of this is the seed is open; sharpscope compare --seeds 5 \
                    would tell";
        Finding::new(CHECK, Verdict::NotKnown, 1.0, text)
    };
    let absolute = run.canonicalize().ok();
    let Some(root) = absolute.as_deref().and_then(|run| run.ancestors().nth(2)) else {
        return alone();
    };
    let Ok(ComparisonManifest { members, .. }) = ComparisonManifest::read(root) else {
        return alone();
    };
    let own = |member: &&ListedMember| {
        root.join(&member.folder).canonicalize().ok().as_deref() == absolute.as_deref()
    };
    let Some(setting) = members.iter().find(own).map(|member| &member.setting) else {
        return alone();
    };
    let done = |member: &&ListedMember| member.setting == *setting && member.status == "completed";
    let seeds = members.iter().filter(done).count();
    let text = format!(
        "{seeds} completed seeds of '{setting}'{}",
        if seeds < ENOUGH { format!("; give at least {ENOUGH}") } else { String::new() }
    );
    Finding::judged(CHECK, seeds >= ENOUGH, seeds as f64, text)
}
