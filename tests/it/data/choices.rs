//! Choices about the data: label noise, what a dataset does not take, and what a run makes of them.

use sharpscope::Error;
use sharpscope::config::{RunConfig, Settings};
use sharpscope::data::{Classes, DataOptions, Dataset, Header, Inputs, Standardisation, Targets};
use sharpscope::device::BackendChoice;
use sharpscope::experiment::{Prepared, prepare};
use sharpscope::problem::Loss;
use sharpscope::rng::{Stream, stream};

use super::Folder;

fn none() -> DataOptions {
    DataOptions::default()
}

fn labels(data: &Dataset) -> Vec<usize> {
    (0..data.len()).map(|i| data.label(i).unwrap()).collect()
}

/// 1000 samples of 5 classes, of which the first 800 train, with that share of wrong labels.
fn noisy(share: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let clean: Vec<usize> = (0..1000).map(|i| i * 7 % 5).collect();
    let mut data = Dataset::from_rows("toy", vec![0.0; 1000], 1, clean.clone(), 5).unwrap();
    let train: Vec<usize> = (0..800).collect();
    data.add_label_noise(&train, share, &mut stream(seed, Stream::LabelNoise)).unwrap();
    (clean, labels(&data))
}

#[test]
fn label_noise_replaces_its_share_of_the_training_labels() {
    let (clean, found) = noisy(0.25, 0);
    let wrong: Vec<usize> = (0..1000).filter(|&i| clean[i] != found[i]).collect();
    assert_eq!(wrong.len(), 200, "each one replaced has another class");
    assert!(wrong.iter().all(|&i| i < 800), "validation labels are as they were");
    assert!(found.iter().all(|&label| label < 5));
    assert_eq!(found, noisy(0.25, 0).1);
    assert_ne!(found, noisy(0.25, 1).1);
    assert_eq!(noisy(0.0, 0).1, clean);

    // With every label replaced: 160 of each class, by each of the four others about 40 times.
    let (clean, found) = noisy(1.0, 0);
    let mut pairs = [[0; 5]; 5];
    (0..800).for_each(|i| pairs[clean[i]][found[i]] += 1);
    for (class, row) in pairs.iter().enumerate() {
        assert_eq!(row.iter().sum::<i32>(), 160);
        assert_eq!(row[class], 0);
        // Five standard deviations, sqrt(160 * 1/4 * 3/4) each.
        let even = row.iter().enumerate().all(|(c, n)| c == class || (n - 40).abs() < 28);
        assert!(even, "class {class} becomes {row:?}");
    }
    assert_eq!(clean[800..], found[800..]);
}

#[test]
fn label_noise_rounds_and_needs_another_class() {
    let mut data = Dataset::from_rows("toy", vec![0.0; 3], 1, vec![0, 1, 0], 2).unwrap();
    data.add_label_noise(&[0, 1, 2], 0.5, &mut stream(0, Stream::LabelNoise)).unwrap();
    let changed = labels(&data).iter().zip([0, 1, 0]).filter(|(a, b)| **a != *b).count();
    assert_eq!(changed, 2, "1.5 rounded");
    let mut one = Dataset::from_rows("toy", vec![0.0; 3], 1, vec![0; 3], 1).unwrap();
    let mut add =
        |share| one.add_label_noise(&[0, 1, 2], share, &mut stream(0, Stream::LabelNoise));
    assert!(add(0.1).is_ok(), "0.3 rounds to none");
    assert!(add(0.5).unwrap_err().to_string().contains("no other class"));
    for share in [-0.1, 1.1, f64::NAN] {
        assert!(add(share).unwrap_err().to_string().contains("label_noise = "));
    }
}

