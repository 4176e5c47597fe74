//! What an evaluation costs a GPU besides arithmetic: kernels launched, and waits for numbers to be
//! read back. Neither may grow.
//!
//! The program runs on wgpu with the log of burn's compute library, which it looks for in the folder
//! that it runs in: a line for each launch, in order, and one for each buffer reserved for reading
//! back. The log is written by a thread that the end of the program does not wait for, so the last
//! lines may be missing; no test needs them.

use sharpscope::device::adapters;

use crate::support::{Done, Place, Table, read};

const LOGGED: &str = r#"
[profiling]
logger = { level = "minimal", file = "device.log" }
[memory]
logger = { level = "full", file = "device.log" }
"#;

/// Runs 4 steps of the default network on 100 samples. The launches before each read, in order, and
/// `steps.csv`.
fn logged(flags: &str) -> (Vec<usize>, Table) {
    let place = Place::new();
    std::fs::write(place.made("cubecl.toml"), LOGGED).unwrap();
    let words = format!("run --backend wgpu --train-size 100 --steps 4 --out r {flags}");
    let mut program = place.program_seeing_drivers();
    for key in ["CUBECL_DEBUG_LOG", "CUBECL_DEBUG_OPTION"] {
        program.env_remove(key);
    }
    let done = Done::of(program.args(place.arguments(&words)));
    assert_eq!(done.code, Some(0), "{words}: {}", done.err);

    let log = read(place.made("device.log"));
    let (mut reads, mut launches) = (Vec::new(), 0);
    for line in log.lines() {
        if line.starts_with("Executing ") {
            launches += 1;
        } else if line.starts_with("[Staging CPU Memory] Reserved memory ") && launches > 0 {
            // A buffer for each tensor of a transfer: further ones follow without a launch.
            reads.push(std::mem::take(&mut launches));
        }
    }
    // Another version of the library may word its log otherwise; nothing would be counted then.
    let lines = log.lines().count();
    assert!(!reads.is_empty(), "none of the log's {lines} lines tells of a read");
    assert!(reads.iter().sum::<usize>() > 0, "none of the log's {lines} lines tells of a launch");
    (reads, Table::of(place.made("r")))
}

/// Most launches of what is read back at once.
#[derive(Clone, Copy)]
struct Most {
    /// Loss, accuracy and gradient.
    gradient: usize,
    /// The same with all that products multiply with.
    linearised: usize,
    /// A Hessian-vector product.
    product: usize,
    /// Loss, accuracy, gradient and as many products as are followed from step to step.
    followed: Option<(usize, usize)>,
    /// Loss and accuracy on the validation samples.
    evaluation: usize,
}

/// The default network with squared error, its samples in one chunk.
const DEFAULT: Most =
    Most { gradient: 31, linearised: 40, product: 34, followed: None, evaluation: 15 };

/// Before the first step the gradient is evaluated twice, to see whether it is always the same, and
/// each objective's parameters are set to zero, which these launches are for.
const PREPARED: usize = 10;

fn check(flags: &str, most: Most) {
    let (reads, table) = logged(flags);
    let mut expected = vec![("first gradient", most.gradient + PREPARED)];
    expected.push(("second gradient", most.gradient));
    let mut sure = 0;
    for row in 0..table.rows.len() {
        let mut products = table.number(row, "hvps") as usize;
        match most.followed.filter(|_| row > 0 && products > 0) {
            Some((number, launches)) => {
                expected.push(("gradient with products", launches));
                products -= number;
            }
            None if products > 0 => expected.push(("linearised gradient", most.linearised)),
            None => expected.push(("gradient", most.gradient)),
        }
        if !table.cell(row, "val_loss").is_empty() {
            expected.push(("evaluation", most.evaluation));
        }
        expected.extend(vec![("product", most.product); products]);
        if row == 1 {
            sure = expected.len();
        }
    }
    assert!(table.column("hvps").iter().sum::<f64>() > 0.0, "{flags}: no products");
    assert!(reads.len() >= sure, "{flags}: the log has {} reads of {sure}", reads.len());
    let number = expected.len();
    assert!(reads.len() <= number, "{flags}: {} reads for {number} results", reads.len());

    // A GPU's driver may have the library choose other kernels than these were counted with.
    if adapters().first().is_some_and(|adapter| adapter.info.kind.is_gpu()) {
        return;
    }
    for (at, (found, (what, most))) in reads.iter().zip(expected).enumerate() {
        assert!(found <= &most, "{flags}: read {at}, {what}: {found} launches, {most} expected");
    }
}

/// One product at each measurement: more than one would share a pass.
fn few(flags: &str) -> String {
    format!("--validation-size 0 --every 2 --solver lanczos --max-iterations 1 {flags}")
}

#[test]
fn a_gradient_and_a_product_are_read_back_at_once_each() {
    check(&few(""), DEFAULT);
}

#[test]
fn validation_is_read_back_at_once_too() {
    check(&few("--validation-size 50").replacen("--validation-size 0", "", 1), DEFAULT);
}

#[test]
fn products_that_are_followed_come_with_the_gradient() {
    let followed = Some((2, 71));
    check("--validation-size 0 --max-iterations 1", Most { followed, ..DEFAULT });
}

#[test]
fn chunks_are_added_up_on_the_device() {
    let most = Most { gradient: 167, linearised: 203, product: 164, ..DEFAULT };
    check(&few("--chunk 25"), most);
}

#[test]
fn cross_entropy_costs_a_softmax_more() {
    check(&few("--loss ce"), Most { gradient: 39, linearised: 53, product: 38, ..DEFAULT });
}

#[test]
fn reverse_over_reverse_is_read_back_at_once_too() {
    check(&few("--hvp reverse"), Most { gradient: 40, linearised: 40, product: 85, ..DEFAULT });
}
