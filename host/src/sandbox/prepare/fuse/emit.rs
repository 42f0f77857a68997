//! Writes the component anew around the fused module.
//!
//! What is no core item is copied in its order, so its indexes stay. Core instances that stay apart
//! keep their order. All other core items are made when something needs them.

use std::collections::HashMap;

use wasm_encoder::{
    Alias, CanonicalFunctionSection, CanonicalOption, Component, ComponentAliasSection, ComponentSectionId, ExportKind,
    InstanceSection, ModuleArg, ModuleSection, RawSection,
};
use wasmparser::ComponentAlias;

use super::Unfused;
use super::merge::{HOST, export_name, import_name};
use super::module::Kind;
use super::outline::{Canon, Instance, Item, Opt, Outline, Source, at};
use super::plan::{Found, Plan, kind_of};

/// The component of `outline` with `merged` in place of the members of `plan`.
///
/// # Errors
/// [`Unfused`]: it names something that is not there.
pub(super) fn emit(outline: &Outline<'_>, plan: &Plan, merged: &wasm_encoder::Module) -> Result<Vec<u8>, Unfused> {
    let mut emitter = Emitter { outline, plan, merged, out: Out::default() };
    let (first, last) = plan.span();
    // Instances that wait for the fused one.
    let mut waiting = Vec::new();
    for item in &outline.items {
        match *item {
            Item::Instantiate(instance) if instance == last => {
                emitter.fused()?;
                for instance in waiting.drain(..) {
                    emitter.instantiate(instance)?;
                }
            }
            Item::Instantiate(instance) if plan.has(instance) => {}
            Item::Instantiate(instance) if (first..last).contains(&instance) => waiting.push(instance),
            Item::Instantiate(instance) => emitter.instantiate(instance)?,
            _ => emitter.item(item)?,
        }
    }
    Ok(emitter.out.component.finish())
}

struct Emitter<'e, 'a> {
    outline: &'e Outline<'a>,
    plan: &'e Plan,
    merged: &'e wasm_encoder::Module,
    out: Out<'a>,
}

/// What is written so far.
#[derive(Default)]
struct Out<'a> {
    component: Component,
    modules: u32,
    instances: u32,
    functions: u32,
    tables: u32,
    memories: u32,
    globals: u32,
    /// New indexes of modules, by their old ones.
    module_indexes: HashMap<u32, u32>,
    /// New indexes of instances that stay apart, by their old ones.
    instance_indexes: HashMap<u32, u32>,
    /// The index of the fused instance.
    fused: Option<u32>,
    /// New indexes of what was needed.
    known: HashMap<(Kind, Found<'a>), u32>,
}

