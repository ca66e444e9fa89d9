//! Alerts whose causes take a store put back, a damaged file, a small disk, a late broker, a lost day: each is made in
//! earnest on services of its own, and a real Prometheus sees the alert fire.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};
use tokio::time::Instant as Deadline;

use super::prometheus::{Pace, Prometheus, program};
use super::services::{Addresses, SYMBOLS, fires, ready, write_symbols};
use crate::history::cell::Cell;
use crate::history::day::Day;
use crate::history::nats;
use crate::support::{LIMIT, Stack, root, until};

/// That nothing else fires is shown elsewhere: a rise counts as long as in earnest, and no look may be too late for it.
const PACE: Pace = Pace { hold: "4s", range: None };

/// Counters whose rise is waited for were seen before it.
async fn has_looked(prometheus: &Prometheus, services: usize) {
    until("Prometheus has looked at every service", async || {
        prometheus.query("count_over_time(up[5m]) >= 2 and up == 1").await.len() == services
    })
    .await;
}

async fn never_fired(prometheus: &Prometheus, causes: &[(&str, &str)]) {
    let fired = prometheus.ever_fired().await;
    for (alert, service) in causes {
        let early = fired.contains(&((*alert).to_owned(), (*service).to_owned()));
        assert!(!early, "{alert} has fired for {service} before its cause was made: {fired:?}");
    }
}

fn copy(from: &Path, to: &Path) {
    let _absent = std::fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-a").args([from, to]).status().expect("cp").success());
}

const SERVICES: [&str; 5] =
    ["kis-service", "us-service", "kiwoom-service", "archiver", "clickhouse-embedded"];

/// Segments of which a few are full after seconds.
const SEGMENT: &str = "65536";
/// The journal of kis-service keeps everything, that of kiwoom-service the last seconds.
const KEEPS_ALL: &str = "1073741824";
const KEEPS_LITTLE: &str = "262144";

fn journal(stack: &Stack, service: &str) -> PathBuf {
    stack.folder.path().join("journal").join(service)
}

fn segment(stack: &Stack, service: &str, number: u64) -> PathBuf {
    journal(stack, service).join(format!("{number:020}.journal"))
}

/// The store of the streams, and it when there was nothing in them yet.
fn stores(stack: &Stack) -> [PathBuf; 2] {
    ["nats", "nats.earlier"].map(|name| stack.folder.path().join(name))
}

