//! Writes the fused module.

use std::collections::HashMap;
use std::convert::Infallible;

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    CodeSection, DataCountSection, DataSection, ElementSection, EntityType, ExportKind, ExportSection, FunctionSection,
    GlobalSection, ImportSection, MemorySection, StartSection, TableSection, TypeSection,
};
use wasmparser::{FuncType, TypeRef};

use super::Unfused;
use super::constant::{Value, evaluate};
use super::module::{Counts, Kind, Module, Place};
use super::names::Names;
use super::outline::{Outline, at};
use super::plan::{Callee, Member, Plan};

/// The module name that the fused module imports the host's functions from.
pub(super) const HOST: &str = "";

/// The name of an export of the fused module.
pub(super) fn export_name(place: Place) -> String {
    let kind = match place.kind {
        Kind::Function => 'f',
        Kind::Table => 't',
        Kind::Memory => 'm',
        Kind::Global => 'g',
    };
    format!("{kind}{}", place.index)
}

/// The name under which it imports the n-th of the host's functions.
pub(super) fn import_name(place: u32) -> String {
    place.to_string()
}

/// The fused module of `plan`.
///
/// # Errors
/// [`Unfused`]: something in it cannot be encoded.
pub(super) fn merge(outline: &Outline<'_>, plan: &Plan) -> Result<wasm_encoder::Module, Unfused> {
    let mut merged = Merged::new(outline, plan)?;
    for member in &plan.members {
        let module = outline.module_of(member.instance)?;
        merged.add(member, module)?;
    }
    for place in &plan.exports {
        let (kind, index) = match place.kind {
            Kind::Function => (ExportKind::Func, merged.imported.saturating_add(place.index)),
            Kind::Table => (ExportKind::Table, place.index),
            Kind::Memory => (ExportKind::Memory, place.index),
            Kind::Global => (ExportKind::Global, place.index),
        };
        merged.exports.export(&export_name(*place), kind, index);
    }
    Ok(merged.finish())
}

/// The sections of the fused module.
#[derive(Default)]
struct Merged<'a> {
    types: Types,
    imports: ImportSection,
    /// How many functions it imports.
    imported: u32,
    functions: FunctionSection,
    tables: TableSection,
    memories: MemorySection,
    globals: GlobalSection,
    /// The initial values of its globals.
    values: Vec<Value>,
    exports: ExportSection,
    start: Option<u32>,
    elements: ElementSection,
    code: CodeSection,
    data: DataSection,
    names: Names<'a>,
}

impl<'a> Merged<'a> {
    fn new(outline: &Outline<'a>, plan: &Plan) -> Result<Self, Unfused> {
        let mut merged = Self { imported: super::outline::count(&plan.canons), ..Self::default() };
        // Any of those who import a function know its type.
        let mut types = HashMap::new();
        for member in &plan.members {
            let module = outline.module_of(member.instance)?;
            let functions = module.imports.iter().filter_map(|import| match import.ty {
                TypeRef::Func(ty) => Some(ty),
                _ => None,
            });
            for (callee, ty) in member.functions.iter().zip(functions) {
                if let Callee::Canon(place) = callee {
                    types.insert(*place, at(&module.types, ty)?);
                }
            }
        }
        for place in 0..merged.imported {
            let ty = types.get(&place).ok_or(Unfused::Has("a function without a type"))?;
            let ty = merged.types.index(ty)?;
            merged.imports.import(HOST, &import_name(place), EntityType::Function(ty));
        }
        Ok(merged)
    }

    fn add(&mut self, member: &Member, module: &Module<'a>) -> Result<(), Unfused> {
        let types = module.types.iter().map(|ty| self.types.index(ty)).collect::<Result<_, _>>()?;
        let (elements, data) = (self.elements.len(), self.data.len());
        let own = Renumbering { member, imported: module.imported, types, canons: self.imported, elements, data };
        let mut own = Mapper { own, values: &mut self.values };
        for ty in &module.functions {
            self.functions.function(own.type_index(*ty)?);
        }
        for memory in &module.memories {
            self.memories.memory(own.memory_type(*memory)?);
        }
        for global in &module.globals {
            let value = own.value(&global.init_expr)?;
            self.globals.global(own.global_type(global.ty)?, &value.clone().encode());
            own.values.push(value);
        }
        for table in &module.tables {
            utils::parse_table(&mut own, &mut self.tables, table.clone())?;
        }
        if let Some(start) = module.start {
            self.start = Some(own.function_index(start)?);
        }
        for element in &module.elements {
            utils::parse_element(&mut own, &mut self.elements, element.clone())?;
        }
        for body in &module.code {
            utils::parse_function_body(&mut own, &mut self.code, body.clone())?;
        }
        for data in &module.data {
            utils::parse_data(&mut own, &mut self.data, data.clone())?;
        }
        if let Some(names) = &module.names {
            let all = module.imported.functions.saturating_add(module.defined().functions);
            let index = |function| (function < all).then(|| own.own.function(function)).flatten();
            self.names.add(names.clone(), module.bytes.len(), index);
        }
        Ok(())
    }

