//! One app, from its `.wasm` file to what it is served by: what it brought along, what it was granted of
//! what it asks for, and its code.

use std::fs::File;
use std::io;
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};

use crate::bundle::Asks;
use crate::bundle::asks::is_within;
use crate::bundle::mounts::Mounts;
use crate::config::{AppConfig, AppName, Warm};
use crate::sandbox::apps::LoadError;
use crate::sandbox::output::GuestLog;
use crate::sandbox::prepare::{Artifact, Workshop};
use crate::sandbox::store::Terms;
use crate::sandbox::wasi::OpenError;
use crate::text::printable;

/// Asks that are not granted and told one by one; the others are counted.
const TOLD_MAX: usize = 20;

/// An app that can be put into a pool.
#[derive(Debug)]
pub(crate) struct Deployed {
    /// As configured, and held to what the app asks to be held to.
    pub(crate) config: AppConfig,
    pub(crate) artifact: Artifact,
    pub(crate) terms: Arc<Terms>,
    pub(crate) asks: Asks,
    pub(crate) claims: Claims,
}

/// The granted directories of an app, locked for as long as this lives: shared with other apps, or for
/// this one alone.
#[derive(Debug, Default)]
pub(crate) struct Claims(#[expect(dead_code, reason = "held, not read")] Vec<File>);

/// Reads, unpacks, checks and compiles an app, each part of it at most once for the same content.
///
/// # Errors
/// [`LoadError`].
pub(crate) async fn deploy(
    config: &AppConfig,
    workshop: &Arc<Workshop>,
    log: Arc<dyn GuestLog>,
) -> Result<Deployed, LoadError> {
    let app = || config.name.clone();
    let package = workshop.open(&config.component).await.map_err(|error| LoadError::Prepare { app: app(), error })?;
    let asks = package.asks;
    tell_missing(&config.name, &asks, config);
    let mut config = held_to(config, &asks);
    let mounts = Mounts::new(package.bundle, &asks, &config.grants.dirs)
        .map_err(|error| LoadError::Mount { app: app(), error })?;
    let claims = Claims::take(&config, &asks)?;
    let terms = Terms::open(config.limits.clone(), config.grants.clone(), Arc::new(mounts))
        .map_err(|OpenError { dir, error }| LoadError::Grant { app: app(), dir, error })?;
    let terms = Arc::new(terms);
    let artifact = workshop
        .prepare((&config.component, package.component), &terms, log)
        .await
        .map_err(|error| LoadError::Prepare { app: app(), error })?;
    let kind = artifact.report.kind;
    if kind.reuse(config.reuse) < config.reuse {
        tracing::info!(app = %config.name, reuse = config.reuse, "it is {kind}, which runs once for each request: no instance is reused");
        config.reuse = kind.reuse(config.reuse);
    }
    Ok(Deployed { config, artifact, terms, asks, claims })
}

/// The configuration of an app that may have to run as one instance at a time.
fn held_to(config: &AppConfig, asks: &Asks) -> AppConfig {
    let mut config = config.clone();
    if asks.is_single(&config.grants) {
        let warm = config.warm.max;
        tracing::info!(app = %config.name, warm, "it asks to run as one instance at a time, so it does, and none is made in advance");
        config.limits.concurrency_max = 1;
        // One that is made in advance would be a second.
        config.warm = Warm::default();
    }
    config
}

/// Tells the operator what the app may be missing.
fn tell_missing(app: &AppName, asks: &Asks, config: &AppConfig) {
    let missing = asks.missing(&config.grants);
    for missing in missing.iter().take(TOLD_MAX) {
        let (ask, mend) = (printable(&missing.ask, 1024), printable(&missing.mend, 2048));
        tracing::warn!(app = %app, "it asks for {ask}, which is not granted; to grant it: {mend}");
    }
    if missing.len() > TOLD_MAX {
        let more = missing.len() - TOLD_MAX;
        tracing::warn!(app = %app, "it asks for {more} more that are not granted; `wasgi check` lists them");
    }
}

impl Claims {
    /// Locks the directories of an app: those that it asks to have alone for itself, the others against
    /// just that.
    ///
    /// # Errors
    /// [`LoadError::Claimed`] when another has claimed one, [`LoadError::Grant`] when one cannot be opened.
    fn take(config: &AppConfig, asks: &Asks) -> Result<Self, LoadError> {
        let mut claims = Vec::new();
        for dir in &config.grants.dirs {
            let failed = |error: io::Error| LoadError::Grant { app: config.name.clone(), dir: dir.host.clone(), error };
            let single = asks.dirs.iter().filter(|ask| ask.single);
            let alone =
                single.into_iter().any(|ask| is_within(&ask.path, &dir.guest) || is_within(&dir.guest, &ask.path));
            let how = match alone {
                true => FlockOperation::NonBlockingLockExclusive,
                false => FlockOperation::NonBlockingLockShared,
            };
            // Read as a check too: not all that can be opened can be listed.
            std::fs::read_dir(&dir.host).map_err(failed)?;
            let opened = File::open(&dir.host).map_err(failed)?;
            match flock(&opened, how).map_err(io::Error::from) {
                Ok(()) => claims.push(opened),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(LoadError::Claimed { app: config.name.clone(), dir: dir.host.clone(), alone });
                }
                Err(error) if alone => return Err(failed(error)),
                // Not every file system has locks, and this one is for the others' sake.
                Err(error) => tracing::debug!(dir = ?dir.host, %error, "a granted directory cannot be locked"),
            }
        }
        Ok(Self(claims))
    }
}

/// What is at odds when a directory cannot be claimed.
pub(crate) fn at_odds(alone: bool) -> &'static str {
    match alone {
        true => "which it must have alone, is in use by another app or another wasgi",
        false => "is in use by another app or another wasgi that must have it alone",
    }
}
