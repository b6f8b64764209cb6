//! Files that only this service may read, written whole or not at all.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::IdentityError;

/// Readable and writable by the service's user alone.
const PRIVATE: u32 = 0o600;

/// A folder for such files.
const PRIVATE_FOLDER: u32 = 0o700;

/// Reads a file that enrolment should have made.
///
/// # Errors
/// [`IdentityError::Missing`].
pub fn read(file: &Path) -> Result<String, IdentityError> {
    std::fs::read_to_string(file).map_err(|source| IdentityError::Missing { file: file.to_owned(), source })
}

/// Makes a folder that nobody else looks into; one that is there stays as it is.
///
/// # Errors
/// [`IdentityError::Write`].
pub fn make_private_folder(folder: &Path) -> Result<(), IdentityError> {
    let failed = |source| IdentityError::Write { file: folder.to_owned(), source };
    DirBuilder::new().recursive(true).mode(PRIVATE_FOLDER).create(folder).map_err(failed)
}

/// Writes a file whole or not at all, readable by this user alone, durable when it returns.
///
/// # Errors
/// [`IdentityError::Write`].
pub fn write_private(file: &Path, content: &str) -> Result<(), IdentityError> {
    let failed = |source| IdentityError::Write { file: file.to_owned(), source };
    let fresh = file.with_extension("new");
    let mut options = OpenOptions::new();
    let mut opened = options.write(true).create(true).truncate(true).mode(PRIVATE).open(&fresh).map_err(failed)?;
    opened.write_all(content.as_bytes()).and_then(|()| opened.sync_all()).map_err(failed)?;
    std::fs::rename(&fresh, file).map_err(failed)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The name is durable only when its folder is.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}
