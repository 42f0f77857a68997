//! host.toml: first as it is written, then as a [`Config`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;
use toml::Spanned;

use crate::limits::{AppLimits, AppLimitsPatch, HostLimits, LimitsPatch, Span};
use crate::router::RoutePattern;
use crate::text::printable;

use super::Weight;
use super::build::{self, GRACE};
use super::mend::mended;
use super::{AccessLogTarget, AppConfig, AppName, Config, ConfigError, DirGrant, EnvVar, Flags, Grants};
use super::{ListenAddr, Place, Problem, RequestBody, ResetMode, TenantConfig, TenantName, TrustedPeers, Warm};

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, expecting = "a table")]
struct RawConfig {
    listen: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    trusted_peers: Vec<Spanned<String>>,
    grace: Option<Span>,
    spool_dir: Option<PathBuf>,
    cache: Option<PathBuf>,
    slot_reset: Option<ResetMode>,
    access_log: Option<String>,
    access_log_format: Option<Spanned<String>>,
    #[serde(default)]
    limits: LimitsPatch,
    #[serde(default)]
    tenant: Vec<RawTenant>,
    #[serde(default)]
    app: Vec<RawApp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, expecting = "a table")]
struct RawTenant {
    name: Spanned<String>,
    concurrency_max: Option<Spanned<u32>>,
    weight: Option<Spanned<u32>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, expecting = "a table")]
struct RawApp {
    name: Spanned<String>,
    tenant: Option<Spanned<String>>,
    component: PathBuf,
    #[serde(default)]
    routes: Vec<Spanned<String>>,
    reuse: Option<Spanned<u32>>,
    warm: Option<Spanned<RawWarm>>,
    request_body: Option<RequestBody>,
    #[serde(default)]
    env: BTreeMap<Spanned<String>, String>,
    #[serde(default)]
    dir: Vec<RawDir>,
    #[serde(default)]
    limits: AppLimitsPatch,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RawWarm {
    min: Option<u32>,
    max: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, expecting = "a table")]
struct RawDir {
    host: PathBuf,
    guest: Spanned<String>,
    #[serde(default)]
    writable: bool,
}

impl Config {
    /// The configuration of a host.toml. Paths in it are relative to the file.
    ///
    /// # Errors
    /// A file that cannot be read, or the first thing in it that is wrong, with its line and key.
    pub fn from_file(file: &Path, flags: Flags) -> Result<Self, ConfigError> {
        let bytes = read(file).map_err(|source| build::unreadable(file, source))?;
        Self::from_bytes(file, bytes, flags)
    }

    /// The configuration of a host.toml with this content, told and related to `file`, which need not exist.
    ///
    /// # Errors
    /// The first thing in it that is wrong, with its line and key.
    pub fn from_bytes(file: &Path, bytes: Vec<u8>, flags: Flags) -> Result<Self, ConfigError> {
        build::refuse_grants(&flags)?;
        build::check_reuse_flag(&flags)?;
        let text = decoded(file, bytes)?;
        let source = Source { file, text: &text };
        let raw = source.parse()?;
        source.config(raw, flags)
    }
}

/// Longest host.toml: thousands of apps. What is no regular file may have no end.
const FILE_MAX: u64 = 16 << 20;

/// Longest part of the file in a message, in bytes.
const SHOWN_MAX: usize = 1024;

fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(file)?.take(FILE_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(io::Error::other(format!("it is larger than {FILE_MAX} bytes")));
    }
    Ok(bytes)
}

/// TOML is UTF-8.
fn decoded(file: &Path, bytes: Vec<u8>) -> Result<String, ConfigError> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        let source = Source { file, text: &valid };
        let problem = Problem::Toml("not UTF-8; save the file as UTF-8".into());
        source.invalid(Some(source.line(valid.len())), "", problem)
    })
}

/// The file in hand, to tell where an error is.
#[derive(Clone, Copy)]
struct Source<'a> {
    file: &'a Path,
    text: &'a str,
}

/// What holds for an app that does not say otherwise, and what it has to agree with.
struct Common {
    limits: AppLimits,
    host_limits: HostLimits,
    reuse: u32,
    warm: RawWarm,
    request_body: RequestBody,
    /// Empty if the file lists no tenants; then any name will do.
    tenants: BTreeMap<TenantName, TenantConfig>,
}

/// What the apps before have for themselves.
#[derive(Default)]
struct Taken {
    names: BTreeSet<AppName>,
    routes: BTreeMap<RoutePattern, AppName>,
}

// === the file as a whole ===

