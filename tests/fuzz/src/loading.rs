//! Hosts within this process, for targets that need a whole one.

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use wasgi::config::{Config, Flags};
use wasgi::host::{Host, Setting, StartError};
use wasgi::sandbox::apps::LoadError;
use wasgi::sandbox::prepare::{Compiler, PrepareError, Refusal};
use wasgi::telemetry::AccessLog;

use crate::input::assert_is_one_line;

/// A folder that is there for as long as the process: for compiled code, the spool and components.
pub(crate) fn scratch() -> &'static Path {
    static SCRATCH: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());
    SCRATCH.path()
}

/// A runtime on one thread whose clock goes on by itself when there is nothing else to do: what waits for minutes is
/// done at once, and what waits for ever is found out.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

/// A host of the host.toml `text`, which compiles in this process.
pub(crate) async fn load(text: &str) -> Result<Host, StartError> {
    let text = format!("cache = \"cache\"\nspool-dir = \"spool\"\n{text}");
    std::fs::create_dir_all(scratch().join("spool")).unwrap();
    let config = Config::from_bytes(&scratch().join("host.toml"), text.into_bytes(), Flags::default()).unwrap();
    let setting = Setting { compiler: Compiler::InProcess, access_log: AccessLog::off(), dev: true };
    Host::load(&config, setting).await
}

/// What came of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Served {
    /// It is not served.
    Refused,
    /// The request was answered with this status.
    Answered(u16),
}

/// Loads a component as `wasgi check` does, and sends it one request if it may be served.
pub(crate) fn serve_once(component: &[u8]) -> Served {
    // wasmparser descends into types that are nested as deep as the input is long. In the compile child that ends
    // the child; here there has to be room for it.
    const STACK: usize = 1 << 30;
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(STACK);
        let served = builder.spawn_scoped(scope, || serve(component)).expect("a thread");
        served.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn serve(component: &[u8]) -> Served {
    // One of its own: tests run beside each other.
    let file = tempfile::Builder::new().suffix(".wasm").tempfile_in(scratch()).unwrap();
    std::fs::write(&file, component).unwrap();
    let app = APP.replace("FILE", &file.path().display().to_string());
    let runtime = runtime();
    let served = runtime.block_on(async {
        let host = match load(&app).await {
            Ok(host) => host,
            Err(StartError::Load(LoadError::Prepare { error: PrepareError::Refused { refusal, .. }, .. })) => {
                assert!(!matches!(refusal, Refusal::Host(_)), "not the component's doing: {refusal}");
                assert_is_one_line(&refusal.to_string());
                return Served::Refused;
            }
            Err(error) => panic!("not the component's doing: {error}"),
        };
        let request = http::Request::post("/path?query").header("host", "localhost").body(Full::new("body".into()));
        let (head, body) = host.handle(request.unwrap()).await.into_parts();
        // A body may be cut, yet it ends.
        let _ = tokio::time::timeout(FOREVER, body.collect()).await.expect("the body never ends");
        tokio::time::timeout(FOREVER, host.drain(FOREVER, std::future::pending())).await.expect("the guest never ends");
        Served::Answered(head.status.as_u16())
    });
    // What is left of the guest ends with it.
    drop(runtime);
    served
}

/// Far past every limit; on the clock of [`runtime`] it takes no time.
pub(crate) const FOREVER: Duration = Duration::from_secs(3600);

/// The app of [`serve_once`]: limits that one generated loop cannot stretch.
const APP: &str = r#"
    [limits]
    cpu-max = "50ms"
    memory-max = "16MiB"
    instances-max = 1
    cache-max = "8MiB"
    [[app]]
    name = "app"
    component = 'FILE'
    routes = ["/"]
"#;
