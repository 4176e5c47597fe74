//! Which cells of a comparison a process does.

use crate::error::{Error, Result};

/// Some of a comparison's cells, which are its runs by number, from 1 in the order of its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The cell of that number.
    Cell(usize),
    /// Each `of`-th cell, beginning with cell `index`: neighbours, which take equally long, go to different shards.
    Shard {
        /// From 1.
        index: usize,
        /// How many shards there are.
        of: usize,
    },
}

impl Part {
    /// All cells.
    pub const ALL: Self = Part::Shard { index: 1, of: 1 };

    /// A shard, as it is written: `I/N`.
    ///
    /// # Errors
    /// [`Error::Setting`] for what is no such pair, or out of range.
    pub fn shard(text: &str) -> Result<Self> {
        let wrong = |problem: &str| {
            let remedy = "give I/N, as 1/4 to 4/4 for four shards";
            Err(Error::setting("--shard", text, problem, remedy))
        };
        let Some((index, of)) = text.split_once('/') else { return wrong("it is not I/N") };
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse::<usize>().ok()).flatten()
        };
        match (number(index), number(of)) {
            (Some(_), Some(0)) => wrong("there is no shard of none"),
            (Some(0), Some(_)) => wrong("shards are numbered from 1"),
            (Some(index), Some(of)) if index > of => wrong("there are fewer shards than that"),
            (Some(index), Some(of)) => Ok(Part::Shard { index, of }),
            _ => wrong("it is not I/N"),
        }
    }

    /// The numbers of its cells, of `total`; none for a shard beyond the last cell.
    ///
    /// # Errors
    /// [`Error::Setting`] for a cell that there is not.
    pub fn cells(self, total: usize) -> Result<Vec<usize>> {
        match self {
            Part::Cell(number) if number == 0 || number > total => {
                let problem = format!("cells are numbered from 1 to {total}");
                Err(Error::setting("--cell", number, problem, "see them with --list"))
            }
            Part::Cell(number) => Ok(vec![number]),
            Part::Shard { index, of } => Ok((index..=total).step_by(of).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_disjoint_and_leave_nothing_out() {
        for (total, of) in [(1, 1), (12, 1), (12, 5), (12, 12), (3, 7), (10_000, 999)] {
            let shard = |index| Part::shard(&format!("{index}/{of}")).unwrap();
            let cells = (1..=of).flat_map(|index| shard(index).cells(total).unwrap());
            let mut cells: Vec<usize> = cells.collect();
            cells.sort_unstable();
            assert_eq!(cells, (1..=total).collect::<Vec<_>>(), "{total} in {of}");
        }
    }

    #[test]
    fn what_is_no_shard_or_out_of_range_is_refused() {
        for text in
            ["0/0", "0/4", "5/4", "1/0", "1", "1/", "/1", "-1/4", "+1/4", "1/4/2", "a/b", ""]
        {
            let error = Part::shard(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("--shard = {text}: ")), "{error}");
            assert!(error.ends_with("give I/N, as 1/4 to 4/4 for four shards"), "{error}");
        }
        for cell in [0, 13, usize::MAX] {
            let error = Part::Cell(cell).cells(12).unwrap_err().to_string();
            assert!(error.contains("from 1 to 12"), "{error}");
        }
    }
}
