//! The data of a run: read, split, scaled, and checked to be numbers that the run can compute with.

use std::ops::Range;

use rand::Rng;
use rand::seq::SliceRandom;

use crate::config::{Quantities, RunConfig, TestSet};
use crate::data::{Classes, DataOptions, Dataset, Inputs, Split, Standardisation, Targets};
use crate::device::Precision;
use crate::digest::digest;
use crate::error::{Error, Message, Result};
use crate::objective::ObjectiveSpec;
use crate::problem::Loss;
use crate::rng::{self, Stream};

/// The samples, scaled and with the label noise asked for, and which of them train, validate and are kept
/// for a test. Fills in what the configuration leaves to the data.
pub(super) fn load_data(config: &mut RunConfig) -> Result<(Dataset, Split)> {
    if let Some(objective) = config.objective() {
        let constants = constants(objective, config)?;
        (config.train_size, config.validation_size) = (Some(1), Some(0));
        return Ok((constants, Split { train: vec![0], validation: vec![], test: vec![] }));
    }
    let (mut dataset, data) = Dataset::load_with(
        &config.dataset,
        &config.data,
        config.model.context(),
        data_seed(config),
    )?;
    config.data = data;
    check_choices(config, &dataset)?;
    let own = 0..dataset.len();
    let mut files = Files { names: vec![(config.dataset.clone(), own.clone())] };
    let validation = match &config.validation {
        Some(file) => Some(files.append(&mut dataset, file, config)?),
        None => None,
    };
    let test = match &config.test {
        Some(TestSet::File(file)) => Some(files.append(&mut dataset, file, config)?),
        _ => None,
    };
    let kept = Kept::of(config, &mut dataset)?;
    let validation = validation.map(|file| kept.of_file(file, &files)).transpose()?;
    let test = test.map(|file| kept.of_file(file, &files)).transpose()?;
    let mut split = split(config, &dataset, &kept.among(own), validation)?;
    split.test.extend(test.into_iter().flatten());
    if let Some(share) = config.data.label_noise {
        let rng = &mut rng::stream(data_seed(config), Stream::LabelNoise);
        dataset.add_label_noise(&split.train, share, rng)?;
    }
    if config.standardize {
        Standardisation::of(&dataset, &split.train).apply(&mut dataset);
    }
    files.check_numbers(&dataset, &split, config.precision)?;
    config.train_size = Some(split.train.len());
    config.validation_size = Some(split.validation.len());
    Ok((dataset, split))
}

/// An objective's constants, as the one thing that it reads.
fn constants(objective: &ObjectiveSpec, config: &RunConfig) -> Result<Dataset> {
    if let Some(quantity) = config.measure.as_ref().and_then(Quantities::of_classes) {
        let problem = "an objective has no classes";
        return Err(Error::setting("--measure", quantity, problem, "leave it out"));
    }
    let mut constants = objective.facts().constants();
    if constants.is_empty() {
        constants.push(0.0);
    }
    let unusable = |x: &&f64| !config.precision.round(**x).is_finite();
    if let Some(constant) = constants.iter().find(unusable) {
        let problem = format!("{constant:?} is no finite number in {}", config.precision);
        let remedy = "give smaller numbers, or --precision f64";
        return Err(Error::setting("--objective", objective.kind(), problem, remedy));
    }
    let count = constants.len();
    Dataset::from_values(objective.kind(), constants, count, vec![0.0], 1)
}

/// Refuses choices that these data do not go with.
fn check_choices(config: &RunConfig, dataset: &Dataset) -> Result<()> {
    if config.standardize && is_text(dataset) {
        let remedy = "leave it out";
        return Err(Error::setting("--standardize", true, "text has no numbers to scale", remedy));
    }
    let of_classes = config.measure.as_ref().and_then(Quantities::of_classes);
    if let Some(quantity) =
        of_classes.filter(|_| !matches!(dataset.targets, Targets::Classes { .. }))
    {
        let problem = format!("the samples of '{}' have no classes", config.dataset);
        return Err(Error::setting("--measure", quantity, problem, "leave it out"));
    }
    if config.loss == Loss::Ce && matches!(dataset.targets, Targets::Values { .. }) {
        let problem = format!("the targets of '{}' are numbers, not classes", config.dataset);
        return Err(Error::setting("--loss", "ce", problem, "use --loss mse"));
    }
    Ok(())
}

fn is_text(dataset: &Dataset) -> bool {
    matches!(dataset.inputs, Inputs::Tokens { .. })
}

/// The samples of the classes that were chosen; all where none were.
struct Kept(Option<Vec<usize>>);

impl Kept {
    fn of(config: &RunConfig, dataset: &mut Dataset) -> Result<Self> {
        let chosen = config.data.classes.as_ref().and_then(Classes::chosen);
        Ok(Self(chosen.map(|chosen| dataset.choose_classes(chosen)).transpose()?))
    }

    /// Those of a range, in their order.
    fn among(&self, samples: Range<usize>) -> Vec<usize> {
        match &self.0 {
            None => samples.collect(),
            Some(kept) => kept.iter().copied().filter(|sample| samples.contains(sample)).collect(),
        }
    }

    /// Those of a file beside the dataset.
    fn of_file(&self, samples: Range<usize>, files: &Files) -> Result<Vec<usize>> {
        let kept = self.among(samples.clone());
        if kept.is_empty() && self.0.is_some() {
            let problem = "it has no sample of the classes of --classes";
            let remedy = "give a file that has, or leave --classes out";
            return Err(Error::file(files.of(samples.start).0, None, problem, remedy));
        }
        Ok(kept)
    }
}

