//! The worked queries of `clickhouse/queries/` on a synthetic archive, and one symbol over all of its days: time, rows and bytes
//! read, bytes on disk of each row and column; and, by hand, the same with other sort keys, codecs and projections.

mod all_days;
mod alternatives;
pub mod fill;
pub mod sql;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::folder::Fresh;
use crate::measure::{Measure, median};
use crate::options::Options;
use crate::queries::fill::Plan;
use crate::queries::sql::Database;
use crate::servers::clickhouse::Clickhouse;

const BENCH: &str = "queries";
/// The database of everything that is measured here.
const DATABASE: &str = "sise";
/// Rows of each table where little is to be done.
const SMOKE: u64 = 20_000;
/// Times that each query is asked after a first one that does not count; where little is to be done it is asked once.
const ROUNDS: usize = 3;
/// Values of the queries' parameters: the symbol with the most prints, in the middle of what was filled.
const VALUES: [(&str, &str); 6] = [
    ("market", "kr"),
    ("trade_date", "2026-09-08"),
    ("symbol", "005930"),
    ("tape", "krx"),
    ("source", "kis"),
    ("rows", "20"),
];

/// How much is filled.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Trades, nearly.
    #[arg(long, default_value_t = 20_000_000)]
    pub trades: u64,
    /// Order books, nearly; 0 leaves out what asks for them.
    #[arg(long, default_value_t = 20_000_000)]
    pub books: u64,
    /// Asks again on copies of the tables with other sort keys, codecs and projections.
    #[arg(long)]
    pub alternatives: bool,
}

/// A file of `clickhouse/queries/`.
#[derive(Debug)]
pub struct Query {
    /// Its name without the ending: `05_spread_by_minute`.
    pub name: String,
    /// Its text.
    pub sql: String,
}

impl Query {
    /// Whether it asks for books, which may not be there.
    fn of_books(&self) -> bool {
        self.sql.contains("order_books") || self.sql.contains("book_crosscheck")
    }
}

/// What a query took: medians.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// From the question to the whole answer.
    pub ms: f64,
    /// Rows read.
    pub rows: u64,
    /// Bytes read, uncompressed.
    pub bytes: u64,
}

/// Fills, asks, measures.
///
/// # Errors
/// When a server fails, a count is not what it must be, or a query has no answer.
pub async fn run(options: &Options, arguments: Arguments) -> anyhow::Result<Vec<Measure>> {
    let folder = Fresh::of(options, BENCH)?;
    let server = Clickhouse::start(&options.binaries, folder.path()).await?;
    let measures = on(&server.url(), options, &arguments).await;
    server.end().await?;
    measures
}

async fn on(url: &str, options: &Options, arguments: &Arguments) -> anyhow::Result<Vec<Measure>> {
    let (trades, books) = if options.smoke { (SMOKE, SMOKE) } else { (arguments.trades, arguments.books) };
    let database = migrated(url, DATABASE).await?;
    let mut measures = Vec::new();
    let rows = fill::trades(&database, Plan::of(trades)).await?;
    measures.extend(sizes(&database, "trades", rows).await?);
    if books > 0 {
        let rows = fill::books(&database, Plan::of(books)).await?;
        measures.extend(sizes(&database, "order_books", rows).await?);
    }
    let mut costs = Vec::new();
    let worked = all(Path::new("clickhouse/queries"))?;
    for query in worked.into_iter().chain(all_days::queries(Plan::of(trades))) {
        if books == 0 && query.of_books() {
            continue;
        }
        let cost = cost(&database, &query, if options.smoke { 0 } else { ROUNDS }).await?;
        measures.extend(told(&query.name, cost));
        costs.push((query, cost));
    }
    if arguments.alternatives {
        measures.extend(alternatives::run(url, &database, &costs, books > 0).await?);
    }
    Ok(measures)
}

/// A database of all tables and views, by the migrations of the repository.
///
/// # Errors
/// When the server does not take them.
pub async fn migrated(url: &str, name: &str) -> anyhow::Result<Database> {
    let settings =
        store::ClickhouseSettings { url: url.to_owned(), database: name.to_owned(), ..Default::default() };
    store::Store::new(&settings)?.migrate().await.context("make the tables")?;
    Database::new(url, name)
}

