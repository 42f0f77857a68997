//! Flags that several subcommands share.

use std::path::PathBuf;

use clap::Args;

use crate::config::{DirGrant, EnvVar, Flags, RequestBody, ResetMode};
use crate::limits::{AppLimitsPatch, HostLimitsPatch};

/// What an app is given and may use.
#[derive(Debug, Args)]
pub(super) struct AppFlags {
    /// Gives a single app an environment variable
    #[arg(long, value_name = "KEY=VALUE")]
    env: Vec<EnvVar>,
    /// Gives a single app a directory, writable unless `:ro` follows
    #[arg(long, value_name = "HOST:GUEST[:ro]")]
    dir: Vec<DirGrant>,
    /// Requests that one instance serves, at most; up to an eighth less, so that not all end at once [default: 1, a fresh instance for each]
    #[arg(long, value_name = "N")]
    reuse: Option<u32>,
    /// Instances of each app that are made before a request asks for them, even if none comes [default: 0]
    #[arg(long, value_name = "N")]
    warm_min: Option<u32>,
    /// The same, at most, as requests ask for them; until then each is made when its request comes [default: warm-min]
    #[arg(long, value_name = "N")]
    warm_max: Option<u32>,
    /// Whether the app is called after its request body has come (buffer) or before (stream) [default: buffer]
    #[arg(long, value_name = "MODE")]
    request_body: Option<RequestBody>,
    /// Where compiled components are kept [default: wasgi/compiled in the user's cache directory]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Where request bodies wait that are too large for memory [default: /var/tmp]
    #[arg(long, value_name = "DIR")]
    spool_dir: Option<PathBuf>,
    /// How an instance's memory is made clean for the next: `auto` takes the fast way where nothing can be swapped,
    /// `madvise` never [default: auto]
    #[arg(long, value_name = "WAY")]
    slot_reset: Option<ResetMode>,
    /// Shows errors in full to clients; for development only
    #[arg(long)]
    pub(super) dev: bool,
    #[command(flatten)]
    app_limits: AppLimitsPatch,
    #[command(flatten)]
    host_limits: HostLimitsPatch,
}

impl AppFlags {
    /// As the configuration takes them.
    pub(super) fn into_flags(self) -> Flags {
        Flags {
            host_limits: self.host_limits,
            app_limits: self.app_limits,
            reuse: self.reuse,
            warm_min: self.warm_min,
            warm_max: self.warm_max,
            request_body: self.request_body,
            env: self.env,
            dirs: self.dir,
            spool_dir: self.spool_dir,
            cache_dir: self.cache,
            slot_reset: self.slot_reset,
            ..Flags::default()
        }
    }
}
