//! The topology against a server: what differs, and making it so. Nothing is ever deleted.

use std::fmt;

use async_nats::jetstream::consumer::{self, pull};
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{self, ConsumerErrorKind};
use async_nats::jetstream::{Context, ErrorCode};

use super::{BucketSpec, DurableSpec, StreamSpec, Topology};

/// How a thing on the server stands to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// The server lacks it.
    New,
    /// The server has it otherwise.
    Changed,
    /// The server has it as it must be.
    Unchanged,
    /// The server has it otherwise and cannot change it: a person must decide, since deleting it loses data.
    CannotChange,
}

/// One setting that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// The setting.
    pub field: &'static str,
    /// As the server has it; empty for something new.
    pub from: String,
    /// As it must be.
    pub to: String,
}

/// One stream or durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `stream STATUS` or `durable STATUS/archiver`.
    pub what: String,
    /// How it stands.
    pub kind: ChangeKind,
    /// What differs.
    pub fields: Vec<FieldChange>,
}

/// Why a server could not be compared or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {problem}")]
pub struct TopologyError {
    /// The stream or durable.
    pub what: String,
    /// What the server or the client says.
    pub problem: String,
}

impl TopologyError {
    fn new(what: &str, problem: &impl ToString) -> Self {
        Self { what: what.to_owned(), problem: problem.to_string() }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ChangeKind::New => "new",
            ChangeKind::Changed => "changed",
            ChangeKind::Unchanged => "unchanged",
            ChangeKind::CannotChange => "cannot be changed",
        };
        write!(f, "{}: {kind}", self.what)?;
        for FieldChange { field, from, to } in &self.fields {
            match self.kind {
                ChangeKind::New => write!(f, "\n    {field}: {to}")?,
                _ => write!(f, "\n    {field}: {from} -> {to}")?,
            }
        }
        Ok(())
    }
}

/// What differs between the server and the topology, unchanged things included.
///
/// # Errors
/// [`TopologyError`] when the server does not answer or does not permit the question.
pub async fn diff(context: &Context, topology: &Topology) -> Result<Vec<Change>, TopologyError> {
    walk(context, topology, false).await
}

/// Makes the server match the topology and returns what was done; what cannot be changed is left and named.
/// Doing it twice changes nothing.
///
/// # Errors
/// [`TopologyError`] with the first stream or durable that the server refuses; those before it are done.
pub async fn apply(context: &Context, topology: &Topology) -> Result<Vec<Change>, TopologyError> {
    walk(context, topology, true).await
}

async fn walk(context: &Context, topology: &Topology, make: bool) -> Result<Vec<Change>, TopologyError> {
    let mut changes = Vec::new();
    for stream in &topology.streams {
        let change = stream_change(context, stream, make).await?;
        // Without a stream there is nothing to ask about its durables.
        let missing = change.kind == ChangeKind::New && !make;
        changes.push(change);
        for durable in &stream.durables {
            changes.push(durable_change(context, stream, durable, make, missing).await?);
        }
    }
    for bucket in &topology.buckets {
        changes.push(bucket_change(context, bucket, make).await?);
    }
    Ok(changes)
}

async fn stream_change(context: &Context, spec: &StreamSpec, make: bool) -> Result<Change, TopologyError> {
    let what = format!("stream {}", spec.name);
    change(context, what, &spec.name, |known| spec.config(known), stream_fields, make).await
}

async fn bucket_change(context: &Context, spec: &BucketSpec, make: bool) -> Result<Change, TopologyError> {
    let (what, name) = (format!("bucket {}", spec.name), format!("KV_{}", spec.name));
    change(context, what, &name, |known| spec.config(known), bucket_fields, make).await
}

/// A stream by its name; `config` makes what is wanted of what the server has, `fields` what is compared.
async fn change(
    context: &Context,
    what: String,
    name: &str,
    config: impl Fn(stream::Config) -> stream::Config,
    fields: fn(&stream::Config) -> Vec<Field>,
    make: bool,
) -> Result<Change, TopologyError> {
    let fail = |problem: &dyn fmt::Display| TopologyError::new(&what, &problem);
    let known = match context.get_stream(name).await {
        Ok(stream) => Some(stream.cached_info().config.clone()),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(e) if e.error_code() == ErrorCode::STREAM_NOT_FOUND => None,
            _ => return Err(fail(&error)),
        },
    };
    let wanted = config(known.clone().unwrap_or_default());
    let (kind, fields) = compare(known.as_ref().map(fields), fields(&wanted));
    match kind {
        ChangeKind::New if make => drop(context.create_stream(wanted).await.map_err(|e| fail(&e))?),
        ChangeKind::Changed if make => drop(context.update_stream(wanted).await.map_err(|e| fail(&e))?),
        _ => {}
    }
    Ok(Change { what, kind, fields })
}

