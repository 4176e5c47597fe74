//! Tables of counts.

use std::collections::BTreeMap;

use super::measure::Probe;
use super::store::{Kind, Record, Value};

/// Values that count together, with the products of their runs.
#[derive(Default)]
struct Tally {
    runs: usize,
    values: usize,
    misses: usize,
    of_scale: usize,
    converged: usize,
    worst: f64,
    products: Vec<usize>,
}

impl Tally {
    fn add(&mut self, record: &Record, counts: impl Fn(&Value) -> bool) {
        let before = self.values;
        for value in record.values.iter().filter(|value| counts(value)) {
            self.values += 1;
            self.worst = self.worst.max(value.error());
            self.misses += usize::from(value.is_miss());
            self.of_scale += usize::from(value.error_of_scale() > 0.01);
            self.converged += usize::from(value.is_miss() && value.converged);
        }
        if self.values > before {
            self.runs += 1;
            self.products.extend(&record.products);
        }
    }

    fn print(&self, name: &str) {
        println!(
            "| {name} | {} | {} | {} | {} | {} | {:.2e} | {} |",
            self.runs,
            self.values,
            self.misses,
            self.of_scale,
            self.converged,
            self.worst,
            quantiles(self.products.clone())
        );
    }
}

/// Median and 95th percentile.
pub fn quantiles(mut values: Vec<usize>) -> String {
    values.sort_unstable();
    let Some(last) = values.len().checked_sub(1) else { return "-".to_string() };
    let at = |share: f64| values[(share * last as f64).round() as usize];
    format!("{} / {}", at(0.5), at(0.95))
}

/// Each value that is off, under the flags of its run.
pub fn print_misses(records: &[Record]) {
    for record in records {
        let misses: Vec<&Value> = record.values.iter().filter(|value| value.is_miss()).collect();
        if misses.is_empty() {
            continue;
        }
        println!("{}: {}", record.name, record.command);
        for value in misses {
            println!(
                "  step {} {}: {:.7} logged, {:.7} right, {:.1}% off, {}{}",
                value.step,
                name_of(value.kind),
                value.logged,
                value.right,
                100.0 * value.error(),
                value.cause(),
                if value.converged { ", converged" } else { "" }
            );
        }
    }
}

fn name_of(kind: Kind) -> String {
    match kind {
        Kind::Lambda(i) => format!("lambda_{}", i + 1),
        Kind::Alone => "lambda_1 alone".to_string(),
        Kind::Preconditioned => "preconditioned".to_string(),
        Kind::Perturbed => "perturbed".to_string(),
        Kind::Smallest => "lambda_min".to_string(),
    }
}

/// Counts over all, by value, by kind of run, and the causes of misses.
pub fn print_tables(records: &[Record], probe: Probe) {
    let steps = if probe == Probe::Cold { "a solve" } else { "a step" };
    println!(
        "\n| group | runs | values | off by > 1% | > 1% of λ₁ | converged, off by > 1% | worst | \
         products {steps}, median / 95% |\n|---|---|---|---|---|---|---|---|"
    );
    group(records, "all", |_| Some("all".to_string()));
    for kind in (0..6).map(Kind::Lambda).chain([
        Kind::Alone,
        Kind::Preconditioned,
        Kind::Perturbed,
        Kind::Smallest,
    ]) {
        let mut tally = Tally::default();
        records.iter().for_each(|record| tally.add(record, |value| value.kind == kind));
        tally.products.clear();
        if tally.values > 0 {
            tally.print(&name_of(kind));
        }
    }
    let batch = |r: &Record| if r.minibatch { "minibatch" } else { "full batch" };
    let decay = |r: &Record| if r.decay { "decay" } else { "no decay" };
    let kind = |r: &Record| if r.adaptive { "adaptive" } else { "not adaptive" };
    group(records, "", |r| {
        let solver = if r.cold { "cold" } else { &r.solver };
        Some(format!("{solver}, {}, {}, {}", decay(r), batch(r), kind(r)))
    });
    group(records, "solver", |r| (!r.cold).then(|| r.solver.clone()));
    group(records, "loss", |r| Some(r.loss.clone()));
    group(records, "optimizer", |r| Some(r.optimizer.clone()));
    group(records, "model", |r| Some(r.model.clone()));
    group(records, "edge", |r| {
        let share = if r.edge > 0.1 { "> 10% of steps" } else { "up to 10% of steps" };
        (!r.cold).then(|| share.to_string())
    });
    // A squared error of a linear network has one eigenvalue for all outputs.
    group(records, "without linear, mse", |r| {
        (r.model != "linear" || r.loss != "mse").then(String::new)
    });

    let mut causes: BTreeMap<(&str, String), [usize; 2]> = BTreeMap::new();
    let all = records.iter().flat_map(|record| &record.values);
    for value in all.filter(|value| value.is_miss()) {
        let count = causes.entry((value.cause(), name_of(value.kind))).or_default();
        count[0] += 1;
        count[1] += usize::from(value.converged);
    }
    println!("\n| cause | value | misses | converged |\n|---|---|---|---|");
    for ((cause, kind), [misses, converged]) in causes {
        println!("| {cause} | {kind} | {misses} | {converged} |");
    }
    let absent: usize = records.iter().map(|record| record.absent).sum();
    let diverged = records.iter().filter(|record| record.status == "diverged").count();
    println!("\n{} runs, {diverged} diverged, {absent} values absent", records.len());
}

fn group(records: &[Record], title: &str, of: impl Fn(&Record) -> Option<String>) {
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for record in records {
        let Some(name) = of(record) else { continue };
        tallies.entry(name).or_default().add(record, |_| true);
    }
    for (name, tally) in tallies {
        let parts = [title, &name].into_iter().filter(|part| !part.is_empty());
        let name = if title == name { name.clone() } else { parts.collect::<Vec<_>>().join(": ") };
        tally.print(&name);
    }
}
