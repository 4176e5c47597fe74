//! Both conditions and the product of the two, on random problems and where the solution is known.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sharpscope::flow::{complementarity, pair, pairs};
use sharpscope::linalg::symmetric_eigen;

/// Random A, and B from the inner products of `rank` random coordinates of a vector for each pair.
fn random(k: usize, rank: usize, seed: u64) -> (Vec<f64>, Vec<f64>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut number = || rng.random_range(-1.0..1.0);
    let mut a = vec![0.0; k * k];
    for i in 0..k {
        for j in 0..=i {
            (a[i * k + j], a[j * k + i]) = {
                let x: f64 = number();
                (x, x)
            };
        }
    }
    let m = pairs(k);
    let vectors: Vec<Vec<f64>> = (0..m).map(|_| (0..rank).map(|_| number()).collect()).collect();
    let dot = |p: &[f64], q: &[f64]| -> f64 { p.iter().zip(q).map(|(a, b)| a * b).sum() };
    let b = (0..m * m).map(|at| dot(&vectors[at / m], &vectors[at % m])).collect();
    (a, b)
}

/// A + B[X], by its definition.
fn slack(k: usize, a: &[f64], b: &[f64], x: &[f64]) -> Vec<f64> {
    let m = pairs(k);
    let entry = |at: usize| {
        let p = pair(at / k, at % k);
        let sum: f64 = (0..k * k).map(|e| b[p * m + pair(e / k, e % k)] * x[e]).sum();
        a[at] + sum
    };
    (0..k * k).map(entry).collect()
}

#[test]
fn the_conditions_are_met_on_random_problems() {
    for k in 1..=10 {
        for seed in 0..4 {
            // As many coordinates as it takes for B to have an inverse; scales far from 1.
            let (a, b) = random(k, pairs(k) + 5, 10 * k as u64 + seed);
            let scale = [1.0, 1e-6, 1e5, 1e-3][seed as usize];
            let b: Vec<f64> = b.iter().map(|b| b * scale).collect();
            let solved = complementarity(k, &a, &b).unwrap();
            let s = slack(k, &a, &b, &solved.x);
            let least = |matrix: &[f64]| symmetric_eigen(k, matrix).unwrap().values[0];
            let size = solved.x.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
            let gap: f64 = solved.x.iter().zip(&s).map(|(x, s)| x * s).sum();
            assert!(least(&solved.x) >= -1e-8 * size, "k = {k}: X has {}", least(&solved.x));
            assert!(least(&s) >= -1e-8, "k = {k}: the slack has {}", least(&s));
            assert!(gap.abs() <= 1e-8 * size.max(f64::MIN_POSITIVE), "k = {k}: {gap} of {size}");
            assert!(solved.violation < 1e-8, "k = {k}: {}", solved.violation);
            let off = s.iter().zip(&solved.slack).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(off < 1e-9, "k = {k}: the slack is told {off} wrong");
        }
    }
}

#[test]
fn one_direction_is_its_closed_form() {
    for (a, b, x) in [(-3.0, 2.0, 1.5), (-1e-9, 1e3, 1e-12), (0.0, 1.0, 0.0), (2.0, 1.0, 0.0)] {
        let found = complementarity(1, &[a], &[b]).unwrap();
        assert!((found.x[0] - x).abs() <= 1e-15 * x, "{} is not {x}", found.x[0]);
    }
    assert!(complementarity(1, &[-1.0], &[0.0]).is_err());
    assert!(complementarity(2, &[-1.0, 0.0, 0.0, 1.0], &[0.0; 9]).is_err());
    assert!(complementarity(2, &[1.0; 3], &[0.0; 9]).is_err());
}

#[test]
fn directions_that_are_not_held_change_nothing() {
    let (a, b, k) = (-0.7, 0.4, 3);
    let mut three = vec![0.0; 9];
    (three[0], three[4], three[8]) = (a, 0.9, 1.1);
    let (_, mut operator) = random(k, 12, 5);
    let m = pairs(k);
    operator.iter_mut().for_each(|entry| *entry *= 0.05);
    operator[0] = b;
    // The first pair turns no other.
    for p in 1..m {
        (operator[p], operator[p * m]) = (0.0, 0.0);
    }
    let one = complementarity(1, &[a], &[b]).unwrap();
    let found = complementarity(k, &three, &operator).unwrap();
    assert!((found.x[0] - one.x[0]).abs() < 1e-9, "{:?}", found.x);
    assert!(found.x[1..].iter().all(|x| x.abs() < 1e-9), "{:?}", found.x);
}

/// Diagonal: each entry its own closed form.
#[test]
fn a_diagonal_problem_falls_apart() {
    let k = 4;
    let (a, b) = ([-1.0, -2.0, 3.0, -0.5], [2.0, 1.0, 4.0, 0.25]);
    let mut matrix = vec![0.0; k * k];
    let m = pairs(k);
    let mut operator = vec![0.0; m * m];
    for i in 0..k {
        matrix[i * k + i] = a[i];
        for j in 0..=i {
            let p = pair(i, j);
            operator[p * m + p] = if i == j { b[i] } else { 1.0 };
        }
    }
    let found = complementarity(k, &matrix, &operator).unwrap();
    for i in 0..k {
        let expected = (-a[i] / b[i]).max(0.0);
        assert!((found.x[i * k + i] - expected).abs() < 1e-9, "{:?}", found.x);
    }
}
