//! What stands at the top level of a component, with every core item traced to where it comes from.

use std::collections::HashMap;

use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentAlias, ComponentExternalKind, ComponentInstance,
    ComponentOuterAliasKind, ComponentType, ComponentTypeRef, Encoding, Instance as RawInstance, Parser, Payload,
};

use super::Unfused;
use super::module::{Kind, Module};

/// Exceptions' tags are off in the engine.
const TAGS: Unfused = Unfused::Has("tags");

/// Where a core function, table, memory or global of the component comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Source<'a> {
    /// A function that the canonical ABI makes, by its place in [`Outline::canons`].
    Canon(u32),
    /// An export of an instance of a module.
    Export { instance: u32, name: &'a str },
}

/// One thing of the top level, in its order.
#[derive(Debug)]
pub(super) enum Item<'a> {
    /// A whole section that speaks of no core item.
    Section { id: u8, data: &'a [u8] },
    /// An alias of something that is no core item.
    Alias(ComponentAlias<'a>),
    /// The core module of this index.
    Module(u32),
    /// The core instance of this index, made from a module.
    Instantiate(u32),
    /// A component function made of a core one.
    Lift(Lift<'a>),
}

#[derive(Debug)]
pub(super) struct Lift<'a> {
    pub(super) function: Source<'a>,
    pub(super) ty: u32,
    pub(super) options: Vec<Opt<'a>>,
}

/// An option of the canonical ABI.
#[derive(Clone, Copy, Debug)]
pub(super) enum Opt<'a> {
    /// It names nothing.
    Plain(CanonicalOption),
    Memory(Source<'a>),
    Realloc(Source<'a>),
    PostReturn(Source<'a>),
}

impl<'a> Opt<'a> {
    /// What it names.
    pub(super) fn names(&self) -> Option<Source<'a>> {
        match *self {
            Self::Plain(_) => None,
            Self::Memory(memory) => Some(memory),
            Self::Realloc(function) | Self::PostReturn(function) => Some(function),
        }
    }
}

/// A core function that the canonical ABI makes.
#[derive(Debug)]
pub(super) enum Canon<'a> {
    Lower { function: u32, options: Vec<Opt<'a>> },
    ResourceNew(u32),
    ResourceDrop(u32),
    ResourceRep(u32),
}

impl<'a> Canon<'a> {
    pub(super) fn options(&self) -> &[Opt<'a>] {
        match self {
            Self::Lower { options, .. } => options,
            Self::ResourceNew(_) | Self::ResourceDrop(_) | Self::ResourceRep(_) => &[],
        }
    }

    /// Whether it needs no instance, and so can be made before any.
    pub(super) fn is_free(&self) -> bool {
        self.options().iter().all(|option| option.names().is_none())
    }
}

/// A core instance.
#[derive(Debug)]
pub(super) enum Instance<'a> {
    /// Made from a module, with one instance for each name that it imports from.
    Of { module: u32, arguments: HashMap<&'a str, u32> },
    /// A collection of items from elsewhere.
    Bag(HashMap<&'a str, Source<'a>>),
}

/// A component's top level.
#[derive(Debug, Default)]
pub(super) struct Outline<'a> {
    pub(super) items: Vec<Item<'a>>,
    pub(super) modules: Vec<Module<'a>>,
    pub(super) instances: Vec<Instance<'a>>,
    pub(super) canons: Vec<Canon<'a>>,
    functions: Vec<Source<'a>>,
    tables: Vec<Source<'a>>,
    memories: Vec<Source<'a>>,
    globals: Vec<Source<'a>>,
}

impl<'a> Outline<'a> {
    /// Reads a component that was validated.
    ///
    /// # Errors
    /// [`Unfused::Has`] for what is not handled.
    pub(super) fn read(component: &'a [u8]) -> Result<Self, Unfused> {
        let mut outline = Self::default();
        // What the sections are in: modules, or components within the component.
        let mut within = Vec::new();
        for payload in Parser::new(0).parse_all(component) {
            let payload = payload?;
            match (&payload, within.last()) {
                (Payload::End(_), _) => {
                    within.pop();
                }
                (_, None) => outline.section(&payload, component)?,
                (_, Some(Encoding::Component)) => nested(&payload)?,
                (_, Some(Encoding::Module)) => {}
            }
            match payload {
                Payload::ModuleSection { .. } => within.push(Encoding::Module),
                Payload::ComponentSection { .. } => within.push(Encoding::Component),
                _ => {}
            }
        }
        Ok(outline)
    }

    /// What an instance imports, traced.
    pub(super) fn import(&self, instance: u32, module: &str, name: &'a str) -> Result<Source<'a>, Unfused> {
        match self.instance(instance)? {
            Instance::Of { arguments, .. } => {
                let argument = arguments.get(module).ok_or(Unfused::Has("an import without an argument"))?;
                self.export(*argument, name)
            }
            Instance::Bag(_) => Err(Unfused::Has("an instance without a module that imports")),
        }
    }

    /// The module that an instance was made from.
    pub(super) fn module_of(&self, instance: u32) -> Result<&Module<'a>, Unfused> {
        match self.instance(instance)? {
            Instance::Of { module, .. } => at(&self.modules, *module),
            Instance::Bag(_) => Err(Unfused::Has("an instance without a module")),
        }
    }

    pub(super) fn canon(&self, canon: u32) -> Result<&Canon<'a>, Unfused> {
        at(&self.canons, canon)
    }

    fn instance(&self, instance: u32) -> Result<&Instance<'a>, Unfused> {
        at(&self.instances, instance)
    }

    fn export(&self, instance: u32, name: &'a str) -> Result<Source<'a>, Unfused> {
        match self.instance(instance)? {
            Instance::Of { .. } => Ok(Source::Export { instance, name }),
            Instance::Bag(items) => items.get(name).copied().ok_or(Unfused::Has("an export that is not there")),
        }
    }

    fn section(&mut self, payload: &Payload<'a>, component: &'a [u8]) -> Result<(), Unfused> {
        match payload {
            Payload::ModuleSection { unchecked_range, .. } => {
                let module = component.get(unchecked_range.clone()).ok_or(Unfused::Has("a module that is cut off"))?;
                self.items.push(Item::Module(count(&self.modules)));
                self.modules.push(Module::read(module)?);
                return Ok(());
            }
            Payload::InstanceSection(instances) => {
                for instance in instances.clone() {
                    self.add_instance(instance?)?;
                }
                return Ok(());
            }
            Payload::ComponentAliasSection(aliases) => {
                for alias in aliases.clone() {
                    self.add_alias(alias?)?;
                }
                return Ok(());
            }
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions.clone() {
                    self.add_function(function?)?;
                }
                return Ok(());
            }
            // Names and other remarks, which would not fit any more.
            Payload::CustomSection(_) => return Ok(()),
            _ => check(payload)?,
        }
        if let Some((id, range)) = payload.as_section() {
            let data = component.get(range).ok_or(Unfused::Has("a section that is cut off"))?;
            self.items.push(Item::Section { id, data });
        }
        Ok(())
    }

    fn add_instance(&mut self, instance: RawInstance<'a>) -> Result<(), Unfused> {
        let instance = match instance {
            RawInstance::Instantiate { module_index, args } => {
                self.items.push(Item::Instantiate(count(&self.instances)));
                let arguments = args.iter().map(|argument| (argument.name, argument.index)).collect();
                Instance::Of { module: module_index, arguments }
            }
            RawInstance::FromExports(exports) => {
                let items = exports
                    .iter()
                    .map(|export| Ok((export.name, self.traced(Kind::of(export.kind).ok_or(TAGS)?, export.index)?)));
                Instance::Bag(items.collect::<Result<_, Unfused>>()?)
            }
        };
        self.instances.push(instance);
        Ok(())
    }

    fn add_alias(&mut self, alias: ComponentAlias<'a>) -> Result<(), Unfused> {
        match alias {
            ComponentAlias::CoreInstanceExport { kind, instance_index, name } => {
                let source = self.export(instance_index, name)?;
                match Kind::of(kind).ok_or(TAGS)? {
                    Kind::Function => self.functions.push(source),
                    Kind::Table => self.tables.push(source),
                    Kind::Memory => self.memories.push(source),
                    Kind::Global => self.globals.push(source),
                }
            }
            ComponentAlias::InstanceExport { kind: ComponentExternalKind::Module, .. }
            | ComponentAlias::Outer { kind: ComponentOuterAliasKind::CoreModule, .. } => {
                return Err(Unfused::Has("an alias of a core module"));
            }
            ComponentAlias::InstanceExport { .. } | ComponentAlias::Outer { .. } => self.items.push(Item::Alias(alias)),
        }
        Ok(())
    }

    fn add_function(&mut self, function: CanonicalFunction) -> Result<(), Unfused> {
        let canon = match function {
            CanonicalFunction::Lift { core_func_index, type_index, options } => {
                let function = self.traced(Kind::Function, core_func_index)?;
                let options = self.options(&options)?;
                self.items.push(Item::Lift(Lift { function, ty: type_index, options }));
                return Ok(());
            }
            CanonicalFunction::Lower { func_index, options } => {
                Canon::Lower { function: func_index, options: self.options(&options)? }
            }
            CanonicalFunction::ResourceNew { resource } => Canon::ResourceNew(resource),
            CanonicalFunction::ResourceDrop { resource } => Canon::ResourceDrop(resource),
            CanonicalFunction::ResourceRep { resource } => Canon::ResourceRep(resource),
            _ => return Err(Unfused::Has("asynchronous functions or threads")),
        };
        self.functions.push(Source::Canon(count(&self.canons)));
        self.canons.push(canon);
        Ok(())
    }

    fn options(&self, options: &[CanonicalOption]) -> Result<Vec<Opt<'a>>, Unfused> {
        let function = |index| match self.traced(Kind::Function, index)? {
            // So that making one function never means making a chain of others.
            Source::Canon(_) => Err(Unfused::Has("a function of the host as an option")),
            source @ Source::Export { .. } => Ok(source),
        };
        let traced = options.iter().map(|option| match *option {
            CanonicalOption::UTF8 | CanonicalOption::UTF16 | CanonicalOption::CompactUTF16 => Ok(Opt::Plain(*option)),
            CanonicalOption::Memory(index) => Ok(Opt::Memory(self.traced(Kind::Memory, index)?)),
            CanonicalOption::Realloc(index) => Ok(Opt::Realloc(function(index)?)),
            CanonicalOption::PostReturn(index) => Ok(Opt::PostReturn(function(index)?)),
            CanonicalOption::Async
            | CanonicalOption::Callback(_)
            | CanonicalOption::CoreType(_)
            | CanonicalOption::Gc => Err(Unfused::Has("options of asynchronous functions")),
        });
        traced.collect()
    }

    fn traced(&self, kind: Kind, index: u32) -> Result<Source<'a>, Unfused> {
        let space = match kind {
            Kind::Function => &self.functions,
            Kind::Table => &self.tables,
            Kind::Memory => &self.memories,
            Kind::Global => &self.globals,
        };
        at(space, index).copied()
    }
}

