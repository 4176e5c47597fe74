//! The linear assignment problem.

use crate::error::{Error, Result};

/// The permutation p that maximises the sum of `gain[i, p(i)]`, `gain` being n x n, column after column: by
/// shortest augmenting paths with potentials (Jonker & Volgenant 1987; here without their initialisation,
/// as in Crouse 2016, doi 10.1109/TAES.2016.140952), in n^3 operations at most.
///
/// # Errors
/// [`Error::NonFinite`] for an entry that is not finite.
pub fn assignment(gain: &[f64], n: usize) -> Result<Vec<usize>> {
    if gain.iter().any(|x| !x.is_finite()) {
        return Err(Error::NonFinite { what: "a similarity of hidden units" });
    }
    let mut search = Search {
        gain,
        n,
        row_potential: vec![0.0; n],
        column_potential: vec![0.0; n],
        row_of: vec![None; n],
        column_of: vec![None; n],
    };
    for row in 0..n {
        search.augment(row);
    }
    Ok(search.column_of.into_iter().flatten().collect())
}

/// An assignment of some rows that is the best for them, and potentials that prove it: what an entry costs
/// less its row's and its column's potential is never below 0, and 0 where it is assigned.
struct Search<'a> {
    gain: &'a [f64],
    n: usize,
    row_potential: Vec<f64>,
    column_potential: Vec<f64>,
    row_of: Vec<Option<usize>>,
    column_of: Vec<Option<usize>>,
}

impl Search<'_> {
    fn reduced_cost(&self, row: usize, column: usize) -> f64 {
        let cost = -self.gain[column * self.n + row];
        cost - self.row_potential[row] - self.column_potential[column]
    }

    /// Assigns one more row, along the shortest alternating path from it to a free column (Dijkstra).
    fn augment(&mut self, start: usize) {
        let mut shortest = vec![f64::INFINITY; self.n];
        let mut before = vec![start; self.n];
        let mut reached = vec![false; self.n];
        let mut rows = vec![(start, 0.0)];
        let (mut row, mut length) = (start, 0.0);
        let end = loop {
            for column in (0..self.n).filter(|&column| !reached[column]) {
                let path = length + self.reduced_cost(row, column);
                if path < shortest[column] {
                    (shortest[column], before[column]) = (path, row);
                }
            }
            let open = (0..self.n).filter(|&column| !reached[column]);
            let nearest = open.min_by(|&a, &b| shortest[a].total_cmp(&shortest[b]));
            let Some(nearest) = nearest else { unreachable!("a column is free for each row") };
            (reached[nearest], length) = (true, shortest[nearest]);
            match self.row_of[nearest] {
                Some(next) => row = next,
                None => break nearest,
            }
            rows.push((row, length));
        };
        for (row, at) in rows {
            self.row_potential[row] += length - at;
        }
        for column in (0..self.n).filter(|&column| reached[column]) {
            self.column_potential[column] -= length - shortest[column];
        }
        let mut column = end;
        loop {
            let row = before[column];
            self.row_of[column] = Some(row);
            let Some(freed) = self.column_of[row].replace(column) else { break };
            column = freed;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;
    use crate::rng::{Stream, stream};

    /// The best of all permutations of what is left.
    fn best(gain: &[f64], n: usize, row: usize, taken: &mut Vec<bool>) -> f64 {
        if row == n {
            return 0.0;
        }
        let mut most = f64::NEG_INFINITY;
        for column in 0..n {
            if !taken[column] {
                taken[column] = true;
                most = most.max(gain[column * n + row] + best(gain, n, row + 1, taken));
                taken[column] = false;
            }
        }
        most
    }

    #[test]
    fn no_permutation_is_better() {
        let mut rng = stream(3, Stream::Initialisation);
        for n in 1..=6 {
            for _ in 0..20 {
                let gain: Vec<f64> = (0..n * n).map(|_| rng.random::<f64>() - 0.5).collect();
                let found = assignment(&gain, n).unwrap();
                let mut sorted = found.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, (0..n).collect::<Vec<_>>());
                let total: f64 = found.iter().enumerate().map(|(i, j)| gain[j * n + i]).sum();
                let most = best(&gain, n, 0, &mut vec![false; n]);
                assert!((total - most).abs() < 1e-11, "{n}: {total} and {most}");
            }
        }
    }

    #[test]
    fn undefined_gains_are_refused() {
        assert!(assignment(&[1.0, f64::NAN, 0.0, 1.0], 2).is_err());
        assert_eq!(assignment(&[0.0; 4], 2).unwrap().len(), 2);
        assert!(assignment(&[], 0).unwrap().is_empty());
    }
}
