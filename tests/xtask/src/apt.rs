//! Debian's packages.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::phase::succeed;

/// Installs packages, as root or by sudo if it asks for no password.
///
/// # Errors
/// If this is no Debian, we may not, or apt-get fails.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("this is no Debian");
    }
    let root = rustix::process::geteuid().is_root();
    let sudo = || {
        Command::new("sudo").args(["-n", "true"]).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    if !root && !sudo() {
        bail!("packages are missing, and only root may install them");
    }
    let apt = |arguments: &[&str]| {
        let mut command = if root { Command::new("apt-get") } else { Command::new("sudo") };
        if !root {
            command.args(["-n", "apt-get"]);
        }
        // Its long story goes to stderr, so that our lines stay readable.
        command
            .arg("-qq")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .stdout(std::io::stderr());
        succeed(&mut command)
    };
    apt(&["update"])?;
    apt(&[["install", "-y", "--no-install-recommends"].as_slice(), packages].concat())
}
