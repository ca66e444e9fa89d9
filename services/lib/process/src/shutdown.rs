//! One signal asks for an orderly stop; the work itself says when it is done.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Says whether this process was asked to stop. Clones share the answer.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// A shutdown that only [`Shutdown::request`] starts: for tests and for tasks inside a process.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A shutdown that SIGTERM or SIGINT starts. Must run inside the tokio runtime.
    ///
    /// # Errors
    /// When the operating system refuses the signal handler.
    pub fn on_signal() -> std::io::Result<Self> {
        let shutdown = Self::new();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let asked = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("stop requested");
            asked.request();
        });
        Ok(shutdown)
    }

    /// Asks for the stop.
    pub fn request(&self) {
        self.0.cancel();
    }

    /// Whether the stop was asked for.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until the stop is asked for; may be dropped and called again.
    pub async fn requested(&self) {
        self.0.cancelled().await;
    }

    /// A part that can be stopped alone, and stops with the whole.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(self.0.child_token())
    }
}
