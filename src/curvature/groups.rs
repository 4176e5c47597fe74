//! Parameters by layer.

use std::collections::BTreeSet;
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

/// One group for each layer, in order. A layer is a module with a tensor of its own, together with
/// everything inside it: what [`named_group`] finds under its name. Each tensor is in one group only.
pub fn groups(layout: &ParameterLayout) -> Vec<Group> {
    let owner = |name: &str| name.rsplit_once('.').map_or(name, |(module, _)| module).to_string();
    let owners: BTreeSet<String> =
        layout.entries().iter().map(|entry| owner(&entry.name)).collect();
    let mut groups: Vec<Group> = Vec::new();
    for entry in layout.entries() {
        let own = owner(&entry.name);
        let around = own.match_indices('.').map(|(at, _)| &own[..at]);
        let layer = around.into_iter().find(|&name| owners.contains(name)).unwrap_or(&own);
        let range = entry.offset..entry.offset + entry.len;
        match groups.iter_mut().find(|group| group.name == layer) {
            Some(group) => group.coordinates.push(range),
            None => groups.push(Group { name: layer.to_string(), coordinates: vec![range] }),
        }
    }
    groups
}

/// The tensors called `name`, or whose names go on from it after a dot: a name stands for itself and
/// for everything below it.
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
