//! Objects of a Python snapshot that live as long as their instance, made immortal (PEP 683).
//!
//! CPython counts references in the objects themselves, so a request writes to the page of all that it touches, and in a
//! fresh instance each of these pages is a fault and a copy: most of what a small request costs. Of immortal objects nobody
//! counts. Nothing in Python makes them so, but in a snapshot the counts are there to be set.
//!
//! Where the objects are and how they are laid out is the SDK's word. Witnesses prove it in the snapshot itself, and one
//! doubt about one object leaves all of them as they are: an app that is slower works, one whose memory is wrong does not.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use wasmparser::{BinaryReaderError, ConstExpr, DataKind, Encoding, Operator, Parser, Payload};

/// `_Py_IMMORTAL_INITIAL_REFCNT` of CPython 3.14 where pointers have 32 bits: what it sets itself.
const IMMORTAL: u32 = 5 << 28;

/// `_Py_IMMORTAL_MINIMUM_REFCNT`: from here on an object is immortal.
const IMMORTAL_MIN: u32 = 1 << 30;

/// CPython goes on counting those references to an object that were there when it became immortal.
const DRIFT_MAX: u32 = 1 << 16;

/// What a list begins with.
const MARK: [u8; 8] = *b"immortal";

/// How often the first witness is referred to.
const HELD: u32 = 5;

/// Why a snapshot is left as it is.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unlike {
    #[error("cannot read or write it: {0}")]
    File(#[from] io::Error),
    #[error("it is no WebAssembly: {0}")]
    Wasm(#[from] BinaryReaderError),
    #[error("this wasgi does not know how that Python lays out its objects")]
    Unlisted,
    #[error("the list of its objects is not one that this wasgi reads, or longer than itself")]
    List,
    #[error("parts of its memory overlap at {0:#x}")]
    Overlap(u64),
    #[error("{what} is not where Python had it, at {address:#x}")]
    Witness { what: &'static str, address: u32 },
    #[error("no living object of the type listed is at {0:#x}")]
    Object(u32),
}

/// Makes immortal what the file `list` has, and returns how many they are. Without success `component` is as it was.
///
/// # Errors
/// As [`immortalize`] has them; if there is no list, that.
pub(super) fn settle(list: &Path, component: &Path) -> Result<usize, Unlike> {
    let mut bytes = fs::read(component)?;
    let list = match File::open(list) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Unlike::Unlisted),
        Err(error) => return Err(error.into()),
    };
    let mut listed = Vec::new();
    list.take(bytes.len() as u64 + 1).read_to_end(&mut listed)?;
    let count = immortalize(&mut bytes, &listed)?;
    let changed = component.with_extension("immortal");
    fs::write(&changed, bytes)?;
    fs::rename(changed, component)?;
    Ok(count)
}

/// Makes the objects of `list` immortal in the snapshot that `component` is, and counts them.
///
/// The list is little-endian: [`MARK`], then for each object two addresses of 32 bits, its own and that of its type, which
/// stands behind its count. The first three are the witnesses: an object that is referred to [`HELD`] times, one that CPython
/// made immortal while it ran, and `None`. The time and the memory it takes grow with the sizes of the two alone.
///
/// # Errors
/// If anything is not as it should be; nothing is changed then.
fn immortalize(component: &mut [u8], list: &[u8]) -> Result<usize, Unlike> {
    let (entries, rest) = list.strip_prefix(&MARK).ok_or(Unlike::List)?.as_chunks::<8>();
    let Some((witnesses, objects)) = entries.split_first_chunk::<3>() else { return Err(Unlike::List) };
    if !rest.is_empty() || list.len() > component.len() {
        return Err(Unlike::List);
    }
    let snapshot = Snapshot::of(component)?;
    snapshot.prove(witnesses)?;
    let mut places = Vec::with_capacity(objects.len());
    for entry in objects {
        let object = Object::of(entry);
        let count = snapshot.count(object).filter(|&count| count > 0).ok_or(Unlike::Object(object.address))?;
        // A count that has zeros around it can be in two segments; what is in neither cannot be set.
        places.extend(snapshot.whole(object.address.into()).filter(|_| count < IMMORTAL_MIN));
    }
    for &at in &places {
        component[at..at + 4].copy_from_slice(&IMMORTAL.to_le_bytes());
    }
    Ok(places.len())
}