/// The feeds and the archive, ready.
async fn running() -> (Stack, Addresses) {
    let mut stack = Stack::new(300, false);
    let symbols = write_symbols(&stack, SYMBOLS);
    for (name, value) in [
        ("SISE__LOG__JSON", "true"),
        ("SISE__SYMBOLS__FILE", symbols.as_str()),
        ("SISE__JOURNAL__COMPRESS", "off"),
        ("SISE__ARCHIVER__WATCH_MS", "1000"),
        // Many batches of what has waited: one alone would be lost among those in time.
        ("SISE__ARCHIVER__ROWS", "50"),
        ("SISE__SIMULATOR__RECORDS_PER_FRAME", "1"),
    ] {
        stack.set(name, value);
    }
    stack.start_servers().await;
    stack.kill("nats");
    let [store, earlier] = stores(&stack);
    copy(&store, &earlier);
    stack.start_nats_again().await;
    stack.start_simulator().await;
    for service in ["archiver", "us-service"] {
        stack.start(service);
    }
    stack.set("SISE__JOURNAL__SEGMENT_BYTES", SEGMENT);
    for (service, bytes) in [("kis-service", KEEPS_ALL), ("kiwoom-service", KEEPS_LITTLE)] {
        stack.set("SISE__JOURNAL__MAX_BYTES", bytes);
        stack.start(service);
    }
    let feeds = "SELECT uniqExact(market, source) FROM trades";
    until("rows of every feed", async || stack.number(feeds).await == 3).await;
    let addresses = ready(&mut stack, &SERVICES).await;
    (stack, addresses)
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_of_feeds_journals_and_streams_fire_for_their_causes() {
    let Some(program) = program("SISE_PROMETHEUS", "prometheus") else { return };
    let (mut stack, addresses) = running().await;
    // What takes minutes in earnest: so late, and among so much.
    let late =
        [("FeedDelayed", "[5m]))) > 10", "[1m]))) > 3"), ("StoredLate", "[5m]))) > 30", "[1m]))) > 3")];
    let prometheus = Prometheus::start(&mut stack, program, &addresses, &PACE, &late).await;
    has_looked(&prometheus, SERVICES.len()).await;
    messages_that_nobody_can_use(&stack, &prometheus).await;
    lateness(&stack, &prometheus).await;
    a_store_put_back_and_a_journal_damaged(&mut stack, &prometheus).await;
    a_small_disk(&mut stack, &prometheus).await;
}

/// A message that is no event, and a record that is too large for a message.
async fn messages_that_nobody_can_use(stack: &Stack, prometheus: &Prometheus) {
    let causes = [("MessagesSetAside", "archiver"), ("MessageUnpublishable", "us-service")];
    never_fired(prometheus, &causes).await;
    let begun = Instant::now();
    // With the other fields, which take 100 to 250 bytes, it is a frame that just may be read from a socket, and with its
    // reason and its id more than the bus takes.
    let text = "x".repeat((1 << 20) - 300);
    let fault = json!({"do": "garbage", "tr": "HDFSCNT0", "text": text});
    stack.control("faults", Some(json!([fault]))).await;
    let mut publisher: bus::Publisher<()> =
        bus::Publisher::new(&nats(stack), "kis-service").expect("publisher");
    let poison = bus::Outgoing::new("ticker.kr.kis.005930.krx", "poison", &b"\xff\xff\xff"[..]);
    publisher.publish(poison, ()).await.expect("published");
    publisher.drain(Deadline::now() + LIMIT).await.expect("stored");
    fires(prometheus, begun, &causes).await;
}

/// A service that does not read its sockets for a while, and tables that are away as long.
async fn lateness(stack: &Stack, prometheus: &Prometheus) {
    let begun = Instant::now();
    stack.signal("kis-service", "STOP");
    for table in ["trades", "order_books"] {
        stack.ask(&format!("RENAME TABLE {table} TO {table}_away")).await.expect("renamed");
    }
    let waits = "max(sise_archiver_lag_seconds) > 10";
    until("messages wait for their tables", async || !prometheus.query(waits).await.is_empty()).await;
    for table in ["trades", "order_books"] {
        stack.ask(&format!("RENAME TABLE {table}_away TO {table}")).await.expect("renamed");
    }
    stack.signal("kis-service", "CONT");
    fires(prometheus, begun, &[("FeedDelayed", "kis-service"), ("StoredLate", "archiver")]).await;
}

/// The server forgets everything; the journal of one service no longer has it, that of another is damaged.
async fn a_store_put_back_and_a_journal_damaged(stack: &mut Stack, prometheus: &Prometheus) {
    let causes = [
        ("ServerForgot", "kis-service"),
        ("ServerForgot", "kiwoom-service"),
        ("AcknowledgedLost", "kiwoom-service"),
        ("JournalDamaged", "kis-service"),
        ("StreamRolledBack", "archiver"),
    ];
    until("the journals have gone on", async || {
        !segment(stack, "kiwoom-service", 1).exists() && segment(stack, "kis-service", 4).exists()
    })
    .await;
    never_fired(prometheus, &causes).await;
    let begun = Instant::now();
    stack.kill("nats");
    stack.kill("kis-service");
    let [store, earlier] = stores(stack);
    copy(&earlier, &store);
    let damaged = segment(stack, "kis-service", 2);
    let mut bytes = std::fs::read(&damaged).expect("segment");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&damaged, bytes).expect("segment");
    stack.start_nats_again().await;
    stack.set("SISE__JOURNAL__MAX_BYTES", KEEPS_ALL);
    stack.start("kis-service");
    fires(prometheus, begun, &causes).await;
    let lost = prometheus.query("sise_cell_lost_acknowledged_total{service=\"kis-service\"} > 0").await;
    assert!(lost.is_empty(), "a journal that has everything has lost nothing: {lost:?}");
}

