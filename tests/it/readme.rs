//! README.md and docs: their commands run, their flags are there, their links lead somewhere, and the tables of
//! `docs/formats.md` list what is written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use sharpscope::record::{Event, EventKind, columns_in_markdown};

use crate::support::{Place, Table, all, json_file, names_in, read};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README.md and the documents: name and text.
fn documents() -> Vec<(String, String)> {
    let docs = names_in(root().join("docs")).into_iter().filter(|name| name.ends_with(".md"));
    let names = std::iter::once("README.md".to_string()).chain(docs.map(|n| format!("docs/{n}")));
    names.map(|name| (name.clone(), read(root().join(name)))).collect()
}

/// A line of a document.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Line<'a> {
    /// Outside of fences.
    Prose(&'a str),
    /// Inside of one, with its language.
    Fenced { language: &'a str, text: &'a str },
    /// The end of a fence.
    End { language: &'a str },
}

fn lines(document: &str) -> Vec<Line<'_>> {
    let mut fence = None;
    let line = |text| match (fence, text) {
        (None, text) => match str::strip_prefix(text, "```") {
            Some(language) => {
                fence = Some(language);
                None
            }
            None => Some(Line::Prose(text)),
        },
        (Some(language), "```") => {
            fence = None;
            Some(Line::End { language })
        }
        (Some(language), text) => Some(Line::Fenced { language, text }),
    };
    document.lines().filter_map(line).collect()
}

/// What a reader does with a document, from top to bottom.
enum Deed {
    /// A JSON file for one of the commands that follow.
    Json(String),
    /// A line of shell.
    Command(String),
}

fn deeds(document: &str) -> Vec<Deed> {
    let mut deeds = Vec::new();
    let mut part = String::new();
    for line in lines(document) {
        match line {
            Line::Fenced { language: "json", text } => part += text,
            Line::End { language: "json" } => deeds.push(Deed::Json(std::mem::take(&mut part))),
            Line::Fenced { language: "sh", text } => {
                let code = text.split(" #").next().unwrap_or_default().trim_end();
                part += code.trim_end_matches('\\');
                if !code.ends_with('\\') {
                    deeds.push(Deed::Command(std::mem::take(&mut part)));
                }
            }
            _ => {}
        }
    }
    assert!(part.is_empty(), "a line goes on in no other: {part}");
    deeds
}

/// The words of a line after the program's name; none for another program, which must be there.
fn words(line: &str) -> Option<Vec<&str>> {
    let own = ["sharpscope ", "cargo run --release -- "];
    if let Some(words) = own.iter().find_map(|name| line.strip_prefix(name)) {
        return Some(words.split_whitespace().collect());
    }
    let example = line.strip_prefix("cargo run --release --example ");
    let script = line.strip_prefix("python3 ").or(line.strip_prefix("./"));
    let first = |words: &str| words.split_whitespace().next().unwrap_or_default().to_string();
    let places = match (example.map(first), script.map(first)) {
        (Some(name), _) => vec![format!("examples/{name}.rs"), format!("examples/{name}/main.rs")],
        (_, Some(path)) => vec![path],
        _ if line == "cargo install --path ." => vec!["Cargo.toml".to_string()],
        _ => panic!("it is not known what runs here: {line}"),
    };
    assert!(
        places.iter().any(|place| root().join(place).is_file()),
        "{line}: there is no such file"
    );
    None
}

fn value_of<'a>(words: &[&'a str], flag: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| *word == flag)?;
    words.get(at + 1).copied()
}

