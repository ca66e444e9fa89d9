//! A batch on its way: its deliveries, and its rows, which another task makes beside the insert of the batch before.

use std::sync::Arc;

use bus::Delivery;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{JoinError, JoinHandle};

use crate::batch::Batch;

/// Deliveries in rising order of their sequences, and their rows. Made by a task and not by a thread beside the runtime's:
/// the allocator keeps a heap for each, and each would grow as large as the largest batch.
pub struct Pulled {
    /// What was pulled; never empty.
    pub deliveries: Arc<Vec<Delivery>>,
    /// The room that a larger batch takes.
    pub memory: Option<OwnedSemaphorePermit>,
    batch: JoinHandle<Batch>,
}

impl Pulled {
    /// Begins to make the rows; none of no deliveries.
    pub fn read(
        stream: &Arc<str>,
        mut deliveries: Vec<Delivery>,
        memory: Option<OwnedSemaphorePermit>,
    ) -> Option<Self> {
        if deliveries.is_empty() {
            return None;
        }
        deliveries.sort_by_key(|delivery| delivery.stream_sequence);
        let deliveries = Arc::new(deliveries);
        let (stream, read) = (Arc::clone(stream), Arc::clone(&deliveries));
        let batch = tokio::spawn(async move { Batch::read(&stream, &read) });
        Some(Self { deliveries, memory, batch })
    }

    /// The deliveries, the room they take, and the rows.
    ///
    /// # Errors
    /// When the task did not end well.
    pub async fn rows(self) -> Result<(Arc<Vec<Delivery>>, Option<OwnedSemaphorePermit>, Batch), JoinError> {
        Ok((self.deliveries, self.memory, self.batch.await?))
    }
}
