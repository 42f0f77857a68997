//! Packing.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::bundle::name::NameError;
use crate::bundle::pack::{PackError, Source, check, pack, pack_contents};

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    dir
}

fn source(dir: &Path) -> Source {
    Source { folder: dir.into(), ..Source::default() }
}

fn paths(sources: &[Source]) -> Vec<String> {
    let bundle = pack(sources, 7, &MAX).unwrap();
    unpacked(bundle.as_bytes(), &MAX).unwrap().0.into_iter().map(|item| item.path).collect()
}

#[test]
fn the_same_files_give_the_same_bytes() {
    let files = [("b.txt", "B"), ("a/c.txt", "C"), ("a/b.txt", "")];
    let one = folder(&files);
    let two = folder(&files.into_iter().rev().collect::<Vec<_>>());
    let bundle = pack(&[source(one.path())], 7, &MAX).unwrap();
    assert_eq!(bundle, pack(&[source(two.path())], 7, &MAX).unwrap());
    let (items, memory) = unpacked(bundle.as_bytes(), &MAX).unwrap();
    assert_eq!(items.iter().map(|item| item.path.as_str()).collect::<Vec<_>>(), ["a/b.txt", "a/c.txt", "b.txt"]);
    assert_eq!(memory.files["a/c.txt"], (b"C".to_vec(), 7));
}

#[test]
fn patterns_choose_files() {
    let dir =
        folder(&[("app.py", ""), ("templates/a/b.html", ""), ("templates/c.txt", ""), (".git/x", ""), ("d.pyc", "")]);
    let chosen = |include: &[&str], exclude: &[&str]| {
        let own = |patterns: &[&str]| patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        paths(&[Source { include: own(include), exclude: own(exclude), ..source(dir.path()) }])
    };
    assert_eq!(chosen(&["templates/**"], &[]), ["templates/a/b.html", "templates/c.txt"]);
    assert_eq!(chosen(&["*"], &[]), ["app.py", "d.pyc"]);
    assert_eq!(chosen(&[], &[".git", "**/*.pyc", "templates/a"]), ["app.py", "templates/c.txt"]);
    assert_eq!(chosen(&["./app.py"], &[]), ["app.py"]);
    let bad = Source { include: vec!["[".into()], ..source(dir.path()) };
    assert!(matches!(pack(&[bad], 0, &MAX), Err(PackError::Pattern(_))));
}

#[test]
fn sources_lie_where_they_are_put_and_may_not_clash() {
    let (one, two) = (folder(&[("x", "1")]), folder(&[("x", "2")]));
    let at = |dir: &tempfile::TempDir, at: &str| Source { at: at.into(), ..source(dir.path()) };
    assert_eq!(paths(&[at(&one, ""), at(&two, "lib/b/")]), ["lib/b/x", "x"]);
    for clash in [[at(&one, ""), at(&two, "")], [at(&one, "a"), at(&two, "A")], [at(&one, ""), at(&two, "x")]] {
        assert!(matches!(pack(&clash, 0, &MAX), Err(PackError::Clash { .. })), "{clash:?}");
    }
    assert!(matches!(pack(&[at(&one, "..")], 0, &MAX), Err(PackError::Name { error: NameError::Dots, .. })));
}

#[test]
fn what_is_no_file_and_what_is_too_much_is_refused() {
    let dir = folder(&[("a", "12345"), ("b", "6")]);
    let too_large = pack(&[source(dir.path())], 0, &Max { bytes: 5, files: 2 }).unwrap_err();
    assert!(too_large.to_string().contains("bundle-max"), "{too_large}");
    let before = check(&[source(dir.path())], &Max { bytes: 5, files: 2 }).unwrap_err();
    assert_eq!(before.to_string(), too_large.to_string(), "known without packing");
    check(&[source(dir.path())], &Max { bytes: 6, files: 2 }).unwrap();
    let too_many = pack(&[source(dir.path())], 0, &Max { bytes: 6, files: 1 }).unwrap_err();
    assert!(too_many.to_string().contains("bundle-files-max"), "{too_many}");
    std::os::unix::fs::symlink("a", dir.path().join("link")).unwrap();
    assert!(matches!(pack(&[source(dir.path())], 0, &MAX), Err(PackError::Kind(_))));
    let excluded = Source { exclude: vec!["link".into()], ..source(dir.path()) };
    assert!(pack(&[excluded], 0, &MAX).is_ok());
    assert!(matches!(pack(&[source(&dir.path().join("none"))], 0, &MAX), Err(PackError::Unreadable { .. })));
}

/// Paths that can be packed, often long, none of which is in another.
fn any_files() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
    let segment = "[a-z0-9 +@é._-]{1,60}x";
    let path = prop::collection::vec(segment, 0..5).prop_map(|folders| folders.join("/"));
    let files = prop::collection::vec((path, prop::collection::vec(any::<u8>(), 0..2000)), 0..20);
    files.prop_map(|files| {
        let named = |(number, (path, content)): (usize, (String, Vec<u8>))| {
            (format!("{number}/{path}").trim_end_matches('/').to_owned(), content)
        };
        files.into_iter().enumerate().map(named).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_packed_is_unpacked(files in any_files()) {
        let contents = files.iter().map(|(path, content)| (path.as_str(), content.as_slice()));
        let bundle = pack_contents(contents).unwrap();
        let (items, memory) = unpacked(bundle.as_bytes(), &MAX).unwrap();
        let back: BTreeMap<_, _> = memory.files.into_iter().map(|(path, (content, _))| (path, content)).collect();
        prop_assert_eq!(&back, &files);
        prop_assert_eq!(items.len(), files.len());
        prop_assert!(items.iter().all(|item| item.size == files[&item.path].len() as u64));
    }
}
