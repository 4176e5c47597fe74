//! The loss of a task, opened on a device.

use std::sync::Arc;

use super::chunked::check_chunk;
use super::watched::{Watched, most_elements, most_samples};
use super::{ForwardObjective, Objective, ReverseObjective, Task};
use crate::device::{Compute, Device, Differentiation, even};
use crate::error::Result;

impl Device {
    /// Samples to a chunk, for `samples` samples of `task`: as many as are asked for, or as suit the
    /// device and the task's tensors, but no more than its largest tensor allows.
    ///
    /// # Errors
    /// [`crate::Error::Device`] where one sample is more than it allows; [`crate::Error::Setting`] where
    /// none is asked for.
    pub fn chunk<T: Task>(&self, task: &T, samples: usize, asked: Option<usize>) -> Result<usize> {
        asked.map_or(Ok(()), check_chunk)?;
        let per_sample = task.largest_tensor();
        let most = match (self.opened(), per_sample) {
            (Some(opened), Some(per_sample)) => most_samples(opened, per_sample)?,
            _ => usize::MAX,
        };
        Ok(match asked {
            Some(asked) => asked.min(most),
            None => even(samples, self.suitable(per_sample).min(most)),
        })
    }

    /// The loss of `task` over `samples` on this device, at most `chunk` samples at a time, and no more
    /// than its largest tensor allows. On wgpu each result is [`crate::Error::DeviceFailed`] if the
    /// device dropped any work on the way to it.
    ///
    /// # Errors
    /// As [`ForwardObjective::new`] and [`Device::chunk`].
    pub fn objective<T: Task>(
        &self,
        task: Arc<T>,
        samples: Vec<usize>,
        chunk: usize,
    ) -> Result<Box<dyn Objective>> {
        let chunk = self.chunk(&*task, samples.len(), Some(chunk))?;
        let open = || -> Result<Box<dyn Objective>> {
            let placement = self.placement();
            Ok(match self.differentiation() {
                Differentiation::Forward => {
                    let forward =
                        ForwardObjective::<Compute, T>::new(task, placement, samples, chunk)?
                            .with_memory(self.memory().clone());
                    Box::new(match self.opened() {
                        Some(opened) => forward.with_largest_tensor(most_elements(opened)),
                        None => forward,
                    })
                }
                Differentiation::Reverse => {
                    Box::new(ReverseObjective::<Compute, T>::new(task, placement, samples, chunk)?)
                }
            })
        };
        match self.opened() {
            None => open(),
            Some(opened) => Watched::around(opened, open),
        }
    }
}
