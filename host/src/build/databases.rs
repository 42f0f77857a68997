//! What an app that keeps SQLite databases asks for: a folder for them, and to have it alone.

use crate::bundle::asks::{Asks, DirAsk};
use crate::bundle::{MOUNT, name};

use super::Progress;

/// Folders that are asked for one by one. An app with more asks for all of its own place.
const FOLDERS_MAX: usize = 4;

/// Asks for the folders of the databases, if the author has not said what directories the app wants.
pub(super) fn ask(asks: &mut Asks, folders: Option<Vec<String>>, progress: &dyn Progress) {
    let Some(folders) = folders else { return };
    if !asks.dirs.is_empty() {
        if asks.dirs.iter().any(|dir| dir.writable) && !asks.dirs.iter().any(|dir| dir.single) {
            progress.note(
                "warning: the app uses SQLite, and WASI has no file locks: with several instances at a time its databases break; add `single = true` to their folder in `dirs` under [asks] in wasgi.toml",
            );
        }
        return;
    }
    asks.dirs = places(&folders).into_iter().map(|path| DirAsk { path, writable: true, single: true }).collect();
    let paths: Vec<_> = asks.dirs.iter().map(|dir| dir.path.as_str()).collect();
    progress.note(&format!(
        "it uses SQLite: its databases are not in the .wasm, it asks for their folder ({}), and runs as one instance at a time where it may write",
        paths.join(", ")
    ));
}

/// The folders as the app knows them. The report is the app's own word, so what is no plain path counts as unknown.
fn places(folders: &[String]) -> Vec<String> {
    let are_known = !folders.is_empty() && folders.len() <= FOLDERS_MAX;
    if are_known && folders.iter().all(|folder| name::check(folder).is_ok()) {
        folders.iter().map(|folder| format!("{MOUNT}/{folder}")).collect()
    } else {
        vec![MOUNT.to_owned()]
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[derive(Debug, Default)]
    struct Notes(RefCell<Vec<String>>);

    impl Progress for Notes {
        fn step(&self, _what: &str) {}

        fn note(&self, text: &str) {
            self.0.borrow_mut().push(text.to_owned());
        }
    }

    fn asked(dirs: Vec<DirAsk>, folders: Option<&[&str]>) -> (Vec<DirAsk>, String) {
        let (mut asks, notes) = (Asks { dirs, ..Asks::default() }, Notes::default());
        let folders = folders.map(|folders| folders.iter().map(|&folder| folder.to_owned()).collect());
        ask(&mut asks, folders, &notes);
        asks.check().unwrap();
        (asks.dirs, notes.0.take().join("\n"))
    }

    fn dir(path: &str, single: bool) -> DirAsk {
        DirAsk { path: path.into(), writable: true, single }
    }

    #[test]
    fn an_app_with_databases_asks_for_their_folders_alone() {
        let (dirs, told) = asked(vec![], Some(&["instance"]));
        assert_eq!(dirs, [dir("/app/instance", true)]);
        assert!(told.contains("their folder (/app/instance)"), "{told}");
        for unknown in [&[][..], &[""], &["../x"], &["a", "b", "c", "d", "e"], &["a\nb"]] {
            let (dirs, told) = asked(vec![], Some(unknown));
            assert_eq!(dirs, [dir("/app", true)], "{unknown:?}");
            assert!(told.contains("their folder (/app)"), "{told}");
        }
    }

    #[test]
    fn the_authors_own_word_stands() {
        assert_eq!(asked(vec![dir("/data", true)], Some(&["x"])), (vec![dir("/data", true)], String::new()));
        let (dirs, told) = asked(vec![dir("/data", false)], Some(&["x"]));
        assert_eq!(dirs, [dir("/data", false)]);
        assert!(told.contains("single = true"), "{told}");
        assert_eq!(asked(vec![], None), (vec![], String::new()));
    }
}
