//! `initialize`: what must be true of the memory that the host snapshots.

use std::fmt::Display;
use std::io::Write;

/// What a function under `#[wasgi_guest::initialize]` may return: nothing, or a `Result<(), E>`.
pub trait Prepared {
    /// Nothing, or the text that refuses the deployment.
    ///
    /// # Errors
    /// The text of what the function returned as its error.
    fn into_result(self) -> Result<(), String>;
}

impl Prepared for () {
    fn into_result(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: Display> Prepared for Result<(), E> {
    fn into_result(self) -> Result<(), String> {
        self.map_err(|error| error.to_string())
    }
}

/// Runs the author's function, then forgets the WASI handles that the libc holds: they are numbers
/// that mean nothing in the instances which start from the snapshot.
pub fn initialize<P: Prepared>(initialize: impl FnOnce() -> P) -> Result<(), String> {
    let result = initialize().into_result();
    // A line begun here would be printed by every request. A full or closed stdout loses it either way.
    let _ = std::io::stdout().flush();
    forget_handles();
    result
}

/// The WASI 0.2 libc of rustup's `wasm32-wasip2`: it keeps the streams of stdin, stdout and stderr, and the
/// granted directories, from their first use.
#[cfg(wasi_libc = "p2")]
#[expect(unsafe_code, reason = "three functions of the libc, two of which no crate declares")]
fn forget_handles() {
    // SAFETY: signatures as in wasi-libc's stdio.h, libc.h and unistd.h; the guest has one thread.
    unsafe extern "C" {
        safe fn close(fd: i32) -> i32;
        safe fn __wasilibc_init_stdio() -> i32;
        safe fn __wasilibc_reset_preopens();
    }
    // Last first, so that they get the same numbers again. Newer versions of the libc empty the whole
    // table in `reset_preopens` and make these three anew on first use; there the rest does no harm.
    for fd in [2, 1, 0] {
        close(fd);
    }
    __wasilibc_init_stdio();
    __wasilibc_reset_preopens();
}

/// A libc of WASI preview 1, under the adapter that the linker adds: the adapter keeps the handles.
#[cfg(wasi_libc = "p1")]
#[expect(unsafe_code, reason = "three functions of the adapter, one of which no crate declares")]
fn forget_handles() {
    // SAFETY: signatures as in wasi_snapshot_preview1 and the adapter's source.
    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        safe fn reset_adapter_state();
        safe fn fd_close(fd: i32) -> i32;
        fn fd_prestat_get(fd: i32, prestat: *mut [u32; 2]) -> i32;
    }
    // Closed properly first, so that what the host still sees open is what the author forgot to close.
    for fd in 0.. {
        let mut prestat = [0; 2];
        // SAFETY: a prestat is a tag and a length, eight bytes.
        if fd > 2 && unsafe { fd_prestat_get(fd, &raw mut prestat) } != 0 {
            break;
        }
        fd_close(fd);
    }
    reset_adapter_state();
}

/// No WASI, no handles.
#[cfg(not(any(wasi_libc = "p1", wasi_libc = "p2")))]
fn forget_handles() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_refuses_the_deployment_with_its_text() {
        assert_eq!(initialize(|| Err("no words")), Err("no words".to_owned()));
    }

    #[test]
    fn a_function_without_a_result_succeeds() {
        assert_eq!(initialize(|| ()), Ok(()));
    }
}
