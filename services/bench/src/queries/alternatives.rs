//! The same rows in tables with another sort key, other codecs or a projection, in a database of their own, so that the queries
//! and the views below them stay as they are: what each gives in bytes on disk, in time and in bytes read.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::sql::Database;
use super::{BENCH, Cost, Query, ROUNDS, columns, cost, float, migrated, on_disk};
use crate::measure::Measure;

/// Another way to keep a table.
struct Alternative {
    name: &'static str,
    table: &'static str,
    /// What of the text of the table is replaced, and by what.
    edits: &'static [(&'static str, &'static str)],
    /// Columns with other codecs.
    codecs: &'static [(&'static str, &'static str)],
    /// A projection beside the rows.
    projection: Option<&'static str>,
    /// Whether the queries are asked again.
    ask: bool,
}

const TRADES: Alternative =
    Alternative { name: "", table: "trades", edits: &[], codecs: &[], projection: None, ask: true };
const BOOKS: Alternative = Alternative { table: "order_books", ..TRADES };

const TRADES_KEY: &str = "(market, symbol, trade_date, tape, source, origin, cumulative_volume";
const BOOKS_KEY: &str = "(market, symbol, trade_date, tape, source, exchange_ns";

const ALTERNATIVES: &[Alternative] = &[
    // A day of all symbols lies together: for questions about a whole market.
    Alternative {
        name: "date_first",
        edits: &[(TRADES_KEY, "(market, trade_date, symbol, tape, source, origin, cumulative_volume")],
        ..TRADES
    },
    // What both brokers tell of one print lies together.
    Alternative {
        name: "source_last",
        edits: &[
            (TRADES_KEY, "(market, symbol, trade_date, tape, cumulative_volume"),
            ("exchange_ns, price, quantity)", "exchange_ns, price, quantity, source, origin)"),
        ],
        ..TRADES
    },
    // Both orders, for the price of another copy of the columns that whole days are asked for.
    Alternative {
        name: "projection_by_date",
        edits: &[("SETTINGS ", "SETTINGS deduplicate_merge_projection_mode = 'rebuild', ")],
        projection: Some(
            "by_date (SELECT market, trade_date, tape, symbol, source, origin, cumulative_volume, quantity, price, \
             exchange_ns, received_ns, aggressor_side, session, stream, epoch, stream_sequence \
             ORDER BY market, trade_date, tape, symbol, cumulative_volume)",
        ),
        ..TRADES
    },
    Alternative { name: "zstd_3", edits: &[("ZSTD(1)", "ZSTD(3)")], ..TRADES },
    Alternative {
        name: "codecs_a",
        codecs: &[
            ("received_ns", "DoubleDelta, ZSTD(1)"),
            ("exchange_ns", "DoubleDelta, ZSTD(1)"),
            ("frame_sequence", "T64, ZSTD(1)"),
            ("stream_sequence", "DoubleDelta, ZSTD(1)"),
            ("price", "T64, ZSTD(1)"),
            ("quantity", "T64, ZSTD(1)"),
            ("cumulative_volume", "DoubleDelta, ZSTD(1)"),
            ("cumulative_value", "DoubleDelta, ZSTD(1)"),
            ("best_ask", "T64, ZSTD(1)"),
        ],
        ..TRADES
    },
    Alternative {
        name: "codecs_b",
        codecs: &[
            ("received_ns", "Delta, T64, ZSTD(1)"),
            ("exchange_ns", "ZSTD(1)"),
            ("frame_sequence", "Delta, T64, ZSTD(1)"),
            ("stream_sequence", "T64, ZSTD(1)"),
            ("price", "ZSTD(1)"),
            ("quantity", "Delta, ZSTD(1)"),
            ("cumulative_volume", "Delta, T64, ZSTD(1)"),
            ("cumulative_value", "Delta, T64, ZSTD(1)"),
            ("best_ask", "ZSTD(1)"),
        ],
        ask: false,
        ..TRADES
    },
    Alternative {
        name: "date_first",
        edits: &[(BOOKS_KEY, "(market, trade_date, symbol, tape, source, exchange_ns")],
        ..BOOKS
    },
    Alternative { name: "zstd_3", edits: &[("ZSTD(1)", "ZSTD(3)")], ..BOOKS },
    Alternative {
        name: "codecs_a",
        codecs: &[
            ("received_ns", "DoubleDelta, ZSTD(1)"),
            ("frame_sequence", "T64, ZSTD(1)"),
            ("stream_sequence", "T64, ZSTD(1)"),
            ("ask_prices", "DoubleDelta, ZSTD(1)"),
            ("bid_prices", "T64, ZSTD(1)"),
            ("ask_quantities", "T64, ZSTD(1)"),
            ("bid_quantities", "Delta, ZSTD(1)"),
            ("total_ask_quantity", "T64, ZSTD(1)"),
            ("total_bid_quantity", "Delta, ZSTD(1)"),
        ],
        ..BOOKS
    },
    Alternative {
        name: "codecs_b",
        codecs: &[
            ("received_ns", "Delta, T64, ZSTD(1)"),
            ("frame_sequence", "Delta, T64, ZSTD(1)"),
            ("ask_prices", "ZSTD(1)"),
            ("bid_prices", "Delta, T64, ZSTD(1)"),
            ("ask_quantities", "LZ4"),
        ],
        ask: false,
        ..BOOKS
    },
];

/// What is not gone then stays until the end: it takes room, and nothing else.
const LIMIT: Duration = Duration::from_secs(60);
/// Where the copies are.
const DATABASE: &str = "alternative";

