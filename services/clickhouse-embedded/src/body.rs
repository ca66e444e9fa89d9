//! A request's body: bytes of the network in; the statement's text and, of an `INSERT`, its data on disk out.
//!
//! As in ClickHouse the text is `query` of the URL, a line end, and the body; it may be cut between the two anywhere.
//! Only the head of the text is held in memory. Data go to the spool as they come.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest as _, Multipart};
use axum::http::{self, HeaderMap};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;

use crate::compression::{ByteStream, Encoding};
use crate::error::Exception;
use crate::native;
use crate::request::{Request, header};
use crate::spool::{Spool, SpoolFile};
use crate::sql::{Split, split};

/// Longest text of a statement without its data unless `max_query_size` says otherwise: ClickHouse's default.
const MAX_QUERY_BYTES: usize = 256 << 10;
/// Longest text at all, whatever `max_query_size` says: it is held in memory several times.
const MAX_QUERY_LIMIT: usize = 64 << 20;
/// Longest form (`multipart/form-data`), all fields together.
const MAX_FORM_BYTES: usize = 16 << 20;

/// How long a client may be silent in the middle of its body: four times `http_receive_timeout` of ClickHouse, since
/// clients that gather rows as they come are slow by nature.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(120);

/// What a request brought.
#[derive(Debug)]
pub struct Received {
    /// The statement, without data.
    pub sql: String,
    /// The data of an `INSERT`, perhaps none at all in the file.
    pub data: Option<SpoolFile>,
}

fn query_limit(request: &Request) -> usize {
    let given = request.settings.iter().rfind(|(name, _)| name == "max_query_size");
    given.and_then(|(_, value)| value.parse().ok()).unwrap_or(MAX_QUERY_BYTES).min(MAX_QUERY_LIMIT)
}

fn text(bytes: &[u8]) -> Result<String, Exception> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        Exception::syntax(format!("The text of the statement is not UTF-8 at byte {at}"))
    })?;
    Ok(text.trim().to_owned())
}

/// The body without its compressions.
fn plain(body: Body, headers: &HeaderMap, request: &Request) -> Result<ByteStream<Exception>, Exception> {
    let broken = |error| Exception::cannot_read(format!("Cannot read the request's body: {error}"));
    let mut stream: ByteStream<Exception> = Box::pin(body.into_data_stream().map(move |p| p.map_err(broken)));
    if let Some(encoding) = Encoding::parse(header(headers, "content-encoding").unwrap_or_default())? {
        stream = encoding.decoded(stream);
    }
    if request.decompress {
        stream = Box::pin(native::decoded(stream));
    }
    Ok(stream)
}

/// Reads the body of a request that is no form.
///
/// # Errors
/// Codes 23, 40, 48, 62, 89, 243, 271: what is wrong with the body.
pub async fn receive(
    body: Body,
    headers: &HeaderMap,
    request: &Request,
    spool: &Arc<Spool>,
) -> Result<Received, Exception> {
    let mut stream = plain(body, headers, request)?;
    let limit = query_limit(request);
    let mut head = BytesMut::from(request.query.as_bytes());
    if !head.is_empty() {
        head.extend_from_slice(b"\n");
    }
    // Looking again only after the text has doubled keeps the work in proportion, however small the pieces are.
    let (mut complete, mut look_at) = (false, head.len());
    loop {
        if complete || head.len() >= look_at {
            if let Split::Data(at) = split(&head, complete) {
                return spooled(&head, at, stream, spool).await;
            }
            if complete {
                break;
            }
            look_at = head.len() * 2;
        }
        if head.len() > limit {
            let text = format!(
                "Max query size exceeded: the statement without data is longer than {limit} bytes (max_query_size)"
            );
            return Err(Exception::syntax(text));
        }
        match next(&mut stream).await? {
            Some(piece) => head.extend_from_slice(&piece),
            None => complete = true,
        }
    }
    Ok(Received { sql: text(&head)?, data: None })
}

async fn next(stream: &mut ByteStream<Exception>) -> Result<Option<Bytes>, Exception> {
    let piece = tokio::time::timeout(RECEIVE_TIMEOUT, stream.next()).await;
    let silent = |_| Exception::socket_timeout("Timeout exceeded while reading the request's body");
    piece.map_err(silent)?.transpose()
}

async fn spooled(
    head: &[u8],
    at: usize,
    mut stream: ByteStream<Exception>,
    spool: &Arc<Spool>,
) -> Result<Received, Exception> {
    let (statement, first) = head.split_at_checked(at).unwrap_or((head, &[]));
    let sql = text(statement)?;
    let mut writer = spool.create().await?;
    writer.write(first).await?;
    while let Some(piece) = next(&mut stream).await? {
        writer.write(&piece).await?;
    }
    Ok(Received { sql, data: Some(writer.finish().await?) })
}

/// Whether the body is a form.
#[must_use]
pub fn is_form(headers: &HeaderMap) -> bool {
    header(headers, "content-type").is_some_and(|text| text.starts_with("multipart/form-data"))
}

/// Reads a form: fields are parameters as those of the URL (the Rust client sends `query` and `param_x` so).
///
/// # Errors
/// Code 48 for a file (an external table), 62 for a form too long or broken.
pub async fn receive_form(body: Body, headers: &HeaderMap, request: &mut Request) -> Result<(), Exception> {
    let broken = |error: &dyn std::fmt::Display| Exception::syntax(format!("Cannot read the form: {error}"));
    let plain = plain(body, headers, request)?;
    let mut left = MAX_FORM_BYTES;
    let limited = plain.map(move |piece: Result<Bytes, Exception>| {
        let piece = piece?;
        left = left
            .checked_sub(piece.len())
            .ok_or_else(|| Exception::syntax(format!("The form is longer than {MAX_FORM_BYTES} bytes")))?;
        Ok::<_, Exception>(piece)
    });
    let mut http = http::Request::new(Body::from_stream(limited));
    *http.headers_mut() = headers.clone();
    let mut form = Multipart::from_request(http, &()).await.map_err(|error| broken(&error))?;
    while let Some(field) = form.next_field().await.map_err(|error| broken(&error))? {
        let name = field.name().unwrap_or_default().to_owned();
        if field.file_name().is_some() {
            return Err(Exception::not_implemented(format!(
                "External tables are not supported: the form brings a file as `{name}`"
            )));
        }
        let value = field.text().await.map_err(|error| broken(&error))?;
        request.set(&name, value)?;
    }
    Ok(())
}
