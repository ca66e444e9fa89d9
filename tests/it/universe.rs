//! The universe while it runs: several keys, a file that changes, limits that are met, pages that are asked for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::{Stack, until};

async fn servers(rate: u32) -> Stack {
    let mut stack = Stack::new(rate, false);
    stack.start_servers().await;
    stack
}

fn write(stack: &Stack, yaml: &str) {
    // As an editor does: a new file takes the old one's place.
    let (new, file) = (stack.folder.path().join("symbols.new"), stack.folder.path().join("symbols.yaml"));
    std::fs::write(&new, yaml).expect("file");
    std::fs::rename(new, file).expect("file");
}

fn follow(stack: &mut Stack, yaml: &str) {
    write(stack, yaml);
    let file = stack.folder.path().join("symbols.yaml").display().to_string();
    stack.set("SISE__SYMBOLS__FILE", &file);
}

/// One more key of a broker, at the simulator and at the service.
fn key(stack: &mut Stack, section: &str, simulated: &str, name: &str) {
    for part in ["KEY", "SECRET"] {
        let value = format!("more-{section}-{name}-{part}");
        stack.set(&format!("SISE__{section}__KEYS__{name}__APP_{part}"), &value);
        stack.set(&format!("SISE__SIMULATOR__{simulated}__{name}__APP_{part}"), &value);
    }
}

/// Registrations of each connection of a broker, by the simulator's number of the connection.
async fn registered(stack: &Stack, broker: &str) -> BTreeMap<u64, BTreeSet<String>> {
    let status = stack.control("status", None).await;
    let clients = status["clients"].as_array().expect("clients").iter().filter(|c| c["broker"] == broker);
    let names = |client: &Value| {
        let pairs = client["registrations"].as_array().expect("registrations").iter();
        pairs
            .map(|pair| format!("{} {}", pair[0].as_str().expect("tr"), pair[1].as_str().expect("key")))
            .collect()
    };
    clients.map(|client| (client["id"].as_u64().expect("id"), names(client))).collect()
}

