use std::collections::BTreeSet;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use proptest::prelude::*;

use super::*;

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    app: AppLimitsPatch,
    #[command(flatten)]
    host: HostLimitsPatch,
}

fn flags(args: &[&str]) -> Result<Flags, String> {
    Flags::try_parse_from([&["test"], args].concat()).map_err(|error| error.to_string())
}

fn table(toml: &str) -> Result<LimitsPatch, toml::de::Error> {
    toml::from_str(toml)
}

#[test]
fn sizes_are_read_with_and_without_units() {
    for (text, bytes) in [
        ("0", 0),
        ("1000", 1000),
        ("64KiB", 65_536),
        ("64 KiB", 65_536),
        ("64kib", 65_536),
        ("2GiB", 2 << 30),
        ("1.5MB", 1_500_000),
        ("1PiB", 1 << 50),
    ] {
        assert_eq!(text.parse::<Size>().map(Size::bytes), Ok(bytes), "{text}");
    }
}

#[test]
fn what_is_no_size_is_refused() {
    for text in ["", " ", "-1", "1e3", "KiB", "64 potatoes", "nan", "1.2.3", "0x10", "1_000", "½", "0.5", "."] {
        assert_eq!(text.parse::<Size>(), Err(LimitError::Size(text.to_owned())), "{text}");
    }
    for text in ["2PiB", "1125899906842625", "18446744073709551615", "99999999999EiB"] {
        assert!(matches!(text.parse::<Size>(), Err(LimitError::TooMuch { .. })), "{text}");
    }
    assert!("18446744073709551616".parse::<Size>().is_err(), "more than 64 bits");
}

#[test]
fn spans_are_read_with_their_unit() {
    for (text, span) in [
        ("500ms", Duration::from_millis(500)),
        ("5s", Duration::from_secs(5)),
        ("1h", Duration::from_secs(3600)),
        ("1m 30s", Duration::from_secs(90)),
        ("1m30s", Duration::from_secs(90)),
        ("0s", Duration::ZERO),
        ("366days", Duration::from_secs(366 * 86_400)),
    ] {
        assert_eq!(text.parse::<Span>().map(Span::duration), Ok(span), "{text}");
    }
}

#[test]
fn what_is_no_span_is_refused() {
    for text in ["", "5", "-5s", "s", "5 parsecs", "1h-", "99999999999999999999s"] {
        assert_eq!(text.parse::<Span>(), Err(LimitError::Span(text.to_owned())), "{text}");
    }
    for text in ["367days", "1000years", "18446744073709551615s"] {
        assert!(matches!(text.parse::<Span>(), Err(LimitError::TooMuch { .. })), "{text}");
    }
}

#[test]
fn values_made_in_code_stay_under_the_most() {
    assert_eq!(Size::from_gib(u64::MAX), Size::MAX);
    assert_eq!(Size::from_bytes(u64::MAX), Size::MAX);
    assert_eq!(Span::from_secs(u64::MAX), Span::MAX);
    assert_eq!(Span::from_millis(u64::MAX), Span::MAX);
    assert_eq!(Span::from_millis(1500).duration(), Duration::from_millis(1500));
    assert_eq!(Duration::from(Span::from_secs(2)), Duration::from_secs(2));
    assert_eq!(Size::from_kib(3).to_usize(), 3072);
}

proptest! {
    #[test]
    fn a_size_survives_text_toml_and_json(bytes in 0..=Size::MAX.bytes()) {
        let size = Size::from_bytes(bytes);
        prop_assert_eq!(size.to_string().parse::<Size>(), Ok(size));
        prop_assert_eq!(serde_json::from_str::<Size>(&serde_json::to_string(&size).unwrap()).unwrap(), size);
        let patch = table(&format!("body-max = {bytes}")).unwrap();
        prop_assert_eq!(patch.app.body_max, Some(size));
    }

    #[test]
    fn a_span_survives_text_and_json(millis in 0..=366 * 86_400_000_u64) {
        let span = Span::from_millis(millis);
        prop_assert_eq!(span.to_string().parse::<Span>(), Ok(span));
        prop_assert_eq!(serde_json::from_str::<Span>(&serde_json::to_string(&span).unwrap()).unwrap(), span);
    }

    #[test]
    fn no_text_makes_a_parser_panic(text: String) {
        let _ = text.parse::<Size>();
        let _ = text.parse::<Span>();
    }
}

#[test]
fn every_default_is_a_value_that_could_be_set() {
    let rendered = |json: serde_json::Value| -> String {
        let line = |(key, value): (&String, &serde_json::Value)| format!("{key} = {value}\n");
        json.as_object().unwrap().iter().map(line).collect()
    };
    let host = rendered(serde_json::to_value(HostLimits::default()).unwrap());
    let app = rendered(serde_json::to_value(AppLimits::default()).unwrap());
    let patch = table(&format!("{host}{app}")).unwrap();
    assert_eq!(patch.host.apply(HostLimits::default()), HostLimits::default());
    assert_eq!(patch.app.apply(AppLimits::default()), AppLimits::default());
    assert!(patch.host.streams_max.is_some() && patch.app.log_line_max.is_some(), "each key was read");
}

