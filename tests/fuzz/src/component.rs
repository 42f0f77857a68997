//! Bytes in place of a component.

use crate::loading;

/// A `.wasm` file, whatever it is: it is refused in one line, or loaded and called for one request.
///
/// # Panics
/// If that is not so.
pub fn component(data: &[u8]) {
    let _ = loading::serve_once(data);
}
