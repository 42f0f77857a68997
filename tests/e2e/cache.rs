//! The compile cache: a second start compiles nothing, and what is not sound is compiled again.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use wasgi_harness::{Host, Wasgi, files, guest};

/// Starts a host with this cache, serves one request and stops it: its log.
fn served(cache: &Path) -> Vec<String> {
    let host = Host::serving("hello").cache(cache).log_filter("debug").start();
    host.get("/").expect_text("Hello, world!\n");
    host.stop().log
}

/// The one file of `dir` with this extension.
fn only(dir: &Path, extension: &str) -> PathBuf {
    let entries = fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path());
    let mut found: Vec<_> = entries.filter(|path| path.extension().is_some_and(|other| other == extension)).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// A cache with the compiled guest, and its code.
fn warm() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    assert!(!loaded(&served(dir.path())));
    let code = only(dir.path(), "cwasm");
    (dir, code)
}

/// Whether the code came from the cache.
fn loaded(log: &[String]) -> bool {
    log.iter().any(|line| line.contains("found in the compile cache"))
}

/// What changes when a file is written again.
fn identity(path: &Path) -> (u64, i64, i64) {
    let metadata = fs::metadata(path).unwrap();
    (metadata.ino(), metadata.mtime(), metadata.mtime_nsec())
}

#[test]
fn a_second_start_compiles_nothing() {
    let (dir, code) = warm();
    let before = identity(&code);
    assert!(loaded(&served(dir.path())));
    assert_eq!(identity(&code), before, "the code was not written again");
}

#[test]
fn the_same_component_under_another_name_is_not_compiled_again() {
    let (dir, code) = warm();
    let apps = Host::dir(&["hello"]);
    fs::rename(apps.path("apps/hello.wasm"), apps.path("apps/renamed.wasm")).unwrap();
    let host = apps.cache(dir.path()).log_filter("debug").start();
    host.get("/renamed").expect_text("Hello, world!\n");
    assert!(loaded(&host.stop().log));
    assert_eq!(only(dir.path(), "cwasm"), code);
}

#[test]
fn what_is_kept_is_for_its_user_alone() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("made/by/the/host");
    served(&dir);
    assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
    for entry in fs::read_dir(&dir).unwrap().flatten() {
        assert_eq!(entry.metadata().unwrap().mode() & 0o777, 0o600, "{entry:?}");
    }
}

/// Serves once more: the damaged entry is not trusted, and a sound one takes its place.
#[track_caller]
fn is_compiled_again(dir: &Path, code: &Path) {
    let before = identity(code);
    let log = served(dir);
    assert!(!loaded(&log), "{log:#?}");
    assert_ne!(identity(code), before, "the code was written again");
    assert!(loaded(&served(dir)), "and is sound now");
}

#[test]
fn damaged_code_is_compiled_again() {
    let (dir, code) = warm();
    let sound = fs::read(&code).unwrap();
    for at in [0, sound.len() / 2, sound.len() - 1] {
        let mut damaged = sound.clone();
        damaged[at] ^= 1;
        fs::write(&code, damaged).unwrap();
        is_compiled_again(dir.path(), &code);
    }
}

#[test]
fn truncated_code_is_compiled_again() {
    let (dir, code) = warm();
    let sound = fs::read(&code).unwrap();
    for length in [0, 100, sound.len() - 1] {
        fs::write(&code, &sound[..length]).unwrap();
        is_compiled_again(dir.path(), &code);
    }
}

#[test]
fn code_of_another_version_is_compiled_again() {
    let (dir, code) = warm();
    let about = only(dir.path(), "json");
    let sound = fs::read_to_string(&about).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert!(sound.contains(&format!("\"{version}\"")), "the version is in {sound}");
    for other in [sound.replace(version, "99.0.0"), "{}".into(), "not JSON".into(), String::new()] {
        fs::write(&about, other).unwrap();
        is_compiled_again(dir.path(), &code);
    }
}

#[test]
fn code_without_its_hash_and_a_hash_without_its_code_are_compiled_again() {
    let (dir, code) = warm();
    fs::remove_file(only(dir.path(), "json")).unwrap();
    is_compiled_again(dir.path(), &code);
    fs::remove_file(&code).unwrap();
    assert!(!loaded(&served(dir.path())));
    assert!(loaded(&served(dir.path())));
}

