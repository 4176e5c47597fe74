//! The datasets that come with the program, against rows read by Python's gzip and struct, and the
//! table that lists them.

use sharpscope::data::{DataOptions, Dataset, InputShape, Inputs, Targets, dataset_list};

#[test]
fn digits_are_those_of_the_file() {
    let digits = Dataset::load("digits").unwrap();
    let shape = InputShape::Image { channels: 1, height: 8, width: 8 };
    assert_eq!((digits.len(), digits.input_shape(), digits.outputs()), (1797, shape, 10));
    // The first row begins 0,0,5,13,9,1,0,0 and ends with label 0; the third's label is 2.
    let first: Vec<f64> = digits.features(0)[..8].iter().map(|x| x * 16.0).collect();
    assert_eq!(first, [0.0, 0.0, 5.0, 13.0, 9.0, 1.0, 0.0, 0.0]);
    assert_eq!([0, 1, 2].map(|i| digits.label(i)), [0, 1, 2].map(Some));
    let pixels = (0..digits.len()).flat_map(|i| digits.features(i).into_owned());
    assert_eq!(pixels.clone().fold(f64::INFINITY, f64::min), 0.0);
    assert_eq!(pixels.fold(0.0, f64::max), 1.0);
    let zeros = (0..digits.len()).filter(|&i| digits.label(i) == Some(0)).count();
    assert_eq!(zeros, 178);
}

/// Expected numbers: `gzip.open(images).read()[16:]` and `gzip.open(labels).read()[8:]`.
#[test]
fn fashion_mnist_is_that_of_the_files() {
    let fashion = Dataset::load("fashion-mnist").unwrap();
    let shape = InputShape::Image { channels: 1, height: 28, width: 28 };
    assert_eq!((fashion.len(), fashion.input_shape(), fashion.outputs()), (10_000, shape, 10));
    let pixels = |i| -> Vec<f64> { fashion.features(i).iter().map(|x| x * 255.0).collect() };
    let row = [
        0, 0, 0, 0, 0, 0, 2, 4, 1, 0, 0, 0, 98, 136, 110, 109, 110, 162, 135, 144, 149, 159, 167,
        144, 158, 169, 119, 0,
    ];
    for (pixel, expected) in pixels(0)[14 * 28..15 * 28].iter().zip(row) {
        assert!((pixel - f64::from(expected)).abs() < 1e-12, "{pixel} beside {expected}");
    }
    let sum = |i| pixels(i).iter().sum::<f64>().round();
    assert_eq!([sum(0), sum(9999)], [33_456.0, 24_390.0]);
    let labels = [9, 2, 1, 1, 6, 1, 4, 6, 5, 7, 4, 5].map(Some);
    assert_eq!(std::array::from_fn(|i| fashion.label(i)), labels);
    assert_eq!([9997, 9998, 9999].map(|i| fashion.label(i)), [8, 1, 5].map(Some));
    for class in 0..10 {
        let count = (0..10_000).filter(|&i| fashion.label(i) == Some(class)).count();
        assert_eq!(count, 1000, "class {class}");
    }
    // sha256sum of the two files, one after the other.
    assert_eq!(fashion.sha256, "2745d3e0a451fa5316dcdbabb5ffe689a6aa831f9f3922f9c2b96a38d353b07b");
}

/// Expected numbers: `line.split()` of either file in Python.
#[test]
fn diabetes_is_that_of_the_files() {
    let diabetes = Dataset::load("diabetes").unwrap();
    assert_eq!((diabetes.len(), diabetes.input_shape()), (442, InputShape::Features(10)));
    assert_eq!(diabetes.outputs(), 1);
    let first = [59.0, 2.0, 32.1, 101.0, 157.0, 93.2, 38.0, 4.0, 4.8598, 87.0];
    let last = [36.0, 1.0, 19.6, 71.0, 250.0, 133.2, 97.0, 3.0, 4.5951, 92.0];
    assert_eq!(*diabetes.features(0), first);
    assert_eq!(*diabetes.features(441), last);
    assert_eq!([diabetes.values(0), diabetes.values(441)], [[151.0], [57.0]]);
    assert_eq!((diabetes.label(0), diabetes.window(0)), (None, &[][..]));
    let sum: f64 = (0..442).map(|i| diabetes.values(i)[0]).sum();
    assert!((sum / 442.0 - 152.133_484_162_895_94).abs() < 1e-11);
    assert_eq!(diabetes.sha256, "41f4db25d0c16788823b82430b8dfe015615d4b1ff15c1539d62ed3b967d8789");
}