/// The same command in little time: two steps unless later commands need more of them, curvature and validation
/// of a few samples, where the line has no flags for that.
fn shortened<'a>(words: &[&'a str]) -> String {
    let mut line = words.join(" ");
    let given = |flag: &str| words.contains(&flag);
    let mut add = |flag: &'a str, value: &str| {
        if !given(flag) {
            line += &format!(" {flag} {value}");
        }
    };
    match words[0] {
        "run" | "compare" if !given("--resume") => {
            add("--backend", "cpu");
            if !given("--objective") {
                add("--samples", "4");
                add("--validation-size", "2");
            }
            if !given("--checkpoint-every") {
                add("--steps", "2");
            }
        }
        "spectrum" => {
            add("--backend", "cpu");
            add("--probes", "2");
            add("--iterations", "10");
        }
        "landscape" if matches!(words[1], "connect" | "align") => {
            // Before the flags of another command.
            let (own, others) = line.split_once(" --").unwrap_or((&line, ""));
            let rest = if others.is_empty() { String::new() } else { format!(" --{others}") };
            let steps = match (words[1], words.contains(&"--")) {
                ("connect", true) => " --steps 2",
                ("connect", false) => " -- --steps 2",
                _ => "",
            };
            line = format!("{own} --points 3 --top 0{rest}{steps}");
        }
        _ => {}
    }
    match value_of(words, "--steps") {
        Some(steps) if !given("--checkpoint-every") && !given("--resume") => {
            assert!(steps.parse::<u32>().is_ok(), "--steps {steps}");
            line.replace(&format!("--steps {steps}"), "--steps 2")
        }
        _ => line,
    }
}

/// A reader's own data, under the names that the documents give them.
fn own_files(place: &Place) {
    let write = |name: &str, content: Vec<u8>| std::fs::write(place.made(name), content).unwrap();
    let row = |i: usize| format!("{}.5,{},{},{}\n", i % 17, (i * 7) % 11, (i * 13) % 29, i % 3);
    let table: String = (0..500).map(row).collect();
    write("my-data.csv", format!("size,age,price,class\n{table}").into_bytes());
    write(
        "my-validation.csv",
        format!("size,age,price,class\n{}", (0..9).map(row).collect::<String>()).into(),
    );
    write("my-data.npz", include_bytes!("../data/files/many.npz").to_vec());
    write("my-text.txt", "What is mine is text.\n".repeat(60).into_bytes());
    for kind in ["images-idx3-ubyte.gz", "labels-idx1-ubyte.gz"] {
        let from = root().join(format!("datasets/fashion-mnist-t10k-{kind}"));
        write(&format!("train-{kind}"), std::fs::read(from).unwrap());
    }
    std::fs::create_dir(place.made("cifar-10-batches-bin")).unwrap();
    for batch in 1..=5_usize {
        let record = |i: usize| (0..3073).map(move |j| if j == 0 { i % 10 } else { (i * j) % 256 });
        let records = (0..110).flat_map(|i| record(i + batch)).map(|byte| byte as u8).collect();
        write(&format!("cifar-10-batches-bin/data_batch_{batch}.bin"), records);
    }
}

/// Makes what a line reads and no line before it has written: an earlier run, or weights.
fn make_earlier(place: &Place, words: &[&str]) {
    const RUN: &str = "run --steps 2 --checkpoint-every 1 --backend cpu --samples 4 --out";
    for (before, word) in std::iter::once(&"").chain(words).zip(words) {
        let word = word.split_once('@').map_or(*word, |(run, _)| run);
        let run: PathBuf = Path::new(word).components().take(2).collect();
        let reads = word.starts_with("runs/") && *before != "--out";
        if reads && !place.made(run.to_str().unwrap()).exists() {
            place.run_well(&format!("{RUN} {}", run.display()));
        }
        if word == "halved.safetensors" {
            place.run_well(&format!("{RUN} runs/to-halve"));
            std::fs::copy(place.made("runs/to-halve/init.safetensors"), place.made(word)).unwrap();
        }
    }
}

/// Runs a line of the program as a reader would, in less time.
fn run_line(place: &Place, words: &[&str]) -> Result<(), String> {
    make_earlier(place, words);
    let line = shortened(words);
    let done = place.run(&line);
    // Drivers are hidden from the tests; whatever is wrong with the flags is said before.
    let without_driver = value_of(words, "--backend") == Some("wgpu");
    let as_told = match without_driver {
        true => done.err.contains("no adapter found"),
        false => done.code == Some(0),
    };
    as_told.then_some(()).ok_or_else(|| format!("{line}: code {:?}, {}", done.code, done.err))
}

