//! The library names fields in its errors, and the program prints them as its flags.

use std::sync::Arc;

use sharpscope::Error;
use sharpscope::data::{Classes, DataOptions, Dataset, Split};
use sharpscope::device::Precision;
use sharpscope::model::ModelSpec;
use sharpscope::problem::{Loss, Supervised};
use sharpscope::profiler::{Profiler, ProfilerSettings};
use sharpscope::rng::{Stream, stream};

use crate::derivatives::cpu;
use crate::support::Place;

fn task() -> Arc<Supervised> {
    let data = Dataset::from_rows("toy", vec![0.0, 1.0, 2.0, 3.0], 2, vec![0, 1], 2).unwrap();
    let model = ModelSpec::load("linear").unwrap();
    Arc::new(Supervised { model, data: Arc::new(data), loss: Loss::Ce })
}

/// The line that the program refuses these arguments of `run` with.
fn printed(files: &[(&str, &str)], flags: &str) -> String {
    let place = Place::new();
    files.iter().for_each(|(name, content)| _ = place.file(name, content));
    let line = place.run(&format!("run --backend cpu --out new {flags}")).refusal().unwrap();
    line.replace(place.files.path().to_str().unwrap(), "@")
}

#[test]
fn chunks_without_a_sample_are_refused_by_field_and_by_flag() {
    let (task, device) = (task(), cpu(Precision::F64));
    let refusals = [
        device.chunk(&*task, 2, Some(0)).err(),
        device.objective(Arc::clone(&task), vec![0, 1], 0).err(),
        Profiler::new(task, vec![0, 1], Some(0), &device, ProfilerSettings::default()).err(),
    ];
    for refusal in refusals {
        let refusal = refusal.expect("a chunk of 0");
        assert!(matches!(&refusal, Error::Setting { key, .. } if key == "chunk"), "{refusal:?}");
        let text = refusal.to_string();
        assert!(text.starts_with("chunk = 0: ") && !text.contains("--"), "{text}");
    }
    assert!(printed(&[], "--chunk 0").starts_with("error: --chunk = 0: "));
}

/// Of each error the key, and a field that its remedy or problem names.
#[test]
fn the_program_prints_the_librarys_words_with_flags_for_fields() {
    let split = Split::shuffled(1797, 1000, Some(5000), &mut stream(0, Stream::Split));
    let cloud =
        DataOptions { points: Some(2), classes: Some(Classes::Count(3)), ..DataOptions::default() };
    let folder = tempfile::tempdir().unwrap();
    let table = |name: &str, content: &str, target: Option<&str>| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let options = DataOptions { target: target.map(str::to_string), ..DataOptions::default() };
        Dataset::load_with(path.to_str().unwrap(), &options, None, 0).unwrap_err()
    };
    let whole = ("d.csv", "a,b\n1,0\n2,1\n");
    let broken = ("e.csv", "a,b\n1,0.5\n2,1\n");
    let cases = [
        (
            split.unwrap_err(),
            printed(&[], "--validation-size 5000"),
            "validation_size = 5000: 797 of 1797 samples are left beside the training set; give at \
             most 797, or a smaller `train_size`",
        ),
        (
            Dataset::load_with("blobs", &cloud, None, 0).unwrap_err(),
            printed(&[], "--dataset blobs --points 2 --classes 3"),
            "points = 2: 3 classes need a point each; give at least 3, or fewer `classes`",
        ),
        (
            table(whole.0, whole.1, Some("z")),
            printed(&[whole], "--dataset @/d.csv --target z"),
            "@/d.csv: there is no column 'z' for `target`; columns are a, b (or 1 to 2)",
        ),
        (
            table(broken.0, broken.1, None),
            printed(&[broken], "--dataset @/e.csv"),
            "@/e.csv:2: the label '0.5' (last column) is not a class number; label classes 0, 1, 2, \
             …, or give `regression` for a number",
        ),
    ];
    for (error, printed, expected) in cases {
        let error = error.to_string().replace(folder.path().to_str().unwrap(), "@");
        assert_eq!(error, expected);
        let mut flags = format!("error: {expected}");
        for field in ["train_size", "classes", "target", "regression"] {
            let flag = format!("--{}", field.replace('_', "-"));
            flags = flags.replace(&format!("`{field}`"), &flag);
        }
        for key in ["validation_size", "points"] {
            let flag = format!("error: --{}", key.replace('_', "-"));
            flags = flags.replace(&format!("error: {key}"), &flag);
        }
        assert_eq!(printed, flags);
    }
}
