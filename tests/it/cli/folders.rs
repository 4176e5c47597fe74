//! Where runs are written, what `--force` replaces, and what they read from.

use super::*;

#[test]
fn force_replaces_an_earlier_run_and_keeps_what_is_not_its_own() {
    let place = Place::new();
    place.run_well(&small("--out r"));
    std::fs::write(place.made("r/notes.txt"), "mine").unwrap();
    for left in ["checkpoints/step-0.safetensors", "spectra/step-0.csv"] {
        let path = place.made("r").join(left);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "old").unwrap();
    }
    // Without the edge, there is no event.
    place.run_well(&small("--steps 2 --lr 0.01 --force --out r"));
    assert_eq!(read(place.made("r/notes.txt")), "mine");
    std::fs::remove_file(place.made("r/notes.txt")).unwrap();
    let (table, summary, manifest) = check_end(place.made("r"), "completed", 0);
    assert_eq!(table.rows.len(), 2);
    assert_eq!(summary["first_step_at_edge"], Value::Null);
    assert_eq!(manifest["config"]["force"], true);
    assert!(events(place.made("r")).is_empty());
}

#[test]
fn force_is_no_hindrance_where_nothing_is() {
    let place = Place::new();
    place.run_well(&small("--force --out new/below"));
    std::fs::create_dir(place.made("empty")).unwrap();
    place.run_well(&small("--force --out empty"));
    place.run_well(&small("--out new/beside"));
    for run in ["new/below", "empty", "new/beside"] {
        check_end(place.made(run), "completed", 0);
    }
}

/// Checks that a name is `<date>-<time>-linear-digits-sgd`, perhaps with a number behind it.
fn check_default_name(name: &str) {
    let digits = |text: &str, n| text.len() == n && text.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = name.splitn(3, '-').collect();
    assert!(digits(parts[0], 8) && digits(parts[1], 6), "{name}");
    let number = parts[2].strip_prefix("linear-digits-sgd").unwrap();
    assert!(number.is_empty() || number.strip_prefix('-').unwrap().parse::<u8>().is_ok());
}

#[test]
fn default_folders_have_time_and_name_and_do_not_collide() {
    let place = Place::new();
    let mut said = BTreeSet::new();
    for _ in 0..4 {
        let out = place.run_well(&small("")).out;
        let path = out.lines().find_map(|line| line.strip_prefix("written")).unwrap();
        said.insert(path.trim().to_string());
    }
    assert_eq!(names_in(place.cwd.path()), ["runs"]);
    let names = names_in(place.made("runs"));
    names.iter().for_each(|name| check_default_name(name));
    let found: BTreeSet<String> = names.iter().map(|name| format!("runs/{name}")).collect();
    assert_eq!((found.len(), found), (4, said));
    for name in names {
        let (_, _, manifest) = check_end(place.made("runs").join(&name), "completed", 0);
        assert_eq!(manifest["config"]["out"], format!("runs/{name}"));
    }
}

#[test]
fn runs_that_start_at_once_take_different_folders() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| place.run_well(&small("--validation-size 0 --steps 1")));
        }
    });
    let names = names_in(place.made("runs"));
    assert_eq!(names.len(), 8, "{names:?}");
}

#[test]
fn a_csv_file_with_a_header_trains_whether_gzipped_or_not() {
    use sha2::Digest;

    let mut csv = "height,width,depth,class\n".to_string();
    for i in 0..30 {
        let (x, class) = (f64::from(i) / 30.0, i % 3);
        csv += &format!("{x},{},{},{class}\n", x * x - 0.5, f64::from(class) * 0.3);
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), Default::default());
    gzip.write_all(csv.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let place = Place::new();
    place.file("points.csv", &csv).file("points.csv.gz", &gzip);
    let run = |name: &str, out: &str, bytes: &[u8]| {
        place.run_well(&format!(
            "run --backend cpu --model linear --steps 3 --dataset @/{name} --out {out}"
        ));
        let (table, _, manifest) = check_end(place.made(out), "completed", 0);
        assert_eq!(manifest["parameters"], 3 * 3 + 3);
        assert_eq!(manifest["config"]["name"], "linear-points-sgd");
        assert_eq!(manifest["config"]["train_size"], 24);
        let (train, validation) =
            (indices(&manifest, "train_indices"), indices(&manifest, "validation_indices"));
        let all: BTreeSet<u64> = train.union(&validation).copied().collect();
        assert_eq!((train.len(), validation.len(), all), (24, 6, (0..30).collect()));
        let digest = sha2::Sha256::digest(bytes);
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(manifest["dataset_sha256"], hex);
        table.untimed().rows
    };
    assert_eq!(run("points.csv", "plain", csv.as_bytes()), run("points.csv.gz", "zip", &gzip));
}
