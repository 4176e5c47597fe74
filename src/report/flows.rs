//! Flows that were followed beside the runs of a page.

use std::path::Path;

use serde_json::Value;

use super::results::{REMEDY, ResultView, picture, table};
use super::settings::shown;
use crate::error::Result;
use crate::experiment::flow::{FlowKind, files};
use crate::input;

/// Those in a run's directory. One that cannot be read says why: nobody named it, and the page is not kept from its
/// reader.
pub(super) fn flows(run: &Path) -> Vec<ResultView> {
    let kinds = FlowKind::ALL.into_iter();
    let there = kinds.filter(|kind| run.join(format!("{}.json", files(*kind))).is_file());
    there
        .map(|kind| {
            let title = title(run, kind);
            flow(run, kind).unwrap_or_else(|error| {
                ResultView::about(&run.join(files(kind)), title, vec![error.to_string()])
            })
        })
        .collect()
}

fn title(run: &Path, kind: FlowKind) -> String {
    let name = run.file_name().map(|name| name.to_string_lossy().into_owned());
    format!("{kind} flow beside {}", name.unwrap_or_else(|| run.display().to_string()))
}

fn flow(run: &Path, kind: FlowKind) -> Result<ResultView> {
    let stem = files(kind);
    let path = run.join(format!("{stem}.json"));
    let numbers: Value = input::parse_json(&input::read_text(&path, REMEDY)?, &path, REMEDY)?;
    let mut view = ResultView::about(&run.join(&stem), title(run, kind), facts(&numbers));
    view.pictures.extend(picture(run, &stem)?);
    view.tables.push(table(run, &format!("{stem}.csv"))?);
    Ok(view)
}

fn facts(numbers: &Value) -> Vec<String> {
    let findings = &numbers["findings"];
    let said = |value: &Value| shown(Some(value));
    let mut facts = vec![format!(
        "{} steps from step {} on, {}",
        said(&numbers["steps"]),
        said(&numbers["first_step"]),
        said(&numbers["written"])
    )];
    facts.push(match findings["departs"].as_u64() {
        Some(step) => format!(
            "leaves the run at step {step}: from there on farther from it than {} of its way",
            said(&numbers["share"])
        ),
        None => format!(
            "does not stay farther from the run than {} of its way",
            said(&numbers["share"])
        ),
    });
    let edge = &findings["edge"];
    let percent = |value: &Value| value.as_f64().map(|x| format!("{:.1}%", 100.0 * x));
    if let (Some(sharpness), Some(loss)) =
        (percent(&edge["sharpness_off"]), percent(&edge["loss_off"][0]))
    {
        facts.push(format!(
            "from step {} on its sharpness is within {sharpness} of the threshold, and the loss that it predicts \
             {loss} off the run's mean on average",
            said(&edge["first"])
        ));
    }
    facts.extend(numbers["ended"].as_str().map(|why| format!("ended: {why}")));
    facts
}
