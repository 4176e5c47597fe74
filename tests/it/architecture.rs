//! No room imports one that stands above it or speaks of what is above it, and no file is too long to be read
//! at once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::support::{names_in, read};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The rooms in the order of the table: each may import those before it.
fn floors() -> Vec<String> {
    let document = read(root().join("docs/architecture.md"));
    let name = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_string());
    document.lines().filter_map(name).collect()
}

/// What a room's code names of other rooms, tests in it included, comments not.
fn imports(path: &Path, found: &mut BTreeSet<String>) {
    if path.is_dir() {
        names_in(path).iter().for_each(|name| imports(&path.join(name), found));
        return;
    }
    for line in read(path).lines().filter(|line| !line.trim_start().starts_with("//")) {
        let grouped = line.split_once("use crate::{").map(|(_, rooms)| rooms);
        let rooms =
            line.split("crate::").skip(1).chain(grouped.into_iter().flat_map(|r| r.split(", ")));
        for room in rooms {
            let end = room.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(room.len());
            found.insert(room[..end].to_string());
        }
    }
}

#[test]
fn rooms_import_only_what_stands_below_them() {
    let floors = floors();
    let known: BTreeSet<&str> = floors.iter().map(String::as_str).collect();
    let sources = root().join("src");
    let mut rooms = BTreeSet::new();
    let mut wrong = Vec::new();
    for name in names_in(&sources) {
        let room = name.trim_end_matches(".rs").to_string();
        if room == "lib" || room == "main" {
            continue;
        }
        let mut found = BTreeSet::new();
        imports(&sources.join(&name), &mut found);
        let floor = floors.iter().position(|other| *other == room);
        for other in found.iter().filter(|other| known.contains(other.as_str()) && **other != room)
        {
            let below = floors.iter().position(|known| known == other) < floor;
            if !below {
                wrong.push(format!("{room} -> {other}"));
            }
        }
        rooms.insert(room);
    }
    assert!(wrong.is_empty(), "{}", wrong.join(", "));
    let listed: BTreeSet<String> = floors.into_iter().collect();
    assert_eq!(rooms, listed, "docs/architecture.md lists each room once");
}

/// Files of Rust in a folder, and in those in it, with their numbers of lines.
fn lengths(folder: &Path, found: &mut Vec<(PathBuf, usize)>) {
    for name in names_in(folder) {
        let path = folder.join(name);
        if path.is_dir() {
            lengths(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let lines = read(&path).lines().count();
            found.push((path, lines));
        }
    }
}

#[test]
fn no_file_is_longer_than_600_lines() {
    let mut found = Vec::new();
    for folder in ["src", "crates", "tests", "benches", "examples"] {
        let before = found.len();
        lengths(&root().join(folder), &mut found);
        assert!(found.len() > before, "{folder}/ has no files");
    }
    found.retain(|(_, lines)| *lines > 600);
    assert!(found.is_empty(), "split by concern: {found:?}");
}

/// The lines of a room's code that are no comments, with the file and the number of each.
fn code(path: &Path) -> Vec<(String, String)> {
    if path.is_dir() {
        return names_in(path).iter().flat_map(|name| code(&path.join(name))).collect();
    }
    let text = read(path);
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    lines.map(|(n, line)| (format!("{}:{}", path.display(), n + 1), line.to_string())).collect()
}

/// `--` and a letter, as in a flag.
fn names_a_flag(line: &str) -> bool {
    line.split("--").skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// The command line translates the fields that the library names; see `error::Message`.
#[test]
fn the_library_names_no_flags() {
    assert!(names_a_flag("    lower --chunk\"") && !names_a_flag("a - -b -- 1"));
    let rooms = ["linalg", "autodiff", "data", "curvature", "model", "device"];
    let lines = rooms.iter().flat_map(|room| code(&root().join("src").join(room)));
    let named: Vec<_> = lines.filter(|(_, line)| names_a_flag(line)).collect();
    assert!(named.is_empty(), "{named:?}");
}

#[test]
fn eigensolvers_say_nothing_of_hessians() {
    let lines = code(&root().join("src/linalg")).into_iter();
    let named: Vec<_> = lines.filter(|(_, line)| line.contains("Hessian")).collect();
    assert!(named.is_empty(), "{named:?}");
}
