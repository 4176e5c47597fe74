//! Checks of what was logged.

use statrs::statistics::{Data, OrderStatistics};

use super::{Finding, Run, Verdict};
use crate::config::RunConfig;
use crate::record::{ExitStatus, StepRow};

/// The median of the relative update is sane within these: less is lost in the rounding of single
/// precision after some thousand steps, more changes every weight by a tenth at each.
const SANE_UPDATES: [f64; 2] = [1e-6, 0.1];

/// How the run ended.
pub(super) fn ending(run: &Run<'_>) -> Finding {
    let rows = run.rows.len();
    let wanted = run.config.as_ref().ok().map(|config| config.steps);
    let head = run.stored.head();
    let code = head.and_then(|head| head.exit_code);
    let error = head.and_then(|head| head.error.as_deref()).unwrap_or("no reason is recorded");
    let status = run.stored.summary().map(|summary| summary.status);
    let stopped = status == Some(ExitStatus::StoppedOnWarning);
    let complete = wanted.is_none_or(|wanted| rows == wanted);
    if let Some(step) = run.stored.named_step() {
        let of = wanted.map_or_else(String::new, |wanted| format!(" of {wanted}"));
        let text = format!("looked at as it stood at step {step}{of}; its end is not judged");
        return Finding::new("ending", Verdict::NotKnown, rows as f64, text);
    }
    let text = match code {
        Some(0) if stopped => {
            format!("a spike warning ended it after {rows} steps, as it was told to")
        }
        Some(0) if complete => format!("{rows} steps, ended by itself"),
        Some(0) => format!("steps.csv has {rows} of {} steps", wanted.unwrap_or(0)),
        Some(3) => format!("training diverged after {rows} steps"),
        Some(130) => format!("stopped by the user after {rows} steps; go on with run --resume"),
        Some(_) => format!("it failed after {rows} steps: {error}"),
        None => format!("under way, or killed after {rows} steps"),
    };
    Finding::judged("ending", code == Some(0) && complete && !stopped, rows as f64, text)
}

/// What rows and events alone say.
pub(super) fn findings(run: &Run<'_>) -> Vec<Finding> {
    vec![
        norms(run),
        update_size(run),
        raw_curves(run),
        eigenvalues(run),
        threshold(run),
        realized(run),
        precision(run),
    ]
}

fn norms(run: &Run<'_>) -> Finding {
    const CHECK: &str = "norms";
    let complete = |row: &&StepRow| {
        [row.grad_norm, row.update_norm, row.param_norm].iter().all(Option::is_some)
    };
    let logged = run.rows.iter().filter(complete).count();
    let text = format!(
        "grad_norm, update_norm and param_norm are Euclidean, over all parameters; all three are \
         logged at {logged} of {} steps",
        run.rows.len()
    );
    Finding::judged(CHECK, logged > 0, share(logged, run.rows.len()), text)
}

fn update_size(run: &Run<'_>) -> Finding {
    const CHECK: &str = "update_size";
    let measured: Vec<f64> = run.rows.iter().filter_map(|row| row.relative_update).collect();
    let sizes: Vec<f64> = measured.iter().copied().filter(|size| size.is_finite()).collect();
    let lost = measured.len() - sizes.len();
    if sizes.is_empty() {
        let text = format!("no finite update was measured ({lost} others)");
        return Finding::new(CHECK, Verdict::NotKnown, None, text);
    }
    let mut sizes = Data::new(sizes);
    let (median, most) = (sizes.median(), sizes.quantile(0.99));
    let [low, high] = SANE_UPDATES;
    let sane = (low..=high).contains(&median) && lost == 0;
    let text = format!(
        "relative update (update_norm / param_norm): median {median:.1e}, 99% below {most:.1e}; \
         sane is {low:.0e} to {high:.0e}{}",
        if lost > 0 { format!("; {lost} are not finite") } else { String::new() }
    );
    Finding::judged(CHECK, sane, median, text)
}

