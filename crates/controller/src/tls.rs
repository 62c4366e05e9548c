//! The certificate and the key of the controller.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{self, ServerConfig};

/// Files of TLS.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// Certificates in PEM, the controller's own first.
    pub certificate: PathBuf,
    /// The private key in PEM, for its owner only.
    pub key: PathBuf,
}

/// Why TLS cannot be spoken.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read or holds something else.
    #[error("{what} {path}: {error}")]
    File {
        /// What the file is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: String,
    },
    /// Certificate and key cannot be used.
    #[error("the certificate {certificate} and the key {key} cannot be used: {error}")]
    Pair {
        /// File of the certificates.
        certificate: PathBuf,
        /// File of the key.
        key: PathBuf,
        /// What is wrong.
        error: rustls::Error,
    },
}

fn failed(what: &'static str, path: &Path, error: impl ToString) -> TlsError {
    TlsError::File {
        what,
        path: path.to_owned(),
        error: error.to_string(),
    }
}

/// Reads the files.
pub(crate) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
    let path = &files.certificate;
    let wrong = |error: &dyn ToString| failed("the certificate", path, error.to_string());
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(&error))?;
    if certificates.is_empty() {
        return Err(wrong(&"there is none in this file (PEM is read)"));
    }
    let path = &files.key;
    let mode = std::fs::metadata(path).map_err(|error| failed("the key", path, error))?;
    let mode = mode.permissions().mode() & 0o7777;
    if mode & 0o027 != 0 {
        let words = format!("everybody may read or change it (mode {mode:04o}): chmod 600 it");
        return Err(failed("the key", path, words));
    }
    let key = PrivateKeyDer::from_pem_file(path).map_err(|error| failed("the key", path, error))?;
    let pair = |error| TlsError::Pair {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        error,
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
