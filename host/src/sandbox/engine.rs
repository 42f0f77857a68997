//! wasmtime, narrowed to what wasgi uses of it: one configuration to compile with, one to serve with.

use std::hash::{Hash as _, Hasher};

use serde::{Deserialize, Serialize};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails};

use crate::sandbox::reset::SlotReset;
use crate::sandbox::room::Room;

/// Bytes of an element of a table.
const WORD: u64 = 8;

/// Address space of one memory: the most a 32-bit guest can address, so that compiled code needs no
/// bounds checks. `memory-max` caps what is really held.
const MEMORY_RESERVATION: u64 = 4 << 30;

/// Unmapped space behind each memory, for the same reason.
const MEMORY_GUARD: u64 = 32 << 20;

/// Stack of a guest. Enough for CPython's deepest recursion; overflow is a trap.
const WASM_STACK: usize = 1 << 20;

/// Stack of the fiber a guest runs on: its own, and room for the host calls it makes.
const FIBER_STACK: usize = 2 << 20;

/// Least memory that an instance is reckoned with, whatever its component says.
const INSTANCE_MEMORY_MIN: u64 = 1 << 20;

/// Most memories and tables that a core module may have.
pub(crate) const MEMORIES_PER_MODULE: u32 = 16;
pub(crate) const TABLES_PER_MODULE: u32 = 16;

/// What an instance of a component takes from the pool. Read off the compiled component.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// Linear memories.
    pub memories: u32,
    /// Largest memory at the start, in bytes.
    pub initial_memory: u64,
    /// Tables.
    pub tables: u32,
    /// Largest table at the start, in elements.
    pub table_elements: u64,
}

impl Needs {
    /// The least that covers both.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            memories: self.memories.max(other.memories),
            initial_memory: self.initial_memory.max(other.initial_memory),
            tables: self.tables.max(other.tables),
            table_elements: self.table_elements.max(other.table_elements),
        }
    }
}

/// What all engines agree on, so that code compiled by one loads into another.
fn common() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        // What no tool chain of an app needs is not offered to hostile ones: memory that no limiter sees
        // (threads, the collected heap, tasks and streams of components) and what is young in the compiler. Said
        // although wasmtime is built without some of it: an embedder's build may not be.
        .wasm_threads(false)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_exceptions(false)
        .wasm_memory64(false)
        .concurrency_support(false)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(FIBER_STACK)
        .memory_guard_size(MEMORY_GUARD)
        // Names of functions come with every trap; line numbers would mean reading the guest's own
        // debug information, a large and hostile input.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config
}

/// The engine that compiles, and whose code the serving engine loads.
///
/// # Errors
/// When this machine's processor or operating system lacks what wasmtime needs.
pub(crate) fn compiling() -> wasmtime::Result<Engine> {
    Engine::new(common().memory_reservation(MEMORY_RESERVATION))
}

/// The engine that runs `initialize`, with memories that reserve no more than `memory_max`: it works
/// under a limit on address space.
///
/// # Errors
/// As [`compiling`].
pub(crate) fn initializing(memory_max: u64) -> wasmtime::Result<Engine> {
    Engine::new(common().memory_reservation(memory_max.min(MEMORY_RESERVATION)).memory_reservation_for_growth(0))
}

/// What decides the size of the serving engine's pool.
#[derive(Clone, Debug)]
pub(crate) struct PoolPlan {
    /// Instances that may live at a time, over all apps, as the operator has it.
    pub(crate) instances_max: u32,
    /// Instances that the apps could have at the same time: what runs and what is warm.
    pub(crate) wanted: u32,
    /// What this machine has.
    pub(crate) room: Room,
    /// The largest `memory-max` of any app.
    pub(crate) memory_max: u64,
    /// Memory that an instance has at the start, in bytes: most instances that the apps could have need no more.
    pub(crate) typical_memory: u64,
    /// What the hungriest component takes.
    pub(crate) needs: Needs,
    pub(crate) reset: SlotReset,
}

