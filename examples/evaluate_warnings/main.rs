//! Scores spike warnings on stored runs, beside simpler warnings.
//!
//! Takes a folder of run directories, such as `scripts/runs_for_warnings.py` makes. Runs with an even
//! seed tune the warnings (the spike models' weights, and each method's bar: the best recall at no
//! more than two false alarms in 1000 quiet steps), runs with an odd seed test them. Prints a table,
//! and writes everything, trade-off curves included, as JSON if a file is named:
//!
//! ```sh
//! cargo run --release --example evaluate_warnings -- runs/warnings warnings.json [settings.json]
//! ```
//!
//! The third file, if there is one, holds [`StabilitySettings`] other than the defaults.

mod evaluation;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use sharpscope::config::RunConfig;
use sharpscope::record::{EventKind, StepRow};
use sharpscope::rundir::StoredRun;
use sharpscope::stability::{Monitor, Replay, StabilitySettings, WarningSettings, spikes};

use evaluation::logistic::{FitSettings, fit};
use evaluation::score::{Counts, Report, TradeOff, best_bar, best_pair, trade_off};
use evaluation::series::{Method, ScoredRun, labelled, losses};

/// No more false alarms than this in 1000 quiet steps.
const FALSE_ALARMS: f64 = 2.0;
/// Points of a trade-off curve.
const BARS: usize = 150;

/// A stored run.
struct Run {
    name: String,
    tunes: bool,
    config: RunConfig,
    rows: Vec<StepRow>,
}

impl Run {
    fn read(path: &Path) -> Result<Option<Self>> {
        let run = StoredRun::open(path)?;
        let Some(manifest) = run.head() else { return Ok(None) };
        if !matches!(manifest.exit_code, Some(0 | 3)) {
            return Ok(None);
        }
        let seed = manifest.config["seed"].as_u64().context("no seed in the manifest")?;
        Ok(Some(Self {
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            tunes: seed % 2 == 0,
            config: run.config()?,
            rows: run.rows()?.to_vec(),
        }))
    }

    fn replay(&self, settings: &StabilitySettings) -> Replay {
        let monitor = Monitor::new(settings, self.config.tolerance);
        monitor.with_schedule(self.config.learning_rate()).replay(&self.rows)
    }

    fn losses(&self) -> Vec<(usize, f64)> {
        losses(&self.rows)
    }

    fn last(&self) -> usize {
        self.rows.last().map_or(0, |row| row.step)
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().context("name a folder of run directories")?);
    let runs = read_runs(&folder)?;
    let (tuning, test): (Vec<&Run>, Vec<&Run>) = runs.iter().partition(|run| run.tunes);
    if tuning.is_empty() || test.is_empty() {
        bail!("{} needs finished runs with even and with odd seeds", folder.display());
    }

    let output = arguments.next();
    let stored = read_settings(arguments.next())?;
    let settings = fit_weights(&tuning, &stored)?;
    println!("{} runs tune, {} test; weights fitted on the tuning half:", tuning.len(), test.len());
    print_fit(&settings.warning)?;

    let mut methods = BTreeMap::new();
    println!("{}", heading());
    for method in Method::ALL {
        methods.insert(method.name(), evaluate(method.name(), method, &tuning, &test, &settings)?);
    }
    methods.insert("built in", evaluate("built in", Method::Ours, &tuning, &test, &stored)?);

    let first = first_spikes(&test, &settings);
    println!("\nfirst spikes of runs, on the test half: {}", serde_json::to_string(&first)?);
    let edges = edges(&test, &settings);
    println!("edge entered, on the test half: {}", serde_json::to_string(&edges)?);
    let events = events(&test, &settings);
    println!("events, on the test half: {}", serde_json::to_string(&events)?);
    if let Some(file) = output {
        let names = |runs: &[&Run]| runs.iter().map(|run| run.name.clone()).collect::<Vec<_>>();
        let all = json!({
            "tuning_runs": names(&tuning),
            "test_runs": names(&test),
            "settings": settings,
            "methods": methods,
            "first_spikes": first,
            "edges": edges,
            "events": events,
            "runs": per_run(&runs, &settings),
        });
        std::fs::write(&file, serde_json::to_string_pretty(&all)? + "\n")
            .with_context(|| format!("cannot write {file}"))?;
    }
    Ok(())
}

/// The finished runs of a folder, by name.
fn read_runs(folder: &Path) -> Result<Vec<Run>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    paths.sort();
    let mut runs = Vec::new();
    for path in &paths {
        runs.extend(Run::read(path)?);
    }
    Ok(runs)
}

