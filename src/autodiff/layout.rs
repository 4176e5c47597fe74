//! The order in which a module's parameters make one flat vector.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// One parameter tensor's place in the flat vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterEntry {
    /// Path in the module, joined by dots: `layers.0.weight`.
    pub name: String,
    /// The tensor's shape.
    pub shape: Vec<usize>,
    /// Where its row-major entries begin.
    pub offset: usize,
    /// How many entries it has.
    pub len: usize,
}

/// All parameter tensors of a module, in the order of `Module::visit`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParameterLayout {
    entries: Vec<ParameterEntry>,
}

impl ParameterLayout {
    /// The layout of a module's float parameters.
    pub fn of<B: Backend, M: Module<B>>(module: &M) -> Self {
        let mut reader = LayoutReader::default();
        module.visit(&mut reader);
        Self { entries: reader.entries }
    }

    /// Tensors of these names and shapes, one after the other.
    pub fn new<N: Into<String>>(tensors: impl IntoIterator<Item = (N, Vec<usize>)>) -> Self {
        let mut layout = Self::default();
        for (name, shape) in tensors {
            let (name, offset, len) = (name.into(), layout.len(), shape.iter().product());
            layout.entries.push(ParameterEntry { name, shape, offset, len });
        }
        layout
    }

    /// The tensors, in order.
    pub fn entries(&self) -> &[ParameterEntry] {
        &self.entries
    }

    /// Length P of the flat vector.
    pub fn len(&self) -> usize {
        self.entries.last().map_or(0, |entry| entry.offset + entry.len)
    }

    /// True for a module without parameters.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[derive(Default)]
struct LayoutReader {
    path: Vec<String>,
    entries: Vec<ParameterEntry>,
}

impl<B: Backend> ModuleVisitor<B> for LayoutReader {
    // A variant of an enum is not part of a parameter's name.
    fn enter_module(&mut self, name: &str, container_type: &str) {
        if !container_type.starts_with("Enum:") {
            self.path.push(name.to_string());
        }
    }

    fn exit_module(&mut self, _name: &str, container_type: &str) {
        if !container_type.starts_with("Enum:") {
            self.path.pop();
        }
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let shape: Vec<usize> = param.lazy_shape().dims::<D>().to_vec();
        let offset = self.entries.last().map_or(0, |entry| entry.offset + entry.len);
        self.entries.push(ParameterEntry {
            name: self.path.join("."),
            len: shape.iter().product(),
            shape,
            offset,
        });
    }
}
