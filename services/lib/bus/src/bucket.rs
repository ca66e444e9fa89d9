//! Key-value buckets: small facts that every service sees alike, as JSON. Whoever changes one says which revision it
//! replaces, and of two who change at once one is told to look again.
//!
//! Values are looked at again and again instead of being watched: there are few keys, and a look that fails is known to
//! have failed, while a watch that has died is silent.

use std::time::Duration;

use async_nats::Client;
use async_nats::connection::State;
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::kv::{Operation, Store, UpdateErrorKind};
use async_nats::jetstream::{Context, ErrorCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The bucket of the feeds' health, at `<market>.<source>`.
pub const HEALTH: &str = "health";
/// The bucket of the groups' owners, at `<market>.<group>`.
pub const OWNERSHIP: &str = "ownership";

/// How long the server may take. Health is told every second: an answer that comes later is none.
const LIMIT: Duration = Duration::from_secs(2);

/// A bucket on the server.
#[derive(Debug, Clone)]
pub struct Bucket {
    name: &'static str,
    client: Client,
    store: Store,
}

/// A value and the revision that it has; the first change of a key replaces revision 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// Its revision.
    pub revision: u64,
}

/// Why a value could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BucketError {
    /// The server does not have the bucket.
    #[error("bucket {bucket} is not there: run `sise streams apply`")]
    Missing {
        /// The bucket.
        bucket: &'static str,
    },
    /// The value has another revision: somebody else changed it.
    #[error("{bucket} {key} was changed meanwhile: look again")]
    Changed {
        /// The bucket.
        bucket: &'static str,
        /// The key.
        key: String,
    },
    /// The value is not what this version knows.
    #[error("{bucket} {key}: {problem}")]
    Value {
        /// The bucket.
        bucket: &'static str,
        /// The key.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The server is away, too slow, or refuses.
    #[error("{bucket}: {problem}")]
    Server {
        /// The bucket.
        bucket: &'static str,
        /// What the client says.
        problem: String,
    },
}

impl Bucket {
    /// Opens the bucket `name`, one of [`HEALTH`] and [`OWNERSHIP`].
    ///
    /// # Errors
    /// [`BucketError::Missing`] or [`BucketError::Server`].
    pub async fn open(context: &Context, name: &'static str) -> Result<Self, BucketError> {
        let client = context.client();
        // The library would keep the question until the server is back.
        if client.connection_state() != State::Connected {
            return Err(away(name));
        }
        let opened = async {
            match context.get_stream(format!("KV_{name}")).await.map_err(|error| error.kind()) {
                Ok(_) => {}
                Err(GetStreamErrorKind::JetStream(error))
                    if error.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                {
                    return Err(BucketError::Missing { bucket: name });
                }
                Err(other) => return Err(server(name, &other)),
            }
            context.get_key_value(name).await.map_err(|error| server(name, &error))
        };
        let store = in_time(name, opened).await?;
        Ok(Self { name, client, store })
    }

    /// The value of a key; none when it was never set, or is gone.
    ///
    /// # Errors
    /// [`BucketError::Server`]; [`BucketError::Value`] for what cannot be read.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<Versioned<T>>, BucketError> {
        self.connected()?;
        let asked = async { self.store.entry(key).await.map_err(|error| server(self.name, &error)) };
        let Some(entry) = in_time(self.name, asked).await? else { return Ok(None) };
        if entry.operation != Operation::Put {
            return Ok(None);
        }
        let value = serde_json::from_slice(&entry.value).map_err(|error| self.value(key, &error))?;
        Ok(Some(Versioned { value, revision: entry.revision }))
    }

    /// Sets a value, whatever was there: for keys that one service alone writes. Returns the revision.
    ///
    /// # Errors
    /// [`BucketError::Server`].
    pub async fn put<T: Serialize>(&self, key: &str, value: &T) -> Result<u64, BucketError> {
        self.connected()?;
        let value = serde_json::to_vec(value).map_err(|error| self.value(key, &error))?;
        let put =
            async { self.store.put(key, value.into()).await.map_err(|error| server(self.name, &error)) };
        in_time(self.name, put).await
    }

    /// Replaces revision `revision` of a value, 0 = there is none yet. Returns the new revision.
    ///
    /// # Errors
    /// [`BucketError::Changed`] when it has another revision by now; [`BucketError::Server`], after which it may have
    /// been replaced or not: look again.
    pub async fn replace<T: Serialize>(
        &self,
        key: &str,
        value: &T,
        revision: u64,
    ) -> Result<u64, BucketError> {
        self.connected()?;
        let value = serde_json::to_vec(value).map_err(|error| self.value(key, &error))?;
        let replaced = async {
            let replaced = self.store.update(key, value.into(), revision).await;
            replaced.map_err(|error| match error.kind() {
                UpdateErrorKind::WrongLastRevision => {
                    BucketError::Changed { bucket: self.name, key: key.to_owned() }
                }
                _ => server(self.name, &error),
            })
        };
        in_time(self.name, replaced).await
    }

    /// A change that waits for the server in the client's queue would be made much later.
    fn connected(&self) -> Result<(), BucketError> {
        let connected = self.client.connection_state() == State::Connected;
        if connected { Ok(()) } else { Err(away(self.name)) }
    }

    fn value(&self, key: &str, problem: &impl ToString) -> BucketError {
        BucketError::Value { bucket: self.name, key: key.to_owned(), problem: problem.to_string() }
    }
}

fn away(bucket: &'static str) -> BucketError {
    server(bucket, &"no connection to the nats-server")
}

fn server(bucket: &'static str, problem: &impl ToString) -> BucketError {
    BucketError::Server { bucket, problem: problem.to_string() }
}

async fn in_time<T>(
    bucket: &'static str,
    work: impl Future<Output = Result<T, BucketError>>,
) -> Result<T, BucketError> {
    let late = |_| server(bucket, &format!("no answer within {} s", LIMIT.as_secs()));
    tokio::time::timeout(LIMIT, work).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
}