/// The settings in a file, or the defaults.
fn read_settings(file: Option<String>) -> Result<StabilitySettings> {
    let settings: StabilitySettings = match file {
        Some(file) => std::fs::read_to_string(&file)
            .map_err(anyhow::Error::from)
            .and_then(|text| Ok(serde_json::from_str(&text)?))
            .with_context(|| format!("cannot read settings from {file}"))?,
        None => StabilitySettings::default(),
    };
    settings.validate()?;
    Ok(settings)
}

fn print_fit(settings: &WarningSettings) -> Result<()> {
    let WarningSettings { early_weights, imminent_weights, .. } = settings;
    for (name, weights) in [("early", early_weights), ("imminent", imminent_weights)] {
        println!("{name} {}", serde_json::to_string_pretty(weights)?);
    }
    println!(
        "warning from {:.4} (early) or {:.4} (imminent) on\n",
        settings.early_probability, settings.imminent_probability
    );
    Ok(())
}

/// The spike models' weights, from the rows of these runs.
fn fit_weights(runs: &[&Run], settings: &StabilitySettings) -> Result<StabilitySettings> {
    let labelled = |run: &&Run| {
        let spikes = spikes(&run.losses(), &settings.spikes);
        labelled(&run.replay(settings), &spikes, run.last(), settings.warning.warning_horizon)
    };
    let rows: Vec<_> = runs.iter().map(labelled).collect();
    let (early_weights, imminent_weights) = fit(&rows, FitSettings::default())?;
    let with = |warning| StabilitySettings { warning, ..settings.clone() };
    let weighted = WarningSettings { early_weights, imminent_weights, ..settings.warning.clone() };
    let fitted = with(weighted.clone());
    let (early, imminent) =
        (scored(Method::EarlyAlone, runs, &fitted), scored(Method::ImminentAlone, runs, &fitted));
    let bars = (&bars(&early)[..], &bars(&imminent)[..]);
    let horizon = settings.warning.warning_horizon;
    let (early_probability, imminent_probability) =
        best_pair(&early, &imminent, bars, horizon, FALSE_ALARMS).context("too many alarms")?;
    // A bar that nothing reaches may be above 1.
    let [early_probability, imminent_probability] =
        [early_probability, imminent_probability].map(|p| p.min(1.0 - f64::EPSILON));
    Ok(with(WarningSettings { early_probability, imminent_probability, ..weighted }))
}

/// Chooses the bar on the tuning half, prints what it is worth on the test half, and gives both
/// halves' curves.
fn evaluate(
    name: &str,
    method: Method,
    tuning: &[&Run],
    test: &[&Run],
    settings: &StabilitySettings,
) -> Result<Value> {
    let (tuning, test) = (scored(method, tuning, settings), scored(method, test, settings));
    let bars = bars(&tuning);
    let horizon = settings.warning.warning_horizon;
    let curve = trade_off(&tuning, &bars, horizon);
    // Ours were chosen with the weights.
    let own = trade_off(&tuning, &[0.0], horizon).remove(0);
    let chosen = match method {
        Method::Ours => &own,
        _ => best_bar(&curve, FALSE_ALARMS).context("no bar has so few false alarms")?,
    };
    let tested = trade_off(&test, &[chosen.bar], horizon).remove(0);
    println!("{}", line(name, &chosen.report, &tested));
    Ok(json!({
        "bar": chosen.bar,
        "tuning": chosen.report,
        "test": tested.report,
        "tuning_curve": curve,
        "test_curve": trade_off(&test, &bars, horizon),
    }))
}

fn scored(method: Method, runs: &[&Run], settings: &StabilitySettings) -> Vec<ScoredRun> {
    let run = |run: &&Run| ScoredRun::new(method, &run.rows, &run.replay(settings), settings);
    runs.iter().map(run).collect()
}

/// Quantiles of the finite scores outside of spikes, dense towards the largest.
fn bars(runs: &[ScoredRun]) -> Vec<f64> {
    let rows = runs.iter().flat_map(|run| &run.rows).filter(|row| !row.in_spike);
    let mut scores: Vec<f64> = rows.map(|row| row.score).filter(|s| s.is_finite()).collect();
    scores.sort_by(f64::total_cmp);
    // The largest share 1/2, then 0.95 times that, and so on.
    let rank = |i: usize| scores.len() as f64 * 0.5 * 0.95f64.powi(i as i32);
    let Some(top) = scores.len().checked_sub(1) else { return vec![0.0] };
    let mut bars: Vec<f64> = (0..BARS).map(|i| scores[top - (rank(i) as usize).min(top)]).collect();
    bars.dedup();
    // One that no score reaches.
    bars.extend(scores.last().map(|largest| largest + largest.abs() + 1.0));
    bars
}

