//! `sharpscope landscape basins`.

use serde_json::json;

use super::args::BasinsArgs;
use super::describe;
use crate::cli::logging::Terminal;
use crate::experiment::landscape::basins::{
    Ending, Map, Mapped, Shared, Sharing, write_map, write_shared,
};
use crate::experiment::landscape::{Compared, Output};
use crate::record::short;

/// Measures, prints and writes; returns the exit code.
pub(super) fn basins(args: &BasinsArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    let (out, force) = (args.result.out.as_deref(), args.result.force);
    let map = Map {
        which: args.which.clone(),
        points: args.points,
        center: args.center.clone(),
        half_width: args.range,
        steps: args.steps,
    };
    let sharing = Sharing { points: args.points, barrier: args.barrier };
    let several = args.runs.len() > 1;
    if several {
        sharing.check()?;
    }
    Output::check(out, force)?;
    let mut compared = Compared::open(&args.runs, args.result.backend)?;
    if !several {
        map.check(&compared)?;
    }
    describe(&compared, terminal);
    let names: Vec<String> = compared.members.iter().map(|member| member.name.clone()).collect();
    let mut described = compared.described()?;
    let lines = match several {
        true => {
            let shared = sharing.find(&mut compared)?;
            described["settings"] = json!({ "points": args.points, "barrier": args.barrier });
            let mut output = Output::create(out, force, "basins", &described)?;
            write_shared(&mut output, &names, &shared, sharing)?;
            report_shared(&shared, &names, output.finish()?)
        }
        false => {
            let mapped = map.make(&mut compared)?;
            described["settings"] = json!({
                "which": args.which, "points": args.points, "center": args.center,
                "range": args.range, "steps": mapped.steps
            });
            let mut output = Output::create(out, force, "basins", &described)?;
            write_map(&mut output, &names[0], &mapped, &map)?;
            report_map(&mapped, output.finish()?)
        }
    };
    lines.iter().for_each(|line| terminal.result(line));
    Ok(0)
}

fn report_map(mapped: &Mapped, path: std::path::PathBuf) -> Vec<String> {
    let all = mapped.starts.len();
    let mut lines: Vec<String> = mapped
        .minima
        .iter()
        .enumerate()
        .take(20)
        .map(|(number, minimum)| {
            let at = minimum.at.iter().take(4).map(|&x| short(x)).collect::<Vec<_>>().join(", ");
            let more = if minimum.at.len() > 4 { ", …" } else { "" };
            format!(
                "{} {}  loss {} at ({at}{more}), sharpness {}, {} of {all} starts{}",
                minimum.kind(),
                number + 1,
                short(minimum.loss),
                minimum.sharpness.map_or("-".to_string(), short),
                minimum.starts,
                match minimum.extent > 0.05 {
                    true => format!(", a set that reaches {} farther", short(minimum.extent)),
                    false => String::new(),
                }
            )
        })
        .collect();
    lines.push(format!(
        "starts     {} settled, {} still moving after {} steps, {} diverged",
        mapped.count(Ending::Settled),
        mapped.count(Ending::Moving),
        mapped.steps,
        mapped.count(Ending::Diverged)
    ));
    lines.push(format!("written    {}", path.display()));
    lines
}

fn report_shared(shared: &Shared, names: &[String], path: std::path::PathBuf) -> Vec<String> {
    let pair = |pair: &crate::experiment::landscape::basins::Pair| {
        format!(
            "{} and {}: {}, {}loss barrier {}, {} apart",
            names[pair.from],
            names[pair.to],
            if pair.shared { "one basin" } else { "two basins" },
            pair.error_barrier.map_or(String::new(), |error| {
                format!("error barrier {:.2} points, ", 100.0 * error)
            }),
            short(pair.loss_barrier),
            short(pair.distance)
        )
    };
    let mut lines: Vec<String> = shared.pairs.iter().map(pair).collect();
    for (number, group) in shared.groups.iter().enumerate() {
        let group: Vec<&str> = group.iter().map(|&run| names[run].as_str()).collect();
        lines.push(format!("basin {}    {}", number + 1, group.join(", ")));
    }
    lines.push(format!("written    {}", path.display()));
    lines
}
