//! The scorecard as tables in Markdown.

use std::fmt::Write;

use super::ahead::{At, LEADS};
use super::calibration::Calibration;
use super::coverage::Coverage;
use super::kinds::OfKind;
use super::score::Report;
use super::scorecard::{ByKind, FALSE_ALARMS, OTHER_FALSE_ALARMS, Scorecard};

/// All of them, each under a line that says what it is.
pub fn in_markdown(card: &Scorecard) -> String {
    let parts = [
        methods(card),
        kinds(card),
        recall_by_kind(card),
        loss_spike(card),
        calibration(card),
        coverage("Intervals of `edge_forecast`", &card.edge_forecasts),
        coverage("Intervals of the predicted loss", &card.predicted_losses),
        ahead(card),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

/// A table under a sentence; nothing without rows.
fn table(about: &str, heading: &[String], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rule = "---|".repeat(heading.len());
    let rows: String = rows.iter().map(|row| line(row)).collect();
    format!("{about}\n\n{}|{rule}\n{rows}", line(heading))
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}

fn share(value: Option<f64>) -> String {
    value.map_or("–".to_string(), |value| format!("{value:.2}"))
}

fn lead(report: &Report) -> String {
    report.leads.map_or("–".to_string(), |leads| leads.median.to_string())
}

fn methods(card: &Scorecard) -> String {
    let horizon = card.horizon;
    let (choose, test) = card.runs;
    let Report { spikes, quiet_steps, .. } = card.methods[0].test;
    let first = &card.first_spikes;
    let about = format!(
        "{test} runs with {spikes} spikes and {quiet_steps} quiet steps; bars from {choose} others, for at most \
         {FALSE_ALARMS} false alarms in 1000 quiet steps there. A warning stands for {horizon} steps. Of the \
         first spike of each run {} of {} are warned of ({}).",
        first.warned,
        first.spikes,
        share(first.recall)
    );
    let mut heading =
        words(&["method", "recall", "precision", "false alarms in 1000", "median lead, steps"]);
    heading.extend(OTHER_FALSE_ALARMS.map(|alarms| format!("recall at {alarms}")));
    let rows = card.methods.iter().map(|method| {
        let report = &method.test;
        let shares = [report.recall, report.precision, report.false_alarms_per_1000].map(share);
        let mut row = vec![method.name.to_string()];
        row.extend(shares);
        row.push(lead(report));
        row.extend(method.recall_at.iter().map(|at| share(at.1)));
        row
    });
    table(&about, &heading, &rows.collect::<Vec<_>>())
}

fn kinds(card: &Scorecard) -> String {
    let ours = card.methods[0].name;
    let row = |(kind, own): (&String, &OfKind)| {
        let report = &own.methods[ours];
        let verdict = own.verdict.as_ref().map_or("–".to_string(), |verdict| {
            let theirs = &own.methods[verdict.against];
            let (recall, alarms) = (share(theirs.recall), share(theirs.false_alarms_per_1000));
            format!("{}: {} has {recall} at {alarms}", verdict.ours_is, verdict.against)
        });
        let shares = [report.recall, report.precision, report.false_alarms_per_1000].map(share);
        let mut row = vec![kind.clone(), own.runs.to_string(), report.spikes.to_string()];
        row.extend(shares);
        row.extend([lead(report), verdict]);
        row
    };
    let heading = [
        "kind",
        "runs",
        "spikes",
        "recall",
        "precision",
        "false alarms in 1000",
        "median lead, steps",
        "beside the best simpler one",
    ];
    let rows: Vec<_> = card.kinds.iter().map(row).collect();
    let about = "By kind of run. Ahead or behind: one warns of more spikes than the other, by more than chance \
                 would in 19 of 20 cases.";
    table(about, &words(&heading), &rows)
}

fn recall_by_kind(card: &Scorecard) -> String {
    let mut heading = vec!["method".to_string()];
    let enough = || card.kinds.iter().filter(|(_, own)| own.verdict.is_some());
    heading.extend(enough().map(|(kind, _)| kind.clone()));
    if heading.len() == 1 {
        return String::new();
    }
    let rows = card.methods.iter().map(|method| {
        let cell = |(_, own): (_, &OfKind)| {
            let report = &own.methods[method.name];
            format!("{} ({})", share(report.recall), share(report.false_alarms_per_1000))
        };
        std::iter::once(method.name.to_string()).chain(enough().map(cell)).collect::<Vec<_>>()
    });
    let about =
        "Recall, and false alarms in 1000, of each method on kinds with ten spikes and more.";
    table(about, &heading, &rows.collect::<Vec<_>>())
}

/// Rows for all runs and for each kind.
fn by_kind<T>(of: &ByKind<T>, cells: impl Fn(&T) -> Vec<String>) -> Vec<Vec<String>> {
    let row = |name: &str, own: &T| {
        std::iter::once(name.to_string()).chain(cells(own)).collect::<Vec<_>>()
    };
    let kinds = of.kinds.iter().map(|(kind, own)| row(kind, own));
    std::iter::once(row("all", &of.all)).chain(kinds).collect()
}

fn loss_spike(card: &Scorecard) -> String {
    let rows = by_kind(&card.loss_spike, |own| {
        let counts = [own.spikes, own.found, own.events, own.right].map(|n| n.to_string());
        counts.into_iter().chain([own.recall, own.precision].map(share)).collect()
    });
    let heading = ["kind", "spikes", "found", "events", "right", "recall", "precision"];
    table("The event `loss_spike` against spikes in hindsight.", &words(&heading), &rows)
}

fn calibration(card: &Scorecard) -> String {
    let mut text = String::new();
    for stated in &card.probabilities {
        let (name, horizon) = (stated.name, stated.horizon);
        let Some(all) = &stated.calibration.all else { continue };
        let about =
            format!("Probability of a spike within {horizon} steps ({name}): what followed.");
        let bins = all.bins.iter().filter(|bin| bin.rows > 0).map(|bin| {
            let between = format!("{} to {}", bin.from, bin.to);
            let of = |value: Option<f64>| value.map_or("–".to_string(), |v| format!("{v:.3}"));
            vec![between, bin.rows.to_string(), of(bin.predicted), of(bin.observed)]
        });
        let heading = words(&["probability", "rows", "mean", "share with a spike"]);
        let bins: Vec<_> = bins.collect();
        let _ = writeln!(text, "{}", table(&about, &heading, &bins));
        let scores = by_kind(&stated.calibration, |own| own.as_ref().map_or_else(no_scores, brier));
        let about = format!(
            "Brier score of that probability ({name}), and of the base rate of the same rows."
        );
        let heading =
            ["kind", "rows", "share with a spike", "Brier score", "of the base rate", "skill"];
        let _ = writeln!(text, "{}", table(&about, &words(&heading), &scores));
    }
    text.trim_end().to_string() + if text.is_empty() { "" } else { "\n" }
}

fn no_scores() -> Vec<String> {
    let mut cells = vec!["–".to_string(); 5];
    cells[0] = "0".to_string();
    cells
}

fn brier(own: &Calibration) -> Vec<String> {
    let numbers = [own.base_rate, own.brier, own.brier_of_base_rate].map(|v| format!("{v:.4}"));
    std::iter::once(own.rows.to_string()).chain(numbers).chain([share(own.skill)]).collect()
}

fn coverage(about: &str, of: &ByKind<Coverage>) -> String {
    if of.all.told == 0 {
        return String::new();
    }
    let rows = by_kind(of, |own| {
        let counts = [own.told, own.held, own.below, own.above].map(|n| n.to_string());
        counts.into_iter().chain([share(own.share)]).collect()
    });
    let heading = ["kind", "told", "held", "came below", "came above", "share"];
    table(&format!("{about}."), &words(&heading), &rows)
}

fn ahead(card: &Scorecard) -> String {
    let Some(first) = card.ahead.first() else { return String::new() };
    let lines = |what: &str, of: &dyn Fn(&super::ahead::Ahead) -> Vec<At>| {
        if of(first).iter().all(|at| at.spikes == 0) {
            return String::new();
        }
        let mut heading = words(&["signal", "runs", "false alarms in 1000"]);
        heading.extend(LEADS.map(|lead| format!("{lead}")));
        let rows = card.ahead.iter().map(|ahead| {
            let cell = |at: At| match at.spikes {
                0 => "–".to_string(),
                spikes => format!("{} of {spikes}", share(at.recall)),
            };
            let head = [
                ahead.name.to_string(),
                ahead.runs.to_string(),
                share(ahead.false_alarms_per_1000),
            ];
            head.into_iter().chain(of(ahead).into_iter().map(cell)).collect::<Vec<_>>()
        });
        table(what, &heading, &rows.collect::<Vec<_>>())
    };
    let spikes = lines(
        "Share of the spikes of runs whose rate rises that were told of at least so many steps before, of \
         those with as many steps since the spike before.",
        &|ahead| ahead.at.clone(),
    );
    let divergences = lines("The same of divergences.", &|ahead| ahead.divergences.clone());
    [spikes, divergences].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}
