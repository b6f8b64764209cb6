//! Private ports on this machine. A port is free when it is given out; nobody can promise more.

use std::net::{Ipv4Addr, TcpListener, TcpStream};

use anyhow::Context;

/// A port that nothing listens on now.
///
/// # Errors
/// Where the system has none left.
pub fn free() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr().context("the port that was bound is not known")?.port())
}

/// `wanted` if nothing listens on it, else any free one: people like an address that stays.
///
/// # Errors
/// See [`free`].
pub fn preferred(wanted: u16) -> anyhow::Result<u16> {
    if TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)).is_ok() { Ok(wanted) } else { free() }
}

/// Whether something listens there.
#[must_use]
pub fn answers(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}
