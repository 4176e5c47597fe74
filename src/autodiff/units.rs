//! Which hidden units of a network may change places, signs and scales without changing its function.

/// Hidden units that may be put in any order.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitGroup {
    /// What they are, as the layer that makes them is named.
    pub name: String,
    /// How many.
    pub units: usize,
    /// The tensors that have a part for each unit.
    pub carriers: Vec<Carrier>,
    /// Whether a unit may change its sign: the nonlinearity behind it is odd.
    pub flips: bool,
    /// Whether a unit may be made larger: the nonlinearity behind it is positively homogeneous.
    pub scales: bool,
}

/// A tensor that has a part for each unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Carrier {
    /// The tensor's name.
    pub tensor: String,
    /// The axis along which the units are.
    pub axis: usize,
    /// How often they come one after the other along it: 1, or 3 for queries, keys and values. What is
    /// left of the axis' length is that of one unit's stretch.
    pub times: usize,
    /// Whether the tensor makes the unit or reads it.
    pub side: Side,
}

/// Which way a carrier is scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It makes the unit, and is multiplied by the unit's factor.
    Makes,
    /// It reads the unit, and is divided by the factor.
    Reads,
}

impl Carrier {
    /// A tensor whose units are along that axis, once.
    pub fn new(tensor: impl Into<String>, axis: usize, side: Side) -> Self {
        Self { tensor: tensor.into(), axis, times: 1, side }
    }
}