fn heading() -> String {
    format!(
        "{:<20} {:>9} | {:>9} {:>9} | {:>6} {:>6} {:>9} {:>6} {:>9}  {}",
        "method",
        "bar",
        "recall",
        "alarms",
        "spikes",
        "recall",
        "precision",
        "alarms",
        "per 1000",
        "leads"
    )
}

fn line(name: &str, tuning: &Report, test: &TradeOff) -> String {
    let share = |value: Option<f64>| value.map_or("-".to_string(), |v| format!("{v:.2}"));
    let report = &test.report;
    let leads = report.leads.map_or("-".to_string(), |l| {
        let (least, low, median) = (l.least, l.lower_quartile, l.median);
        format!("{least}/{low}/{median}/{}/{}", l.upper_quartile, l.most)
    });
    format!(
        "{name:<20} {:>9.4} | {:>9} {:>9} | {:>6} {:>6} {:>9} {:>6} {:>9}  {leads}",
        test.bar,
        share(tuning.recall),
        share(tuning.false_alarms_per_1000),
        report.spikes,
        share(report.recall),
        share(report.precision),
        report.false_alarms,
        share(report.false_alarms_per_1000),
    )
}

/// What warnings are worth for the first spike of each run alone: those after it often come while
/// several modes are beyond the edge.
fn first_spikes(runs: &[&Run], settings: &StabilitySettings) -> Report {
    let mut counts = Counts::default();
    for mut run in scored(Method::Ours, runs, settings) {
        run.spikes.truncate(1);
        run.last = run.spikes.first().map_or(run.last, |spike| spike.last);
        run.rows.retain(|row| row.step <= run.last);
        counts.add(&run.warned_from(0.0, settings.warning.warning_horizon));
    }
    counts.report()
}

/// How soon entering the edge is told, and how well it was forecast.
fn edges(runs: &[&Run], settings: &StabilitySettings) -> Value {
    let (mut entered, mut after_crossing, mut around_rise) = (0, Vec::new(), Vec::new());
    let (mut forecasts, mut held, mut errors) = (0, 0, Vec::new());
    for run in runs {
        let events = run.replay(settings).events;
        let entry = events.iter().find(|e| matches!(e.kind, EventKind::EdgeEntered { .. }));
        let Some(entry) = entry.map(|event| event.step) else { continue };
        entered += 1;
        let crossing = run.rows.iter().find(|row| row.edge_ratio.is_some_and(|r| r >= 1.0));
        after_crossing.extend(crossing.map(|row| entry as i64 - row.step as i64));
        let losses = run.losses();
        let rise = losses.windows(2).find(|pair| pair[1].1 > pair[0].1);
        around_rise.extend(rise.map(|pair| entry as i64 - pair[1].0 as i64));
        for event in events.iter().filter(|event| event.step < entry) {
            if let EventKind::EdgeForecast { at_step, earliest, latest, .. } = event.kind {
                forecasts += 1;
                let step = entry as f64;
                held += usize::from(earliest <= step && latest.is_none_or(|l| step <= l));
                errors.push((at_step - step).abs() / (step - event.step as f64));
            }
        }
    }
    errors.sort_by(f64::total_cmp);
    after_crossing.sort_unstable();
    around_rise.sort_unstable();
    json!({
        "runs": entered,
        "steps_after_crossing": after_crossing,
        "steps_after_first_rise_of_loss": around_rise,
        "forecasts": forecasts,
        "intervals_that_held": held,
        "median_error_over_distance": errors.get(errors.len() / 2),
    })
}

/// Each run's spikes and warnings.
fn per_run(runs: &[Run], settings: &StabilitySettings) -> Vec<Value> {
    let run = |run: &Run| {
        let replay = run.replay(settings);
        let warnings: Vec<_> =
            replay.events.iter().filter(|event| event.kind.name() == "spike_warning").collect();
        let spikes: Vec<_> = spikes(&run.losses(), &settings.spikes)
            .iter()
            .map(
                |spike| json!({"start": spike.start, "peak": spike.peak, "height": spike.height()}),
            )
            .collect();
        json!({"name": run.name, "last": run.last(), "spikes": spikes, "warnings": warnings})
    };
    runs.iter().map(run).collect()
}

/// How many events of each kind.
fn events(runs: &[&Run], settings: &StabilitySettings) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for event in runs.iter().flat_map(|run| run.replay(settings).events) {
        *counts.entry(event.kind.name()).or_default() += 1;
    }
    counts
}
