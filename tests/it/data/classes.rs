//! Classes of a dataset that are chosen.

use std::collections::BTreeMap;

use sharpscope::data::{Classes, DataOptions, Dataset, Label, Targets};

use super::Folder;
use crate::support::{Place, json_file, refused};

fn named(names: &[&str]) -> Vec<Label> {
    names.iter().map(|name| Label::of_text(name)).collect()
}

fn load(file: &str) -> Dataset {
    Dataset::load(file).unwrap()
}

/// How many samples there are of each label.
fn counts(labels: impl Iterator<Item = usize>) -> BTreeMap<usize, usize> {
    labels.fold(BTreeMap::new(), |mut counts, label| {
        *counts.entry(label).or_default() += 1;
        counts
    })
}

#[test]
fn classes_that_are_chosen_are_numbered_in_the_order_given() {
    let whole = load("digits");
    let of = |class: usize| (0..whole.len()).filter(|&i| whole.label(i) == Some(class)).count();
    let mut data = whole.clone();
    let kept = data.choose_classes(&named(&["7", "0", "4"])).unwrap();
    assert_eq!(data.outputs(), 3);
    assert_eq!((data.len(), &data.sha256), (whole.len(), &whole.sha256));
    let found = counts(kept.iter().map(|&i| data.label(i).unwrap()));
    assert_eq!(found, BTreeMap::from([(0, of(7)), (1, of(0)), (2, of(4))]));
    for &sample in &kept {
        let class = [7, 0, 4][data.label(sample).unwrap()];
        assert_eq!(whole.label(sample), Some(class), "row {sample}");
        assert_eq!(whole.features(sample), data.features(sample));
    }
    assert!(kept.is_sorted());
    // No other sample has a label that is an output's.
    let others = (0..data.len()).filter(|i| !kept.contains(i));
    assert!(others.into_iter().all(|i| data.label(i).unwrap() >= 3));
    assert_eq!(data.notes.class_names, Some(["7", "0", "4"].map(String::from).to_vec()));
    let told =
        format!("3 classes (7, 0, 4), left out: {} samples of other", whole.len() - kept.len());
    assert!(data.description().contains(&told), "{}", data.description());
}

#[test]
fn classes_are_chosen_by_name_or_where_none_is_a_number_by_number() {
    let folder = Folder::new();
    let names = load(&folder.write("names.csv", b"1,cat\n2,dog\n3,eel\n4,cat\n"));
    for chosen in [["eel", "cat"], ["2", "0"]] {
        let mut data = names.clone();
        assert_eq!(data.choose_classes(&named(&chosen)).unwrap(), [0, 2, 3], "{chosen:?}");
        assert_eq!([0, 2, 3].map(|i| data.label(i)), [1, 0, 1].map(Some));
        assert_eq!(data.notes.class_names, Some(vec!["eel".to_string(), "cat".to_string()]));
    }
    let numbers = load(&folder.write("numbers.csv", b"1,5\n2,1\n3,90\n"));
    let mut data = numbers.clone();
    assert_eq!(data.choose_classes(&named(&["90", "5"])).unwrap(), [0, 2]);
    let refusal = |data: &Dataset, chosen: &[&str]| {
        data.clone().choose_classes(&named(chosen)).unwrap_err().to_string()
    };
    for (data, chosen, told) in [
        (&numbers, &["5", "0"][..], "no class 0 in"),
        (&numbers, &["5", "90", "5"], "class 5 is named twice"),
        (&names, &["cat", "0"], "'cat' is named twice"),
        (&names, &["cat"], "fewer than 2"),
        (&names, &["cat", "cow"], "its classes are cat, dog, eel"),
        (&load("diabetes"), &["0", "1"], "no classes"),
    ] {
        let text = refusal(data, chosen);
        assert!(text.starts_with("classes = ") && text.contains(told), "{text}");
    }
    // A choice that was refused has changed nothing.
    let mut data = names.clone();
    assert!(data.choose_classes(&named(&["cat", "cow"])).is_err());
    assert_eq!(data, names);
}

#[test]
fn what_has_no_classes_or_a_number_of_them_takes_no_choice() {
    let chosen = Some(Classes::Chosen(named(&["0", "1"])));
    let options = |classes| DataOptions { classes, ..DataOptions::default() };
    for name in ["diabetes", "chebyshev", "shakespeare"] {
        let text =
            Dataset::load_with(name, &options(chosen.clone()), None, 0).unwrap_err().to_string();
        let takers = "digits, fashion-mnist, blobs, moons, spirals, files of classes";
        assert!(text.starts_with("classes = 0,1: ") && text.ends_with(takers), "{text}");
    }
    let count = options(Some(Classes::Count(4)));
    let text = Dataset::load_with("digits", &count, None, 0).unwrap_err().to_string();
    assert!(text.contains("a number of them; name which, such as 0,1,2"), "{text}");
    for name in ["blobs", "moons", "digits"] {
        let (data, resolved) = Dataset::load_with(name, &options(chosen.clone()), None, 0).unwrap();
        assert_eq!(resolved.classes, chosen, "{name}");
        assert!(matches!(data.targets, Targets::Classes { .. }));
    }
}

