//! The pictures in a run directory.

use std::fs;

use super::RunDirectory;
use super::spectra::{FOLDER, read_table};
use crate::curvature::{Matrix, Spectrum};
use crate::error::{Error, Result};
use crate::figure::{
    FigureLabels, SpectrumFigure, short, spectrum_png, spectrum_svg, to_png, to_svg,
    waterfall_choice, waterfall_png, waterfall_svg,
};
use crate::profile::RunInfo;
use crate::record::StepRow;

/// The pictures of a run that has ended.
pub(super) const NAMES: [&str; 2] = ["sharpness.svg", "sharpness.png"];

/// What the picture of a run is drawn from.
pub(super) struct RunPicture {
    labels: FigureLabels,
    rows: Vec<StepRow>,
}

impl RunPicture {
    /// Of a run that begins, or goes on from the rows of its history.
    pub(super) fn of(run: &RunInfo, threshold_label: &str) -> Self {
        let labels =
            FigureLabels { title: run.title.clone(), threshold: threshold_label.to_string() };
        Self { labels, rows: run.history.rows.clone() }
    }

    /// The next row.
    pub(super) fn take(&mut self, row: &StepRow) {
        self.rows.push(row.clone());
    }

    /// Draws it.
    pub(super) fn draw(&self, directory: &RunDirectory) -> Result<()> {
        let svg = to_svg(&self.rows, &self.labels)?;
        directory.write("sharpness.svg", svg.as_bytes())?;
        directory.write("sharpness.png", &to_png(&self.rows, &self.labels)?)
    }
}

/// Draws a spectrum, whose table is `{stem}.csv`, and anew the waterfall of those of the whole Hessian.
pub(super) fn draw_spectrum(
    directory: &RunDirectory,
    spectrum: &Spectrum,
    stem: &str,
    table: &[u8],
    threshold_label: &str,
) -> Result<()> {
    let name = run_name(directory);
    let figure = SpectrumFigure {
        title: format!("{name}: {} at step {}", described(spectrum), spectrum.step),
        density: curve(table).map_err(|e| failed(&e))?,
        largest: spectrum.ends.largest.clone(),
        smallest: spectrum.ends.smallest,
        threshold: spectrum.threshold,
        threshold_label: threshold_label.to_string(),
        note: note(spectrum),
    };
    directory.write(&format!("{stem}.svg"), spectrum_svg(&figure)?.as_bytes())?;
    directory.write(&format!("{stem}.png"), &spectrum_png(&figure)?)?;
    // The others are in no waterfall.
    if plain_step(&format!("{stem}.csv")).is_none() {
        return Ok(());
    }
    let spectra = plain_spectra(directory);
    if spectra.len() < 2 {
        return Ok(());
    }
    let title = format!("{name}: Hessian spectrum over training");
    let svg = waterfall_svg(&title, &spectra)?;
    directory.write(&format!("{FOLDER}/waterfall.svg"), svg.as_bytes())?;
    directory.write(&format!("{FOLDER}/waterfall.png"), &waterfall_png(&title, &spectra)?)
}

/// The name in the manifest, or that of the folder.
fn run_name(directory: &RunDirectory) -> String {
    let head = directory.manifest_head().ok().flatten();
    directory.run_name(head.as_ref()).unwrap_or_else(|| "run".to_string())
}

/// Whose spectrum it is.
fn described(spectrum: &Spectrum) -> String {
    let matrix = match spectrum.matrix {
        Matrix::Hessian => "Hessian",
        Matrix::GaussNewton => "Gauss–Newton",
        Matrix::Fisher => "Fisher",
        Matrix::SampledFisher => "sampled Fisher",
        Matrix::EmpiricalFisher => "empirical Fisher",
        Matrix::Residual => "residual",
    };
    let preconditioned = if spectrum.preconditioned { "preconditioned " } else { "" };
    let group = spectrum.group.as_ref().map(|group| format!(" of {group}")).unwrap_or_default();
    format!("{preconditioned}{matrix} spectrum{group}")
}