/// Smallest and largest part of a memory that stays resident in a slot at rest.
const KEEP_RESIDENT_MIN: u64 = 64 << 10;
const KEEP_RESIDENT_MAX: u64 = 8 << 20;

/// What an app is taken to touch beyond the memory that it has from the start.
const GROWTH: u64 = 1 << 20;

/// The part of the available memory that all slots at rest may keep together.
const REST_PART: u64 = 8;

impl PoolPlan {
    /// How many instances there will be at most: what the operator allows, the apps could have, address
    /// space can be reserved for, and half of the available memory holds as they typically are at the start.
    /// At least one.
    pub(crate) fn instances(&self) -> u32 {
        self.instances_max.min(self.wanted).min(self.by_address_space()).min(self.by_memory()).max(1)
    }

    fn by_address_space(&self) -> u32 {
        let memories = u64::from(self.needs.memories.max(1)) * (MEMORY_RESERVATION + MEMORY_GUARD);
        let tables = u64::from(self.needs.tables.max(1)).saturating_mul(self.table_elements()).saturating_mul(WORD);
        let each = memories.saturating_add(tables);
        u32::try_from(self.room.address_space / each).unwrap_or(u32::MAX)
    }

    fn by_memory(&self) -> u32 {
        fitting(self.room.memory, self.typical_memory)
    }

    /// Elements that each table has room for: as many again as any has from the start. Growth is bounded by
    /// `memory-max` as well.
    fn table_elements(&self) -> u64 {
        self.needs.table_elements.max(10_000).saturating_mul(2)
    }

    /// Bytes of each memory that are kept between two instances: what an app has from the start and a
    /// little more when the scan finds the touched pages; little when all of it would be overwritten.
    fn keep_resident(&self) -> usize {
        let keep = match self.reset {
            SlotReset::PagemapScan { .. } => {
                let touched = self.needs.initial_memory.saturating_add(GROWTH).min(KEEP_RESIDENT_MAX);
                let memories = u64::from(self.instances()) * u64::from(self.needs.memories.max(1));
                touched.min(self.room.memory / REST_PART / memories).max(KEEP_RESIDENT_MIN)
            }
            SlotReset::Madvise { .. } => KEEP_RESIDENT_MIN,
        };
        usize::try_from(keep).unwrap_or(usize::MAX)
    }

    fn pool(&self) -> PoolingAllocationConfig {
        let count = self.instances();
        let memory = usize::try_from(self.memory_max.min(MEMORY_RESERVATION)).unwrap_or(usize::MAX);
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(count)
            .total_stacks(count)
            .total_core_instances(u32::MAX)
            .total_memories(count.saturating_mul(self.needs.memories.max(1)))
            .total_tables(count.saturating_mul(self.needs.tables.max(1)))
            .max_memories_per_module(MEMORIES_PER_MODULE)
            .max_tables_per_module(TABLES_PER_MODULE)
            .max_memory_size(memory)
            .table_elements(usize::try_from(self.table_elements()).unwrap_or(usize::MAX))
            // Metadata of large components (Python has 24 core modules); allocated as needed.
            .max_component_instance_size(16 << 20)
            .max_core_instance_size(16 << 20)
            .linear_memory_keep_resident(self.keep_resident())
            .table_keep_resident(64 << 10)
            .pagemap_scan(match self.reset {
                SlotReset::PagemapScan { .. } => Enabled::Yes,
                SlotReset::Madvise { .. } => Enabled::No,
            });
        pool
    }
}

/// How many instances that have `initial_memory` at the start fit into half of the available memory; at least one.
/// What they grow by comes on top: `memory-max` times all would be far more than is ever used.
pub(crate) fn fitting(memory: u64, initial_memory: u64) -> u32 {
    let each = initial_memory.max(INSTANCE_MEMORY_MIN);
    u32::try_from(memory / 2 / each).unwrap_or(u32::MAX).max(1)
}

