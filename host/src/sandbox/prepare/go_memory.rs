//! Room in a Go program's memory for the adapter.
//!
//! Go's runtime takes all that its memory grows by for its own heap, without a look at where that begins. The adapter
//! that makes a component of a program grows the same memory, for its state: Go would write over that. So the memory
//! grows once, to as much as the app may have; its end is the adapter's, and Go is told that it grows up to there.

use std::convert::Infallible;

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType,
    Instruction, InstructionSink, TypeSection, ValType,
};
use wasmparser::{
    CodeSectionReader, ExportSectionReader, FunctionSectionReader, GlobalSectionReader, Operator, Parser, Payload,
    TypeRef, TypeSectionReader,
};

use crate::limits::Size;
use crate::sandbox::prepare::inspect::Refusal;

/// Bytes of a WebAssembly page.
const PAGE: u64 = 64 * 1024;

/// Pages for the adapter, which takes two: one for its state, one for its stack.
const ADAPTER_PAGES: u32 = 4;

/// Bytes that the limiter counts for one element of a table.
const TABLE_ELEMENT: u64 = 8;

/// The section that Go's linker writes.
const MARK: &str = "go:buildid";

/// Whether Go made this module.
pub(super) fn is_of_go(module: &[u8]) -> bool {
    let mut payloads = Parser::new(0).parse_all(module);
    payloads.any(|payload| matches!(payload, Ok(Payload::CustomSection(section)) if section.name() == MARK))
}

/// `module`, which is valid, with room for the adapter in a memory of at most `max`.
///
/// # Errors
/// [`Refusal::MemoryMax`], or [`Refusal::Wrap`] if it is not made as Go makes modules.
pub(super) fn make_room(module: &[u8], max: Size) -> Result<Vec<u8>, Refusal> {
    let unusual = |why: &str| Refusal::Wrap(format!("it is not as Go makes them: {why}"));
    let shape = Shape::read(module).ok_or_else(|| unusual("its sections cannot be read"))?;
    let memory = shape.memory.ok_or_else(|| unusual("it has no memory of its own"))?;
    if shape.has_realloc {
        return Err(unusual("it exports cabi_realloc"));
    }
    let tables = (shape.table_elements * TABLE_ELEMENT).div_ceil(PAGE) + 1;
    let pages = (max.bytes() / PAGE).saturating_sub(tables).min(memory.1);
    let end = u32::try_from(pages).unwrap_or(u32::MAX).min(u32::from(u16::MAX));
    let least = memory.0.saturating_add(u64::from(ADAPTER_PAGES) + 1);
    if u64::from(end) < least {
        return Err(Refusal::MemoryMax {
            needed: Size::from_bytes(least.saturating_add(tables).saturating_mul(PAGE)),
            max,
        });
    }
    let start = u32::try_from(memory.0).map_err(|_| unusual("its memory is too large"))?;
    let mut made = wasm_encoder::Module::new();
    let mut room = Room { shape, start, end };
    room.parse_core_module(&mut made, Parser::new(0), module).map_err(|error| unusual(&error.to_string()))?;
    Ok(made.finish())
}

/// What of a module has to be known before it is written anew.
#[derive(Debug, Default)]
struct Shape {
    types: u32,
    functions: u32,
    globals: u32,
    table_elements: u64,
    /// Pages at the start and at most.
    memory: Option<(u64, u64)>,
    has_realloc: bool,
}

impl Shape {
    fn read(module: &[u8]) -> Option<Self> {
        let mut shape = Self::default();
        for payload in Parser::new(0).parse_all(module) {
            match payload.ok()? {
                Payload::TypeSection(section) => shape.types = section.count(),
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        match import.ok()?.ty {
                            TypeRef::Func(_) => shape.functions += 1,
                            TypeRef::Global(_) => shape.globals += 1,
                            _ => {}
                        }
                    }
                }
                Payload::FunctionSection(section) => shape.functions += section.count(),
                Payload::GlobalSection(section) => shape.globals += section.count(),
                Payload::TableSection(section) => {
                    for table in section {
                        shape.table_elements = shape.table_elements.saturating_add(table.ok()?.ty.initial);
                    }
                }
                Payload::MemorySection(section) => {
                    let memory = section.into_iter().next()?.ok()?;
                    shape.memory = Some((memory.initial, memory.maximum.unwrap_or(u64::MAX)));
                }
                Payload::ExportSection(section) => {
                    shape.has_realloc = section.into_iter().flatten().any(|export| export.name == "cabi_realloc");
                }
                _ => {}
            }
        }
        Some(shape)
    }
}

/// Writes a module anew, with two globals and three functions more.
struct Room {
    shape: Shape,
    /// Pages that the memory starts with.
    start: u32,
    /// Pages that it has once it has grown.
    end: u32,
}

impl Room {
    /// Pages that Go sees.
    fn seen(&self) -> u32 {
        self.shape.globals
    }

    /// Where the adapter's next allocation may be; 0 as long as the memory has not grown.
    fn next(&self) -> u32 {
        self.shape.globals + 1
    }

    /// Grows the memory at the first call.
    fn reserve(&self) -> u32 {
        self.shape.functions
    }

    /// Stands for `memory.grow`.
    fn grow(&self) -> u32 {
        self.shape.functions + 1
    }

    /// What the adapter allocates with.
    fn realloc(&self) -> u32 {
        self.shape.functions + 2
    }

    /// Pages that Go may have.
    fn of_go(&self) -> u32 {
        self.end - ADAPTER_PAGES
    }

