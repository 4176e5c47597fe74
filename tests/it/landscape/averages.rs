//! Averages whose values are known.

use sharpscope::autodiff::{Objective, Samples};
use sharpscope::landscape::{
    RunningMean, cross_entropy, exponential, greedy_soup, mean, midpoint, probabilities,
    share_right, squared_error,
};
use sharpscope::optim::{
    Averaged, Hyperparameters, Optimizer, OptimizerSpec, Schedule, ScheduleKind, averaged_points,
};

use super::{Separable, close};

/// Gradient descent beyond the edge in one direction: at 2/eta exactly the first coordinate oscillates for ever about
/// its center, the others come to rest.
fn oscillation() -> Vec<Vec<f64>> {
    let (eta, center) = (0.5, [1.0, -2.0, 0.25]);
    let mut objective = Separable::quadratic(&[2.0 / eta, 1.0, 0.5], &center);
    let mut theta = vec![3.0, 0.0, 0.0];
    (0..200)
        .map(|_| {
            objective.set_parameters(&theta).unwrap();
            let gradient = objective.gradient(Samples::All).unwrap().gradient;
            theta.iter_mut().zip(&gradient).for_each(|(w, g)| *w -= eta * g);
            theta.clone()
        })
        .collect()
}

#[test]
fn the_mean_of_an_oscillation_is_its_center() {
    let iterates = oscillation();
    let last: Vec<&[f64]> = iterates[160..].iter().map(|theta| &theta[..]).collect();
    // The oscillation is there: 1 + 2 and 1 - 2 in turn.
    close((last[0][0] - last[1][0]).abs(), 4.0, 1e-12);
    let mut running = RunningMean::default();
    for theta in &last {
        running.add(theta).unwrap();
    }
    assert_eq!(running.count(), 40);
    let three = midpoint([last[37], last[38], last[39]]).unwrap();
    for average in [running.mean(), &mean(&last).unwrap(), &three] {
        for (found, known) in average.iter().zip([1.0, -2.0, 0.25]) {
            close(*found, known, 1e-9);
        }
    }
    // An exponential average of a two-cycle keeps (1 - d)/(1 + d) of its amplitude.
    let smooth = exponential(&last, 0.8).unwrap();
    close((smooth[0] - 1.0).abs(), 2.0 * 0.2 / 1.8, 2e-3);
}

#[test]
fn averages_of_nothing_and_of_unlike_points_are_refused() {
    assert!(mean(&[]).is_err() && exponential(&[], 0.5).is_err());
    assert!(greedy_soup(&[], |_| Ok(0.0)).is_err());
    let mut running = RunningMean::default();
    running.add(&[1.0, 2.0]).unwrap();
    assert!(running.add(&[1.0]).is_err());
    assert!(exponential(&[&[1.0]], 1.0).is_err() && exponential(&[&[1.0]], f64::NAN).is_err());
}

/// By hand: the members are ordered by score, and each is kept if it helps.
#[test]
fn a_greedy_soup_by_hand() {
    // Highest at 1.
    let score = |w: &[f64]| Ok(-(w[0] - 1.0).abs());
    let members: [&[f64]; 4] = [&[3.0], &[0.5], &[1.6], &[9.0]];
    let soup = greedy_soup(&members, score).unwrap();
    // 0.5 is the best; with 1.6 it is 1.05, with 3 then 1.7, with 9 then 3.7.
    assert_eq!(soup.members, [1, 2]);
    close(soup.theta[0], 1.05, 1e-12);
    close(soup.score, -0.05, 1e-12);
}

/// Over landscapes that have nothing to do with averages, some scores being no numbers.
#[test]
fn a_greedy_soup_is_never_worse_than_its_best_member() {
    for seed in 0..200u32 {
        let wild = |x: f64| {
            let value = (x * (7.0 + f64::from(seed))).sin() * (x * 3.1 + f64::from(seed)).cos();
            if value > 0.9 { f64::NAN } else { value }
        };
        let members: Vec<[f64; 1]> =
            (0..6).map(|i| [(f64::from(i) * 1.7 + f64::from(seed)).sin() * 5.0]).collect();
        let members: Vec<&[f64]> = members.iter().map(|member| &member[..]).collect();
        let soup = greedy_soup(&members, |w| Ok(wild(w[0]))).unwrap();
        let best = soup.scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        assert!(soup.score >= best, "seed {seed}: {} below {best}", soup.score);
        let again = mean(&soup.members.iter().map(|&i| members[i]).collect::<Vec<_>>()).unwrap();
        assert_eq!(again, soup.theta);
    }
}

