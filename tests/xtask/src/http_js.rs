//! The guest `http-js`: a component of wasi:http that a tool of others makes, without anything of wasgi's.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::guests::write_if_changed;
use crate::phase::{phase, succeed};
use crate::python::hash_folder;

/// Its name among the guests.
pub(crate) const NAME: &str = "http-js";

/// The crate whose WIT is that of wasi:http.
const WIT_OF: &str = "wasmtime-wasi-http";

/// The one version that ComponentizeJS can attach fetch events to; the calls it makes are those of later ones.
const VERSION: &str = "0.2.10";

/// Builds it, unless it is kept, with ComponentizeJS in `tools`.
///
/// # Errors
/// If the WIT is not there, or ComponentizeJS fails.
pub(crate) fn build(root: &Path, (tools, kept): (&Path, &Path), output: &Path) -> Result<()> {
    let folder = root.join("tests/guests/js").join(NAME);
    let wit = wit(root)?;
    let mut hasher = DefaultHasher::new();
    fs::read(tools.join("installed")).context("the tools for JavaScript are not installed")?.hash(&mut hasher);
    hash_folder(&folder, &mut hasher)?;
    hash_folder(&wit, &mut hasher)?;
    let file = kept.join(format!("{NAME}-{:016x}.wasm", hasher.finish()));
    let made = || {
        if file.exists() {
            return Ok("as before");
        }
        let scratch = tempfile::tempdir().context("cannot make a folder")?;
        let (relabelled, component) = (scratch.path().join("wit"), scratch.path().join("app.wasm"));
        relabel(&wit, &relabelled)?;
        let tool = tools.join("node_modules/@bytecodealliance/componentize-js/src/componentize.js");
        let mut node = Command::new(tools.join("bin/node"));
        node.arg(folder.join("build.mjs")).arg(tool).arg(relabelled).arg(&component).env("TMPDIR", scratch.path());
        succeed(&mut node)?;
        fs::create_dir_all(kept).with_context(|| format!("cannot make {}", kept.display()))?;
        let bytes = fs::read(&component).context("ComponentizeJS made nothing")?;
        write_if_changed(&file, &bytes)?;
        Ok("built")
    };
    phase("a guest of ComponentizeJS alone", made, |done| (*done).to_owned())?;
    let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    write_if_changed(&output.join(format!("{NAME}.wasm")), &bytes).map(drop)
}

/// The WIT of wasi:http, as the host's own crate has it.
fn wit(root: &Path) -> Result<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--locked", "--format-version", "1"]).current_dir(root);
    let output = cargo.output().context("cannot start cargo")?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).context("cargo metadata is no JSON")?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(manifest) = packages.iter().find(|package| package["name"] == WIT_OF) else {
        bail!("{WIT_OF} is not among the packages of cargo metadata");
    };
    let manifest = Path::new(manifest["manifest_path"].as_str().unwrap_or_default());
    Ok(manifest.with_file_name("wit"))
}

/// Copies a folder of WIT with the version that ComponentizeJS knows.
fn relabel(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let path = entry?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            relabel(&path, &target)?;
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        fs::write(&target, with_version(&text)).with_context(|| format!("cannot write {}", target.display()))?;
    }
    Ok(())
}

/// WIT whose packages of 0.2 are all of one version.
fn with_version(text: &str) -> String {
    let mut parts = text.split("0.2.");
    let mut relabelled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        relabelled.push_str(VERSION);
        relabelled.push_str(part.trim_start_matches(|char: char| char.is_ascii_digit()));
    }
    relabelled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_packages_become_the_one_that_is_known() {
        let text = "package wasi:http@0.2.12;\n@since(version = 0.2.0)\nuse wasi:io/streams@0.2.9.{x};\n";
        let due = "package wasi:http@0.2.10;\n@since(version = 0.2.10)\nuse wasi:io/streams@0.2.10.{x};\n";
        assert_eq!(with_version(text), due);
    }
}
