//! `sharpscope landscape interpolate`.

use serde_json::json;

use super::args::InterpolateArgs;
use super::{barrier_line, describe, tell};
use crate::cli::logging::Terminal;
use crate::experiment::landscape::interpolate::{
    Interpolation, MeasuredLine, start_and_end, write,
};
use crate::experiment::landscape::{Compared, Output};
use crate::record::short;

/// Measures, prints and writes; returns the exit code.
pub(super) fn interpolate(args: &InterpolateArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    let runs = match &args.init_to_final {
        Some(run) => start_and_end(run)?,
        None => args.runs.clone(),
    };
    let from_start = args.init_to_final.is_some();
    let asked = Interpolation {
        points: args.points,
        top: args.top,
        audit_every: args.audit_every,
        from_start,
    };
    asked.check(runs.len())?;
    let (out, force) = (args.result.out.as_deref(), args.result.force);
    Output::check(out, force)?;
    let mut compared = Compared::open(&runs, args.result.backend)?;
    describe(&compared, terminal);
    let lines = asked.measure(&mut compared, |done, all| {
        if all > 1 {
            terminal.note(&format!("line {done} of {all}"));
        }
    })?;
    let mut described = compared.described()?;
    described["settings"] = json!({ "points": args.points, "top": args.top, "audit_every": args.audit_every, "init_to_final": from_start });
    let names: Vec<String> = compared.members.iter().map(|member| member.name.clone()).collect();
    let mut output = Output::create(out, force, "interpolate", &described)?;
    write(&mut output, &names, &lines, asked)?;
    let path = output.finish()?;
    let report = || lines.iter().flat_map(|line| report(line, &names, from_start)).collect();
    tell(&args.result, &path, report, terminal)?;
    Ok(0)
}

fn report(line: &MeasuredLine, names: &[String], from_start: bool) -> Vec<String> {
    let mut lines =
        vec![format!("{} to {}, {} apart", names[line.from], names[line.to], short(line.length()))];
    lines.push(barrier_line("training", &line.train));
    lines.extend(line.validation.map(|barriers| barrier_line("validation", &barriers)));
    let found = || line.points.iter().filter_map(|point| point.sharpness.as_ref());
    let first = |s: &crate::landscape::Sharpness| s.lambda.first().copied();
    if let (Some(from), Some(to)) =
        (found().next().and_then(first), found().next_back().and_then(first))
    {
        let peak = found().filter_map(first).fold(f64::NEG_INFINITY, f64::max);
        let residual = found().flat_map(|s| &s.residual).copied().fold(0.0, f64::max);
        let hvps: usize = found().map(|s| s.products).sum();
        lines.push(format!(
            "sharpness   {} -> {}, at most {} between (residuals up to {residual:.0e}, {hvps} \
             Hessian-vector products)",
            short(from),
            short(to),
            short(peak)
        ));
    }
    if from_start {
        lines.push(match line.monotone() {
            (true, _) => "monotone    yes: the training loss only falls along the line".to_string(),
            (false, rise) => {
                format!("monotone    no: the training loss rises by {} on the way", short(rise))
            }
        });
    }
    lines
}
