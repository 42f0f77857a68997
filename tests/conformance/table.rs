//! One row for each rule of PEP 3333 and each variable of RFC 3875, with what proves it.
//!
//! A new rule starts as [`Coverage::Missing`], which fails the run until a test or a reason takes its place.

use crate::hosts::Hosts;
use crate::{body, calling, environ, errors, exc_info, head, http, input, javascript, python, rfc3875, special};

/// A rule and its proofs, one column for each language that guests are written in.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its number among the rules of PEP 3333, or its variable in RFC 3875.
    pub(crate) rule: &'static str,
    /// What it is about.
    pub(crate) says: &'static str,
    /// The guest in Rust.
    pub(crate) rust: Coverage,
    /// The guest in Python.
    pub(crate) python: Coverage,
    /// The guest in JavaScript.
    pub(crate) javascript: Coverage,
}

/// What is known of a rule.
#[derive(Clone, Debug)]
pub(crate) enum Coverage {
    /// These tests prove it.
    Tests(Vec<Test>),
    /// It does not apply, for this reason.
    NotApplicable(&'static str),
    /// Nobody has thought of it.
    #[expect(dead_code, reason = "a new rule starts with it, and the run fails as long as there is one")]
    Missing,
}

/// A test and its name.
pub(crate) type Test = (&'static str, fn(&Hosts));

/// The tests of these names.
macro_rules! tests {
    ($($test:path),+ $(,)?) => {
        Coverage::Tests(vec![$((stringify!($test), $test as fn(&Hosts))),+])
    };
}
pub(crate) use tests;

/// A guest answers the same whatever it is written in, unless `special` of its language says otherwise.
fn row(rule: &'static str, says: &'static str, rust: Coverage) -> Row {
    let python = special::coverage(&rust, python::special(rule));
    let javascript = special::coverage(&rust, javascript::special(rule));
    Row { rule, says, rust, python, javascript }
}

const APPLICATION: &str = "a rule for applications, which a server cannot prove or break";
const IN_THE_GUEST: &str = "the WIT has no such object; a language's SDK makes it inside the guest";

/// All rows.
pub(crate) fn rows() -> Vec<Row> {
    let topics = [
        calling_rows,
        cgi_rows,
        wsgi_rows,
        input_rows,
        head_rows,
        start_rows,
        body_rows,
        write_rows,
        http_rows,
        rfc3875_rows,
    ];
    topics.into_iter().flat_map(|rows| rows()).collect()
}

fn calling_rows() -> Vec<Row> {
    vec![
        row("rule 1", "one call for each request", tests![calling::each_request_calls_the_application_exactly_once]),
        row(
            "rule 2",
            "the application is callable again",
            tests![calling::an_instance_that_is_reused_is_called_again_and_again],
        ),
        row(
            "rule 3",
            "environ is the application's to change",
            tests![calling::what_the_application_does_to_its_environ_stays_with_it],
        ),
        row(
            "rule 4",
            "the server does not inspect the callable or the iterable",
            Coverage::NotApplicable(
                "the WIT knows one kind of application and takes the body by value; there is nothing to inspect",
            ),
        ),
        row("rule 5", "start_response returns write", tests![calling::start_response_returns_the_write_callable]),
        row(
            "rule 6",
            "a body is returned even beside write",
            tests![calling::what_is_returned_follows_what_was_written],
        ),
    ]
}

fn cgi_rows() -> Vec<Row> {
    vec![
        row("rule 7", "REQUEST_METHOD", tests![environ::the_method_is_told_as_it_was_sent]),
        row(
            "rule 8",
            "SERVER_NAME",
            tests![
                environ::the_server_is_named_as_the_client_named_it,
                environ::the_server_has_a_name_and_port_even_if_the_client_gives_none,
            ],
        ),
        row(
            "rule 9",
            "SERVER_PORT",
            tests![
                environ::the_server_is_named_as_the_client_named_it,
                environ::the_server_has_a_name_and_port_even_if_the_client_gives_none,
            ],
        ),
        row("rule 10", "SERVER_PROTOCOL", tests![environ::the_protocol_is_that_of_the_request]),
        row("rule 11", "SCRIPT_NAME", tests![environ::the_mount_point_is_the_script_name]),
        row("rule 12", "PATH_INFO", tests![environ::the_path_info_is_the_decoded_rest_of_the_path]),
        row("rule 13", "QUERY_STRING", tests![environ::the_query_is_told_undecoded]),
        row("rule 14", "CONTENT_TYPE", tests![environ::type_and_length_of_the_body_are_told_if_there_is_one]),
        row(
            "rule 15",
            "CONTENT_LENGTH",
            tests![
                environ::type_and_length_of_the_body_are_told_if_there_is_one,
                environ::the_length_of_a_chunked_body_is_told_since_it_is_buffered,
            ],
        ),
        row(
            "rule 16",
            "HTTP_* mirror the headers",
            tests![
                environ::headers_become_variables_just_when_they_are_sent,
                environ::type_and_length_are_no_header_variables,
            ],
        ),
        row(
            "rule 17",
            "further CGI variables; HTTPS",
            tests![environ::over_plain_http_nothing_speaks_of_tls, rfc3875::the_gateway_is_cgi_1_1,],
        ),
        row("rule 18", "variables are documented", tests![environ::the_variables_are_those_that_are_documented]),
        row("rule 19", "absent values are omitted", tests![environ::what_is_absent_is_absent_and_not_empty]),
        row("rule 20", "values are native strings", tests![environ::values_are_native_strings_one_char_a_byte]),
        row(
            "rule 21",
            "the deployer's variables",
            tests![environ::the_deployer_can_set_variables, environ::nothing_of_the_hosts_own_environment_is_there,],
        ),
        row("rule 22", "keys of the server", tests![environ::keys_of_the_server_are_lower_case_with_a_prefix]),
    ]
}

fn wsgi_rows() -> Vec<Row> {
    vec![
        row("rule 23", "wsgi.version", tests![environ::version_and_scheme_of_wsgi_are_told]),
        row("rule 24", "wsgi.url_scheme", tests![environ::version_and_scheme_of_wsgi_are_told]),
        row(
            "rule 25",
            "wsgi.input",
            tests![input::the_body_can_be_read_whole, input::there_is_one_input_for_each_request,],
        ),
        row("rule 26", "wsgi.errors", tests![errors::errors_are_cut_into_lines_of_the_log]),
        row("rule 27", "wsgi.multithread", tests![environ::one_instance_serves_one_request_at_a_time]),
        row("rule 28", "wsgi.multiprocess", tests![environ::one_instance_serves_one_request_at_a_time]),
        row("rule 29", "wsgi.run_once", tests![environ::an_instance_runs_once_unless_it_is_reused]),
        row("rule 30", "wsgi.file_wrapper", tests![body::a_bundled_file_is_refused_clearly_as_there_are_no_bundles]),
    ]
}

fn input_rows() -> Vec<Row> {
    vec![
        row(
            "rule 31",
            "read, readline, readlines, iteration",
            tests![
                input::a_read_returns_at_most_what_it_asks_for,
                input::a_read_of_zero_bytes_reads_nothing,
                input::the_body_can_be_read_line_by_line,
            ],
        ),
        row("rule 32", "the end at Content-Length", tests![input::the_input_ends_at_the_content_length]),
        row(
            "rule 33",
            "read() returns the rest",
            tests![input::the_body_can_be_read_whole, input::a_large_body_is_read_back_unchanged,],
        ),
        row("rule 34", "nothing past the end", tests![input::past_the_end_there_is_nothing_however_often_one_reads]),
        row("rule 35", "readline", tests![input::the_body_can_be_read_line_by_line]),
        row("rule 36", "the hint may be ignored", Coverage::NotApplicable("the WIT has no hint to ignore")),
        row("rule 37", "applications stay within CONTENT_LENGTH", Coverage::NotApplicable(APPLICATION)),
        row(
            "rule 38",
            "the server may read ahead",
            tests![input::an_application_need_not_read_its_input, input::a_large_body_is_read_back_unchanged,],
        ),
        row("rule 39", "errors: write, writelines, flush", tests![errors::errors_are_cut_into_lines_of_the_log]),
        row("rule 40", "errors take any text", tests![errors::errors_take_any_text]),
        row("rule 41", "applications flush errors", Coverage::NotApplicable(APPLICATION)),
        row(
            "rule 42",
            "each application has its own errors",
            tests![errors::each_stream_goes_to_the_log_of_its_application],
        ),
    ]
}

fn head_rows() -> Vec<Row> {
    vec![
        row(
            "rule 43",
            "the status",
            tests![head::a_well_formed_status_goes_out_as_it_is, head::a_malformed_status_is_refused_at_once,],
        ),
        row("rule 44", "the headers are a list", tests![head::headers_go_out_in_their_order_and_each_by_itself]),
        row(
            "rule 45",
            "names of headers",
            tests![
                head::names_that_are_no_tokens_are_refused,
                head::names_that_are_tokens_are_taken,
                head::a_status_header_is_refused,
            ],
        ),
        row("rule 46", "no control characters", tests![head::values_with_control_characters_are_refused]),
        row("rule 47", "no headers about the connection", tests![head::headers_about_the_connection_are_refused]),
        row(
            "rule 48",
            "checked when it is called",
            tests![
                head::a_malformed_status_is_refused_at_once,
                head::a_length_that_is_no_number_is_refused,
                head::a_head_over_the_limits_is_refused_at_once,
                head::a_refused_head_that_is_not_replaced_gives_502,
            ],
        ),
        row(
            "rule 49",
            "the server adds what is missing",
            tests![
                head::the_server_adds_date_and_name,
                head::the_server_adds_nothing_that_is_there,
                head::a_type_is_the_applications_to_give,
            ],
        ),
    ]
}

fn start_rows() -> Vec<Row> {
    vec![
        row(
            "rule 50",
            "the head waits for the body",
            tests![
                exc_info::the_head_is_not_sent_before_the_body_so_exc_info_replaces_it,
                exc_info::an_empty_write_does_not_send_the_head,
                body::a_chunk_arrives_while_the_application_goes_on,
                body::a_head_is_sent_though_no_body_follows,
            ],
        ),
        row(
            "rule 51",
            "twice without exc_info",
            tests![exc_info::a_second_call_without_exc_info_is_refused, exc_info::a_refused_call_counts_as_the_first,],
        ),
        row(
            "rule 52",
            "exc_info replaces the head",
            tests![
                exc_info::the_head_is_not_sent_before_the_body_so_exc_info_replaces_it,
                exc_info::exc_info_may_come_with_the_only_call,
                exc_info::exc_info_is_in_the_log,
                exc_info::a_refused_replacement_leaves_the_first_head,
            ],
        ),
        row(
            "rule 53",
            "exc_info after the head is sent",
            tests![exc_info::exc_info_after_the_head_is_sent_tells_the_application_so],
        ),
        row(
            "rule 54",
            "exc_info is not kept",
            Coverage::NotApplicable(
                "exc_info crosses as text, by value; the server holds nothing that would keep the application alive",
            ),
        ),
        row(
            "rule 55",
            "start_response comes before the body",
            tests![calling::an_application_without_start_response_is_answered_with_502],
        ),
        row(
            "rule 56",
            "text is Latin-1",
            tests![head::text_past_latin_1_is_refused, head::text_in_latin_1_goes_out_as_bytes,],
        ),
    ]
}

fn body_rows() -> Vec<Row> {
    vec![
        row(
            "rule 57",
            "no chunk is delayed",
            tests![
                body::a_chunk_arrives_while_the_application_goes_on,
                body::each_chunk_is_sent_when_it_is_written,
                body::both_directions_flow_at_once,
            ],
        ),
        row("rule 58", "bytes stay as they are", tests![body::bytes_go_through_unchanged]),
        row("rule 59", "the length of a body in one piece", tests![body::a_body_in_one_piece_gets_its_length]),
        row(
            "rule 60",
            "no more than Content-Length",
            tests![
                body::the_body_never_passes_its_content_length,
                body::a_chunk_past_the_content_length_is_refused_whole,
                body::a_returned_body_that_does_not_match_its_length_gives_502,
            ],
        ),
        row(
            "rule 61",
            "no less than Content-Length",
            tests![
                body::a_body_that_ends_short_of_its_length_is_cut_and_logged,
                body::a_returned_body_that_does_not_match_its_length_gives_502,
            ],
        ),
        row(
            "rule 62",
            "without Content-Length",
            tests![
                body::a_written_body_of_unknown_length_is_chunked,
                body::for_http_1_0_the_end_of_a_written_body_is_the_close,
                body::statuses_without_body_have_neither_body_nor_framing,
                body::a_body_where_there_is_no_room_for_one_is_refused,
            ],
        ),
    ]
}

fn write_rows() -> Vec<Row> {
    vec![
        row(
            "rule 63",
            "write comes before what is returned",
            tests![
                calling::what_is_returned_follows_what_was_written,
                calling::writers_of_several_calls_are_one_stream,
            ],
        ),
        row("rule 64", "new applications do without write", Coverage::NotApplicable(APPLICATION)),
        row(
            "rule 65",
            "the application can clean up",
            tests![errors::a_guest_whose_client_leaves_learns_it_and_returns],
        ),
        row("rule 66", "applications do not count on being read", Coverage::NotApplicable(APPLICATION)),
        row(
            "rule 67",
            "transfer coding is the server's",
            tests![
                input::transfer_coding_is_taken_off_before_the_application_sees_the_body,
                http::headers_about_the_connection_do_not_reach_the_application,
            ],
        ),
        row(
            "rule 68",
            "errors that escape are logged",
            tests![
                errors::a_trap_before_the_head_is_logged_and_answered_with_500,
                errors::a_trap_after_the_head_cuts_the_connection,
            ],
        ),
    ]
}

fn http_rows() -> Vec<Row> {
    vec![
        row(
            "rule 69",
            "Expect: 100-continue",
            tests![
                http::a_client_that_asks_is_told_to_continue,
                http::with_streaming_the_client_continues_when_the_input_is_read,
                http::a_client_that_speaks_http_1_0_is_never_told_to_continue,
                http::a_body_that_is_refused_is_refused_before_the_client_sends_it,
            ],
        ),
        row("rule 70", "the server plays dumb", tests![http::ranges_and_conditions_are_left_to_the_application]),
        row(
            "rule 71",
            "HEAD",
            tests![
                http::the_answer_to_head_is_the_head_alone,
                http::what_is_written_in_answer_to_head_is_counted_and_dropped,
            ],
        ),
        row("rule 72", "file_wrapper", tests![body::a_bundled_file_is_refused_clearly_as_there_are_no_bundles]),
        row("rule 73", "middleware passes on what it gets", Coverage::NotApplicable(IN_THE_GUEST)),
        row(
            "rule 74",
            "extensions cannot be bypassed",
            Coverage::NotApplicable(
                "the server has no extension of start_response or write; its own keys are plain text",
            ),
        ),
        row(
            "rule 75",
            "the URL can be rebuilt",
            tests![calling::the_url_can_be_rebuilt, calling::the_url_of_a_mounted_application_has_its_mount_point,],
        ),
    ]
}

fn rfc3875_rows() -> Vec<Row> {
    vec![
        row("AUTH_TYPE", "only of the server", tests![rfc3875::authentication_is_left_to_the_application]),
        row(
            "CONTENT_LENGTH",
            "of the body free of coding",
            tests![
                environ::the_length_of_a_chunked_body_is_told_since_it_is_buffered,
                environ::type_and_length_of_the_body_are_told_if_there_is_one,
            ],
        ),
        row("CONTENT_TYPE", "no default", tests![environ::type_and_length_of_the_body_are_told_if_there_is_one]),
        row("GATEWAY_INTERFACE", "CGI/1.1", tests![rfc3875::the_gateway_is_cgi_1_1]),
        row("PATH_INFO", "decoded", tests![environ::the_path_info_is_the_decoded_rest_of_the_path]),
        row("PATH_TRANSLATED", "omitted", tests![rfc3875::no_path_of_the_servers_is_told]),
        row("QUERY_STRING", "always set", tests![environ::the_query_is_told_undecoded]),
        row("REMOTE_ADDR and REMOTE_HOST", "of the peer", tests![rfc3875::the_client_is_told_by_its_address]),
        row("REMOTE_USER", "with AUTH_TYPE", tests![rfc3875::authentication_is_left_to_the_application]),
        row("REQUEST_METHOD", "case-sensitive", tests![environ::the_method_is_told_as_it_was_sent]),
        row("SCRIPT_NAME", "identifies the application", tests![environ::the_mount_point_is_the_script_name]),
        row(
            "SERVER_NAME and SERVER_PORT",
            "always set",
            tests![environ::the_server_has_a_name_and_port_even_if_the_client_gives_none],
        ),
        row("SERVER_PROTOCOL", "of the request", tests![environ::the_protocol_is_that_of_the_request]),
        row("SERVER_SOFTWARE", "name and version", tests![rfc3875::the_software_is_named_with_its_version]),
        row("HTTP_*", "repeated fields are merged", tests![rfc3875::repeated_headers_are_one_variable]),
        row(
            "extras",
            "REQUEST_URI, RAW_URI, REQUEST_SCHEME, REMOTE_PORT",
            tests![rfc3875::the_target_is_told_as_it_was_sent, rfc3875::the_client_is_told_by_its_address,],
        ),
        row(
            "security",
            "Proxy, `_`, headers named by Connection",
            tests![
                rfc3875::headers_that_could_pass_for_another_are_dropped,
                http::headers_about_the_connection_do_not_reach_the_application,
            ],
        ),
        row("wsgiref.validate", "what it asserts", tests![rfc3875::the_environ_is_one_that_wsgiref_validate_takes]),
    ]
}
