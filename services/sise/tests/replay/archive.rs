//! `sise archive`: what was never archived is listed, and archived as far as the stream has it.

use crate::support::House;

#[tokio::test]
async fn holes_are_listed_and_archived_as_far_as_the_stream_has_them() {
    let mut house = House::build().await;
    house.publish_trades(60).await;
    house.discard_before("TICKER_KR_KIS", 21).await;
    let nobody = house.run(&["archive", "replay", "TICKER_KR_KIS", "21", "60"]);
    assert!(!nobody.status.success());
    let said = String::from_utf8_lossy(&nobody.stderr);
    assert!(said.contains("is archiver running?") && said.contains("replay TICKER_KR_KIS 21 60"), "{said}");

    house.start_archiver();
    house.archived_are(40, 0).await;
    // As if 41 to 50 had never been archived.
    house
        .text("ALTER TABLE trades DELETE WHERE stream_sequence BETWEEN 41 AND 50 SETTINGS mutations_sync = 1")
        .await;
    house.until_text("SELECT sum(rows) FROM archived", "40\n").await;
    house.text("CREATE TABLE kept AS archived").await;
    let created =
        "SELECT stream, epoch, 21, 40, 20, 0, any(created_ns), now64(3) FROM archived GROUP BY stream, epoch";
    house.text(&format!("INSERT INTO kept {created}")).await;
    house.text(&format!("INSERT INTO kept {}", created.replace("21, 40, 20", "51, 60, 10"))).await;
    house.text("EXCHANGE TABLES kept AND archived").await;

    let list = house.sise(&["archive", "holes"]);
    let expected = "TICKER_KR_KIS 1..20  epoch 1  20 messages  JetStream has none: discarded\n\
                    TICKER_KR_KIS 41..50  epoch 1  10 messages  JetStream has 41..50 (10)\n\
                    2 holes, 30 messages never archived, JetStream has 10 of them\n\
                    archive them: `sise archive replay STREAM FIRST LAST`\n";
    assert_eq!(list, expected);
    let lines = house.sise(&["archive", "holes", "--json"]);
    assert!(lines.lines().count() == 2 && lines.contains(r#""held":[41,50]"#), "{lines}");

    let replayed = house.sise(&["archive", "replay", "TICKER_KR_KIS", "31", "60"]);
    let counts = "10 archived, 20 were there, 0 dead letters, 0 gone";
    assert_eq!(replayed, format!("TICKER_KR_KIS 31..60: {counts}\n{counts}\n"));
    house.archived_are(40, 0).await;
    let list = house.sise(&["archive", "holes"]);
    assert!(list.contains("1..20") && list.contains("1 holes, 20 messages"), "{list}");

    let lost = house.run(&["archive", "replay", "TICKER_KR_KIS", "1", "60"]);
    let said = String::from_utf8_lossy(&lost.stdout);
    assert_eq!(lost.status.code(), Some(1), "{said}");
    assert!(
        said.contains("gone from the stream: 1..20\n0 archived, 40 were there, 0 dead letters, 20 gone"),
        "{said}"
    );
    let beyond = house.run(&["archive", "replay", "TICKER_KR_KIS", "1", "61"]);
    assert!(String::from_utf8_lossy(&beyond.stderr).contains("ends with 60"), "{beyond:?}");
}
