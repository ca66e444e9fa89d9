//! A broker's feed dies in market hours: the other takes its group over, and gives it back when its home is healthy.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Stack, until};

/// From the verdict, or the kill, to the first trade of the other broker.
const TAKEOVER_LIMIT: Duration = Duration::from_secs(10);

/// A core symbol of group A, another one of A, one that only KIS may carry, and one of group B.
const SYMBOLS: &str = "symbols:
- {symbol: 005930, core: true, group: A}
- {symbol: 005380, group: A}
- {symbol: 035720, group: A, source: [kis]}
- {symbol: 068270, group: B}
";

/// All but the services.
async fn prepared(symbols: &str) -> Stack {
    let mut stack = Stack::new(500, false);
    stack.start_servers().await;
    let file = stack.folder.path().join("symbols.yaml");
    std::fs::write(&file, symbols).expect("file");
    stack.set("SISE__SYMBOLS__FILE", &file.display().to_string());
    stack.set("SISE__KIS__LIVENESS_LIMIT_MS", "3000");
    stack.set("SISE__SYMBOLS__FAILOVER__TAKEOVER_MS", "1000");
    stack.set("SISE__SYMBOLS__FAILOVER__HAND_BACK_MS", "6000");
    stack.start_simulator().await;
    stack
}

async fn running() -> Stack {
    let mut stack = prepared(SYMBOLS).await;
    for service in ["archiver", "kis-service", "kiwoom-service"] {
        stack.start(service);
    }
    until("both carry their groups", async || {
        carries(&failover(&stack, &[]), "kis") == json!(["A"])
            && carries(&failover(&stack, &[]), "kiwoom") == json!(["B"])
    })
    .await;
    stack
}

/// `sise failover --json …`.
fn failover(stack: &Stack, arguments: &[&str]) -> Value {
    let output = stack.command("sise").args(["failover", "--json"]).args(arguments).output().expect("sise");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).expect("json")
}

fn carries(state: &Value, broker: &str) -> Value {
    let feeds = state["feeds"].as_array().expect("feeds").iter();
    feeds
        .filter(|feed| feed["source"] == broker)
        .map(|feed| feed["health"]["carries"].clone())
        .collect::<Vec<_>>()[0]
        .clone()
}

fn owner(stack: &Stack) -> Value {
    failover(stack, &["A"])["groups"][0]["owner"].clone()
}

/// Trades that one broker brought of a symbol.
async fn trades(stack: &Stack, source: &str, symbol: &str) -> u64 {
    let rows = format!("SELECT count() FROM trades WHERE source = '{source}' AND symbol = '{symbol}'");
    stack.number(&rows).await
}

