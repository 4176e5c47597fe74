//! The order in which minibatches are drawn.

use rand::seq::SliceRandom;

use crate::profile::BatchPosition;
use crate::rng::{self, Stream};

/// Minibatches without replacement: each epoch shuffles the samples anew from the seed, and its last
/// batch may be smaller than the others.
#[derive(Debug, Clone)]
pub struct BatchOrder {
    seed: u64,
    batch_size: usize,
    epoch: u32,
    order: Vec<usize>,
    next: usize,
}

impl BatchOrder {
    /// Batches of `batch_size` (at least 1) from `samples` positions.
    pub fn new(samples: usize, batch_size: usize, seed: u64) -> Self {
        let mut batches = Self {
            seed,
            batch_size: batch_size.max(1),
            epoch: 0,
            order: (0..samples).collect(),
            next: 0,
        };
        batches.shuffle();
        batches
    }

    /// The same, from a place in the order on.
    pub fn at(samples: usize, batch_size: usize, seed: u64, position: BatchPosition) -> Self {
        let mut batches = Self::new(samples, batch_size, seed);
        batches.epoch = position.epoch;
        batches.next = position.next;
        batches.shuffle();
        batches
    }

    /// The place of the next batch.
    pub fn position(&self) -> BatchPosition {
        BatchPosition { epoch: self.epoch, next: self.next }
    }

    fn shuffle(&mut self) {
        self.order.sort_unstable();
        let stream = Stream::Batches { epoch: self.epoch };
        self.order.shuffle(&mut rng::stream(self.seed, stream));
    }

    /// Positions of the next batch's samples.
    pub fn next_batch(&mut self) -> &[usize] {
        if self.next >= self.order.len() {
            self.epoch += 1;
            self.next = 0;
            self.shuffle();
        }
        let start = self.next;
        self.next = (start + self.batch_size).min(self.order.len());
        &self.order[start..self.next]
    }
}
