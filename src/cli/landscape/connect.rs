//! `sharpscope landscape connect`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::args::ResultArgs;
use super::{barrier_line, describe, tell};
use crate::cli::counted::Counted;
use crate::cli::doctor::finding_line;
use crate::cli::flags::{Read, settings_of};
use crate::cli::logging::Terminal;
use crate::cli::signals::watch_for_interrupts;
use crate::experiment::landscape::connect::{
    Connected, Connection, Descending, Measured, Method, write,
};
use crate::experiment::landscape::{Compared, Output};
use crate::landscape::curve::Descent;
use crate::names::Choice;
use crate::record::{ExitStatus, short};

/// Arguments of `landscape connect`.
#[derive(Debug, Args)]
#[command(
    after_help = "Flags of 'run' behind -- say how the curve is trained: the optimizer and its \
                        numbers, the learning rate and its schedule, --batch-size, --steps and --seed \
                        [default: adam, lr 0.005, schedule cosine, 2000 steps (1000 for neb), full batch]. \
                        --weight-decay is that of the curve's weights."
)]
pub(in crate::cli) struct ConnectArgs {
    /// The run that the curve starts from, RUN or RUN@STEP
    #[arg(value_name = "A")]
    pub from: PathBuf,
    /// The run that it goes to
    #[arg(value_name = "B")]
    pub to: PathBuf,
    /// What is found: bezier, polychain, or neb, a nudged elastic band
    #[arg(long, value_name = Method::BARRED, value_parser = Read::<Method>::new(),
          hide_possible_values = true, default_value = "bezier")]
    pub curve: Method,
    /// Free control points; of a band, pivots at first [default: 1, and 3 for neb]
    #[arg(long, value_name = "N")]
    pub bends: Option<usize>,
    /// Rounds of a band's relaxation, between which pivots are inserted
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub cycles: usize,
    /// Points at which the curve is measured, its ends among them
    #[arg(long, value_name = "N", default_value_t = 61)]
    pub points: usize,
    /// Hessian eigenvalues to follow along the curve; 0 for none
    #[arg(long, value_name = "K", default_value_t = 1)]
    pub top: usize,
    #[command(flatten)]
    pub result: ResultArgs,
    /// How the curve is trained, as flags of 'run'
    #[arg(last = true, value_name = "FLAGS", allow_hyphen_values = true)]
    pub training: Vec<String>,
}

/// Trains, measures, prints and writes; returns the exit code.
pub(super) fn connect(args: &ConnectArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    let descending = Descending::of(settings_of(&args.training)?, args.curve)?;
    let asked = Connection {
        method: args.curve,
        bends: args.bends.unwrap_or(if args.curve == Method::Neb { 3 } else { 1 }),
        cycles: args.cycles,
        points: args.points,
        top: args.top,
        descending,
    };
    asked.check(2)?;
    let (out, force) = (args.result.out.as_deref(), args.result.force);
    Output::check(out, force)?;
    let runs = [args.from.clone(), args.to.clone()];
    let mut compared = Compared::open(&runs, args.result.backend)?;
    asked.check_samples(&compared)?;
    describe(&compared, terminal);
    let interrupted = watch_for_interrupts();
    let mut progress = Counted::start(terminal, "step", asked.descending.steps);
    let found = asked.find(&mut compared, &interrupted, &mut |step| {
        progress.show(step.step + 1, || format!("loss on the curve {}", short(step.loss)));
    })?;
    progress.end();
    let mut described = compared.described()?;
    described["settings"] = settings(&asked);
    let mut output = Output::create(out, force, "connect", &described)?;
    write(&mut output, &compared, &asked, &found)?;
    let path = output.finish()?;
    tell(&args.result, &path, || report(&asked, &found), terminal)?;
    Ok(match found.trained.end {
        Descent::Completed => 0,
        Descent::Diverged => ExitStatus::Diverged.code(),
        Descent::Stopped => ExitStatus::Interrupted.code(),
    })
}

fn settings(asked: &Connection) -> serde_json::Value {
    let Descending { optimizer, decay, schedule, steps, batch_size, seed } = &asked.descending;
    json!({
        "curve": asked.method,
        "bends": asked.bends,
        "cycles": (asked.method == Method::Neb).then_some(asked.cycles),
        "points": asked.points,
        "top": asked.top,
        "training": {
            "optimizer": optimizer,
            "weight_decay": decay,
            "schedule": schedule,
            "steps": steps,
            "batch_size": batch_size,
            "seed": seed,
        },
    })
}

fn report(asked: &Connection, found: &Connected) -> Vec<String> {
    let of = |name: &str, path: &Measured| {
        let measures = &path.measures;
        let sharpness = match (measures.max_sharpness, measures.sharpness_over_length) {
            (Some(most), Some(mean)) => {
                format!(", sharpness at most {}, {} over arc length", short(most), short(mean))
            }
            _ => String::new(),
        };
        format!(
            "{name:<10}  length {}, training loss {} to {}, {} over t, {} over arc length{sharpness}",
            short(measures.length),
            short(measures.min_loss),
            short(measures.max_loss),
            short(measures.mean_over_t),
            short(measures.mean_over_length),
        )
    };
    let mut lines = vec![of("line", &found.line), of(asked.method.name(), &found.path)];
    for (name, path) in [("line", &found.line), ("curve", &found.path)] {
        lines.push(barrier_line(&format!("{name} train"), &path.train));
        lines.extend(path.validation.map(|b| barrier_line(&format!("{name} val"), &b)));
    }
    lines.extend(found.findings.iter().map(finding_line));
    lines
}
