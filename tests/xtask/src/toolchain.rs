//! Finds, or sets up, what compiles Rust to `wasm32-wasip2`.
//!
//! The machine itself remembers: what was set up once is found the next time, and no network is asked.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::apt;
use crate::phase::succeed;

const TARGET: &str = "wasm32-wasip2";

/// Debian's second, newer Rust, its library's source, and a libc for wasm.
const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "wasi-libc"];

/// A way to build Rust guests.
#[derive(Debug)]
pub(crate) enum Toolchain {
    /// The Rust that runs us has the target.
    Rustup,
    /// Debian's Rust builds the library for the target itself, with linkers that it lacks and ours has.
    Debian {
        /// `rust-lld` and `wasm-component-ld`.
        linkers: PathBuf,
    },
}

impl Toolchain {
    /// What is there, else what can be had.
    ///
    /// # Errors
    /// If nothing can be had; the message tells what to install.
    pub(crate) fn set_up(root: &Path) -> Result<Self> {
        match env::var("WASGI_GUEST_TOOLCHAIN").as_deref() {
            Ok("rustup") => return rustup(root).with_context(|| advice("rustup cannot get the target")),
            Ok("debian") => return debian(root),
            Ok(other) => bail!("WASGI_GUEST_TOOLCHAIN is `{other}`: use `rustup` or `debian`"),
            Err(_) => {}
        }
        // What is there is used; what is missing comes from Debian's packages alone, unless somebody asks
        // for rustup by name: set-up takes nothing from other places of its own accord.
        if has_target(root) { Ok(Self::Rustup) } else { debian(root) }
    }

    /// One line for the user.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Rustup => format!("rustup's target {TARGET}"),
            Self::Debian { .. } => "Debian's rustc-web, building the standard library".to_owned(),
        }
    }

    /// `cargo build` for the target, without what the outer cargo left in the environment.
    pub(crate) fn cargo_build(&self) -> Result<Command> {
        let mut command = match self {
            Self::Rustup => clean_cargo(),
            Self::Debian { linkers } => {
                let mut command = Command::new("/usr/bin/cargo");
                clean(&mut command);
                command
                    .env("PATH", debian_path(linkers)?)
                    .env("RUSTC", "/usr/bin/rustc")
                    // For -Zbuild-std; Debian's compiler is a stable one.
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", "-Lnative=/usr/lib/wasm32-wasi");
                command
            }
        };
        command.args(["build", "--release", "--target", TARGET]);
        if matches!(self, Self::Debian { .. }) {
            command.arg("-Zbuild-std=std,panic_abort");
        }
        Ok(command)
    }
}

/// The cargo that runs us, in a clean environment: for the guests' workspace.
pub(crate) fn clean_cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    clean(&mut command);
    command
}

/// The outer cargo's flags are for the host's machine, its folders for the host's workspace.
pub(crate) fn clean(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let ours = text.starts_with("CARGO_PKG_")
            || text.starts_with("CARGO_PROFILE_")
            || text.starts_with("CARGO_BUILD_")
            || text.starts_with("CARGO_TARGET_")
            || [
                "CARGO_ENCODED_RUSTFLAGS",
                "CARGO_MANIFEST_DIR",
                "CARGO_MANIFEST_PATH",
                "RUSTFLAGS",
                "RUSTC",
                "RUSTC_WRAPPER",
            ]
            .contains(&&*text);
        if ours {
            command.env_remove(&name);
        }
    }
}

// === rustup ===

fn rustup(root: &Path) -> Result<Toolchain> {
    if !has_target(root) {
        println!("guests: rustup target add {TARGET}");
        succeed(Command::new("rustup").args(["target", "add", TARGET]).current_dir(root))?;
        if !has_target(root) {
            bail!("rustup added {TARGET} to another toolchain than `rustc` is of");
        }
    }
    Ok(Toolchain::Rustup)
}

fn has_target(root: &Path) -> bool {
    rustc(root, &["--print", "target-libdir", "--target", TARGET]).is_ok_and(|folder| Path::new(&folder).is_dir())
}

/// Asks the compiler that cargo would use for the guests.
fn rustc(root: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("rustc")
        .args(arguments)
        .current_dir(root)
        .stderr(Stdio::null())
        .output()
        .context("cannot start rustc")?;
    if !output.status.success() {
        bail!("rustc {} failed: {}", arguments.join(" "), output.status);
    }
    Ok(String::from_utf8(output.stdout).context("rustc printed no text")?.trim().to_owned())
}

// === Debian ===

fn debian(root: &Path) -> Result<Toolchain> {
    let linkers = linkers(root)?;
    if !debian_is_complete() {
        install()?;
    }
    if !debian_is_complete() {
        bail!(advice(
            "Debian's packages are installed, but what they should bring is missing (Debian 12 or later is needed)"
        ));
    }
    Ok(Toolchain::Debian { linkers })
}

fn debian_is_complete() -> bool {
    let files = [
        "/usr/bin/cargo",
        "/usr/bin/rustc",
        "/usr/lib/rustlib/src/rust/library/std/Cargo.toml",
        "/usr/lib/wasm32-wasi/libc.a",
    ];
    files.iter().all(|file| Path::new(file).exists())
        && Command::new("/usr/bin/rustc")
            .arg("--version")
            .output()
            .is_ok_and(|output| new_enough(&String::from_utf8_lossy(&output.stdout)))
}

/// The packages `rustc` and `cargo` own the same paths, and are years older.
fn new_enough(version: &str) -> bool {
    let mut numbers =
        version.split_whitespace().nth(1).unwrap_or_default().split('.').map_while(|number| number.parse::<u32>().ok());
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    (major, minor) >= (1, 95)
}

/// Debian's packages have no linker for components; every toolchain of rustup has.
fn linkers(root: &Path) -> Result<PathBuf> {
    let host = rustc(root, &["--print", "host-tuple"])?;
    let folder = Path::new(&rustc(root, &["--print", "sysroot"])?).join("lib/rustlib").join(host).join("bin");
    if !folder.join("wasm-component-ld").exists() {
        bail!(advice(&format!("there is no wasm-component-ld in {}", folder.display())));
    }
    Ok(folder)
}

fn debian_path(linkers: &Path) -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = [PathBuf::from("/usr/bin"), linkers.to_owned(), linkers.join("gcc-ld")];
    env::join_paths(folders.into_iter().chain(env::split_paths(&path))).context("a folder of PATH has a colon in it")
}

fn install() -> Result<()> {
    println!("guests: apt-get install {}", PACKAGES.join(" "));
    apt::install(&PACKAGES).map_err(|error| anyhow!(advice(&format!("{error:#}"))))
}

fn advice(reason: &str) -> String {
    format!(
        "{reason}; to build guests, run `rustup target add {TARGET}`, or on Debian, as root, `apt-get install {}`",
        PACKAGES.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_rustc_package_will_not_do() {
        assert!(!new_enough("rustc 1.63.0"));
        assert!(new_enough("rustc 1.96.0 (ac68faa20 2026-05-25)"));
        assert!(!new_enough(""));
    }
}
