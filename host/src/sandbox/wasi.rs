//! What a guest gets of WASI: its granted environment and directories, clocks, random numbers and
//! its own log. No arguments, no stdin, no network; nothing of the host's environment.

use wasmtime_wasi::{FsPerms, WasiCtx};

use crate::config::Grants;
use crate::sandbox::output::{Channel, Output};

/// Most random bytes one call may ask for.
const RANDOM_MAX: u64 = 64 * 1024;

/// The context of one instance.
pub(crate) fn context(grants: &Grants, output: &Output) -> WasiCtx {
    let mut builder = WasiCtx::builder();
    builder
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .max_random_size(RANDOM_MAX)
        .stdout(output.stream(Channel::Stdout))
        .stderr(output.stream(Channel::Stderr));
    for (key, value) in &grants.env {
        builder.env(key, value);
    }
    for dir in &grants.dirs {
        let permissions = if dir.writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
        if let Err(error) = builder.preopened_dir(&dir.host, &dir.guest, permissions) {
            // Checked when the app was loaded, so it was removed since: the guest finds it absent.
            tracing::error!(dir = ?dir.host, %error, "cannot open a granted directory; restore it or end its grant");
        }
    }
    builder.build()
}
