//! The spectra of a run that is on disk.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::{SPECTRA, StoredRun, is_table_of, spectrum_json};
use crate::curvature::Spectrum;
use crate::error::{Error, Result};
use crate::input;

const REMEDY: &str = "measure it again with 'sharpscope spectrum --force'";

/// A spectrum, as its table and its numbers have it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSpectrum {
    /// All but the density, as in `step-N.json`.
    pub numbers: Value,
    /// The smoothed density at points of the axis, ascending: eigenvalue and density, whose integral is 1.
    pub curve: Vec<(f64, f64)>,
    /// What it was smoothed from: node, number of its probe, weight; those of a probe add up to 1.
    pub nodes: Vec<(f64, usize, f64)>,
}

impl StoredSpectrum {
    /// As it would be on disk.
    pub fn of(spectrum: &Spectrum) -> Self {
        let probes = spectrum.density.probes.iter().enumerate();
        let nodes = probes.flat_map(|(probe, quadrature)| {
            let weighted = quadrature.nodes.iter().zip(&quadrature.weights);
            weighted.map(move |(&node, &weight)| (node, probe, weight))
        });
        Self {
            numbers: spectrum_json(spectrum),
            curve: spectrum.density.curve(spectrum.sigma),
            nodes: nodes.collect(),
        }
    }

    fn read(folder: &Path, stem: &str) -> Result<Self> {
        let path = folder.join(format!("{stem}.json"));
        let numbers: Value = input::parse_json(&input::read_text(&path, REMEDY)?, &path, REMEDY)?;
        if numbers["step"].as_u64().is_none() {
            return Err(Error::file(path, None, "it does not say its step", REMEDY));
        }
        let mut spectrum = Self { numbers, curve: Vec::new(), nodes: Vec::new() };
        spectrum.read_table(&folder.join(format!("{stem}.csv")))?;
        Ok(spectrum)
    }

    fn read_table(&mut self, path: &Path) -> Result<()> {
        let wrong = |problem: String, line| Error::file(path, line, problem, REMEDY);
        let bytes = input::read(path, REMEDY)?;
        if !is_table_of(&self.numbers, &bytes) {
            return Err(wrong("it is not what was written, by its checksum".to_string(), None));
        }
        let mut reader = csv::ReaderBuilder::new().from_reader(&bytes[..]);
        for record in reader.records() {
            let record = record.map_err(|e| {
                wrong(format!("not a table ({e})"), e.position().map(csv::Position::line))
            })?;
            let line = record.position().map(csv::Position::line);
            let number = |index: usize| {
                let cell = record.get(index).and_then(|cell| cell.parse::<f64>().ok());
                cell.ok_or_else(|| wrong("a cell is not a number".to_string(), line))
            };
            match record.get(1) {
                Some("") | None => self.nodes.push((number(0)?, number(2)? as usize, number(3)?)),
                Some(_) => self.curve.push((number(0)?, number(1)?)),
            }
        }
        Ok(())
    }

    /// The updates taken before it.
    pub fn step(&self) -> usize {
        self.numbers["step"].as_u64().unwrap_or(0) as usize
    }

    /// Which matrix it is of: "hessian", "hessian, preconditioned", "gauss-newton of layers.0".
    pub fn name(&self) -> String {
        let mut name = self.numbers["matrix"].as_str().unwrap_or("hessian").to_string();
        if self.numbers["preconditioned"] == true {
            name += ", preconditioned";
        }
        if let Some(group) = self.numbers["group"].as_str() {
            name += &format!(" of {group}");
        }
        name
    }
}

impl StoredRun {
    /// Its spectra, by matrix and step.
    ///
    /// # Errors
    /// [`Error::File`] for a file that is not what the program writes.
    pub fn spectra(&self) -> Result<Vec<StoredSpectrum>> {
        let folder = self.directory().file(SPECTRA);
        let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(Vec::new()) };
        let stems = entries.flatten().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            name.strip_suffix(".json").filter(|stem| stem.starts_with("step-")).map(str::to_string)
        });
        let mut found = BTreeMap::new();
        for stem in stems {
            let spectrum = StoredSpectrum::read(&folder, &stem)?;
            if self.named_step().is_none_or(|last| spectrum.step() <= last) {
                found.insert((spectrum.name(), spectrum.step()), spectrum);
            }
        }
        Ok(found.into_values().collect())
    }
}
