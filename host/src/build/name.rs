//! What a Python app may be called: `module:callable`, or `module:factory()`.

/// Whether a name has a module and something behind the colon. Whether they are there is for Python to tell.
///
/// # Errors
/// What is wrong with it, and what it should be.
pub(super) fn check(app: &str) -> Result<(), &'static str> {
    const FORM: &str = "write module:callable, such as mysite.wsgi:application";
    let Some((module, callable)) = app.split_once(':') else {
        return Err(FORM);
    };
    if module.contains(['/', '\\']) || module.ends_with(".py") {
        return Err("a module is named by dots and not by its file, such as mysite.wsgi for mysite/wsgi.py");
    }
    if !module.split('.').all(is_identifier) {
        return Err("what stands before the colon is no name of a module; write module:callable");
    }
    let first = callable.split(['.', '(']).next().unwrap_or_default();
    if is_identifier(first) && !callable.chars().any(char::is_control) { Ok(()) } else { Err(FORM) }
}

/// As Python has it, but for characters that look alike.
fn is_identifier(word: &str) -> bool {
    let mut chars = word.chars();
    chars.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && chars.all(|char| char.is_alphanumeric() || char == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_apps_and_factories_are_taken() {
        for app in ["app:app", "mysite.wsgi:application", "_a.b1:c.d", "flaskr:create_app()", "a:make('x', y=1)", "é:ü"]
        {
            assert_eq!(check(app), Ok(()), "{app}");
        }
    }

    #[test]
    fn what_names_no_app_is_told_with_the_form() {
        for app in
            ["", ":", "app", "app:", ":app", "a b:c", "a..b:c", ".a:b", "1a:b", "a:b c", "a: b", "a:\n", "a:b.\0"]
        {
            assert!(check(app).is_err_and(|told| told.contains("module:callable")), "{app:?}");
        }
        for app in ["../x:y", "mysite/wsgi.py:app", "app.py:app", "a\\b:c"] {
            assert!(check(app).is_err_and(|told| told.contains("mysite.wsgi")), "{app:?}");
        }
    }
}