#[test]
fn every_command_runs_as_it_is_written() {
    let mut results = Vec::new();
    for (name, text) in documents() {
        let place = Place::new();
        own_files(&place);
        // What a reader saves under a name is what stood before the command that names it.
        let (mut unnamed, mut named) = (Vec::new(), BTreeMap::<String, Vec<String>>::new());
        for deed in deeds(&text) {
            let line = match deed {
                Deed::Json(text) => {
                    unnamed.push(text);
                    continue;
                }
                Deed::Command(line) => line,
            };
            let Some(words) = words(&line) else { continue };
            let own = |word: &&&str| word.starts_with("my-") && word.ends_with(".json");
            let file = words.iter().find(own);
            let mut variants = vec![String::new()];
            if let Some(file) = file {
                if !unnamed.is_empty() {
                    named.insert(file.to_string(), std::mem::take(&mut unnamed));
                }
                variants = named.get(*file).cloned().unwrap_or_default();
                assert!(!variants.is_empty(), "{name}: {line}: what is in the file is not said");
            }
            for variant in variants {
                let mut words = words.clone();
                if let Some(file) = file {
                    std::fs::write(place.made(file), &variant).unwrap();
                }
                if variant.contains("\"transformer\"") {
                    words.extend("--dataset shakespeare --train-size 4 --samples 4".split(' '));
                }
                results.push(run_line(&place, &words).map_err(|e| format!("{name}: {e}")));
            }
        }
        assert!(unnamed.is_empty(), "{name}: no command reads {unnamed:?}");
    }
    assert!(results.len() > 40, "only {} commands were found", results.len());
    all(results);
}

#[test]
fn every_flag_is_one_of_a_command() {
    let place = Place::new();
    let commands = [
        "run",
        "compare",
        "spectrum",
        "report",
        "export",
        "man",
        "landscape interpolate",
        "landscape slice",
        "landscape average",
        "landscape basins",
        "branch",
        "landscape connect",
        "landscape align",
        "landscape instability",
        "flow",
        "watch",
        "events",
        "demo",
        "doctor",
        "devices",
        "list",
    ];
    let help = commands.map(|command| place.run_well(&format!("{command} --help")).out).join("\n");
    let end = |c: char| !(c.is_ascii_alphanumeric() || c == '-');
    let known: BTreeSet<&str> = help.split(end).collect();
    let mut found = 0;
    for (name, text) in documents() {
        for line in lines(&text) {
            let Line::Prose(line) = line else { continue };
            for code in line.split('`').skip(1).step_by(2).filter(|code| code.starts_with("--")) {
                let flag = code.split(end).next().unwrap_or_default();
                assert!(known.contains(flag), "{name}: no command has {flag}");
                found += 1;
            }
        }
    }
    assert!(found > 40, "only {found} flags were found");
}

/// The anchor that a heading has.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    heading.trim().to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
}

#[test]
fn every_link_leads_somewhere() {
    let mut found = 0;
    let others = ["CONTRIBUTING.md", "CHANGELOG.md"].map(String::from);
    let others = others.map(|name| (name.clone(), read(root().join(name))));
    for (name, text) in documents().into_iter().chain(others) {
        for line in lines(&text) {
            let Line::Prose(line) = line else { continue };
            for link in line.split("](").skip(1) {
                let link = link.split(')').next().unwrap_or_default();
                if link.starts_with("http") || link.starts_with("crate::") {
                    continue;
                }
                let (file, place) = link.split_once('#').unwrap_or((link, ""));
                let own = root().join(&name);
                let path = match file {
                    "" => own.clone(),
                    file => own.parent().unwrap().join(file),
                };
                assert!(path.exists(), "{name}: {link}: there is no such file");
                if !place.is_empty() {
                    let target = read(&path);
                    let headings = lines(&target).into_iter().filter_map(|line| match line {
                        Line::Prose(line) => line.strip_prefix('#'),
                        _ => None,
                    });
                    let anchors: Vec<String> =
                        headings.map(|h| anchor(h.trim_start_matches('#'))).collect();
                    assert!(anchors.iter().any(|a| a == place), "{name}: {link}: {anchors:?}");
                }
                found += 1;
            }
        }
    }
    assert!(found > 40, "only {found} links were found");
}

