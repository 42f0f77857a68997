//! Components that are small to write and large to compile, or that claim to be.

use std::borrow::Cow;
use std::iter::repeat_n;

use wasm_encoder::{
    BlockType, CodeSection, Component, ComponentExportKind, ComponentExportSection, ComponentInstanceSection,
    ComponentSection as _, ComponentTypeSection, ComponentValType, ConstExpr, DataSection, Encode as _, EntityType,
    ExportKind, ExportSection, Function, FunctionSection, ImportSection, InstanceSection, Instruction, MemorySection,
    MemoryType, Module, ModuleArg, ModuleSection, NestedComponentSection, PrimitiveValType, RawSection, RefType,
    StartSection, TableSection, TableType, TypeSection, ValType,
};

/// Sections of components, by their numbers.
const TYPES: u8 = 7;

// === code ===

/// `count` functions that do nothing.
pub(crate) fn functions(count: usize) -> Vec<u8> {
    with_module(&module(repeat_n(&function(0, |_| {}), count)))
}

/// One function of `depth` blocks, each in the one before.
pub(crate) fn blocks(depth: usize) -> Vec<u8> {
    with_function(0, |body| {
        for _ in 0..depth {
            body.instruction(&Instruction::Block(BlockType::Empty));
        }
        for _ in 0..depth {
            body.instruction(&Instruction::End);
        }
    })
}

/// A jump table with `targets` targets.
pub(crate) fn jump_table(targets: usize) -> Vec<u8> {
    with_function(0, |body| {
        body.instruction(&Instruction::I32Const(0));
        body.instruction(&Instruction::BrTable(Cow::Owned(vec![0; targets]), 0));
    })
}

/// One function with `count` locals.
pub(crate) fn locals(count: u32) -> Vec<u8> {
    with_function(count, |_| {})
}

fn with_function(locals: u32, body: impl FnOnce(&mut Function)) -> Vec<u8> {
    with_module(&module([&function(locals, body)]))
}

fn function(locals: u32, body: impl FnOnce(&mut Function)) -> Function {
    let mut function = Function::new([(locals, ValType::I64)]);
    body(&mut function);
    function.instruction(&Instruction::End);
    function
}

/// A module of these functions, which take and return nothing.
fn module<'f>(functions: impl IntoIterator<Item = &'f Function>) -> Module {
    let (mut declared, mut code) = (FunctionSection::new(), CodeSection::new());
    for function in functions {
        declared.function(0);
        code.function(function);
    }
    let mut module = Module::new();
    module.section(&nothing_to_nothing()).section(&declared).section(&code);
    module
}

fn nothing_to_nothing() -> TypeSection {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    types
}

// === modules ===

/// A module that exports a function under `count` names.
pub(crate) fn core_exports(count: usize) -> Vec<u8> {
    let (mut declared, mut exports, mut code) = (FunctionSection::new(), ExportSection::new(), CodeSection::new());
    declared.function(0);
    for at in 0..count {
        exports.export(&format!("e{at}"), ExportKind::Func, 0);
    }
    code.function(&function(0, |_| {}));
    let mut module = Module::new();
    module.section(&nothing_to_nothing()).section(&declared).section(&exports).section(&code);
    with_module(&module)
}

/// A module with `count` imports, which nothing provides.
pub(crate) fn core_imports(count: usize) -> Vec<u8> {
    let mut imports = ImportSection::new();
    for at in 0..count {
        imports.import("m", &format!("i{at}"), EntityType::Function(0));
    }
    let mut module = Module::new();
    module.section(&nothing_to_nothing()).section(&imports);
    with_module(&module)
}

/// `count` segments of one byte, spread over 256 MiB: small in the file, large in an image of the memory.
pub(crate) fn sparse_data(count: u32) -> Vec<u8> {
    const PAGES: u32 = 4096;
    let stride = (PAGES << 16) / count;
    with_module(&with_data(PAGES.into(), (0..count).map(|at| at * stride)))
}

/// A segment behind the end of its memory.
pub(crate) fn data_past_the_end() -> Module {
    with_data(1, [1 << 16])
}

fn with_data(pages: u64, offsets: impl IntoIterator<Item = u32>) -> Module {
    let mut data = DataSection::new();
    for offset in offsets {
        data.active(0, &ConstExpr::i32_const(offset.cast_signed()), [1]);
    }
    let mut module = Module::new();
    module.section(&memory_section(1, pages)).section(&data);
    module
}

/// `count` memories of one page.
pub(crate) fn memories(count: usize) -> Module {
    let mut module = Module::new();
    module.section(&memory_section(count, 1));
    module
}

fn memory_section(count: usize, minimum: u64) -> MemorySection {
    let mut memories = MemorySection::new();
    for _ in 0..count {
        memories.memory(MemoryType { minimum, maximum: None, memory64: false, shared: false, page_size_log2: None });
    }
    memories
}

