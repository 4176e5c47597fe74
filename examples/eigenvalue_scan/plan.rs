//! Which runs are made, as command lines.

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// One run to be made.
#[derive(Debug, Clone)]
pub struct Run {
    pub name: String,
    /// Flags of `sharpscope run`.
    pub command: String,
    /// Logged steps from one reference to the next.
    pub every: usize,
}

impl Run {
    /// The run of flags that somebody gave.
    pub fn given(flags: &str) -> Self {
        Self { name: "given".to_string(), command: with_backend(flags), every: 1 }
    }
}

fn with_backend(flags: &str) -> String {
    format!("--backend cpu --sharpness-batches 0 {flags}")
}

/// An optimizer with the learning rates that are drawn for mse and for ce: from slow to beyond the edge.
struct Choice {
    flags: &'static str,
    mse: (f64, f64),
    ce: (f64, f64),
}

const fn choice(flags: &'static str, mse: (f64, f64), ce: (f64, f64)) -> Choice {
    Choice { flags, mse, ce }
}

const OPTIMIZERS: [Choice; 14] = [
    choice("sgd", (0.05, 0.6), (0.1, 2.0)),
    choice("momentum", (0.01, 0.3), (0.03, 0.6)),
    choice("nesterov", (0.01, 0.15), (0.03, 0.4)),
    choice("ema-momentum", (0.1, 3.0), (0.3, 8.0)),
    choice("adam", (1e-3, 2e-2), (1e-3, 2e-2)),
    choice("adamw", (1e-3, 2e-2), (1e-3, 2e-2)),
    choice("rmsprop", (3e-4, 1e-2), (3e-4, 1e-2)),
    choice("adagrad", (5e-3, 1e-1), (5e-3, 1e-1)),
    choice("sam", (0.05, 0.6), (0.1, 2.0)),
    choice("sam --base momentum", (0.01, 0.2), (0.03, 0.4)),
    choice("sam --base adam", (1e-3, 2e-2), (1e-3, 2e-2)),
    choice("asam", (0.05, 0.6), (0.1, 2.0)),
    choice("asam --base momentum", (0.01, 0.2), (0.03, 0.4)),
    choice("asam --base adam", (1e-3, 2e-2), (1e-3, 2e-2)),
];

/// Models of up to 1,500 parameters, each as often as it stands here, with their data.
const MODELS: [(&str, &str); 16] = [
    ("linear", "digits"),
    ("mlp-tanh-8", "digits"),
    ("mlp-tanh-10-10", "digits"),
    ("mlp-tanh-10-10", "digits"),
    ("mlp-relu-8", "digits"),
    ("mlp-relu-8", "digits"),
    ("mlp-relu-10-10", "digits"),
    ("mlp-relu-10-10", "digits"),
    ("mlp-gelu-8", "digits"),
    ("mlp-gelu-10-10", "digits"),
    ("mlp-relu-16-16", "spirals"),
    ("mlp-relu-16-16", "moons"),
    ("cnn-relu", "digits"),
    ("cnn-relu", "digits"),
    ("cnn-tanh", "digits"),
    ("transformer", "shakespeare"),
];

fn file(model: &str) -> String {
    match model {
        "linear" => model.to_string(),
        _ => format!("examples/eigenvalue_scan/models/{model}.json"),
    }
}