/// The rows of the tables under a heading of `docs/formats.md`, down to the next heading.
fn rows_under(heading: &str) -> Vec<Vec<String>> {
    let text = read(root().join("docs/formats.md"));
    let is_heading = |line: &&str| line.starts_with('#');
    let (_, rest) = text.split_once(&format!("# {heading}\n")).expect(heading);
    let section = rest.lines().take_while(|line| !is_heading(line));
    let row = |line: &str| {
        let inner = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let marked = inner.replace("\\|", "\0");
        Some(marked.split(" | ").map(|cell| cell.replace('\0', "|")).collect())
    };
    section.filter_map(row).filter(|row: &Vec<String>| row[0].starts_with('`')).collect()
}

/// The names in a cell.
fn names(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_string).collect()
}

/// The names in the first cells under a heading.
fn names_under(heading: &str) -> BTreeSet<String> {
    rows_under(heading).iter().flat_map(|row| names(&row[0])).collect()
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().expect("an object").keys().cloned().collect()
}

/// The table of columns is made from the program's own; with `UPDATE_DOCS=1` it is written down.
#[test]
fn the_formats_have_the_programs_table_of_columns() {
    let path = root().join("docs/formats.md");
    let (text, table) = (read(&path), columns_in_markdown());
    if text.contains(&table) {
        return;
    }
    let start = text.find("| column | what |").expect("a table of columns");
    let end = start + text[start..].find("\n\n").expect("its end") + 1;
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, format!("{}{table}{}", &text[..start], &text[end..])).unwrap();
        return;
    }
    panic!("docs/formats.md is behind; run this test with UPDATE_DOCS=1. It is to have\n{table}");
}

#[test]
fn the_formats_list_what_is_written() {
    let place = Place::new();
    place.run_well(
        "run --model linear --train-size 30 --steps 1 --top 2 --optimizer sam --perturbed-sharpness --batch-size 10 \
         --clip-norm 1 --realized midpoint --mechanism --backend cpu --out run",
    );
    let listed: Vec<String> = rows_under("`steps.csv`")
        .iter()
        .flat_map(|row| names(&row[0]))
        .map(|name| name.replace("lambda_K", "lambda_2").replace("component_K", "component_2"))
        .collect();
    let table = Table::of(place.made("run"));
    assert_eq!(listed, table.header.split(',').collect::<Vec<_>>());

    let written = |file: &str| keys(&json_file(place.made("run").join(file)));
    assert_eq!(names_under("`manifest.json`"), written("manifest.json"));
    assert_eq!(names_under("`summary.json`"), written("summary.json"));
    let checkpoint = names_under("A checkpoint's `step-N.json`");
    assert_eq!(checkpoint, written("checkpoints/step-1.json"));
    place.run_well("spectrum run --probes 2 --iterations 5 --backend cpu");
    assert_eq!(names_under("A spectrum's `step-N.json`"), written("spectra/step-1.json"));

    place.run_well(
        "run --objective quartic --lr 0.25 --steps 60 --precision f64 --backend cpu --out oscillates",
    );
    place.run_well("flow oscillates --kind central");
    let flow = Table::read(place.made("oscillates/flows/central.csv"));
    let listed: Vec<String> = rows_under("`flows/`")
        .iter()
        .flat_map(|row| names(&row[0]))
        .map(|name| name.replace("_K", "_1"))
        .filter(|name| name != "preconditioned_sharpness")
        .collect();
    let written_columns: BTreeSet<&str> = flow.header.split(',').collect();
    assert_eq!(listed.iter().map(String::as_str).collect::<BTreeSet<_>>(), written_columns);
    let numbers = json_file(place.made("oscillates/flows/central.json"));
    let listed = rows_under("A flow's `KIND.json`");
    let told: BTreeSet<String> = listed.iter().flat_map(|row| names(&row[0])).collect();
    assert_eq!(told, keys(&numbers));
    let findings = listed.iter().find(|row| row[0] == "`findings`").expect("findings");
    let findings_told: BTreeSet<String> = names(&findings[1]).into_iter().collect();
    let own = &keys(&numbers["findings"]) | &keys(&numbers["findings"]["edge"]);
    assert_eq!(findings_told, own);

    place.run_well(
        "compare --optimizers sgd,adam --model linear --train-size 30 --steps 1 --backend cpu --out two",
    );
    let summary = Table::read(place.made("two/summary.csv"));
    let averaged = summary.header.split(',').filter_map(|name| name.strip_suffix("_mean"));
    let averaged: BTreeSet<String> = averaged.map(str::to_string).collect();
    assert_eq!(names_under("The tables of a comparison"), averaged);
}

