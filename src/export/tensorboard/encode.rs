//! An event file's records: what is told of a run, as bytes.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use serde_json::Value as Json;

use super::frame::framed;
use super::messages::{
    Dim, Event, HParam, HParamKind, HParams, Metadata, PluginData, SessionEnd, SessionStart, Shape,
    SourceMetadata, Summary, Tensor, Value,
};
use super::shown::about_of_tag;
use crate::record::ExitStatus;

/// `DataType` of `tensor.proto`.
const FLOAT: i32 = 1;
const DOUBLE: i32 = 2;
const STRING: i32 = 7;
/// `DataClass` of `summary.proto`.
const SCALAR: i32 = 1;
const TENSOR: i32 = 2;

/// Makes the records of one file, which it must get in order.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    /// Tags that had a value: a tag's first one also says what it is.
    told: BTreeSet<String>,
}

/// Something with its tag and a description, which for `steps/COLUMN` is that of the column.
pub(super) type Tagged = (String, Shown, &'static str);

/// What is shown under a tag at a step.
#[derive(Debug)]
pub(super) enum Shown {
    /// A point of a curve.
    Scalar(f64),
    /// Markdown.
    Text(String),
    /// How much there is from one value to another: left, right, amount.
    Histogram(Vec<[f64; 3]>),
}

impl Encoder {
    /// The first record.
    pub fn first(wall_time: f64) -> Vec<u8> {
        let writer = concat!("sharpscope ", env!("CARGO_PKG_VERSION")).to_string();
        record(&Event {
            wall_time,
            file_version: Some("brain.Event:2".to_string()),
            source_metadata: Some(SourceMetadata { writer }),
            ..Event::default()
        })
    }

    /// What is shown at a step, each with its tag and, of a tag's first, a description.
    pub fn step(
        &mut self,
        wall_time: f64,
        step: usize,
        shown: impl IntoIterator<Item = Tagged>,
    ) -> Vec<u8> {
        let value: Vec<Value> =
            shown.into_iter().map(|(tag, shown, about)| self.value(tag, shown, about)).collect();
        match value.is_empty() {
            true => Vec::new(),
            false => summary(wall_time, step, value),
        }
    }

    fn value(&mut self, tag: String, shown: Shown, about: &str) -> Value {
        let (plugin, class, tensor) = match shown {
            Shown::Scalar(x) => ("scalars", SCALAR, scalar(x)),
            Shown::Text(text) => ("text", TENSOR, texts(text)),
            Shown::Histogram(bins) => {
                let shape = [bins.len() as i64, 3];
                ("histograms", TENSOR, doubles(&shape, bins.concat()))
            }
        };
        let metadata = (!self.told.contains(&tag)).then(|| {
            self.told.insert(tag.clone());
            let about = about_of_tag(&tag).unwrap_or_else(|| about.to_string());
            metadata(plugin, Vec::new(), class, &about)
        });
        Value { tag, tensor: Some(tensor), metadata }
    }
}

/// The start of a session of the plugin `hparams`: the settings that are numbers, words or truths.
pub(super) fn session_start(wall_time: f64, step: usize, name: &str, settings: &Json) -> Vec<u8> {
    let mut hparams = BTreeMap::new();
    flatten("", settings, &mut |key, kind| {
        hparams.insert(key, HParam { kind: Some(kind) });
    });
    let start = SessionStart { hparams, group_name: name.to_string(), start_time_secs: wall_time };
    let message = HParams { session_start_info: Some(start), session_end_info: None };
    session(wall_time, step, "_hparams_/session_start_info", &message)
}

/// The end of one.
pub(super) fn session_end(wall_time: f64, step: usize, status: ExitStatus) -> Vec<u8> {
    const SUCCESS: i32 = 1;
    const FAILURE: i32 = 2;
    let status = if status.code() == 0 { SUCCESS } else { FAILURE };
    let end = SessionEnd { status, end_time_secs: wall_time };
    let message = HParams { session_start_info: None, session_end_info: Some(end) };
    session(wall_time, step, "_hparams_/session_end_info", &message)
}

fn session(wall_time: f64, step: usize, tag: &str, message: &HParams) -> Vec<u8> {
    let metadata = metadata("hparams", message.encode_to_vec(), TENSOR, "");
    // All that it says is in its metadata.
    let nothing = Tensor {
        dtype: FLOAT,
        tensor_shape: Some(shape(&[1])),
        float_val: vec![0.0],
        ..Tensor::default()
    };
    let value = Value { tag: tag.to_string(), tensor: Some(nothing), metadata: Some(metadata) };
    summary(wall_time, step, vec![value])
}

fn summary(wall_time: f64, step: usize, value: Vec<Value>) -> Vec<u8> {
    let summary = Some(Summary { value });
    record(&Event { wall_time, step: step as i64, summary, ..Event::default() })
}

fn record(event: &Event) -> Vec<u8> {
    framed(&event.encode_to_vec())
}

fn metadata(plugin: &str, content: Vec<u8>, data_class: i32, about: &str) -> Metadata {
    Metadata {
        plugin_data: Some(PluginData { plugin_name: plugin.to_string(), content }),
        summary_description: about.to_string(),
        data_class,
    }
}

fn shape(sizes: &[i64]) -> Shape {
    Shape { dim: sizes.iter().map(|&size| Dim { size }).collect() }
}

/// In single precision, for TensorBoard shows no other scalars; the double, beside it, is for who asks for that.
fn scalar(x: f64) -> Tensor {
    Tensor {
        dtype: FLOAT,
        tensor_shape: Some(shape(&[])),
        float_val: vec![x as f32],
        double_val: vec![x],
        ..Tensor::default()
    }
}

fn doubles(sizes: &[i64], double_val: Vec<f64>) -> Tensor {
    Tensor { dtype: DOUBLE, tensor_shape: Some(shape(sizes)), double_val, ..Tensor::default() }
}

fn texts(text: String) -> Tensor {
    let string_val = vec![text.into_bytes()];
    Tensor { dtype: STRING, tensor_shape: Some(shape(&[])), string_val, ..Tensor::default() }
}

/// Settings by their names, those of an object with its name and a full stop before theirs.
fn flatten(name: &str, value: &Json, put: &mut impl FnMut(String, HParamKind)) {
    let kind = match value {
        Json::Null => return,
        Json::Object(parts) => {
            for (part, value) in parts {
                let name = if name.is_empty() { part.clone() } else { format!("{name}.{part}") };
                flatten(&name, value, put);
            }
            return;
        }
        Json::Number(number) => HParamKind::Number(number.as_f64().unwrap_or(f64::NAN)),
        Json::Bool(flag) => HParamKind::Flag(*flag),
        Json::String(text) => HParamKind::Text(text.clone()),
        list => HParamKind::Text(list.to_string()),
    };
    put(name.to_string(), kind);
}
