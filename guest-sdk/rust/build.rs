//! Finds out which libc the guest is linked with, for `initialize` has to tidy up after it.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// Only the WASI 0.2 libc has it; the older one reaches WASI through the preview-1 adapter.
const MARK: &[u8] = b"__wasilibc_init_stdio";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(wasi_libc, values(\"p1\", \"p2\"))");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("wasi") {
        return;
    }
    let libc = if has_p2_libc() { "p2" } else { "p1" };
    println!("cargo::rustc-cfg=wasi_libc=\"{libc}\"");
}

/// Tool chains without a libc of their own (Debian's) use the system's, which is of preview 1.
fn has_p2_libc() -> bool {
    let (Ok(rustc), Ok(target)) = (env::var("RUSTC"), env::var("TARGET")) else {
        return false;
    };
    let Ok(sysroot) = Command::new(rustc).args(["--print", "sysroot"]).output() else {
        return false;
    };
    let sysroot = String::from_utf8_lossy(&sysroot.stdout).trim().to_owned();
    let libc = Path::new(&sysroot).join("lib/rustlib").join(target).join("lib/self-contained/libc.a");
    fs::read(libc).is_ok_and(|archive| archive.windows(MARK.len()).any(|window| window == MARK))
}