fn count(registered: &BTreeMap<u64, BTreeSet<String>>) -> usize {
    registered.values().map(BTreeSet::len).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_adds_and_drops_registrations_without_a_reconnect() {
    let mut stack = servers(300).await;
    let old = "symbols:\n- {symbol: 005930, core: true}\n- {symbol: 000660, core: true}\n- {symbol: 035420, core: true}\n";
    follow(&mut stack, old);
    key(&mut stack, "KIS", "KEYS", "SPARE");
    key(&mut stack, "KIWOOM", "KIWOOM_KEYS", "SPARE");
    // Two connections a broker, however few registrations there are.
    stack.set("SISE__KIS__REGISTRATION_LIMIT", "4");
    stack.set("SISE__KIWOOM__REGISTRATION_LIMIT", "2");
    stack.start_simulator().await;
    stack.start("kis-service");
    stack.start("kiwoom-service");
    for (broker, wanted) in [("kis", 6), ("kiwoom", 6)] {
        until("everything is registered", async || count(&registered(&stack, broker).await) == wanted).await;
    }
    let before = [registered(&stack, "kis").await, registered(&stack, "kiwoom").await];
    assert!(before.iter().all(|broker| broker.len() == 2), "{before:?}");

    write(&stack, "symbols: [\n");
    until("the mistake is told", async || stack.said("kis-service").contains("correct the file")).await;
    write(&stack, &old.replace("035420", "005380"));
    for (broker, before) in ["kis", "kiwoom"].iter().zip(&before) {
        let has = |all: &BTreeMap<u64, BTreeSet<String>>, symbol: &str| {
            all.values().flatten().filter(|name| name.contains(symbol)).count()
        };
        until("the new symbol has replaced the old", async || {
            let now = registered(&stack, broker).await;
            has(&now, "005380") == 2 && has(&now, "035420") == 0
        })
        .await;
        let after = registered(&stack, broker).await;
        assert_eq!(
            after.keys().collect::<Vec<_>>(),
            before.keys().collect::<Vec<_>>(),
            "a connection was lost"
        );
        for (connection, names) in before {
            let stays = names.iter().filter(|name| !name.contains("035420"));
            assert!(stays.into_iter().all(|name| after[connection].contains(name)), "{before:?} {after:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_room_is_named_by_us_and_what_is_refused_by_the_broker() {
    let mut stack = servers(300).await;
    // 42 registrations at KIS, 201 items at Kiwoom.
    let kis = (1..=21).map(|n| format!("- {{symbol: {n:06}, source: [kis], priority: {n}}}\n"));
    let kiwoom =
        (1..=201).map(|n| format!("- {{symbol: {:06}, source: [kiwoom], priority: {n}}}\n", n + 1_000));
    let symbols: String = kis.chain(kiwoom).collect();
    follow(&mut stack, &format!("symbols:\n{symbols}"));
    stack.start_simulator().await;
    for service in ["kis-service", "kiwoom-service"] {
        stack.start(service);
    }
    let said = |service: &str, parts: &[&str]| {
        let said = stack.said(service);
        said.lines().any(|line| parts.iter().all(|part| line.contains(part)))
    };
    until("the 42nd is named", async || said("kis-service", &["UNCOVERED", "H0STASP0 000021"])).await;
    until("the 201st is named", async || said("kiwoom-service", &["UNCOVERED", "001201"])).await;
    until("the others are registered", async || {
        count(&registered(&stack, "kis").await) == 41 && count(&registered(&stack, "kiwoom").await) == 400
    })
    .await;
    for service in ["kis-service", "kiwoom-service"] {
        stack.kill(service);
    }
    // Told to try, the broker refuses, and what is registered lives on.
    stack.set("SISE__KIS__REGISTRATION_LIMIT", "50");
    stack.set("SISE__KIWOOM__REGISTRATION_LIMIT", "250");
    stack.start("kis-service");
    stack.start("kiwoom-service");
    let said = |service: &str, parts: &[&str]| {
        let said = stack.said(service);
        said.lines().any(|line| parts.iter().all(|part| line.contains(part)))
    };
    until("the 42nd is refused", async || said("kis-service", &["OPSP0008", "H0STASP0 000021"])).await;
    until("the 201st is refused", async || said("kiwoom-service", &["10511", "001201"])).await;
    until("the others are registered", async || {
        count(&registered(&stack, "kis").await) == 41 && count(&registered(&stack, "kiwoom").await) == 400
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_lets_two_services_on_one_key_never_have_it_at_once() {
    let mut stack = servers(300).await;
    // One key for both markets: outside the calendar nothing keeps the two apart but the broker itself.
    stack.set("SISE__KIS__KEYS__KR__MARKET", "");
    stack.set("SISE__KIS__KEYS__US__MARKET", "kr");
    stack.start_simulator().await;
    stack.start("kis-service");
    until("kis-service has both keys", async || {
        let held = registered(&stack, "kis").await;
        held.len() == 2 && held.values().all(|names| !names.is_empty())
    })
    .await;
    stack.start("us-service");
    until("us-service is told to wait", async || {
        stack.said("us-service").contains("another session holds the app key")
    })
    .await;
    let status = stack.control("status", None).await;
    assert!(status["by_tr"].get("HDFSCNT0").is_none(), "{status}");
    assert!(!stack.said("kis-service").contains("connection ended"), "{}", stack.said("kis-service"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cell_answers_page_requests_with_its_own_key() {
    let mut stack = servers(1_000).await;
    stack.start_simulator().await;
    stack.start("archiver");
    stack.start("kis-service");
    stack.start("kiwoom-service");
    // A page has 100 rows: as many trades of the symbol must have been in the market, by either broker's count.
    let archived = async || {
        let of = "SELECT least(countIf(source = 'kis'), countIf(source = 'kiwoom')) FROM trades
            WHERE symbol = '005930' AND tape = 'krx'";
        stack.number(of).await > 100
    };
    until("trades of both brokers", archived).await;
    let ask = |arguments: &[&str]| {
        let output = stack.command("sise").arg("ask").args(arguments).output().expect("sise");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).expect("text")
    };
    // The market goes on meanwhile: a page is newest first, and its volumes chain.
    let page: Value =
        serde_json::from_str(&ask(&["kiwoom", "ka10084", "stk_cd=005930", "tdy_pred=1", "tic_min=0", "tm="]))
            .expect("page");
    let rows = page["tdy_pred_cntr"].as_array().expect("rows");
    let number = |row: &Value, field: &str| {
        row[field]
            .as_str()
            .and_then(|text| text.trim_start_matches(['+', '-']).parse::<i64>().ok())
            .expect("number")
    };
    assert_eq!(rows.len(), 100);
    for pair in rows.windows(2) {
        assert_eq!(
            number(&pair[0], "acc_trde_qty") - number(&pair[0], "cntr_trde_qty"),
            number(&pair[1], "acc_trde_qty")
        );
    }
    let two = ask(&["kiwoom", "ka10003", "stk_cd=005930", "--all-pages", "--limit", "2"]);
    assert!(two.lines().count() >= 1 && two.contains("cntr_infr"), "{two}");
    let kis = ask(&[
        "kis",
        "FHPST01060000",
        "FID_COND_MRKT_DIV_CODE=J",
        "FID_INPUT_ISCD=005930",
        "FID_INPUT_HOUR_1=235959",
    ]);
    assert!(kis.contains("acml_vol"), "{kis}");
    let refused = stack.command("sise").args(["ask", "kiwoom", "kt10000", "x=1"]).output().expect("sise");
    assert!(!refused.status.success(), "an order is no page");
}
