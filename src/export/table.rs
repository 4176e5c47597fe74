//! Tables with typed columns, as other programs want them.

use serde_json::{Value, json};

use crate::record::{Kind, column_of};

/// A table: columns of one length.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// What it is called, and its file.
    pub name: String,
    /// Its columns.
    pub columns: Vec<Column>,
}

/// A column with what it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its unit: L that of the loss, w that of a parameter; empty for a number, a ratio or a count.
    pub unit: String,
    /// What it holds, in words.
    pub about: String,
    /// A value for each row, `None` where there is none.
    pub values: Values,
}

/// The values of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Double precision, finite or not.
    Numbers(Vec<Option<f64>>),
    /// Whole numbers.
    Counts(Vec<Option<i64>>),
    /// True or false.
    Flags(Vec<Option<bool>>),
    /// Words.
    Texts(Vec<Option<String>>),
}

impl Table {
    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.values.len())
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// From cells as the program's tables have them: columns that it knows are what they are, others what
    /// their cells say.
    pub fn of_cells<'a>(
        name: &str,
        columns: &[String],
        rows: impl IntoIterator<Item = &'a csv::StringRecord>,
    ) -> Self {
        let rows: Vec<&csv::StringRecord> = rows.into_iter().collect();
        let cells = |at: usize| rows.iter().map(move |row| row.get(at).unwrap_or_default());
        let column = |(at, name): (usize, &String)| Column::of_cells(name, cells(at).collect());
        Self { name: name.to_string(), columns: columns.iter().enumerate().map(column).collect() }
    }

    /// From objects of JSON: a column for each key, in the order in which they come first.
    pub fn of_objects(name: &str, rows: &[serde_json::Map<String, Value>]) -> Self {
        let mut keys: Vec<&String> = Vec::new();
        for key in rows.iter().flat_map(|row| row.keys()) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let column = |key: &String| {
            let values: Vec<&Value> =
                rows.iter().map(|row| row.get(key).unwrap_or(&Value::Null)).collect();
            Column::named(key, Values::of_json(&values))
        };
        Self { name: name.to_string(), columns: keys.into_iter().map(column).collect() }
    }

    /// The columns as a *Table Schema* has them: `name`, `type`, `unit` and `description`.
    pub fn schema(&self) -> Value {
        let field = |column: &Column| {
            json!({
                "name": column.name,
                "type": column.values.kind(),
                "unit": column.unit,
                "description": column.about,
            })
        };
        json!({ "fields": self.columns.iter().map(field).collect::<Vec<_>>() })
    }
}

/// Units of columns of results that no table of steps has.
const UNITS: [(&str, &str); 10] = [
    ("eigenvalue", "L/w²"),
    ("density", "w²/L"),
    ("distance", "w"),
    ("off_plane", "w"),
    ("height", ""),
    ("peak_loss", "L"),
    ("baseline", "L"),
    ("loss", "L"),
    ("lambda_max", "L/w²"),
    ("trace", "L/w²"),
];

impl Column {
    /// Of that name, with the unit and the description of a column of `steps.csv` of that name.
    pub fn named(name: &str, values: Values) -> Self {
        let known = column_of(name);
        let unit = UNITS.iter().find(|(other, _)| *other == name).map_or("", |(_, unit)| unit);
        Self {
            name: name.to_string(),
            unit: known.map_or(unit, |column| column.unit).to_string(),
            about: known.map_or("", |column| column.about.trim()).to_string(),
            values,
        }
    }

    fn of_cells(name: &str, cells: Vec<&str>) -> Self {
        let known = column_of(name).map(|column| column.kind);
        Self::named(name, Values::of_cells(known, &cells))
    }
}

/// What each cell reads as; `None` where one reads as nothing.
fn each<T>(cells: &[&str], read: impl Fn(&str) -> Option<T>) -> Option<Vec<Option<T>>> {
    let cell = |cell: &&str| match *cell {
        "" => Some(None),
        cell => read(cell).map(Some),
    };
    cells.iter().map(cell).collect()
}

