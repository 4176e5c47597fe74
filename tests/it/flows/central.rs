//! The central flow against closed forms, gradient descent's own mean, and PyTorch.

use super::Plane;
use crate::landscape::close;
use crate::support::{Place, Table, json_file};
use sharpscope::autodiff::Objective;
use sharpscope::flow::{CentralFlow, Flow, FlowPoint, Law, TopSettings};

fn flow(start: &[f64]) -> CentralFlow {
    CentralFlow::new(Law::Descent, start.to_vec(), vec![], TopSettings::default(), 1e-16)
}

fn after(
    flow: &mut CentralFlow,
    objective: &mut dyn Objective,
    lr: f64,
    steps: usize,
) -> FlowPoint {
    for _ in 0..steps {
        flow.step(objective, lr).unwrap();
    }
    flow.step(objective, lr).unwrap()
}

/// At the edge y = sqrt(2/eta), and sigma^2 = -2 grad S.grad L/||grad S||^2 = (t - y)/y: gradient descent's cycle.
#[test]
fn it_ends_in_the_middle_of_gradient_descents_cycle() {
    let (target, lr) = (2.2, 0.5);
    let point = after(&mut flow(&[0.0, 1.0]), &mut Plane::sharpening(target), lr, 60);
    let y = (2.0 / lr).sqrt();
    close(point.theta[1], y, 1e-6);
    close(point.curvatures[0], 2.0, 1e-6);
    let variance = (target - y) / y;
    close(lr * point.oscillations[0].variance, variance, 1e-5);
    assert!(point.violation < 1e-8);
    // Gradient descent itself, and the mean of its loss.
    let (mut x, mut along) = (0.3_f64, 2.0_f64);
    let mut losses = Vec::new();
    for step in 0..20_000 {
        if step >= 19_000 {
            losses.push(0.5 * (x * along).powi(2) + 0.5 * (along - target).powi(2));
        }
        (x, along) = (x - lr * x * along * along, along - lr * (x * x * along + along - target));
    }
    close(x * x, variance, 1e-6);
    close(losses.iter().sum::<f64>() / losses.len() as f64, point.expected_loss, 1e-5);
}

/// The row that PyTorch has, from the whole Hessian and exact third derivatives.
#[test]
fn it_is_pytorchs() {
    let place = Place::new();
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/central_flow");
    place.file("net.json", r#"{"kind": "mlp", "hidden": [4], "activation": "tanh"}"#);
    let expected = json_file(format!("{data}.json"));
    let lr = expected["lr"].as_f64().unwrap();
    place.run_well(&format!(
        "run --dataset {data}.csv --model @/net.json --init {data}.safetensors --precision f64 \
         --train-size 12 --validation-size 0 --lr {lr} --steps 20 --backend cpu --out run"
    ));
    place.run_well("flow run --kind central");
    let table = Table::read(place.made("run/flows/central.csv"));
    let cell = |column: &str, row: usize| table.cell(row, column).parse::<f64>().ok();
    let rows = expected["rows"].as_array().unwrap();
    assert_eq!(table.rows.len(), rows.len());
    for (at, row) in rows.iter().enumerate() {
        let number = |key: &str| row[key].as_f64().unwrap();
        close(cell("train_loss", at).unwrap(), number("loss"), 1e-6 * number("loss"));
        close(cell("sharpness", at).unwrap(), number("sharpness"), 1e-5 * number("sharpness"));
        close(cell("grad_norm", at).unwrap(), number("grad_norm"), 1e-4 * number("grad_norm"));
        let variance = row["variance"][0].as_f64().unwrap_or(0.0);
        close(cell("variance_1", at).unwrap_or(0.0), variance, 2e-3 * variance);
    }
}

/// Two copies of one problem, each with an oscillation of its own at a target of its own.
struct Two([Plane; 2], sharpscope::autodiff::ParameterLayout);

impl Objective for Two {
    fn layout(&self) -> &sharpscope::autodiff::ParameterLayout {
        &self.1
    }

    fn sample_numbers(&self) -> &[usize] {
        &[0]
    }

    fn set_parameters(&mut self, theta: &[f64]) -> sharpscope::Result<()> {
        self.0.iter_mut().zip(theta.chunks(2)).try_for_each(|(one, at)| one.set_parameters(at))
    }

    fn evaluate(&self) -> sharpscope::Result<sharpscope::autodiff::Evaluation> {
        let loss = self.0[0].evaluate()?.loss + self.0[1].evaluate()?.loss;
        Ok(sharpscope::autodiff::Evaluation { loss, accuracy: None })
    }

    fn gradient(
        &self,
        samples: sharpscope::autodiff::Samples<'_>,
    ) -> sharpscope::Result<sharpscope::autodiff::GradientEvaluation> {
        let mut gradient = self.0[0].gradient(samples)?.gradient;
        gradient.extend(self.0[1].gradient(samples)?.gradient);
        let evaluation = self.evaluate()?;
        Ok(sharpscope::autodiff::GradientEvaluation { evaluation, gradient })
    }

    fn hvp_over(
        &self,
        samples: sharpscope::autodiff::Samples<'_>,
        v: &[f64],
    ) -> sharpscope::Result<Vec<f64>> {
        let mut product = self.0[0].hvp_over(samples, &v[..2])?;
        product.extend(self.0[1].hvp_over(samples, &v[2..])?);
        Ok(product)
    }

    fn output_product(
        &self,
        _: sharpscope::autodiff::OutputMatrix,
        _: &[f64],
    ) -> sharpscope::Result<Vec<f64>> {
        unreachable!("it has no outputs")
    }
}

#[test]
fn two_directions_are_held_at_once() {
    let (targets, lr) = ([3.0, 4.0], 0.5);
    let layout = sharpscope::autodiff::ParameterLayout::new([("w", vec![4])]);
    let mut two = Two(targets.map(Plane::sharpening), layout);
    let point = after(&mut flow(&[0.0, 1.0, 0.0, 1.2]), &mut two, lr, 60);
    let y = (2.0 / lr).sqrt();
    close(point.theta[1], y, 1e-6);
    close(point.theta[3], y, 1e-6);
    // The larger first.
    for (o, target) in point.oscillations.iter().zip([4.0, 3.0]) {
        close(lr * o.variance, (target - y) / y, 1e-5);
    }
    assert_eq!(point.oscillations.len(), 2);
}

/// P of RMSProp grows with the oscillation itself. At rest g = 0 along y but for what the oscillation adds.
#[test]
fn with_a_preconditioner_the_sharpness_stays_at_the_threshold() {
    let lr = 0.02;
    let law = Law::RmsProp { beta2: 0.9, eps: 1e-8 };
    let mut objective = Plane::sharpening(3.0);
    let mut flow =
        CentralFlow::new(law, vec![0.0, 1.0], vec![1e-3, 1.0], TopSettings::default(), 1e-16);
    let mut points = Vec::new();
    for _ in 0..200 {
        points.push(flow.step(&mut objective, lr).unwrap());
    }
    let first = points.iter().position(|point| point.curvatures[0] > 1.999).unwrap();
    assert!(first > 0, "it starts below the edge");
    for point in &points[first..] {
        close(point.curvatures[0], 2.0, 0.02);
    }
    assert!(points[first + 1..].iter().any(|point| point.oscillations[0].variance > 0.0));
}

#[test]
fn it_does_not_start_where_nothing_is_stable() {
    let told = flow(&[0.0, 2.5]).step(&mut Plane::sharpening(3.0), 0.5).unwrap_err().to_string();
    assert!(told.contains("1.56 times the threshold"), "{told}");
}
