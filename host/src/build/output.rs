//! The file that a build writes: whole or not at all, and in the place of a file only.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{BuildError, mode, umask};

/// Whether a build could write its output.
///
/// # Errors
/// What keeps it from that.
pub(super) fn check(path: Option<&Path>) -> Result<(), BuildError> {
    let refused = |error| BuildError::File { what: "write", path: path.unwrap_or(Path::new(".")).to_owned(), error };
    if let Some(path) = path {
        if path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(refused(io::Error::other("it is not the name of a file")));
        }
        // Nobody means to build over a source file.
        if is_something_else(path).map_err(refused)? {
            return Err(refused(io::Error::other("what is there is not WebAssembly; name another file, or remove it")));
        }
        // A device that is replaced would be missing to the whole machine.
        if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
            return Err(refused(io::Error::other("something else than a file is there")));
        }
    }
    beside(path.unwrap_or(Path::new("any"))).map(drop).map_err(refused)
}

/// Whether a file is there that no build has made.
fn is_something_else(path: &Path) -> io::Result<bool> {
    if !fs::metadata(path).is_ok_and(|there| there.is_file() && there.len() > 0) {
        return Ok(false);
    }
    let mut start = [0; 4];
    let whole = fs::File::open(path)?.read_exact(&mut start);
    Ok(whole.is_err() || start != *b"\0asm")
}

/// Replaces `path`: a host that serves it finds the old file or the new one, never a part.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), BuildError> {
    let written = || -> io::Result<()> {
        let mut file = beside(path)?;
        file.write_all(content)?;
        // Made for the owner alone; what is built may be read by whom the umask lets.
        fs::set_permissions(file.path(), mode(0o666 & !umask()))?;
        file.persist(path)?;
        Ok(())
    };
    written().map_err(BuildError::file("write", path))
}

/// A new file in the same folder.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::Builder::new().prefix(".wasgi-").suffix(".new").tempfile_in(folder)
}

/// The file that is at `path`, or would be, by a path that is the same however it is reached.
pub(super) fn resolved(path: &Path) -> Option<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(fs::canonicalize(folder).ok()?.join(path.file_name().unwrap_or(OsStr::new(""))))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_no_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("null");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        for path in [folder.path(), &folder.path().join("new/"), &link, Path::new("/"), Path::new(""), Path::new("..")]
        {
            assert!(check(Some(path)).is_err(), "{}", path.display());
        }
        assert!(check(Some(&folder.path().join("missing/app.wasm"))).is_err());
        assert!(check(Some(&folder.path().join("app.wasm"))).is_ok());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left");
    }

    #[test]
    fn an_output_is_replaced_whole_and_read_by_whom_the_umask_lets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.wasm");
        fs::write(&path, "old").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666 & !umask());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
