//! Messages, rows and tables that do not fit.

use bus::Outgoing;
use tokio::time::Instant;

use crate::support::{House, LIMIT, trade};

#[tokio::test]
async fn a_message_that_is_no_event_is_set_aside_and_the_rest_archived() {
    let house = House::build().await;
    let mut archiver = house.archiver();
    let mut publisher = house.publisher();
    for number in 1..=1_000 {
        let message = match number {
            500 => {
                Outgoing::new("ticker.kr.kis.005930.krx", "poison", &b"\xff\xff\xff"[..]).header("Trace", "x")
            }
            number => Outgoing::event(&trade(number)),
        };
        publisher.publish(message, ()).await.expect("published");
    }
    publisher.drain(Instant::now() + LIMIT).await.expect("acknowledged");
    house.until_number("SELECT count() FROM trades", 999).await;
    house.until_number("SELECT sum(rows) * 10 + sum(set_aside) FROM archived", 9_991).await;
    assert_eq!(house.number("SELECT count() FROM archive_holes").await, 0);

    let letters = house.context().await.get_stream("DEADLETTER").await.expect("stream");
    let letter = letters.get_raw_message(1).await.expect("letter");
    assert_eq!(letter.subject.as_str(), "deadletter.kr.kis.event");
    assert_eq!(&letter.payload[..], b"\xff\xff\xff");
    let header = |name| letter.headers.get(name).map(async_nats::HeaderValue::as_str);
    assert_eq!(header("Sise-Subject"), Some("ticker.kr.kis.005930.krx"));
    assert_eq!(header("Sise-Stream"), Some("TICKER_KR_KIS"));
    assert_eq!(header("Sise-Sequence"), Some("500"));
    assert_eq!(header("Sise-Message-Id"), Some("poison"));
    assert_eq!(header("Sise-Headers"), Some(r#"[["Trace","x"]]"#));
    assert!(header("Sise-Reason").is_some_and(|reason| !reason.is_empty()));
    assert!(archiver.stop().await.success());
    assert_eq!(house.unacknowledged("TICKER_KR_KIS").await, 0);
}

#[tokio::test]
async fn a_row_that_the_table_refuses_is_set_aside_and_the_rest_archived() {
    let house = House::build().await;
    house.execute("ALTER TABLE trades ADD CONSTRAINT lucky CHECK cumulative_volume != 713").await;
    let mut archiver = house.archiver();
    house.publish((1..=2_000).map(trade)).await;
    house.until_number("SELECT count() FROM trades", 1_999).await;
    house.until_number("SELECT sum(set_aside) FROM archived", 1).await;
    let mut letters = house.context().await.get_stream("DEADLETTER").await.expect("stream");
    let letter = letters.get_raw_message(1).await.expect("letter");
    assert_eq!(bus::decode(&letter.payload), Ok(trade(713)));
    assert_eq!(letters.info().await.expect("info").state.messages, 1);
    assert!(archiver.stop().await.success());
    assert_eq!(house.unacknowledged("TICKER_KR_KIS").await, 0);
}

#[tokio::test]
async fn an_older_table_is_named_before_the_first_insert() {
    let house = House::build().await;
    house.execute("ALTER TABLE trades DROP COLUMN halted").await;
    house.publish((1..=10).map(trade)).await;
    let mut archiver = house.archiver();
    assert_eq!(archiver.ended().await.code(), Some(1));
    let log = house.archiver_log();
    assert!(log.contains("table `trades` has no column `halted` (Bool)"), "{log}");
    assert_eq!(house.number("SELECT count() FROM trades").await, 0);
    assert_eq!(house.unacknowledged("TICKER_KR_KIS").await, 10);
}

#[tokio::test]
async fn a_stop_while_clickhouse_is_away_ends_within_its_limit_and_acknowledges_nothing() {
    let mut house = House::build().await;
    house.settings.push(("ARCHIVER__STOP_TIMEOUT_MS", "500".into()));
    let mut archiver = house.archiver();
    house.publish((1..=10).map(trade)).await;
    crate::support::until("acknowledged", async || house.unacknowledged("TICKER_KR_KIS").await == 0).await;
    house.clickhouse.kill();
    house.publish((11..=20).map(trade)).await;
    crate::support::until("a retry", async || house.archiver_log().contains("trying again")).await;
    assert_eq!(archiver.stop().await.code(), Some(1));
    assert_eq!(house.unacknowledged("TICKER_KR_KIS").await, 10);
}
