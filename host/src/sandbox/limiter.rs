//! Memory of one store: the sum over its memories and tables, not each by itself.

use wasmtime::ResourceLimiter;

/// Bytes that wasmtime needs for one element of a table.
const TABLE_ELEMENT: usize = size_of::<usize>();

/// Counts what a store holds and refuses growth past `memory-max`.
#[derive(Debug)]
pub(crate) struct MemoryLimiter {
    max: usize,
    held: usize,
    /// wasmtime reports a failed growth as whatever the guest does next, mostly a plain trap; this
    /// flag is how a trap is told to be "out of memory".
    refused: bool,
    /// What the growth under way has added, to be taken back if it fails after all.
    growing: usize,
    /// Whether the operating system had no memory for a growth that was within the limit.
    exhausted: bool,
}

impl MemoryLimiter {
    /// A limiter for a new store that may hold `max` bytes.
    pub(crate) fn new(max: u64) -> Self {
        Self { max: usize::try_from(max).unwrap_or(usize::MAX), held: 0, refused: false, growing: 0, exhausted: false }
    }

    /// Bytes that the store holds.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Whether a growth was refused since the last call.
    pub(crate) fn take_refused(&mut self) -> bool {
        std::mem::take(&mut self.refused)
    }

    /// Whether the operating system refused memory that this limit allows.
    pub(crate) fn host_is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// A growth that was allowed has failed all the same: past the memory's own maximum, or for want
    /// of memory on this machine.
    fn failed(&mut self, error: &wasmtime::Error) {
        self.held -= std::mem::take(&mut self.growing);
        self.exhausted |= error.downcast_ref::<std::io::Error>().is_some();
    }

    fn grow(&mut self, by: usize) -> bool {
        match self.held.checked_add(by) {
            Some(held) if held <= self.max => {
                self.held = held;
                self.growing = by;
                true
            }
            _ => {
                self.refused = true;
                self.growing = 0;
                false
            }
        }
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.failed(&error);
        Ok(())
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.failed(&error);
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current).saturating_mul(TABLE_ELEMENT)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_on_the_sum_of_memories_and_tables() {
        let mut limiter = MemoryLimiter::new(1000);
        assert!(limiter.memory_growing(0, 500, None).unwrap());
        assert!(limiter.table_growing(0, 50, None).unwrap());
        assert!(limiter.memory_growing(0, 100, None).unwrap(), "exactly at the limit");
        assert!(!limiter.take_refused());
        assert!(!limiter.memory_growing(500, 501, None).unwrap(), "one byte past it");
        assert!(limiter.take_refused());
        assert!(!limiter.take_refused(), "the flag is taken once");
    }

    #[test]
    fn a_growth_that_fails_after_all_is_not_held() {
        let mut limiter = MemoryLimiter::new(1000);
        assert!(limiter.memory_growing(0, 900, None).unwrap());
        limiter.memory_grow_failed(wasmtime::format_err!("past the memory's maximum")).unwrap();
        assert!(!limiter.host_is_exhausted());
        assert!(limiter.memory_growing(0, 1000, None).unwrap(), "all of it is free again");
        limiter.memory_grow_failed(std::io::Error::from(std::io::ErrorKind::OutOfMemory).into()).unwrap();
        assert!(limiter.host_is_exhausted());
        assert!(!limiter.take_refused(), "it was within the limit");
    }

    #[test]
    fn a_growth_that_overflows_is_refused() {
        let mut limiter = MemoryLimiter::new(u64::MAX);
        assert!(limiter.memory_growing(0, usize::MAX, None).unwrap());
        assert!(!limiter.table_growing(0, usize::MAX, None).unwrap());
    }
}
