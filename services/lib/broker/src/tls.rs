//! Whom we trust: the public certificate authorities, and one of our own for tests and simulated brokers.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// A certificate authority's file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("certificate authority {path}: {problem}")]
pub struct TlsError {
    /// The file.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
}

/// The PEM file's certificates.
///
/// # Errors
/// [`TlsError`] when the file cannot be read or holds no certificate.
pub fn read_authority(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fail = |problem: String| TlsError { path: path.display().to_string(), problem };
    let pem = std::fs::read(path).map_err(|e| fail(e.to_string()))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(fail("no certificate in it".to_owned())),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(fail(error.to_string())),
    }
}

/// Client settings that trust the public authorities and `authority`, if given.
///
/// # Errors
/// [`TlsError`] when the file cannot be used.
pub fn client(authority: Option<&Path>) -> Result<Arc<rustls::ClientConfig>, TlsError> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = authority {
        for certificate in read_authority(path)? {
            roots
                .add(certificate)
                .map_err(|e| TlsError { path: path.display().to_string(), problem: e.to_string() })?;
        }
    }
    Ok(Arc::new(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}
