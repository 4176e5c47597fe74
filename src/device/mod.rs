//! Devices: which there are, the one that a run takes, precision, and the way of numbers there and back.
//! The only module that names a backend: everything else is generic over them or sees
//! [`crate::autodiff::Objective`]s.

mod memory;
mod placement;

use sharpscope_compute::Opened;
pub use sharpscope_compute::{Adapter, AdapterInfo, AdapterKind, Compute, ComputeDevice, adapters};

pub use memory::Memory;
pub(crate) use memory::Taken;
pub use placement::{Differentiation, Placement, Precision};

use crate::error::{Error, Field, Message, Result};
use crate::names::choices;

choices! {
    /// Which kind of device is asked for.
    #[derive(Default)]
    pub enum BackendChoice ("backend") {
        /// A real GPU if there is one, else the CPU backend.
        #[default]
        Auto = "auto",
        /// wgpu: a real GPU, or else a software Vulkan adapter.
        Wgpu = "wgpu",
        /// The CPU backend.
        Cpu = "cpu",
    }
}

/// An opened device and the precision in which it computes.
///
/// ```
/// use sharpscope::device::{BackendChoice, Device, Precision};
///
/// // `BackendChoice::Auto` takes a GPU where there is one.
/// let device = Device::open(BackendChoice::Cpu, Precision::F64)?;
/// assert_eq!((device.backend(), device.precision()), ("cpu", Precision::F64));
/// // As even as can be, and of at most 256 samples.
/// assert_eq!(device.default_chunk(1000), 250);
/// # Ok::<(), sharpscope::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Device {
    kind: Kind,
    precision: Precision,
    adapter: String,
    notice: Option<String>,
    differentiation: Differentiation,
    memory: Memory,
}

#[derive(Debug, Clone)]
enum Kind {
    Cpu,
    Wgpu(Opened),
}

impl Device {
    /// Opens the device that `choice` stands for on this machine.
    ///
    /// # Errors
    /// [`Error::Device`] if wgpu was asked for and no adapter can be opened, or if it cannot
    /// compute in the precision asked for.
    pub fn open(choice: BackendChoice, precision: Precision) -> Result<Self> {
        match choice {
            BackendChoice::Cpu => Ok(Self::cpu(precision, None)),
            BackendChoice::Wgpu => Self::wgpu(precision, None),
            BackendChoice::Auto if precision == Precision::F64 => {
                Ok(Self::cpu(precision, Some("double precision runs on the CPU".to_string())))
            }
            BackendChoice::Auto => Ok(Self::auto(adapters())),
        }
    }

    fn cpu(precision: Precision, notice: Option<String>) -> Self {
        Self {
            kind: Kind::Cpu,
            precision,
            adapter: format!("CPU, {} threads", cpu_workers()),
            notice,
            differentiation: Differentiation::default(),
            memory: Memory::default(),
        }
    }

    /// What `auto` takes of the adapters found, for single precision.
    pub(crate) fn auto(found: &[Adapter]) -> Self {
        let precision = Precision::F32;
        let Some(gpu) = found.iter().find(|adapter| adapter.info.kind.is_gpu()) else {
            let notice = match found.first() {
                Some(software) => format!(
                    "no GPU found (only the software adapter {}): running on the CPU",
                    software.info.name
                ),
                None => "no GPU found: running on the CPU".to_string(),
            };
            return Self::cpu(precision, Some(notice));
        };
        match gpu.open(None) {
            Ok(opened) => Self {
                kind: Kind::Wgpu(opened),
                precision,
                adapter: gpu.info.name.clone(),
                notice: None,
                differentiation: Differentiation::default(),
                memory: Memory::on_gpu(),
            },
            Err(error) => {
                let notice = format!("{} failed ({error}): running on the CPU", gpu.info.name);
                Self::cpu(precision, Some(notice))
            }
        }
    }

    fn wgpu(precision: Precision, most_bytes: Option<u64>) -> Result<Self> {
        let found = adapters();
        let Some(adapter) = found.first() else {
            return Err(Error::Device {
                problem: Field("backend") + " wgpu: no adapter found",
                remedy: Message::from(
                    "install a Vulkan driver (Mesa's software driver will do), or ",
                ) + use_cpu(),
            });
        };
        let name = &adapter.info.name;
        if precision == Precision::F64 {
            let lacks = if adapter.info.double_precision {
                "double-precision exp, log and tanh (shading languages define them in single \
                 precision only)"
            } else {
                "double precision"
            };
            return Err(Error::Device {
                problem: Field("precision") + format!(" f64: {name} has no {lacks}"),
                remedy: use_cpu() + ", or " + Field("precision") + " f32",
            });
        }
        let opened = adapter.open(most_bytes).map_err(|reason| Error::Device {
            problem: Field("backend") + format!(" wgpu: {name} cannot be opened ({reason})"),
            remedy: Message::from("update its driver, or ") + use_cpu(),
        })?;
        Ok(Self {
            kind: Kind::Wgpu(opened),
            precision,
            adapter: name.clone(),
            notice: None,
            differentiation: Differentiation::default(),
            memory: Memory::on_gpu(),
        })
    }