/// An entry of the list.
#[derive(Clone, Copy, Debug)]
struct Object {
    address: u32,
    kind: u32,
}

impl Object {
    fn of(entry: &[u8; 8]) -> Self {
        let [a, b, c, d, kind @ ..] = *entry;
        Self { address: u32::from_le_bytes([a, b, c, d]), kind: u32::from_le_bytes(kind) }
    }
}

/// Memory as the module that has most of it has it from the start.
#[derive(Debug)]
struct Snapshot<'a> {
    component: &'a [u8],
    /// By address; none overlaps another.
    segments: Vec<Segment>,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    /// Its place in memory.
    address: u64,
    /// Its place in the component.
    at: usize,
    length: usize,
}

impl Segment {
    fn end(self) -> u64 {
        self.address + self.length as u64
    }
}

impl<'a> Snapshot<'a> {
    fn of(component: &'a [u8]) -> Result<Self, Unlike> {
        let mut modules: Vec<Vec<Segment>> = Vec::new();
        for payload in Parser::new(0).parse_all(component) {
            match payload? {
                Payload::Version { encoding: Encoding::Module, .. } => modules.push(Vec::new()),
                Payload::DataSection(section) => {
                    for data in section {
                        let data = data?;
                        let DataKind::Active { memory_index: 0, offset_expr } = data.kind else { continue };
                        let (length, at) = (data.data.len(), data.range.end - data.data.len());
                        if let (Some(address), Some(module)) = (constant(&offset_expr), modules.last_mut()) {
                            module.push(Segment { address: address.into(), at, length });
                        }
                    }
                }
                _ => {}
            }
        }
        let size = |module: &Vec<Segment>| module.iter().map(|segment| segment.length).sum::<usize>();
        let mut segments = modules.into_iter().max_by_key(size).unwrap_or_default();
        segments.sort_by_key(|segment| segment.address);
        // Of two that overlap the later one in the module counts, and a tool that takes snapshots makes none.
        match segments.array_windows().find(|[one, next]| one.end() > next.address) {
            Some([_, next]) => Err(Unlike::Overlap(next.address)),
            None => Ok(Self { component, segments }),
        }
    }

    /// That it is the memory that the list is about, and that its objects are as this module knows them.
    fn prove(&self, witnesses: &[[u8; 8]; 3]) -> Result<(), Unlike> {
        let counts = witnesses.map(|entry| self.count(Object::of(&entry)));
        let [held, immortal, none] = counts.map(Option::unwrap_or_default);
        let is_so = [
            ("a count", held == HELD),
            ("a count that CPython made immortal", immortal.abs_diff(IMMORTAL) <= DRIFT_MAX),
            ("None", (IMMORTAL_MIN..1 << 31).contains(&none)),
        ];
        match is_so.iter().zip(witnesses).find(|((_, is_so), _)| !is_so) {
            Some((&(what, _), entry)) => Err(Unlike::Witness { what, address: Object::of(entry).address }),
            None => Ok(()),
        }
    }

    /// The count of an object, if it is there.
    fn count(&self, object: Object) -> Option<u32> {
        let address = u64::from(object.address);
        (object.kind != 0 && self.word(address + 4) == object.kind).then(|| self.word(address))
    }

    /// What is in memory at an address, where all that is in no segment is zero.
    fn word(&self, address: u64) -> u32 {
        let byte = |address| Some(self.component[self.place(address, 1)?]);
        u32::from_le_bytes([0, 1, 2, 3].map(|offset| byte(address + offset).unwrap_or_default()))
    }

