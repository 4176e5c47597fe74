//! The dense and the tridiagonal solver, against closed forms and the definition of an eigenpair.

use super::*;

/// Checks the decomposition of the matrix with these entries against the definition.
fn assert_decomposes(n: usize, entries: &[f64], found: &EigenDecomposition) {
    // The backward error of a symmetric eigensolver is a small multiple of n eps ||A||.
    let allowed = 8.0 * n as f64 * EPS;
    let vectors: Vec<&[f64]> = (0..n).map(|i| found.vector(i)).collect();
    assert_eq!(found.values.len(), n);
    assert!(found.values.is_sorted(), "ascending: {:?}", found.values);
    assert_orthonormal(&vectors, allowed);
    for (value, vector) in found.values.iter().zip(&vectors) {
        let residual = true_residual(entries, *value, vector);
        assert_near(residual, 0.0, allowed * norm(entries), "||A v - lambda v||");
    }
    let trace: f64 = (0..n).map(|i| entries[i * n + i]).sum();
    assert_near(found.values.iter().sum(), trace, allowed * norm(entries), "trace");
    assert_near(norm(&found.values), norm(entries), allowed * norm(entries), "Frobenius norm");
}

/// The entries of a tridiagonal matrix.
pub(super) fn filled(diagonal: &[f64], subdiagonal: &[f64]) -> Vec<f64> {
    let n = diagonal.len();
    let entry = |i: usize, j: usize| match i.abs_diff(j) {
        0 => diagonal[i],
        1 => subdiagonal[i.min(j)],
        _ => 0.0,
    };
    (0..n * n).map(|ij| entry(ij / n, ij % n)).collect()
}

/// Both solvers on the same tridiagonal matrix.
fn both(diagonal: &[f64], subdiagonal: &[f64]) -> [EigenDecomposition; 2] {
    let n = diagonal.len();
    let entries = filled(diagonal, subdiagonal);
    let found = [
        symmetric_eigen(n, &entries).expect("dense"),
        tridiagonal_eigen(diagonal, subdiagonal).expect("tridiagonal"),
    ];
    found.iter().for_each(|f| assert_decomposes(n, &entries, f));
    found
}

#[test]
fn the_discrete_laplacian_has_its_known_eigenpairs() {
    for n in [1, 2, 3, 10, 75] {
        let angle = |k: usize| k as f64 * std::f64::consts::PI / (n + 1) as f64;
        for found in both(&vec![2.0; n], &vec![-1.0; n - 1]) {
            for k in 1..=n {
                let expected = 2.0 - 2.0 * angle(k).cos();
                assert_near(found.values[k - 1], expected, 32.0 * n as f64 * EPS, "value");
                let mode: Vec<f64> = (1..=n).map(|j| (j as f64 * angle(k)).sin()).collect();
                let cosine = dot(&mode, found.vector(k - 1)) / norm(&mode);
                // The cosine's error is the square of the vector's, which is rounding (4 n eps)
                // over a gap of at least 5e-3 here.
                assert_near(cosine.abs(), 1.0, 8.0 * n as f64 * EPS, "|cosine|");
            }
        }
    }
}

/// [[2, 3], [3, -6]]: trace -4 and determinant -21, hence -7 and 3, with (-1, 3) and (3, 1).
#[test]
fn two_by_two_by_hand() {
    for found in both(&[2.0, -6.0], &[3.0]) {
        for (i, (value, [x, y])) in [(-7.0, [-1.0, 3.0]), (3.0, [3.0, 1.0])].into_iter().enumerate()
        {
            assert_near(found.values[i], value, 64.0 * EPS, "value");
            let cosine = dot(&[x, y], found.vector(i)) / 10.0_f64.sqrt();
            assert_near(cosine.abs(), 1.0, 16.0 * EPS, "|cosine|");
        }
    }
}

#[test]
fn diagonal_and_zero_matrices_are_sorted() {
    for found in both(&[3.0, -1.0, 2.0, -1.0], &[0.0; 3]) {
        let expected = [-1.0, -1.0, 2.0, 3.0];
        found
            .values
            .iter()
            .zip(expected)
            .for_each(|(a, b)| assert_near(*a, b, 32.0 * EPS, "value"));
    }
    for found in both(&[0.0; 6], &[0.0; 5]) {
        assert_eq!(found.values, [0.0; 6]);
    }
}

#[test]
fn wrong_lengths_are_refused() {
    let length = |result: Result<EigenDecomposition>| match result {
        Err(Error::Length { found, expected, .. }) => (found, expected),
        other => panic!("{other:?}"),
    };
    assert_eq!(length(symmetric_eigen(3, &[0.0; 8])), (8, 9));
    assert_eq!(length(symmetric_eigen(0, &[0.0])), (1, 0));
    assert_eq!(length(tridiagonal_eigen(&[1.0; 4], &[1.0; 4])), (4, 3));
    assert_eq!(length(tridiagonal_eigen(&[1.0; 4], &[1.0; 2])), (2, 3));
    assert!(tridiagonal_eigen(&[], &[]).is_err());
}

#[test]
fn entries_that_are_not_finite_are_an_error() {
    for (n, bad) in [1, 2, 5].into_iter().flat_map(|n| [(n, f64::NAN), (n, f64::INFINITY)]) {
        let mut entries = vec![1.0; n * n];
        entries[n * n - 1] = bad;
        let dense = symmetric_eigen(n, &entries);
        assert!(matches!(dense, Err(Error::Numerical { .. })), "{n}, {bad}: {dense:?}");
        // The spoilt entry ends the diagonal, or the subdiagonal of a matrix one larger.
        let (spoilt, ones) = (&entries[n * n - n..], vec![1.0; n + 1]);
        for (diagonal, subdiagonal) in [(spoilt, &ones[2..]), (&ones, spoilt)] {
            let found = tridiagonal_eigen(diagonal, subdiagonal);
            assert!(matches!(found, Err(Error::Numerical { .. })), "{n}, {bad}: {found:?}");
        }
    }
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn random_symmetric_matrices_decompose(
        (n, lower) in (1..16_usize)
            .prop_flat_map(|n| (Just(n), prop::collection::vec(-1.0..1.0_f64, n * n))),
        exponent in -100..100_i32,
    ) {
        let unit = 2.0_f64.powi(exponent);
        let entries: Vec<f64> = (0..n * n)
            .map(|ij| (ij / n, ij % n))
            .map(|(i, j)| unit * lower[i.max(j) * n + i.min(j)])
            .collect();
        assert_decomposes(n, &entries, &symmetric_eigen(n, &entries).expect("dense"));
    }

    #[test]
    fn random_tridiagonal_matrices_decompose(
        diagonal in prop::collection::vec(-1.0..1.0_f64, 1..40),
        off in prop::collection::vec(
            prop_oneof![Just(0.0), -1.0..1.0_f64, -1e-9..1e-9_f64],
            40,
        ),
    ) {
        let n = diagonal.len();
        let [dense, tridiagonal] = both(&diagonal, &off[..n - 1]);
        for (a, b) in dense.values.iter().zip(&tridiagonal.values) {
            assert_near(*a, *b, 32.0 * n as f64 * EPS, "the two solvers");
        }
    }
}
