//! What help says of optimizers, from the list of them.

use super::{Base, Decay, ENTRIES, Entry, Number, OptimizerSpec, ScheduleKind};
use crate::names::{all_of, any_of};

/// The optimizers that take the hyperparameter of that name by themselves.
pub fn takers(name: &str) -> Vec<&'static str> {
    names(|entry| entry.defaults.has(name))
}

/// What optimizers there are, and which is the default.
pub fn optimizers() -> String {
    let shown = |entry: &Entry| match entry.remark {
        Some(remark) => format!("{} ({remark})", entry.name),
        None => entry.name.to_string(),
    };
    let shown: Vec<String> = ENTRIES.iter().map(shown).collect();
    format!("Optimizer: {} [default: {}]", any_of(&shown), OptimizerSpec::DEFAULT)
}

/// The learning rates that optimizers have by themselves.
pub fn learning_rates() -> String {
    let rates: Vec<(&str, f64)> = ENTRIES.iter().map(|entry| (entry.name, entry.lr)).collect();
    format!("Learning rate [default: {}]", defaults(&rates))
}

/// What SAM and ASAM may be built over.
pub fn bases() -> String {
    let default = ENTRIES.iter().find_map(|entry| entry.defaults.base);
    format!(
        "What {} step with: {} [default: {}]",
        all_of(&takers("base")),
        any_of(&Base::NAMES),
        default.map_or("none", Base::name)
    )
}

/// What the learning rate may do after the warm-up.
pub fn schedules() -> String {
    let (kinds, default) = (any_of(&ScheduleKind::ALL), ScheduleKind::default());
    format!("Learning rate after the warm-up: {kinds} [default: {default}]")
}

/// The rate that some schedules end at.
pub fn final_rates() -> String {
    format!("Learning rate that {} come to [default: 0]", all_of(&falling()))
}

/// The schedules that go to a final rate.
pub fn falling() -> Vec<ScheduleKind> {
    ScheduleKind::ALL.into_iter().filter(|kind| kind.has_final()).collect()
}

/// What the schedules that follow curvature keep to.
pub fn edge_target() -> String {
    let seeking = ScheduleKind::ALL.into_iter().filter(|kind| kind.seeks());
    let seeking: Vec<ScheduleKind> = seeking.collect();
    format!(
        "Edge ratio that {} keep: of the row, and of the update alone [default: 1]",
        all_of(&seeking)
    )
}

/// Whether the sharpness where such an optimizer takes its gradient is logged.
pub fn perturbed_sharpness() -> String {
    let perturbing = any_of(&takers("rho"));
    format!("With {perturbing}, log the sharpness at the perturbed point too")
}

impl Number {
    /// What it is, and its default for each optimizer that takes it.
    pub fn help(&self) -> String {
        let decoupled = names(|entry| entry.decay == Decay::Decoupled);
        let about = self.about.replace("{decoupled}", &all_of(&decoupled));
        let default = |entry: &Entry| {
            let mut numbers = entry.defaults.numbers();
            let (_, value) = numbers.find(|(number, _)| number.name == self.name)?;
            Some((entry.name, value?))
        };
        let values: Vec<(&str, f64)> = ENTRIES.iter().filter_map(default).collect();
        format!("{about} [default: {}]", defaults(&values))
    }
}

fn names(which: impl Fn(&Entry) -> bool) -> Vec<&'static str> {
    ENTRIES.iter().filter(|entry| which(entry)).map(|entry| entry.name).collect()
}

/// The value of the first, and which have others, from the largest on; or, where each has its own,
/// all of them.
fn defaults(values: &[(&str, f64)]) -> String {
    let mut groups: Vec<(f64, Vec<&str>)> = Vec::new();
    for &(name, value) in values {
        match groups.iter_mut().find(|(other, _)| *other == value) {
            Some((_, names)) => names.push(name),
            None => groups.push((value, vec![name])),
        }
    }
    let shown =
        |(value, names): &(f64, Vec<&str>)| format!("{} for {}", short(*value), all_of(names));
    if groups.len() > 1 && groups.len() == values.len() {
        return groups.iter().map(shown).collect::<Vec<_>>().join(", ");
    }
    let Some((default, others)) = groups.split_first_mut() else { return "none".to_string() };
    others.sort_by(|a, b| b.0.total_cmp(&a.0));
    let others: Vec<String> = others.iter().map(shown).collect();
    match others.is_empty() {
        true => short(default.0),
        false => format!("{}; {}", short(default.0), others.join(", ")),
    }
}

/// The shortest text that reads back the same.
pub(crate) fn short(x: f64) -> String {
    format!("{x:?}").trim_end_matches(".0").to_string()
}