/// The run of that number: 112 of them hold each optimizer once with each combination of solver, batch
/// and decay; all else is drawn.
pub fn random(seed: u64, number: usize) -> Run {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number as u64);
    let rng = &mut rng;
    let choice = &OPTIMIZERS[number % OPTIMIZERS.len()];
    let combination = number + number / OPTIMIZERS.len();
    let [decays, batches, lanczos] = [1, 2, 4].map(|bit| combination & bit != 0);

    let &(model, dataset) = MODELS.choose(rng).unwrap_or(&MODELS[0]);
    let text = dataset == "shakespeare";
    let ce = text || rng.random_bool(0.5);
    let (least, most) = if ce { choice.ce } else { choice.mse };
    let lr = log_uniform(rng, least, most);
    // Convolutions with tangents are slow.
    let (most, every) = if model.starts_with("cnn") { (120, 4) } else { (300, 1) };
    let train = if text { rng.random_range(16..=40) } else { rng.random_range(100..=most) };
    let mut command = format!(
        "--optimizer {} --lr {lr} --model {} --dataset {dataset} --train-size {train}",
        choice.flags,
        file(model)
    );
    let mut add = |flag: String| command.extend([" ", flag.as_str()]);
    add("--validation-size 0".to_string());
    if !text {
        add(format!("--loss {}", if ce { "ce" } else { "mse" }));
    }
    if matches!(dataset, "spirals" | "moons") {
        add(format!("--points {train}"));
    }
    if !text && rng.random_bool(0.3) {
        add(format!("--label-noise {:.2}", rng.random_range(0.05..0.4)));
    }
    if choice.flags.contains("momentum") || choice.flags == "nesterov" {
        add(format!("--momentum {}", [0.5, 0.8, 0.9, 0.95].choose(rng).unwrap_or(&0.9)));
    }
    if choice.flags.contains("sam") {
        let most = if choice.flags.starts_with("asam") { 1.0 } else { 0.2 };
        add(format!("--rho {}", log_uniform(rng, most / 20.0, most)));
        if rng.random_bool(0.5) {
            add("--perturbed-sharpness".to_string());
        }
    }
    match decays {
        true => add(format!("--weight-decay {}", log_uniform(rng, 1e-3, 5e-2))),
        false if choice.flags == "adamw" => add("--weight-decay 0".to_string()),
        false => {}
    }
    if batches {
        let least = train / 6;
        add(format!("--batch-size {}", rng.random_range(least..=train / 2)));
    }
    add(format!("--solver {}", if lanczos { "lanczos" } else { "davidson" }));
    if lanczos && rng.random_bool(0.25) {
        add("--smallest".to_string());
    }
    add(format!("--top {}", rng.random_range(1..=6)));
    if rng.random_bool(0.1) {
        add(format!("--every {}", rng.random_range(2..=4)));
    }
    add(format!("--steps {}", rng.random_range(50..=100)));
    add(format!("--seed {}", rng.random_range(0..1000)));
    Run { name: format!("{seed}-{number}"), command: with_backend(&command), every }
}

/// Log-uniform, to two digits.
fn log_uniform(rng: &mut ChaCha8Rng, least: f64, most: f64) -> f64 {
    let drawn = rng.random_range(least.ln()..most.ln()).exp();
    format!("{drawn:.1e}").parse().unwrap_or(drawn)
}

/// Runs of presets, with the steps from one reference to the next.
const FIXED: [(&str, usize, &str); 12] = [
    (
        "adagrad-decay-relu",
        1,
        "--optimizer adagrad --lr 0.02 --weight-decay 0.02 --model mlp-relu --train-size 200 \
         --steps 100",
    ),
    (
        "adagrad-decay-relu-lanczos",
        5,
        "--optimizer adagrad --lr 0.02 --weight-decay 0.02 --model mlp-relu --train-size 200 \
         --steps 100 --solver lanczos",
    ),
    (
        "adagrad-decay-relu-6",
        5,
        "--optimizer adagrad --lr 0.02 --weight-decay 0.02 --model mlp-relu --train-size 200 \
         --steps 100 --top 6",
    ),
    (
        "adam-decay-relu",
        5,
        "--optimizer adam --lr 0.003 --weight-decay 0.01 --model mlp-relu --train-size 200 \
         --steps 100",
    ),
    (
        "rmsprop-decay-relu",
        5,
        "--optimizer rmsprop --lr 0.003 --weight-decay 0.01 --model mlp-relu --train-size 200 \
         --steps 100",
    ),
    (
        "rmsprop-minibatch",
        5,
        "--optimizer rmsprop --lr 0.002 --loss ce --batch-size 50 --train-size 200 --steps 100",
    ),
    ("adam", 5, "--optimizer adam --lr 0.003 --train-size 300 --steps 150"),
    ("gd-3", 5, "--lr 0.2 --train-size 300 --top 3 --steps 200"),
    (
        "gd-relu-noise-6",
        10,
        "--model mlp-relu --loss ce --label-noise 0.25 --lr 0.3 --train-size 300 --top 6 --steps 150",
    ),
    (
        "sam-momentum",
        10,
        "--optimizer sam --base momentum --lr 0.05 --rho 0.05 --train-size 300 \
                         --top 3 --perturbed-sharpness --steps 150",
    ),
    ("cnn-relu", 10, "--model cnn-relu --train-size 100 --lr 0.1 --top 2 --steps 60"),
    ("default", 10, "--steps 300"),
];

/// Runs that are larger, or that were wrong once.
pub fn fixed() -> Vec<Run> {
    let run = |&(name, every, flags): &(&str, usize, &str)| {
        let flags = match name {
            "default" => flags.to_string(),
            _ => format!("{flags} --validation-size 0"),
        };
        Run { name: name.to_string(), command: with_backend(&flags), every }
    };
    FIXED.iter().map(run).collect()
}
