//! `sharpscope landscape average`.

use serde_json::json;

use super::args::AverageArgs;
use super::{describe, tell};
use crate::cli::logging::Terminal;
use crate::experiment::landscape::average::{Item, Measured, Request, write};
use crate::experiment::landscape::{Compared, Output};
use crate::record::short;

/// Averages, measures, prints and writes; returns the exit code.
pub(super) fn average(args: &AverageArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    let request = Request {
        kinds: args.kind.clone(),
        start: args.start,
        every: args.every,
        last: args.last,
        decay: args.decay,
        top: args.top,
        strangers: args.strangers,
    };
    let kinds = request.kinds(args.runs.len())?;
    let (out, force) = (args.result.out.as_deref(), args.result.force);
    Output::check(out, force)?;
    let mut compared = Compared::open(&args.runs, args.result.backend)?;
    let measured = request.measure(&mut compared)?;
    describe(&compared, terminal);
    let mut described = compared.described()?;
    described["settings"] = json!({
        "kinds": kinds,
        "start": request.start,
        "every": request.every,
        "last": request.last,
        "decay": request.decay,
        "top": request.top,
        "strangers": request.strangers,
    });
    let mut output = Output::create(out, force, "average", &described)?;
    write(&mut output, &compared, &measured, &request)?;
    let path = output.finish()?;
    tell(&args.result, &path, || report(&measured), terminal)?;
    Ok(0)
}

/// A table: the members of a soup, or the last checkpoint, and the averages.
fn report(measured: &Measured) -> Vec<String> {
    let shown = match measured.soup {
        true => &measured.members[..],
        false => &measured.members[measured.members.len().saturating_sub(1)..],
    };
    let name = |item: &Item| match item.count {
        0 => item.name.clone(),
        count => format!("{} of {count}", item.name),
    };
    let items = || shown.iter().chain(&measured.averages);
    let width = items().map(|item| name(item).chars().count()).max().unwrap_or(0).max(8);
    let mut lines = vec![format!(
        "{:width$}  {:>10}  {:>8}  {:>10}  {:>8}  {:>10}  {:>8}",
        "", "train loss", "accuracy", "val loss", "accuracy", "sharpness", "residual"
    )];
    let share = |x: Option<f64>| x.map_or("-".to_string(), |x| format!("{:.2}%", 100.0 * x));
    let value = |x: Option<f64>| x.map_or("-".to_string(), short);
    for item in items() {
        let (train, validation) = (item.values.train, item.values.validation);
        let found = item.sharpness.as_ref();
        let residual = found.and_then(|s| s.residual.first().copied());
        lines.push(format!(
            "{:width$}  {:>10}  {:>8}  {:>10}  {:>8}  {:>10}  {:>8}",
            name(item),
            short(train.loss),
            share(train.accuracy),
            value(validation.map(|v| v.loss)),
            share(validation.and_then(|v| v.accuracy)),
            value(found.and_then(|s| s.lambda.first().copied())),
            residual.map_or("-".to_string(), |r| format!("{r:.0e}"))
        ));
    }
    lines.push(
        "networks here have no batch normalisation, so that no statistics are to be made anew"
            .to_string(),
    );
    lines.extend(measured.remarks.iter().map(|remark| format!("note       {remark}")));
    lines
}