impl Values {
    /// Of that kind, if it is known and all cells are; otherwise of the first that all cells are.
    fn of_cells(known: Option<Kind>, cells: &[&str]) -> Self {
        let filled = cells.iter().any(|cell| !cell.is_empty());
        let kinds = known.into_iter().chain(match filled {
            true => [Kind::Count, Kind::Number, Kind::Flag],
            // What was never measured would be a number.
            false => [Kind::Number; 3],
        });
        let read = |kind| match kind {
            Kind::Count => each(cells, |cell| cell.parse().ok()).map(Self::Counts),
            Kind::Number => each(cells, |cell| cell.parse().ok()).map(Self::Numbers),
            Kind::Flag => each(cells, |cell| cell.parse().ok()).map(Self::Flags),
            Kind::Text => each(cells, |cell| Some(cell.to_string())).map(Self::Texts),
        };
        let texts = || each(cells, |cell| Some(cell.to_string())).map(Self::Texts);
        kinds.map(read).find_map(|values| values).or_else(texts).unwrap_or(Self::Texts(Vec::new()))
    }

    /// Of JSON: numbers, among them the words for those that are not finite, truths, or else texts.
    fn of_json(values: &[&Value]) -> Self {
        let there = || values.iter().filter(|value| !value.is_null());
        let word = |value: &Value| match value.as_str() {
            Some(word @ ("NaN" | "inf" | "-inf")) => word.parse::<f64>().ok(),
            _ => None,
        };
        let number = |value: &Value| value.as_f64().or_else(|| word(value));
        if there().next().is_some() && there().all(|value| value.is_i64()) {
            return Self::Counts(values.iter().map(|value| value.as_i64()).collect());
        }
        if there().all(|value| number(value).is_some()) {
            return Self::Numbers(values.iter().map(|value| number(value)).collect());
        }
        if there().all(|value| value.is_boolean()) {
            return Self::Flags(values.iter().map(|value| value.as_bool()).collect());
        }
        let text = |value: &&Value| match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        Self::Texts(values.iter().map(text).collect())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Counts(values) => values.len(),
            Self::Flags(values) => values.len(),
            Self::Texts(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of their type in a *Table Schema*.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Numbers(_) => "number",
            Self::Counts(_) => "integer",
            Self::Flags(_) => "boolean",
            Self::Texts(_) => "string",
        }
    }

    /// One of them as a number, where it is one; 1 for true and 0 for false.
    pub fn number(&self, row: usize) -> Option<f64> {
        match self {
            Self::Numbers(values) => values.get(row).copied().flatten(),
            Self::Counts(values) => values.get(row).copied().flatten().map(|count| count as f64),
            Self::Flags(values) => {
                values.get(row).copied().flatten().map(|flag| f64::from(u8::from(flag)))
            }
            Self::Texts(_) => None,
        }
    }

    /// One of them as text, by the rules of all tables: empty where there is none.
    pub fn cell(&self, row: usize) -> String {
        let cell = match self {
            Self::Numbers(values) => values.get(row).copied().flatten().map(|x| format!("{x:?}")),
            Self::Counts(values) => values.get(row).copied().flatten().map(|n| n.to_string()),
            Self::Flags(values) => values.get(row).copied().flatten().map(|flag| flag.to_string()),
            Self::Texts(values) => values.get(row).cloned().flatten(),
        };
        cell.unwrap_or_default()
    }

    /// One of them as JSON, where what is not finite is a word.
    pub fn json(&self, row: usize) -> Value {
        match self {
            Self::Numbers(values) => match values.get(row).copied().flatten() {
                Some(x) if !x.is_finite() => format!("{x:?}").into(),
                other => other.into(),
            },
            Self::Counts(values) => values.get(row).copied().flatten().into(),
            Self::Flags(values) => values.get(row).copied().flatten().into(),
            Self::Texts(values) => values.get(row).cloned().flatten().into(),
        }
    }
}
