//! A core module, read as far as merging needs it.

use std::collections::HashMap;

use wasmparser::{
    CompositeInnerType, Data, DataKind, Element, ElementKind, ExternalKind, FuncType, FunctionBody, Global, Import,
    KnownCustom, MemoryType, NameSectionReader, Parser, Payload, Table, TypeRef,
};

use super::Unfused;
use super::outline::count;

/// A core module in parts.
#[derive(Default)]
pub(super) struct Module<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) types: Vec<FuncType>,
    pub(super) imports: Vec<Import<'a>>,
    /// How many of the imports are of each kind.
    pub(super) imported: Counts,
    /// The types of the functions that it defines.
    pub(super) functions: Vec<u32>,
    pub(super) tables: Vec<Table<'a>>,
    pub(super) memories: Vec<MemoryType>,
    pub(super) globals: Vec<Global<'a>>,
    pub(super) exports: HashMap<&'a str, Place>,
    pub(super) start: Option<u32>,
    pub(super) elements: Vec<Element<'a>>,
    pub(super) code: Vec<FunctionBody<'a>>,
    pub(super) data: Vec<Data<'a>>,
    pub(super) names: Option<NameSectionReader<'a>>,
    /// It has something that is not merged.
    pub(super) odd: bool,
}

/// A kind of item that modules share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Function,
    Table,
    Memory,
    Global,
}

impl Kind {
    /// The kind, unless it is one that is not handled.
    pub(super) fn of(kind: ExternalKind) -> Option<Self> {
        match kind {
            ExternalKind::Func | ExternalKind::FuncExact => Some(Self::Function),
            ExternalKind::Table => Some(Self::Table),
            ExternalKind::Memory => Some(Self::Memory),
            ExternalKind::Global => Some(Self::Global),
            ExternalKind::Tag => None,
        }
    }
}

/// An item of a module: an entry of one of its index spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) kind: Kind,
    pub(super) index: u32,
}

/// A number for each kind of item.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) functions: u32,
    pub(super) tables: u32,
    pub(super) memories: u32,
    pub(super) globals: u32,
}

impl Counts {
    pub(super) fn of(&self, kind: Kind) -> u32 {
        match kind {
            Kind::Function => self.functions,
            Kind::Table => self.tables,
            Kind::Memory => self.memories,
            Kind::Global => self.globals,
        }
    }

    pub(super) fn and(self, more: Self) -> Self {
        Self {
            functions: self.functions.saturating_add(more.functions),
            tables: self.tables.saturating_add(more.tables),
            memories: self.memories.saturating_add(more.memories),
            globals: self.globals.saturating_add(more.globals),
        }
    }
}

impl<'a> Module<'a> {
    /// Reads a module that was validated.
    ///
    /// # Errors
    /// [`Unfused::NotValid`], if it was not.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Unfused> {
        let mut module = Self { bytes, ..Self::default() };
        for payload in Parser::new(0).parse_all(bytes) {
            module.section(payload?)?;
        }
        Ok(module)
    }

    fn section(&mut self, payload: Payload<'a>) -> Result<(), Unfused> {
        match payload {
            Payload::TypeSection(groups) => {
                for group in groups {
                    for ty in group?.into_types() {
                        match ty.composite_type.inner {
                            CompositeInnerType::Func(function) => self.types.push(function),
                            _ => self.odd = true,
                        }
                    }
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    self.add_import(import?);
                }
            }
            Payload::FunctionSection(functions) => self.functions = all(functions)?,
            Payload::TableSection(tables) => self.tables = all(tables)?,
            Payload::MemorySection(memories) => self.memories = all(memories)?,
            Payload::GlobalSection(globals) => self.globals = all(globals)?,
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    match Kind::of(export.kind) {
                        Some(kind) => drop(self.exports.insert(export.name, Place { kind, index: export.index })),
                        None => self.odd = true,
                    }
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::ElementSection(elements) => self.elements = all(elements)?,
            Payload::DataSection(data) => self.data = all(data)?,
            Payload::CodeSectionEntry(body) => self.code.push(body),
            Payload::CustomSection(custom) => {
                if let KnownCustom::Name(names) = custom.as_known() {
                    self.names = Some(names);
                }
            }
            Payload::Version { .. }
            | Payload::DataCountSection { .. }
            | Payload::CodeSectionStart { .. }
            | Payload::End(_) => {}
            _ => self.odd = true,
        }
        Ok(())
    }

    fn add_import(&mut self, import: Import<'a>) {
        match import.ty {
            TypeRef::Func(_) => self.imported.functions += 1,
            TypeRef::Table(_) => self.imported.tables += 1,
            TypeRef::Memory(_) => self.imported.memories += 1,
            TypeRef::Global(_) => self.imported.globals += 1,
            TypeRef::Tag(_) | TypeRef::FuncExact(_) => self.odd = true,
        }
        self.imports.push(import);
    }

    /// How many items of each kind it defines itself.
    pub(super) fn defined(&self) -> Counts {
        Counts {
            functions: count(&self.functions),
            tables: count(&self.tables),
            memories: count(&self.memories),
            globals: count(&self.globals),
        }
    }

    /// The tables and memories that are written to when it is instantiated.
    pub(super) fn written(&self) -> impl Iterator<Item = Place> + '_ {
        let tables = self.elements.iter().filter_map(|element| match element.kind {
            ElementKind::Active { table_index, .. } => {
                Some(Place { kind: Kind::Table, index: table_index.unwrap_or(0) })
            }
            ElementKind::Passive | ElementKind::Declared => None,
        });
        let memories = self.data.iter().filter_map(|data| match data.kind {
            DataKind::Active { memory_index, .. } => Some(Place { kind: Kind::Memory, index: memory_index }),
            DataKind::Passive => None,
        });
        tables.chain(memories)
    }
}

impl std::fmt::Debug for Module<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Module").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

fn all<'a, T: wasmparser::FromReader<'a>>(section: wasmparser::SectionLimited<'a, T>) -> Result<Vec<T>, Unfused> {
    Ok(section.into_iter().collect::<Result<_, _>>()?)
}
