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
}

impl MemoryLimiter {
    /// A limiter for a new store that may hold `max` bytes.
    pub(crate) fn new(max: u64) -> Self {
        Self { max: usize::try_from(max).unwrap_or(usize::MAX), held: 0, refused: false }
    }

    /// Whether a growth was refused since the last call.
    pub(crate) fn take_refused(&mut self) -> bool {
        std::mem::take(&mut self.refused)
    }

    fn grow(&mut self, by: usize) -> bool {
        match self.held.checked_add(by) {
            Some(held) if held <= self.max => {
                self.held = held;
                true
            }
            _ => {
                self.refused = true;
                false
            }
        }
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current)))
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
    fn a_growth_that_overflows_is_refused() {
        let mut limiter = MemoryLimiter::new(u64::MAX);
        assert!(limiter.memory_growing(0, usize::MAX, None).unwrap());
        assert!(!limiter.table_growing(0, usize::MAX, None).unwrap());
    }
}