/// By hand: a softmax of (0, ln 3) is (1/4, 3/4).
#[test]
fn averages_of_what_models_say_by_hand() {
    let one = probabilities(&[0.0, 3f64.ln(), 1000.0, 1000.0], 2);
    for (found, known) in one.iter().zip([0.25, 0.75, 0.5, 0.5]) {
        close(*found, known, 1e-12);
    }
    let (loss, accuracy) = cross_entropy(&one[..2], &[0], 2).unwrap();
    close(loss, 4f64.ln(), 1e-12);
    assert_eq!(accuracy, 0.0);
    assert_eq!(share_right(&[0.1, 0.9, 0.8, 0.2], &[1, 1], 2), 0.5);
    close(squared_error(&[1.0, 2.0, 3.0, 4.0], &[0.0, 0.0, 3.0, 2.0], 2).unwrap(), 2.25, 1e-12);
    assert!(cross_entropy(&one, &[0], 2).is_err() && squared_error(&one, &[0.0], 1).is_err());
}

/// The mean that the rule keeps is that of the points it passes through, at any rule.
#[test]
fn a_rule_keeps_the_mean_of_its_points() {
    for name in ["sgd", "adam", "momentum"] {
        let spec: OptimizerSpec = OptimizerSpec::resolve(name, Hyperparameters::NONE).unwrap();
        let mut plain = spec.build();
        let mut averaged = Averaged::new(spec.build(), 5, 3);
        let mut objective = Separable::quadratic(&[4.0, 1.0], &[1.0, -1.0]);
        let (mut a, mut b) = (vec![3.0, 0.0], vec![3.0, 0.0]);
        let mut points = Vec::new();
        for step in 1..=16 {
            for (rule, theta) in
                [(&mut *plain, &mut a), (&mut averaged as &mut dyn Optimizer, &mut b)]
            {
                objective.set_parameters(theta).unwrap();
                let gradient = objective.gradient(Samples::All).unwrap().gradient;
                rule.step(0.1, theta, &gradient, &mut |_| unreachable!()).unwrap();
            }
            assert_eq!(a, b, "{name}");
            if step >= 5 && (step - 5) % 3 == 0 {
                points.push(a.clone());
            }
            if step == 9 {
                // As a checkpoint does.
                let state = averaged.state();
                averaged = Averaged::new(spec.build(), 5, 3);
                averaged.restore(&state).unwrap();
            }
        }
        assert_eq!(points.len(), averaged_points(16, 5, 3));
        let points: Vec<&[f64]> = points.iter().map(|point| &point[..]).collect();
        let known = mean(&points).unwrap();
        let state = averaged.state();
        let (_, kept) = state.accumulators.iter().find(|(name, _)| name == "swa").unwrap();
        kept.iter().zip(&known).for_each(|(kept, known)| close(*kept, *known, 1e-12));
    }
    assert_eq!([4, 5, 7, 8].map(|step| averaged_points(step, 5, 3)), [0, 1, 1, 2]);
}

#[test]
fn rates_of_averaging_and_of_cycles() {
    let base = Schedule { final_lr: 0.1, steps: 100, decay_every: 8, ..Schedule::constant(0.5) };
    let swa = Schedule { kind: ScheduleKind::Swa, ..base };
    for (step, rate) in [(0, 0.5), (50, 0.5), (70, 0.3), (90, 0.1), (100, 0.1), (500, 0.1)] {
        close(swa.rate(step), rate, 1e-12);
    }
    let cyclic = Schedule { kind: ScheduleKind::Cyclic, ..base };
    for (step, rate) in [(0, 0.5), (2, 0.3), (4, 0.1), (6, 0.3), (8, 0.5), (12, 0.1)] {
        close(cyclic.rate(step), rate, 1e-12);
    }
}
