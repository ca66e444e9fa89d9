//! The barest loops of the client that know in the end that everything is stored: payloads and ids are prepared, nothing is
//! kept to be sent again, and an answer is counted and hardly read.

use std::time::Instant;

use anyhow::{Context as _, bail};
use async_nats::HeaderMap;
use bus::Outgoing;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};

use crate::measure::rate;
use crate::servers::nats::Nats;

/// The library's own way: a request each, as many in flight as the window has, each acknowledgement awaited in order.
pub(super) async fn library(server: &Nats, messages: &[Outgoing], window: usize) -> anyhow::Result<f64> {
    let context = server.context("bare").await?;
    let publish = |message: &Outgoing| {
        let (context, message) = (context.clone(), message.clone());
        async move {
            let (subject, headers, payload) = parts(message);
            context.publish_with_headers(subject, headers, payload).await?.await?;
            anyhow::Ok(())
        }
    };
    let (first, rest) = messages.split_first().context("nothing to publish")?;
    publish(first).await?;
    let begin = Instant::now();
    futures_util::stream::iter(rest)
        .map(publish)
        .buffered(window)
        .try_for_each(|()| async { Ok(()) })
        .await?;
    Ok(rate(u64::try_from(rest.len())?, begin))
}

/// The core of the client with one reply subject for all: no future, no timer, no map of requests for each message.
pub(super) async fn one_inbox(server: &Nats, messages: &[Outgoing], window: usize) -> anyhow::Result<f64> {
    let client = server.context("bare").await?.client();
    let inbox = async_nats::Subject::from(client.new_inbox());
    let mut answers = client.subscribe(inbox.clone()).await?;
    let (mut sent, mut stored) = (0, 0);
    let mut begin = Instant::now();
    for message in messages {
        while sent - stored >= window {
            read(answers.next().await)?;
            stored += 1;
        }
        while let Some(answer) = answers.next().now_or_never() {
            read(answer)?;
            stored += 1;
        }
        let (subject, headers, payload) = parts(message.clone());
        client.publish_with_reply_and_headers(subject, inbox.clone(), headers, payload).await?;
        sent += 1;
        if sent == 1 {
            read(answers.next().await)?;
            stored += 1;
            begin = Instant::now();
        }
    }
    while stored < sent {
        read(answers.next().await)?;
        stored += 1;
    }
    Ok(rate(u64::try_from(messages.len() - 1)?, begin))
}

fn parts(message: Outgoing) -> (bus::Subject, HeaderMap, bytes::Bytes) {
    let mut headers = HeaderMap::new();
    headers.insert(bus::subject::MESSAGE_ID_HEADER, message.message_id);
    (message.subject, headers, message.payload)
}

/// An error begins otherwise than `{"stream"`.
fn read(answer: Option<async_nats::Message>) -> anyhow::Result<()> {
    let answer = answer.context("connection lost")?;
    if !answer.payload.starts_with(b"{\"stream\"") {
        bail!("not stored: {}", String::from_utf8_lossy(&answer.payload));
    }
    Ok(())
}
