//! A bundle as its app sees it.

use std::sync::Arc;

use crate::bundle::asks::{Asks, MountAsk};
use crate::bundle::mounts::{Content, FileRefused, MountError, Mounts};
use crate::bundle::pack::pack_contents;
use crate::bundle::store::Store;
use crate::config::DirGrant;
use crate::limits::Size;

const LARGE: usize = 100_000;

fn asks(mounts: &[(&str, &str)]) -> Asks {
    let mounts = mounts.iter().map(|&(guest, folder)| MountAsk { guest: guest.into(), folder: folder.into() });
    Asks { mounts: mounts.collect(), ..Asks::default() }
}

fn dir(guest: &str) -> DirGrant {
    DirGrant::new("here".into(), guest, true).unwrap()
}

fn mounts(asks: &Asks, dirs: &[DirGrant]) -> Result<(Arc<Mounts>, tempfile::TempDir), MountError> {
    let place = tempfile::tempdir().unwrap();
    let store = Store::new(place.path().join("bundles"), Size::from_mib(1));
    let large = vec![b'x'; LARGE];
    let bundle =
        pack_contents([("a/b.txt", &b"0123456789"[..]), ("large", &large), ("empty", b""), (".wasgi/zone", b"UTC")])
            .unwrap();
    let max = super::Max { bytes: 1 << 20, files: 10 };
    let unpacked = Arc::new(store.open(bundle.as_bytes(), &max).unwrap());
    Ok((Arc::new(Mounts::new(Some(unpacked), asks, dirs)?), place))
}

async fn bytes(mounts: &Arc<Mounts>, path: &str, offset: u64, length: Option<u64>) -> Result<Vec<u8>, FileRefused> {
    mounts.part(path, offset, length).await.map(|content| match content {
        Content::Bytes(bytes) => bytes.to_vec(),
        Content::File(part) => panic!("{part:?}"),
    })
}

#[tokio::test]
async fn parts_of_files_are_found_by_any_of_their_names() {
    let (mounts, _place) = mounts(&asks(&[("/0", ""), ("/1", "a")]), &[]).unwrap();
    for path in ["/app/a/b.txt", "/0/a/b.txt", "/1/b.txt"] {
        assert_eq!(bytes(&mounts, path, 0, None).await.unwrap(), b"0123456789", "{path}");
    }
    for (offset, length, part) in [(3, Some(2), "34"), (3, None, "3456789"), (10, None, ""), (10, Some(0), "")] {
        assert_eq!(bytes(&mounts, "/app/a/b.txt", offset, length).await.unwrap(), part.as_bytes());
    }
    assert_eq!(bytes(&mounts, "/app/empty", 0, None).await.unwrap(), b"");
    let Ok(Content::File(part)) = mounts.part("/app/large", 10, None).await else { panic!("read as it is sent") };
    assert_eq!(part.left(), LARGE as u64 - 10);
}

#[tokio::test]
async fn what_is_not_in_the_bundle_is_not_served() {
    let (mounts, place) = mounts(&asks(&[]), &[]).unwrap();
    let refused = async |path: &str| bytes(&mounts, path, 0, None).await.unwrap_err();
    for path in ["a/b.txt", "", "/", "/app", "/app/", "/appx/a", "/0/a/b.txt", "/app/../etc/passwd", "/app//a/b.txt"] {
        assert!(matches!(refused(path).await, FileRefused::Outside(_)), "{path:?}");
    }
    for path in ["/app/none", "/app/a", "/app/a/b.txt/c"] {
        assert!(matches!(refused(path).await, FileRefused::Missing(_)), "{path:?}");
    }
    for (offset, length) in [(11, None), (0, Some(11)), (10, Some(1)), (u64::MAX, None), (1, Some(u64::MAX))] {
        let refused = bytes(&mounts, "/app/a/b.txt", offset, length).await.unwrap_err();
        assert!(matches!(refused, FileRefused::PastEnd { size: 10, .. }), "{refused}");
    }
    let none = Arc::new(Mounts::default());
    assert!(matches!(bytes(&none, "/app/a", 0, None).await, Err(FileRefused::NoBundle(_))));
    // A link that somebody put there later is not followed.
    let folder = std::fs::read_dir(place.path().join("bundles")).unwrap().next().unwrap().unwrap().path();
    std::os::unix::fs::symlink("/etc/hostname", folder.join("files/link")).unwrap();
    std::os::unix::fs::symlink("/etc", folder.join("files/etc")).unwrap();
    assert!(bytes(&mounts, "/app/link", 0, None).await.is_err());
    assert!(bytes(&mounts, "/app/etc/hostname", 0, None).await.is_err());
}

#[test]
fn its_places_and_granted_directories_do_not_hide_each_other() {
    let mounted = asks(&[("/0", "")]);
    for granted in ["/0", "/0/data"] {
        let refused = mounts(&mounted, &[dir(granted)]).unwrap_err();
        assert!(refused.to_string().contains(&format!("/0, where here is granted as {granted}")), "{refused}");
    }
    assert!(matches!(mounts(&asks(&[("/0", "none")]), &[]), Err(MountError::NoFolder { .. })));
    assert!(matches!(mounts(&asks(&[("/0", "large")]), &[]), Err(MountError::NoFolder { .. })));
    let (whole, _place) = mounts(&mounted, &[dir("/"), dir("/data"), dir("/app/data"), dir("/00")]).unwrap();
    assert_eq!(guests(&whole.handles()), ["/app", "/0"]);
    assert!(whole.handles().iter().all(|dir| !dir.writable));
}

#[test]
fn a_directory_granted_in_the_bundle_is_there_by_each_of_its_names() {
    let granted = [dir("/app/data"), dir("/app/a/deep"), dir("/data")];
    let (mounts, _place) = mounts(&asks(&[("/0", ""), ("/1", "a")]), &granted).unwrap();
    let mirrored: Vec<_> = mounts.mirrored(&granted).into_iter().map(|dir| (dir.guest, dir.writable)).collect();
    assert_eq!(mirrored, [("/0/data".to_owned(), true), ("/0/a/deep".into(), true), ("/1/deep".into(), true)]);
}

#[tokio::test]
async fn a_directory_granted_as_the_bundle_lies_over_it_but_for_what_the_build_added() {
    let over = tempfile::tempdir().unwrap();
    std::fs::write(over.path().join("own.txt"), "own").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", over.path().join("link")).unwrap();
    let granted = [DirGrant::new(over.path().into(), "/app", true).unwrap()];
    let (mounts, _place) = mounts(&asks(&[("/0", ""), ("/1", "a")]), &granted).unwrap();
    assert_eq!(guests(&mounts.handles()), ["/app/.wasgi", "/0/.wasgi", "/1"]);
    assert_eq!(guests(&mounts.mirrored(&granted)), ["/0"]);
    for path in ["/app/own.txt", "/0/own.txt"] {
        assert_eq!(bytes(&mounts, path, 0, None).await.unwrap(), b"own");
    }
    assert_eq!(bytes(&mounts, "/app/.wasgi/zone", 0, None).await.unwrap(), b"UTC");
    assert_eq!(bytes(&mounts, "/1/b.txt", 0, Some(1)).await.unwrap(), b"0");
    for path in ["/app/a/b.txt", "/app/link", "/app/../etc/hostname", "/1/own.txt"] {
        assert!(bytes(&mounts, path, 0, None).await.is_err(), "{path}");
    }
}

fn guests(dirs: &[DirGrant]) -> Vec<&str> {
    dirs.iter().map(|dir| dir.guest.as_str()).collect()
}
