//! Binds a service's addresses and explains why it could not. It never accepts a connection.

use std::net::SocketAddr;

use tokio::net::TcpListener;

/// Binds `address`, which the configuration calls `setting`, such as `[http] listen`.
///
/// # Errors
/// [`ListenError`], a sentence for whoever set the address.
pub async fn bind(setting: &'static str, address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => ListenError::InUse { setting, address },
        std::io::ErrorKind::PermissionDenied => ListenError::Privileged { setting, address },
        std::io::ErrorKind::AddrNotAvailable => ListenError::NotOurs { setting, address },
        _ => ListenError::Other { setting, address, source },
    })
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another program has it.
    #[error("{address} is in use by another program; stop that program or change {setting} in the configuration")]
    InUse {
        /// As the configuration calls it.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// Ports under 1024 need a privilege.
    #[error(
        "{address} may not be used by this user; choose a port of 1024 or more for {setting}, or give the service \
         CAP_NET_BIND_SERVICE"
    )]
    Privileged {
        /// As the configuration calls it.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// No interface of this machine has it.
    #[error("{address} is not an address of this machine; use one that `ip address` shows, or 0.0.0.0, for {setting}")]
    NotOurs {
        /// As the configuration calls it.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("cannot listen on {address} ({setting} in the configuration)")]
    Other {
        /// As the configuration calls it.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_is_named_with_its_setting() {
        let first = bind("[http] listen", "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let taken = first.local_addr().unwrap();
        let error = bind("[http] listen", taken).await.unwrap_err().to_string();
        assert!(error.contains(&taken.to_string()) && error.contains("[http] listen"), "{error}");
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_explained() {
        // 192.0.2.0/24 is reserved for documentation (RFC 5737): nobody has it.
        let error = bind("[dicom] listen", "192.0.2.1:0".parse().unwrap()).await.unwrap_err().to_string();
        assert!(error.contains("not an address of this machine"), "{error}");
    }
}
