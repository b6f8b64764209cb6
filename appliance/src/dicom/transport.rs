//! A connection, in the clear or within TLS, as one type. It knows nothing of DICOM.

use tokio::io::{AsyncRead, AsyncWrite};

/// Bytes to a peer and back.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Transport for S {}

/// Any of them.
pub(crate) type Connection = Box<dyn Transport>;