/// Values of a field of that type as `docs/formats.md` names it, and whether it may be null.
fn values(kind: &str) -> (Vec<Value>, bool) {
    let (plain, nullable) = match kind.strip_suffix(" or null") {
        Some(plain) => (plain, true),
        None => (kind, false),
    };
    let values = match plain {
        "number" => vec![json!(1.5)],
        "whole number" => vec![json!(7)],
        "true or false" => vec![json!(true)],
        "text" => vec![json!("a reason")],
        choices => names(choices).into_iter().map(Value::from).collect(),
    };
    (values, nullable)
}

#[test]
fn the_formats_list_the_fields_of_every_event() {
    let rows = rows_under("`events.jsonl`");
    let (kinds, fields): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.len() == 2);
    let kinds: BTreeSet<String> = kinds.iter().flat_map(|row| names(&row[0])).collect();
    assert_eq!(
        kinds,
        EventKind::NAMES.iter().map(|name| name.to_string()).collect::<BTreeSet<_>>()
    );
    let with_fields: BTreeSet<String> = fields.iter().flat_map(|row| names(&row[0])).collect();
    assert_eq!(kinds, with_fields);
    let event = |fields: &Map<String, Value>| serde_json::from_value::<Event>(json!(fields));
    for kind in kinds {
        let own = fields.iter().filter(|row| names(&row[0]).contains(&kind));
        let own: Vec<(String, &str)> =
            own.map(|row| (names(&row[1]).remove(0), row[2].as_str())).collect();
        let mut whole = Map::new();
        whole.insert("step".to_string(), json!(3));
        whole.insert("kind".to_string(), json!(kind));
        whole.extend(own.iter().map(|(name, kind)| (name.clone(), values(kind).0.remove(0))));
        let read = event(&whole).unwrap_or_else(|e| panic!("{kind}: {e}"));
        let mut written = serde_json::to_value(read).unwrap();
        let assumes = written.as_object_mut().unwrap().remove("assumes");
        assert!(assumes.is_some_and(|words| words.is_string()), "{kind}");
        assert_eq!(written, Value::Object(whole.clone()), "{kind}");
        for (name, of) in &own {
            let (choices, nullable) = values(of);
            for choice in choices {
                whole.insert(name.clone(), choice.clone());
                assert!(event(&whole).is_ok(), "{kind}: {name} = {choice}");
            }
            let value = whole.insert(name.clone(), Value::Null).unwrap_or_default();
            // Of a number that is not finite an earlier version wrote null.
            let expected = match (nullable, *of) {
                (true, _) => Some(Value::Null),
                (false, "number") => Some(json!("NaN")),
                _ => None,
            };
            let back = event(&whole).ok().map(|read| serde_json::to_value(read).unwrap());
            let back = back.map(|back| back[name].clone());
            assert_eq!(back, expected, "{kind}: {name} = null");
            whole.insert(name.clone(), value);
        }
    }
}