#[test]
fn a_dataset_refuses_what_it_does_not_take() {
    let refusal =
        |name: &str, options: &DataOptions| match Dataset::load_with(name, options, None, 0) {
            Err(error @ Error::Setting { .. }) => error.to_string(),
            other => panic!("{name} took {options:?}: {other:?}"),
        };
    let cases = [
        (
            DataOptions { points: Some(9), ..none() },
            "points = ",
            "chebyshev, blobs, moons, spirals",
        ),
        (DataOptions { degree: Some(2), ..none() }, "degree = ", "chebyshev"),
        (
            DataOptions { classes: Some(Classes::Count(2)), ..none() },
            "classes = ",
            "blobs, spirals",
        ),
        (DataOptions { noise: Some(0.1), ..none() }, "noise = ", "blobs, moons, spirals"),
        (DataOptions { target: Some("y".into()), ..none() }, "target = ", "CSV files, .npy files"),
        (
            DataOptions { regression: Some(true), ..none() },
            "regression = ",
            "CSV files, .npy and .npz files",
        ),
        (DataOptions { header: Some(Header::No), ..none() }, "header = ", "CSV files"),
    ];
    for (options, field, takers) in cases {
        let text = refusal("digits", &options);
        let end = format!("those that do: {takers}");
        assert!(text.starts_with(field) && text.ends_with(&end), "{text}");
    }
    let noise = DataOptions { label_noise: Some(0.0), ..none() };
    for name in ["diabetes", "shakespeare", "chebyshev"] {
        let text = refusal(name, &noise);
        assert!(text.starts_with("label_noise = "), "{text}");
        let takers = "digits, fashion-mnist, blobs, moons, spirals, files of classes";
        assert!(text.ends_with(takers), "{text}");
    }
    refusal("moons", &DataOptions { classes: Some(Classes::Count(2)), ..none() });
    refusal("blobs", &DataOptions { degree: Some(2), ..none() });
}

#[test]
fn values_out_of_range_are_refused() {
    let cases = [
        ("chebyshev", DataOptions { points: Some(1), ..none() }, "points = "),
        ("moons", DataOptions { points: Some(usize::MAX), ..none() }, "points = "),
        ("blobs", DataOptions { points: Some(2), ..none() }, "points = "),
        ("blobs", DataOptions { classes: Some(Classes::Count(1)), ..none() }, "classes = "),
        (
            "spirals",
            DataOptions { classes: Some(Classes::Count(usize::MAX)), ..none() },
            "classes = ",
        ),
        ("chebyshev", DataOptions { degree: Some(usize::MAX), ..none() }, "degree = "),
        ("moons", DataOptions { noise: Some(-0.1), ..none() }, "noise = "),
        ("moons", DataOptions { noise: Some(f64::INFINITY), ..none() }, "noise = "),
        ("moons", DataOptions { noise: Some(f64::NAN), ..none() }, "noise = "),
        ("digits", DataOptions { label_noise: Some(1.5), ..none() }, "label_noise = "),
        ("digits", DataOptions { label_noise: Some(f64::NAN), ..none() }, "label_noise = "),
    ];
    for (name, options, field) in cases {
        let text = Dataset::load_with(name, &options, None, 0).unwrap_err().to_string();
        assert!(text.starts_with(field), "{name}: {text}");
    }
}

#[test]
fn defaults_are_filled_in_where_they_apply() {
    let resolved = |name| Dataset::load_with(name, &none(), None, 0).unwrap().1;
    assert_eq!(resolved("chebyshev"), DataOptions { points: Some(20), degree: Some(5), ..none() });
    let cloud = |classes, noise| DataOptions {
        points: Some(500),
        classes,
        noise: Some(noise),
        label_noise: Some(0.0),
        ..none()
    };
    assert_eq!(resolved("blobs"), cloud(Some(Classes::Count(3)), 0.3));
    assert_eq!(resolved("moons"), cloud(None, 0.1));
    assert_eq!(resolved("spirals"), cloud(Some(Classes::Count(3)), 0.05));
    assert_eq!(resolved("digits"), DataOptions { label_noise: Some(0.0), ..none() });
    assert_eq!(resolved("diabetes"), none());
    assert_eq!(resolved("shakespeare"), none());
}

#[test]
fn standardisation_scales_numbers_to_be_predicted() {
    let values = vec![10.0, 1.0, 14.0, 1.0, 112.0, 5.0];
    let mut data = Dataset::from_values("toy", vec![1.0, 3.0, 5.0], 1, values, 2).unwrap();
    let statistics = Standardisation::of(&data, &[0, 1]);
    assert_eq!((&statistics.mean, &statistics.deviation), (&vec![2.0], &vec![1.0]));
    assert_eq!(statistics.target_mean, [12.0, 1.0]);
    assert_eq!(statistics.target_deviation, [2.0, 1.0], "a constant one keeps its scale");
    statistics.apply(&mut data);
    assert_eq!(
        [data.values(0), data.values(1), data.values(2)],
        [[-1.0, 0.0], [1.0, 0.0], [50.0, 4.0]]
    );
    assert_eq!(*data.features(2), [3.0]);
    assert!(Dataset::from_values("toy", vec![1.0; 3], 1, vec![0.0; 5], 2).is_err());
    assert!(Dataset::from_values("toy", vec![1.0; 3], 1, vec![0.0; 4], 2).is_err());
}