    /// wgpu's best adapter, in single precision, opened so that it holds no tensor above `most_bytes`:
    /// an adapter with a smaller limit, to see what becomes of chunks on it.
    ///
    /// # Errors
    /// As [`Device::open`] with [`BackendChoice::Wgpu`].
    pub fn open_limited(most_bytes: u64) -> Result<Self> {
        Self::wgpu(Precision::F32, Some(most_bytes))
    }

    /// The same device, differentiating as asked; [`Differentiation::Forward`] otherwise.
    pub fn with_differentiation(self, differentiation: Differentiation) -> Self {
        Self { differentiation, ..self }
    }

    /// The same device, where what products share takes at most so many bytes; a quarter of the machine's
    /// memory otherwise, and no more than 1 GiB on a GPU, which does not say how much it has.
    pub fn with_memory(self, bytes: usize) -> Self {
        Self { memory: Memory::of(bytes), ..self }
    }

    /// The bound on what products share, and how much of it is taken.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The backend's name: `cpu` or `wgpu`.
    pub fn backend(&self) -> &'static str {
        match self.kind {
            Kind::Cpu => "cpu",
            Kind::Wgpu(_) => "wgpu",
        }
    }

    /// The adapter's name.
    pub fn adapter(&self) -> &str {
        &self.adapter
    }

    /// Precision of the tensors on it.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// What the user should know about the choice, if anything.
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    /// The largest tensor that the device holds, in words; `None` where only memory limits it.
    pub fn largest_tensor(&self) -> Option<String> {
        match &self.kind {
            Kind::Cpu => None,
            Kind::Wgpu(opened) => Some(mebibytes(opened.most_bytes())),
        }
    }

    /// A chunk size that suits the device, for `samples` samples of a task that does not say how large
    /// its tensors are ([`Device::chunk`] is for one that does). On the CPU chunks are worked on in
    /// parallel, and their number does not depend on the machine, so that neither do results; on a GPU
    /// a chunk should be large.
    pub fn default_chunk(&self, samples: usize) -> usize {
        even(samples, self.suitable(None))
    }

    /// The most samples to a chunk that suit the device, given the elements of the largest tensor that
    /// one sample needs.
    pub(crate) fn suitable(&self, per_sample: Option<usize>) -> usize {
        const ON_CPU: std::ops::RangeInclusive<usize> = 8..=256;
        /// Of the largest tensor on the CPU. A few hundred images or windows of text are work for
        /// more than one worker, though no more samples than a chunk of a perceptron's.
        const ELEMENTS: usize = 1 << 17;
        const ON_GPU: usize = 8192;
        match self.kind {
            Kind::Cpu => per_sample.map_or(*ON_CPU.end(), |elements| {
                (ELEMENTS / elements.max(1)).clamp(*ON_CPU.start(), *ON_CPU.end())
            }),
            Kind::Wgpu(_) => ON_GPU,
        }
    }

    /// The adapter, where it is one of wgpu's.
    pub(crate) fn opened(&self) -> Option<&Opened> {
        match &self.kind {
            Kind::Cpu => None,
            Kind::Wgpu(opened) => Some(opened),
        }
    }

    /// How losses on it are differentiated.
    pub fn differentiation(&self) -> Differentiation {
        self.differentiation
    }

    /// Where its tensors are made.
    pub fn placement(&self) -> Placement<ComputeDevice> {
        let (device, workers) = match &self.kind {
            Kind::Cpu => (ComputeDevice::Cpu, cpu_workers()),
            Kind::Wgpu(opened) => (opened.device(), 1),
        };
        Placement { device, precision: self.precision, workers }
    }
}

/// Chunks of at most `most` samples, as even as can be: a small last one would leave a worker idle.
pub(crate) fn even(samples: usize, most: usize) -> usize {
    samples.div_ceil(samples.div_ceil(most).max(1)).max(1)
}

fn use_cpu() -> Message {
    Message::from("use ") + Field("backend") + " cpu"
}

fn cpu_workers() -> usize {
    rayon::current_num_threads()
}

/// Bytes in words.
pub(crate) fn mebibytes(bytes: u64) -> String {
    const MEBIBYTE: f64 = (1 << 20) as f64;
    format!("{:.4} MiB", bytes as f64 / MEBIBYTE).replace(".0000", "")
}
