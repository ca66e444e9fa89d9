//! The end of a batch: what became of it goes into the ledger, then its messages are acknowledged. Beside the insert of the
//! next batch, and in the order of the batches: one at a time.

use std::sync::Arc;
use std::time::Duration;

use bus::Delivery;
use store::{Archived, Store};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{JoinError, JoinHandle};

use crate::alive::while_at_work;
use crate::storing::{Trouble, ask};

/// What is written and acknowledged of a batch.
pub struct Closed {
    /// Rows of the ledger.
    pub stretches: Vec<Archived>,
    /// The messages.
    pub deliveries: Arc<Vec<Delivery>>,
    /// The room that they take.
    pub memory: Option<OwnedSemaphorePermit>,
}

/// Closes the batches of one stream.
pub struct Closing {
    stream: Arc<str>,
    store: Store,
    report_every: Duration,
    running: JoinHandle<Trouble>,
}

impl Closing {
    /// Nothing is closed yet. Messages are reported as at work each `report_every` while ClickHouse is away.
    pub fn new(stream: &Arc<str>, store: &Store, report_every: Duration, trouble: Trouble) -> Self {
        let running = tokio::spawn(async { trouble });
        Self { stream: Arc::clone(stream), store: store.clone(), report_every, running }
    }

    /// Begins to close a batch when the one before is closed.
    ///
    /// # Errors
    /// When that one's task did not end well.
    pub async fn begin(&mut self, closed: Closed) -> Result<(), JoinError> {
        let trouble = (&mut self.running).await?;
        let (stream, store) = (Arc::clone(&self.stream), self.store.clone());
        self.running = tokio::spawn(close(stream, store, self.report_every, trouble, closed));
        Ok(())
    }

    /// Waits until the last batch is closed: whoever reads the ledger then finds it complete.
    ///
    /// # Errors
    /// When its task did not end well.
    pub async fn closed(&mut self) -> Result<(), JoinError> {
        let trouble = (&mut self.running).await?;
        self.running = tokio::spawn(async { trouble });
        Ok(())
    }
}

async fn close(
    stream: Arc<str>,
    store: Store,
    report_every: Duration,
    mut trouble: Trouble,
    Closed { stretches, deliveries, memory }: Closed,
) -> Trouble {
    let writing = ask(&mut trouble, "write ledger", || store.write_ledger(&stretches));
    while_at_work(writing, report_every, &deliveries).await;
    trouble.over();
    if let Err(error) = bus::acknowledge(&deliveries).await {
        // The connection is gone: they come again and are known.
        tracing::warn!(stream = &*stream, %error, "acknowledgements lost");
    }
    drop(memory);
    trouble
}