impl Source<'_> {
    fn parse(self) -> Result<RawConfig, ConfigError> {
        toml::from_str(self.text).map_err(|mut error| {
            let line = error.span().map(|span| self.line(span.start));
            // Without the text it shows the message, then the key on a line of its own.
            error.set_input(None);
            let shown = error.to_string();
            let key = shown.rsplit_once("\nin `").and_then(|(_, key)| key.trim_end().strip_suffix('`'));
            let key = key.unwrap_or_default();
            let message = match error.message().trim_end() {
                "duplicate key" => {
                    let name = error.span().and_then(|span| self.text.get(span)).unwrap_or_default();
                    format!("`{name}` is there already; delete one of the two")
                }
                message => mended(&message.replace('\n', " "), key),
            };
            // What the file has for keys stands in both as it is.
            let problem = Problem::Toml(printable(&message, SHOWN_MAX));
            self.invalid(line, &printable(key, SHOWN_MAX), problem)
        })
    }

    fn config(self, raw: RawConfig, flags: Flags) -> Result<Config, ConfigError> {
        let common = Common {
            limits: flags.app_limits.apply(raw.limits.app.apply(AppLimits::default())),
            host_limits: flags.host_limits.apply(raw.limits.host.apply(HostLimits::default())),
            reuse: flags.reuse.unwrap_or(1),
            warm: RawWarm { min: flags.warm_min, max: flags.warm_max },
            request_body: flags.request_body.unwrap_or_default(),
            tenants: self.tenants(raw.tenant)?,
        };
        let listen = self.listen(raw.listen)?;
        let trusted_peers = self.trusted_peers(&raw.trusted_peers)?;
        let format = raw.access_log_format.map(|format| self.parsed("access-log-format", &format)).transpose()?;
        Ok(Config {
            listen: if flags.listen.is_empty() { listen } else { flags.listen },
            apps: self.apps(raw.app, &common)?,
            tenants: common.tenants,
            limits: common.host_limits,
            slot_reset: flags.slot_reset.or(raw.slot_reset).unwrap_or_default(),
            trusted_peers,
            grace: flags.grace.or(raw.grace).unwrap_or(GRACE),
            spool_dir: flags.spool_dir.or(raw.spool_dir.map(|dir| self.path(&dir))),
            cache_dir: flags.cache_dir.or(raw.cache.map(|dir| self.path(&dir))),
            access_log: flags.access_log.or(raw.access_log.map(|target| self.access_log(&target))).unwrap_or_default(),
            access_log_format: flags.access_log_format.or(format).unwrap_or_default(),
        })
    }

    fn listen(self, raw: Option<Spanned<Vec<Spanned<String>>>>) -> Result<Vec<ListenAddr>, ConfigError> {
        let Some(list) = raw else { return Ok(vec![ListenAddr::default()]) };
        if list.get_ref().is_empty() {
            return Err(self.refused(&list, "listen", Problem::ListenNowhere));
        }
        let parse = |text| self.parsed("listen", text).map(|address: ListenAddr| address.relative_to(self.dir()));
        list.get_ref().iter().map(parse).collect()
    }

    fn trusted_peers(self, raw: &[Spanned<String>]) -> Result<TrustedPeers, ConfigError> {
        let mut peers = TrustedPeers::default();
        for text in raw {
            peers.add(text.get_ref()).map_err(|error| self.refused(text, "trusted-peers", error))?;
        }
        Ok(peers)
    }

    fn access_log(self, target: &str) -> AccessLogTarget {
        let Ok(target) = target.parse();
        match target {
            AccessLogTarget::File(path) => AccessLogTarget::File(self.path(&path)),
            other => other,
        }
    }

    fn tenants(self, raw: Vec<RawTenant>) -> Result<BTreeMap<TenantName, TenantConfig>, ConfigError> {
        let mut tenants = BTreeMap::new();
        for RawTenant { name, concurrency_max, weight } in raw {
            let tenant: TenantName = self.parsed("tenant.name", &name)?;
            if let Some(max) = concurrency_max.as_ref().filter(|max| *max.get_ref() == 0) {
                return Err(self.refused(max, "tenant.concurrency-max", Problem::TenantShutOut(tenant)));
            }
            let weight = match weight {
                Some(weight) => {
                    Weight::new(*weight.get_ref()).map_err(|error| self.refused(&weight, "tenant.weight", error))?
                }
                None => Weight::default(),
            };
            let config = TenantConfig { concurrency_max: concurrency_max.map(Spanned::into_inner), weight };
            if tenants.insert(tenant.clone(), config).is_some() {
                return Err(self.refused(&name, "tenant.name", Problem::DuplicateTenant(tenant)));
            }
        }
        Ok(tenants)
    }
}

// === one app ===

