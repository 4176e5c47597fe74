//! Scores spike warnings on stored runs, beside simpler warnings.
//!
//! Takes a folder of run directories, such as `scripts/runs_for_warnings.py` makes, named
//! PART-KIND-NUMBER-seed-S. The parts share no setting: the spike models' weights are fitted to `tune`
//! (with `--fit`), each method's bar is chosen on `choose` (the best recall at no more than two false alarms in 1000 quiet
//! steps), `test` is what they are scored on. Spikes are told in hindsight, by a rule of its own. Prints a line for each
//! method; everything else goes to files:
//!
//! ```sh
//! cargo run --release --example evaluate_warnings -- runs/warnings --json warnings.json --markdown warnings.md
//! ```

mod evaluation;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde_json::json;
use sharpscope::stability::StabilitySettings;

use evaluation::runs::{Part, Run, read_runs};
use evaluation::score::Report;
use evaluation::scorecard::{FALSE_ALARMS, Scorecard, watched};
use evaluation::{ours, tables};

#[derive(Parser)]
struct Arguments {
    /// Folder of run directories
    runs: PathBuf,
    /// Fit weights to the part 'tune' and choose bars on 'choose', instead of scoring the ones that are given
    #[arg(long)]
    fit: bool,
    /// JSON with constants other than the defaults
    #[arg(long)]
    settings: Option<PathBuf>,
    /// Write everything to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write tables to this file
    #[arg(long)]
    markdown: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runs = read_runs(&arguments.runs)?;
    let mut settings = read_settings(arguments.settings.as_deref())?;
    if arguments.fit {
        settings = fitted(&runs, &settings)?;
        println!("{}", ours::described(&settings.warning)?);
    }
    let card = Scorecard::of(&runs, &settings)?;
    println!("{} runs chose bars, {} score them", card.runs.0, card.runs.1);
    println!("{}", heading());
    for method in &card.methods {
        println!("{}", line(method.name, method.bar, &method.choose, &method.test));
    }
    if let Some(file) = &arguments.json {
        let all = json!({ "settings": settings, "scores": card });
        write(file, &(serde_json::to_string_pretty(&all)? + "\n"))?;
    }
    if let Some(file) = &arguments.markdown {
        write(file, &tables::in_markdown(&card))?;
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// The settings in a file, or the defaults.
fn read_settings(file: Option<&Path>) -> Result<StabilitySettings> {
    let settings: StabilitySettings = match file {
        Some(file) => std::fs::read_to_string(file)
            .map_err(anyhow::Error::from)
            .and_then(|text| Ok(serde_json::from_str(&text)?))
            .with_context(|| format!("cannot read settings from {}", file.display()))?,
        None => StabilitySettings::default(),
    };
    settings.validate()?;
    Ok(settings)
}

/// Weights of one part, bars of another.
fn fitted(runs: &[Run], settings: &StabilitySettings) -> Result<StabilitySettings> {
    let tune = watched(runs, Part::Tune, settings);
    if tune.is_empty() {
        bail!("--fit needs runs of the part 'tune'");
    }
    let weighted = ours::with_weights(&tune, settings)?;
    ours::with_bars(&watched(runs, Part::Choose, &weighted), &weighted, FALSE_ALARMS)
}

fn heading() -> String {
    format!(
        "{:<32} {:>9} | {:>9} {:>9} | {:>6} {:>6} {:>9} {:>6} {:>9}  {}",
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

fn line(name: &str, bar: f64, choose: &Report, test: &Report) -> String {
    let share = |value: Option<f64>| value.map_or("-".to_string(), |v| format!("{v:.2}"));
    let leads = test.leads.map_or("-".to_string(), |l| {
        let (least, low, median) = (l.least, l.lower_quartile, l.median);
        format!("{least}/{low}/{median}/{}/{}", l.upper_quartile, l.most)
    });
    format!(
        "{name:<32} {bar:>9.4} | {:>9} {:>9} | {:>6} {:>6} {:>9} {:>6} {:>9}  {leads}",
        share(choose.recall),
        share(choose.false_alarms_per_1000),
        test.spikes,
        share(test.recall),
        share(test.precision),
        test.false_alarms,
        share(test.false_alarms_per_1000),
    )
}
