//! Spectra as tables: a row for each, their densities, their layers.

use serde_json::{Map, Value};

use super::table::Table;
use crate::rundir::StoredSpectrum;

/// `spectra`, `densities` and `layers`; none where no spectrum was measured, and no `layers` where none were.
pub(super) fn spectra_tables(spectra: &[StoredSpectrum]) -> Vec<Table> {
    if spectra.is_empty() {
        return Vec::new();
    }
    let rows: Vec<Map<String, Value>> = spectra.iter().map(numbers).collect();
    let densities: Vec<Map<String, Value>> = spectra.iter().flat_map(density).collect();
    let layers: Vec<Map<String, Value>> = spectra.iter().flat_map(layers).collect();
    let mut tables =
        vec![Table::of_objects("spectra", &rows), Table::of_objects("densities", &densities)];
    if !layers.is_empty() {
        tables.push(Table::of_objects("layers", &layers));
    }
    tables
}

/// Which spectrum a row is of.
fn key(numbers: &Value) -> Map<String, Value> {
    let keys = ["step", "matrix", "preconditioned", "group"];
    keys.iter().map(|key| (key.to_string(), numbers[*key].clone())).collect()
}

/// Its numbers but for lists and checksums: an estimate becomes two columns, nested names are joined.
pub(super) fn numbers(spectrum: &StoredSpectrum) -> Map<String, Value> {
    let mut row = key(&spectrum.numbers);
    for (name, value) in spectrum.numbers.as_object().into_iter().flatten() {
        if !["table_sha256", "layers", "flatness", "rescaled"].contains(&name.as_str()) {
            put(&mut row, name, value);
        }
    }
    for name in ["flatness", "rescaled"] {
        if let Some(object) = spectrum.numbers[name].as_object() {
            object
                .iter()
                .for_each(|(inner, value)| put(&mut row, &format!("{name}_{inner}"), value));
        }
    }
    row
}

/// A value under its name, the parts of an object or a list under names of their own.
pub(super) fn put(row: &mut Map<String, Value>, name: &str, value: &Value) {
    match value {
        Value::Object(parts) => {
            for (part, value) in parts {
                match part.as_str() {
                    // An estimate goes by its name, and a trace's estimate by the trace's.
                    "value" | "estimate" => put(row, name, value),
                    "largest" => put(row, "lambda", value),
                    "smallest" => put(row, "lambda_min", value),
                    _ if name == "ends" => put(row, part, value),
                    _ => put(row, &format!("{name}_{part}"), value),
                }
            }
        }
        Value::Array(parts) => {
            for (index, value) in parts.iter().enumerate() {
                put(row, &format!("{name}_{}", index + 1), value);
            }
        }
        value => {
            row.insert(name.to_string(), value.clone());
        }
    }
}

/// The points of the smoothed curve, then the probes' nodes with their weights.
fn density(spectrum: &StoredSpectrum) -> impl Iterator<Item = Map<String, Value>> + '_ {
    let key = key(&spectrum.numbers);
    let row = move |key: &Map<String, Value>, cells: [Value; 4]| {
        let names = ["eigenvalue", "density", "probe", "weight"].map(str::to_string);
        key.clone().into_iter().chain(names.into_iter().zip(cells)).collect()
    };
    let other = key.clone();
    let curve = spectrum.curve.iter().map(move |&(eigenvalue, density)| {
        row(&key, [number(eigenvalue), number(density), Value::Null, Value::Null])
    });
    let nodes = spectrum.nodes.iter().map(move |&(node, probe, weight)| {
        row(&other, [number(node), Value::Null, probe.into(), number(weight)])
    });
    curve.chain(nodes)
}

/// What is not finite is a word.
fn number(x: f64) -> Value {
    if x.is_finite() { x.into() } else { format!("{x:?}").into() }
}

fn layers(spectrum: &StoredSpectrum) -> Vec<Map<String, Value>> {
    let listed = spectrum.numbers["layers"].as_array().into_iter().flatten();
    let row = |layer: &Value| {
        let mut row = key(&spectrum.numbers);
        // The group of the spectrum is empty where layers are listed; each has one of its own.
        for (name, value) in layer.as_object().into_iter().flatten() {
            put(&mut row, name, value);
        }
        row
    };
    listed.map(row).collect()
}
