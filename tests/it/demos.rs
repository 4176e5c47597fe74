//! Demonstrations: what theory says is what is measured.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Place, read, snapshot};

/// Kinds of events that the runs of all demonstrations meet; docs/lesson.md has why the others are not among them.
const KINDS: [&str; 13] = [
    "edge_entered",
    "edge_left",
    "realized_edge_entered",
    "realized_edge_left",
    "edge_forecast",
    "spike_warning",
    "loss_spike",
    "catapult",
    "plateau",
    "saddle",
    "minimum_suspected",
    "curvature_unconverged",
    "precision_suspect",
];

#[test]
fn every_number_of_the_demonstrations_is_that_of_theory() {
    let place = Place::new();
    let done = place.run("demo all --quick");
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    let listed = place.run_well("demo --list").out;
    let names: Vec<&str> =
        listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names.len(), 15, "{listed}");
    for name in &names {
        let folder = place.made("demos").join(name);
        let page = read(folder.join("page.html"));
        let pictures = page.split("src=\"").skip(1);
        let pictures: Vec<&str> = pictures.map(|rest| rest.split_once('"').unwrap().0).collect();
        assert!(pictures.len() > 3, "{name}: {pictures:?}");
        for picture in pictures {
            assert!(folder.join(picture).is_file(), "{name}: {picture}");
        }
        let table = read(folder.join("checks.csv"));
        assert!(table.lines().count() > 5, "{name}: {table}");
        let manifest: Value = serde_json::from_str(&read(folder.join("manifest.json"))).unwrap();
        assert_eq!(manifest["demo"], *name);
        // All that was written is named, so that another demonstration can take its place.
        let listed = manifest["files"].as_array().unwrap().len();
        let there = snapshot(&folder).values().filter(|content| content.is_some()).count();
        assert_eq!(listed + 1, there, "{name}");
    }
    let gallery = read(place.made("demos/index.html"));
    let linked = ["href=\"", "src=\""].map(|before| gallery.split(before).skip(1));
    for linked in linked.into_iter().flatten() {
        let linked = linked.split_once('"').unwrap().0;
        assert!(place.made("demos").join(linked).is_file(), "{linked}");
    }
    for name in &names {
        assert!(gallery.contains(&format!("{name}/page.html")), "{name}: {gallery}");
    }
    let mut met = BTreeSet::new();
    for (path, content) in snapshot(place.made("demos")) {
        if path.ends_with("events.jsonl") {
            let text = String::from_utf8(content.unwrap()).unwrap();
            let kind = |line: &str| serde_json::from_str::<Value>(line).unwrap()["kind"].clone();
            met.extend(text.lines().map(|line| kind(line).as_str().unwrap().to_string()));
        }
    }
    for kind in KINDS {
        assert!(met.contains(kind), "{kind} is not among {met:?}");
    }
    let again = place.run("demo saddle --quick");
    assert_eq!(again.code, Some(2), "{}", again.err);
    let before = snapshot(place.made("demos/saddle")).into_keys().collect::<Vec<_>>();
    place.run_well("demo saddle --quick --force");
    let after = snapshot(place.made("demos/saddle")).into_keys().collect::<Vec<_>>();
    assert_eq!(before, after);
    std::fs::create_dir(place.made("own")).unwrap();
    std::fs::write(place.made("own/index.html"), "mine").unwrap();
    let refused = place.run("demo saddle symmetry --quick --out own");
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    assert!(refused.err.contains("own/index.html"), "{}", refused.err);
    assert_eq!(read(place.made("own/index.html")), "mine");
    assert!(!place.made("own/saddle").exists());
    let line = place.run("demo sadle").refusal().unwrap();
    assert!(line.contains("did you mean 'saddle'"), "{line}");
}

/// On a softmax and on a transformer too, but for the runs at the edge, which take as long as all others.
#[test]
fn demonstrations_go_on_to_networks() {
    let place = Place::new();
    let listed = place.run_well("demo --list").out;
    let names = listed.lines().filter_map(|line| line.split_whitespace().next());
    let mut printed = String::new();
    for name in names.filter(|name| *name != "edge") {
        let done = place.run(&format!("demo {name}"));
        assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
        printed += &done.out;
    }
    for part in ["softmax", "transformer"] {
        assert!(printed.contains(part), "{printed}");
    }
}
