//! Statements over ClickHouse's HTTP interface, and what they cost.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The longest statement: the sort of a large table on a busy machine.
const LIMIT: Duration = Duration::from_secs(3_600);

/// A database of a server.
#[derive(Debug, Clone)]
pub struct Database {
    http: reqwest::Client,
    url: String,
    name: String,
}

/// What a question was answered, and for how much.
#[derive(Debug)]
pub struct Answer {
    /// A row each, values by their columns.
    pub rows: Vec<Map<String, Value>>,
    /// Rows that the server read.
    pub read_rows: u64,
    /// Bytes that it read, uncompressed.
    pub read_bytes: u64,
    /// From the question to the whole answer.
    pub took: Duration,
}

/// An answer in the format `JSON`.
#[derive(Deserialize)]
struct Json {
    data: Vec<Map<String, Value>>,
    statistics: Statistics,
}

#[derive(Deserialize)]
struct Statistics {
    rows_read: u64,
    bytes_read: u64,
}

/// A client of plain HTTP.
///
/// # Errors
/// When there can be none.
pub fn http() -> anyhow::Result<reqwest::Client> {
    // The client wants a provider for TLS, which nobody here speaks.
    process::tls::install();
    reqwest::Client::builder().timeout(LIMIT).build().context("make an HTTP client")
}

impl Database {
    /// The database `name` of the server at `url`. Opens nothing yet.
    ///
    /// # Errors
    /// When there can be no HTTP client.
    pub fn new(url: &str, name: &str) -> anyhow::Result<Self> {
        Ok(Self { http: http()?, url: url.to_owned(), name: name.to_owned() })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text that the server answers to a statement with the values of its parameters.
    ///
    /// # Errors
    /// What the server says, with the beginning of the statement.
    pub async fn run(&self, sql: &str, values: &[(&str, &str)]) -> anyhow::Result<String> {
        let mut query = vec![("database".to_owned(), self.name.as_str())];
        query.extend(values.iter().map(|(name, value)| (format!("param_{name}"), *value)));
        let asked = self.http.post(&self.url).query(&query).body(sql.to_owned()).send();
        let answer = asked.await.context("ask ClickHouse")?;
        let (status, text) = (answer.status(), answer.text().await.context("read ClickHouse's answer")?);
        if !status.is_success() {
            let beginning: String = sql.chars().take(200).collect();
            bail!("ClickHouse ({status}): {}: {beginning}", text.trim());
        }
        Ok(text)
    }

    /// The rows that a question is answered with.
    ///
    /// # Errors
    /// As [`Database::run`].
    pub async fn ask(&self, sql: &str, values: &[(&str, &str)]) -> anyhow::Result<Answer> {
        let began = Instant::now();
        let text = self.run(&format!("{sql}\nFORMAT JSON"), values).await?;
        let took = began.elapsed();
        let json: Json = serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))?;
        let Statistics { rows_read, bytes_read } = json.statistics;
        Ok(Answer { rows: json.data, read_rows: rows_read, read_bytes: bytes_read, took })
    }

    /// The one number that a question is answered with.
    ///
    /// # Errors
    /// As [`Database::run`], and when it is no number.
    pub async fn number(&self, sql: &str) -> anyhow::Result<u64> {
        let text = self.run(&format!("{sql}\nFORMAT TSV"), &[]).await?;
        text.trim().parse().with_context(|| format!("not a number: {text:?}: {sql}"))
    }
}
