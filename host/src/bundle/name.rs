//! What a file in a bundle may be called. The same rules where one is packed and where it is unpacked.

/// Bytes of one segment of a path: what file systems take.
pub const SEGMENT_MAX: usize = 255;

/// Bytes of a path.
pub const PATH_MAX: usize = 1024;

/// Segments of a path.
pub const DEPTH_MAX: usize = 32;

/// Why a path is refused. Completes the sentence "its path ...".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No path at all.
    #[error("is empty")]
    Empty,
    /// Starts with `/`.
    #[error("is absolute")]
    Absolute,
    /// Has `.`, `..` or nothing between two `/`.
    #[error("has a `.`, `..` or empty segment")]
    Dots,
    /// Has `\`, which is a separator elsewhere.
    #[error("has a backslash")]
    Backslash,
    /// Has NUL or another control character.
    #[error("has a control character")]
    Control,
    /// Is not UTF-8.
    #[error("is not UTF-8")]
    NotUtf8,
    /// Longer than [`PATH_MAX`], or a segment than [`SEGMENT_MAX`].
    #[error("is over 1024 bytes, or a segment of it is over 255")]
    TooLong,
    /// More than [`DEPTH_MAX`] segments.
    #[error("is over 32 folders deep")]
    TooDeep,
}

/// The path that these bytes are: relative, with `/` between its segments, each of which names something.
///
/// # Errors
/// [`NameError`].
pub fn parse(bytes: &[u8]) -> Result<&str, NameError> {
    if bytes.len() > PATH_MAX {
        return Err(NameError::TooLong);
    }
    let path = std::str::from_utf8(bytes).map_err(|_error| NameError::NotUtf8)?;
    check(path)?;
    Ok(path)
}

/// Whether a path keeps the rules.
///
/// # Errors
/// [`NameError`].
pub fn check(path: &str) -> Result<(), NameError> {
    if path.is_empty() {
        return Err(NameError::Empty);
    }
    if path.len() > PATH_MAX {
        return Err(NameError::TooLong);
    }
    if path.starts_with('/') {
        return Err(NameError::Absolute);
    }
    if path.contains('\\') {
        return Err(NameError::Backslash);
    }
    if path.chars().any(char::is_control) {
        return Err(NameError::Control);
    }
    if path.split('/').count() > DEPTH_MAX {
        return Err(NameError::TooDeep);
    }
    for segment in path.split('/') {
        match segment {
            "" | "." | ".." => return Err(NameError::Dots),
            _ if segment.len() > SEGMENT_MAX => return Err(NameError::TooLong),
            _ => {}
        }
    }
    Ok(())
}

/// The folders that a path lies in, the outermost first.
pub fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}
