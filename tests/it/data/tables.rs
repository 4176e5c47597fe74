//! Tables as people bring them: what separates cells, decimals, headers, names of classes, numbers of rows,
//! and what is said of it. The same 60 rows in each form must be the same data.

use sharpscope::Error;
use sharpscope::data::{DataOptions, Dataset, Header, Targets};

use super::Folder;

/// Rows of two features and a class.
fn rows() -> Vec<(f64, f64, usize)> {
    let thousandths = |x: f64| (1000.0 * x).round() / 1000.0;
    let row = |i: usize| {
        let (a, b) = ((7.0 * i as f64).sin(), (11.0 * i as f64).cos());
        (thousandths(a), thousandths(b), usize::from(a + b > 0.0))
    };
    (0..60).map(row).collect()
}

/// A table with these words for its first row and for each class.
fn table(head: &str, classes: [&str; 2], numbered: bool) -> String {
    let line = |(i, (a, b, class)): (usize, &(f64, f64, usize))| {
        let number = if numbered { format!("{i},") } else { String::new() };
        format!("{number}{a:?},{b:?},{}\n", classes[*class])
    };
    format!("{head}{}", rows().iter().enumerate().map(line).collect::<String>())
}

fn load(text: &str, options: &DataOptions) -> Result<Dataset, Error> {
    let path = Folder::new();
    let path = path.write("d.csv", text.as_bytes());
    Dataset::load_with(&path, options, None, 0).map(|(dataset, _)| dataset)
}

fn auto(text: &str) -> Dataset {
    load(text, &DataOptions::default()).unwrap()
}

fn refused(text: &str) -> String {
    match load(text, &DataOptions::default()) {
        Err(error @ Error::File { .. }) => error.to_string(),
        other => panic!("{text:?}: {other:?}"),
    }
}

#[track_caller]
fn same(found: &Dataset, expected: &Dataset) {
    assert_eq!((&found.inputs, &found.targets), (&expected.inputs, &expected.targets));
}

#[test]
fn tables_of_the_same_rows_are_the_same_data() {
    let base = auto(&table("x1,x2,y\n", ["0", "1"], false));
    assert_eq!((base.len(), base.input_shape().len(), base.outputs()), (60, 2, 2));
    assert_eq!(base.description(), "60 rows, 2 features, 2 classes, a header");
    let commas = table("x1,x2,y\n", ["0", "1"], false);
    let semicolons = commas.replace(',', ";");
    for text in [
        semicolons.clone(),
        semicolons.replace('.', ","),
        commas.replace(',', "\t"),
        semicolons.replace('.', ",").replace(';', "\t"),
        commas.replace('\n', "\r\n"),
        format!("\u{feff}{commas}"),
    ] {
        same(&auto(&text), &base);
    }
    let plain = auto(&table("", ["0", "1"], false));
    same(&plain, &base);
    assert_eq!(plain.notes.header, Some(false));

    let names = auto(&table("x1,x2,species\n", ["setosa", "virginica"], false));
    same(&names, &base);
    let known = ["setosa", "virginica"].map(String::from).to_vec();
    assert_eq!(names.notes.class_names, Some(known));
    assert!(names.description().contains("2 classes (setosa, virginica)"));

    // From 1, and with gaps: the classes are those that there are.
    for (classes, said) in [(["1", "2"], "2 classes (1, 2)"), (["7", "90000"], "(7, 90000)")] {
        let found = auto(&table("x1,x2,y\n", classes, false));
        same(&found, &base);
        assert!(found.description().contains(said), "{}", found.description());
    }

    for head in [",x1,x2,y\n", "Unnamed: 0,x1,x2,y\n", "\"\",x1,x2,y\n"] {
        let numbered = auto(&table(head, ["0", "1"], true));
        same(&numbered, &base);
        assert!(numbered.description().contains("left out: column 1"), "{head}");
        assert_eq!(numbered.notes.columns_of_features(), [2, 3]);
    }
    // With a name it is the user's to leave out, and is spoken of.
    let named = auto(&table("id,x1,x2,y\n", ["0", "1"], true));
    assert_eq!(named.input_shape().len(), 3);
    assert!(named.description().contains("column 1 'id' numbers the rows"));
}

