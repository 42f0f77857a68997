//! Where things are: the workspace, the binary, the cache, the host's listeners.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Where a host listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An IP address and port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl Address {
    /// Reads what stands behind `listening on `.
    pub(crate) fn parse(text: &str) -> Self {
        if let Some(path) = text.strip_prefix("unix:") {
            return Self::Unix(path.into());
        }
        let address = text.strip_prefix("http://").unwrap_or_else(|| panic!("not a URL: {text:?}"));
        Self::Tcp(address.parse().unwrap_or_else(|error| panic!("not an address: {address:?}: {error}")))
    }
}

/// The workspace's folder.
pub fn workspace() -> &'static Path {
    let harness = Path::new(env!("CARGO_MANIFEST_DIR"));
    harness.ancestors().nth(2).expect("this crate lies in tests/harness of the workspace")
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), |dir| workspace().join(dir))
}

/// The binary under test: `WASGI_BIN`, else the debug build. Built with the feature `failpoints`.
///
/// # Panics
/// If it is not there.
pub fn binary() -> PathBuf {
    let binary = std::env::var_os("WASGI_BIN").map_or_else(|| target().join("debug/wasgi"), PathBuf::from);
    assert!(binary.is_file(), "{} is missing: run cargo xtask test", binary.display());
    binary
}

/// The compile cache that all tests share, so that each guest is compiled once. Entries are keyed by content, and
/// the host renames them into place, so tests may run beside each other and after a rebuild.
pub fn cache_dir() -> PathBuf {
    target().join("test-cache")
}

/// The folder of the programs that Python apps are built with, where `cargo xtask guests` has put them for all clones of
/// this user.
///
/// # Panics
/// If they are not there.
pub fn python_tools() -> PathBuf {
    let tools = tools().join("componentize/bin");
    assert!(
        tools.join("componentize-py").is_file(),
        "{} has no componentize-py: run cargo xtask test",
        tools.display()
    );
    tools
}

/// Node and the packages that JavaScript guests are built with: a folder with `bin` and `node_modules`.
///
/// # Panics
/// If they are not there.
pub fn javascript_tools() -> PathBuf {
    let tools = tools().join("javascript");
    assert!(tools.join("node_modules/esbuild").is_dir(), "{} has no esbuild: run cargo xtask test", tools.display());
    tools
}

/// Go's programs, and the cache with the standard library that `cargo xtask guests` has built.
///
/// # Panics
/// If they are not there.
pub fn go_tools() -> (PathBuf, PathBuf) {
    let programs = tools().join("go/bin");
    assert!(programs.join("go").is_file(), "{} has no go: run cargo xtask test", programs.display());
    (programs, tools().with_file_name("guests").join("go-build"))
}

/// Where `cargo xtask` installs what guests are built with.
fn tools() -> PathBuf {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    cache.expect("XDG_CACHE_HOME or HOME is set").join("wasgi/tools")
}
