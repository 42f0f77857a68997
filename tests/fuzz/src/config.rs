//! host.toml.

use std::collections::BTreeSet;
use std::path::Path;

use wasgi::config::{Config, Flags};

use crate::input::assert_is_one_line;

/// The content of a host.toml: it makes a sound [`Config`], or is refused in one line that names the file.
///
/// # Panics
/// If that is not so.
pub fn config(data: &[u8]) {
    match Config::from_bytes(Path::new("host.toml"), data.to_vec(), Flags::default()) {
        Ok(config) => assert_is_sound(&config),
        Err(error) => {
            let message = error.to_string();
            assert!(message.starts_with("host.toml"), "the place is missing: {message}");
            assert_is_one_line(&message);
        }
    }
}

fn assert_is_sound(config: &Config) {
    assert!(!config.listen.is_empty() && !config.apps.is_empty());
    let names: BTreeSet<_> = config.apps.iter().map(|app| &app.name).collect();
    assert_eq!(names.len(), config.apps.len(), "an app's name twice");
    let routes: Vec<_> = config.apps.iter().flat_map(|app| &app.routes).collect();
    let distinct: BTreeSet<_> = routes.iter().collect();
    assert_eq!(distinct.len(), routes.len(), "a route twice");
    for app in &config.apps {
        assert!(!app.routes.is_empty() && app.reuse > 0, "{app:?}");
        for dir in &app.grants.dirs {
            let segments: Vec<_> = dir.guest.split('/').skip(1).collect();
            assert!(dir.guest.starts_with('/') && !segments.contains(&".."), "{dir:?}");
        }
        // It goes to the compile child in this form.
        let json = serde_json::to_string(app).unwrap();
        assert_eq!(serde_json::from_str::<wasgi::config::AppConfig>(&json).unwrap(), *app);
    }
}
