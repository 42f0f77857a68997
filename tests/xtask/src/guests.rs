//! The guests in Rust and in WebAssembly's text, and the names of all.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::cache::Cache;
use crate::phase::phase;
use crate::toolchain::Toolchain;
use crate::{c, fixtures, go, http_js, javascript, paths, python};

/// Guests by name, such as `hello`, with the file that was built.
type Built = BTreeMap<String, PathBuf>;

/// Builds the guests that no host is needed for into `target/guests`; files that would not change are left alone. Those
/// in Python, JavaScript and C are built by the host, but their names are told to the tests here: the host is built with those.
///
/// # Errors
/// If there is no tool chain, or something does not build.
pub(crate) fn build() -> Result<()> {
    let root = paths::root()?;
    let output = paths::target(&root).join("guests");
    fs::create_dir_all(&output).with_context(|| format!("cannot make {}", output.display()))?;
    let toolchain = phase("tool chain", || Toolchain::set_up(&root), Toolchain::describe)?;
    let owner = format!("{} {}", root.display(), toolchain.describe());
    // Held until the files are copied: after that another clone may have the folder.
    let cache = Cache::lock(&paths::cache()?, &owner)?;
    let built =
        phase("Rust guests", || build_rust(&root, &toolchain, &cache), |built| format!("{} built", built.len()))?;
    let mut names: Vec<String> = built.keys().cloned().collect();
    phase("copy", || copy(&built, &output), |changed| format!("{changed} changed"))?;
    drop(cache);
    let texts = root.join("tests/guests/wat");
    let assembled = phase("text guests", || assemble(&texts, &output), |names| format!("{} assembled", names.len()))?;
    names.extend(assembled);
    names.extend(python::guests(&root)?.into_keys());
    names.extend(javascript::guests(&root)?.into_keys());
    names.push(http_js::NAME.to_owned());
    names.extend(c::guests(&root)?.into_keys());
    names.push(c::PROGRAM.0.to_owned());
    names.extend(go::guests(&root).into_keys());
    names.sort();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        bail!("two guests have the name `{}`: rename one", pair[0]);
    }
    remove_others(&names, &output)?;
    write_if_changed(&output.join("fixtures.rs"), fixtures::source(&names).as_bytes())?;
    println!("guests: {} in {}", names.len(), output.display());
    Ok(())
}

/// One cargo call for all of them; what was built is what cargo says it built.
fn build_rust(root: &Path, toolchain: &Toolchain, cache: &Cache) -> Result<Built> {
    let mut cargo = toolchain.cargo_build()?;
    cargo
        .args([
            "--locked",
            "--workspace",
            "--exclude",
            "wasgi-guest",
            "--exclude",
            "wasgi-guest-macros",
            "--lib",
            "--bins",
            "--examples",
        ])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(paths::guest_workspace(root))
        .env("CARGO_TARGET_DIR", cache.target())
        .stdout(Stdio::piped());
    let output =
        cargo.spawn().context("cannot start cargo")?.wait_with_output().context("cannot read what cargo says")?;
    if !output.status.success() {
        bail!("cargo could not build the guests: {}", output.status);
    }
    let mut built = Built::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: Value = serde_json::from_str(line).with_context(|| format!("cargo said no JSON: {line}"))?;
        built.extend(guest(&message));
    }
    Ok(built)
}

/// The guest that a message of cargo tells of, if it tells of one.
fn guest(message: &Value) -> Option<(String, PathBuf)> {
    if message["reason"] != "compiler-artifact" {
        return None;
    }
    let file =
        message["filenames"].as_array()?.iter().filter_map(Value::as_str).find(|file| file.ends_with(".wasm"))?;
    // A library's target has underscores where its package has hyphens; files have the package's.
    let name = message["target"]["name"].as_str()?.replace('_', "-");
    Some((name, PathBuf::from(file)))
}

/// Copies what changed, and counts it.
fn copy(built: &Built, output: &Path) -> Result<usize> {
    let mut changed = 0;
    for (name, file) in built {
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        changed += usize::from(write_if_changed(&output.join(format!("{name}.wasm")), &bytes)?);
    }
    Ok(changed)
}

/// Turns each `.wat` file into a binary; the names without extension.
fn assemble(texts: &Path, output: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(texts).with_context(|| format!("cannot read {}", texts.display()))? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "wat") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = wat::parse_file(&path)?;
        write_if_changed(&output.join(format!("{name}.wasm")), &bytes)?;
        names.push(name);
    }
    Ok(names)
}

/// Guests that are no longer there would go on being served.
fn remove_others(names: &[String], output: &Path) -> Result<()> {
    for entry in fs::read_dir(output)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_some_and(|extension| extension == "wasm") && !names.contains(&name) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Keeps the time of a file that stays the same, so that nothing is rebuilt or compiled because of it. Readers see
/// the old file or the new one, never a part.
pub(crate) fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<bool> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    let new = path.with_extension(format!("new-{}", std::process::id()));
    fs::write(&new, bytes).with_context(|| format!("cannot write {}", new.display()))?;
    fs::rename(&new, path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_guest_is_named_after_its_package() {
        let message = json!({
            "reason": "compiler-artifact", "target": {"name": "init_prints"}, "filenames": ["/t/release/init_prints.wasm"],
        });
        assert_eq!(guest(&message), Some(("init-prints".to_owned(), PathBuf::from("/t/release/init_prints.wasm"))));
    }

    #[test]
    fn what_is_no_component_is_no_guest() {
        let message = json!({
            "reason": "compiler-artifact", "target": {"name": "serde"}, "filenames": ["/t/libserde.rlib"],
        });
        assert_eq!(guest(&message), None);
        assert_eq!(guest(&json!({"reason": "build-finished", "success": true})), None);
    }
}
