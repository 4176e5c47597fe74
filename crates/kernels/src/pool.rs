//! Buffers that are used again.
//!
//! The operating system clears a fresh page before it hands it out, which for a buffer that is
//! overwritten at once is work for nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use burn_backend::{DType, Element};
use burn_flex::FlexTensor;

use crate::element::Number;
use crate::strides::dense_layout;

/// The bytes of the smallest buffer that is kept: the allocator is quick enough with smaller ones.
const SMALLEST: usize = 16 << 10;

/// The bytes that are kept of each type.
const LARGEST_SUM: usize = 256 << 20;

/// A buffer of `len` elements for a kernel that overwrites all of them: its contents are those of
/// some tensor given to [`recycle`], or zeros.
pub fn take<T: Number>(len: usize) -> Vec<T> {
    let kept = match T::pool() {
        Some(pool) if len * size_of::<T>() >= SMALLEST => pool.pop(len),
        _ => None,
    };
    kept.unwrap_or_else(|| vec![T::zeroed(); len])
}

/// Keeps a tensor's buffer for [`take`] where nobody else holds it.
pub fn recycle(x: FlexTensor) {
    if x.is_unique() && x.bytes().len() >= SMALLEST {
        match x.dtype() {
            DType::F32 => recycle_typed::<f32>(x),
            DType::F64 => recycle_typed::<f64>(x),
            _ => {}
        }
    }
}

fn recycle_typed<T: Number + Element>(x: FlexTensor) {
    let len = x.bytes().len() / size_of::<T>();
    // All of the buffer, whatever part of it the tensor was.
    let data = x.with_layout(dense_layout(&[len])).into_data();
    if let (Some(pool), Ok(buffer)) = (T::pool(), data.bytes.try_into_vec::<T>()) {
        pool.push(buffer);
    }
}

/// Buffers of one type by their lengths.
#[doc(hidden)]
pub struct Pool<T> {
    kept: Mutex<Kept<T>>,
}

struct Kept<T> {
    bytes: usize,
    by_len: BTreeMap<usize, Vec<Vec<T>>>,
}

impl<T> Pool<T> {
    pub(crate) const fn new() -> Self {
        Self { kept: Mutex::new(Kept { bytes: 0, by_len: BTreeMap::new() }) }
    }

    fn pop(&self, len: usize) -> Option<Vec<T>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let buffer = kept.by_len.get_mut(&len)?.pop()?;
        kept.bytes -= len * size_of::<T>();
        Some(buffer)
    }

    fn push(&self, buffer: Vec<T>) {
        let bytes = buffer.len() * size_of::<T>();
        if bytes > LARGEST_SUM {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut dropped = BTreeMap::new();
        if kept.bytes + bytes > LARGEST_SUM {
            // Lengths that nobody takes any more would stay for good.
            dropped = std::mem::take(&mut kept.by_len);
            kept.bytes = 0;
        }
        kept.bytes += bytes;
        kept.by_len.entry(buffer.len()).or_default().push(buffer);
        drop(kept);
        drop(dropped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_is_bounded() {
        let pool = Pool::<f64>::new();
        let len = LARGEST_SUM / size_of::<f64>() / 2;
        for _ in 0..3 {
            // Pages that are never touched take no memory.
            pool.push(vec![0.0; len]);
            let kept = pool.kept.lock().unwrap();
            let sum: usize = kept.by_len.values().flatten().map(|b| b.len() * 8).sum();
            assert_eq!(sum, kept.bytes);
            assert!(sum <= LARGEST_SUM);
        }
        assert!(pool.pop(len).is_some());
        assert!(pool.pop(len).is_none());
        assert_eq!(pool.kept.lock().unwrap().bytes, 0);
    }
}