#[test]
fn code_that_others_can_write_is_compiled_again() {
    let (dir, code) = warm();
    for mode in [0o666, 0o620, 0o602] {
        for path in [&code, &only(dir.path(), "json")] {
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
            is_compiled_again(dir.path(), &code);
        }
    }
}

#[test]
fn a_cache_that_others_can_write_is_not_used() {
    let (dir, code) = warm();
    for mode in [0o777, 0o720, 0o1777] {
        fs::set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
        let before = identity(&code);
        let log = served(dir.path());
        assert!(!loaded(&log), "{log:#?}");
        assert!(log.iter().any(|line| line.contains("WARN") && line.contains("--cache")), "{log:#?}");
        assert_eq!(identity(&code), before, "nor is it written");
    }
}

#[test]
fn an_entry_that_is_a_link_is_not_followed_into_another_file() {
    let (dir, code) = warm();
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("code");
    fs::rename(&code, &target).unwrap();
    fs::write(&target, "not code").unwrap();
    std::os::unix::fs::symlink(&target, &code).unwrap();
    assert!(!loaded(&served(dir.path())));
    assert_eq!(fs::read_to_string(&target).unwrap(), "not code");
    assert!(loaded(&served(dir.path())));
}

#[test]
fn an_entry_that_is_a_pipe_is_not_waited_for() {
    let (dir, code) = warm();
    for pipe in [only(dir.path(), "json"), code.clone()] {
        fs::remove_file(&pipe).unwrap();
        files::make_fifo(&pipe);
        is_compiled_again(dir.path(), &code);
    }
}

#[test]
fn an_entry_under_the_name_of_another_is_not_trusted() {
    let (dir, hello) = warm();
    // Both are sound; only their names are those of the other.
    let outcome = Wasgi::new(["check"]).without_cache_flag().arg(guest("environ")).arg("--cache").arg(dir.path());
    assert_eq!(outcome.finish().code, Some(0));
    let entries = fs::read_dir(dir.path()).unwrap().flatten().map(|entry| entry.path());
    let code = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "cwasm");
    let environ = entries.filter(code).find(|path| *path != hello).unwrap();
    let aside = dir.path().join("aside");
    for extension in ["cwasm", "json"] {
        let (one, other) = (hello.with_extension(extension), environ.with_extension(extension));
        fs::rename(&one, &aside).unwrap();
        fs::rename(&other, &one).unwrap();
        fs::rename(&aside, &other).unwrap();
    }
    is_compiled_again(dir.path(), &hello);
}

#[test]
fn apps_that_do_not_fit_the_cache_together_are_served_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    // Room for none: each entry is dropped when the next is made.
    let host = Host::dir(&["hello", "conformance", "environ"]).cache(dir.path()).args(["--cache-max", "0"]).start();
    host.get("/hello").expect_text("Hello, world!\n");
    host.get("/conformance/hello").expect_text("hello");
    host.get("/environ").expect(200);
}

#[test]
fn a_cache_of_the_user_that_takes_no_files_is_done_without() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join(".cache/wasgi")).unwrap();
    // A folder that belongs to the user, and takes no files even from root.
    std::os::unix::fs::symlink("/proc/self/task", home.path().join(".cache/wasgi/compiled")).unwrap();
    let check = Wasgi::new(["check"]).without_cache_flag().arg(guest("hello"));
    let outcome = check.env("HOME", home.path()).env("WASGI_LOG", "warn").finish();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.contains("it would be served"), "{outcome:?}");
    assert!(outcome.message().contains("for this run only"), "{outcome:?}");
}

#[test]
fn hosts_that_start_at_the_same_time_share_a_cache() {
    let dir = tempfile::tempdir().unwrap();
    let start = || Host::dir(&["hello", "conformance"]).cache(dir.path()).start();
    std::thread::scope(|scope| {
        let hosts: Vec<_> = (0..3).map(|_| scope.spawn(start)).collect();
        for host in hosts {
            host.join().unwrap().get("/hello").expect_text("Hello, world!\n");
        }
    });
    let left = fs::read_dir(dir.path()).unwrap().flatten().map(|entry| entry.file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with('.')).collect();
    assert!(left.is_empty(), "nothing half-made stays: {left:?}");
}

#[test]
fn without_the_flag_the_cache_is_the_users() {
    let home = tempfile::tempdir().unwrap();
    let check = Wasgi::new(["check"]).without_cache_flag().arg(guest("hello"));
    let outcome = check.env("HOME", home.path()).finish();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    only(&home.path().join(".cache/wasgi/compiled"), "cwasm");
}