    fn finish(self) -> wasm_encoder::Module {
        let mut module = wasm_encoder::Module::new();
        module
            .section(&self.types.section)
            .section(&self.imports)
            .section(&self.functions)
            .section(&self.tables)
            .section(&self.memories)
            .section(&self.globals)
            .section(&self.exports);
        if let Some(function_index) = self.start {
            module.section(&StartSection { function_index });
        }
        module
            .section(&self.elements)
            .section(&DataCountSection { count: self.data.len() })
            .section(&self.code)
            .section(&self.data)
            .section(&self.names.section());
        module
    }
}

/// The types of functions, each once.
#[derive(Default)]
struct Types {
    section: TypeSection,
    known: HashMap<FuncType, u32>,
}

impl Types {
    fn index(&mut self, ty: &FuncType) -> Result<u32, Unfused> {
        if let Some(index) = self.known.get(ty) {
            return Ok(*index);
        }
        let index = self.section.len();
        self.section.ty().func_type(&wasm_encoder::FuncType::try_from(ty.clone())?);
        self.known.insert(ty.clone(), index);
        Ok(index)
    }
}

/// Where the items of one member are in the fused module.
struct Renumbering<'m> {
    member: &'m Member,
    imported: Counts,
    types: Vec<u32>,
    /// How many functions the fused module imports: they come before all that it defines.
    canons: u32,
    elements: u32,
    data: u32,
}

impl Renumbering<'_> {
    fn function(&self, function: u32) -> Option<u32> {
        let defined = match function.checked_sub(self.imported.functions) {
            Some(defined) => self.member.base.functions.checked_add(defined)?,
            None => match *self.member.functions.get(function as usize)? {
                Callee::Canon(place) => return Some(place),
                Callee::Defined(defined) => defined,
            },
        };
        self.canons.checked_add(defined)
    }

    fn item(imports: &[u32], base: u32, index: u32) -> Option<u32> {
        match imports.get(index as usize) {
            Some(index) => Some(*index),
            // As many as are imported come before the first that it defines.
            None => base.checked_add(index.checked_sub(u32::try_from(imports.len()).ok()?)?),
        }
    }
}

/// Rewrites the parts of one member.
struct Mapper<'m, 'v> {
    own: Renumbering<'m>,
    values: &'v mut Vec<Value>,
}

impl Mapper<'_, '_> {
    fn value(&mut self, expression: &wasmparser::ConstExpr<'_>) -> Result<Value, Error> {
        // Constants know imported globals alone, and those of members before are all in.
        evaluate(self, expression.clone(), |mapper, global| {
            let global = mapper.own.member.globals.get(global as usize)?;
            mapper.values.get(*global as usize).cloned()
        })
    }
}

/// What an index that is nowhere becomes. The outcome is validated.
const NOWHERE: Error = Error::InvalidConstExpr;

impl Reencode for Mapper<'_, '_> {
    type Error = Infallible;

    fn type_index(&mut self, ty: u32) -> Result<u32, Error> {
        self.own.types.get(ty as usize).copied().ok_or(NOWHERE)
    }

    fn function_index(&mut self, function: u32) -> Result<u32, Error> {
        self.own.function(function).ok_or(NOWHERE)
    }

    fn table_index(&mut self, table: u32) -> Result<u32, Error> {
        let Member { tables, base, .. } = self.own.member;
        Renumbering::item(tables, base.tables, table).ok_or(NOWHERE)
    }

    fn memory_index(&mut self, memory: u32) -> Result<u32, Error> {
        let Member { memories, base, .. } = self.own.member;
        Renumbering::item(memories, base.memories, memory).ok_or(NOWHERE)
    }

    fn global_index(&mut self, global: u32) -> Result<u32, Error> {
        let Member { globals, base, .. } = self.own.member;
        Renumbering::item(globals, base.globals, global).ok_or(NOWHERE)
    }

    fn element_index(&mut self, element: u32) -> Result<u32, Error> {
        self.own.elements.checked_add(element).ok_or(NOWHERE)
    }

    fn data_index(&mut self, data: u32) -> Result<u32, Error> {
        self.own.data.checked_add(data).ok_or(NOWHERE)
    }

    fn const_expr(&mut self, expression: wasmparser::ConstExpr<'_>) -> Result<wasm_encoder::ConstExpr, Error> {
        Ok(self.value(&expression)?.encode())
    }
}
