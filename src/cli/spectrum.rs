//! `sharpscope spectrum`.

use serde_json::json;

use super::args::SpectrumArgs;
use super::logging::Terminal;

use crate::curvature::Flatness;
use crate::error::Error;
use crate::experiment::spectrum::{Measurement, Request, measure};
use crate::linalg::Estimate;
use crate::record::short;
use crate::rundir::{StoredRun, spectrum_json, write_spectrum};

/// Measures, prints and writes; returns the exit code.
pub(super) fn spectrum(args: SpectrumArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    let request = Request {
        step: args.step,
        probes: args.probes,
        iterations: args.iterations,
        sigma: args.sigma,
        matrix: args.matrix.unwrap_or_default(),
        preconditioned: args.preconditioned,
        parameters: args.parameters,
        top: args.top.unwrap_or(1),
        layers: args.layers,
        flatness: args.flatness,
        reparametrize: args.reparametrize,
        backend: args.backend,
    };
    request.check()?;
    let run = StoredRun::open(&args.run)?;
    let directory = run.directory();
    let stem = request.stem(&run)?;
    if !args.force && directory.file(&format!("{stem}.csv")).exists() {
        let problem = format!("{stem}.csv is there already");
        let remedy = "replace it with --force";
        let path = directory.path().to_path_buf();
        return Err(Error::Output { path, problem, remedy: remedy.to_string() }.into());
    }
    let measured = measure(&run, &request)?;
    let more = json!({
        "layers": measured.layers, "flatness": measured.flatness, "rescaled": measured.rescaled
    });
    let label = measured.formula.as_deref().unwrap_or("threshold");
    write_spectrum(directory, &measured.spectrum, label, &more)?;
    if args.json {
        let mut numbers = spectrum_json(&measured.spectrum);
        if let Some(numbers) = numbers.as_object_mut() {
            numbers.extend(more.as_object().cloned().unwrap_or_default());
            numbers.insert("written".to_string(), json!(directory.file(&stem)));
        }
        terminal.json(&numbers)?;
        return Ok(0);
    }
    for line in lines(&measured) {
        terminal.result(&line);
    }
    terminal.result(&format!(
        "written         {}.csv, .json, .svg, .png",
        directory.file(&stem).display()
    ));
    Ok(0)
}

/// Brackets of masses wider than this are spoken of.
const WIDE: f64 = 0.1;

/// The value and its standard error, two of which cover 95%.
fn shown(estimate: Estimate) -> String {
    match estimate.standard_error {
        Some(error) => format!("{} ± {}", short(estimate.value), short(error)),
        None => short(estimate.value),
    }
}

fn lines(measured: &Measurement) -> Vec<String> {
    let spectrum = &measured.spectrum;
    let largest: Vec<String> = spectrum.ends.largest.iter().map(|&x| short(x)).collect();
    let not = if spectrum.ends.converged { "" } else { ", not converged" };
    let [negative, zero, positive] =
        [spectrum.masses.negative, spectrum.masses.zero, spectrum.masses.positive].map(shown);
    let mut lines = vec![
        format!(
            "step {} of a matrix of {} rows: {} products in {:.1} s",
            spectrum.step, spectrum.density.dim, spectrum.products, spectrum.seconds
        ),
        format!(
            "largest         {} (residual {:.0e}{not})",
            largest.join(" "),
            spectrum.ends.residual
        ),
        format!("smallest        {}", spectrum.ends.smallest.map_or("-".to_string(), short)),
    ];
    if let Some(threshold) = spectrum.threshold {
        lines.push(format!("threshold       {}", short(threshold)));
    } else if let Some(reason) = &measured.no_threshold {
        lines.push(format!("threshold       none: {reason}"));
    }
    lines.extend([
        format!("trace           {}", shown(spectrum.trace.estimate)),
        format!("Frobenius norm  {}", shown(spectrum.frobenius)),
        format!("effective rank  {}", shown(spectrum.effective_rank)),
        format!(
            "mass            {negative} negative, {zero} within {} of zero, {positive} positive",
            short(spectrum.masses.near_zero)
        ),
        "                (value ± standard error, of which two hold 95%)".to_string(),
    ]);
    let [below, within, _] = spectrum.masses.brackets.map(|[low, high]| high - low);
    if below.max(within) > WIDE {
        lines.push(format!(
            "                (the steps leave {} of it open below zero and {} near it; give more \
             --iterations)",
            short(below),
            short(within)
        ));
    }
    let width = measured.layers.iter().map(|layer| layer.group.len()).max().unwrap_or(0).max(14);
    if !measured.layers.is_empty() {
        lines.push(format!("{:width$}  {:>10}  {:>10}  trace", "layer", "parameters", "largest"));
    }
    for layer in &measured.layers {
        lines.push(format!(
            "{:width$}  {:>10}  {:>10}  {}",
            layer.group,
            layer.parameters,
            short(layer.lambda_max),
            shown(layer.trace.estimate)
        ));
    }
    lines.extend(flatness_lines(measured.flatness.as_ref(), measured.rescaled.as_ref()));
    lines
}

/// One line for each measure, with its value after rescaling beside it.
fn flatness_lines(here: Option<&Flatness>, rescaled: Option<&Flatness>) -> Vec<String> {
    let Some(here) = here else { return Vec::new() };
    type Measure = (&'static str, fn(&Flatness) -> String);
    let measures: [Measure; 7] = [
        ("loss", |f| short(f.loss)),
        ("largest eigenvalue", |f| short(f.lambda_max)),
        ("trace", |f| shown(f.trace.estimate)),
        ("epsilon-sharpness", |f| short(f.epsilon_sharpness)),
        ("rise in SAM's ball", |f| short(f.sam_rise)),
        ("adaptive rise", |f| short(f.adaptive_rise)),
        ("relative flatness", |f| shown(f.relative_flatness)),
    ];
    let after = if rescaled.is_some() { "rescaled" } else { "" };
    let mut lines =
        vec![format!("{:18}  {:22}  {after}", "flatness", "as it is").trim_end().to_string()];
    for (name, value) in measures {
        let after = rescaled.map(value).unwrap_or_default();
        lines.push(format!("{name:18}  {:22}  {after}", value(here)).trim_end().to_string());
    }
    lines
}
