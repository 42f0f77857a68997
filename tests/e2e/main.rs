//! End to end: the real binary, real sockets, real guests. One file for each topic.
//!
//! What each guest does is in `tests/guests/README.md` and `tests/conformance/guest/README.md`.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod access_log;
mod blame;
mod browser;
mod build_go;
mod build_input;
mod build_javascript;
mod build_python;
mod build_rust;
mod bundle;
mod bundle_asks;
mod bundle_files;
mod c;
mod cache;
mod cgi;
mod cli;
mod cli_bad_input;
mod common;
mod density;
mod examples;
mod fairness;
mod fixtures;
mod giant_components;
mod giants;
mod guest_log;
mod hostile;
mod hostile_components;
mod http;
mod http_connections;
mod http_malformed;
mod http_timeouts;
mod http_two;
mod initialize;
mod isolation;
mod isolation_abi;
mod isolation_calls;
mod isolation_fresh;
mod isolation_growth;
mod isolation_handles;
mod isolation_imports;
mod isolation_reuse;
mod isolation_shapes;
mod isolation_start;
mod javascript;
mod javascript_raw;
mod limits;
mod limits_of_host;
mod project;
mod python;
mod python_django;
mod python_examples;
mod python_flask;
mod python_heap;
mod raw;
mod request_body;
mod request_body_refused;
mod reset;
mod response;
mod reuse;
mod serve;
mod shutdown;
mod warm;
mod wasi;
