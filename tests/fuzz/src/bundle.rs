//! What an app brings along besides its code.

use std::collections::BTreeSet;
use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;
use wasgi::bundle::unpack::{Max, Sink, unpack};
use wasgi::bundle::{self, Asks, Bundle};

use crate::input::assert_is_one_line;

/// Little, so that inputs reach it.
const MAX: Max = Max { bytes: 4096, files: 16 };

/// Bytes as a bundle, as the archive in one, as asks and as a `.wasm` with sections: each is refused in one line, or
/// leads nowhere but where it may.
///
/// # Panics
/// If that is not so.
pub fn bundle(data: &[u8]) {
    unpacked(data);
    // As it is, hardly any input has the check sum of gzip.
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(data).unwrap();
    unpacked(&gzip.finish().unwrap());
    match Asks::parse(data) {
        Ok(asks) => assert_eq!(Asks::parse(&asks.to_json().unwrap()), Ok(asks)),
        Err(error) => assert_is_one_line(&error.to_string()),
    }
    sections(data);
}

fn unpacked(bundle: &[u8]) {
    let mut seen = Seen::default();
    match unpack(bundle, &MAX, &mut seen) {
        Ok(items) => {
            let total: u64 = items.iter().map(|item| item.size).sum();
            assert!(total <= MAX.bytes && total == seen.bytes && items.len() <= 16, "{items:?}");
            assert!(items.is_sorted_by(|a, b| a.path < b.path), "{items:?}");
            assert_eq!(items.len(), seen.files.len());
        }
        Err(error) => assert_is_one_line(&error.to_string()),
    }
}

/// What a file system would be told.
#[derive(Default)]
struct Seen {
    files: BTreeSet<String>,
    folders: BTreeSet<String>,
    bytes: u64,
    open: bool,
}

impl Seen {
    /// Refuses what a folder of its own would not take, or what would leave it.
    fn place(&self, path: &str) {
        assert!(path.len() <= 1024 && !path.starts_with('/') && !path.contains(['\\', '\0']), "{path:?}");
        assert!(path.split('/').all(|segment| !matches!(segment, "" | "." | "..") && segment.len() <= 255), "{path:?}");
        assert!(!self.files.contains(path) && !self.folders.contains(path), "{path:?} twice");
        if let Some((folder, _)) = path.rsplit_once('/') {
            assert!(self.folders.contains(folder), "{path:?} is in no folder");
        }
    }
}

impl Sink for Seen {
    fn folder(&mut self, path: &str) -> io::Result<()> {
        self.place(path);
        self.folders.insert(path.to_owned());
        Ok(())
    }

    fn begin(&mut self, path: &str) -> io::Result<()> {
        assert!(!self.open, "one file at a time");
        self.place(path);
        self.files.insert(path.to_owned());
        self.open = true;
        Ok(())
    }

    fn write(&mut self, part: &[u8]) -> io::Result<()> {
        assert!(self.open, "no file is open");
        self.bytes += part.len() as u64;
        assert!(self.bytes <= MAX.bytes, "over the limit");
        Ok(())
    }

    fn end(&mut self, _modified: u64) -> io::Result<()> {
        self.open = false;
        Ok(())
    }
}

fn sections(data: &[u8]) {
    let parts = match bundle::cut_off(data.to_vec()) {
        Ok(parts) => parts,
        Err(error) => return assert_is_one_line(&error.to_string()),
    };
    let again = bundle::cut_off(parts.component.clone()).unwrap();
    assert_eq!((again.component, again.bundle, again.asks), (parts.component.clone(), None, None));
    let Ok(made) = bundle::append(&parts.component, Some(&Bundle::from_bytes(data.to_vec())), None) else { return };
    let found = bundle::cut_off(made).unwrap();
    assert_eq!((found.component, found.bundle.as_deref()), (parts.component, Some(data)));
}
