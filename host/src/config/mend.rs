//! What to write instead, for the messages of serde and toml, which tell only what is wrong.

/// A key of host.toml, dotted, and how it is written, in an order in which all of them make one file.
const EXAMPLES: &[(&str, &str)] = &[
    ("listen", r#"listen = ["127.0.0.1:8080"]"#),
    ("trusted-peers", r#"trusted-peers = ["10.0.0.0/8"]"#),
    ("grace", r#"grace = "30s""#),
    ("spool-dir", r#"spool-dir = "/var/tmp""#),
    ("cache", r#"cache = "/var/cache/wasgi""#),
    ("slot-reset", r#"slot-reset = "auto""#),
    ("access-log", r#"access-log = "access.log""#),
    ("access-log-format", r#"access-log-format = "json""#),
    ("limits", "[limits]"),
    ("tenant", "[[tenant]]"),
    ("tenant.name", r#"name = "acme""#),
    ("tenant.concurrency-max", "concurrency-max = 64"),
    ("tenant.weight", "weight = 100"),
    ("app", "[[app]]"),
    ("app.name", r#"name = "shop""#),
    ("app.tenant", r#"tenant = "acme""#),
    ("app.component", r#"component = "shop.wasm""#),
    ("app.routes", r#"routes = ["/shop"]"#),
    ("app.reuse", "reuse = 100"),
    ("app.warm", "warm = { min = 1, max = 4 }"),
    ("app.request-body", r#"request-body = "stream""#),
    ("app.env", r#"env = { KEY = "value" }"#),
    ("app.dir", "[[app.dir]]"),
    ("app.dir.host", r#"host = "data""#),
    ("app.dir.guest", r#"guest = "/data""#),
    ("app.dir.writable", "writable = true"),
    ("app.limits", "[app.limits]"),
];

/// `message`, which is about `key`, with what to write instead if it does not say that itself.
pub(super) fn mended(message: &str, key: &str) -> String {
    if let Some(missing) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return match example(&format!("{key}.{missing}")) {
            Some(example) => format!("{message}; add {example}"),
            None => message.to_owned(),
        };
    }
    // What is not of a known kind, such as an unknown key, lists what may stand there.
    let is_of_type = ["invalid type: ", "invalid value: ", "wanted "].iter().any(|kind| message.starts_with(kind));
    match example(key).filter(|_| is_of_type) {
        Some(example) => format!("{message}; write it as {example}"),
        None => message.to_owned(),
    }
}

fn example(key: &str) -> Option<&'static str> {
    // Of these the example has what is in them.
    let whole = ["app.env", "app.warm"].into_iter().find(|whole| key.starts_with(whole)).unwrap_or(key);
    EXAMPLES.iter().find(|(known, _)| *known == whole).map(|(_, example)| *example)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{config, refused};
    use super::*;

    #[test]
    fn the_examples_make_a_config() {
        let text: String = EXAMPLES.iter().flat_map(|(_, example)| [example, "\n"]).collect();
        let config = config(&text);
        assert_eq!((config.apps.len(), config.apps[0].reuse, config.apps[0].grants.dirs.len()), (1, 100, 1));
    }

    #[test]
    fn every_key_has_an_example() {
        const APP: &str = "[[app]]\nname = \"a\"\ncomponent = \"a\"\nroutes = [\"/\"]\n";
        let dir = format!("{APP}[[app.dir]]\nhost = \"a\"\nguest = \"/a\"\n");
        for (text, table) in [("", ""), ("[[tenant]]\n", "tenant."), (APP, "app."), (&dir, "app.dir.")] {
            // The message lists the keys that there are.
            let message = refused(&format!("{text}nothing = 1\n"));
            let known: Vec<_> = message.split('`').skip(3).step_by(2).collect();
            assert!(!known.is_empty(), "{message}");
            for key in known {
                assert!(example(&format!("{table}{key}")).is_some(), "add an example of {table}{key} above");
            }
        }
    }

    #[test]
    fn only_what_lacks_a_mend_gets_one() {
        for (message, key, mended_to) in [
            (
                "invalid type: map, expected a sequence",
                "app",
                "invalid type: map, expected a sequence; write it as [[app]]",
            ),
            ("missing field `host`", "app.dir", "missing field `host`; add host = \"data\""),
            (
                "invalid type: integer `5`, expected a string",
                "app.env.A",
                "invalid type: integer `5`, expected a string; write it as env = { KEY = \"value\" }",
            ),
            ("unknown variant `x`, expected `buffer`", "app.request-body", "unknown variant `x`, expected `buffer`"),
            (
                "invalid type: integer `5`, expected a size such as \"64KiB\"",
                "limits.memory-max",
                "invalid type: integer `5`, expected a size such as \"64KiB\"",
            ),
            ("missing field `x`", "nowhere", "missing field `x`"),
        ] {
            assert_eq!(mended(message, key), mended_to);
        }
    }
}
