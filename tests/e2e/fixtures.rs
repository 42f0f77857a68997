//! Each guest has a test: naming one here that does not exist, or none for a guest that does, is a compile error.

#[allow(unused_macros, reason = "without built guests nothing asks for it")]
macro_rules! assert_test_exists {
    ($guest:ident) => {
        const _: fn() = tests_of::$guest;
    };
}

wasgi_harness::for_each_fixture!(assert_test_exists);

/// One of the tests of each guest, under the guest's name.
#[allow(dead_code, reason = "without built guests nothing asks for them")]
mod tests_of {
    use crate::{
        build_python, c, cgi, cli_bad_input, examples, hostile, hostile_components, http, initialize, javascript,
        javascript_raw, python, python_django, python_examples, python_flask, serve, wasi,
    };

    pub(super) const AXUM: fn() = examples::axum_is_a_router_of_plain_handlers;
    pub(super) const BIG_MEMORY: fn() = hostile_components::a_memory_over_the_limit_is_refused_with_the_limits_name;
    pub(super) const C_HELLO: fn() = c::c_hello_greets_and_counts;
    pub(super) const C_WORDS: fn() = c::the_environ_is_read_whole_and_by_name;
    pub(super) const C_CGI: fn() = cgi::a_program_in_c_is_served_as_the_compiler_made_it;
    pub(super) const CGI: fn() = cgi::wasgi_request_runs_a_program_too;
    pub(super) const CONFORMANCE: fn() = serve::several_addresses_are_served_at_once;
    pub(super) const CONFORMANCE_JS: fn() = javascript_raw::each_instance_begins_where_the_build_ended;
    pub(super) const CONFORMANCE_PYTHON: fn() = python::what_is_made_by_chance_differs_in_each_instance;
    pub(super) const CONNECT: fn() = wasi::there_is_no_network;
    pub(super) const CORE_MODULE: fn() = cli_bad_input::what_is_no_app_is_refused_in_one_line;
    pub(super) const DJANGO_SITE: fn() = python_django::a_visitor_signs_up_logs_in_posts_uploads_and_logs_out;
    pub(super) const EMPTY: fn() = cli_bad_input::what_is_no_app_is_refused_in_one_line;
    pub(super) const ENVIRON: fn() = examples::environ_shows_the_request;
    pub(super) const FETCH_JS: fn() = javascript::a_handler_sees_the_request_as_it_was_sent;
    pub(super) const FLASK_GUESTBOOK: fn() = python_flask::a_visitor_signs_up_logs_in_posts_uploads_and_logs_out;
    pub(super) const FLASK_HELLO: fn() = python_flask::the_smallest_application_greets;
    pub(super) const FOREIGN_PROGRAM: fn() = cli_bad_input::what_is_no_app_is_refused_in_one_line;
    pub(super) const GO_CGI: fn() = examples::go_cgi_greets_and_counts;
    pub(super) const GO_MEMORY: fn() = cgi::a_program_that_takes_memory_as_go_does_keeps_it;
    pub(super) const HELLO: fn() = examples::hello_greets;
    pub(super) const HOSTILE: fn() = hostile::whatever_a_guest_does_the_next_request_is_served;
    pub(super) const HTTP_APP: fn() = http::an_app_sees_the_request_as_it_was_sent;
    pub(super) const HTTP_HELLO: fn() = http::a_component_made_for_wasmtime_serve_is_served_as_it_is;
    pub(super) const HTTP_JS: fn() = http::a_component_that_a_tool_of_others_made_is_served_as_it_is;
    pub(super) const INDEX: fn() = examples::index_leads_to_what_it_is_told;
    pub(super) const INIT_EATS_MEMORY: fn() = initialize::one_that_fails_refuses_the_app;
    pub(super) const INIT_FAILS: fn() = initialize::one_that_fails_refuses_the_app;
    pub(super) const INIT_LEAVES_OPEN: fn() = initialize::handles_left_open_are_named;
    pub(super) const INIT_NESTED: fn() = hostile_components::a_nested_component_is_served_but_not_snapshotted;
    pub(super) const INIT_PRINTS: fn() = initialize::it_runs_once_before_any_request;
    pub(super) const INIT_SPINS: fn() = initialize::one_that_fails_refuses_the_app;
    pub(super) const INIT_TRAPS: fn() = initialize::one_that_fails_refuses_the_app;
    pub(super) const JS_HELLO: fn() = javascript::js_hello_greets_streams_and_measures;
    pub(super) const NESTED: fn() = hostile_components::a_nested_component_is_served_but_not_snapshotted;
    pub(super) const NEW_DJANGO: fn() = build_python::new_apps_of_each_framework_are_built_and_answer;
    pub(super) const NEW_FLASK: fn() = build_python::new_apps_of_each_framework_are_built_and_answer;
    pub(super) const NEW_GO: fn() = examples::a_new_app_in_go_greets;
    pub(super) const NEW_PYTHON: fn() = build_python::new_apps_of_each_framework_are_built_and_answer;
    pub(super) const OTHER_WORLD: fn() = cli_bad_input::what_is_no_app_is_refused_in_one_line;
    pub(super) const PROGRAM: fn() = cgi::a_core_module_with_an_entry_point_is_served_as_a_program;
    pub(super) const RAW_JS: fn() = javascript_raw::a_body_is_whatever_yields_bytes_or_text;
    pub(super) const RAW_WSGI: fn() = python::an_application_needs_no_framework;
    pub(super) const RPC: fn() = examples::rpc_answers_calls_from_a_registry_made_at_deployment;
    pub(super) const RPC_PYTHON: fn() = python_examples::rpc_python_answers_calls_from_a_registry_made_at_the_build;
    pub(super) const RUST_CGI: fn() = examples::rust_cgi_counts_words;
    pub(super) const STARLETTE: fn() = python_examples::starlette_answers_with_json_and_path_parameters;
    pub(super) const STREAM: fn() = examples::stream_sends_each_event_when_it_happens;
    pub(super) const UPLOAD: fn() = examples::upload_hashes_a_body_of_any_size;
    pub(super) const WANTS_HTTP: fn() = http::what_nobody_granted_is_denied;
    pub(super) const WANTS_OTHER: fn() = cli_bad_input::what_is_no_app_is_refused_in_one_line;
}
