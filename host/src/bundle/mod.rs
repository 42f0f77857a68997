//! What an app brings along besides its code: a *bundle* of read-only files, and what it *asks* for.
//!
//! Each travels in a custom section of the `.wasm`, at its outermost level: `wasgi:bundle`, a
//! gzipped tar archive, and `wasgi:asks`, JSON. The host cuts both off before it looks at the
//! component, so that a changed template compiles nothing anew. Both are written by whoever wrote
//! the app: nothing in them is believed, and nothing in them grants anything.
//!
//! [`append`] and [`pack`](pack::pack) are for whoever builds an app, the rest is for the host.

pub mod asks;
mod beneath;
pub mod mounts;
pub mod name;
pub mod pack;
pub mod store;
#[cfg(test)]
mod tests;
pub mod unpack;

use std::ops::Range;

use wasmparser::BinaryReader;

pub use asks::{Asks, AsksError};
pub use pack::Bundle;

/// The section that holds the files.
pub const BUNDLE_SECTION: &str = "wasgi:bundle";

/// The section that holds what the app asks for.
pub const ASKS_SECTION: &str = "wasgi:asks";

/// Where the bundle is in the guest.
pub const MOUNT: &str = "/app";

/// `\0asm`, version and layer: of components, and of core modules, of which programs are made.
const PREAMBLES: [&[u8; 8]; 2] = [b"\0asm\x0d\0\x01\0", b"\0asm\x01\0\0\0"];

/// The id of a custom section.
const CUSTOM: u8 = 0;

/// Why sections cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SectionError {
    /// Two sections of one name: which of them counts would be a matter of taste.
    #[error("it has more than one {0} section; build it anew, with one bundle")]
    Twice(&'static str),
    /// Not WebAssembly, or damaged.
    #[error("it is not a whole WebAssembly file, so nothing can be added to it; build the app for wasm32-wasip2")]
    NotComponent,
    /// The asks are not fit to be added.
    #[error(transparent)]
    Asks(#[from] AsksError),
    /// The sections would be larger than a section may be.
    #[error("its bundle has over 4 GiB; take files out")]
    TooLarge,
}

/// A `.wasm` file in its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The component alone.
    pub component: Vec<u8>,
    /// The content of its bundle section.
    pub bundle: Option<Vec<u8>>,
    /// The content of its asks section.
    pub asks: Option<Vec<u8>>,
}

/// Cuts the sections off. Those of parts nested in the component are not looked at. What is no
/// component, or damaged, comes back as it is: it is refused elsewhere.
///
/// # Errors
/// [`SectionError::Twice`].
pub fn cut_off(mut component: Vec<u8>) -> Result<Parts, SectionError> {
    let (mut bundle, mut asks) = (None, None);
    let (found, _whole) = sections(&component);
    for (name, section, content) in &found {
        let place = if *name == BUNDLE_SECTION { &mut bundle } else { &mut asks };
        if place.replace(component[content.clone()].to_vec()).is_some() {
            return Err(SectionError::Twice(name));
        }
        debug_assert!(section.end >= content.end, "a section holds its content");
    }
    for (_, section, _) in found.into_iter().rev() {
        component.drain(section);
    }
    Ok(Parts { component, bundle, asks })
}

/// `component` with this bundle and these asks in place of any that it has; none takes them out.
///
/// # Errors
/// [`SectionError`]: it is no component, or the asks break a rule.
pub fn append(component: &[u8], bundle: Option<&Bundle>, asks: Option<&Asks>) -> Result<Vec<u8>, SectionError> {
    let (found, whole) = sections(component);
    if !whole {
        // What is damaged could take what is added for a part of itself.
        return Err(SectionError::NotComponent);
    }
    let mut made = component.to_vec();
    for (_, section, _) in found.into_iter().rev() {
        made.drain(section);
    }
    if let Some(bundle) = bundle {
        push(&mut made, BUNDLE_SECTION, bundle.as_bytes())?;
    }
    if let Some(asks) = asks {
        push(&mut made, ASKS_SECTION, &asks.to_json()?)?;
    }
    Ok(made)
}

fn push(component: &mut Vec<u8>, name: &str, content: &[u8]) -> Result<(), SectionError> {
    use wasm_encoder::{ComponentSection as _, CustomSection};

    // With room for the lengths of the name and of the whole.
    if u32::try_from(content.len() + name.len() + 16).is_err() {
        return Err(SectionError::TooLarge);
    }
    CustomSection { name: name.into(), data: content.into() }.append_to_component(component);
    Ok(())
}

/// A section: its name, its range as a whole, and that of its content.
type Section = (&'static str, Range<usize>, Range<usize>);

/// Our sections at the outermost level, and whether all of the component could be looked at.
fn sections(component: &[u8]) -> (Vec<Section>, bool) {
    let mut found = Vec::new();
    let Some(preamble) = PREAMBLES.into_iter().find(|preamble| component.starts_with(*preamble)) else {
        return (found, false);
    };
    let mut reader = BinaryReader::new(&component[preamble.len()..], preamble.len());
    let mut end = preamble.len();
    while let Some((section, content)) = next_section(&mut reader) {
        end = section.end;
        let mut inside = BinaryReader::new(&component[content.clone()], content.start);
        if component[section.start] != CUSTOM {
            continue;
        }
        let name = match inside.read_string() {
            Ok(BUNDLE_SECTION) => BUNDLE_SECTION,
            Ok(ASKS_SECTION) => ASKS_SECTION,
            _ => continue,
        };
        found.push((name, section, inside.original_position()..content.end));
    }
    (found, end == component.len())
}

/// The ranges of the next section and of what is in it; none at the end, or where it is damaged.
fn next_section(reader: &mut BinaryReader<'_>) -> Option<(Range<usize>, Range<usize>)> {
    let start = reader.original_position();
    reader.read_u8().ok()?;
    let size = usize::try_from(reader.read_var_u32().ok()?).ok()?;
    let content = reader.original_position();
    reader.read_bytes(size).ok()?;
    let end = reader.original_position();
    Some((start..end, content..end))
}
