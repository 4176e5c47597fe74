//! `sharpscope landscape slice`.

use serde_json::json;

use super::args::SliceArgs;
use super::{describe, tell};
use crate::cli::counted::Counted;
use crate::cli::logging::Terminal;
use crate::experiment::landscape::slice::{Axis, Measured, Request, write};
use crate::experiment::landscape::{Compared, Output};
use crate::record::short;

/// Measures, prints and writes; returns the exit code.
pub(super) fn slice(args: &SliceArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    let request = Request {
        along: args.along.unwrap_or_default(),
        dimensions: args.dimensions,
        which: args.which.clone(),
        points: args.points,
        range: args.range,
        rise: args.rise,
        seed: args.seed,
    };
    request.check(args.runs.len())?;
    let (out, force) = (args.result.out.as_deref(), args.result.force);
    Output::check(out, force)?;
    let mut compared = Compared::open(&args.runs, args.result.backend)?;
    request.check_against(&compared)?;
    describe(&compared, terminal);
    let mut progress = Counted::start(terminal, "row", request.rows());
    let measured = request.measure(&mut compared, |row| progress.show(row, || "losses".into()))?;
    progress.end();
    let mut described = compared.described()?;
    described["settings"] = json!({
        "along": request.along,
        "dimensions": request.dimensions,
        "which": request.which,
        "points": request.points,
        "range": request.range,
        "rise": request.rise,
        "seed": request.seed,
    });
    let mut output = Output::create(out, force, "slice", &described)?;
    write(&mut output, &measured, &request)?;
    let path = output.finish()?;
    tell(&args.result, &path, || report(&measured), terminal)?;
    Ok(0)
}

fn report(measured: &Measured) -> Vec<String> {
    let slice = &measured.slice;
    let mut lines = vec![format!(
        "center     {}, training loss {}",
        slice.center_name,
        short(slice.center_loss)
    )];
    lines.extend(slice.axes.iter().map(axis_line));
    let losses = || measured.cuts.iter().flat_map(|cut| &cut.values).map(|v| v.train.loss);
    let (low, high) = losses().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), loss| {
        (low.min(loss), high.max(loss))
    });
    lines.push(format!(
        "loss       {} to {} at {} points",
        short(low),
        short(high),
        losses().count()
    ));
    lines.extend(
        slice.cosine.map(|cosine| format!("cosine     {cosine:.1e} between the directions")),
    );
    let farthest = slice.marks.iter().map(|mark| mark.off).fold(0.0, f64::max);
    if farthest > 1e-9 {
        lines.push(format!("off plane  points are up to {} away from it", short(farthest)));
    }
    lines.extend(slice.remarks.iter().map(|remark| format!("note       {remark}")));
    lines
}

fn axis_line(axis: &Axis) -> String {
    let ends = format!("{} to {}", short(axis.ends.0), short(axis.ends.1));
    match (axis.eigenvalue, axis.second_difference) {
        (Some(eigenvalue), Some(difference)) => format!(
            "{}: eigenvalue {} (residual {:.0e}), by second differences of the loss {} ({:+.2}%), {ends}",
            axis.name,
            short(eigenvalue),
            axis.residual.unwrap_or(f64::NAN),
            short(difference),
            100.0 * (difference / eigenvalue - 1.0)
        ),
        _ => format!("{}: {ends}", axis.name),
    }
}
