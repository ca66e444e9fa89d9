//! TLS with an own certificate authority: made at start, its certificate written to `ca.pem` for the clients.

use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Finished handshakes that may wait for the HTTP server.
const WAITING: usize = 16;

/// Makes the authority and a certificate for `localhost`, `127.0.0.1` and `::1`; writes `folder/ca.pem`.
///
/// # Errors
/// When a certificate cannot be made or the file cannot be written.
pub fn acceptor(folder: &Path) -> anyhow::Result<TlsAcceptor> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "sise simulator authority");
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let authority = params.self_signed(&key)?;
    let issuer = Issuer::new(params, key);

    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name.push(DnType::CommonName, "sise simulator");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?;

    std::fs::create_dir_all(folder)?;
    let path = folder.join("ca.pem");
    std::fs::write(&path, authority.pem())
        .map_err(|e| anyhow::anyhow!("cannot write {}: {e}", path.display()))?;
    tracing::info!(path = %path.display(), "certificate authority written");

    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// A listener of encrypted connections for the HTTP server: a slow handshake holds up nobody.
pub struct TlsListener {
    address: std::net::SocketAddr,
    ready: mpsc::Receiver<(TlsStream<TcpStream>, std::net::SocketAddr)>,
}

impl TlsListener {
    /// Accepts and shakes hands in the background until it is dropped.
    ///
    /// # Errors
    /// When the address of the listener cannot be read.
    pub fn new(listener: TcpListener, acceptor: TlsAcceptor) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, ready) = mpsc::channel(WAITING);
        tokio::spawn(accept(listener, acceptor, sender));
        Ok(Self { address, ready })
    }
}

type Ready = mpsc::Sender<(TlsStream<TcpStream>, std::net::SocketAddr)>;

async fn accept(mut listener: TcpListener, acceptor: TlsAcceptor, sender: Ready) {
    loop {
        // The place is reserved first: handshakes under way are bounded by it.
        let Ok(place) = sender.clone().reserve_owned().await else { return };
        let (stream, peer) = tokio::select! {
            () = sender.closed() => return,
            accepted = axum::serve::Listener::accept(&mut listener) => accepted,
        };
        let handshake = acceptor.accept(stream);
        tokio::spawn(async move {
            match tokio::time::timeout(std::time::Duration::from_secs(10), handshake).await {
                Ok(Ok(stream)) => drop(place.send((stream, peer))),
                Ok(Err(error)) => tracing::warn!(%peer, %error, "tls handshake failed"),
                Err(_) => tracing::warn!(%peer, "tls handshake took too long"),
            }
        });
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(ready) => ready,
            // The accepting task ends only with this receiver.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Ok(self.address)
    }
}
