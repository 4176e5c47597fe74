//! Gradient, the gradient linearised (what products at the same parameters share), Hessian-vector
//! products (one, a block of four, one by reverse over reverse), a cold Lanczos solve and the spectral density of tanh networks from 9 thousand to 650 thousand parameters,
//! on the CPU backend and on wgpu, and how many gradients a product costs; the latter for other kinds of
//! network too.
//!
//! `cargo bench --bench curvature`, with a filter such as `cpu/` or `wgpu/64x64` behind `--` if not
//! everything is wanted. `scripts/pytorch/bench.py` measures the same networks with PyTorch.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use serde_json::Value;
use sharpscope::autodiff::{Objective, Samples};
use sharpscope::curvature::{CurvatureMeter, Hessian};
use sharpscope::data::{DataOptions, Dataset};
use sharpscope::device::{BackendChoice, Device, Differentiation, Precision};
use sharpscope::linalg::{Lanczos, StochasticLanczos, random_unit_vector};
use sharpscope::model::{ModelSpec, initial_parameters};
use sharpscope::problem::{Loss, Supervised, supervised};
use sharpscope::rng::{Stream, stream};

const WIDTHS: [&[usize]; 5] =
    [&[64, 64], &[128, 128], &[256, 256], &[512, 512, 256], &[768, 640, 160]];
const SAMPLES: usize = 1000;
const QUANTITIES: [&str; 7] =
    ["gradient", "hvp", "block", "linearise", "reverse", "lanczos", "density"];
/// The density of larger networks takes minutes.
const DENSITY_WIDTHS: [&[usize]; 2] = [&[64, 64], &[256, 256]];

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is measured.
struct Case {
    label: String,
    model: ModelSpec,
    dataset: &'static str,
    loss: Loss,
    samples: usize,
    quantities: Vec<&'static str>,
}

/// Tanh networks on digits.
fn networks() -> Vec<Case> {
    let case = |widths: &[usize]| Case {
        label: label(widths),
        model: serde_json::from_value(serde_json::json!({ "kind": "mlp", "hidden": widths }))
            .unwrap(),
        dataset: "digits",
        loss: Loss::Mse,
        samples: SAMPLES,
        quantities: QUANTITIES
            .into_iter()
            .filter(|&quantity| quantity != "density" || DENSITY_WIDTHS.contains(&widths))
            .collect(),
    };
    WIDTHS.into_iter().map(case).collect()
}

/// Other kinds.
fn kinds() -> Vec<Case> {
    let case = |(name, dataset, samples): (&str, &'static str, usize)| Case {
        label: format!("{name}-{samples}"),
        model: ModelSpec::load(name).unwrap(),
        dataset,
        loss: Loss::Ce,
        samples,
        quantities: vec!["gradient", "hvp", "block", "linearise", "reverse"],
    };
    [
        ("mlp", "digits", SAMPLES),
        ("mlp-relu", "digits", SAMPLES),
        ("mlp-gelu", "digits", SAMPLES),
        ("fc-tanh", "fashion-mnist", SAMPLES),
        ("cnn-relu", "digits", 200),
        ("cnn-tanh", "fashion-mnist", 60),
        ("transformer-tiny", "shakespeare", 32),
        ("transformer-tiny", "shakespeare", 200),
    ]
    .map(case)
    .into()
}

/// The loss, and parameters.
fn objective(device: &Device, case: &Case, how: Differentiation) -> (Box<dyn Objective>, Vec<f64>) {
    let device = &device.clone().with_differentiation(how);
    let (model, options) = (case.model.clone(), DataOptions::default());
    let (data, _) = Dataset::load_with(case.dataset, &options, model.context(), 0).unwrap();
    let data = Arc::new(data);
    let mut weights = stream(0, Stream::Initialisation);
    let theta = initial_parameters(&model, data.input_shape(), data.outputs(), &mut weights)
        .expect("a model");
    let task = Arc::new(Supervised { model, data, loss: case.loss });
    let chunk = device.chunk(&*task, case.samples, None).expect("a chunk");
    let samples = (0..case.samples).collect();
    let mut objective = supervised(device, &task, samples, chunk).unwrap();
    objective.set_parameters(&theta).unwrap();
    (objective, theta)
}

fn label(widths: &[usize]) -> String {
    widths.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}

