//! One object's bytes out of an open file: whole, once, and before anything is parsed. So a disk that fails in the middle of
//! a file is told from a file that is damaged, and no decoder ever waits for a disk.

use std::fs::File;
use std::io::{self, Read, Seek};

use super::{Limits, Unreadable};

/// Why an object's bytes cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// The machine did not give them: nothing is known of the object, and another time it may.
    #[error("the stored file could not be read; look at the disk's health")]
    NotNow(#[from] io::Error),
    /// They are not wanted at any time.
    #[error(transparent)]
    Never(#[from] Unreadable),
}

/// Reads `file` from its first byte to its end, wherever it stands.
///
/// # Errors
/// [`Unavailable::Never`] where it is over `limits.file_bytes`, [`Unavailable::NotNow`] where the system does not give it.
pub fn load(mut file: File, limits: &Limits) -> Result<Vec<u8>, Unavailable> {
    // Not `metadata`, which asks by a call that could also look up a path, and is refused here.
    let size = u64::try_from(rustix::fs::fstat(&file).map_err(io::Error::from)?.st_size).unwrap_or(0);
    if size > limits.file_bytes {
        return Err(too_large(size, limits).into());
    }
    file.rewind()?;
    read(file, size, limits)
}

/// `size` is a hint: what counts is where the file ends.
fn read(file: impl Read, size: u64, limits: &Limits) -> Result<Vec<u8>, Unavailable> {
    let mut bytes = Vec::new();
    let room = usize::try_from(size).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    bytes.try_reserve_exact(room).map_err(io::Error::other)?;
    let read = file.take(limits.file_bytes + 1).read_to_end(&mut bytes)? as u64;
    if read > limits.file_bytes {
        return Err(too_large(read, limits).into());
    }
    Ok(bytes)
}

fn too_large(size: u64, limits: &Limits) -> Unreadable {
    let what = format!("{} MiB, the limit is {} MiB", size.div_ceil(1 << 20), limits.file_bytes >> 20);
    Unreadable::TooLarge { what }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Gives what `good` holds and then what a bad sector gives.
    struct BadSector<'a>(&'a [u8]);

    impl Read for BadSector<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let taken = self.0.read(buffer)?;
            if taken == 0 { Err(rustix::io::Errno::IO.into()) } else { Ok(taken) }
        }
    }

    #[test]
    fn an_error_deep_in_a_file_says_nothing_of_the_object() {
        let good = vec![7; 100_000];
        let outcome = read(BadSector(&good), 200_000, &Limits::default());
        assert!(matches!(outcome, Err(Unavailable::NotNow(error)) if error.raw_os_error() == Some(5)));
    }

    #[test]
    fn the_whole_file_is_read_wherever_it_stands_and_no_more_than_the_limit() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[3; 1000]).unwrap();
        let again = |file: &File| file.try_clone().unwrap();
        assert_eq!(load(again(&file), &Limits::default()).unwrap(), [3; 1000]);
        let limits = Limits { file_bytes: 999, ..Limits::default() };
        assert!(matches!(load(file, &limits), Err(Unavailable::Never(Unreadable::TooLarge { .. }))));
        // One that grows, or does not tell its size, is stopped all the same.
        let endless = read(io::repeat(0), 0, &limits);
        assert!(matches!(endless, Err(Unavailable::Never(Unreadable::TooLarge { .. }))));
    }
}
