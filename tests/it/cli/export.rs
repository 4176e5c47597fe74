//! `sharpscope export` by what is in its files, and what it refuses. `tests/python` reads them with the
//! programs that they are for.

use super::*;

/// A run with gaps and spectra.
fn run(place: &Place) {
    place.run_well(&small(
        "--steps 4 --every 2 --spectrum-every 2 --probes 2 --iterations 6 --checkpoint-every 2 --out r",
    ));
}

#[test]
fn tables_are_those_of_the_run() {
    let place = Place::new();
    run(&place);
    let said = place.run_well("export r --to csv --out c").out;
    assert!(said.contains("steps      4 rows") && said.contains("written    c"), "{said}");
    let (written, stored) = (Table::read(place.made("c/steps.csv")), Table::of(place.made("r")));
    assert_eq!(written.header, stored.header);
    let (written, stored) = (written.untimed(), stored.untimed());
    assert_eq!(written.rows, stored.rows);
    assert_eq!(Table::read(place.made("c/spectra.csv")).rows.len(), 2);
    let files = ["densities.csv", "events.csv", "manifest.json", "spectra.csv", "steps.csv"];
    assert_eq!(names_in(place.made("c")), files);
    let (manifest, own) =
        (json_file(place.made("c/manifest.json")), json_file(place.made("r/manifest.json")));
    assert_eq!((&manifest["kind"], &manifest["settings"]), (&json!("export"), &own["config"]));
    let fields = manifest["tables"]["steps"]["schema"]["fields"].as_array().unwrap();
    let field = |name: &str| fields.iter().find(|field| field["name"] == name).unwrap();
    assert_eq!(field("grad_norm")["unit"], "L/w");
    assert_eq!(
        (&field("converged")["type"], &field("lambda_1")["type"]),
        (&json!("boolean"), &json!("number"))
    );
    // As it stood at a checkpoint.
    place.run_well("export r@2 --to csv --out early");
    assert_eq!(Table::read(place.made("early/steps.csv")).rows.len(), 2);
}

#[test]
fn a_document_has_every_table_and_can_be_printed() {
    let place = Place::new();
    run(&place);
    let printed: Value =
        serde_json::from_str(&place.run_well("export r --to json --out - --quiet").out).unwrap();
    place.run_well("export r --to json");
    assert_eq!(json_file(place.made("r.json")), printed);
    let tables = printed["tables"].as_object().unwrap();
    assert_eq!(tables.keys().collect::<Vec<_>>(), ["steps", "events", "spectra", "densities"]);
    let rows = tables["steps"]["data"].as_array().unwrap();
    let stored = Table::of(place.made("r"));
    for (at, row) in rows.iter().enumerate() {
        assert_eq!(row["train_loss"].as_f64(), Some(stored.number(at, "train_loss")));
        let sharpness = (at % 2 == 0).then(|| stored.number(at, "sharpness"));
        assert_eq!(row["sharpness"].as_f64(), sharpness);
    }
}

/// Flows beside a run are in two tables: a row for each, and their steps.
#[test]
fn flows_are_exported_with_their_run() {
    let place = Place::new();
    place.run_well(
        "run --objective quartic --lr 0.25 --steps 50 --every 5 --checkpoint-every 10 --precision f64 \
         --backend cpu --out r",
    );
    place.run_well("flow r --kind central");
    place.run_well("flow r@10 --kind gradient --steps 9");
    place.run_well("export r --to csv --out c");
    let (flows, steps) =
        (Table::read(place.made("c/flows.csv")), Table::read(place.made("c/flow_steps.csv")));
    let kinds = |table: &Table| -> Vec<String> {
        (0..table.rows.len()).map(|row| table.cell(row, "kind").to_string()).collect()
    };
    assert_eq!(kinds(&flows), ["central", "gradient"]);
    let own = json_file(place.made("r/flows/central.json"));
    let findings = &own["findings"];
    assert_eq!(Some(flows.number(0, "steps")), own["steps"].as_f64());
    assert_eq!(Some(flows.number(0, "products")), findings["products"].as_f64());
    let edge = &findings["edge"];
    assert_eq!(Some(flows.number(0, "edge_loss_off_1")), edge["loss_off"][0].as_f64());
    assert_eq!(flows.cell(1, "edge_first"), "");
    assert_eq!(
        kinds(&steps),
        [vec!["central".to_string(); 50], vec!["gradient".to_string(); 9]].concat()
    );
    for (kind, first) in [("central", 0), ("gradient", 50)] {
        let stored = Table::read(place.made(&format!("r/flows/{kind}.csv")));
        for (at, row) in stored.rows.iter().enumerate() {
            for (name, cell) in row {
                let number = |cell: &str| cell.parse::<f64>().ok();
                assert_eq!(
                    number(steps.cell(first + at, name)),
                    number(cell),
                    "{kind}, {at}: {name}"
                );
            }
        }
    }
    let manifest = json_file(place.made("c/manifest.json"));
    let fields = manifest["tables"]["flow_steps"]["schema"]["fields"].as_array().unwrap();
    let unit = |name: &str| &fields.iter().find(|field| field["name"] == name).unwrap()["unit"];
    assert_eq!((unit("distance"), unit("variance_1")), (&json!("w"), &json!("L")));
    // A run as it stood has the flows that end there: that of steps 11 to 19.
    place.run_well("export r@20 --to csv --out early");
    assert_eq!(kinds(&Table::read(place.made("early/flows.csv"))), ["gradient"]);
    place.run_well("export r@10 --to csv --out earlier");
    assert!(!place.made("earlier/flows.csv").exists());
    // TensorBoard has a point for each step of each: as many records more.
    place.run_well("export r --to tensorboard --out with");
    std::fs::remove_dir_all(place.made("r/flows")).unwrap();
    place.run_well("export r --to tensorboard --out without");
    let count = |folder: &str| {
        records(place.made(folder).join("events.out.tfevents.0000000000.sharpscope"))
    };
    assert_eq!(count("with"), count("without") + 50 + 9);
}