/// How it was measured.
fn note(spectrum: &Spectrum) -> String {
    let probes = &spectrum.density.probes;
    let steps = probes.iter().map(|probe| probe.nodes.len()).max().unwrap_or(0);
    let counted =
        |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let (probes, steps) = (counted(probes.len(), "probe"), counted(steps, "Lanczos step"));
    let unsure = if spectrum.ends.converged { "" } else { "; marks not converged" };
    format!("σ = {}; {probes} × {steps}{unsure}", short(spectrum.sigma))
}

/// The step of the file of a spectrum of the whole Hessian.
fn plain_step(path: &str) -> Option<usize> {
    let name = path.rsplit('/').next()?;
    let digits = name.strip_prefix("step-")?.strip_suffix(".csv")?;
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// The curves of the whole Hessian that are there, by step; of many, those that a waterfall shows.
fn plain_spectra(directory: &RunDirectory) -> Vec<(usize, Vec<(f64, f64)>)> {
    let entries = fs::read_dir(directory.file(FOLDER)).into_iter().flatten().flatten();
    let mut steps: Vec<usize> =
        entries.filter_map(|entry| plain_step(entry.file_name().to_str()?)).collect();
    steps.sort_unstable();
    let read = |step: usize| {
        let stem = format!("{FOLDER}/step-{step}");
        let path = directory.file(&format!("{stem}.csv"));
        let table = read_table(directory, &stem).map_err(csv::Error::from);
        let read = table.and_then(|bytes| curve(&bytes));
        // Files of other runs of this command are no reason to fail.
        read.inspect_err(|e| tracing::warn!("{} is not in the waterfall: {e}", path.display()))
            .ok()
            .map(|curve| (step, curve))
    };
    waterfall_choice(steps.len()).filter_map(|i| read(steps[i])).collect()
}

/// The smoothed density in a spectrum's table: the rows without probe and weight.
fn curve(table: &[u8]) -> csv::Result<Vec<(f64, f64)>> {
    type Row = (f64, Option<f64>, Option<usize>, Option<f64>);
    let rows = csv::Reader::from_reader(table).into_deserialize::<Row>();
    rows.filter_map(|row| match row {
        Ok((eigenvalue, Some(density), None, None)) => Some(Ok((eigenvalue, density))),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
    .collect()
}

fn failed(error: &csv::Error) -> Error {
    Error::Draw { what: "the spectrum", reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::write_spectrum;
    use super::*;
    use crate::curvature::{Ends, Masses};
    use crate::linalg::{Estimate, Quadrature, SpectralDensity, TraceEstimate};

    fn spectrum(step: usize) -> Spectrum {
        let one = Estimate { value: 1.0, standard_error: None };
        let (nodes, weights) = (vec![-0.5, 0.0, 12.0], vec![0.1, 0.8, 0.1]);
        let probe = Quadrature { nodes, weights, recurrence: None };
        let probes = vec![probe.clone(), probe];
        Spectrum {
            step,
            matrix: Matrix::Hessian,
            preconditioned: false,
            group: None,
            density: SpectralDensity { dim: 10, probes, products: 6, signs: None },
            sigma: 0.25,
            threshold: Some(15.0),
            ends: Ends {
                largest: vec![12.0],
                smallest: Some(-0.5),
                residual: 0.0,
                converged: true,
            },
            trace: TraceEstimate { estimate: one, products: 3, converged: true },
            quadrature_trace: one,
            frobenius: one,
            effective_rank: one,
            masses: Masses {
                near_zero: 0.1,
                negative: one,
                zero: one,
                positive: one,
                brackets: [[0.1, 0.1], [0.8, 0.8], [0.1, 0.1]],
            },
            products: 9,
            seconds: 0.5,
        }
    }

    fn write(directory: &RunDirectory, spectrum: &Spectrum) {
        write_spectrum(directory, spectrum, "2/η", &json!({"layers": []})).unwrap();
    }

    fn text(directory: &RunDirectory, name: &str) -> String {
        fs::read_to_string(directory.file(name)).unwrap()
    }

    #[test]
    fn a_spectrum_has_a_table_numbers_and_pictures() {
        let folder = tempfile::tempdir().unwrap();
        let directory = RunDirectory::at(folder.path());
        let manifest = br#"{"config": {"name": "mlp <2>"}, "exit_code": null, "error": null}"#;
        directory.write("manifest.json", manifest).unwrap();
        write(&directory, &spectrum(30));
        let svg = text(&directory, "spectra/step-30.svg");
        for part in [
            "mlp &lt;2&gt;: Hessian spectrum at step 30\n",
            "2/η 15\n",
            "12.0\n",
            "−0.500\n",
            "σ = 0.25; 2 probes × 3 Lanczos steps\n",
        ] {
            assert!(svg.contains(part), "{part}");
        }
        let png = fs::read(directory.file("spectra/step-30.png")).unwrap();
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        let numbers: Value =
            serde_json::from_str(&text(&directory, "spectra/step-30.json")).unwrap();
        assert_eq!((&numbers["step"], &numbers["threshold"]), (&json!(30), &json!(15.0)));
        let read = curve(text(&directory, "spectra/step-30.csv").as_bytes()).unwrap();
        assert_eq!(read, spectrum(30).density.curve(0.25));
    }

    #[test]
    fn the_waterfall_is_of_the_whole_hessian() {
        let folder = tempfile::tempdir().unwrap();
        let directory = RunDirectory::at(folder.path());
        write(&directory, &spectrum(20));
        write(&directory, &Spectrum { matrix: Matrix::GaussNewton, ..spectrum(30) });
        write(&directory, &Spectrum { preconditioned: true, ..spectrum(40) });
        write(&directory, &Spectrum { group: Some("layers.0".to_string()), ..spectrum(50) });
        directory.write("spectra/step-60.csv", b"eigenvalue,density\n1,two\n").unwrap();
        assert!(directory.file("spectra/step-50-layers.0.png").is_file());
        assert!(!directory.file("spectra/waterfall.svg").exists());

        write(&directory, &spectrum(110));
        assert!(directory.file("spectra/waterfall.png").is_file());
        let svg = text(&directory, "spectra/waterfall.svg");
        let named = |step: &str| svg.contains(&format!(">\n{step}\n</text>"));
        assert!(named("20") && named("110"));
        assert!(!["30", "40", "50", "60"].into_iter().any(named));
        assert!(svg.contains("Hessian spectrum over training"));

        // A table with another digit than was written is left out.
        let table = text(&directory, "spectra/step-110.csv").replacen('1', "2", 1);
        directory.write("spectra/step-110.csv", table.as_bytes()).unwrap();
        write(&directory, &spectrum(130));
        let svg = text(&directory, "spectra/waterfall.svg");
        let named = |step: &str| svg.contains(&format!(">\n{step}\n</text>"));
        assert!(named("20") && named("130") && !named("110"));
    }

    #[test]
    fn the_curve_is_what_has_no_probe() {
        let table =
            b"eigenvalue,density,probe,weight\n1.5,0.25,,\n-2.0,0.5,,\n1.0,0.5,0,\n3.0,,1,0.5\n";
        assert_eq!(curve(table).unwrap(), [(1.5, 0.25), (-2.0, 0.5)]);
        assert!(curve(b"eigenvalue,density,probe,weight\n1.5,many,,\n").is_err());
        let step = |name| plain_step(&format!("{FOLDER}/{name}.csv"));
        assert_eq!((step("step-0"), step("step-120")), (Some(0), Some(120)));
        for other in ["step-", "step-+7", "step-7-fisher", "step-7.csv", "waterfall"] {
            assert_eq!(step(other), None, "{other}");
        }
    }

    #[test]
    fn says_whose_spectrum_it_is() {
        assert_eq!(described(&spectrum(1)), "Hessian spectrum");
        let block = Spectrum {
            matrix: Matrix::EmpiricalFisher,
            preconditioned: true,
            group: Some("layers.0".to_string()),
            ..spectrum(1)
        };
        assert_eq!(described(&block), "preconditioned empirical Fisher spectrum of layers.0");
        let mut one = spectrum(1);
        one.density.probes.pop();
        one.ends.converged = false;
        assert_eq!(note(&one), "σ = 0.25; 1 probe × 3 Lanczos steps; marks not converged");
    }
}
