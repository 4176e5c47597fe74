//! A comparison of very many runs in a few groups, for its pictures.

use std::collections::BTreeMap;

use super::plan::{Comparison, Setting};
use super::tables::setting_columns;

/// More settings or runs than that are drawn in groups.
const MOST_SETTINGS: usize = 16;
const MOST_RUNS: usize = 300;
/// Groups, at most: as many as can be told apart.
const MOST_GROUPS: usize = 6;

/// Names of groups, and which group each setting is in.
pub(super) struct Groups {
    pub names: Vec<String>,
    pub of: Vec<usize>,
}

impl Groups {
    /// Those of a comparison; `None` where each run can be drawn.
    ///
    /// Optimizers are groups where there are several; else ranges of the learning rate or, where there is but one,
    /// of the first number that has several values.
    pub fn of(comparison: &Comparison) -> Option<Self> {
        let settings = &comparison.settings;
        if settings.len() <= MOST_SETTINGS && comparison.members.len() <= MOST_RUNS {
            return None;
        }
        let optimizers: Vec<String> =
            settings.iter().map(|setting| setting.config.optimizer.to_string()).collect();
        if optimizers.iter().any(|other| *other != optimizers[0]) {
            return Some(by_name(&optimizers));
        }
        let name = varying(settings).unwrap_or("base_lr");
        Some(by_range(name, &values(settings, name), &optimizers[0]))
    }
}

fn by_name(names: &[String]) -> Groups {
    let mut first: Vec<String> = Vec::new();
    for name in names {
        if !first.contains(name) {
            first.push(name.clone());
        }
    }
    if first.len() > MOST_GROUPS {
        let others = first.len() - (MOST_GROUPS - 1);
        first.truncate(MOST_GROUPS - 1);
        first.push(format!("{others} other optimizers"));
    }
    let last = first.len() - 1;
    let place = |name| first.iter().position(|other| other == name).unwrap_or(last);
    let of = names.iter().map(place).collect();
    Groups { names: first, of }
}

/// Neighbouring values together, as many in each group as can be.
fn by_range(column: &str, cells: &[String], optimizer: &str) -> Groups {
    let number = |cell: &String| cell.parse::<f64>().unwrap_or(f64::NAN);
    let mut distinct: Vec<&String> = cells.iter().collect();
    distinct.sort_by(|a, b| number(a).total_cmp(&number(b)).then_with(|| a.cmp(b)));
    distinct.dedup();
    let size = distinct.len().div_ceil(MOST_GROUPS).max(1);
    let shown = column.strip_prefix("base_").unwrap_or(column);
    let name = |group: &[&String]| match group {
        [one] if one.is_empty() => format!("{optimizer}, no {shown}"),
        [one] => format!("{optimizer}, {shown} {one}"),
        [first, .., last] => format!("{optimizer}, {shown} {first} to {last}"),
        [] => String::new(),
    };
    let names = distinct.chunks(size).map(name).collect();
    let place: BTreeMap<&String, usize> =
        distinct.iter().enumerate().map(|(i, cell)| (*cell, i / size)).collect();
    Groups { names, of: cells.iter().map(|cell| place[cell]).collect() }
}

/// The learning rate, or else the first other column, where it has several values.
fn varying(settings: &[Setting]) -> Option<&'static str> {
    let columns: Vec<Vec<(&'static str, String)>> = settings.iter().map(setting_columns).collect();
    let first = columns.first()?;
    let varies = |at: usize| columns.iter().any(|other| other[at].1 != first[at].1);
    // Not the label, which is another for each.
    let mut places: Vec<usize> = (1..first.len()).collect();
    places.sort_by_key(|&at| first[at].0 != "base_lr");
    places.into_iter().find(|&at| varies(at)).map(|at| first[at].0)
}

fn values(settings: &[Setting], name: &str) -> Vec<String> {
    let cell = |setting: &Setting| {
        let columns = setting_columns(setting).into_iter();
        columns.filter(|(column, _)| *column == name).map(|(_, cell)| cell).next()
    };
    settings.iter().map(|setting| cell(setting).unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_string()).collect()
    }

    #[test]
    fn neighbouring_values_are_together() {
        let cells: Vec<String> = (0..20).map(|i| format!("{}", f64::from(i % 10) / 10.0)).collect();
        let groups = by_range("base_lr", &cells, "sgd");
        assert_eq!(groups.names.len(), 5);
        assert_eq!(groups.names[0], "sgd, lr 0 to 0.1");
        assert_eq!(groups.of[..10], [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
        assert_eq!(groups.of[10..], groups.of[..10]);
        let few = by_range("warmup", &texts(&["10", "9", ""]), "sgd");
        // As numbers, what is none last.
        assert_eq!(few.names, ["sgd, warmup 9", "sgd, warmup 10", "sgd, no warmup"]);
    }

    #[test]
    fn optimizers_beyond_the_sixth_are_together() {
        let groups = by_name(&texts(&["a", "b", "a", "c", "d", "e", "f", "g"]));
        assert_eq!(groups.names, ["a", "b", "c", "d", "e", "2 other optimizers"]);
        assert_eq!(groups.of, [0, 1, 0, 2, 3, 4, 5, 5]);
        assert_eq!(by_name(&texts(&["a", "b"])).names, ["a", "b"]);
    }
}