impl<'a> Emitter<'_, 'a> {
    fn item(&mut self, item: &Item<'a>) -> Result<(), Unfused> {
        match item {
            Item::Section { id, data } => drop(self.out.component.section(&RawSection { id: *id, data })),
            Item::Alias(alias) => self.alias(alias)?,
            Item::Module(module) => self.module(*module)?,
            Item::Instantiate(instance) => self.instantiate(*instance)?,
            Item::Lift(lift) => {
                let function = self.function(lift.function)?;
                let options = self.options(&lift.options)?;
                let mut section = CanonicalFunctionSection::new();
                section.lift(function, lift.ty, options);
                self.out.component.section(&section);
            }
        }
        Ok(())
    }

    fn alias(&mut self, alias: &ComponentAlias<'_>) -> Result<(), Unfused> {
        let alias = match *alias {
            ComponentAlias::InstanceExport { kind, instance_index: instance, name } => {
                Alias::InstanceExport { kind: kind.into(), instance, name }
            }
            ComponentAlias::Outer { kind, count, index } => Alias::Outer { kind: kind.into(), count, index },
            ComponentAlias::CoreInstanceExport { .. } => return Err(Unfused::Has("an alias out of place")),
        };
        self.write_alias(alias);
        Ok(())
    }

    /// Copies a module, unless its only instance is a member.
    fn module(&mut self, module: u32) -> Result<(), Unfused> {
        if self.plan.has_module(module) {
            return Ok(());
        }
        let data = at(&self.outline.modules, module)?.bytes;
        self.out.component.section(&RawSection { id: ComponentSectionId::CoreModule.into(), data });
        self.out.module_indexes.insert(module, self.out.modules);
        self.out.modules += 1;
        Ok(())
    }

    /// Writes the fused module and its instance.
    fn fused(&mut self) -> Result<(), Unfused> {
        self.out.component.section(&ModuleSection(self.merged));
        let module = self.out.modules;
        self.out.modules += 1;
        let mut items = Vec::with_capacity(self.plan.canons.len());
        for (place, canon) in (0..).zip(&self.plan.canons) {
            items.push((import_name(place), ExportKind::Func, self.function(Source::Canon(*canon))?));
        }
        let arguments = if items.is_empty() { vec![] } else { vec![(HOST, self.bag(items))] };
        self.out.fused = Some(self.write_instance(module, arguments));
        Ok(())
    }

    /// Writes an instance that stays apart.
    fn instantiate(&mut self, instance: u32) -> Result<(), Unfused> {
        let Instance::Of { module: index, .. } = at(&self.outline.instances, instance)? else { return Ok(()) };
        let module = at(&self.outline.modules, *index)?;
        // By the name that it is imported from; the order is that of the first import.
        let mut names = Vec::new();
        let mut bags = HashMap::<&str, HashMap<&str, (ExportKind, u32)>>::new();
        for import in &module.imports {
            let kind = kind_of(import).ok_or(Unfused::Has("tags"))?;
            let source = self.outline.import(instance, import.module, import.name)?;
            let index = self.index(kind, source)?;
            let bag = bags.entry(import.module).or_insert_with(|| {
                names.push(import.module);
                HashMap::new()
            });
            bag.insert(import.name, (export_kind(kind), index));
        }
        let mut arguments = Vec::with_capacity(names.len());
        for name in names {
            let mut items: Vec<_> =
                bags.remove(name).into_iter().flatten().map(|(name, (kind, index))| (name, kind, index)).collect();
            // The same component is always fused to the same bytes.
            items.sort_unstable_by_key(|(name, _, _)| *name);
            arguments.push((name, self.bag(items)));
        }
        let module = *self.out.module_indexes.get(index).ok_or(Unfused::Has("a module after its instance"))?;
        let index = self.write_instance(module, arguments);
        self.out.instance_indexes.insert(instance, index);
        Ok(())
    }

    fn options(&mut self, options: &[Opt<'a>]) -> Result<Vec<CanonicalOption>, Unfused> {
        let pointed = options.iter().map(|option| match *option {
            Opt::Plain(option) => Ok(option.into()),
            Opt::Memory(memory) => Ok(CanonicalOption::Memory(self.index(Kind::Memory, memory)?)),
            Opt::Realloc(function) => Ok(CanonicalOption::Realloc(self.function(function)?)),
            Opt::PostReturn(function) => Ok(CanonicalOption::PostReturn(self.function(function)?)),
        });
        pointed.collect()
    }

    fn function(&mut self, source: Source<'a>) -> Result<u32, Unfused> {
        self.index(Kind::Function, source)
    }

    /// The index of an item in the new component, where it is made now if it is not there yet.
    fn index(&mut self, kind: Kind, source: Source<'a>) -> Result<u32, Unfused> {
        let found = self.plan.find(self.outline, source)?;
        if let Some(index) = self.out.known.get(&(kind, found)) {
            return Ok(*index);
        }
        match found {
            Found::Canon(canon) => self.canon(canon)?,
            Found::Fused(place) => {
                let instance = self.out.fused.ok_or(Unfused::Has("a use of the fused instance before it is there"))?;
                let name = export_name(place);
                self.write_alias(Alias::CoreInstanceExport { instance, kind: export_kind(kind), name: &name });
            }
            Found::Apart { instance, name } => {
                let instance = self.out.instance_indexes.get(&instance);
                let instance = *instance.ok_or(Unfused::Has("a use of an instance before it is there"))?;
                self.write_alias(Alias::CoreInstanceExport { instance, kind: export_kind(kind), name });
            }
        }
        let next = match kind {
            Kind::Function => &mut self.out.functions,
            Kind::Table => &mut self.out.tables,
            Kind::Memory => &mut self.out.memories,
            Kind::Global => &mut self.out.globals,
        };
        let index = *next;
        *next += 1;
        self.out.known.insert((kind, found), index);
        Ok(index)
    }

    fn canon(&mut self, canon: u32) -> Result<(), Unfused> {
        let mut section = CanonicalFunctionSection::new();
        match self.outline.canon(canon)? {
            Canon::Lower { function, options } => {
                let options = self.options(options)?;
                section.lower(*function, options);
            }
            Canon::ResourceNew(resource) => drop(section.resource_new(*resource)),
            Canon::ResourceDrop(resource) => drop(section.resource_drop(*resource)),
            Canon::ResourceRep(resource) => drop(section.resource_rep(*resource)),
        }
        self.out.component.section(&section);
        Ok(())
    }

    fn write_alias(&mut self, alias: Alias<'_>) {
        let mut section = ComponentAliasSection::new();
        section.alias(alias);
        self.out.component.section(&section);
    }

    fn bag<S: AsRef<str>>(&mut self, items: Vec<(S, ExportKind, u32)>) -> u32 {
        let mut section = InstanceSection::new();
        section.export_items(items);
        self.next_instance(&section)
    }

    fn write_instance(&mut self, module: u32, arguments: Vec<(&str, u32)>) -> u32 {
        let mut section = InstanceSection::new();
        section.instantiate(module, arguments.into_iter().map(|(name, bag)| (name, ModuleArg::Instance(bag))));
        self.next_instance(&section)
    }

    fn next_instance(&mut self, section: &InstanceSection) -> u32 {
        self.out.component.section(section);
        let index = self.out.instances;
        self.out.instances += 1;
        index
    }
}

fn export_kind(kind: Kind) -> ExportKind {
    match kind {
        Kind::Function => ExportKind::Func,
        Kind::Table => ExportKind::Table,
        Kind::Memory => ExportKind::Memory,
        Kind::Global => ExportKind::Global,
    }
}
