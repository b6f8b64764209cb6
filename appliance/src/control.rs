//! Orders to the running service from its own machine: a socket in the state folder that only the service's user may open,
//! one JSON line asked, one answered. It never carries anything about a patient.

mod line;

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::journal::Journal;
use crate::model::Switch;
use crate::world::World;

pub use line::{Answer, Order, Which};

/// The socket's name in the state folder.
const NAME: &str = "control.sock";

/// Longest order and longest answer, bytes: a digest has 64 characters, and an error with its causes some hundred.
const LONGEST: u64 = 16 * 1024;

/// How long the other side may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(5);

/// Orders in hand or waiting at the same time; more are refused. There is one person at the keyboard.
const SEATS: usize = 4;

/// Whoever carries orders out. Clones share it.
#[derive(Clone)]
pub struct Hands {
    /// For orders about models.
    pub switch: Switch,
    /// For orders about deliveries.
    pub journal: Journal,
    /// Told of deliveries that are due.
    pub couriers: Arc<Notify>,
    /// Clock.
    pub world: World,
}

/// Why an order did not reach the service.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody listens.
    #[error("the service does not run")]
    NotRunning,
    /// It cannot be opened.
    #[error("cannot open {socket}; run this as the service's user, for example with `sudo -u hilum`")]
    Open {
        /// The socket.
        socket: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It broke off, or answered something else.
    #[error("the service did not answer; look at its log")]
    NoAnswer(#[source] io::Error),
}

/// Sends an order to the service of this state folder and waits for its answer, which takes as long as the order.
///
/// # Errors
/// [`ControlError`].
pub async fn order(state_dir: &Path, order: &Order) -> Result<Answer, ControlError> {
    let open = |source| ControlError::Open { socket: state_dir.join(NAME), source };
    let folder = fs::File::open(state_dir).map_err(open)?;
    let mut stream = UnixStream::connect(short(&folder)).await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ControlError::NotRunning,
        _ => open(error),
    })?;
    let answered = async {
        write(&mut stream, order).await?;
        serde_json::from_slice(&read(&mut stream).await?).map_err(io::Error::other)
    };
    answered.await.map_err(ControlError::NoAnswer)
}

/// Listens until `stop`.
///
/// # Errors
/// Where the socket cannot be made.
pub fn listen(state_dir: &Path) -> io::Result<UnixListener> {
    // Made under another name and protected before it is found under its own.
    let folder = fs::File::open(state_dir)?;
    let coming = short(&folder).with_file_name(".control.sock");
    remove(&coming)?;
    let listener = UnixListener::bind(&coming)?;
    fs::set_permissions(&coming, Permissions::from_mode(0o600))?;
    fs::rename(&coming, short(&folder))?;
    Ok(listener)
}

/// Does what is ordered until `stop`.
pub async fn serve(listener: UnixListener, hands: Hands, stop: CancellationToken) {
    let seats = Arc::new(Semaphore::new(SEATS));
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let Ok((stream, _)) = accepted else {
            // Out of descriptors: others are in want, too.
            tokio::time::sleep(PATIENCE).await;
            continue;
        };
        let (Ok(seat), hands) = (Arc::clone(&seats).try_acquire_owned(), hands.clone()) else { continue };
        tokio::spawn(async move {
            if let Err(error) = answer(stream, hands).await {
                tracing::warn!(error = %error, "an order broke off");
            }
            drop(seat);
        });
    }
}

async fn answer(mut stream: UnixStream, hands: Hands) -> io::Result<()> {
    // The socket's mode says the same; this holds where a file system does not.
    let (theirs, ours) = (stream.peer_cred()?.uid(), rustix::process::geteuid().as_raw());
    if theirs != ours && theirs != 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "another user"));
    }
    let asked = tokio::time::timeout(PATIENCE, read(&mut stream)).await??;
    let answer = match serde_json::from_slice::<Order>(&asked) {
        Err(_) => Answer::Refused("this is no order that this version understands".to_owned()),
        Ok(order) => line::carry_out(order, hands, theirs).await,
    };
    write(&mut stream, &answer).await
}

/// One line, without its end.
async fn read(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    loop {
        match stream.read_u8().await? {
            b'\n' => return Ok(line),
            _ if line.len() as u64 >= LONGEST => return Err(io::Error::other("the line is too long")),
            byte => line.push(byte),
        }
    }
}

async fn write(stream: &mut UnixStream, what: &impl serde::Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    stream.write_all(&line).await
}

/// The socket by way of its open folder: a socket's address holds 107 characters (unix(7)), a path may have more.
fn short(folder: &fs::File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(NAME)
}

fn remove(file: &Path) -> io::Result<()> {
    fs::remove_file(file).or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests;
