//! The parts of a request, one thread and no connection: `cargo bench --package wasgi-bench`. Needs the guests of
//! `cargo xtask guests`.

#![allow(missing_docs, reason = "criterion's macros make public items without documentation")]
#![allow(clippy::expect_used, reason = "a benchmark that cannot run says so by panicking")]

use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use tokio::runtime::Runtime;
use wasgi::access_log::Format;
use wasgi::config::{AccessLogTarget, Config, Flags};
use wasgi::host::{Host, Setting};
use wasgi::sandbox::prepare::Compiler;
use wasgi::telemetry::{AccessLog, AppLog, Flush};
use wasgi_bench::kinds::{KINDS, Kind};

criterion_group!(benches, instantiate, fresh, reused);
criterion_main!(benches);

fn instantiate(criterion: &mut Criterion) {
    for_each_kind(criterion, "instantiate", 1, async |host, _| {
        let app = &host.apps().all()[0];
        app.try_instance(AppLog::new(app.name().clone(), None)).await.expect("the guest was loaded");
    });
}

fn fresh(criterion: &mut Criterion) {
    for_each_kind(criterion, "fresh", 1, request);
}

fn reused(criterion: &mut Criterion) {
    for_each_kind(criterion, "reused", 1000, request);
}

/// Measures `work` with a host of each kind of guest.
fn for_each_kind(criterion: &mut Criterion, group: &str, reuse: u32, work: impl AsyncFn(&Host, &Kind)) {
    let runtime = Runtime::new().expect("a runtime starts");
    let mut group = criterion.benchmark_group(group);
    for kind in KINDS.iter().filter(|kind| reuse == 1 || kind.reuses) {
        let (host, _lines) = runtime.block_on(load(kind, reuse));
        group.bench_with_input(BenchmarkId::from_parameter(kind.guest), kind, |bencher, kind| {
            bencher.iter_custom(|times| runtime.block_on(repeated(times, || work(&host, kind))));
        });
    }
    group.finish();
}

/// One after the other, within one turn of the runtime: entering it costs as much as a small guest.
async fn repeated<F: Future<Output = ()>>(times: u64, work: impl Fn() -> F) -> Duration {
    let start = Instant::now();
    for _ in 0..times {
        work().await;
    }
    start.elapsed()
}

async fn request(host: &Host, kind: &Kind) {
    let request = Request::get("/").header("host", "localhost").body(Empty::<Bytes>::new()).expect("a valid request");
    let body = host.handle(request).await.into_body().collect().await.expect("the body is whole").to_bytes();
    assert!(kind.answers(&body), "{} answers {body:?}", kind.guest);
}

/// With all defaults, the access log too, until the second value is dropped. It goes where it costs what it does in
/// earnest, but for the disk.
async fn load(kind: &Kind, reuse: u32) -> (Host, Option<Flush>) {
    let flags = Flags { reuse: Some(reuse), ..Flags::default() };
    let config = Config::from_path(&guest(kind), flags).expect("the guest is there: `cargo xtask guests` builds it");
    let target = AccessLogTarget::File("/dev/null".into());
    let (access_log, lines) = AccessLog::open(&target, Format::default()).expect("/dev/null can be written");
    let setting = Setting { compiler: Compiler::InProcess, access_log, dev: false };
    (Host::load(&config, setting).await.expect("the guest can be served"), lines)
}

/// In the target folder that this program was built in.
fn guest(kind: &Kind) -> PathBuf {
    let program = std::env::current_exe().expect("a running program has a path");
    let target = program.ancestors().nth(3).expect("a benchmark is in target/PROFILE/deps");
    target.join("guests").join(format!("{}.wasm", kind.guest))
}
