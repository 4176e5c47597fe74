//! Folders, images of other types, and samples of several files as one dataset.

use sharpscope::data::{Dataset, InputShape, Inputs, Targets};
use sharpscope::{Error, data::DataOptions};

use super::Folder;

fn idx(magic: u32, dimensions: &[u32], entries: &[u8]) -> Vec<u8> {
    let header = [&[magic], dimensions].concat();
    header.iter().flat_map(|number| number.to_be_bytes()).chain(entries.iter().copied()).collect()
}

/// Two images of 1x2 pixels.
fn images() -> Vec<u8> {
    idx(0x0803, &[2, 1, 2], &[1, 2, 3, 4])
}

fn load(path: &str) -> Dataset {
    Dataset::load(path).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_folder_of_mnist_has_the_images_that_train() {
    for inner in ["", "raw", "MNIST/raw"] {
        let folder = Folder::new();
        std::fs::create_dir_all(folder.path(inner)).unwrap();
        let file = |name: &str| {
            if inner.is_empty() { name.to_string() } else { format!("{inner}/{name}") }
        };
        folder.write(&file("t10k-images-idx3-ubyte"), b"");
        folder.write(&file("train-images-idx3-ubyte"), &images());
        folder.write(&file("train-labels-idx1-ubyte"), &idx(0x0801, &[2], &[7, 2]));
        let data = load(&folder.path(""));
        let shape = InputShape::Image { channels: 1, height: 1, width: 2 };
        assert_eq!(data.inputs, Inputs::Images { shape, pixels: vec![1, 2, 3, 4] }, "{inner}");
        assert_eq!(data.notes.class_names, Some(vec!["2".to_string(), "7".to_string()]));
    }
}

/// QMNIST's labels: eight whole numbers of four bytes for each image, the first of them the class.
#[test]
fn labels_of_qmnist_and_images_of_other_types_are_read() {
    let folder = Folder::new();
    let path = folder.write("qmnist-train-images-idx3-ubyte", &images());
    let row = |class: u32| [class, 1, 300, 2, 9, 9, 9, 9].map(u32::to_be_bytes).concat();
    let labels = idx(0x0c02, &[2, 8], &[row(5), row(3)].concat());
    folder.write("qmnist-train-labels-idx2-int", &labels);
    assert_eq!(load(&path).targets, Targets::Classes { classes: 2, labels: vec![1, 0] });

    let entries = [[0.5, -1.0], [2.0, 3.25]].concat();
    let floats: Vec<u8> = entries.iter().flat_map(|x: &f32| x.to_be_bytes()).collect();
    let shorts: Vec<u8> = [1i16, -2, 300, 4].iter().flat_map(|x| x.to_be_bytes()).collect();
    for (magic, bytes, expected) in
        [(0x0d03, &floats, [0.5, -1.0, 2.0, 3.25]), (0x0b03, &shorts, [1.0, -2.0, 300.0, 4.0])]
    {
        let folder = Folder::new();
        let path = folder.write("train-images-idx3-ubyte", &idx(magic, &[2, 1, 2], bytes));
        folder.write("train-labels-idx1-ubyte", &idx(0x0801, &[2], &[0, 1]));
        let shape = InputShape::Image { channels: 1, height: 1, width: 2 };
        assert_eq!(load(&path).inputs, Inputs::Features { shape, values: expected.to_vec() });
    }
}

#[test]
fn cifar_100_has_the_fine_label_of_a_record_and_its_names() {
    let record = |coarse: u8, fine: u8, pixel: u8| [vec![coarse, fine], vec![pixel; 3072]].concat();
    let folder = Folder::new();
    let bytes = [record(9, 42, 7), record(3, 99, 8)].concat();
    folder.write("train.bin", &bytes);
    let data = load(&folder.path(""));
    assert_eq!(data.targets, Targets::Classes { classes: 100, labels: vec![42, 99] });
    assert_eq!((data.len(), data.features(1)[3071]), (2, 8.0 / 255.0));
    let names: String = (0..100).map(|i| format!("thing {i}\n")).collect();
    folder.write("fine_label_names.txt", names.as_bytes());
    let named = load(&folder.path("train.bin"));
    assert_eq!(named.notes.class_names.unwrap()[42], "thing 42");
    folder.write("test.bin", &record(0, 100, 0));
    let text = Dataset::load(&folder.path("test.bin")).unwrap_err().to_string();
    assert!(text.contains("record 1 is 100, above 99"), "{text}");
    let python = Folder::new();
    python.write("data_batch_1", b"");
    let text = Dataset::load(&python.path("")).unwrap_err().to_string();
    assert!(text.contains("Python version") && text.contains("binary"), "{text}");
}

fn table(text: &str) -> Dataset {
    load(&Folder::new().write("d.csv", text.as_bytes()))
}

#[test]
fn samples_of_another_file_have_the_classes_of_the_first() {
    let mut data = table("x,y\n1,b\n2,c\n3,a\n");
    let samples = data.append(table("x,y\n5,c\n6,b\n")).unwrap();
    assert_eq!(samples, 3..5);
    assert_eq!(
        [3, 4].map(|i| (data.features(i)[0], data.label(i))),
        [(5.0, Some(2)), (6.0, Some(1))]
    );
    assert_eq!(data.outputs(), 3);
    let wrong = |data: &mut Dataset, other: &str, part: &str| {
        let text = match data.append(table(other)) {
            Err(error @ Error::File { .. }) => error.to_string(),
            other => panic!("{other:?}"),
        };
        assert!(text.contains(part), "no {part} in {text}");
    };
    wrong(&mut data, "x,y\n1,d\n", "no class 'd'");
    wrong(&mut data, "x,z,y\n1,2,a\n", "2 features");
    assert_eq!(data.len(), 5, "what is refused changes nothing");
}

#[test]
fn no_window_of_text_goes_from_one_file_to_the_next() {
    for first in ["abcabcab", "abcabcabc", "abcabca"] {
        let mut data = Dataset::from_text("a", first, 3).unwrap();
        let samples = data.append(Dataset::from_text("b", "xyzabcx", 3).unwrap()).unwrap();
        assert_eq!((data.outputs(), samples.clone()), (6, 3..5), "{first}");
        let Inputs::Tokens { vocabulary, .. } = &data.inputs else { panic!() };
        let spelt = |i: usize| data.window(i).iter().map(|&t| vocabulary[t]).collect::<String>();
        assert_eq!([0, 1].map(spelt), ["abca", "abca"]);
        assert_eq!(samples.map(spelt).collect::<Vec<_>>(), ["xyza", "abcx"]);
    }
}

#[test]
fn text_of_ones_own_is_read_where_a_model_reads_text() {
    let folder = Folder::new();
    let path = folder.write("mine.txt", "\u{feff}löwe 1,2\nund so\n".as_bytes());
    let read = |path: &str| Dataset::load_with(path, &DataOptions::default(), Some(4), 0);
    let (data, options) = read(&path).unwrap();
    assert_eq!((data.len(), options), (3, DataOptions::default()));
    let Inputs::Tokens { vocabulary, .. } = &data.inputs else { panic!("no text") };
    assert!(vocabulary.contains(&'ö') && !vocabulary.contains(&'\u{feff}'));
    let latin = folder.write("latin.txt", b"one\nl\xf6we\n");
    let text = read(&latin).unwrap_err().to_string();
    assert!(text.contains("latin.txt:2:") && text.contains("UTF-8"), "{text}");
}
