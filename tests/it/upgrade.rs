//! An upgrade without a hole: each service replaced by a new process under load, and tables changed while the archiver writes.

use serde_json::{Value, json};

use crate::road::running;
use crate::support::{Stack, until};

/// Events of a broker of which the archive has more than one row, of both tables. One trade has one name at both brokers.
const DOUBLED: &str = "SELECT sum(n - u) FROM (
    SELECT count() AS n, uniqExact(source, event_id) AS u FROM trades UNION ALL
    SELECT count() AS n, uniqExact(source, event_id) AS u FROM order_books)";
/// Connections that lack a frame before their last one.
const HOLES: &str = "SELECT count() FROM (SELECT connection_id, max(frame_sequence) AS last FROM (
    SELECT connection_id, frame_sequence FROM trades UNION ALL
    SELECT connection_id, frame_sequence FROM order_books)
    GROUP BY connection_id HAVING uniqExact(frame_sequence) != last)";

/// `sise failover --json …`.
fn failover(stack: &Stack, arguments: &[&str]) -> Value {
    let output = stack.command("sise").args(["failover", "--json"]).args(arguments).output().expect("sise");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("json")
}

/// Whether a broker's feed asks for these groups, by its own account.
fn carries(stack: &Stack, broker: &str, groups: &[&str]) -> bool {
    let state = failover(stack, &[]);
    let feeds = state["feeds"].as_array().expect("feeds");
    feeds.iter().any(|feed| feed["source"] == broker && feed["health"]["carries"] == json!(groups))
}

async fn rows_of(stack: &Stack, market: &str, source: &str) -> u64 {
    let rows =
        |table| format!("SELECT count() FROM {table} WHERE market = '{market}' AND source = '{source}'");
    stack.number(&format!("SELECT ({}) + ({})", rows("trades"), rows("order_books"))).await
}

/// How often the merged trades of a symbol on KRX miss shares.
async fn missing(stack: &Stack, symbol: &str) -> u64 {
    stack
        .number(&format!(
            "SELECT count() FROM (SELECT cumulative_volume - quantity AS begins, lagInFrame(cumulative_volume) OVER \
             (ORDER BY cumulative_volume ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before FROM trades_merged \
             WHERE market = 'kr' AND tape = 'krx' AND symbol = '{symbol}') WHERE before > 0 AND begins > before"
        ))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_service_is_replaced_under_load_and_nothing_kept_is_lost() {
    let mut stack = running(1_500, false).await;
    stack.set("SISE__GATEWAY__LISTEN", "127.0.0.1:0");
    for service in ["gap-finder", "gateway"] {
        stack.start(service);
    }
    // Readers first, then one cell after another, as scripts/deploy does it.
    for service in ["archiver", "gap-finder", "gateway", "kiwoom-service", "us-service", "kis-service"] {
        stack.stop(service).await;
        stack.start(service);
        let rows = stack.archived().await;
        let feed = match service {
            "kiwoom-service" => Some(("kr", "kiwoom")),
            "us-service" => Some(("us", "kis")),
            "kis-service" => Some(("kr", "kis")),
            _ => None,
        };
        if let Some((market, source)) = feed {
            let before = rows_of(&stack, market, source).await;
            let after = async || rows_of(&stack, market, source).await > before + 100;
            until(&format!("rows of the new {service}"), after).await;
        }
        until("rows on and on", async || stack.archived().await > rows + 500).await;
    }
    stack.control("stop", None).await;
    let gaps = "SELECT count() FROM gaps WHERE reason = 'disconnected' AND NOT is_open";
    until("each replaced cell has told its absence, with both edges", async || stack.number(gaps).await >= 3)
        .await;
    until("no connection lacks a frame", async || stack.number(HOLES).await == 0).await;
    let (doubled, rows) = (stack.number(DOUBLED).await, stack.archived().await);
    println!("six services replaced under load: rows={rows} lost=0 duplicated={doubled}");
    assert_eq!(doubled, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cell_is_replaced_without_a_hole_when_its_group_is_handed_over() {
    let mut stack = Stack::new(500, false);
    stack.start_servers().await;
    let file = stack.folder.path().join("symbols.yaml");
    std::fs::write(&file, "symbols:\n- {symbol: 005930, core: true, group: A}\n- {symbol: 005380, group: A}\n- {symbol: 068270, group: B}\n")
        .expect("file");
    stack.set("SISE__SYMBOLS__FILE", &file.display().to_string());
    // A minute, where nobody waits.
    stack.set("SISE__SYMBOLS__FAILOVER__HAND_BACK_MS", "3000");
    stack.start_simulator().await;
    for service in ["archiver", "kis-service", "kiwoom-service"] {
        stack.start(service);
    }
    until("both carry their groups", async || {
        carries(&stack, "kis", &["A"]) && carries(&stack, "kiwoom", &["B"])
    })
    .await;
    let trades =
        |source: &str| format!("SELECT count() FROM trades WHERE source = '{source}' AND symbol = '005380'");
    until("trades of group A from KIS", async || stack.number(&trades("kis")).await > 20).await;

    failover(&stack, &["A", "--to", "kiwoom", "--hold"]);
    until("Kiwoom carries both", async || carries(&stack, "kiwoom", &["A", "B"])).await;
    until("trades of group A from Kiwoom", async || stack.number(&trades("kiwoom")).await > 20).await;
    until("KIS has let go", async || stack.said("kis-service").contains("group given up")).await;
    stack.stop("kis-service").await;
    let without = stack.number(&trades("kiwoom")).await;
    until("trades while KIS is away", async || stack.number(&trades("kiwoom")).await > without + 20).await;
    stack.start("kis-service");
    until("KIS is back, without a group", async || carries(&stack, "kis", &[])).await;
    failover(&stack, &["A", "--auto"]);
    until("the group is home", async || carries(&stack, "kis", &["A"]) && carries(&stack, "kiwoom", &["B"]))
        .await;
    let home = stack.number(&trades("kis")).await;
    until("trades of group A from KIS again", async || stack.number(&trades("kis")).await > home + 20).await;
    stack.control("stop", None).await;
    for symbol in ["005380", "005930", "068270"] {
        until("nobody misses a share", async || missing(&stack, symbol).await == 0).await;
    }
    println!(
        "kis-service replaced with its group at Kiwoom meanwhile: no share is missing of 005380, 005930, 068270"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_migrated_while_the_archiver_writes() {
    let stack = running(2_000, false).await;
    // Everything after the twelfth file is pending again, as it was before those files came.
    stack
        .ask("ALTER TABLE migrations DELETE WHERE number > 12 SETTINGS mutations_sync = 2")
        .await
        .expect("deleted");
    for round in 1..=3 {
        let rows = stack.archived().await;
        let output = stack.command("sise").arg("migrate").output().expect("sise");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}");
        assert_eq!(said.contains("applied 014_feed_status_volume"), round == 1, "{said}");
        // What a later version may do to the busiest tables: columns that this archiver does not know.
        for table in ["trades", "order_books", "feed_status", "archived"] {
            let sql = format!(
                "ALTER TABLE {table} ADD COLUMN later_{round} Nullable(Int64) COMMENT 'of a later version'"
            );
            stack.ask(&sql).await.expect("altered");
        }
        until("rows on and on", async || stack.archived().await > rows + 2_000).await;
    }
    let said = stack.compare().await;
    println!("{said}");
    assert!(said.contains("lost=0 duplicated=0"), "{said}");
    assert!(!stack.said("archiver").contains("ERROR"), "{}", stack.said("archiver"));
}