async fn durable_change(
    context: &Context,
    stream: &StreamSpec,
    spec: &DurableSpec,
    make: bool,
    missing: bool,
) -> Result<Change, TopologyError> {
    let what = format!("durable {}/{}", stream.name, spec.name);
    let fail = |problem: &dyn fmt::Display| TopologyError::new(&what, &problem);
    let known = if missing {
        None
    } else {
        let found = context.get_consumer_from_stream::<pull::Config, _, _>(&spec.name, &stream.name).await;
        match found {
            Ok(consumer) => Some(consumer.cached_info().config.clone()),
            Err(error) => match error.kind() {
                ConsumerErrorKind::JetStream(e) if e.error_code() == ErrorCode::CONSUMER_NOT_FOUND => None,
                _ => return Err(fail(&error)),
            },
        }
    };
    let before = known.clone().map(consumer::FromConsumer::try_from_consumer_config).transpose();
    let wanted = spec.config(before.map_err(|e| fail(&e))?.unwrap_or_default());
    let wanted_fields = durable_fields(&consumer::IntoConsumerConfig::into_consumer_config(wanted.clone()));
    let (kind, fields) = compare(known.as_ref().map(durable_fields), wanted_fields);
    match kind {
        ChangeKind::New if make => {
            context.create_consumer_on_stream(wanted, &stream.name).await.map_err(|e| fail(&e))?;
        }
        ChangeKind::Changed if make => {
            context.update_consumer_on_stream(wanted, &stream.name).await.map_err(|e| fail(&e))?;
        }
        _ => {}
    }
    Ok(Change { what, kind, fields })
}

/// A setting: name, value for people, and whether a server can change it.
type Field = (&'static str, String, bool);

fn stream_fields(config: &stream::Config) -> Vec<Field> {
    vec![
        ("storage", format!("{:?}", config.storage), false),
        ("retention", format!("{:?}", config.retention), false),
        ("subjects", config.subjects.join(" "), true),
        ("max_bytes", config.max_bytes.to_string(), true),
        ("max_age", format!("{:?}", config.max_age), true),
        ("discard", format!("{:?}", config.discard), true),
        ("replicas", config.num_replicas.to_string(), true),
        ("duplicate_window", format!("{:?}", config.duplicate_window), true),
        ("allow_direct", config.allow_direct.to_string(), true),
        ("description", config.description.clone().unwrap_or_default(), true),
    ]
}

fn bucket_fields(config: &stream::Config) -> Vec<Field> {
    let mut fields = stream_fields(config);
    fields.extend([
        ("history", config.max_messages_per_subject.to_string(), true),
        ("allow_rollup", config.allow_rollup.to_string(), true),
        ("deny_delete", config.deny_delete.to_string(), false),
    ]);
    // The window is of no use to a bucket, and the server has a default of its own for it.
    fields.retain(|(field, ..)| *field != "duplicate_window");
    fields
}

fn durable_fields(config: &consumer::Config) -> Vec<Field> {
    vec![
        ("ack_policy", format!("{:?}", config.ack_policy), false),
        ("deliver_policy", format!("{:?}", config.deliver_policy), false),
        ("ack_wait", format!("{:?}", config.ack_wait), true),
        ("max_ack_pending", config.max_ack_pending.to_string(), true),
        ("max_deliver", config.max_deliver.to_string(), true),
        ("description", config.description.clone().unwrap_or_default(), true),
    ]
}

fn compare(known: Option<Vec<Field>>, wanted: Vec<Field>) -> (ChangeKind, Vec<FieldChange>) {
    let Some(known) = known else {
        let new = |(field, to, _)| FieldChange { field, from: String::new(), to };
        return (ChangeKind::New, wanted.into_iter().map(new).collect());
    };
    let mut kind = ChangeKind::Unchanged;
    let mut fields = Vec::new();
    for ((field, from, _), (_, to, changeable)) in known.into_iter().zip(wanted) {
        if from != to {
            kind = match kind {
                ChangeKind::CannotChange => kind,
                _ if !changeable => ChangeKind::CannotChange,
                _ => ChangeKind::Changed,
            };
            fields.push(FieldChange { field, from, to });
        }
    }
    (kind, fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(storage: &str, bytes: &str) -> Vec<Field> {
        vec![("storage", storage.into(), false), ("max_bytes", bytes.into(), true)]
    }

    #[test]
    fn differences_are_shown_for_people() {
        let (kind, changed) = compare(Some(fields("File", "1")), fields("File", "2"));
        let change = Change { what: "stream STATUS".into(), kind, fields: changed };
        assert_eq!(change.to_string(), "stream STATUS: changed\n    max_bytes: 1 -> 2");
        assert_eq!(compare(Some(fields("File", "1")), fields("File", "1")), (ChangeKind::Unchanged, vec![]));
        assert_eq!(compare(None, fields("File", "1")).0, ChangeKind::New);
    }

    #[test]
    fn what_cannot_be_changed_outweighs_what_can() {
        let (kind, changed) = compare(Some(fields("Memory", "1")), fields("File", "2"));
        assert_eq!((kind, changed.len()), (ChangeKind::CannotChange, 2));
    }
}
