//! Makes a component of a program that was compiled to a core module: what `GOOS=wasip1` and the target
//! `wasm32-wasip1` give.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
};
use wasmparser::Validator;
use wit_component::ComponentEncoder;

use crate::sandbox::prepare::inspect::Refusal;
use crate::text::printable;

/// Longest text of a tool in a message.
const TEXT_MAX: usize = 2048;

/// The component that runs `module`, with WASI 0.1 told in that of 0.2.
///
/// # Errors
/// [`Refusal::Invalid`], or [`Refusal::Wrap`] if it imports what is no part of WASI 0.1.
pub(super) fn program(module: &[u8]) -> Result<Vec<u8>, Refusal> {
    Validator::new().validate_all(module).map_err(|error| Refusal::Invalid(printable(error.message(), TEXT_MAX)))?;
    let encode = || {
        ComponentEncoder::default()
            .module(module)?
            .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER)?
            .encode()
    };
    encode().map_err(|error| Refusal::Wrap(printable(&format!("{error:#}"), TEXT_MAX)))
}
