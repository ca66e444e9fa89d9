//! The official Rust client: RowBinaryWithNamesAndTypes, LZ4 blocks in, LZ4 frames out, parameters as a form.

use clickhouse::Row;
use serde::{Deserialize, Serialize};

use crate::support::Server;

#[derive(Debug, Clone, PartialEq, Row, Serialize, Deserialize)]
struct Trade {
    symbol: String,
    price: i64,
    quantity: i64,
    received_ns: i64,
    tags: Vec<String>,
    session: Option<String>,
}

const TABLE: &str = "CREATE TABLE trades (symbol LowCardinality(String), price Decimal(18, 4), quantity Int64, \
    received_ns Int64, tags Array(String), session Nullable(String)) ENGINE = MergeTree ORDER BY (symbol, received_ns) \
    SETTINGS non_replicated_deduplication_window = 100";

fn trade(number: i64) -> Trade {
    Trade {
        symbol: format!("{:06}", number % 7),
        price: 700_000_000 + number,
        quantity: number,
        received_ns: 1_760_000_000_000_000_000 + number,
        tags: vec!["a".to_owned(); usize::try_from(number % 3).unwrap()],
        session: (number % 2 == 0).then(|| "regular".to_owned()),
    }
}

#[tokio::test]
async fn inserts_and_reads() {
    let server = Server::start(&[]);
    let client = server.client();
    client.query("CREATE DATABASE sise").execute().await.unwrap();
    let client = client.with_database("sise");
    client.query(TABLE).execute().await.unwrap();
    for _ in 0..2 {
        let client = client.clone().with_setting("insert_deduplication_token", "t1");
        let mut insert = client.insert::<Trade>("trades").await.unwrap();
        for number in 0..10_000 {
            insert.write(&trade(number)).await.unwrap();
        }
        insert.end().await.unwrap();
    }
    let sql = "SELECT ?fields FROM trades WHERE quantity >= {from:Int64} ORDER BY quantity";
    let read = client.query(sql).param("from", 9_990).fetch_all::<Trade>().await.unwrap();
    assert_eq!(read, (9_990..10_000).map(trade).collect::<Vec<_>>());
    let count = client.query("SELECT count() FROM trades").fetch_one::<u64>().await.unwrap();
    assert_eq!(count, 10_000, "the second insert has the first one's token");
    assert_eq!(server.spooled(), 0);
}

#[tokio::test]
async fn large_results_stream_and_late_errors_arrive() {
    let server = Server::start(&[]);
    let client = server.client();
    let mut cursor = client.query("SELECT number FROM numbers(3000000)").fetch::<u64>().unwrap();
    let (mut rows, mut sum) = (0_u64, 0_u64);
    while let Some(number) = cursor.next().await.unwrap() {
        rows += 1;
        sum += number;
    }
    assert_eq!((rows, sum), (3_000_000, 4_499_998_500_000));
    let late = "SELECT throwIf(number = 2900000) FROM numbers(3000000)";
    let mut cursor = client.query(late).fetch::<u8>().unwrap();
    let error = loop {
        match cursor.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("no error"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("Code: 395"), "{error}");
}

#[tokio::test]
async fn errors_are_the_engines() {
    let server = Server::start(&[]);
    let error = server.client().query("SELECT * FROM missing").execute().await.unwrap_err().to_string();
    assert!(error.contains("Code: 60. DB::Exception") && error.contains("UNKNOWN_TABLE"), "{error}");
    let refused =
        server.client().with_user("nobody").query("SELECT 1").execute().await.unwrap_err().to_string();
    assert!(refused.contains("Code: 516"), "{refused}");
}

#[tokio::test]
async fn uncompressed_inserts_and_aborted_ones() {
    let server = Server::start(&[]);
    let client = server.client().with_compression(clickhouse::Compression::None);
    client.query(TABLE).execute().await.unwrap();
    let mut insert = client.insert::<Trade>("trades").await.unwrap();
    for number in 0..100_000 {
        insert.write(&trade(number)).await.unwrap();
    }
    drop(insert);
    let mut insert = client.insert::<Trade>("trades").await.unwrap();
    insert.write(&trade(1)).await.unwrap();
    insert.end().await.unwrap();
    let count = client.query("SELECT count() FROM trades").fetch_one::<u64>().await.unwrap();
    assert_eq!(count, 1, "an insert that is broken off leaves nothing");
    crate::support::eventually("spool empty", || server.spooled() == 0).await;
}