fn run(dataset: &str, change: impl FnOnce(&mut Settings)) -> Result<Prepared, Error> {
    let mut settings = Settings {
        model: Some(
            if dataset == "shakespeare" { "transformer-tiny" } else { "linear" }.parse().unwrap(),
        ),
        dataset: Some(dataset.to_string()),
        backend: Some(BackendChoice::Cpu),
        ..Settings::default()
    };
    change(&mut settings);
    prepare(RunConfig::resolve(settings)?)
}

fn refused(dataset: &str, change: impl FnOnce(&mut Settings)) -> String {
    match run(dataset, change) {
        Err(error @ Error::Setting { .. }) => error.to_string(),
        Err(other) => panic!("not a setting's error: {other}"),
        Ok(_) => panic!("{dataset} was accepted"),
    }
}

#[test]
fn diabetes_is_standardised_by_default() {
    let diabetes = run("diabetes", |_| ()).unwrap();
    assert!(diabetes.config.standardize);
    assert_eq!(diabetes.config.loss, Loss::Mse);
    let train = &diabetes.split.train;
    let column = |f: &dyn Fn(usize) -> f64| {
        let mean = train.iter().map(|&i| f(i)).sum::<f64>() / train.len() as f64;
        let variance = train.iter().map(|&i| f(i).powi(2)).sum::<f64>() / train.len() as f64;
        assert!(mean.abs() < 1e-12 && (variance - 1.0).abs() < 1e-12, "{mean}, {variance}");
    };
    for j in 0..10 {
        column(&|i| diabetes.dataset.features(i)[j]);
    }
    column(&|i| diabetes.dataset.values(i)[0]);
    let raw = run("diabetes", |s| s.standardize = Some(false)).unwrap();
    assert_eq!(raw.dataset.values(0), [151.0]);
}

#[test]
fn cross_entropy_needs_classes_and_scaling_needs_numbers() {
    for dataset in ["diabetes", "chebyshev"] {
        let text = refused(dataset, |s| s.loss = Some(Loss::Ce));
        assert!(text.starts_with("--loss") && text.contains("--loss mse"), "{text}");
    }
    let text = refused("shakespeare", |s| s.standardize = Some(true));
    assert!(text.starts_with("--standardize"), "{text}");
    assert!(run("shakespeare", |s| s.standardize = Some(false)).is_ok());
}

#[test]
fn text_has_its_own_loss_split_and_windows() {
    let play = run("shakespeare", |_| ()).unwrap();
    assert_eq!(play.config.loss, Loss::Ce);
    let context = play.config.model.context().unwrap();
    assert!(matches!(&play.dataset.inputs, Inputs::Tokens { context: c, .. } if *c == context));
    assert_eq!((play.split.train.len(), play.split.validation.len()), (500, 500));
    let validation = &play.split.validation;
    assert!(validation.windows(2).all(|pair| pair[1] == pair[0] + 1), "one stretch");
    let mse = run("shakespeare", |s| s.loss = Some(Loss::Mse)).unwrap();
    assert_eq!(mse.config.loss, Loss::Mse);
}

#[test]
fn the_configuration_says_what_applied() {
    let moons = run("moons", |s| (s.label_noise, s.points) = (Some(0.2), Some(50))).unwrap();
    let json = serde_json::to_value(&moons.config).unwrap();
    assert_eq!((&json["points"], &json["noise"]), (&50.into(), &0.1.into()));
    assert_eq!(json["label_noise"], 0.2);
    for key in ["degree", "classes", "target", "regression"] {
        assert_eq!(json.get(key), Some(&serde_json::Value::Null), "{key}");
    }
    // Of 40 that train, 8 are wrong, and none of those that validate.
    let clean = run("moons", |s| s.points = Some(50)).unwrap();
    let wrong = |samples: &[usize]| {
        samples.iter().filter(|&&i| moons.dataset.label(i) != clean.dataset.label(i)).count()
    };
    assert_eq!(moons.split, clean.split);
    assert_eq!((wrong(&moons.split.train), wrong(&moons.split.validation)), (8, 0));
}