/// The queries of a folder in the order of their names.
fn all(folder: &Path) -> anyhow::Result<Vec<Query>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.retain(|file| file.extension().is_some_and(|ending| ending == "sql"));
    files.sort();
    ensure!(!files.is_empty(), "no queries in {}", folder.display());
    let read = |file: PathBuf| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let sql = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        Ok(Query { name, sql })
    };
    files.into_iter().map(read).collect()
}

/// Asks once to warm up, then several times.
///
/// # Errors
/// When there is no answer, or an empty one.
async fn cost(database: &Database, query: &Query, rounds: usize) -> anyhow::Result<Cost> {
    let (mut times, mut cost) = (Vec::new(), Cost { ms: 0.0, rows: 0, bytes: 0 });
    for round in 0..=rounds {
        let answer =
            database.ask(&query.sql, &VALUES).await.with_context(|| format!("query {}", query.name))?;
        ensure!(!answer.rows.is_empty(), "query {} is answered with nothing", query.name);
        if round > 0 || rounds == 0 {
            times.push(answer.took.as_secs_f64() * 1e3);
        }
        (cost.rows, cost.bytes) = (answer.read_rows, answer.read_bytes);
    }
    cost.ms = median(times);
    eprintln!("{} {}: {:.0} ms, {} rows read", database.name(), query.name, cost.ms, cost.rows);
    Ok(cost)
}

/// The figures of a query.
fn told(name: &str, cost: Cost) -> [Measure; 3] {
    [
        Measure::alone(BENCH, name, cost.ms, "ms"),
        Measure::alone(BENCH, format!("{name}_rows"), float(cost.rows), "rows read"),
        Measure::alone(BENCH, format!("{name}_bytes"), float(cost.bytes) / 1e6, "MB read"),
    ]
}

/// Bytes on disk of a row: of the table, and of each of its columns where parts keep them apart.
async fn sizes(database: &Database, table: &str, rows: u64) -> anyhow::Result<Vec<Measure>> {
    let per_row = |bytes: u64| float(bytes) / float(rows);
    let whole = on_disk(database, table).await?;
    ensure!(whole > 0, "{table} takes no bytes");
    let mut measures = vec![
        Measure::alone(BENCH, format!("{table}_rows"), float(rows), "rows"),
        Measure::alone(BENCH, format!("{table}_on_disk"), per_row(whole), "B/row"),
    ];
    for column in columns(database, table).await? {
        let mut measure =
            Measure::alone(BENCH, format!("{table}.{}", column.name), per_row(column.stored), "B/row");
        measure.ratio = Some(float(column.stored) / float(column.plain));
        measure.beside = Some(format!("uncompressed, {:.1} B/row; {}", per_row(column.plain), column.codec));
        measures.push(measure);
    }
    Ok(measures)
}

/// What a column of a table takes.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// How it is compressed.
    pub codec: String,
    /// Bytes on disk.
    pub stored: u64,
    /// The same uncompressed.
    pub plain: u64,
}

/// The columns of a table, the largest first; none while its parts are so small that they keep all columns in one file.
async fn columns(database: &Database, table: &str) -> anyhow::Result<Vec<Column>> {
    let sql = "SELECT name, compression_codec AS codec, toString(data_compressed_bytes) AS stored, \
               toString(data_uncompressed_bytes) AS plain FROM system.columns \
               WHERE database = {database:String} AND table = {table:String} AND data_compressed_bytes > 0 \
               ORDER BY data_compressed_bytes DESC";
    let answer = database.ask(sql, &[("database", database.name()), ("table", table)]).await?;
    let column = |row: serde_json::Map<String, Value>| {
        let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let bytes = |key: &str| text(key).parse().with_context(|| format!("{key} of a column of {table}"));
        let codec = Some(text("codec")).filter(|codec| !codec.is_empty()).unwrap_or_else(|| "LZ4".to_owned());
        Ok(Column { name: text("name"), codec, stored: bytes("stored")?, plain: bytes("plain")? })
    };
    answer.rows.into_iter().map(column).collect()
}

/// Bytes on disk of a table: its columns, index and marks.
async fn on_disk(database: &Database, table: &str) -> anyhow::Result<u64> {
    let sql = format!(
        "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = '{}' AND table = '{table}'",
        database.name()
    );
    database.number(&sql).await
}

/// Counts below 2^53, for ratios.
#[allow(clippy::cast_precision_loss, reason = "counts of rows and bytes are far below 2^53")]
const fn float(count: u64) -> f64 {
    count as f64
}
