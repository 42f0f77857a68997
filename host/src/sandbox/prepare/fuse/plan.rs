//! Which instances become one, and what each of their items becomes.
//!
//! Members are found in the order of instantiation. A member imports from members alone, and
//! functions of the host that need no memory. All others stay apart, in their order, and what stands
//! between the first member and the last comes after the last. That must not be observable:
//!
//! - Active segments are applied when a module is instantiated. In the fused module they come in the
//!   members' order, tables before memories, which only matters if something runs in between. So a
//!   member with a start function is the last one: its start function is that of the whole.
//! - A start function that stays apart could see what later members had not yet written. So there
//!   are no members after it.
//! - A member that writes to a table or memory which an instance left apart before it has written to
//!   would do so in the wrong order. So it stays apart too.
//! - A component function made of a core one needs its instance. So there are no members after it.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::Unfused;
use super::module::{Counts, Kind, Module, Place};
use super::outline::{Instance, Item, Outline, Source, at, count};
use crate::sandbox::engine::{MEMORIES_PER_MODULE, TABLES_PER_MODULE};

/// Most core instances of a component that is fused. Tools make a few dozen.
const INSTANCES_MAX: usize = 500;

/// What is fused.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) members: Vec<Member>,
    /// By core instance, its place among the members.
    numbers: HashMap<u32, usize>,
    /// The members' modules.
    modules: HashSet<u32>,
    /// The host's functions that the fused module imports, in its order.
    pub(super) canons: Vec<u32>,
    /// By function of the host, its place in that order.
    places: HashMap<u32, u32>,
    /// What the fused module exports, in terms of what it defines.
    pub(super) exports: BTreeSet<Place>,
    /// What the members define, all together.
    total: Counts,
}

/// An instance that becomes part of the fused module.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) instance: u32,
    /// What it imports: functions by whom they come from, the others as items of the fused module.
    pub(super) functions: Vec<Callee>,
    pub(super) tables: Vec<u32>,
    pub(super) memories: Vec<u32>,
    pub(super) globals: Vec<u32>,
    /// What the members before it define.
    pub(super) base: Counts,
}

/// A function of the fused module.
#[derive(Clone, Copy, Debug)]
pub(super) enum Callee {
    /// Imported: a place in [`Plan::canons`].
    Canon(u32),
    /// The n-th that it defines.
    Defined(u32),
}

/// What became of an item of the component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Found<'a> {
    /// It is a function that the canonical ABI makes.
    Canon(u32),
    /// It is defined in the fused module.
    Fused(Place),
    /// It is an export of an instance that stays apart.
    Apart { instance: u32, name: &'a str },
}

/// What the instances left apart, since the first member, did to the members' items.
#[derive(Default)]
struct Apart {
    any: bool,
    /// There are no members any more.
    closed: bool,
    /// Tables and memories of members that were written to.
    written: HashSet<Place>,
    /// It cannot be told which.
    written_unknown: bool,
}

impl Plan {
    /// Finds the members.
    ///
    /// # Errors
    /// [`Unfused`]: there are not two of them.
    pub(super) fn of(outline: &Outline<'_>) -> Result<Self, Unfused> {
        if outline.instances.len() > INSTANCES_MAX {
            return Err(Unfused::Has("too many core instances"));
        }
        let mut times = HashMap::<u32, u32>::new();
        for instance in &outline.instances {
            if let Instance::Of { module, .. } = instance {
                *times.entry(*module).or_default() += 1;
            }
        }
        let mut plan = Self::default();
        let mut apart = Apart::default();
        for item in &outline.items {
            match *item {
                Item::Instantiate(instance) => {
                    let Instance::Of { module, .. } = at(&outline.instances, instance)? else { continue };
                    let once = times.get(module) == Some(&1);
                    if once && !apart.closed && plan.join(outline, instance, &apart)? {
                        plan.modules.insert(*module);
                        apart.closed = at(&outline.modules, *module)?.start.is_some();
                    } else {
                        plan.leave(outline, instance, &mut apart)?;
                    }
                }
                Item::Lift(_) if !plan.members.is_empty() => apart.closed = true,
                _ => {}
            }
        }
        if plan.members.len() < 2 {
            return Err(Unfused::NothingToFuse);
        }
        plan.export(outline)?;
        Ok(plan)
    }