/// Lets through the sections that are copied as they are.
fn check(payload: &Payload<'_>) -> Result<(), Unfused> {
    const MODULES: Unfused = Unfused::Has("core modules that are imported, exported or passed on");
    match payload {
        Payload::ComponentTypeSection(types) => {
            for ty in types.clone() {
                // Its destructor is a core function that is named before most instances are there.
                if matches!(ty?, ComponentType::Resource { dtor: Some(_), .. }) {
                    return Err(Unfused::Has("a resource with a destructor"));
                }
            }
        }
        Payload::ComponentImportSection(imports) => {
            for import in imports.clone() {
                if matches!(import?.ty, ComponentTypeRef::Module(_)) {
                    return Err(MODULES);
                }
            }
        }
        Payload::ComponentExportSection(exports) => {
            for export in exports.clone() {
                if export?.kind == ComponentExternalKind::Module {
                    return Err(MODULES);
                }
            }
        }
        Payload::ComponentInstanceSection(instances) => {
            for instance in instances.clone() {
                let passes = match instance? {
                    ComponentInstance::Instantiate { args, .. } => {
                        args.iter().any(|argument| argument.kind == ComponentExternalKind::Module)
                    }
                    ComponentInstance::FromExports(exports) => {
                        exports.iter().any(|export| export.kind == ComponentExternalKind::Module)
                    }
                };
                if passes {
                    return Err(MODULES);
                }
            }
        }
        Payload::ComponentStartSection { .. } => return Err(Unfused::Has("a component start function")),
        Payload::Version { .. } | Payload::CoreTypeSection(_) | Payload::ComponentSection { .. } => {}
        _ => return Err(Unfused::Has("a section of a kind not known")),
    }
    Ok(())
}

/// Lets through components that only give other names and types to what they are passed. One with
/// code of its own could run it between two of our modules.
fn nested(payload: &Payload<'_>) -> Result<(), Unfused> {
    match payload {
        Payload::ModuleSection { .. } | Payload::InstanceSection(_) | Payload::ComponentStartSection { .. } => {
            return Err(Unfused::Has("a component with code of its own in it"));
        }
        Payload::ComponentAliasSection(aliases) => {
            for alias in aliases.clone() {
                if let ComponentAlias::Outer { kind: ComponentOuterAliasKind::CoreModule, .. } = alias? {
                    return Err(Unfused::Has("a component in it that uses its modules"));
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// An entry of an index space. Validated input has all that it names.
pub(super) fn at<T>(space: &[T], index: u32) -> Result<&T, Unfused> {
    usize::try_from(index).ok().and_then(|index| space.get(index)).ok_or(Unfused::Has("an index without an entry"))
}

/// The next index of a space. wasmparser's limits keep all of them far below.
pub(super) fn count<T>(space: &[T]) -> u32 {
    u32::try_from(space.len()).unwrap_or(u32::MAX)
}
