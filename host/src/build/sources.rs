//! What this binary carries for those who build apps far from its own sources: the contract, the SDKs, and the
//! beginnings of apps.

use std::fs;
use std::path::Path;

use include_dir::{Dir, DirEntry, include_dir};

use super::BuildError;

/// `wit/`: the contract.
pub(super) static WIT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../wit");

/// The package `wasgi` of the Python SDK.
pub(super) static PYTHON_SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../guest-sdk/python/wasgi");

/// What componentize-py starts with.
pub(super) const PYTHON_ENTRY: &str = include_str!("../../../guest-sdk/python/wasgi_entry.py");

/// The C SDK.
pub(super) static C_SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../guest-sdk/c");

/// The modules of the JavaScript SDK.
pub(super) static JAVASCRIPT_SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../guest-sdk/js/src");

/// Its world, which goes beside the contract.
pub(super) const JAVASCRIPT_WORLD: &str = include_str!("../../../guest-sdk/js/js.wit");

/// What runs the author's esbuild and ComponentizeJS, in Node.
pub(super) const JAVASCRIPT_BUILD: &str = include_str!("../../../guest-sdk/js/build.mjs");

static RUST_SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../guest-sdk/rust/src");
static RUST_MACROS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../guest-sdk/rust/macros/src");
const RUST_SDK_MANIFEST: &str = include_str!("../../../guest-sdk/rust/Cargo.toml");
const RUST_MACROS_MANIFEST: &str = include_str!("../../../guest-sdk/rust/macros/Cargo.toml");
const RUST_BUILD_SCRIPT: &str = include_str!("../../../guest-sdk/rust/build.rs");
const RUST_README: &str = include_str!("../../../guest-sdk/rust/README.md");

/// Files that the Rust SDK has in its documentation, and what it calls them.
const RUST_DOCUMENTED: [(&str, &str, &str); 2] = [
    ("hello.rs", "../../../examples/hello/src/lib.rs", include_str!("../../../examples/hello/src/lib.rs")),
    ("axum.rs", "../../../../examples/axum/src/lib.rs", include_str!("../../../examples/axum/src/lib.rs")),
];

/// Its files that name something outside of it, and how far above them its root is.
const RUST_OUTWARD: [(&str, &str); 3] = [("src/lib.rs", ".."), ("src/http/mod.rs", "../.."), ("src/bindings.rs", "..")];

/// Writes a folder that the binary carries into `to`, which is made if it is not there. Python's caches, which whoever
/// built this binary may have had, stay behind.
///
/// # Errors
/// If something cannot be written.
pub fn write_all(folder: &Dir<'_>, to: &Path) -> Result<(), BuildError> {
    fs::create_dir_all(to).map_err(BuildError::file("make", to))?;
    for entry in folder.entries() {
        // Paths of entries are relative to the root of the whole; only the last segment counts here.
        let Some(name) = entry.path().file_name().filter(|name| *name != "__pycache__") else { continue };
        let path = to.join(name);
        match entry {
            DirEntry::Dir(folder) => write_all(folder, &path)?,
            DirEntry::File(file) => write_file(&path, file.contents())?,
        }
    }
    Ok(())
}

/// Writes the Rust SDK into `to`, as a package that any app can depend on by its path.
///
/// # Errors
/// If something cannot be written.
pub fn vendor_rust_sdk(to: &Path) -> Result<(), BuildError> {
    write_all(&RUST_SDK, &to.join("src"))?;
    write_all(&RUST_MACROS, &to.join("macros/src"))?;
    write_all(&WIT, &to.join("wit"))?;
    for (path, up) in RUST_OUTWARD.map(|(path, up)| (to.join(path), up)) {
        let text = fs::read_to_string(&path).map_err(BuildError::file("read", &path))?;
        write_file(&path, inward(text, up).as_bytes())?;
    }
    let documented = to.join("doc");
    fs::create_dir_all(&documented).map_err(BuildError::file("make", &documented))?;
    for (name, _, text) in RUST_DOCUMENTED {
        write_file(&documented.join(name), text.as_bytes())?;
    }
    write_file(&to.join("build.rs"), RUST_BUILD_SCRIPT.as_bytes())?;
    write_file(&to.join("README.md"), RUST_README.as_bytes())?;
    write_file(&to.join("Cargo.toml"), vendored(RUST_SDK_MANIFEST).as_bytes())?;
    write_file(&to.join("macros/Cargo.toml"), vendored(RUST_MACROS_MANIFEST).as_bytes())
}

/// A source of the SDK that names nothing outside of it.
fn inward(text: String, up: &str) -> String {
    let text = text.replace("path: \"../../wit\"", "path: \"wit\"");
    RUST_DOCUMENTED.iter().fold(text, |text, (name, outside, _)| text.replace(outside, &format!("{up}/doc/{name}")))
}

/// A manifest without what ties it to our own workspace.
fn vendored(manifest: &str) -> String {
    // What was compiled in is what our own cargo reads: see the test.
    let mut table: toml::Table = toml::from_str(manifest).unwrap_or_default();
    for key in ["workspace", "profile", "lints", "dev-dependencies"] {
        table.remove(key);
    }
    if let Some(package) = table.get_mut("package").and_then(toml::Value::as_table_mut) {
        package.remove("workspace");
    }
    format!("# Part of wasgi, written by `wasgi new`.\n\n{table}")
}

fn write_file(path: &Path, content: &[u8]) -> Result<(), BuildError> {
    fs::write(path, content).map_err(BuildError::file("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendored_sdk_stands_on_its_own() {
        let to = tempfile::tempdir().unwrap();
        vendor_rust_sdk(to.path()).unwrap();
        for manifest in ["Cargo.toml", "macros/Cargo.toml"] {
            let text = fs::read_to_string(to.path().join(manifest)).unwrap();
            assert!(!text.contains("workspace") && !text.contains("../../"), "{text}");
            assert!(text.contains("[dependencies") || manifest.starts_with("macros"), "{text}");
            assert!(text.contains("name = \"wasgi-guest"), "{text}");
        }
        let mut named = 0;
        for file in walkdir::WalkDir::new(to.path()).into_iter().map(Result::unwrap) {
            let text = fs::read_to_string(file.path()).unwrap_or_default();
            let is_source = file.path().extension().is_some_and(|extension| extension == "rs");
            assert!(
                !is_source || !text.contains("../examples") && !text.contains("../wit"),
                "{}",
                file.path().display()
            );
            for path in
                text.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next()).filter(|_| is_source)
            {
                assert!(file.path().parent().unwrap().join(path).is_file(), "{path} in {}", file.path().display());
                named += 1;
            }
        }
        assert_eq!(named, 2);
        assert!(to.path().join("wit/gateway.wit").is_file());
    }

    #[test]
    fn the_python_sdk_is_carried_whole_and_without_caches() {
        let to = tempfile::tempdir().unwrap();
        write_all(&PYTHON_SDK, to.path()).unwrap();
        assert!(to.path().join("__init__.py").is_file() && to.path().join("build/story.py").is_file());
        assert!(!to.path().join("__pycache__").exists());
        assert!(PYTHON_ENTRY.contains("wasgi"));
    }
}
