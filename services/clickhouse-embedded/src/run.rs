//! From settings to a serving process and to its orderly end.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use process::Shutdown;
use rustix::fs::{FlockOperation, flock};

use crate::auth::Users;
use crate::config::Settings;
use crate::engine::Engine;
use crate::http::{Server, router};
use crate::spool::Spool;

/// How often sessions that were idle for too long are ended.
const EXPIRE_EVERY: Duration = Duration::from_secs(5);

/// Takes the folder for this process until it ends, however it ends.
fn lock(path: &Path) -> anyhow::Result<File> {
    let name = path.join("clickhouse-embedded.lock");
    let file = File::options().create(true).truncate(false).write(true).open(&name)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => bail!(
            "another clickhouse-embedded uses {}: stop it, or set clickhouse_embedded.path to another folder",
            path.display()
        ),
        Err(error) => Err(error).context(format!("cannot lock {}", name.display())),
    }
}

/// Serves until it is asked to stop.
///
/// # Errors
/// When the folder is in use or unusable, the library cannot be loaded, the address is taken, or requests are still
/// running when the time for stopping is over.
pub async fn run(mut settings: Settings, shutdown: Shutdown) -> anyhow::Result<()> {
    crate::figures::describe();
    let ready = process::ready::part("engine");
    let shown = settings.path.display().to_string();
    std::fs::create_dir_all(&settings.path).with_context(|| format!("cannot make the folder {shown}"))?;
    settings.path = settings.path.canonicalize()?;
    let _lock = lock(&settings.path)?;
    let (spool, left) = Spool::open(&settings.path.join("spool"), settings.max_spool_bytes)?;
    if left > 0 {
        tracing::info!(files = left, "unconfirmed insert bodies of an earlier run removed");
    }
    crate::repair::deduplication_logs(&settings.path).context("cannot check the deduplication logs")?;
    let engine = Engine::start(&settings).context("the engine does not start")?;
    let listener = tokio::net::TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("cannot listen on {} (clickhouse_embedded.listen)", settings.listen))?;
    let address = listener.local_addr()?;
    tracing::info!(%address, path = %settings.path.display(), version = engine.version, "serving");
    ready.ready();
    let server = Arc::new(Server { engine: Arc::clone(&engine), spool, users: Users::new(&settings.users) });
    let expiry = tokio::spawn(expire(Arc::clone(&engine)));
    let serving = serve(listener, server, shutdown, settings.stop_after).await;
    expiry.abort();
    let closed = tokio::time::timeout(settings.stop_after, engine.close()).await;
    serving?;
    closed.context("statements were still running when the time for stopping was over")
}

async fn serve(
    listener: tokio::net::TcpListener,
    server: Arc<Server>,
    shutdown: Shutdown,
    limit: Duration,
) -> anyhow::Result<()> {
    let asked = shutdown.clone();
    let serving =
        axum::serve(listener, router(server)).with_graceful_shutdown(async move { asked.requested().await });
    tokio::select! {
        result = serving.into_future() => Ok(result?),
        () = async { shutdown.requested().await; tokio::time::sleep(limit).await } => {
            bail!("requests were still open {} s after the stop was asked for", limit.as_secs())
        }
    }
}

async fn expire(engine: Arc<Engine>) {
    let mut ticks = tokio::time::interval(EXPIRE_EVERY);
    loop {
        ticks.tick().await;
        engine.expire_sessions();
    }
}