fn bench_device(criterion: &mut Criterion, choice: BackendChoice, cases: &[Case]) {
    let device = match Device::open(choice, Precision::F32) {
        Ok(device) => device,
        Err(error) => {
            eprintln!("left out: {error}");
            return;
        }
    };
    eprintln!("{}: {}", device.backend(), device.adapter());
    let mut group = criterion.benchmark_group(device.backend());
    group.sample_size(10).warm_up_time(Duration::from_millis(500));
    group.measurement_time(Duration::from_secs(3));
    for case in cases {
        let mut made: HashMap<bool, (Box<dyn Objective>, Vec<f64>)> = HashMap::new();
        for &quantity in &case.quantities {
            group.bench_function(BenchmarkId::new(&case.label, quantity), |bencher| {
                let how = match quantity {
                    "reverse" => Differentiation::Reverse,
                    _ => Differentiation::Forward,
                };
                let made = made.entry(quantity == "reverse");
                let (objective, theta) = made.or_insert_with(|| objective(&device, case, how));
                let block: Vec<f64> = (0..4)
                    .flat_map(|i| {
                        random_unit_vector(objective.dim(), &mut stream(i, Stream::Split))
                    })
                    .collect();
                let v = random_unit_vector(objective.dim(), &mut stream(1, Stream::Split));
                let mut step = 0;
                bencher.iter(|| match quantity {
                    "gradient" => objective.gradient(Samples::All).unwrap().gradient[0],
                    "hvp" | "reverse" => objective.hvp(&v).unwrap()[0],
                    "block" => objective.hvps(&block).unwrap()[0],
                    "linearise" => {
                        objective.set_parameters(theta).unwrap();
                        objective.gradient_and_hvps(&[]).unwrap().0.gradient[0]
                    }
                    "density" => {
                        let mut rng = stream(2, Stream::Split);
                        let mut hessian = Hessian::new(&**objective);
                        DENSITY.run(&mut hessian, &mut rng).unwrap().range().1
                    }
                    _ => {
                        step += 1;
                        METER.measure(&**objective, step).unwrap().lambda[0]
                    }
                });
            });
        }
    }
    group.finish();
}

const METER: CurvatureMeter = CurvatureMeter::lanczos(
    Lanczos { largest: 1, smallest: 0, tolerance: 1e-3, max_iterations: 100 },
    0,
);

const DENSITY: StochasticLanczos = StochasticLanczos { probes: 10, iterations: 80 };

/// Median, least and greatest time of the latest measurement, in milliseconds.
fn measured(group: &str, label: &str, quantity: &str) -> Option<(f64, f64, f64)> {
    let folder: PathBuf = ["target", "criterion", group, label, quantity, "new"].iter().collect();
    let read = |name: &str| -> Option<Value> {
        serde_json::from_slice(&std::fs::read(folder.join(name)).ok()?).ok()
    };
    let median = read("estimates.json")?["median"]["point_estimate"].as_f64()?;
    let sample = read("sample.json")?;
    let numbers = |key: &str| -> Option<Vec<f64>> {
        sample[key].as_array()?.iter().map(Value::as_f64).collect()
    };
    let (times, iterations) = (numbers("times")?, numbers("iters")?);
    let each = || times.iter().zip(&iterations).map(|(time, n)| time / n / 1e6);
    Some((median / 1e6, each().fold(f64::INFINITY, f64::min), each().fold(0.0, f64::max)))
}

fn print_table(cases: &[Case]) {
    println!("\nmilliseconds: median (least to greatest), f32");
    for group in ["cpu", "wgpu"] {
        for case in cases {
            let times = QUANTITIES.map(|quantity| measured(group, &case.label, quantity));
            if times.iter().all(Option::is_none) {
                continue;
            }
            print!("{group:5} {:16} {} samples", case.label, case.samples);
            for (quantity, time) in QUANTITIES.iter().zip(times) {
                if let Some((median, least, greatest)) = time {
                    print!("  {quantity} {median:.2} ({least:.2} to {greatest:.2})");
                }
            }
            if let [Some(gradient), Some(hvp), Some(block), _, Some(reverse), ..] = times {
                let ratio = |time: f64| time / gradient.0;
                print!(
                    "  in gradients: hvp {:.2}, of a block {:.2}, reverse {:.2}",
                    ratio(hvp.0),
                    ratio(block.0 / 4.0),
                    ratio(reverse.0)
                );
            }
            println!();
        }
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let (mut cases, kinds) = (networks(), kinds());
    bench_device(&mut criterion, BackendChoice::Cpu, &cases);
    bench_device(&mut criterion, BackendChoice::Cpu, &kinds);
    bench_device(&mut criterion, BackendChoice::Wgpu, &cases);
    bench_device(&mut criterion, BackendChoice::Wgpu, &kinds);
    cases.extend(kinds);
    criterion.final_summary();
    // `cargo test` and `cargo bench -- --test` run this without measuring.
    if std::env::args().any(|argument| argument == "--bench") {
        print_table(&cases);
    }
}