#[test]
fn nothing_is_replaced_unasked_and_nothing_but_an_export() {
    let place = Place::new();
    run(&place);
    for to in ["csv", "json", "parquet", "tensorboard"] {
        place.run_well(&format!("export r --to {to} --out x-{to}"));
        let before = place.snapshot();
        let line = place.run(&format!("export r --to {to} --out x-{to}")).refusal().unwrap();
        assert!(line.contains("--force"), "{line}");
        assert!(place.snapshot() == before, "{to}");
    }
    // What it does not write again goes; what is somebody's stays.
    std::fs::write(place.made("x-csv/notes.txt"), "mine").unwrap();
    place.run_well("export r@2 --to parquet --out x-csv --force");
    let names = names_in(place.made("x-csv"));
    assert!(
        names.contains(&"notes.txt".to_string()) && !names.contains(&"steps.csv".to_string()),
        "{names:?}"
    );
    let before = place.snapshot();
    for words in [
        "--to csv --out r --force",
        "--to json --out x-csv --force",
        "--to png",
        "--to csv --out r/steps.csv",
    ] {
        place.run(&format!("export r {words}")).refusal().unwrap();
    }
    for run in ["nowhere", "x-csv"] {
        place.run(&format!("export {run} --to csv --out y")).refusal().unwrap();
    }
    assert!(place.snapshot() == before);
}

/// The events of a run's files, by their frames: how many there are in each.
fn records(path: std::path::PathBuf) -> usize {
    let bytes = std::fs::read(path).unwrap();
    let (mut at, mut count) = (0, 0);
    while at < bytes.len() {
        at += 16 + u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
        count += 1;
    }
    assert_eq!(at, bytes.len(), "the last one is torn");
    count
}

#[test]
fn event_files_are_a_run_s_own() {
    let place = Place::new();
    let file =
        |step: usize| place.made("r").join(format!("events.out.tfevents.{step:010}.sharpscope"));
    place.run_well(&small("--steps 4 --checkpoint-every 2 --lr 0.001 --tensorboard --out r"));
    // The head, the session's start and end, the settings, and the rows.
    assert_eq!(records(file(0)), 4 + 4);
    assert_eq!(json_file(place.made("r/manifest.json"))["config"]["tensorboard"], true);
    // Two rows and the end are cut off, and come again with another.
    place.run_well("run --resume r@2 --steps 5 --force");
    assert_eq!((records(file(0)), records(file(2))), (3 + 2, 1 + 3 + 1));
    place.run_well("run --resume r --steps 6");
    assert_eq!((records(file(2)), records(file(5))), (1 + 3, 1 + 1 + 1));
    place.run_well("run --resume r@2 --steps 3 --force");
    assert_eq!(records(file(2)), 1 + 1 + 1);
    assert!(!file(5).exists());
    // A branch has the rows before it.
    place.run_well("branch r@2 -- --steps 3 --out b");
    let branch = place.made("b").join("events.out.tfevents.0000000002.sharpscope");
    assert_eq!(records(branch), 3 + 2 + 1 + 1);
    place.run_well(&small("--force --out r"));
    assert!(!file(0).exists() && !file(2).exists());
    let config = &json_file(place.made("r/manifest.json"))["config"];
    assert!(config.get("tensorboard").is_none());
}

#[test]
fn a_comparison_has_event_files_for_each_run() {
    let place = Place::new();
    let words = "compare --backend cpu --model linear --train-size 40 --steps 2 --lr 0.01,0.02 --tensorboard --json --out c";
    let printed: Value = serde_json::from_str(&place.run_well(words).out).unwrap();
    let rows = printed["tables"]["summary"]["data"].as_array().unwrap();
    let stored = Table::read(place.made("c/summary.csv"));
    let losses: Vec<f64> =
        rows.iter().map(|row| row["final_train_loss_mean"].as_f64().unwrap()).collect();
    assert_eq!(losses, stored.column("final_train_loss_mean"));
    let members = printed["tables"]["members"]["data"].as_array().unwrap();
    assert_eq!(members.len(), 2);
    for member in members {
        let folder = place.made("c").join(member["folder"].as_str().unwrap());
        assert!(records(folder.join("events.out.tfevents.0000000000.sharpscope")) >= 6);
    }
    place.run_well("export c --to tensorboard --out t");
    let folder = members[0]["folder"].as_str().unwrap();
    assert!(
        records(place.made("t").join(folder).join("events.out.tfevents.0000000000.sharpscope"))
            >= 6
    );
    place.run_well("export c --to tensorboard --out t --force");
}
