//! The names of functions, which the log shows when a guest traps.

use std::collections::BTreeMap;

use wasm_encoder::{NameMap, NameSection};
use wasmparser::{Name, NameSectionReader};

/// Most bytes of names that are kept, over all modules.
const NAMES_MAX: usize = 16 << 20;

/// Names on their way into the fused module.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    /// The name of the largest module that has one.
    module: Option<(usize, &'a str)>,
    functions: BTreeMap<u32, &'a str>,
    bytes: usize,
}

impl<'a> Names<'a> {
    /// Adds the names of a module of `size` bytes, whose functions `index` finds in the fused one.
    /// Names are not validated: what cannot be read is left out.
    pub(super) fn add(&mut self, names: NameSectionReader<'a>, size: usize, index: impl Fn(u32) -> Option<u32>) {
        for name in names {
            match name {
                Ok(Name::Module { name, .. }) if self.module.is_none_or(|(largest, _)| largest < size) => {
                    self.module = Some((size, name));
                }
                Ok(Name::Function(functions)) => {
                    for naming in functions.into_iter().map_while(Result::ok) {
                        self.add_function(index(naming.index), naming.name);
                    }
                }
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }

    fn add_function(&mut self, index: Option<u32>, name: &'a str) {
        let Some(index) = index else { return };
        self.bytes = self.bytes.saturating_add(name.len());
        if self.bytes <= NAMES_MAX {
            // The one who defines a function comes before those who import it.
            self.functions.entry(index).or_insert(name);
        }
    }

    /// The section of all names.
    pub(super) fn section(&self) -> NameSection {
        let mut functions = NameMap::new();
        for (index, name) in &self.functions {
            functions.append(*index, name);
        }
        let mut section = NameSection::new();
        if let Some((_, name)) = self.module {
            section.module(name);
        }
        section.functions(&functions);
        section
    }
}