impl Source<'_> {
    fn apps(self, raw: Vec<RawApp>, common: &Common) -> Result<Vec<AppConfig>, ConfigError> {
        if raw.is_empty() {
            return Err(self.invalid(None, "app", Problem::NoApp));
        }
        let mut taken = Taken::default();
        raw.into_iter().map(|raw| self.app(raw, &mut taken, common)).collect()
    }

    fn app(self, raw: RawApp, taken: &mut Taken, common: &Common) -> Result<AppConfig, ConfigError> {
        let name: AppName = self.parsed("app.name", &raw.name)?;
        if !taken.names.insert(name.clone()) {
            return Err(self.refused(&raw.name, "app.name", Problem::DuplicateApp(name)));
        }
        let limits = raw.limits.apply(common.limits.clone());
        let warm = raw.warm.as_ref().map_or(common.warm, |warm| *warm.get_ref());
        let warm = Warm::of(warm.min, warm.max, limits.concurrency_max).map_err(|problem| match &raw.warm {
            Some(warm) => self.refused(warm, "app.warm", problem),
            None => self.refused(&raw.name, "app.limits.concurrency-max", problem),
        })?;
        let app = AppConfig {
            routes: self.routes(&raw, &name, &mut taken.routes)?,
            tenant: self.tenant(raw.tenant.as_ref(), &name, &common.tenants)?,
            name,
            component: self.path(&raw.component),
            grants: Grants { env: self.env(raw.env)?, dirs: self.dirs(raw.dir)? },
            limits,
            reuse: self.reuse(raw.reuse.as_ref())?.unwrap_or(common.reuse),
            warm,
            request_body: raw.request_body.unwrap_or(common.request_body),
        };
        build::check_limits(&app, &common.host_limits)
            .map_err(|(_, problem)| self.refused(&raw.name, "app.limits", problem))?;
        Ok(app)
    }

    /// The routes of one app, noted in `taken` as its own.
    fn routes(
        self,
        raw: &RawApp,
        app: &AppName,
        taken: &mut BTreeMap<RoutePattern, AppName>,
    ) -> Result<Vec<RoutePattern>, ConfigError> {
        if raw.routes.is_empty() {
            return Err(self.refused(&raw.name, "app.routes", Problem::NoRoute(app.clone())));
        }
        let mut routes = Vec::with_capacity(raw.routes.len());
        for text in &raw.routes {
            let route: RoutePattern = self.parsed("app.routes", text)?;
            if let Some(app) = taken.insert(route.clone(), app.clone()) {
                return Err(self.refused(text, "app.routes", Problem::DuplicateRoute { route, app }));
            }
            routes.push(route);
        }
        Ok(routes)
    }

    fn tenant(
        self,
        raw: Option<&Spanned<String>>,
        app: &AppName,
        known: &BTreeMap<TenantName, TenantConfig>,
    ) -> Result<TenantName, ConfigError> {
        let Some(raw) = raw else { return Ok(app.as_tenant()) };
        let tenant: TenantName = self.parsed("app.tenant", raw)?;
        if known.is_empty() || known.contains_key(&tenant) {
            return Ok(tenant);
        }
        Err(self.refused(raw, "app.tenant", Problem::UnknownTenant(tenant)))
    }

    fn reuse(self, raw: Option<&Spanned<u32>>) -> Result<Option<u32>, ConfigError> {
        match raw {
            Some(reuse) if *reuse.get_ref() == 0 => Err(self.refused(reuse, "app.reuse", Problem::ReuseZero)),
            reuse => Ok(reuse.map(|reuse| *reuse.get_ref())),
        }
    }

    fn env(self, raw: BTreeMap<Spanned<String>, String>) -> Result<BTreeMap<String, String>, ConfigError> {
        let mut env = BTreeMap::new();
        for (name, value) in raw {
            let variable =
                EnvVar::new(name.get_ref().clone(), value).map_err(|error| self.refused(&name, "app.env", error))?;
            env.insert(variable.name, variable.value);
        }
        Ok(env)
    }

    fn dirs(self, raw: Vec<RawDir>) -> Result<Vec<DirGrant>, ConfigError> {
        let mut dirs = Vec::with_capacity(raw.len());
        let mut taken = BTreeSet::new();
        for RawDir { host, guest, writable } in raw {
            let dir = DirGrant::new(host, guest.get_ref(), writable)
                .map_err(|error| self.refused(&guest, "app.dir", error))?;
            if !taken.insert(dir.guest.clone()) {
                return Err(self.refused(&guest, "app.dir.guest", Problem::DuplicateGuestPath(dir.guest)));
            }
            dirs.push(dir.relative_to(self.dir()));
        }
        Ok(dirs)
    }
}

// === places ===

impl Source<'_> {
    fn parsed<T>(self, key: &str, text: &Spanned<String>) -> Result<T, ConfigError>
    where
        T: FromStr,
        T::Err: Into<Problem>,
    {
        text.get_ref().parse().map_err(|error: T::Err| self.refused(text, key, error))
    }

    fn refused<T>(self, at: &Spanned<T>, key: &str, problem: impl Into<Problem>) -> ConfigError {
        self.invalid(Some(self.line(at.span().start)), key, problem.into())
    }

    fn invalid(self, line: Option<usize>, key: &str, problem: Problem) -> ConfigError {
        let place = Place { path: self.file.to_owned(), line, key: key.to_owned() };
        ConfigError::Invalid { place, problem: problem.into() }
    }

    /// The number of the line with the byte at `offset`.
    fn line(self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or_default();
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    fn dir(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }

    fn path(self, relative: &Path) -> PathBuf {
        self.dir().join(relative)
    }
}
