//! Replies of the engine into an HTTP response in ClickHouse's form.
//!
//! The response waits until the statement has ended or [`HELD_BYTES`] are here, so that an error of a short query has
//! its status, and the summary its counts. An error after that is written behind the data as ClickHouse does it, between
//! two `__exception__` marks that hold the tag of header `X-ClickHouse-Exception-Tag`.

use std::time::Instant;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::compression::{ByteStream, Encoding};
use crate::error::Exception;
use crate::ffi::Statistics;
use crate::native;
use crate::statement::Reply;

/// Most of a streamed result that is held back: as much as ClickHouse's own buffer of a response.
const HELD_BYTES: usize = 1 << 20;
const SERVER_NAME: &str = "clickhouse-embedded";

/// What of the request the response needs.
#[derive(Debug)]
pub struct Context {
    /// Given or made.
    pub query_id: String,
    /// Version of the engine.
    pub version: String,
    /// Time zone of the engine.
    pub timezone: String,
    /// HTTP compression.
    pub encoding: Option<Encoding>,
    /// ClickHouse's block compression.
    pub compress: bool,
    /// When the request came.
    pub started: Instant,
}

/// 32 hexadecimal digits in the form of a UUID: unlike any other of this process and, most likely, of others.
#[must_use]
pub fn random_id() -> String {
    use std::hash::{BuildHasher as _, Hasher as _};
    let part = || std::collections::hash_map::RandomState::new().build_hasher().finish();
    let number = (u128::from(part()) << 64) | u128::from(part());
    let hex = format!("{number:032x}");
    let group = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", group(0, 8), group(8, 12), group(12, 16), group(16, 20), group(20, 32))
}

fn content_type(format: &str) -> &'static str {
    match format {
        "JSON" | "JSONCompact" | "JSONStrings" | "JSONColumns" | "JSONCompactStrings" => {
            "application/json; charset=UTF-8"
        }
        "JSONEachRow" | "JSONLines" | "NDJSON" | "JSONCompactEachRow" | "JSONStringsEachRow" => {
            "application/x-ndjson; charset=UTF-8"
        }
        "TabSeparated"
        | "TSV"
        | "TabSeparatedWithNames"
        | "TSVWithNames"
        | "TabSeparatedWithNamesAndTypes"
        | "TSVWithNamesAndTypes" => "text/tab-separated-values; charset=UTF-8",
        "CSV" => "text/csv; charset=UTF-8; header=absent",
        "CSVWithNames" | "CSVWithNamesAndTypes" => "text/csv; charset=UTF-8; header=present",
        "XML" => "application/xml; charset=UTF-8",
        "Markdown" => "text/markdown; charset=UTF-8",
        name if name.starts_with("Pretty")
            || matches!(name, "Vertical" | "Values" | "TSKV" | "SQLInsert") =>
        {
            "text/plain; charset=UTF-8"
        }
        _ => "application/octet-stream",
    }
}

