//! Where tensors live and in which precision, and the way there and back.

use burn::tensor::backend::Backend;
use burn::tensor::{DType, Int, Shape, Tensor, TensorData, Transaction};

use crate::error::{Error, Result};
use crate::names::choices;

choices! {
    /// Floating-point precision of parameters and of all arithmetic on the device.
    #[derive(Default)]
    pub enum Precision ("precision") {
        /// Single precision (24-bit significand).
        #[default]
        F32 = "f32",
        /// Double precision (53-bit significand), for reference runs.
        F64 = "f64",
    }
}

impl Precision {
    /// `x` rounded to this precision.
    pub fn round(self, x: f64) -> f64 {
        match self {
            Precision::F32 => f64::from(x as f32),
            Precision::F64 => x,
        }
    }

    /// Half the relative spacing of neighbouring numbers: what rounding changes at most.
    pub fn resolution(self) -> f64 {
        match self {
            Precision::F32 => f64::from(f32::EPSILON) / 2.0,
            Precision::F64 => f64::EPSILON / 2.0,
        }
    }

    fn dtype(self) -> DType {
        match self {
            Precision::F32 => DType::F32,
            Precision::F64 => DType::F64,
        }
    }
}

choices! {
    /// How Hessian-vector products are differentiated.
    #[derive(Default)]
    pub enum Differentiation ("hvp") {
        /// Forward over reverse: tangents below one tape.
        #[default]
        Forward = "forward",
        /// Reverse over reverse: two tapes.
        Reverse = "reverse",
    }
}

/// A device, the precision of the tensors on it, and how many chunks may be worked on at once.
///
/// The precision is stated at each upload: a backend's own default is one per process, shared
/// between element types.
#[derive(Debug, Clone)]
pub struct Placement<Device> {
    /// The device.
    pub device: Device,
    /// Precision of every float tensor.
    pub precision: Precision,
    /// Chunks evaluated in parallel: 1 where the device itself is parallel.
    pub workers: usize,
}

impl<Device> Placement<Device> {
    /// Uploads `values`, row-major in `shape`.
    pub fn float<B: Backend<Device = Device>, const D: usize>(
        &self,
        values: &[f64],
        shape: [usize; D],
    ) -> Tensor<B, D> {
        let data = match self.precision {
            Precision::F32 => {
                let rounded: Vec<f32> = values.iter().map(|&x| x as f32).collect();
                TensorData::new(rounded, Shape::new(shape))
            }
            Precision::F64 => TensorData::new(values.to_vec(), Shape::new(shape)),
        };
        Tensor::from_data(data, (&self.device, self.precision.dtype()))
    }

    /// Uploads whole numbers.
    pub fn int<B: Backend<Device = Device>>(&self, values: &[usize]) -> Tensor<B, 1, Int> {
        let values: Vec<i32> = values.iter().map(|&x| x as i32).collect();
        let shape = Shape::new([values.len()]);
        Tensor::from_data(TensorData::new(values, shape), (&self.device, DType::I32))
    }

    /// A tensor of zeros.
    pub fn zeros<B: Backend<Device = Device>, const D: usize>(
        &self,
        shape: [usize; D],
    ) -> Tensor<B, D> {
        Tensor::zeros(shape, (&self.device, self.precision.dtype()))
    }

    /// Reads a tensor back, which waits for all work that it depends on.
    ///
    /// # Errors
    /// [`Error::Numerical`] if the device reports failure.
    pub fn read<B: Backend<Device = Device>>(&self, tensor: Tensor<B, 1>) -> Result<Vec<f64>> {
        self.read_all(vec![tensor])
    }

    /// Reads tensors back in one transfer, one after the other.
    ///
    /// # Errors
    /// As [`Placement::read`].
    pub fn read_all<B: Backend<Device = Device>>(
        &self,
        tensors: Vec<Tensor<B, 1>>,
    ) -> Result<Vec<f64>> {
        let failed = |reason: String| Error::Numerical {
            what: "reading a result back from the device",
            reason,
        };
        let all = tensors.into_iter().fold(Transaction::default(), Transaction::register);
        let read = all.try_execute().map_err(|e| failed(format!("{e:?}")))?;
        let mut values = Vec::with_capacity(read.iter().map(|data| data.shape[0]).sum());
        for data in read {
            match self.precision {
                Precision::F32 => {
                    let data = data.as_slice::<f32>().map_err(|e| failed(format!("{e:?}")))?;
                    values.extend(data.iter().map(|&x| f64::from(x)));
                }
                Precision::F64 => {
                    let data = data.as_slice::<f64>().map_err(|e| failed(format!("{e:?}")))?;
                    values.extend_from_slice(data);
                }
            }
        }
        Ok(values)
    }
}
