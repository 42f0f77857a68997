//! Unpacked bundles on disk.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::PathBuf;

use super::*;
use crate::bundle::Bundle;
use crate::bundle::pack::pack_contents;
use crate::bundle::store::{Store, StoreError, Unpacked};
use crate::limits::Size;

fn bundle(content: &str) -> Bundle {
    pack_contents([("a/b.txt", content.as_bytes()), ("c.txt", b"C")]).unwrap()
}

struct Place {
    dir: tempfile::TempDir,
    store: Store,
}

fn place(size_max: u64) -> Place {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(dir.path().join("bundles"), Size::from_bytes(size_max));
    Place { dir, store }
}

impl Place {
    fn open(&self, content: &str) -> Unpacked {
        self.store.open(bundle(content).as_bytes(), &MAX).unwrap()
    }

    /// Names in the store's folder.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path().join("bundles")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn folder(&self, unpacked: &Unpacked) -> PathBuf {
        self.dir.path().join("bundles").join(&unpacked.hash)
    }
}

#[test]
fn a_bundle_is_unpacked_once_for_its_user_alone() {
    let place = place(1 << 20);
    let (one, two) = (place.open("B"), place.open("B"));
    assert_eq!((one.items.len(), one.total()), (2, 2));
    assert_eq!(one.path_of("a"), two.path_of("a"));
    assert_eq!(place.names(), std::slice::from_ref(&one.hash));
    let mode = |path: &str| fs::metadata(place.folder(&one).join(path)).unwrap().mode() & 0o777;
    assert_eq!((mode(""), mode("files"), mode("files/a"), mode("files/a/b.txt")), (0o700, 0o700, 0o700, 0o400));
    assert_eq!(fs::read_to_string(one.path_of("a/b.txt")).unwrap(), "B");
    let other = place.open("other");
    assert_ne!(other.hash, one.hash);
}

#[test]
fn whatever_was_done_to_it_is_mended() {
    type Damage = fn(&std::path::Path);
    let writable = |path: &std::path::Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let damages: [Damage; 9] = [
        |folder| fs::remove_file(folder.join("listing.json")).unwrap(),
        |folder| fs::write(folder.join("listing.json"), "{}").unwrap(),
        |folder| fs::remove_file(folder.join("files/c.txt")).unwrap(),
        |folder| fs::write(folder.join("files/new.txt"), "x").unwrap(),
        |folder| symlink("/etc", folder.join("files/link")).unwrap(),
        |folder| {
            fs::remove_file(folder.join("files/c.txt")).unwrap();
            symlink("/etc/hostname", folder.join("files/c.txt")).unwrap();
        },
        |folder| {
            fs::remove_file(folder.join("files/c.txt")).unwrap();
            fs::write(folder.join("files/c.txt"), "D").unwrap();
        },
        |folder| {
            fs::remove_dir_all(folder).unwrap();
            fs::write(folder, "a file").unwrap();
        },
        |folder| {
            fs::remove_dir_all(folder).unwrap();
            symlink("/etc", folder).unwrap();
        },
    ];
    let place = place(1 << 20);
    for (number, damage) in damages.into_iter().enumerate() {
        let folder = place.folder(&place.open("B"));
        damage(&folder);
        let mended = place.open("B");
        assert_eq!(fs::read_to_string(mended.path_of("c.txt")).unwrap(), "C", "damage {number}");
        assert_eq!(fs::read_dir(mended.path_of("")).unwrap().count(), 2, "damage {number}");
        assert_eq!(place.names().len(), 1, "nothing is left behind by damage {number}");
    }
    for path in ["files/c.txt", "listing.json", "files/a", "files", ""] {
        let folder = place.folder(&place.open("B"));
        writable(&folder.join(path), 0o777);
        place.open("B");
        assert_eq!(fs::metadata(folder.join(path)).unwrap().mode() & 0o022, 0, "{path:?} is made anew");
    }
}

#[test]
fn what_is_in_use_stays_and_what_was_used_longest_ago_goes() {
    // Room for one.
    let place = place(4);
    let first = place.open("111");
    let path = first.path_of("c.txt");
    let second = place.open("222");
    assert!(path.exists(), "in use");
    assert_eq!(place.names().len(), 2);
    drop(first);
    drop(second);
    let third = place.open("333");
    assert_eq!(place.names(), std::slice::from_ref(&third.hash));
}

#[test]
fn what_others_left_half_made_is_removed_unless_they_still_make_it() {
    let place = place(1 << 20);
    drop(place.open("B"));
    let dead = place.dir.path().join("bundles/.new-dead");
    let alive = place.dir.path().join("bundles/.new-alive");
    fs::create_dir_all(dead.join("files")).unwrap();
    fs::create_dir(&alive).unwrap();
    let lock = fs::File::open(&alive).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockShared).unwrap();
    drop(place.open("another"));
    assert!(!dead.exists() && alive.exists());
}

#[test]
fn a_bundle_that_is_there_is_still_held_to_the_limits() {
    let place = place(1 << 20);
    drop(place.open("B"));
    let open = |bytes, files| place.store.open(bundle("B").as_bytes(), &Max { bytes, files }).map(|_| ());
    assert!(open(2, 2).is_ok());
    assert!(matches!(open(1, 2), Err(StoreError::Unpack(UnpackError::TooLarge(_)))));
    assert!(matches!(open(2, 1), Err(StoreError::Unpack(UnpackError::TooMany(1)))));
}

#[test]
fn a_refused_bundle_leaves_nothing_and_a_folder_of_others_is_not_used() {
    let place = place(1 << 20);
    assert!(matches!(place.store.open(b"junk", &MAX), Err(StoreError::Unpack(UnpackError::Damaged(_)))));
    assert!(place.names().is_empty());
    let dir = place.dir.path().join("bundles");
    fs::set_permissions(&dir, Permissions::from_mode(0o777)).unwrap();
    let refused = place.store.open(bundle("B").as_bytes(), &MAX).map(|_| ()).unwrap_err();
    assert!(refused.to_string().contains("--cache"), "{refused}");
}

#[test]
fn many_at_once_get_the_same() {
    let place = place(0);
    std::thread::scope(|scope| {
        let open = || {
            for content in ["one", "two", "one"] {
                let unpacked = place.open(content);
                assert_eq!(fs::read_to_string(unpacked.path_of("a/b.txt")).unwrap(), content);
            }
        };
        for _ in 0..8 {
            scope.spawn(open);
        }
    });
    assert!(place.names().iter().all(|name| !name.starts_with('.')), "{:?}", place.names());
}