/// How often the merged chain of a symbol misses shares.
async fn holes(stack: &Stack, symbol: &str) -> u64 {
    let chain = "SELECT cumulative_volume - quantity AS begins, lagInFrame(cumulative_volume) OVER \
                 (ORDER BY cumulative_volume ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before FROM trades_merged";
    let sql = format!(
        "SELECT count() FROM ({chain} WHERE market = 'kr' AND tape = 'krx' AND symbol = '{symbol}') \
         WHERE before > 0 AND begins > before"
    );
    stack.number(&sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_brokers_group_trades_from_the_other_and_comes_home() {
    let stack = running().await;
    until("trades of group A from KIS", async || trades(&stack, "kis", "005380").await > 20).await;
    assert_eq!(trades(&stack, "kiwoom", "005380").await, 0, "group A is KIS's");

    // The sockets stay open and are dead, and no new one comes about.
    let dead = [
        json!({ "do": "502", "broker": "kis", "count": 1_000_000 }),
        json!({ "do": "mute", "broker": "kis", "seconds": 600 }),
    ];
    stack.control("faults", Some(json!(dead))).await;
    until("the verdict", async || stack.said("kis-service").contains("feed is dead")).await;
    let verdict = Instant::now();
    until("trades of group A from Kiwoom", async || trades(&stack, "kiwoom", "005380").await > 0).await;
    println!("group A trades from Kiwoom {} ms after the verdict", verdict.elapsed().as_millis());
    assert!(verdict.elapsed() < TAKEOVER_LIMIT, "{:?}", verdict.elapsed());
    assert_eq!(owner(&stack), "kiwoom");
    let named = stack.said("kiwoom-service");
    assert!(named.lines().any(|line| line.contains("may not carry") && line.contains("035720")), "{named}");

    stack.control("faults", Some(json!([{ "do": "clear" }]))).await;
    until("the group is home", async || owner(&stack) == "kis").await;
    until("Kiwoom has let go", async || {
        !failover(&stack, &[])["feeds"].to_string().contains(r#""carries":["A","B"]"#)
            && stack.said("kiwoom-service").contains("group given up")
    })
    .await;
    let seen = trades(&stack, "kis", "005380").await;
    until("trades of group A from KIS again", async || trades(&stack, "kis", "005380").await > seen + 20)
        .await;

    stack.control("stop", None).await;
    let told = "SELECT count() FROM feed_status FINAL WHERE what = 'ownership'";
    until("both changes are archived", async || stack.number(told).await == 2).await;
    let gap = "SELECT count() FROM gaps WHERE reason = 'failover' AND source = 'kiwoom' AND NOT is_open AND symbol = '005380'";
    until("the hole has two edges", async || stack.number(gap).await == 1).await;
    // KIS was silent until the takeover: shares of 005380 are missing there, once, and nowhere else.
    until("the hole is in the gap", async || holes(&stack, "005380").await == 1).await;
    assert_eq!(holes(&stack, "005930").await, 0, "a core symbol misses nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_services_group_is_taken_over_and_comes_home() {
    let mut stack = running().await;
    until("trades of group B from Kiwoom", async || trades(&stack, "kiwoom", "068270").await > 20).await;
    stack.kill("kiwoom-service");
    let killed = Instant::now();
    until("trades of group B from KIS", async || trades(&stack, "kis", "068270").await > 0).await;
    println!("group B trades from KIS {} ms after the kill", killed.elapsed().as_millis());
    assert!(killed.elapsed() < TAKEOVER_LIMIT, "{:?}", killed.elapsed());
    stack.start("kiwoom-service");
    let home = async || failover(&stack, &["B"])["groups"][0]["owner"] == "kiwoom";
    until("the group is home", home).await;
    until("KIS has let go", async || stack.said("kis-service").contains("group given up")).await;
    let seen = trades(&stack, "kiwoom", "068270").await;
    until("trades of group B from Kiwoom", async || trades(&stack, "kiwoom", "068270").await > seen + 20)
        .await;
    let gap = "SELECT count() FROM gaps WHERE reason = 'failover' AND source = 'kis' AND NOT is_open AND symbol = '068270'";
    until("the hole has two edges", async || stack.number(gap).await == 1).await;
    assert_eq!(owner(&stack), "kis", "group A was not concerned");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_gives_a_group_away_holds_it_and_releases_it() {
    let stack = running().await;
    let given = failover(&stack, &["A", "--to", "kiwoom", "--hold"]);
    assert_eq!(
        (&given["groups"][0]["owner"], &given["groups"][0]["home"]),
        (&json!("kiwoom"), &json!("kiwoom"))
    );
    until("KIS has let go", async || stack.said("kis-service").contains("group given up")).await;
    let refused = stack.command("sise").args(["failover", "A", "--to", "kiwoom", "--hold"]).output();
    let said = String::from_utf8(refused.expect("sise").stderr).expect("text");
    assert!(said.contains("kiwoom owns group A already, and is held there"), "{said}");
    until("KIS has been healthy for longer than a hand-back takes", async || {
        let state = failover(&stack, &["A"]);
        let number = |value: &Value| value.as_i64().expect("ns");
        let (feed, entry) = (&state["feeds"][0]["health"], &state["groups"][0]["entry"]);
        number(&feed["beat_ns"]) - number(&entry["since_ns"]) > 8_000_000_000
    })
    .await;
    assert_eq!(owner(&stack), "kiwoom", "held is held");
    failover(&stack, &["A", "--auto"]);
    until("the group is home", async || owner(&stack) == "kis").await;
    stack.control("stop", None).await;
    until("nobody misses a share", async || trades(&stack, "kis", "005380").await > 0).await;
    assert_eq!(holes(&stack, "005380").await, 0, "asked for first, given back after");
}

/// Eight symbols of group A on two keys of KIS, one core; one of group B.
const TWO_KEYS: &str = "symbols:
- {symbol: 005930, core: true, group: A}
- {symbol: 005380, group: A}
- {symbol: 035720, group: A}
- {symbol: 373220, group: A}
- {symbol: 035420, group: A}
- {symbol: 000100, group: A}
- {symbol: 088350, group: A}
- {symbol: 247540, group: A}
- {symbol: 068270, group: B}
";

/// The symbols of group A that Kiwoom has on loan.
fn lent(stack: &Stack) -> Vec<String> {
    let state = failover(stack, &["A"]);
    let symbols = state["groups"][0]["entry"]["loan"]["symbols"].as_array().cloned().unwrap_or_default();
    symbols.iter().filter_map(|symbol| symbol.as_str().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_connections_symbols_go_on_loan_and_their_group_stays() {
    // KIS refuses the second key, until a person has corrected it: the simulator has no such key.
    let mut stack = prepared(TWO_KEYS).await;
    for (part, value) in [("APP_KEY", "refused-key"), ("APP_SECRET", "refused-secret"), ("MARKET", "kr")] {
        stack.set(&format!("SISE__KIS__KEYS__SPARE__{part}"), value);
    }
    for service in ["archiver", "kis-service", "kiwoom-service"] {
        stack.start(service);
    }
    let dead = async || stack.said("kis-service").contains("connection is dead");
    until("the second connection is dead", dead).await;
    let verdict = Instant::now();
    until("symbols on loan", async || !lent(&stack).is_empty()).await;
    let lent_symbols = lent(&stack);
    let one = lent_symbols.iter().find(|symbol| *symbol != "005930").expect("one that is not core").clone();
    until("trades of it from Kiwoom", async || trades(&stack, "kiwoom", &one).await > 0).await;
    println!("{one} trades from Kiwoom {} ms after the verdict", verdict.elapsed().as_millis());
    assert!(verdict.elapsed() < TAKEOVER_LIMIT, "{:?}", verdict.elapsed());
    assert_eq!(owner(&stack), "kis", "the group stays");
    let all = ["005380", "035720", "373220", "035420", "000100", "088350", "247540"];
    let stays = all.into_iter().find(|symbol| !lent_symbols.iter().any(|lent| lent == symbol));
    let stays = stays.expect("the first connection has some too");
    until("trades of the living connection", async || trades(&stack, "kis", stays).await > 0).await;
    assert_eq!(trades(&stack, "kiwoom", stays).await, 0, "{stays} is not lent");
    assert_eq!(trades(&stack, "kis", &one).await, 0);
    let gap = format!(
        "SELECT count() FROM gaps WHERE reason = 'failover' AND source = 'kiwoom' AND NOT is_open AND symbol = '{one}'"
    );
    until("the hole has two edges", async || stack.number(&gap).await == 1).await;

    for (part, value) in [("APP_KEY", "simulated-US-KEY"), ("APP_SECRET", "simulated-US-SECRET")] {
        stack.set(&format!("SISE__KIS__KEYS__SPARE__{part}"), value);
    }
    stack.kill("kis-service");
    stack.start("kis-service");
    until("all is home", async || lent(&stack).is_empty() && owner(&stack) == "kis").await;
    until("Kiwoom has let go", async || stack.said("kiwoom-service").contains("group given up")).await;
    let seen = trades(&stack, "kis", &one).await;
    until("trades of it from KIS", async || trades(&stack, "kis", &one).await > seen + 5).await;
    stack.control("stop", None).await;
    until("nobody misses a share of it", async || holes(&stack, &one).await == 0).await;
}
