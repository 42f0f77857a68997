//! Fuses the core modules of a component into as few as can be, so that an instance costs less.
//!
//! Tools split an app into several core modules: the program, its adapters, its shared libraries.
//! Each one is instantiated for each fresh instance. Here they become one module, which does what
//! the many did, in the same order; only what must wait for that module's memory stays apart. A
//! component that has anything unusual is left as it is.

mod constant;
mod emit;
mod merge;
mod module;
mod names;
mod outline;
mod plan;
#[cfg(test)]
mod tests;

use wasm_encoder::reencode;
use wasmparser::{BinaryReaderError, Validator, WasmFeatures};

/// Changes whenever the same component would be fused in another way.
pub(super) const VERSION: u32 = 1;

/// Largest component that is fused: the rewriting holds a copy or two of it in memory.
const SIZE_MAX: usize = 256 << 20;

/// Why a component stays as it is. Never a refusal.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfused {
    /// Over the size at which it is tried.
    #[error("it is larger than {SIZE_MAX} bytes")]
    TooLarge,
    /// Not valid to begin with; whoever compiles it says so.
    #[error("it is not valid: {0}")]
    NotValid(BinaryReaderError),
    /// Something that only few components have.
    #[error("it has {0}")]
    Has(&'static str),
    /// No two of its modules can become one.
    #[error("there are no two modules to fuse")]
    NothingToFuse,
    /// Something in a module that the encoder does not know.
    #[error("it cannot be encoded anew: {0}")]
    Encoding(reencode::Error),
    /// The outcome does not validate: the guest uses what is only valid in modules apart.
    #[error("fused it would not be valid: {0}")]
    Broken(BinaryReaderError),
}

impl From<reencode::Error> for Unfused {
    fn from(error: reencode::Error) -> Self {
        Self::Encoding(error)
    }
}

impl From<BinaryReaderError> for Unfused {
    fn from(error: BinaryReaderError) -> Self {
        Self::NotValid(error)
    }
}

/// The component with its core modules fused: to the outside the same in all that it does.
///
/// # Errors
/// [`Unfused`]: serve the component as it is.
pub(super) fn fuse(component: &[u8]) -> Result<Vec<u8>, Unfused> {
    if component.len() > SIZE_MAX {
        return Err(Unfused::TooLarge);
    }
    // What follows relies on it; and nothing invalid may become valid.
    validate(component).map_err(Unfused::NotValid)?;
    let outline = outline::Outline::read(component)?;
    let plan = plan::Plan::of(&outline)?;
    let merged = merge::merge(&outline, &plan)?;
    let fused = emit::emit(&outline, &plan, &merged)?;
    validate(&fused).map_err(Unfused::Broken)?;
    tracing::debug!(
        modules = outline.modules.len(),
        fused = plan.members.len(),
        bytes_before = component.len(),
        bytes_after = fused.len(),
        "core modules fused"
    );
    Ok(fused)
}

/// Validates against what the engine has switched on.
fn validate(component: &[u8]) -> Result<(), BinaryReaderError> {
    let mut features = WasmFeatures::WASM3 | WasmFeatures::COMPONENT_MODEL;
    features.remove(
        WasmFeatures::THREADS
            | WasmFeatures::GC
            | WasmFeatures::GC_TYPES
            | WasmFeatures::FUNCTION_REFERENCES
            | WasmFeatures::EXCEPTIONS
            | WasmFeatures::MEMORY64,
    );
    // Without the collector's types references to functions remain.
    features.insert(WasmFeatures::REFERENCE_TYPES);
    Validator::new_with_features(features).validate_all(component).map(|_types| ())
}
