//! Operators that fail and start vectors that are of no use.

use super::*;

/// diag(1, ..., 20), whose product number `at` (from 1) is spoilt.
struct Failing<F> {
    at: usize,
    calls: usize,
    spoil: F,
}

impl<F: Fn(&mut [f64]) -> Result<()>> SymmetricOperator for Failing<F> {
    fn dim(&self) -> usize {
        20
    }

    fn apply(&mut self, x: &[f64], y: &mut [f64]) -> Result<()> {
        self.calls += 1;
        y.iter_mut().zip(x).enumerate().for_each(|(i, (y, x))| *y = (1 + i) as f64 * x);
        if self.calls == self.at { (self.spoil)(y) } else { Ok(()) }
    }
}

fn error_of(spoil: impl Fn(&mut [f64]) -> Result<()>, at: usize) -> Error {
    let mut operator = Failing { at, calls: 0, spoil };
    let error = precisely(2).solve(&mut operator, &[1.0; 20]).expect_err("a spoilt product");
    assert_eq!(operator.calls, at, "products after the spoilt one");
    error
}

#[test]
fn a_product_that_is_not_finite_is_an_error() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for at in [1, 4] {
            let error = error_of(
                |y| {
                    y[7] = bad;
                    Ok(())
                },
                at,
            );
            assert!(matches!(error, Error::NonFinite { .. }), "{error:?}");
        }
    }
}

#[test]
fn an_operators_error_is_passed_on() {
    for at in [1, 4] {
        let error =
            error_of(|_| Err(Error::Numerical { what: "probe", reason: "asked to".into() }), at);
        assert!(matches!(error, Error::Numerical { what: "probe", .. }), "{error:?}");
    }
}

fn error_of_start(start: &[f64]) -> Error {
    let mut counted = Counted { inner: Problem::diagonal([1.0, 2.0, 3.0]).operator(), calls: 0 };
    let error = precisely(1).solve(&mut counted, start).expect_err("a useless start vector");
    assert_eq!(counted.calls, 0, "products before the start vector was checked");
    error
}

#[test]
fn a_start_of_the_wrong_length_is_refused() {
    for length in [0, 2, 4] {
        let error = error_of_start(&vec![1.0; length]);
        assert!(
            matches!(error, Error::Length { found, expected: 3, .. } if found == length),
            "{error:?}"
        );
    }
}

#[test]
fn a_start_that_is_zero_or_not_finite_is_refused() {
    for bad in [0.0, f64::NAN, f64::INFINITY] {
        let error = error_of_start(&[0.0, bad, 0.0]);
        assert!(matches!(error, Error::Numerical { .. }), "{error:?}");
    }
}

#[test]
fn an_operator_of_the_wrong_size_is_refused() {
    let error = DenseOperator::new(3, vec![0.0; 8]).expect_err("8 entries");
    assert!(matches!(error, Error::Length { found: 8, expected: 9, .. }), "{error:?}");
}