#[test]
fn a_header_of_numbers_is_seen_or_told() {
    let base = auto(&table("x1,x2,y\n", ["0", "1"], false));
    for head in ["0,1,2\n", "1,2,3\n"] {
        let found = auto(&table(head, ["0", "1"], false));
        same(&found, &base);
        assert_eq!(found.notes.header, Some(true));
    }
    same(&auto(&table(",0,1,2\n", ["0", "1"], true)), &base);
    // Years for columns, beside names.
    same(&auto(&table("2019,2020,class\n", ["0", "1"], false)), &base);
    let named = DataOptions { target: Some("class".to_string()), ..DataOptions::default() };
    let found = load(&table("2019,2020,class\n", ["setosa", "virginica"], false), &named).unwrap();
    same(&found, &base);
    let told = |header| DataOptions { header: Some(header), ..DataOptions::default() };
    let text = table("3,1,1\n", ["0", "1"], false);
    assert_eq!(load(&text, &told(Header::Auto)).unwrap().len(), 61);
    same(&load(&text, &told(Header::Yes)).unwrap(), &base);
    let kept = load(&table("0,1,2\n", ["0", "1"], false), &told(Header::No)).unwrap();
    assert_eq!((kept.len(), kept.outputs()), (61, 3));
}

#[test]
fn labels_are_names_or_numbers_and_none_is_missing() {
    for (text, parts) in [
        ("x,y\n1,a\n2,3\n", [":3:", "'3'", "names"]),
        ("x,y\n1,0\n2,b\n", [":3:", "'b'", "numbers"]),
        ("x,y\n1,a\n2,\n", [":3:", "''", "missing"]),
        ("x,y\n1,0\n2,NA\n", [":3:", "'NA'", "missing"]),
        ("x,y\n1,a\n2,?\n", [":3:", "'?'", "missing"]),
        ("x,y\n1,a\n2,NaN\n", [":3:", "'NaN'", "class number"]),
        ("x;y\n1,5;0\n1.5;1\n", [":3:", "'1.5'", "decimal"]),
        ("x;y\n1.234,5;0\n", [":2:", "'1.234,5'", "finite number"]),
    ] {
        let text = refused(text);
        for part in parts {
            assert!(text.contains(part), "no {part} in {text}");
        }
    }
    let many: String = (0..10_001).map(|i| format!("{i},name{i}\n")).collect();
    assert!(refused(&many).contains("more than 10000 classes"));
}

#[test]
fn a_class_in_the_first_column_is_pointed_at() {
    let text = refused("M,17.99,10.38\nB,13.54,14.36\n");
    assert!(
        text.contains(":1:") && text.contains("give `target` 1 if that is the class"),
        "{text}"
    );
    let text = refused("1,14.23,0.5\n2,13.2,1.5\n");
    assert!(text.contains("`target` 1 if the class is in the first column"), "{text}");
    let wine: String = (0..30).map(|i| format!("{},{}.5,{}\n", i % 3, i, 1000 + 7 * i)).collect();
    let said = auto(&wine).description();
    assert!(said.contains("may be a number") && said.contains("the class in column 1"), "{said}");
}

#[test]
fn columns_without_content_are_spoken_of() {
    let rows: String = (0..12).map(|i| format!("{i}.5,0.1,{}\n", i % 2)).collect();
    let said = auto(&rows).description();
    assert!(said.ends_with("; constant: column 2"), "{said}");
    let one = auto("1.5,0.2,4\n2.5,0.3,4\n");
    assert_eq!(one.targets, Targets::Classes { classes: 1, labels: vec![0, 0] });
    assert!(
        one.description().contains("1 class (4), ") && one.description().contains("same class")
    );
}

#[test]
fn what_is_no_text_in_utf_8_is_named() {
    let load = |name: &str, bytes: &[u8]| {
        let folder = Folder::new();
        Dataset::load(&folder.write(name, bytes)).unwrap_err().to_string()
    };
    let utf16: Vec<u8> = "x,y\n1,0\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [&utf16[..], &[&[0xff, 0xfe], &utf16[..]].concat()] {
        let text = load("d.csv", bytes);
        assert!(text.contains("UTF-16") && text.contains("save it as UTF-8"), "{text}");
    }
    let page = b"\n<!DOCTYPE html><html><body>Not found</body></html>";
    for name in ["train-images-idx3-ubyte.gz", "d.csv.gz", "d.csv", "data_batch_1.bin"] {
        let text = load(name, page);
        assert!(text.contains("a web page") && text.contains(name), "{text}");
    }
    let text = load("d.zip", b"PK\x03\x04\0\0\0\0");
    assert!(text.contains("zip archive") && text.contains("unpack"), "{text}");
}