/// Which of the dataset's own samples, `rows`, train, validate and are kept for a test, those of a file that
/// validate being given.
fn split(
    config: &RunConfig,
    dataset: &Dataset,
    rows: &[usize],
    validation: Option<Vec<usize>>,
) -> Result<Split> {
    let (text, own) = (is_text(dataset), rows.len());
    let test = match config.test {
        Some(TestSet::Share(share)) => ((share * own as f64).round() as usize).max(1),
        _ => 0,
    };
    let left = own.saturating_sub(test);
    let beside = validation.is_some();
    let train = config.train_size.unwrap_or_else(|| default_train_size(left, text, beside));
    let wanted = if beside { Some(0) } else { config.validation_size };
    let rng = &mut rng::stream(data_seed(config), Stream::Split);
    let mut split = match text {
        true => {
            Split { test: (left..own).collect(), ..Split::by_position(left, train, wanted, rng)? }
        }
        false => Split::shuffled_beside_test(own, test, train, wanted, rng)?.of_rows(rows),
    };
    if let Some(file) = validation {
        split.validation = of_file(file, text, config.validation_size, rng)?;
    }
    Ok(split)
}

/// So many samples of a file, all of them by default: the first of a shuffle, or of a text the first windows,
/// by default at most 500.
fn of_file<R: Rng>(
    mut samples: Vec<usize>,
    text: bool,
    wanted: Option<usize>,
    rng: &mut R,
) -> Result<Vec<usize>> {
    const MOST_WINDOWS: usize = 500;
    let there = samples.len();
    let count = wanted.unwrap_or(if text { there.min(MOST_WINDOWS) } else { there });
    if count > there {
        let problem = format!("the file of --validation has {there} samples");
        let remedy = format!("give at most {there}");
        return Err(Error::setting("--validation-size", count, problem, remedy));
    }
    if !text {
        samples.shuffle(rng);
    }
    samples.truncate(count);
    Ok(samples)
}

/// A window of text is as much work as some tens of other samples. Where nothing of the dataset validates,
/// all of a small one trains.
fn default_train_size(samples: usize, text: bool, validated_beside: bool) -> usize {
    let most = if text { 500 } else { 1000 };
    match samples > most {
        true => most,
        false if validated_beside => samples.max(1),
        false => (samples * 4 / 5).max(1),
    }
}

/// The files that a dataset was put together from, with the numbers of their samples.
struct Files {
    names: Vec<(String, Range<usize>)>,
}

impl Files {
    /// Adds a file's samples, read as the dataset's own were.
    fn append(
        &mut self,
        dataset: &mut Dataset,
        file: &str,
        config: &RunConfig,
    ) -> Result<Range<usize>> {
        let DataOptions { header, target, regression, .. } = config.data.clone();
        let like = DataOptions { header, target, regression, ..DataOptions::default() };
        let (more, _) = Dataset::load_with(file, &like, config.model.context(), data_seed(config))?;
        let sums = [&dataset.sha256, &more.sha256].map(|sum| format!("{sum}\n")).concat();
        let samples = dataset.append(more)?;
        dataset.sha256 = digest(&[sums.as_bytes()]);
        self.names.push((file.to_string(), samples.clone()));
        Ok(samples)
    }

    /// The file of a sample, and its first.
    fn of(&self, sample: usize) -> (&str, usize) {
        let holds = |(_, samples): &&(String, Range<usize>)| samples.contains(&sample);
        let found = self.names.iter().find(holds);
        found.map_or(("", 0), |(file, samples)| (file.as_str(), samples.start))
    }

    /// Refuses numbers that are used and not finite in the run's precision.
    fn check_numbers(&self, dataset: &Dataset, split: &Split, precision: Precision) -> Result<()> {
        let unusable = |x: &f64| !precision.round(*x).is_finite();
        if matches!(dataset.inputs, Inputs::Features { .. }) || !dataset.values(0).is_empty() {
            let mut used = [&split.train[..], &split.validation, &split.test].concat();
            used.sort_unstable();
            for sample in used {
                let feature = dataset.features(sample).iter().position(unusable);
                let value = dataset.values(sample).iter().find(|x| unusable(x));
                if feature.is_some() || value.is_some() {
                    return Err(self.unusable(dataset, sample, feature, precision));
                }
            }
        }
        Ok(())
    }

    fn unusable(
        &self,
        dataset: &Dataset,
        sample: usize,
        feature: Option<usize>,
        precision: Precision,
    ) -> Error {
        let (file, first) = self.of(sample);
        let line = dataset.notes.lines.get(sample).copied().filter(|&line| line > 0);
        let row = match line {
            Some(_) => String::new(),
            None => format!(" of sample {}", sample - first + 1),
        };
        let column = feature
            .map(|feature| dataset.notes.columns.get(feature).copied().unwrap_or(feature + 1));
        let place = column.map_or("the target".to_string(), |column| format!("column {column}"));
        let number = feature.map(|feature| dataset.features(sample)[feature]);
        let number = number.or(dataset.values(sample).first().copied()).unwrap_or(f64::NAN);
        let problem = format!("{number:?} in {place}{row} is no finite number in {precision}");
        let usual = "correct it or remove the row";
        let remedy = match precision {
            Precision::F32 if number.is_finite() => format!("{usual}, or use --precision f64"),
            _ => usual.to_string(),
        };
        Error::file(file, line, problem, Message::from(remedy))
    }
}

/// What the data are drawn from.
fn data_seed(config: &RunConfig) -> u64 {
    config.data_seed.unwrap_or(config.seed)
}
