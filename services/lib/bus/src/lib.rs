//! Between the services: events as protobuf payloads on durable JetStream subjects.
//!
//! The way out: [`mod@subject`] (event to address), [`to_proto`] (event to bytes), [`publisher`] (bytes to JetStream, each
//! acknowledged). The way in: [`consumer`] (a durable to batches), [`message`] (one of a stream), [`delivery`] (its
//! acknowledgement), [`from_proto`] (bytes to event, refusing what cannot be), [`mod@stamp`] (where a payload of a newer version belongs),
//! [`reading`] (messages by their sequence), [`mod@latest`] (the last message of each subject), [`tap`] (a look at a subject, without a promise). Questions:
//! [`requests`] (answered by the cell that owns a broker) and [`mod@ask`] (asked by everybody else). Beside
//! them [`server`] (who answers, what the streams take), [`topology`] (streams and durables as data, compared with the server and applied), [`mod@connect`] (a connection
//! that never gives up), [`bucket`] (small facts that all see alike) and [`delimited`] (events in a file or a pipe).
//!
//! What is absent: a broker, a database, a journal. No prost type leaves this crate.

pub mod ask;
pub mod bucket;
pub mod connect;
pub mod consumer;
pub mod decode_error;
pub mod delimited;
pub mod delivery;
pub mod from_proto;
pub mod latest;
pub mod message;
pub mod publisher;
pub mod reading;
pub mod requests;
pub mod server;
pub mod stamp;
pub mod subject;
pub mod tap;
pub mod to_proto;
pub mod topology;

mod figures;
mod generated;
mod words;

#[cfg(test)]
mod samples;

pub use ask::{AskError, ask, ask_at};
pub use async_nats::jetstream::{Context, new as jetstream};
pub use async_nats::{Client, Subject};
pub use bucket::{Bucket, BucketError, Versioned};
pub use connect::{ConnectError, NatsSettings, Password, connect, connected, is_connected};
pub use consumer::{
    BatchLimits, ConsumeError, Consumer, DurableState, StreamState, durable_state, stream_state,
};
pub use decode_error::DecodeError;
pub use delimited::{decode_delimited, encode_delimited};
pub use delivery::{AckError, Delivery, acknowledge};
pub use from_proto::decode;
pub use latest::{LatestError, latest};
pub use message::StreamMessage;
pub use publisher::{DrainError, Outgoing, PublishError, Publisher};
pub use reading::{ReadError, delete_message, next_message, read_message};
pub use requests::{ASK_LIMIT, Asked, Place, Refused, RespondError, Responder};
pub use server::{Present, ServerError, Storage, present, storage};
pub use stamp::decode_stamp;
pub use subject::{deadletter_of, deadletter_subject, stream_name, subject};
pub use tap::Tap;
pub use to_proto::encode;
pub use topology::Topology;
