//! Makes a component of a program that was compiled to a core module: what `GOOS=wasip1` and the target
//! `wasm32-wasip1` give.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
};
use wasmparser::Validator;
use wit_component::ComponentEncoder;

use crate::limits::Size;
use crate::sandbox::prepare::go_memory;
use crate::sandbox::prepare::inspect::{self, Refusal};
use crate::text::printable;

/// Longest text of a tool in a message.
const TEXT_MAX: usize = 2048;

/// Whether the component that is made of `module` depends on its app's limits.
pub(super) fn depends_on_limits(module: &[u8]) -> bool {
    inspect::is_module(module) && go_memory::is_of_go(module)
}

/// The component that runs `module`, with WASI 0.1 told in that of 0.2, in a memory of at most `max`.
///
/// # Errors
/// [`Refusal::Invalid`], [`Refusal::Wrap`] if it imports what is no part of WASI 0.1, or [`Refusal::MemoryMax`].
pub(super) fn program(module: &[u8], max: Size) -> Result<Vec<u8>, Refusal> {
    Validator::new().validate_all(module).map_err(|error| Refusal::Invalid(printable(error.message(), TEXT_MAX)))?;
    let made;
    let module = if go_memory::is_of_go(module) {
        made = go_memory::make_room(module, max)?;
        &made
    } else {
        module
    };
    let encode = || {
        ComponentEncoder::default()
            .module(module)?
            .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER)?
            .encode()
    };
    encode().map_err(|error| Refusal::Wrap(printable(&format!("{error:#}"), TEXT_MAX)))
}
