//! A Parquet file for each table. What was not measured is null, which NaN is not.

use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};
use serde_json::{Map, Value, json};

use super::table::{Column, Table, Values};
use super::{Exporter, File, Source};
use crate::error::{Error, Result};

pub(super) const EXPORTER: Exporter = Exporter { ending: None, files };

/// Rows in a group, which readers take at a time.
const GROUP: usize = 100_000;

fn files(source: &Source) -> Result<Vec<File>> {
    let failed = |e: ParquetError| Error::Encode { what: "a Parquet file", reason: e.to_string() };
    let file = |table: &Table| {
        let bytes = bytes(source, table).map_err(failed)?;
        Ok(File::new(format!("{}.parquet", table.name), bytes))
    };
    source.tables.iter().map(file).collect()
}

fn bytes(source: &Source, table: &Table) -> Result<Vec<u8>, ParquetError> {
    let columns = table.columns.iter().map(field).collect::<Result<Vec<_>, _>>()?;
    let schema = Type::group_type_builder("schema").with_fields(columns).build()?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by(concat!("sharpscope ", env!("CARGO_PKG_VERSION")).to_string())
        .set_key_value_metadata(Some(metadata(source, table)))
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))?;
    let rows = table.rows();
    for start in (0..rows).step_by(GROUP) {
        let mut group = writer.next_row_group()?;
        for column in &table.columns {
            if let Some(mut chunk) = group.next_column()? {
                write(&mut chunk, &column.values, start..rows.min(start + GROUP))?;
                chunk.close()?;
            }
        }
        group.close()?;
    }
    writer.into_inner()
}

fn field(column: &Column) -> Result<TypePtr, ParquetError> {
    let (physical, logical) = match column.values {
        Values::Numbers(_) => (Physical::DOUBLE, None),
        Values::Counts(_) => (Physical::INT64, None),
        Values::Flags(_) => (Physical::BOOLEAN, None),
        Values::Texts(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
    };
    let field = Type::primitive_type_builder(&column.name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical);
    field.build().map(Arc::new)
}

/// What the file says besides its rows: what it is of under `sharpscope`; the units, and the settings, again
/// where pandas reads a frame's `attrs` from.
fn metadata(source: &Source, table: &Table) -> Vec<KeyValue> {
    let of = |part: fn(&Column) -> &str| -> Map<String, Value> {
        table.columns.iter().map(|column| (column.name.clone(), part(column).into())).collect()
    };
    let (units, about) = (of(|column| &column.unit), of(|column| &column.about));
    let attributes = json!({ "units": units, "settings": source.settings() });
    let mut head = super::head(source);
    head.insert("table".to_string(), table.name.clone().into());
    head.insert("units".to_string(), units.into());
    head.insert("descriptions".to_string(), about.into());
    let pair = |key: &str, value: String| KeyValue::new(key.to_string(), value);
    vec![
        pair("sharpscope", Value::from(head).to_string()),
        pair("PANDAS_ATTRS", attributes.to_string()),
    ]
}

fn write(
    chunk: &mut SerializedColumnWriter<'_>,
    values: &Values,
    rows: std::ops::Range<usize>,
) -> Result<(), ParquetError> {
    match values {
        Values::Numbers(values) => optional::<DoubleType, _>(chunk, &values[rows], |x| *x),
        Values::Counts(values) => optional::<Int64Type, _>(chunk, &values[rows], |n| *n),
        Values::Flags(values) => optional::<BoolType, _>(chunk, &values[rows], |flag| *flag),
        Values::Texts(values) => optional::<ByteArrayType, _>(chunk, &values[rows], |text| {
            ByteArray::from(text.as_str())
        }),
    }
}

fn optional<T, V>(
    chunk: &mut SerializedColumnWriter<'_>,
    values: &[Option<V>],
    plain: impl Fn(&V) -> T::T,
) -> Result<(), ParquetError>
where
    T: DataType,
{
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let there: Vec<T::T> = values.iter().flatten().map(plain).collect();
    chunk.typed::<T>().write_batch(&there, Some(&levels), None)?;
    Ok(())
}