#[test]
fn names_of_app_and_host_limits_differ_and_say_max() {
    let all: BTreeSet<&str> = HostLimits::FIELDS.iter().chain(AppLimits::FIELDS).copied().collect();
    assert_eq!(all.len(), HostLimits::FIELDS.len() + AppLimits::FIELDS.len());
    assert!(all.iter().all(|name| name.ends_with("_max")), "{all:?}");
}

#[test]
fn a_patch_changes_what_it_sets_and_nothing_else() {
    let patch = AppLimitsPatch { queue_max: Some(0), ..AppLimitsPatch::default() };
    let base = AppLimits { cpu_max: Span::from_secs(1), ..AppLimits::default() };
    assert_eq!(patch.apply(base.clone()), AppLimits { queue_max: 0, ..base });
}

#[test]
fn one_table_holds_the_limits_of_the_host_and_of_every_app() {
    let patch = table("cpu-max = '5s'\nconnections-max = 7\nspool-max = '1GiB'\nqueue-max = 0\nlog-max = 9").unwrap();
    assert_eq!(patch.app.cpu_max, Some(Span::from_secs(5)));
    assert_eq!(patch.app.queue_max, Some(0));
    assert_eq!(patch.app.log_max, Some(Size::from_bytes(9)));
    assert_eq!(patch.host.connections_max, Some(7));
    assert_eq!(patch.host.spool_max, Some(Size::from_gib(1)));
    assert_eq!(patch.host.idle_max, None);
}

#[test]
fn an_unknown_key_is_an_error_that_names_it_where_it_stands() {
    let error = table("cpu-max = '5s'\ncpu-min = '5s'").unwrap_err();
    assert!(error.message().contains("unknown limit `cpu-min`; the limits are connections-max, "), "{error}");
    assert_eq!(error.span(), Some(15..22));
    let error = table("cpu_max = '5s'").unwrap_err();
    assert!(error.message().contains("unknown limit `cpu_max`"), "{error}");
}

#[test]
fn an_apps_table_refuses_the_hosts_limits_and_says_where_they_belong() {
    let error = toml::from_str::<AppLimitsPatch>("spool-max = '1GiB'").unwrap_err();
    assert_eq!(error.message(), "`spool-max` is a limit of the host, not of one app; set it in [limits]");
    assert!(toml::from_str::<AppLimitsPatch>("cpu-max = '1s'").is_ok());
}

#[test]
fn a_value_out_of_range_is_an_error_where_it_stands() {
    let error = table("log-max = 0\ncpu-max = '0s'").unwrap_err();
    assert_eq!(error.message(), "0s is too little; the least is 1ms");
    assert_eq!(error.span(), Some(22..26));
    for toml in [
        "cpu-max = 5",
        "memory-max = -1",
        "memory-max = '63KiB'",
        "memory-max = 1.5",
        "concurrency-max = 0",
        "queue-max = -1",
        "queue-max = 4294967296",
        "queue-max = '5'",
        "body-max = '9EiB'",
        "streams-max = true",
        "idle-max = '0ms'",
    ] {
        assert!(table(toml).is_err(), "{toml}");
    }
}

#[test]
fn flags_take_the_same_values() {
    let flags_set = flags(&["--cpu-max", "5s", "--body-max=2GiB", "--queue-max", "0", "--streams-max", "9"]).unwrap();
    assert_eq!(flags_set.app.cpu_max, Some(Span::from_secs(5)));
    assert_eq!(flags_set.app.body_max, Some(Size::from_gib(2)));
    assert_eq!(flags_set.app.queue_max, Some(0));
    assert_eq!(flags_set.host.streams_max, Some(9));
    assert_eq!(flags_set.app.wall_max, None);
}

#[test]
fn a_malformed_flag_is_named_with_the_reason() {
    let error = flags(&["--cpu-max", "fast"]).map(|_| ()).unwrap_err();
    assert!(error.contains("'fast'") && error.contains("--cpu-max"), "{error}");
    assert!(error.contains("write a number with a unit such as 500ms, 5s or 1h"), "{error}");
    let error = flags(&["--concurrency-max", "0"]).map(|_| ()).unwrap_err();
    assert!(error.contains("0 is too little; the least is 1"), "{error}");
    let error = flags(&["--queue-max", "-1"]).map(|_| ()).unwrap_err();
    assert!(error.contains("--queue-max") || error.contains("-1"), "{error}");
}

#[test]
fn help_tells_what_each_limit_means_and_its_default() {
    let help = Flags::command().term_width(0).render_help().to_string();
    for field in HostLimits::FIELDS.iter().chain(AppLimits::FIELDS) {
        let flag = format!("--{} <", field.replace('_', "-"));
        assert!(help.contains(&flag), "{flag} in {help}");
    }
    assert!(help.contains("--cpu-max <DURATION>"), "{help}");
    assert!(help.contains("[default: 10s]") && help.contains("[default: 256MiB]"), "{help}");
    assert!(help.contains("Limits of each app:") && help.contains("Limits of the host:"), "{help}");
}

#[test]
fn limits_reach_another_process_unchanged() {
    let limits =
        AppLimits { cpu_max: Span::from_millis(1), body_max: Size::from_bytes(1234567), ..AppLimits::default() };
    let json = serde_json::to_string(&limits).unwrap();
    assert_eq!(serde_json::from_str::<AppLimits>(&json).unwrap(), limits);
    assert!(serde_json::from_str::<AppLimits>(&json.replace("cpu-max", "cpu-min")).is_err());
}