    /// The place in the component of a word that is in one segment.
    fn whole(&self, address: u64) -> Option<usize> {
        self.place(address, 4)
    }

    fn place(&self, address: u64, length: u64) -> Option<usize> {
        let next = self.segments.partition_point(|segment| segment.address <= address);
        let segment = self.segments[..next].last().filter(|segment| address + length <= segment.end())?;
        Some(segment.at + usize::try_from(address - segment.address).ok()?)
    }
}

fn constant(expression: &ConstExpr<'_>) -> Option<u32> {
    let mut operators = expression.get_operators_reader();
    match (operators.read().ok()?, operators.read().ok()?) {
        (Operator::I32Const { value }, Operator::End) => Some(value.cast_unsigned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types are at 0x1010 and 0x2000; witnesses at 16, 24 and 32; then objects at 40 (count 2), 48 (count 3, immortal), 56
    /// (count 256, the zeros of which are in no segment) and 64 (count 0).
    const MEMORY: &str = r#"(core module (memory 1)
        (data (i32.const 57) "\01\00\00\10\10\00\00\00\00\00\00\10\10")
        (data (i32.const 16) "\05\00\00\00\10\10\00\00\ff\ff\ff\4f\10\10\00\00\00\00\00\70\00\20")
        (data (i32.const 40) "\02\00\00\00\10\10\00\00\03\00\00\50\10\10"))"#;

    const WITNESSES: [(u32, u32); 3] = [(16, 0x1010), (24, 0x1010), (32, 0x2000)];

    /// A component with smaller modules around the snapshot.
    fn component(memory: &str) -> Vec<u8> {
        let small = r#"(core module (memory 1) (data (i32.const 16) "\09\00\00\00\10\10\00\00"))"#;
        wat::parse_str(format!("(component {small} (component {memory}) {small})")).unwrap()
    }

    fn list(objects: &[(u32, u32)]) -> Vec<u8> {
        let pairs = WITNESSES.iter().chain(objects);
        MARK.into_iter()
            .chain(pairs.flat_map(|(object, kind)| [object.to_le_bytes(), kind.to_le_bytes()].concat()))
            .collect()
    }

    fn refused(memory: &str, list: &[u8]) -> String {
        let before = component(memory);
        let mut after = before.clone();
        let error = immortalize(&mut after, list).unwrap_err();
        assert_eq!(before, after, "{error}");
        error.to_string()
    }

    #[test]
    fn what_is_listed_is_immortal_afterwards_and_nothing_else_changes() {
        let before = component(MEMORY);
        let mut after = before.clone();
        assert_eq!(immortalize(&mut after, &list(&[(40, 0x1010), (48, 0x1010), (56, 0x1010)])).unwrap(), 1);
        let changed: Vec<usize> = (0..before.len()).filter(|&at| before[at] != after[at]).collect();
        let at = before.windows(6).position(|bytes| bytes == [2, 0, 0, 0, 0x10, 0x10]).unwrap();
        assert_eq!(changed, [at, at + 3]);
        assert_eq!(after[at..at + 4], IMMORTAL.to_le_bytes());
        assert_eq!(immortalize(&mut after, &list(&[(40, 0x1010)])).unwrap(), 0, "a second time");
    }

    #[test]
    fn one_wrong_object_leaves_all_as_they_are() {
        // Another type, dead, the next byte, memory that is zero, no type at all, the end of all memory.
        for wrong in [(40, 0x1011), (64, 0x1010), (41, 0x1010), (5000, 0x1010), (5000, 0), (u32::MAX, 0x1010)] {
            let text = refused(MEMORY, &list(&[(40, 0x1010), wrong]));
            assert!(text.contains(&format!("{:#x}", wrong.0)), "{text}");
        }
    }

    #[test]
    fn witnesses_that_say_otherwise_leave_all_as_they_are() {
        for (there, other, what) in [
            (r"\05\00\00\00", r"\06\00\00\00", "a count is"),
            (r"\ff\ff\ff\4f", r"\00\00\00\c0", "made immortal"),
            (r"\ff\ff\ff\4f", r"\00\00\00\14", "made immortal"),
            (r"\00\00\00\70", r"\ff\ff\ff\3f", "None"),
            (r"\00\00\00\70", r"\00\00\00\f0", "None"),
        ] {
            let text = refused(&MEMORY.replacen(there, other, 1), &list(&[(40, 0x1010)]));
            assert!(text.contains(what), "{text}");
        }
        // Somewhere else, in another memory, from an address that is not known, or copied in later.
        for other in ["(i32.const 15)", "(memory 1) (i32.const 16)", "(global.get 0)", ""] {
            let more = r#"(memory 1) (global (import "" "") i32)"#;
            let memory =
                MEMORY.replace("(i32.const 16)", other).replace("(core module", &format!("(core module {more}"));
            let memory = memory.replace(more, r#"(import "" "" (global i32)) (memory 1)"#);
            assert!(refused(&memory, &list(&[])).contains("is not where"), "{memory}");
        }
    }

    #[test]
    fn parts_of_memory_that_overlap_leave_all_as_they_are() {
        let text = refused(&MEMORY.replace("i32.const 40", "i32.const 37"), &list(&[]));
        assert!(text.contains("overlap at 0x25"), "{text}");
    }

    #[test]
    fn a_list_that_is_none_leaves_all_as_they_are() {
        let good = list(&[(40, 0x1010)]);
        let cut = |length: usize| &good[..length];
        let long = [good.as_slice(), &vec![0; 8 * component(MEMORY).len()]].concat();
        for bad in [cut(0), cut(8), cut(24), cut(31), cut(good.len() - 1), &good[1..], &long] {
            assert!(refused(MEMORY, bad).contains("the list"), "{bad:?}");
        }
    }

    #[test]
    fn what_is_no_webassembly_is_an_error() {
        assert!(matches!(immortalize(&mut [b'n'; 99], &list(&[])), Err(Unlike::Wasm(_))));
    }

    #[test]
    fn a_component_that_is_cut_or_has_another_byte_anywhere_never_gets_more_than_the_one_count() {
        let whole = component(MEMORY);
        let others = (0..whole.len())
            .flat_map(|at| [0, 1, 0x7f, 0x80, 0xff].map(|value| [&whole[..at], &[value], &whole[at + 1..]].concat()));
        for before in others.chain((0..whole.len()).map(|length| whole[..length].to_vec())) {
            let mut after = before.clone();
            let count = immortalize(&mut after, &list(&[(40, 0x1010)])).unwrap_or_default();
            let changed: Vec<usize> = (0..before.len()).filter(|&at| before[at] != after[at]).collect();
            assert_eq!(before.len(), after.len());
            assert!(count <= 1 && changed.len() <= 4 * count, "{before:?}");
            assert!(changed.first().zip(changed.last()).is_none_or(|(first, last)| last - first < 4), "{changed:?}");
        }
    }

    #[test]
    fn files_are_replaced_on_success_only() {
        let folder = tempfile::tempdir().unwrap();
        let (listed, made) = (folder.path().join("immortal"), folder.path().join("app.wasm"));
        let before = component(MEMORY);
        fs::write(&made, &before).unwrap();
        assert!(matches!(settle(&listed, &made), Err(Unlike::Unlisted)));
        fs::write(&listed, list(&[(41, 0x1010)])).unwrap();
        assert!(matches!(settle(&listed, &made), Err(Unlike::Object(41))));
        assert_eq!(fs::read(&made).unwrap(), before);
        fs::write(&listed, list(&[(40, 0x1010)])).unwrap();
        assert_eq!(settle(&listed, &made).unwrap(), 1);
        assert_ne!(fs::read(&made).unwrap(), before);
    }
}
