//! Parameters by layer.

use std::ops::Range;

use crate::autodiff::ParameterLayout;
use crate::error::{Error, Result};

/// Some parameters of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What they have in common in their names.
    pub name: String,
    /// Their places in the flat vector.
    pub coordinates: Vec<Range<usize>>,
}

impl Group {
    /// Number of parameters.
    pub fn len(&self) -> usize {
        self.coordinates.iter().map(ExactSizeIterator::len).sum()
    }

    /// True where there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One group for each layer: the tensors whose names agree up to the last dot, in order.
pub fn groups(layout: &ParameterLayout) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for entry in layout.entries() {
        let layer = entry.name.rsplit_once('.').map_or(&entry.name[..], |(layer, _)| layer);
        let range = entry.offset..entry.offset + entry.len;
        match groups.iter_mut().find(|group| group.name == layer) {
            Some(group) => group.coordinates.push(range),
            None => groups.push(Group { name: layer.to_string(), coordinates: vec![range] }),
        }
    }
    groups
}

/// The tensors called `name`, or whose names go on from it after a dot.
///
/// # Errors
/// [`Error::UnknownName`] if there are none.
pub fn named_group(layout: &ParameterLayout, name: &str) -> Result<Group> {
    let begins = |full: &str| {
        full.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let coordinates: Vec<Range<usize>> = layout
        .entries()
        .iter()
        .filter(|entry| begins(&entry.name))
        .map(|entry| entry.offset..entry.offset + entry.len)
        .collect();
    if coordinates.is_empty() {
        let names: Vec<&str> = layout.entries().iter().map(|entry| &entry.name[..]).collect();
        return Err(Error::unknown_name("group of parameters", name, &names));
    }
    Ok(Group { name: name.to_string(), coordinates })
}