/// The engine that serves: pooled slots, copy-on-write images.
///
/// # Errors
/// When the pool cannot be reserved.
pub(crate) fn serving(plan: &PoolPlan) -> wasmtime::Result<Engine> {
    let mut config = common();
    config.memory_reservation(MEMORY_RESERVATION).allocation_strategy(InstanceAllocationStrategy::Pooling(plan.pool()));
    let engine = Engine::new(&config)?;
    tracing::info!(
        instances = plan.instances(),
        instances_max = plan.instances_max,
        wanted_by_apps = plan.wanted,
        fit_address_space = plan.by_address_space(),
        fit_memory = plan.by_memory(),
        keep_resident = plan.keep_resident(),
        reset = %plan.reset,
        "instance pool reserved"
    );
    Ok(engine)
}

/// Names the compiler and all settings that its code depends on.
pub(crate) fn compatibility(engine: &Engine) -> u64 {
    let mut hasher = StableHasher::default();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

/// FNV-1a: `std`'s hasher may change between Rust releases, and this value is kept on disk.
struct StableHasher(u64);

impl Default for StableHasher {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for StableHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLENTY: PoolPlan = PoolPlan {
        instances_max: 1000,
        wanted: 2000,
        room: Room { address_space: 64 << 40, memory: 64 << 30 },
        memory_max: 256 << 20,
        typical_memory: 2 << 20,
        needs: Needs { memories: 1, initial_memory: 2 << 20, tables: 1, table_elements: 100 },
        reset: SlotReset::Madvise { because: "a test" },
    };

    #[test]
    fn the_scarcest_decides_how_many_instances_there_are() {
        assert_eq!(PLENTY.instances(), 1000, "what the operator allows");
        assert_eq!(PoolPlan { wanted: 64, ..PLENTY }.instances(), 64, "what the apps can have");
        let room = Room { address_space: (4 << 40) + (1 << 40), ..PLENTY.room };
        assert_eq!(PoolPlan { instances_max: 9999, wanted: 9999, room, ..PLENTY }.instances(), 1270);
        let room = Room { memory: 400 << 20, ..PLENTY.room };
        assert_eq!(PoolPlan { room, ..PLENTY.clone() }.instances(), 100, "half of it, at 2 MiB each");
        assert_eq!(PoolPlan { room, typical_memory: 64 << 10, ..PLENTY }.instances(), 200, "at 1 MiB each");
    }

    #[test]
    fn a_single_hungry_component_does_not_shrink_the_pool_of_all() {
        let needs = Needs { initial_memory: 30 << 30, ..PLENTY.needs };
        assert_eq!(PoolPlan { needs, ..PLENTY }.instances(), PLENTY.instances());
        assert_eq!((fitting(64 << 30, 30 << 30), fitting(1, 30 << 30)), (1, 1));
    }

    #[test]
    fn slots_at_rest_keep_what_an_app_touches_but_not_all_memory() {
        let scan = PoolPlan { reset: SlotReset::PagemapScan { because: "a test", watch: false }, ..PLENTY };
        assert_eq!(scan.keep_resident(), 3 << 20);
        let huge = Needs { initial_memory: 40 << 20, ..PLENTY.needs };
        assert_eq!(PoolPlan { needs: huge, instances_max: 10, ..scan.clone() }.keep_resident(), 8 << 20);
        let room = Room { memory: 1 << 30, ..PLENTY.room };
        assert_eq!(PoolPlan { room, ..scan }.keep_resident(), (1 << 30) / 8 / 256, "of 256 instances");
        assert_eq!(PLENTY.keep_resident(), 64 << 10);
    }

    #[test]
    fn there_is_always_one() {
        let room = Room { address_space: 1, memory: 1 };
        assert_eq!(PoolPlan { room, ..PLENTY }.instances(), 1);
    }
}