fn raw_curves(run: &Run<'_>) -> Finding {
    const CHECK: &str = "raw_curves";
    let Some(last) = run.rows.last().map(|row| row.step) else {
        return Finding::new(CHECK, Verdict::NotKnown, None, "the table has no row");
    };
    let measured = run.rows.iter().filter(|row| row.sharpness.is_some()).count();
    let whole = run.rows.iter().enumerate().all(|(index, row)| row.step == index);
    let text = match (whole, run.stored.table()) {
        (true, Err(error)) => {
            return Finding::judged(CHECK, false, measured as f64, error.to_string());
        }
        (true, Ok(_)) => format!(
            "table and pictures hold each of {} steps as measured, none smoothed; sharpness at \
             {measured} of them",
            run.rows.len()
        ),
        (false, _) => {
            format!(
                "steps.csv has {} of the {} steps up to the last",
                run.rows.len(),
                last.saturating_add(1)
            )
        }
    };
    Finding::judged(CHECK, whole, measured as f64, text)
}

fn eigenvalues(run: &Run<'_>) -> Finding {
    const CHECK: &str = "eigenvalues";
    let measured: Vec<&StepRow> = run.rows.iter().filter(|row| row.converged.is_some()).collect();
    if measured.is_empty() {
        return Finding::new(CHECK, Verdict::NotKnown, None, "no eigenvalue was measured");
    }
    let open = measured.iter().filter(|row| row.converged == Some(false)).count();
    let residuals = measured.iter().filter_map(|row| row.residual);
    let residual = residuals.max_by(f64::total_cmp).unwrap_or(0.0);
    let repaired = run.count("curvature_repaired");
    let text = format!(
        "{} of {} measurements converged, largest residual {residual:.1e}; audits found another \
         eigenvalue {repaired} times{}",
        measured.len() - open,
        measured.len(),
        match (open, repaired) {
            (0, 0) => "",
            (0, _) => "; audit more often (--audit-every)",
            _ => "; raise --max-iterations",
        }
    );
    Finding::judged(CHECK, open == 0 && repaired == 0, residual, text)
}

fn threshold(run: &Run<'_>) -> Finding {
    const CHECK: &str = "threshold";
    let known = run.rows.iter().filter(|row| row.edge_ratio.is_some()).count();
    match known {
        0 => {
            let text = "no stability threshold is known for this optimizer, or none was measured";
            Finding::new(CHECK, Verdict::NotKnown, 0.0, text)
        }
        known => {
            let text = format!(
                "sharpness over threshold at {known} steps; the threshold is the local quadratic's{}",
                match run.config.as_ref().ok().and_then(RunConfig::decay) {
                    Some(_) => ", which training may stay well below under weight decay",
                    None => "",
                }
            );
            Finding::new(CHECK, Verdict::Pass, known as f64, text)
        }
    }
}

/// What the sharpness over the threshold is worth is seen beside the curvature that updates met. A ratio
/// below 1 is none of the faults of a run, with weight decay least of all, under which the sharpness may
/// settle well below the threshold.
fn realized(run: &Run<'_>) -> Finding {
    const CHECK: &str = "realized_edge";
    let ratios: Vec<f64> = run.rows.iter().filter_map(|row| row.realized_ratio).collect();
    let ascents = run.rows.iter().filter(|row| row.step_is_ascent == Some(true)).count();
    if ratios.is_empty() {
        let text = "no realized ratio was measured (--realized step)";
        return Finding::new(CHECK, Verdict::NotKnown, None, text);
    }
    let above = ratios.iter().filter(|ratio| **ratio >= 1.0).count();
    let of_edge = |row: &&StepRow| {
        row.realized_ratio.is_some() && row.edge_ratio.is_some_and(|ratio| ratio >= 1.0)
    };
    let beyond: Vec<&StepRow> = run.rows.iter().filter(of_edge).collect();
    let both = beyond.iter().filter(|row| row.realized_ratio.is_some_and(|r| r >= 1.0)).count();
    let text = format!(
        "on a local quadratic {above} of {} measured updates raise the loss that they descend, and \
         {ascents} more ascend from the start; of {} of them beyond the threshold {both} do",
        ratios.len(),
        beyond.len()
    );
    Finding::new(CHECK, Verdict::Pass, share(above, ratios.len()), text)
}

fn precision(run: &Run<'_>) -> Finding {
    let suspect = run.count("precision_suspect");
    let text = match suspect {
        0 => "no step looks like rounding".to_string(),
        n => format!("{n} events say that numbers are near rounding; try --precision f64"),
    };
    Finding::judged("precision", suspect == 0, suspect as f64, text)
}

pub(super) fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
