//! A spectrum as the files in `spectra/`.

use serde_json::{Value, json};

use crate::curvature::Spectrum;
use crate::error::{Error, Result};

/// `eigenvalue,density,probe,weight`: first the smoothed density's curve, whose last two cells are
/// empty, then each probe's nodes with their weights, whose density is empty.
///
/// # Errors
/// [`Error::Encode`] if the table cannot be made.
pub fn spectrum_csv(spectrum: &Spectrum) -> Result<Vec<u8>> {
    let failed = |e: csv::Error| Error::Encode { what: "a table", reason: e.to_string() };
    let mut table = csv::Writer::from_writer(Vec::new());
    let number = |x: f64| format!("{x:?}");
    table.write_record(["eigenvalue", "density", "probe", "weight"]).map_err(failed)?;
    for (eigenvalue, density) in spectrum.density.curve(spectrum.sigma) {
        let cells = [number(eigenvalue), number(density), String::new(), String::new()];
        table.write_record(cells).map_err(failed)?;
    }
    for (probe, quadrature) in spectrum.density.probes.iter().enumerate() {
        for (node, weight) in quadrature.nodes.iter().zip(&quadrature.weights) {
            let cells = [number(*node), String::new(), probe.to_string(), number(*weight)];
            table.write_record(cells).map_err(failed)?;
        }
    }
    table.into_inner().map_err(|e| failed(e.into_error().into()))
}

/// Everything but the density.
pub fn spectrum_json(spectrum: &Spectrum) -> Value {
    json!({
        "step": spectrum.step,
        "matrix": spectrum.matrix,
        "preconditioned": spectrum.preconditioned,
        "group": spectrum.group,
        "dimension": spectrum.density.dim,
        "ends": spectrum.ends,
        "trace": spectrum.trace,
        "quadrature_trace": spectrum.quadrature_trace,
        "frobenius": spectrum.frobenius,
        "effective_rank": spectrum.effective_rank,
        "masses": spectrum.masses,
        "probes": spectrum.density.probes.len(),
        "iterations": spectrum.density.probes.iter().map(|p| p.nodes.len()).max(),
        "sigma": spectrum.sigma,
        "threshold": spectrum.threshold,
        "products": spectrum.products,
        "seconds": spectrum.seconds,
    })
}