#[test]
fn a_csv_file_s_target_is_a_column_of_choice() {
    let folder = Folder::new();
    let headed = folder.write("h.csv", b"a,y,b\n1,2.5,0\n3,4.5,1\n");
    let options = |target: Option<&str>, regression| DataOptions {
        target: target.map(str::to_string),
        regression,
        ..none()
    };
    let load = |path: &str, target, regression| {
        Dataset::load_with(path, &options(target, regression), None, 0)
    };
    let (data, resolved) = load(&headed, Some("y"), Some(true)).unwrap();
    assert_eq!(data.targets, Targets::Values { outputs: 1, values: vec![2.5, 4.5] });
    assert_eq!([data.features(0), data.features(1)].concat(), [1.0, 0.0, 3.0, 1.0]);
    assert_eq!(resolved, options(Some("y"), Some(true)));
    let (by_number, resolved) = load(&headed, Some("2"), Some(true)).unwrap();
    assert_eq!((&by_number.targets, &by_number.inputs), (&data.targets, &data.inputs));
    assert_eq!(resolved.target.as_deref(), Some("y"));
    let (last, resolved) = load(&headed, None, None).unwrap();
    assert_eq!([last.label(0), last.label(1)], [Some(0), Some(1)]);
    assert_eq!(resolved, DataOptions { label_noise: Some(0.0), ..options(Some("b"), Some(false)) });

    let plain = folder.write("p.csv", b"1,2,0\n3,4,1\n");
    let (first, resolved) = load(&plain, Some("1"), None).unwrap();
    assert_eq!((first.label(1), first.outputs()), (Some(1), 2));
    assert_eq!(resolved.target.as_deref(), Some("1"));
    let twice = folder.write("t.csv", b"y,x,y\n1,2,0\n");
    assert_eq!(load(&twice, None, None).unwrap().1.target.as_deref(), Some("3"));

    let refusal = |path: &str, target, regression| {
        let error = load(path, target, regression).unwrap_err();
        assert!(matches!(error, Error::File { .. }), "{error}");
        error.to_string()
    };
    let text = refusal(&headed, Some("z"), None);
    assert!(text.contains("'z'") && text.contains("a, y, b"), "{text}");
    for number in ["0", "4", "-1"] {
        let text = refusal(&plain, Some(number), None);
        assert!(text.contains("1 to 3"), "{text}");
    }
    let text = refusal(&headed, Some("y"), None);
    assert!(
        text.contains(":2:") && text.contains("2.5") && text.contains("`regression`"),
        "{text}"
    );
    let nan = folder.write("n.csv", b"a,y\n1,2\n2,NaN\n");
    let text = refusal(&nan, None, Some(true));
    assert!(text.contains(":3:") && text.contains("column 2"), "{text}");
    let noise = DataOptions { label_noise: Some(0.1), ..options(None, Some(true)) };
    let text = Dataset::load_with(&headed, &noise, None, 0).unwrap_err().to_string();
    assert!(text.starts_with("label_noise = "), "{text}");
}

#[test]
fn a_config_file_names_the_target_or_numbers_it() {
    let read = |json: &str| -> Settings { serde_json::from_str(json).unwrap() };
    assert_eq!(read(r#"{"target": "y"}"#).target.as_deref(), Some("y"));
    assert_eq!(read(r#"{"target": 2}"#).target.as_deref(), Some("2"));
    assert_eq!(read(r#"{"target": null, "noise": null}"#), Settings::default());
}

/// 0.1 has no end in binary: the mean of a thousand of them is another number, and their variance is not 0.
#[test]
fn what_differs_by_rounding_is_constant_under_standardisation() {
    let n = 1000;
    for nearly in [0.1, 0.1 + 0.2, 1e300, 1e9 / 3.0] {
        let features: Vec<f64> = (0..n).flat_map(|i| [nearly, i as f64]).collect();
        let mut data = Dataset::from_rows("toy", features, 2, vec![0; n], 1).unwrap();
        if nearly == 0.1 + 0.2 {
            let Inputs::Features { values, .. } = &mut data.inputs else { panic!() };
            values.iter_mut().step_by(4).for_each(|x| *x = 0.3);
        }
        let statistics = Standardisation::of(&data, &(0..n).collect::<Vec<_>>());
        assert_eq!(statistics.deviation[0], 1.0, "{nearly}");
        assert!(statistics.deviation[1] > 288.0);
        statistics.apply(&mut data);
        assert!((0..n).all(|i| data.features(i)[0].abs() <= 1e-12 * nearly), "{nearly}");
    }
    // Small beside its mean, and no rounding.
    let features: Vec<f64> = (0..n).map(|i| 1e9 + (i % 2) as f64).collect();
    let data = Dataset::from_rows("toy", features, 1, vec![0; n], 1).unwrap();
    let statistics = Standardisation::of(&data, &(0..n).collect::<Vec<_>>());
    assert!((statistics.deviation[0] - 0.5).abs() < 1e-6);
}
