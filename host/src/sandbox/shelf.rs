//! The code of all apps, as much of it as fits `code-max`: loaded at an app's first request, dropped
//! when others need the room.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use arc_swap::ArcSwapOption;
use tokio::sync::Semaphore;

use crate::config::AppName;
use crate::own_threads;
use crate::sandbox::code::{Code, Serving};
use crate::sandbox::fault::Fault;
use crate::sandbox::pool::Pool;
use crate::sandbox::prepare::Artifact;
use crate::text::printable;

/// What a loaded component takes besides its code, in bytes: types, names, and what was linked. An estimate: of a
/// thousand small apps each takes 0.29 MiB once it has served, code included (`cargo xtask bench density`).
const METADATA: u64 = 160 << 10;

/// When there is no room, one part of so many is made: looking for what to drop is dear.
const ROOM_PART: u64 = 16;

/// The code that is loaded, and the engine that it is loaded into.
#[derive(Debug)]
pub(crate) struct Shelf {
    max: u64,
    /// Read while code is put on the shelf, so that none of an engine that was replaced gets there.
    serving: RwLock<Arc<Serving>>,
    kept: Mutex<Kept>,
    /// Loads so far. What was used last is told by it: it changes only when it matters.
    loads: AtomicU64,
    /// Loads at a time: more would only take the cores from requests.
    turns: Semaphore,
}

/// The place of one app's code on the shelf, where it is or will be.
#[derive(Debug)]
pub(crate) struct Volume {
    app: AppName,
    artifact: Artifact,
    pool: Arc<Pool>,
    shelf: Arc<Shelf>,
    code: ArcSwapOption<Code>,
    /// How many loads there had been when it was last used.
    used: AtomicU64,
    /// One load at a time; who waits finds the code loaded.
    loading: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Kept {
    bytes: u64,
    volumes: Vec<Weak<Volume>>,
}

impl Shelf {
    /// A shelf of `max` bytes for code of this engine.
    pub(crate) fn new(max: u64, serving: Arc<Serving>) -> Arc<Self> {
        let turns = std::thread::available_parallelism().map_or(1, usize::from);
        Arc::new(Self {
            max,
            serving: RwLock::new(serving),
            kept: Mutex::default(),
            loads: AtomicU64::new(0),
            turns: Semaphore::new(turns),
        })
    }

    /// The most volumes that may be loaded at the same time, each of which holds a file open.
    pub(crate) fn volumes_max(max: u64) -> u64 {
        max / METADATA + 1
    }

    /// Loads code into another engine from now on. What was loaded is to be [forgotten](Volume::forget).
    pub(crate) fn replace_engine(&self, serving: Arc<Serving>) {
        *self.serving.write().unwrap_or_else(PoisonError::into_inner) = serving;
        *self.kept() = Kept::default();
    }