/// `count` tables of `elements` elements.
pub(crate) fn tables(count: usize, elements: u64) -> Module {
    let mut tables = TableSection::new();
    for _ in 0..count {
        tables.table(TableType {
            element_type: RefType::FUNCREF,
            table64: false,
            minimum: elements,
            maximum: None,
            shared: false,
        });
    }
    let mut module = Module::new();
    module.section(&tables);
    module
}

/// A module that never comes to the end of its start.
pub(crate) fn spinning_start() -> Module {
    let spin = function(0, |body| {
        body.instruction(&Instruction::Loop(BlockType::Empty));
        body.instruction(&Instruction::Br(0));
        body.instruction(&Instruction::End);
    });
    let (mut declared, mut code) = (FunctionSection::new(), CodeSection::new());
    declared.function(0);
    code.function(&spin);
    let mut module = Module::new();
    module
        .section(&nothing_to_nothing())
        .section(&declared)
        .section(&StartSection { function_index: 0 })
        .section(&code);
    module
}

/// A component with nothing but this module, which it instantiates.
fn with_module(module: &Module) -> Vec<u8> {
    let mut component = Component::new();
    component.section(&ModuleSection(module)).section(&instances_of(0, 1));
    component.finish()
}

/// The component `app` with one more module, which it instantiates. It has two of its own.
pub(crate) fn added_to(app: &[u8], module: &Module) -> Vec<u8> {
    const OWN_MODULES: u32 = 2;
    let mut component = app.to_vec();
    // Sections may stand in any order, so more of them can be appended.
    ModuleSection(module).append_to_component(&mut component);
    instances_of(OWN_MODULES, 1).append_to_component(&mut component);
    component
}

fn instances_of(module: u32, count: usize) -> InstanceSection {
    let mut instances = InstanceSection::new();
    for _ in 0..count {
        instances.instantiate::<[(&str, ModuleArg); 0], _>(module, []);
    }
    instances
}

// === components ===

/// Components that instantiate the one inside them `width` times, `depth` levels of them.
pub(crate) fn laughs(width: u32, depth: usize) -> Vec<u8> {
    let mut inner = Component::new();
    inner.section(&ModuleSection(&module([&function(0, |_| {})]))).section(&instances_of(0, 1));
    for _ in 0..depth {
        let mut instances = ComponentInstanceSection::new();
        for _ in 0..width {
            instances.instantiate::<[(&str, ComponentExportKind, u32); 0], _>(0, []);
        }
        let mut outer = Component::new();
        outer.section(&NestedComponentSection(&inner)).section(&instances);
        inner = outer;
    }
    inner.finish()
}

/// A type under `count` names of about `length` bytes.
pub(crate) fn exports(count: usize, length: usize) -> Vec<u8> {
    let mut exports = ComponentExportSection::new();
    for at in 0..count {
        exports.export(format!("{}{at}", "n".repeat(length)), ComponentExportKind::Type, 0, None);
    }
    let mut component = Component::new();
    component.section(&list_of_bytes()).section(&exports);
    component.finish()
}

/// Tuples of two of the tuple before, `depth` of them.
pub(crate) fn tuples(depth: u32) -> Vec<u8> {
    let mut types = list_of_bytes();
    for at in 0..depth {
        types.defined_type().tuple([ComponentValType::Type(at), ComponentValType::Type(at)]);
    }
    only(&types)
}

/// Lists of the list before, `depth` of them.
pub(crate) fn lists(depth: u32) -> Vec<u8> {
    let mut types = list_of_bytes();
    for at in 0..depth {
        types.defined_type().list(ComponentValType::Type(at));
    }
    only(&types)
}

fn list_of_bytes() -> ComponentTypeSection {
    let mut types = ComponentTypeSection::new();
    types.defined_type().list(ComponentValType::Primitive(PrimitiveValType::U8));
    types
}

fn only(types: &ComponentTypeSection) -> Vec<u8> {
    let mut component = Component::new();
    component.section(types);
    component.finish()
}

/// The type of a component that has a type of a component, and so on.
pub(crate) fn nested_component_types(depth: usize) -> Vec<u8> {
    nested_types(0x41, depth)
}

/// The type of an instance that has a type of an instance, and so on.
pub(crate) fn nested_instance_types(depth: usize) -> Vec<u8> {
    nested_types(0x42, depth)
}

/// The encoder would hold each level in the next one, and take hours.
fn nested_types(kind: u8, depth: usize) -> Vec<u8> {
    const ONE: u8 = 1;
    const A_TYPE: u8 = 1;
    section_of(TYPES, &[&[ONE][..], &[kind, ONE, A_TYPE].repeat(depth), &[kind, 0]].concat())
}

/// A component of one section with this content.
pub(crate) fn section_of(id: u8, data: &[u8]) -> Vec<u8> {
    let mut component = Component::new();
    component.section(&RawSection { id, data });
    component.finish()
}

/// A component whose one section says that it is `length` bytes long, and is not.
pub(crate) fn section_that_claims(length: u32) -> Vec<u8> {
    let mut component = Component::new().finish();
    component.push(TYPES);
    length.encode(&mut component);
    component
}
