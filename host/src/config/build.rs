//! Configurations from the command line alone, and the checks that all configurations share.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::limits::{AppLimits, HostLimits, Span};
use crate::router::RoutePattern;

use super::{AppConfig, AppName, Config, ConfigError, Flags, Grants, ListenAddr, Place, Problem, RequestBody};
use super::{DirGrant, EnvVar, Warm};

impl Config {
    /// One app at `/`, or each `NAME.wasm` of a directory at `/NAME`, in the order of their names.
    ///
    /// # Errors
    /// A path that cannot be read, a file name that is no app name, a directory without apps, `--env`
    /// or `--dir` beside a directory, or limits at odds with each other.
    pub fn from_path(path: &Path, flags: Flags) -> Result<Self, ConfigError> {
        let metadata = fs::metadata(path).map_err(|source| unreadable(path, source))?;
        if metadata.is_dir() { Self::from_directory(path, flags) } else { Self::from_component(path, flags) }
    }

    fn from_component(component: &Path, mut flags: Flags) -> Result<Self, ConfigError> {
        let name = name_of(component)?;
        let grants = grants_of(std::mem::take(&mut flags.env), std::mem::take(&mut flags.dirs))?;
        let app = app_of_flags(name, component.to_owned(), RoutePattern::everything(), &flags)?;
        Self::of_apps(vec![AppConfig { grants, ..app }], flags)
    }

    fn from_directory(dir: &Path, flags: Flags) -> Result<Self, ConfigError> {
        refuse_grants(&flags)?;
        let mut apps = Vec::new();
        for entry in fs::read_dir(dir).map_err(|source| unreadable(dir, source))? {
            let path = entry.map_err(|source| unreadable(dir, source))?.path();
            if path.extension().is_some_and(|extension| extension == "wasm") && path.is_file() {
                let name = name_of(&path)?;
                let route = RoutePattern::at_segment(name.as_str());
                apps.push(app_of_flags(name, path, route, &flags)?);
            }
        }
        if apps.is_empty() {
            return Err(invalid(dir, Problem::EmptyDirectory));
        }
        apps.sort_by(|a, b| a.name.cmp(&b.name));
        Self::of_apps(apps, flags)
    }

    fn of_apps(apps: Vec<AppConfig>, flags: Flags) -> Result<Self, ConfigError> {
        check_reuse_flag(&flags)?;
        let limits = flags.host_limits.apply(HostLimits::default());
        for app in &apps {
            check_limits(app, &limits)
                .map_err(|(flag, problem)| ConfigError::Usage { flag, problem: problem.into() })?;
        }
        Ok(Self {
            listen: if flags.listen.is_empty() { vec![ListenAddr::default()] } else { flags.listen },
            apps,
            tenants: BTreeMap::new(),
            limits,
            slot_reset: flags.slot_reset.unwrap_or_default(),
            trusted_peers: super::TrustedPeers::default(),
            grace: flags.grace.unwrap_or(GRACE),
            spool_dir: flags.spool_dir,
            cache_dir: flags.cache_dir,
            access_log: flags.access_log.unwrap_or_default(),
            access_log_format: flags.access_log_format.unwrap_or_default(),
        })
    }
}

/// Longer than most requests, shorter than the 90 s after which systemd kills.
pub(super) const GRACE: Span = Span::from_secs(30);

/// An app as the flags have it, without grants.
fn app_of_flags(
    name: AppName,
    component: PathBuf,
    route: RoutePattern,
    flags: &Flags,
) -> Result<AppConfig, ConfigError> {
    let limits = flags.app_limits.apply(AppLimits::default());
    let warm = Warm::of(flags.warm_min, flags.warm_max, limits.concurrency_max);
    let flag = if flags.warm_max.is_some() { "--warm-max" } else { "--warm-min" };
    Ok(AppConfig {
        tenant: name.as_tenant(),
        name,
        component,
        routes: vec![route],
        grants: Grants::default(),
        limits,
        reuse: flags.reuse.unwrap_or(1),
        warm: warm.map_err(|problem| ConfigError::Usage { flag, problem: problem.into() })?,
        request_body: flags.request_body.unwrap_or_default(),
    })
}

/// `--env` and `--dir` together; no guest path twice.
fn grants_of(env: Vec<EnvVar>, dirs: Vec<DirGrant>) -> Result<Grants, ConfigError> {
    if let Some(problem) = duplicate_guest_path(&dirs) {
        return Err(ConfigError::Usage { flag: "--dir", problem: problem.into() });
    }
    Ok(Grants { env: env.into_iter().map(|variable| (variable.name, variable.value)).collect(), dirs })
}

/// Refuses `--env` and `--dir` where they would go to several apps, who may not trust each other.
pub(super) fn refuse_grants(flags: &Flags) -> Result<(), ConfigError> {
    let flag = match flags {
        Flags { env, .. } if !env.is_empty() => "--env",
        Flags { dirs, .. } if !dirs.is_empty() => "--dir",
        _ => return Ok(()),
    };
    Err(ConfigError::Usage { flag, problem: Problem::SingleAppOnly.into() })
}

pub(super) fn check_reuse_flag(flags: &Flags) -> Result<(), ConfigError> {
    match flags.reuse {
        Some(0) => Err(ConfigError::Usage { flag: "--reuse", problem: Problem::ReuseZero.into() }),
        _ => Ok(()),
    }
}

/// The first guest path that a directory before it has.
fn duplicate_guest_path(dirs: &[DirGrant]) -> Option<Problem> {
    let mut taken = BTreeSet::new();
    let dir = dirs.iter().find(|dir| !taken.insert(&dir.guest))?;
    Some(Problem::DuplicateGuestPath(dir.guest.clone()))
}

/// Whether the limits of an app go together, and with those of the host; else the flag of the one to change.
///
/// Limits that merely never take effect are let pass: who sets `wall-max` under the default of `cpu-max` means it.
pub(super) fn check_limits(app: &AppConfig, host: &HostLimits) -> Result<(), (&'static str, Problem)> {
    let limits = &app.limits;
    let crossing = [
        ("--body-oneshot-max", limits.body_oneshot_max),
        ("--write-chunk-max", limits.write_chunk_max),
        ("--head-size-max", limits.head_size_max),
    ];
    for (flag, value) in crossing {
        // Such a call would trap before the limit's own, clearer error.
        if value > limits.hostcall_max {
            let limit = flag.trim_start_matches('-');
            return Err((flag, Problem::OverHostcallMax { limit, value, hostcall_max: limits.hostcall_max }));
        }
    }
    let is_spooled = app.request_body == RequestBody::Buffer && limits.body_max > limits.body_memory_max;
    if is_spooled && limits.body_max > host.spool_max {
        return Err(("--body-max", Problem::OverSpoolMax { body_max: limits.body_max, spool_max: host.spool_max }));
    }
    Ok(())
}

fn name_of(component: &Path) -> Result<AppName, ConfigError> {
    let stem = component.file_stem().unwrap_or_default().to_string_lossy();
    stem.parse().map_err(|error| invalid(component, Problem::FileName(error)))
}

fn invalid(path: &Path, problem: Problem) -> ConfigError {
    ConfigError::Invalid {
        place: Place { path: path.to_owned(), line: None, key: String::new() },
        problem: problem.into(),
    }
}

pub(super) fn unreadable(path: &Path, source: std::io::Error) -> ConfigError {
    ConfigError::Unreadable { path: path.to_owned(), source }
}