    /// Whether a core instance is a member.
    pub(super) fn has(&self, instance: u32) -> bool {
        self.numbers.contains_key(&instance)
    }

    /// Whether a module is that of a member, which has its only instance.
    pub(super) fn has_module(&self, module: u32) -> bool {
        self.modules.contains(&module)
    }

    /// The member that is instantiated first and the one that is last.
    pub(super) fn span(&self) -> (u32, u32) {
        let first = self.members.first().map_or(0, |member| member.instance);
        (first, self.members.last().map_or(0, |member| member.instance))
    }

    /// What became of an item.
    pub(super) fn find<'a>(&self, outline: &Outline<'a>, source: Source<'a>) -> Result<Found<'a>, Unfused> {
        let (instance, name) = match source {
            Source::Canon(canon) => return Ok(Found::Canon(canon)),
            Source::Export { instance, name } => (instance, name),
        };
        let Some(member) = self.numbers.get(&instance).and_then(|number| self.members.get(*number)) else {
            return Ok(Found::Apart { instance, name });
        };
        let module = outline.module_of(instance)?;
        let place = module.exports.get(name).ok_or(Unfused::Has("an alias of an export that is not there"))?;
        self.find_in(member, module, *place)
    }

    fn find_in<'a>(&self, member: &Member, module: &Module<'_>, place: Place) -> Result<Found<'a>, Unfused> {
        let Place { kind, index } = place;
        let fused = |index| Ok(Found::Fused(Place { kind, index }));
        let Some(defined) = index.checked_sub(module.imported.of(kind)) else {
            let missing = || Unfused::Has("an export without an item");
            let index = index as usize;
            return match kind {
                Kind::Function => match member.functions.get(index).ok_or_else(missing)? {
                    Callee::Canon(import) => Ok(Found::Canon(*self.canons.get(*import as usize).ok_or_else(missing)?)),
                    Callee::Defined(defined) => fused(*defined),
                },
                Kind::Table => fused(*member.tables.get(index).ok_or_else(missing)?),
                Kind::Memory => fused(*member.memories.get(index).ok_or_else(missing)?),
                Kind::Global => fused(*member.globals.get(index).ok_or_else(missing)?),
            };
        };
        fused(member.base.of(kind).saturating_add(defined))
    }

    /// Makes an instance a member, if it can be one.
    fn join(&mut self, outline: &Outline<'_>, instance: u32, apart: &Apart) -> Result<bool, Unfused> {
        let module = outline.module_of(instance)?;
        let total = self.total.and(module.defined());
        let fits = total.tables <= TABLES_PER_MODULE && total.memories <= MEMORIES_PER_MODULE;
        let starts_in_between = module.start.is_some() && apart.any;
        if module.odd || !fits || starts_in_between {
            return Ok(false);
        }
        let mut sources = Vec::with_capacity(module.imports.len());
        for import in &module.imports {
            let found = self.find(outline, outline.import(instance, import.module, import.name)?)?;
            match found {
                Found::Apart { .. } => return Ok(false),
                Found::Canon(canon) if !outline.canon(canon)?.is_free() => return Ok(false),
                Found::Canon(_) | Found::Fused(_) => sources.push(found),
            }
        }
        let (member, canons) = self.member(instance, &sources);
        for written in module.written() {
            // What it defines itself nobody can have written to before.
            let before = match self.find_in(&member, module, written)? {
                Found::Fused(place) => apart.written.contains(&place),
                _ => true,
            };
            if before || apart.written_unknown {
                return Ok(false);
            }
        }
        self.numbers.insert(instance, self.members.len());
        for canon in canons {
            self.places.insert(canon, count(&self.canons));
            self.canons.push(canon);
        }
        self.members.push(member);
        self.total = total;
        Ok(true)
    }

    /// The member that imports `sources`, and the host's functions among them that are new.
    fn member(&self, instance: u32, sources: &[Found<'_>]) -> (Member, Vec<u32>) {
        let mut new = Vec::new();
        let mut new_places = HashMap::new();
        let base = self.total;
        let (functions, tables, memories, globals) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut member = Member { instance, functions, tables, memories, globals, base };
        for source in sources {
            match *source {
                Found::Canon(canon) => {
                    let place = self.places.get(&canon).copied().unwrap_or_else(|| {
                        *new_places.entry(canon).or_insert_with(|| {
                            new.push(canon);
                            count(&self.canons).saturating_add(count(&new)) - 1
                        })
                    });
                    member.functions.push(Callee::Canon(place));
                }
                Found::Fused(Place { kind, index }) => match kind {
                    Kind::Function => member.functions.push(Callee::Defined(index)),
                    Kind::Table => member.tables.push(index),
                    Kind::Memory => member.memories.push(index),
                    Kind::Global => member.globals.push(index),
                },
                Found::Apart { .. } => {}
            }
        }
        (member, new)
    }

    /// Notes what an instance left apart does to the members.
    fn leave(&self, outline: &Outline<'_>, instance: u32, apart: &mut Apart) -> Result<(), Unfused> {
        if self.members.is_empty() {
            // It stays before all of them.
            return Ok(());
        }
        let module = outline.module_of(instance)?;
        apart.any = true;
        apart.closed |= module.start.is_some();
        let imported =
            |wanted| module.imports.iter().filter(|import| kind_of(import) == Some(wanted)).collect::<Vec<_>>();
        let (tables, memories) = (imported(Kind::Table), imported(Kind::Memory));
        for written in module.written() {
            let imports = if written.kind == Kind::Table { &tables } else { &memories };
            let Some(import) = imports.get(written.index as usize) else { continue };
            match self.find(outline, outline.import(instance, import.module, import.name)?)? {
                Found::Fused(place) => drop(apart.written.insert(place)),
                // It may have come from a member by way of another.
                _ => apart.written_unknown = true,
            }
        }
        Ok(())
    }

    /// Collects what is needed of the members by all that is not one.
    fn export(&mut self, outline: &Outline<'_>) -> Result<(), Unfused> {
        let mut sources = Vec::new();
        for canon in &outline.canons {
            sources.extend(canon.options().iter().filter_map(|option| option.names()));
        }
        for item in &outline.items {
            match item {
                Item::Lift(lift) => {
                    sources.push(lift.function);
                    sources.extend(lift.options.iter().filter_map(|option| option.names()));
                }
                Item::Instantiate(instance) if !self.has(*instance) => {
                    for import in &outline.module_of(*instance)?.imports {
                        sources.push(outline.import(*instance, import.module, import.name)?);
                    }
                }
                _ => {}
            }
        }
        for source in sources {
            if let Found::Fused(place) = self.find(outline, source)? {
                self.exports.insert(place);
            }
        }
        Ok(())
    }
}

/// The kind of an import, unless it is one that is not handled.
pub(super) fn kind_of(import: &wasmparser::Import<'_>) -> Option<Kind> {
    match import.ty {
        wasmparser::TypeRef::Func(_) => Some(Kind::Function),
        wasmparser::TypeRef::Table(_) => Some(Kind::Table),
        wasmparser::TypeRef::Memory(_) => Some(Kind::Memory),
        wasmparser::TypeRef::Global(_) => Some(Kind::Global),
        wasmparser::TypeRef::Tag(_) | wasmparser::TypeRef::FuncExact(_) => None,
    }
}
