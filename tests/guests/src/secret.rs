//! Secrets left wherever a guest can leave them, and a search for what an earlier request left.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::hint::black_box;
use std::io::Read as _;
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd as _;
use std::ptr::{read_volatile, with_exposed_provenance};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::Query;

/// Spells `Secret! `. The search holds it in its code alone, which is not in memory.
const SECRET: u64 = u64::from_le_bytes(*b"Secret! ");

/// What the system may hand out in one piece.
const PAGE: usize = 4096;

const MIB: usize = 1024 * 1024;

/// Where statics start as zeros, and where they do not.
static ZEROED: [AtomicU64; 1024] = [const { AtomicU64::new(0) }; 1024];
static FILLED: [AtomicU64; 1024] = [const { AtomicU64::new(7) }; 1024];

thread_local! {
    static FLAG: Cell<bool> = const { Cell::new(false) };
    static KEPT: RefCell<Vec<Vec<u64>>> = const { RefCell::new(Vec::new()) };
    static FILE: RefCell<Option<File>> = const { RefCell::new(None) };
    static SEEDED: HashMap<u64, u64> = HashMap::new();
}

/// What `initialize` may leave in the snapshot.
static PREPARED: [AtomicU64; 32 * 1024] = [const { AtomicU64::new(0) }; 32 * 1024];

/// Leaves something in memory that each request must find as it is. For `initialize`.
pub fn prepare() {
    for (number, word) in PREPARED.iter().enumerate() {
        word.store(number as u64, Ordering::Relaxed);
    }
}

/// Answers `/secret/plant` and `/secret/search`.
pub fn answer(query: &Query, path: &str) -> Option<Value> {
    match path {
        "/secret/plant" => Some(plant(query)),
        "/secret/search" => Some(search(query)),
        _ => None,
    }
}

fn plant(query: &Query) -> Value {
    for word in ZEROED.iter().chain(&FILLED).chain(&PREPARED) {
        word.store(SECRET, Ordering::Relaxed);
    }
    FLAG.set(true);
    // All of it, or only some pages of it.
    let stride = query.size("stride", 1).max(1) * PAGE / size_of::<u64>();
    let mut memory = vec![0_u64; query.size("mib", 1) * MIB / size_of::<u64>()];
    for page in memory.chunks_mut(stride) {
        let page_length = page.len().min(PAGE / size_of::<u64>());
        page[..page_length].fill(SECRET);
    }
    KEPT.with_borrow_mut(|kept| kept.push(memory));
    // Read in part and kept open; without a granted directory there is none.
    let mut first = [0; 8];
    let file = File::open("/data/secret").and_then(|mut file| file.read_exact(&mut first).map(|()| file));
    FILE.set(file.ok());
    json!({ "random": random(), "file": black_box(first) == SECRET.to_le_bytes() })
}

fn search(query: &Query) -> Value {
    let is = |word: &AtomicU64, expected: u64| word.load(Ordering::Relaxed) == expected;
    // All zeros, or all as `prepare` left them.
    let prepared = if is(&PREPARED[1], 0) { 0 } else { 1 };
    let statics = FLAG.get()
        || !ZEROED.iter().all(|word| is(word, 0))
        || !FILLED.iter().all(|word| is(word, 7))
        || !PREPARED.iter().enumerate().all(|(number, word)| is(word, prepared * number as u64))
        || FILE.with_borrow(Option::is_some)
        || KEPT.with_borrow(|kept| !kept.is_empty());
    let open = (3..64).filter(|descriptor| is_file(*descriptor)).count();
    let start = words_that_are_secret();
    // What earlier instances have grown into.
    let grown = memory::grow(query.size("mib", 1) * MIB);
    let all = words_that_are_secret();
    json!({ "random": random(), "statics": statics, "files": open, "start": start, "all": all, "grown": grown })
}

/// Reads all of memory but its first words, which may be those of a null pointer.
fn words_that_are_secret() -> usize {
    let words = (PAGE..memory::end()).step_by(size_of::<u64>());
    words
        .filter(|address| {
            #[expect(unsafe_code, reason = "a guest may read all of its memory, and this one does")]
            // SAFETY: the address is aligned and within memory, and nobody else is there to write to it.
            let word = unsafe { read_volatile(with_exposed_provenance::<u64>(*address)) };
            word == SECRET
        })
        .count()
}

/// All that the guest has.
#[cfg(target_arch = "wasm32")]
mod memory {
    use core::arch::wasm32::{memory_grow, memory_size};

    const WASM_PAGE: usize = 64 * 1024;

    pub(super) fn end() -> usize {
        memory_size::<0>() * WASM_PAGE
    }

    pub(super) fn grow(bytes: usize) -> bool {
        memory_grow::<0>(bytes / WASM_PAGE) != usize::MAX
    }
}

/// For lints, which run on the machine that builds.
#[cfg(not(target_arch = "wasm32"))]
mod memory {
    pub(super) fn end() -> usize {
        0
    }

    pub(super) fn grow(_bytes: usize) -> bool {
        false
    }
}

/// Whether this descriptor, which nobody gave us, is a file.
fn is_file(descriptor: i32) -> bool {
    #[expect(unsafe_code, reason = "the descriptor is guessed, which is the point")]
    // SAFETY: never closed, and of no use to anybody else here.
    let file = unsafe { ManuallyDrop::new(File::from_raw_fd(descriptor)) };
    file.metadata().is_ok_and(|metadata| metadata.is_file())
}

/// Numbers that no two instances should share.
fn random() -> [String; 3] {
    let (low, high) = wasip2::random::insecure_seed::insecure_seed();
    let hash = SEEDED.with(|map| map.hasher().hash_one(0)) ^ RandomState::new().hash_one(0);
    [
        format!("{:016x}", wasip2::random::random::get_random_u64()),
        format!("{low:016x}{high:016x}"),
        format!("{hash:016x}"),
    ]
}