    fn reserve_body(&self) -> Function {
        let mut body = Function::new([]);
        let mut code = body.instructions();
        code.global_get(self.next()).i32_eqz().if_(BlockType::Empty);
        code.i32_const((self.end - self.start).cast_signed()).memory_grow(0);
        code.i32_const(-1).i32_eq().if_(BlockType::Empty).unreachable().end();
        code.i32_const(address(self.of_go())).global_set(self.next());
        code.end().end();
        body
    }

    fn grow_body(&self) -> Function {
        const BY: u32 = 0;
        let mut body = Function::new([]);
        let mut code = body.instructions();
        code.call(self.reserve());
        let left = |code: &mut InstructionSink<'_>| {
            code.i32_const(self.of_go().cast_signed()).global_get(self.seen()).i32_sub();
        };
        code.local_get(BY);
        left(&mut code);
        code.i32_gt_u().if_(BlockType::Empty);
        // Past the limit, so that the host refuses it and knows what the program dies of.
        code.local_get(BY).memory_grow(0).drop().i32_const(-1).return_();
        code.end();
        code.global_get(self.seen());
        code.global_get(self.seen()).local_get(BY).i32_add().global_set(self.seen());
        code.end();
        body
    }

    fn realloc_body(&self) -> Function {
        const OLD: u32 = 0;
        const ALIGN: u32 = 2;
        const SIZE: u32 = 3;
        let mut body = Function::new([]);
        let mut code = body.instructions();
        // Nothing is ever given back or made larger.
        code.local_get(OLD).if_(BlockType::Empty).unreachable().end();
        code.call(self.reserve());
        // Aligned, and kept in place of what need not be known any more.
        code.global_get(self.next()).local_get(ALIGN).i32_add().i32_const(1).i32_sub();
        code.i32_const(0).local_get(ALIGN).i32_sub().i32_and().local_set(OLD);
        code.local_get(OLD).local_get(SIZE).i32_add().global_set(self.next());
        code.global_get(self.next()).i32_const(address(self.end)).i32_gt_u();
        code.if_(BlockType::Empty).unreachable().end();
        code.local_get(OLD).end();
        body
    }
}

/// The address of a page, as the instruction takes it.
fn address(page: u32) -> i32 {
    (page << 16).cast_signed()
}

impl Reencode for Room {
    type Error = Infallible;

    fn instruction<'a>(&mut self, operator: Operator<'a>) -> Result<Instruction<'a>, Error<Infallible>> {
        match operator {
            Operator::MemoryGrow { mem: 0 } => Ok(Instruction::Call(self.grow())),
            Operator::MemorySize { mem: 0 } => Ok(Instruction::GlobalGet(self.seen())),
            other => utils::instruction(self, other),
        }
    }

    fn parse_type_section(
        &mut self,
        types: &mut TypeSection,
        section: TypeSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        utils::parse_type_section(self, types, section)?;
        types.ty().function([], []);
        types.ty().function([ValType::I32], [ValType::I32]);
        types.ty().function([ValType::I32; 4], [ValType::I32]);
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        utils::parse_function_section(self, functions, section)?;
        // In the order of their indices.
        (0..3).for_each(|index| {
            functions.function(self.shape.types + index);
        });
        Ok(())
    }

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: GlobalSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        utils::parse_global_section(self, globals, section)?;
        let global = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        for value in [self.start.cast_signed(), 0] {
            globals.global(global, &ConstExpr::i32_const(value));
        }
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: ExportSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        utils::parse_export_section(self, exports, section)?;
        exports.export("cabi_realloc", ExportKind::Func, self.realloc());
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: CodeSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        utils::parse_code_section(self, code, section)?;
        for body in [self.reserve_body(), self.grow_body(), self.realloc_body()] {
            code.function(&body);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use wasmparser::Validator;

    use super::*;

    /// A program that has all that Go's have, and the mark if it is so.
    fn program(mark: &str, memory: &str) -> Vec<u8> {
        wat::parse_str(format!(
            "(module {mark} (memory (export \"memory\") {memory}) (table 10 funcref) (global (mut i32) (i32.const 0))
                (func (export \"_start\") (drop (memory.grow (memory.size)))))"
        ))
        .unwrap()
    }

    #[test]
    fn modules_of_go_are_known_by_their_section() {
        assert!(is_of_go(&program("(@custom \"go:buildid\" \"x\")", "1")));
        assert!(!is_of_go(&program("", "1")));
    }

    #[test]
    fn what_is_made_is_valid_and_grows_in_one_place_only() {
        let made = make_room(&program("", "2"), Size::from_mib(16)).unwrap();
        Validator::new().validate_all(&made).unwrap();
        let text = |payload| match payload {
            Ok(Payload::CodeSectionEntry(body)) => {
                let operators = body.get_operators_reader().unwrap().into_iter();
                operators.filter(|operator| matches!(operator, Ok(Operator::MemoryGrow { .. }))).count()
            }
            _ => 0,
        };
        let grows: Vec<usize> = Parser::new(0).parse_all(&made).map(text).filter(|count| *count > 0).collect();
        assert_eq!(grows, [1, 1], "to reserve, and to be refused");
    }

    #[test]
    fn a_memory_without_room_is_refused_with_what_it_needs() {
        for (memory, max) in [("20", Size::from_mib(1)), ("20 22", Size::from_mib(16))] {
            let refused = make_room(&program("", memory), max).unwrap_err();
            assert!(matches!(refused, Refusal::MemoryMax { .. }), "{refused:?}");
        }
        assert!(make_room(&program("", "20"), Size::from_mib(2)).is_ok());
    }
}