impl Context {
    fn set(&self, response: &mut Response<Body>, pairs: &[(&'static str, &str)]) {
        for (name, value) in pairs {
            // A value that no header can hold (a `query_id` with a line end) is left out.
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
    }

    fn base(&self, body: Body, statistics: Statistics) -> Response<Body> {
        let mut response = Response::new(body);
        let summary = serde_json::json!({
            "read_rows": statistics.rows_read.to_string(),
            "read_bytes": statistics.bytes_read.to_string(),
            "written_rows": statistics.rows_written.to_string(),
            "written_bytes": statistics.bytes_written.to_string(),
            "total_rows_to_read": "0",
            "result_rows": statistics.result_rows.to_string(),
            "result_bytes": statistics.result_bytes.to_string(),
            "elapsed_ns": self.started.elapsed().as_nanos().to_string(),
        });
        self.set(
            &mut response,
            &[
                ("x-clickhouse-query-id", &self.query_id),
                ("x-clickhouse-timezone", &self.timezone),
                ("x-clickhouse-server-display-name", SERVER_NAME),
                ("x-clickhouse-summary", &summary.to_string()),
            ],
        );
        response
    }

    /// An error as the whole response.
    #[must_use]
    pub fn failed(&self, exception: &Exception) -> Response<Body> {
        metrics::counter!("sise_clickhouse_embedded_failed_total", "code" => exception.code.to_string())
            .increment(1);
        let text = format!("{exception} (version {} (official build))\n", self.version);
        let mut response = self.base(Body::from(text), Statistics::default());
        *response.status_mut() =
            StatusCode::from_u16(exception.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self.set(
            &mut response,
            &[
                ("x-clickhouse-exception-code", &exception.code.to_string()),
                ("content-type", "text/plain; charset=UTF-8"),
            ],
        );
        response
    }

    fn good(
        &self,
        data: ByteStream<std::io::Error>,
        format: &str,
        statistics: Statistics,
        tag: &str,
    ) -> Response<Body> {
        let body = if self.compress {
            Body::from_stream(data.map(|piece| piece.map(|piece| native::encode(&piece))))
        } else if let Some(encoding) = self.encoding {
            Body::from_stream(encoding.encoded(data))
        } else {
            Body::from_stream(data)
        };
        let mut response = self.base(body, statistics);
        let pairs = [("x-clickhouse-format", format), ("content-type", content_type(format))];
        self.set(&mut response, &pairs);
        self.set(&mut response, &[("x-clickhouse-exception-tag", tag)]);
        if let Some(encoding) = self.encoding {
            response
                .headers_mut()
                .insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
        }
        response
    }

    /// Builds the response; `place` is given back when its last byte is sent.
    pub async fn answer(
        self,
        mut replies: mpsc::Receiver<Reply>,
        place: OwnedSemaphorePermit,
    ) -> Response<Body> {
        let tag: String = random_id().bytes().filter(u8::is_ascii_hexdigit).take(16).map(letter).collect();
        let (mut format, mut held, mut bytes) = (String::new(), Vec::new(), 0);
        while bytes < HELD_BYTES {
            match replies.recv().await {
                Some(Reply::Format(name)) => format = name,
                Some(Reply::Piece(piece)) => {
                    bytes += piece.len();
                    held.push(piece);
                }
                Some(Reply::Done(statistics)) => return self.good(all(held), &format, statistics, &tag),
                Some(Reply::Whole(data, statistics)) => {
                    return self.good(all(vec![data]), &format, statistics, &tag);
                }
                Some(Reply::Failed(exception)) => return self.failed(&exception),
                None => return self.failed(&Exception::unknown("the statement ended without a result")),
            }
        }
        let version = self.version.clone();
        let rest = rest(replies, version, tag.clone(), place);
        let data = Box::pin(all(held).chain(rest));
        self.good(data, &format, Statistics::default(), &tag)
    }
}

/// Hexadecimal digit to letter: ClickHouse's tags are 16 letters.
fn letter(digit: u8) -> char {
    char::from(
        b'a' + if digit.is_ascii_digit() { digit - b'0' } else { digit.to_ascii_lowercase() - b'a' + 10 },
    )
}

fn all(pieces: Vec<Bytes>) -> ByteStream<std::io::Error> {
    let pieces = pieces.into_iter().filter(|piece| !piece.is_empty());
    Box::pin(futures_util::stream::iter(pieces.map(Ok)))
}

fn rest(
    replies: mpsc::Receiver<Reply>,
    version: String,
    tag: String,
    place: OwnedSemaphorePermit,
) -> ByteStream<std::io::Error> {
    Box::pin(futures_util::stream::unfold(Some((replies, version, tag, place)), |state| async move {
        let (mut replies, version, tag, place) = state?;
        let exception = match replies.recv().await {
            Some(Reply::Piece(piece)) => return Some((Ok(piece), Some((replies, version, tag, place)))),
            Some(Reply::Done(_)) => return None,
            Some(Reply::Failed(exception)) => exception,
            Some(Reply::Format(_) | Reply::Whole(..)) | None => {
                Exception::unknown("the statement ended too early")
            }
        };
        metrics::counter!("sise_clickhouse_embedded_failed_total", "code" => exception.code.to_string())
            .increment(1);
        Some((Ok(Bytes::from(mark(&exception, &version, &tag))), None))
    }))
}

fn mark(exception: &Exception, version: &str, tag: &str) -> String {
    let message = format!("{exception} (version {version} (official build))\n");
    let length = message.len();
    format!("\r\n__exception__\r\n{tag}\r\n{message}{length} {tag}\r\n__exception__\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_form_of_a_uuid_and_differ() {
        let (one, other) = (random_id(), random_id());
        assert_eq!(one.len(), 36);
        assert_ne!(one, other);
    }

    /// The block that ClickHouse 25.12 wrote, from the official client's tests.
    #[test]
    fn late_errors_are_written_as_clickhouse_writes_them() {
        let text = "Code: 159. DB::Exception: Timeout exceeded: elapsed 126.147987 ms, maximum: 100 ms. (TIMEOUT_EXCEEDED)";
        assert_eq!(
            mark(&Exception::parse(text), "25.12.1.649", "rnywyenlaeqynhmu"),
            "\r\n__exception__\r\nrnywyenlaeqynhmu\r\nCode: 159. DB::Exception: Timeout exceeded: elapsed 126.147987 ms, \
             maximum: 100 ms. (TIMEOUT_EXCEEDED) (version 25.12.1.649 (official build))\n142 rnywyenlaeqynhmu\r\n\
             __exception__\r\n"
        );
    }

    #[test]
    fn tags_are_letters() {
        assert_eq!("0123456789abcdef".bytes().map(letter).collect::<String>(), "abcdefghijklmnop");
    }
}
