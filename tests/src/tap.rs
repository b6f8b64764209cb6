//! A line that is listened in on: everything that goes over one TCP port, in both directions, is kept in a file. It changes
//! nothing, and understands nothing.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;

/// Bytes that are taken from one side at once.
const PIECE: usize = 16 * 1024;

/// Listens on a free port of `localhost`, gives it, and carries what comes to `port` and back; all of it is in `kept`. It goes on
/// until the test's process ends.
///
/// # Errors
/// Where there is no free port, or the file cannot be made.
pub fn tapped(port: u16, kept: &Path) -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port for the tapped line")?;
    let here = listener.local_addr().context("the tapped line has no port")?.port();
    let kept = File::create(kept).with_context(|| format!("{} cannot be made", kept.display()))?;
    let kept = Arc::new(Mutex::new(kept));
    std::thread::spawn(move || {
        for caller in listener.incoming().flatten() {
            // Whom nobody answers behind the line finds it dead, as without it.
            if let Ok(callee) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                let _ = join(&caller, &callee, &kept);
            }
        }
    });
    Ok(here)
}

fn join(caller: &TcpStream, callee: &TcpStream, kept: &Arc<Mutex<File>>) -> std::io::Result<()> {
    for (from, to) in [(caller, callee), (callee, caller)] {
        let (from, to, kept) = (from.try_clone()?, to.try_clone()?, Arc::clone(kept));
        std::thread::spawn(move || carry(from, to, &kept));
    }
    Ok(())
}

fn carry(mut from: TcpStream, mut to: TcpStream, kept: &Mutex<File>) {
    let mut piece = [0; PIECE];
    while let Ok(read @ 1..) = from.read(&mut piece) {
        let written = kept.lock().unwrap_or_else(PoisonError::into_inner).write_all(&piece[..read]);
        if written.and_then(|()| to.write_all(&piece[..read])).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