/// The program of a service with its journals on a disk of their own, of 64 MB, that goes with the process; none where
/// nobody may have one.
fn on_a_small_disk(stack: &Stack, service: &str) -> Option<Command> {
    let folder = stack.folder.path().join("small");
    std::fs::create_dir(&folder).expect("folder");
    let script = "mount -t tmpfs -o size=64m tmpfs \"$0\" && exec \"$@\"";
    let mount = |flags: &[&str], what: &Path| {
        let mut command = Command::new("unshare");
        command.args(flags).args(["sh", "-c", script]).arg(&folder).arg(what);
        command
    };
    let ways: [&[&str]; 2] = [&["--mount"], &["--mount", "--map-root-user"]];
    let works = |flags: &&&[&str]| {
        mount(flags, Path::new("true")).output().is_ok_and(|output| output.status.success())
    };
    let flags = ways.iter().find(works)?;
    let as_usual = stack.command(service);
    let mut command = mount(flags, Path::new(as_usual.get_program()));
    command.current_dir(as_usual.get_current_dir().expect("set"));
    command.envs(as_usual.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("SISE__JOURNAL__FOLDER", &folder);
    Some(command)
}

async fn a_small_disk(stack: &mut Stack, prometheus: &Prometheus) {
    stack.set("SISE__JOURNAL__MAX_BYTES", KEEPS_LITTLE);
    let Some(command) = on_a_small_disk(stack, "kiwoom-service") else {
        println!("NOT TESTED: DiskLow (nobody may mount here)");
        return;
    };
    let begun = Instant::now();
    stack.kill("kiwoom-service");
    stack.spawn("kiwoom-service", command);
    fires(prometheus, begun, &[("DiskLow", "kiwoom-service")]).await;
}

/// A broker that forgets one of two symbols. The frames are of a continuous session, which there is not at every hour: an
/// improbable silence takes a minute of it.
#[tokio::test(flavor = "multi_thread")]
async fn the_alert_of_a_silent_symbol_fires_for_its_cause() {
    let Some(program) = program("SISE_PROMETHEUS", "prometheus") else { return };
    let mut stack = Stack::new(4, false);
    let frames = std::fs::read_to_string(root().join("services/lib/broker/fixtures/kis/h0stcnt0_47.txt"));
    let frames = frames.expect("frames");
    let frame = frames.lines().find(|line| line.starts_with("0|H0STCNT0|001|")).expect("a trade");
    let heard = frame.split(['|', '^']).nth(3).expect("its symbol");
    let silent = if heard == "005930" { "005380" } else { "005930" };
    let file = stack.folder.path().join("frames.txt");
    std::fs::write(&file, frame).expect("frames");
    let symbols =
        write_symbols(&stack, &format!("symbols:\n- {{symbol: {heard}}}\n- {{symbol: {silent}}}\n"));
    for (name, value) in [
        ("SISE__LOG__JSON", "true"),
        ("SISE__SYMBOLS__FILE", symbols.as_str()),
        ("SISE__SYMBOLS__CARRIERS", "kis"),
        ("SISE__SIMULATOR__FRAMES", &file.display().to_string()),
        ("SISE__SIMULATOR__REPEAT", "1000000"),
    ] {
        stack.set(name, value);
    }
    stack.start_servers().await;
    stack.start_simulator().await;
    stack.start("kis-service");
    let services = ["kis-service"];
    let addresses = ready(&mut stack, &services).await;
    let prometheus = Prometheus::start(&mut stack, program, &addresses, &PACE, &[]).await;
    has_looked(&prometheus, services.len()).await;
    let causes = [("SymbolsSilent", "kis-service")];
    let begun = Instant::now();
    // Four a second: three waits, each with a limit of its own, in place of one that takes a minute in any case.
    for frames in [80, 160] {
        let read = format!("sise_cell_frames_total{{what=\"H0STCNT0\"}} > {frames}");
        until(&format!("{frames} frames are read"), async || !prometheus.query(&read).await.is_empty()).await;
    }
    never_fired(&prometheus, &causes).await;
    fires(&prometheus, begun, &causes).await;
    let said = stack.said("kis-service");
    let line = said.lines().find(|line| line.contains("connected and confirmed, but no data comes"));
    let line = line.expect("a line that names the symbol");
    assert!(line.contains(silent) && !line.contains(heard), "{line}");
}

/// A day that lost trades which the broker's pages lack as well, and a market of which nothing was ever recorded.
#[tokio::test(flavor = "multi_thread")]
async fn alerts_of_past_days_fire_for_their_causes() {
    let Some(program) = program("SISE_PROMETHEUS", "prometheus") else { return };
    let mut stack = Stack::new(1, false);
    let day = Day::new(3);
    let symbols = write_symbols(&stack, &day.symbols_file());
    for (name, value) in [
        ("SISE__LOG__JSON", "true"),
        ("SISE__SYMBOLS__FILE", symbols.as_str()),
        ("SISE__ARCHIVER__AGE_MS", "100"),
        ("SISE__GAP_FINDER__MARGIN_MS", "0"),
        ("SISE__GAP_FINDER__RETRY_MS", "1000"),
    ] {
        stack.set(name, value);
    }
    stack.start_servers().await;
    stack.start("archiver");
    let settings = nats(&stack);
    let delivered = day.publish(&settings).await;
    let cell = Cell::start(&settings, day).await;
    assert!(cell.lack_a_lost_row() > 0);
    until("the archive has what was delivered", async || {
        stack.number("SELECT count() FROM trades").await == delivered
    })
    .await;
    let begun = Instant::now();
    stack.start("gap-finder");
    let services = ["archiver", "gap-finder", "clickhouse-embedded"];
    let addresses = ready(&mut stack, &services).await;
    let prometheus = Prometheus::start(&mut stack, program, &addresses, &PACE, &[]).await;
    let causes = [("GapOpenAfterRecovery", "gap-finder"), ("DayNotFinished", "gap-finder")];
    fires(&prometheus, begun, &causes).await;
    // Each for its own market: what is missing for good is not looked at again, what was never recorded has no gap.
    for (alert, market) in [("GapOpenAfterRecovery", "kr"), ("DayNotFinished", "us")] {
        let ever = format!("max_over_time(ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}}[1h])");
        let markets: Vec<Value> =
            prometheus.query(&ever).await.iter().map(|labels| labels["market"].clone()).collect();
        assert_eq!(markets, [json!(market)], "{alert}");
    }
}
