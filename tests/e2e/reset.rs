//! How the memory of an instance is made clean for the next one, and what happens when swap appears.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;
use wasgi_harness::{Host, HostBuilder, Request, Wasgi, guest};

const NO_SWAP: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";

/// A host that takes a file of its own folder for /proc/swaps; no swap is in it yet.
fn host_with_list_of_swaps(builder: HostBuilder) -> (HostBuilder, std::path::PathBuf) {
    let list = builder.path("swaps");
    fs::write(&list, NO_SWAP).unwrap();
    let points = format!("swaps=return({})", list.display());
    (builder.failing(&points), list)
}

/// Whether the host resets slots by the scan; says why the test ends here if not.
fn scans(host: &Host) -> bool {
    let line = host.log().wait("instance pool reserved");
    let scans = line.contains("pagemap_scan: ");
    if !scans {
        println!("skipped: {line}");
    }
    scans
}

fn turn_swap_on(list: &Path) {
    fs::write(list, format!("{NO_SWAP}/dev/sda2 partition 1048572 0 -2\n")).unwrap();
}

#[test]
fn the_scan_can_be_turned_off_and_not_on() {
    let host = Host::serving("hello").args(["--slot-reset", "madvise"]).start();
    host.log().wait_with(&["instance pool reserved", "reset=madvise: slot-reset asks for it"]);
    host.get("/").expect(200);
    let toml = "slot-reset = \"madvise\"\n[[app]]\nname = \"hello\"\nroutes = [\"/\"]\n\
                component = \"$GUESTS/hello.wasm\"\n";
    let host = Host::config(toml).start();
    host.log().wait_with(&["instance pool reserved", "reset=madvise: slot-reset asks for it"]);
    host.get("/").expect(200);
    let outcome = Wasgi::new(["serve"]).arg(guest("hello")).args(["--slot-reset", "pagemap-scan"]).finish();
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
}

#[test]
fn where_there_is_swap_the_scan_is_off() {
    let (builder, list) = host_with_list_of_swaps(Host::serving("hello"));
    turn_swap_on(&list);
    let host = builder.start();
    let line = host.log().wait("instance pool reserved");
    // In a cgroup that may not swap it is safe all the same.
    assert!(line.contains("reset=madvise: ") || line.contains("memory.swap.max is 0"), "{line}");
}

#[test]
fn when_swap_appears_new_instances_are_reset_without_the_scan() {
    let args = ["--reuse", "100", "--warm-min", "2", "--request-body", "stream"];
    let (builder, list) = host_with_list_of_swaps(Host::serving("conformance").args(args).log_filter("wasgi=debug"));
    let host = builder.start();
    if !scans(&host) {
        return;
    }
    let mut busy = host.connect();
    busy.send(Request::new("POST", "/gate/input").header("Transfer-Encoding", "chunked").bytes());
    assert_eq!(busy.head().status, 200);
    host.log().wait_count(2, &["warm instance made"]);
    for calls in 1..=3 {
        assert_eq!(host.get("/calls").json(), json!({"calls": calls}));
    }
    let made = host.log().so_far().iter().filter(|line| line.contains("warm instance made")).count();

    turn_swap_on(&list);
    host.log().wait("no longer reset by pagemap_scan");
    let line = host.log().wait_count(2, &["instance pool reserved"]).pop().unwrap();
    assert!(line.contains("reset=madvise: swap was turned on"), "{line}");
    // What rested is gone, and what is warm is made anew.
    host.log().wait_count(made + 2, &["warm instance made"]);
    assert_eq!(host.get("/calls").json(), json!({"calls": 1}));
    // What was under way goes on; its instance does not come to rest.
    busy.send_chunk("").chunks_until("first\nsecond\nlast\n");
    for calls in 2..=5 {
        assert_eq!(host.get("/calls").json(), json!({"calls": calls}));
    }
}

#[test]
fn where_swap_cannot_be_seen_the_scan_is_off() {
    let host = Host::serving("hello").failing("swaps=return(/nowhere/swaps)").start();
    let line = host.log().wait("instance pool reserved");
    assert!(line.contains("reset=madvise: ") || line.contains("memory.swap.max is 0"), "{line}");
}

/// Set to run the test below: swap is the whole machine's, so every other host on it moves to another engine too.
const ASKED: &str = "WASGI_TEST_SWAPON";

#[test]
#[ignore = "turns on a swap area of the machine for a moment; needs root, and WASGI_TEST_SWAPON=1"]
fn the_kernel_tells_of_swap_that_is_turned_on() {
    if std::env::var_os(ASKED).is_none() {
        println!("skipped: it turns on swap for the whole machine; set {ASKED}=1 where nothing else runs");
        return;
    }
    let host = Host::serving("hello").start();
    if !scans(&host) {
        return;
    }
    let area = host.path("swapfile");
    fs::write(&area, vec![0; 1 << 20]).unwrap();
    fs::set_permissions(&area, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let run = |program: &str| -> Output {
        let path = "/usr/sbin:/sbin:/usr/bin:/bin";
        Command::new("env").arg(format!("PATH={path}")).arg(program).arg(&area).output().unwrap()
    };
    for program in ["mkswap", "swapon"] {
        let done = run(program);
        if !done.status.success() {
            println!("skipped: {program}: {}", String::from_utf8_lossy(&done.stderr));
            return;
        }
    }
    let off = SwapOff(&run);
    host.log().wait("no longer reset by pagemap_scan");
    host.get("/").expect(200);
    drop(off);
}

/// Turns the area off again, however the test ends.
struct SwapOff<'a>(&'a dyn Fn(&str) -> Output);

impl Drop for SwapOff<'_> {
    fn drop(&mut self) {
        (self.0)("swapoff");
    }
}

#[test]
fn when_swap_appears_the_compile_cache_need_not_be_there_any_more() {
    let cache = tempfile::tempdir().unwrap();
    let (builder, list) = host_with_list_of_swaps(Host::serving("hello").cache(cache.path()));
    let host = builder.start();
    if !scans(&host) {
        return;
    }
    // All apps are loaded once more, from code that has lost its name.
    fs::remove_dir_all(cache.path()).unwrap();
    turn_swap_on(&list);
    host.log().wait("no longer reset by pagemap_scan");
    host.get("/").expect_text("Hello, world!\n");
}
