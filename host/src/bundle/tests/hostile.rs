//! Archives that nobody would pack by mistake.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{EntryType, Header};

use super::*;
use crate::bundle::name::NameError;
use crate::bundle::pack::pack_contents;
use crate::bundle::unpack::EntryError;

/// One entry of an archive, as it stands there.
struct Entry<'a> {
    name: &'a [u8],
    kind: EntryType,
    /// What the header says; the content may be another.
    size: u64,
    content: &'a [u8],
}

fn file(name: &str) -> Entry<'_> {
    Entry { name: name.as_bytes(), kind: EntryType::Regular, size: 1, content: b"x" }
}

fn of_kind(name: &str, kind: EntryType) -> Entry<'_> {
    Entry { name: name.as_bytes(), kind, size: 0, content: b"" }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn tar(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..entry.name.len()].copy_from_slice(entry.name);
        header.set_entry_type(entry.kind);
        header.set_size(entry.size);
        header.set_mtime(0);
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(entry.content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

fn refusal(entries: &[Entry<'_>]) -> UnpackError {
    unpacked(&gzip(&tar(entries)), &MAX).expect_err("it is refused")
}

fn reason(entries: &[Entry<'_>]) -> EntryError {
    match refusal(entries) {
        UnpackError::Entry { reason, .. } => reason,
        other => panic!("{other}"),
    }
}

#[test]
fn a_sound_archive_of_another_tool_is_taken() {
    let entries =
        [of_kind("a/", EntryType::Directory), file("a/b"), file("c/d/e"), of_kind("empty", EntryType::Directory)];
    let (items, memory) = unpacked(&gzip(&tar(&entries)), &MAX).unwrap();
    assert_eq!(items.iter().map(|item| item.path.as_str()).collect::<Vec<_>>(), ["a/b", "c/d/e"]);
    assert_eq!(memory.folders, ["a", "c", "c/d", "empty"], "each once, the outer first");
    assert_eq!(items[0].hash, blake3::hash(b"x").to_hex().as_str());
}

#[test]
fn paths_that_lead_elsewhere_are_refused() {
    let long = "s".repeat(256);
    for (name, error) in [
        ("../x", NameError::Dots),
        ("a/../../x", NameError::Dots),
        ("a/./x", NameError::Dots),
        ("a//x", NameError::Dots),
        ("a/", NameError::Dots),
        (".", NameError::Dots),
        ("/etc/passwd", NameError::Absolute),
        ("//x", NameError::Absolute),
        ("..\\x", NameError::Backslash),
        ("c:\\x", NameError::Backslash),
        ("a\nb", NameError::Control),
        ("", NameError::Empty),
    ] {
        assert_eq!(reason(&[file(name)]), EntryError::Name(error), "{name:?}");
    }
    assert_eq!(name_error(b"caf\xe9"), NameError::NotUtf8);
    assert_eq!(name_error(long.as_bytes()), NameError::TooLong);
    assert_eq!(name_error("a/".repeat(600).as_bytes()), NameError::TooLong);
    assert_eq!(name_error("a/".repeat(33).as_bytes()), NameError::TooDeep);
    assert_eq!(name_error(b"a\0b"), NameError::Control);
}

/// Of a path in an entry of its own, which may hold anything.
fn name_error(name: &[u8]) -> NameError {
    let long = Entry { name: b"L", kind: EntryType::GNULongName, size: name.len() as u64, content: name };
    match reason(&[long, file("short")]) {
        EntryError::Name(error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn nothing_but_files_and_folders_is_taken() {
    for (kind, told) in [
        (EntryType::Symlink, "a link"),
        (EntryType::Link, "a link"),
        (EntryType::Char, "a device"),
        (EntryType::Block, "a device"),
        (EntryType::Fifo, "a FIFO"),
        (EntryType::XHeader, "an extension (pax) of the archive"),
        (EntryType::XGlobalHeader, "an extension (pax) of the archive"),
        (EntryType::GNULongLink, "of an unknown kind"),
        (EntryType::GNUSparse, "of an unknown kind"),
        (EntryType::Continuous, "of an unknown kind"),
        (EntryType::new(b'Z'), "of an unknown kind"),
    ] {
        assert_eq!(reason(&[of_kind("x", kind)]), EntryError::Kind(told), "{kind:?}");
    }
    let message = refusal(&[of_kind("evil\u{1b}[2J", EntryType::Regular)]).to_string();
    assert!(!message.contains('\u{1b}'), "{message}");
}

#[test]
fn nothing_is_there_twice_under_any_name() {
    assert_eq!(reason(&[file("a"), file("a")]), EntryError::Twice);
    assert_eq!(reason(&[file("a/b"), file("A/c")]), EntryError::Case("a".into()));
    assert_eq!(reason(&[file("a/b"), file("a/B")]), EntryError::Case("a/b".into()));
    assert_eq!(reason(&[file("é"), file("É")]), EntryError::Case("é".into()));
    assert_eq!(reason(&[file("a"), file("a/b")]), EntryError::FileAndFolder("a".into()));
    assert_eq!(reason(&[file("a/b"), file("a")]), EntryError::FileAndFolder("a".into()));
    assert_eq!(reason(&[of_kind("a", EntryType::Directory), file("a")]), EntryError::FileAndFolder("a".into()));
    let folder = || of_kind("a", EntryType::Directory);
    assert_eq!(reason(&[folder(), folder()]), EntryError::Twice);
    let full = Entry { name: b"a", kind: EntryType::Directory, size: 1, content: b"x" };
    assert_eq!(reason(&[full]), EntryError::FolderWithContent);
}

#[test]
fn sizes_and_counts_are_held_to_their_limits() {
    let content = vec![0_u8; 1000];
    let bundle = pack_contents([("a", &content[..]), ("b", b"x")]).unwrap();
    let max = |bytes, files| Max { bytes, files };
    assert!(unpacked(bundle.as_bytes(), &max(1001, 2)).is_ok());
    let too_large = unpacked(bundle.as_bytes(), &max(1000, 2)).unwrap_err();
    assert!(matches!(too_large, UnpackError::TooLarge(_)), "{too_large}");
    assert!(too_large.to_string().contains("bundle-max (1000); take out"), "{too_large}");
    let too_many = unpacked(bundle.as_bytes(), &max(1001, 1)).unwrap_err();
    assert!(matches!(too_many, UnpackError::TooMany(1)), "{too_many}");
    // A size that is only claimed is as good as one that is there.
    let claimed = Entry { name: b"a", kind: EntryType::Regular, size: u64::MAX / 2, content: b"" };
    assert!(matches!(refusal(&[claimed]), UnpackError::TooLarge(_)));
}

#[test]
fn a_bomb_is_cut_off_where_the_limit_is() {
    let zeros = vec![0_u8; 16 << 20];
    let bomb = Entry { name: b"bomb", kind: EntryType::Regular, size: zeros.len() as u64, content: &zeros };
    assert!(matches!(refusal(&[bomb]), UnpackError::TooLarge(_)));
    // After the end of the archive, and in names that are too long to be any.
    let after = [tar(&[file("a")]), zeros.clone()].concat();
    assert!(matches!(unpacked(&gzip(&after), &MAX), Err(UnpackError::TooLarge(_))));
    let name = Entry { name: b"L", kind: EntryType::GNULongName, size: zeros.len() as u64, content: &zeros };
    assert!(matches!(refusal(&[name, file("a")]), UnpackError::Damaged(_)));
    // Folders that nobody named are counted.
    let names: Vec<String> = (0..90).map(|number| format!("{number}/b/c/d/e")).collect();
    let files: Vec<_> = names.iter().map(|name| file(name)).collect();
    assert!(matches!(refusal(&files), UnpackError::TooMany(100)));
}

#[test]
fn what_is_damaged_is_refused() {
    let sound = gzip(&tar(&[file("a"), file("b")]));
    let is_damaged = |bundle: &[u8]| matches!(unpacked(bundle, &MAX), Err(UnpackError::Damaged(_)));
    for length in 0..sound.len() {
        assert!(is_damaged(&sound[..length]), "cut at {length}");
    }
    assert!(is_damaged(&[&sound[..], b"more"].concat()));
    assert!(is_damaged(&[&sound[..], &sound].concat()));
    assert!(is_damaged(b"PK\x03\x04"));
    let mut wrong = sound.clone();
    let at = wrong.len() - 6;
    wrong[at] ^= 1;
    assert!(is_damaged(&wrong), "the check sum is checked");
    // Cut in a file, with a gzip that is whole.
    let archive = tar(&[file("a")]);
    assert!(is_damaged(&gzip(&archive[..512])));
    assert!(is_damaged(&gzip(&[&archive[..], b"junk"].concat())));
    let long = Entry { name: b"L", kind: EntryType::GNULongName, size: 1, content: b"x" };
    assert!(is_damaged(&gzip(&tar(&[long]))), "a name of nothing");
}