/// Makes one copy after the other and asks it what the original was asked.
///
/// # Errors
/// When a table cannot be made so, a copy has other counts, or a query has no answer.
pub async fn run(
    url: &str,
    original: &Database,
    costs: &[(Query, Cost)],
    with_books: bool,
) -> anyhow::Result<Vec<Measure>> {
    let mut measures = Vec::new();
    for alternative in ALTERNATIVES {
        if alternative.table == "order_books" && !with_books {
            continue;
        }
        let told = one(url, original, alternative, costs);
        let name = format!("{} {}", alternative.table, alternative.name);
        measures.extend(told.await.with_context(|| format!("alternative {name}"))?);
        remove(original, alternative.table).await?;
    }
    Ok(measures)
}

async fn one(
    url: &str,
    original: &Database,
    alternative: &Alternative,
    costs: &[(Query, Cost)],
) -> anyhow::Result<Vec<Measure>> {
    let Alternative { table, name, .. } = alternative;
    let copy = migrated(url, DATABASE).await?;
    make(&copy, alternative).await?;
    for filled in [table, "feed_status", "archived"] {
        let sql = format!("INSERT INTO {filled} SELECT * FROM {}.{filled}", original.name());
        copy.run(&sql, &[]).await.with_context(|| format!("fill {filled}"))?;
    }
    copy.run(&format!("OPTIMIZE TABLE {table} FINAL"), &[]).await?;
    let count = format!("SELECT count() FROM {table}");
    let rows = original.number(&count).await?;
    ensure!(copy.number(&count).await? == rows, "the copy has other rows");

    let per_row = |bytes: u64| float(bytes) / float(rows);
    let (mine, theirs) = (on_disk(&copy, table).await?, on_disk(original, table).await?);
    let title = format!("{table}_{name}");
    let mut measures = vec![
        Measure::alone(BENCH, format!("{title}_on_disk"), per_row(mine), "B/row")
            .beside("as it is", per_row(theirs)),
    ];
    let (mine, theirs) = (columns(&copy, table).await?, columns(original, table).await?);
    for (column, codec) in alternative.codecs {
        let find = |columns: &[super::Column]| {
            columns.iter().find(|found| found.name == *column).map(|found| found.stored)
        };
        if let (Some(mine), Some(theirs)) = (find(&mine), find(&theirs)) {
            let measure = Measure::alone(BENCH, format!("{title}.{column} {codec}"), per_row(mine), "B/row");
            measures.push(measure.beside("as it is", per_row(theirs)));
        }
    }
    if alternative.ask {
        measures.extend(again(&copy, alternative, &title, costs).await?);
    }
    Ok(measures)
}

/// Removes the copy. A dropped table keeps its files, and the embedded engine never answers a drop that waits for them: the
/// table is emptied before.
async fn remove(original: &Database, table: &str) -> anyhow::Result<()> {
    original.run(&format!("TRUNCATE TABLE {DATABASE}.{table}"), &[]).await?;
    let left =
        format!("SELECT sum(rows) FROM system.parts WHERE database = '{DATABASE}' AND table = '{table}'");
    let deadline = Instant::now() + LIMIT;
    while original.number(&left).await? > 0 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    original.run(&format!("DROP DATABASE {DATABASE}"), &[]).await?;
    Ok(())
}

/// The table, made anew and empty.
async fn make(copy: &Database, alternative: &Alternative) -> anyhow::Result<()> {
    let table = alternative.table;
    let mut text = copy.run(&format!("SHOW CREATE TABLE {table} FORMAT TSVRaw"), &[]).await?;
    for (from, to) in alternative.edits {
        ensure!(text.contains(from), "{from:?} is not in {text}");
        text = text.replace(from, to);
    }
    copy.run(&format!("DROP TABLE {table}"), &[]).await?;
    copy.run(&text, &[]).await?;
    // What is not needed any more is to leave the disk within seconds.
    let soon = "old_parts_lifetime = 1, cleanup_delay_period = 1, max_cleanup_delay_period = 1";
    copy.run(&format!("ALTER TABLE {table} MODIFY SETTING {soon}"), &[]).await?;
    for (column, codec) in alternative.codecs {
        copy.run(&format!("ALTER TABLE {table} MODIFY COLUMN {column} CODEC({codec})"), &[]).await?;
    }
    if let Some(projection) = alternative.projection {
        copy.run(&format!("ALTER TABLE {table} ADD PROJECTION {projection}"), &[]).await?;
    }
    Ok(())
}

/// The queries that ask this table, against what they took of the original.
async fn again(
    copy: &Database,
    alternative: &Alternative,
    title: &str,
    costs: &[(Query, Cost)],
) -> anyhow::Result<Vec<Measure>> {
    let mut measures = Vec::new();
    for (query, before) in costs {
        // What a view hides asks for trades, but for the two that ask for books and the one of gaps alone.
        let of_trades = !query.of_books() && !query.sql.contains("FROM gaps");
        if of_trades != (alternative.table == "trades") || query.sql.contains("FROM gaps") {
            continue;
        }
        let now = cost(copy, query, ROUNDS).await?;
        let name = format!("{title}: {}", query.name);
        measures.push(Measure::alone(BENCH, name.clone(), now.ms, "ms").beside("as it is", before.ms));
        let read = Measure::alone(BENCH, format!("{name}_bytes"), float(now.bytes) / 1e6, "MB read");
        measures.push(read.beside("as it is", float(before.bytes) / 1e6));
    }
    Ok(measures)
}
