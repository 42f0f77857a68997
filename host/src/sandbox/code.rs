//! Compiled components in an engine, and what is set up once for all of them.

use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre, Linker};

use crate::client::Client;
use crate::sandbox::bindings;
use crate::sandbox::epoch::Ticker;
use crate::sandbox::exports::{Kind, Pre};
use crate::sandbox::fault::Fault;
use crate::sandbox::files;
use crate::sandbox::gate::Seat;
use crate::sandbox::meter::Meter;
use crate::sandbox::output::GuestLog;
use crate::sandbox::prepare::{self, Artifact, Refusal};
use crate::sandbox::store::{Guest, Terms, build_store};

/// An engine, with its ticker and with everything that a guest may import.
pub(crate) struct Serving {
    engine: Engine,
    ticker: Ticker,
    linker: Linker<Guest>,
}

/// A component, compiled and linked into one engine.
pub(crate) struct Code {
    serving: Arc<Serving>,
    pre: Pre,
}

impl Serving {
    /// # Errors
    /// None in practice: the names of the imports are ours and differ.
    pub(crate) fn new(engine: Engine, ticker: Ticker) -> wasmtime::Result<Arc<Self>> {
        let linker = linker(&engine)?;
        Ok(Arc::new(Self { engine, ticker, linker }))
    }
}

impl Code {
    /// Loads a compiled component into an engine and links it.
    ///
    /// # Errors
    /// When the artifact is not of this engine, or asks for what the host does not have.
    pub(crate) fn load(serving: &Arc<Serving>, artifact: &Artifact) -> wasmtime::Result<Self> {
        Self::link(serving, &artifact.load(&serving.engine)?, artifact.report.kind)
    }

    /// Links a component of this kind.
    ///
    /// # Errors
    /// Names the import that is missing or the export that is wrong.
    pub(crate) fn link(serving: &Arc<Serving>, component: &Component, kind: Kind) -> wasmtime::Result<Self> {
        let pre = Pre::link(&serving.linker, component, kind)?;
        Ok(Self { serving: Arc::clone(serving), pre })
    }

    /// Makes one instance under the app's limits: what would fail for every request is refused now.
    ///
    /// # Errors
    /// Names the limit or the misfit.
    pub(crate) async fn try_instance(
        &self,
        terms: &Arc<Terms>,
        seat: &Seat,
        log: Arc<dyn GuestLog>,
    ) -> Result<(), Refusal> {
        let meter = Arc::new(Meter::start(&terms.limits, Arc::new(Client::default())));
        let mut store = build_store(&self.serving.engine, Arc::clone(terms), Arc::clone(&meter), log);
        match meter.supervise(seat, &self.serving.ticker, self.pre.instantiate(&mut store)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if store.data().limiter.host_is_exhausted() || prepare::is_exhaustion(&error) => {
                Err(Refusal::Exhausted)
            }
            Ok(Err(error)) => {
                let out_of_memory = store.data_mut().limiter.take_refused();
                Err(match Fault::from_instantiation(&error, out_of_memory) {
                    Fault::Instantiate(text) => Refusal::Link(text),
                    fault => Refusal::Instantiate(fault.to_string()),
                })
            }
            Err(overrun) => Err(Refusal::Instantiate(overrun.to_string())),
        }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.serving.engine
    }

    pub(crate) fn ticker(&self) -> &Ticker {
        &self.serving.ticker
    }

    pub(crate) fn pre(&self) -> &Pre {
        &self.pre
    }
}

impl std::fmt::Debug for Serving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serving").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Code").finish_non_exhaustive()
    }
}

/// Everything a guest may import.
///
/// # Errors
/// None in practice: the names are ours and differ.
fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    files::add_to_linker(&mut linker)?;
    bindings::App::add_to_linker::<_, wasmtime::component::HasSelf<Guest>>(&mut linker, |guest| guest)?;
    Ok(linker)
}

/// Links a component and checks its exports.
///
/// # Errors
/// Names the import that is missing or the export that is wrong.
pub(crate) fn link(engine: &Engine, component: &Component) -> wasmtime::Result<InstancePre<Guest>> {
    let shape = component.component_type();
    // Of what has no kind, the contract of wasgi tells what is missing.
    let kind = Kind::of(shape.exports(engine).map(|(name, _)| name)).unwrap_or(Kind::Gateway);
    Ok(Pre::link(&linker(engine)?, component, kind)?.instance_pre().clone())
}