/// Expected numbers: the file stripped by four regular expressions in Python.
#[test]
fn shakespeare_is_the_play_without_its_markdown() {
    let windows =
        |context| Dataset::load_with("shakespeare", &DataOptions::default(), context, 0).unwrap().0;
    let play = windows(Some(64));
    let Inputs::Tokens { vocabulary, context, tokens } = &play.inputs else { panic!("no tokens") };
    let text: String = tokens.iter().map(|&token| vocabulary[token]).collect();
    assert!(text.starts_with(
        "Coriolanus\n\nACT I\n\nSCENE I. Rome. A street.\n\nEnter a company of mutinous Citizens, \
         with staves, clubs, and other\nweapons\n\nFirst Citizen:\nBefore we proceed any further, \
         hear me speak.\n\nAll:\nSpeak, speak.\n\nFirst Citizen:\n"
    ));
    assert!(text.ends_with("bearing the body of CORIOLANUS. A dead march sounded\n"));
    assert_eq!((text.len(), *context), (163_133, 64));
    let characters = "\n !&'(),-.:;?ABCDEFGHIJKLMNOPQRSTUVWXY[]abcdefghijklmnopqrstuvwxyz";
    assert_eq!(vocabulary.iter().collect::<String>(), characters);
    assert_eq!(
        sha256(text.as_bytes()),
        "808c2834ba6cb04c44514e64d1f75e8523ba9a75d9feec9fb04bf0867f63f3fd"
    );
    assert_eq!(
        play.sha256,
        sha256(&std::fs::read("datasets/coriolanus.md.gz").unwrap()),
        "of the file, not of its text"
    );

    // A window, and the first character of the next one.
    assert_eq!(play.len(), (163_133 - 1) / 64);
    assert_eq!(play.window(1), &tokens[64..=128]);
    assert_eq!(play.window(play.len() - 1).len(), 65);
    assert_eq!(play.targets, Targets::NextToken);
    assert_eq!(windows(None).len(), 5097, "windows of 32 without a model");
}

#[test]
fn the_list_says_what_each_dataset_holds() {
    let list = dataset_list();
    assert_eq!(list.len(), 8);
    for info in list {
        let dataset = Dataset::load(info.name).unwrap();
        assert_eq!(dataset.len(), info.samples, "{}", info.name);
        let shape = dataset.input_shape().to_string();
        let singular = if shape == "1 features" { "1 feature" } else { &shape };
        assert_eq!(singular, info.inputs, "{}", info.name);
        let targets = match (&dataset.targets, &dataset.inputs) {
            (Targets::Classes { classes, .. }, _) => format!("{classes} classes"),
            (Targets::Values { .. }, _) => "regression".to_string(),
            (Targets::NextToken, _) => format!("next of {} characters", dataset.outputs()),
        };
        assert_eq!(targets, info.targets, "{}", info.name);
        assert!(!info.licence.is_empty());
        assert_eq!(dataset.sha256.len(), 64, "{}", info.name);
        assert_eq!(dataset.name, info.name);
    }
}

/// Every file in the folder stands in its README with its checksum.
#[test]
fn the_folder_s_readme_has_the_checksum_of_each_file() {
    let readme = std::fs::read_to_string("datasets/README.md").unwrap();
    for entry in std::fs::read_dir("datasets").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "gz") {
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(readme.contains(name), "{name}");
            assert!(readme.contains(&sha256(&std::fs::read(&path).unwrap())), "{name}");
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
