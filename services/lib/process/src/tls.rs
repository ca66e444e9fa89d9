//! One crypto provider for the whole process.

/// Installs the provider. Without it the first TLS connection panics when two providers are in the tree.
pub fn install() {
    // Refused when one is installed already, which is what we want.
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
}