/// A run trains on so many samples of the classes, named by their rows, and whatever takes the run makes the same of it.
#[test]
fn a_run_of_some_classes_is_one_of_their_samples() {
    let place = Place::new();
    let flags = "run --model linear --classes 3,1,8 --train-size 200 --lr 0.01 --backend cpu";
    place.run_well(&format!(
        "{flags} --steps 3 --test 0.1 --label-noise 0.1 --standardize --out run"
    ));
    let manifest = json_file(place.made("run/manifest.json"));
    assert_eq!(manifest["config"]["classes"], serde_json::json!([3, 1, 8]));
    let whole = load("digits");
    let rows = |key: &str| -> Vec<usize> {
        manifest[key].as_array().unwrap().iter().map(|row| row.as_u64().unwrap() as usize).collect()
    };
    let (train, held) = (rows("train_indices"), rows("validation_indices"));
    assert_eq!(train.len(), 200);
    let classes = counts(train.iter().chain(&held).map(|&row| whole.label(row).unwrap()));
    assert_eq!(classes.keys().copied().collect::<Vec<_>>(), [1, 3, 8]);
    let all = counts((0..whole.len()).map(|i| whole.label(i).unwrap()));
    let there = [1, 3, 8].map(|class| all[&class]).iter().sum::<usize>();
    assert_eq!(train.len() + held.len() + rows("test_indices").len(), there);
    let parameters = manifest["parameters"].as_u64();
    assert_eq!(parameters, Some(3 * 65), "an output for each");
    for command in [
        "run --resume run --steps 5",
        "spectrum run --probes 1 --iterations 5",
        "flow run --kind gradient",
        "landscape slice run --points 3",
    ] {
        let done = place.run(command);
        assert_eq!(done.code, Some(0), "{command}: {}", done.err);
    }
    let doctor = place.run("doctor run");
    assert!(doctor.code == Some(0) && !doctor.out.is_empty(), "{}", doctor.err);
    // Other classes are other data, and so are the same in another order.
    place.run_well(&format!("{} --steps 1 --out other", flags.replace("3,1,8", "1,3,8")));
    place.run_well(&format!("{flags} --steps 1 --out same"));
    let told = place.run("landscape interpolate same other --points 3").refusal().unwrap();
    assert!(told.contains("classes 3,1,8") && told.contains("classes 1,3,8"), "{told}");
}

#[test]
fn samples_of_other_files_are_of_the_classes_too() {
    let place = Place::new();
    let rows = |labels: &[&str]| -> String {
        let row = |(i, label): (usize, &&str)| format!("{i}.5,{},{label}\n", i * i);
        labels.iter().enumerate().map(row).collect()
    };
    place.file("data.csv", rows(&["a", "b", "c", "a", "b", "c", "a"]));
    place.file("more.csv", rows(&["c", "b", "a", "c"]));
    place.file("none.csv", rows(&["b", "b"]));
    let run =
        "run --model linear --dataset @/data.csv --classes c,a --lr 1e-3 --steps 1 --backend cpu";
    place.run_well(&format!("{run} --validation @/more.csv --out run"));
    let manifest = json_file(place.made("run/manifest.json"));
    let mut train: Vec<u64> =
        manifest["train_indices"].as_array().unwrap().iter().map(|i| i.as_u64().unwrap()).collect();
    train.sort_unstable();
    assert_eq!(train, [0, 2, 3, 5, 6]);
    assert_eq!(manifest["validation_indices"].as_array().unwrap().len(), 3);
    assert_eq!(manifest["data"]["class_names"], serde_json::json!(["c", "a"]));
    let told = place.run(&format!("{run} --validation @/none.csv --out b")).refusal().unwrap();
    assert!(told.contains("none.csv") && told.contains("no sample of the classes"), "{told}");
    for (flags, parts) in [
        ("--classes 0,1,x", &["--classes = 0,1,x", "no class x in 'digits'", "0, 1, 2"][..]),
        ("--classes 4", &["--classes = 4", "a number of them"]),
        ("--classes 1,", &["--classes", "such as 0,1,2"]),
        ("--classes 1,1", &["named twice"]),
        ("--classes 1,2 --train-size 1000", &["--train-size", "give at most"]),
        ("--dataset diabetes --classes 0,1", &["--classes = 0,1", "diabetes"]),
        ("--objective quartic --classes 0,1", &["--classes = 0,1", "an objective"]),
    ] {
        refused(&[], &format!("run --out new {flags}"), parts).unwrap();
    }
    place.file("config.json", r#"{"classes": [1], "steps": 1}"#);
    let told = place.run("run --config @/config.json --out new").refusal().unwrap();
    assert!(told.contains("fewer than 2 classes"), "{told}");
}