    fn serving(&self) -> Arc<Serving> {
        Arc::clone(&self.serving.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts what has been loaded, and drops what was used longest ago if it is too much.
    fn keep(&self, volume: &Arc<Volume>) {
        let dropped = {
            let mut kept = self.kept();
            let fits = kept.bytes + volume.size() <= self.max;
            let target = (self.max - self.max / ROOM_PART).saturating_sub(volume.size());
            let dropped = if fits { Vec::new() } else { kept.make_room(target) };
            kept.bytes += volume.size();
            kept.volumes.push(Arc::downgrade(volume));
            dropped
        };
        for volume in dropped {
            tracing::debug!(app = %volume.app, "code dropped");
            volume.forget();
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // What a panic could leave behind is a wrong sum, which each drop mends.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Takes out the volumes used longest ago until there are at most `target` bytes. Those whose app
    /// wants warm instances stay: these would load them again at once.
    fn make_room(&mut self, target: u64) -> Vec<Arc<Volume>> {
        let volumes: Vec<_> = self.volumes.iter().filter_map(Weak::upgrade).collect();
        let uses: Vec<_> = volumes
            .iter()
            .map(|volume| (volume.used.load(Ordering::Relaxed), volume.size(), volume.is_pinned()))
            .collect();
        let chosen = oldest(&uses, target);
        let (dropped, kept): (Vec<_>, Vec<_>) = volumes.into_iter().zip(chosen).partition(|(_, chosen)| *chosen);
        self.bytes = kept.iter().map(|(volume, _)| volume.size()).sum();
        self.volumes = kept.iter().map(|(volume, _)| Arc::downgrade(volume)).collect();
        dropped.into_iter().map(|(volume, _)| volume).collect()
    }
}

impl Volume {
    /// A place for the code of an app, which is not loaded yet.
    pub(crate) fn new(app: AppName, artifact: Artifact, pool: Arc<Pool>, shelf: Arc<Shelf>) -> Arc<Self> {
        let (code, used, loading) = (ArcSwapOption::empty(), AtomicU64::new(0), tokio::sync::Mutex::new(()));
        Arc::new(Self { app, artifact, pool, shelf, code, used, loading })
    }

    /// What the code was compiled from.
    pub(crate) fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    /// The code, if it is loaded. Counts as a use of it.
    pub(crate) fn loaded(&self) -> Option<Arc<Code>> {
        let code = self.code.load_full()?;
        let loads = self.shelf.loads.load(Ordering::Relaxed);
        // Mostly it is what it was: then there is nothing to write that other cores would have to read.
        if self.used.load(Ordering::Relaxed) != loads {
            self.used.store(loads, Ordering::Relaxed);
        }
        Some(code)
    }

    /// The code, loaded now if it is not.
    ///
    /// # Errors
    /// [`Fault::Instantiate`] when the engine does not take it.
    pub(crate) async fn code(self: &Arc<Self>) -> Result<Arc<Code>, Fault> {
        if let Some(code) = self.loaded() {
            return Ok(code);
        }
        let _one = self.loading.lock().await;
        if let Some(code) = self.loaded() {
            return Ok(code);
        }
        let _turn = self.shelf.turns.acquire().await;
        loop {
            let serving = self.shelf.serving();
            let code = self.load(Arc::clone(&serving)).await?;
            if self.put(&serving, &code) {
                self.shelf.keep(self);
                return Ok(code);
            }
            // The engine was replaced meanwhile.
        }
    }

    /// Drops the code and the instances at rest; those at work finish.
    pub(crate) fn forget(&self) {
        let code = self.code.swap(None);
        self.pool.retire_all();
        drop(code);
    }

    /// Maps code and links it, away from the threads that serve.
    async fn load(self: &Arc<Self>, serving: Arc<Serving>) -> Result<Arc<Code>, Fault> {
        let volume = Arc::clone(self);
        let load = move || {
            fail::fail_point!("load", |_| Err(Fault::Instantiate("failure point".into())));
            let code = Code::load(&serving, &volume.artifact);
            code.map_err(|error| Fault::Instantiate(printable(&format!("{error:#}"), 2048)))
        };
        let loaded = own_threads::spawn(load).await;
        let code = loaded.map_err(|error| Fault::Instantiate(error.to_string()))??;
        tracing::debug!(app = %self.app, bytes = self.size(), "code loaded");
        Ok(Arc::new(code))
    }

    /// Puts code of `serving` in its place, unless that was replaced.
    fn put(&self, serving: &Arc<Serving>, code: &Arc<Code>) -> bool {
        let current = self.shelf.serving.read().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&current, serving) {
            return false;
        }
        self.used.store(self.shelf.loads.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.code.store(Some(Arc::clone(code)));
        true
    }

    fn size(&self) -> u64 {
        self.artifact.size() + METADATA
    }

    fn is_pinned(&self) -> bool {
        self.pool.keeps_warm()
    }
}

/// Which of these to drop so that at most `target` bytes are left. Each is when it was last used, its
/// size, and whether it must stay.
fn oldest(uses: &[(u64, u64, bool)], target: u64) -> Vec<bool> {
    let mut bytes: u64 = uses.iter().map(|(_, size, _)| size).sum();
    let mut order: Vec<usize> = (0..uses.len()).filter(|index| !uses[*index].2).collect();
    order.sort_by_key(|index| uses[*index].0);
    let mut chosen = vec![false; uses.len()];
    for index in order {
        if bytes <= target {
            break;
        }
        chosen[index] = true;
        bytes -= uses[index].1;
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let uses = [(3, 10, false), (1, 10, false), (2, 10, false)];
        assert_eq!(oldest(&uses, 30), [false; 3]);
        assert_eq!(oldest(&uses, 29), [false, true, false]);
        assert_eq!(oldest(&uses, 15), [false, true, true]);
        assert_eq!(oldest(&uses, 0), [true; 3]);
    }

    #[test]
    fn what_must_stay_stays_even_if_there_is_no_room() {
        let uses = [(1, 10, true), (2, 10, false)];
        assert_eq!(oldest(&uses, 0), [false, true]);
    }
}
