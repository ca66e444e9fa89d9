//! Each user tries what it must not do, and is refused: at the bus with the keys of `scripts/secrets`, and at ClickHouse with
//! its users file. Every attempt is printed.

use std::net::SocketAddr;
use std::path::PathBuf;

use nkeys::KeyPair;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::support::{LIMIT, Stack, root, secrets};

const USERS: [&str; 8] =
    ["kis-service", "us-service", "kiwoom-service", "archiver", "gap-finder", "gateway", "sise", "observer"];

/// What is tried, and who may. `+` publish, `-` subscribe.
const ATTEMPTS: &[(&str, &[&str])] = &[
    ("+ticker.kr.kis.005930.krx", &["kis-service"]),
    ("+orderbook.kr.kis.005930.nxt", &["kis-service"]),
    ("+status.kr.kis.link_up", &["kis-service"]),
    ("+deadletter.kr.kis.frame", &["kis-service", "archiver"]),
    ("+ticker.us.kis.AAPL.us", &["us-service"]),
    ("+status.us.kis.link_up", &["us-service"]),
    ("+ticker.kr.kiwoom.005930.krx", &["kiwoom-service"]),
    ("+orderbook.kr.kiwoom.005930.krx", &["kiwoom-service"]),
    ("+recovered.ticker.kr.kiwoom.005930.krx", &["gap-finder"]),
    ("+status.kr.kiwoom.gap_opened", &["kiwoom-service", "gap-finder"]),
    ("+status.kr.kis.ownership", &["kis-service"]),
    ("+$KV.health.kr.kis", &["kis-service"]),
    ("+$KV.health.kr.kiwoom", &["kiwoom-service"]),
    ("+$KV.ownership.kr.A", &["kis-service", "kiwoom-service", "sise"]),
    ("+$KV.ownership.us.A", &["us-service", "sise"]),
    ("+rest.kis.anything", &["gap-finder", "sise"]),
    ("+archiver.replay", &["gap-finder", "sise"]),
    ("+archiver.redrive", &["sise"]),
    ("+$JS.API.STREAM.CREATE.NEW", &["sise"]),
    ("+$JS.API.STREAM.UPDATE.TICKER_KR_KIS", &["sise"]),
    ("+$JS.API.STREAM.DELETE.TICKER_KR_KIS", &["sise"]),
    ("+$JS.API.STREAM.PURGE.TICKER_KR_KIS", &["sise"]),
    ("+$JS.API.STREAM.MSG.DELETE.TICKER_KR_KIS", &["sise"]),
    ("+$JS.API.STREAM.SNAPSHOT.TICKER_KR_KIS", &["sise"]),
    ("+$JS.API.STREAM.INFO.TICKER_KR_KIS", &["kis-service", "archiver", "gap-finder", "gateway", "sise"]),
    ("+$JS.API.STREAM.MSG.GET.TICKER_KR_KIS", &["kis-service", "sise"]),
    ("+$JS.API.STREAM.MSG.GET.TICKER_KR_KIWOOM", &["kiwoom-service", "sise"]),
    ("+$JS.API.DIRECT.GET.TICKER_KR_KIS", &["archiver", "gateway", "sise"]),
    ("+$JS.API.CONSUMER.CREATE.TICKER_KR_KIS.mine", &["sise"]),
    ("+$JS.API.CONSUMER.DELETE.TICKER_KR_KIS.archiver", &["sise"]),
    ("+$JS.API.CONSUMER.MSG.NEXT.TICKER_KR_KIS.archiver", &["archiver", "sise"]),
    ("+$JS.ACK.TICKER_KR_KIS.archiver.1.1.1.1.0", &["archiver", "sise"]),
    ("+$JS.API.ACCOUNT.PURGE.sise", &["sise"]),
    ("+$SYS.REQ.SERVER.PING", &[]),
    ("+_INBOX.sise.x", &[]),
    ("+anything.else", &[]),
    ("-ticker.kr.kis.>", &["gateway", "sise", "observer"]),
    ("-orderbook.>", &["gateway", "sise", "observer"]),
    ("-status.>", &["gateway", "sise", "observer"]),
    ("-deadletter.>", &["sise"]),
    ("-rest.kis.anything", &["kis-service", "us-service"]),
    ("-rest.kiwoom.anything", &["kiwoom-service"]),
    ("-archiver.replay", &["archiver"]),
    ("-_INBOX.kis-service.>", &["kis-service"]),
    ("-_INBOX.archiver.>", &["archiver"]),
    ("-_INBOX.>", &[]),
    ("-$JS.API.>", &[]),
    ("-$SYS.>", &[]),
    ("->", &[]),
];

/// A connection that speaks the protocol itself: the server's own words come back, at once.
struct Raw {
    socket: BufReader<TcpStream>,
}

impl Raw {
    /// Connects, and shows a key, or `other` (a part of CONNECT). The error is the server's.
    async fn connect(address: SocketAddr, key: Option<&KeyPair>, other: &str) -> Result<Self, String> {
        let mut raw = Self { socket: BufReader::new(TcpStream::connect(address).await.expect("connection")) };
        let info = raw.line().await;
        let info: serde_json::Value = serde_json::from_str(info.trim_start_matches("INFO ")).expect("info");
        let shown = key.map_or_else(String::new, |key| {
            use base64::Engine as _;
            let signature = key.sign(info["nonce"].as_str().expect("nonce").as_bytes()).expect("signed");
            let signature = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(signature);
            format!(r#","nkey":"{}","sig":"{signature}""#, key.public_key())
        });
        raw.try_it(&format!(r#"CONNECT {{"verbose":false,"pedantic":false,"protocol":1{shown}{other}}}"#))
            .await?;
        Ok(raw)
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = tokio::time::timeout(LIMIT, self.socket.read_line(&mut line)).await.expect("in time");
        if read.is_err() || line.is_empty() { "-ERR 'closed'".to_owned() } else { line.trim_end().to_owned() }
    }

    /// Says something, and waits until the server has dealt with it.
    async fn try_it(&mut self, text: &str) -> Result<(), String> {
        let sent = self.socket.write_all(format!("{text}\r\nPING\r\n").as_bytes()).await;
        if let Err(error) = sent {
            return Err(error.to_string());
        }
        let mut refused = None;
        loop {
            match self.line().await {
                line if line == "PONG" => return refused.map_or(Ok(()), Err),
                line if line.starts_with("-ERR") => {
                    let closed = !line.contains("Permissions Violation");
                    refused = Some(line.trim_start_matches("-ERR ").to_owned());
                    if closed {
                        return Err(refused.unwrap_or_default());
                    }
                }
                _ => {}
            }
        }
    }
}

fn key(folder: &std::path::Path, user: &str) -> KeyPair {
    let seed = std::fs::read_to_string(folder.join(format!("secrets/nats/{user}.nk"))).expect("seed");
    KeyPair::from_seed(seed.trim()).expect("seed")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_user_does_its_own_work_at_the_bus_and_nothing_else() {
    let mut stack = Stack::new(1, false);
    let address = stack.start_nats_with_keys(&[]).await;
    let folder = stack.configuration();
    let (mut refusals, mut grants) = (0, 0);
    for user in USERS {
        let mut raw = Raw::connect(address, Some(&key(&folder, user)), "").await.expect("admitted");
        for (number, (attempt, may)) in ATTEMPTS.iter().enumerate() {
            let (verb, subject) = attempt.split_at(1);
            let text = match verb {
                "+" => format!("PUB {subject} 0\r\n"),
                _ => format!("SUB {subject} {number}"),
            };
            let answer = raw.try_it(&text).await;
            let did = if verb == "+" { "publish" } else { "subscribe" };
            match &answer {
                Ok(()) => println!("{user:<15} {did:<9} {subject:<50} granted"),
                Err(words) => println!("{user:<15} {did:<9} {subject:<50} refused: {words}"),
            }
            assert_eq!(answer.is_ok(), may.contains(&user), "{user}: {attempt}: {answer:?}");
            if let Err(words) = answer {
                assert!(words.contains("Permissions Violation"), "{user}: {attempt}: {words}");
                refusals += 1;
            } else {
                grants += 1;
            }
        }
    }
    println!("{refusals} attempts refused, {grants} granted");
    assert!(refusals > 250, "{refusals}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_in_without_a_key_of_the_installation() {
    let mut stack = Stack::new(1, false);
    let address = stack.start_nats_with_keys(&[]).await;
    let stranger = KeyPair::new_user();
    let ours = key(&stack.configuration(), "archiver");
    let known = format!(r#","nkey":"{}""#, ours.public_key());
    for (who, shown, other) in [
        ("nobody", None, String::new()),
        ("a key of another installation", Some(&stranger), String::new()),
        ("a password", None, r#","user":"sise","pass":"p-SISE""#.to_owned()),
        ("a public key without a signature", None, known.clone()),
        ("a public key with a signature of another", None, format!(r#"{known},"sig":"AAAA""#)),
    ] {
        let words = Raw::connect(address, shown, &other).await.err().expect("refused");
        println!("{who}: refused: {words}");
        assert!(words.contains("Authorization Violation"), "{who}: {words}");
    }
    assert!(Raw::connect(address, Some(&ours), "").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_certificates_the_bus_is_reached_by_tls_alone() {
    let mut stack = Stack::new(1, false);
    let folder = stack.configuration().join("secrets");
    secrets(&folder, &["tls", "localhost", "127.0.0.1"]);
    let at = |name: &str| folder.join("nats").join(name).display().to_string();
    let paths = [("SISE_NATS_TLS_CERT", at("server.pem")), ("SISE_NATS_TLS_KEY", at("server.key"))];
    let address = stack.start_nats_with_keys(&paths).await;
    let settings = |scheme: &str, ca_file: Option<PathBuf>| bus::NatsSettings {
        url: format!("{scheme}://{address}"),
        seed_file: Some(folder.join("nats")),
        ca_file,
        ..bus::NatsSettings::default()
    };
    let ca = || Some(folder.join("nats/ca.pem"));
    let reached = async |settings: bus::NatsSettings, limit| {
        let client = bus::connect(&settings, "sise").await.expect("settings");
        bus::connected(&client, limit).await
    };
    assert!(reached(settings("tls", ca()), LIMIT).await);
    // A publisher makes its connections in another way.
    let topology =
        bus::Topology::load(&bus::NatsSettings { max_bytes: Some(1 << 20), ..settings("tls", ca()) });
    let client = bus::connect(&settings("tls", ca()), "sise").await.expect("settings");
    bus::topology::apply(&bus::jetstream(client), &topology.expect("topology")).await.expect("streams");
    let mut publisher = bus::Publisher::new(&settings("tls", ca()), "kis-service").expect("publisher");
    publisher.publish(bus::Outgoing::new("ticker.kr.kis.x.krx", "id", "x"), ()).await.expect("taken");
    publisher.drain(tokio::time::Instant::now() + LIMIT).await.expect("stored");
    // An authority that nobody knows is no authority, and there is no way around TLS.
    let short = std::time::Duration::from_secs(3);
    assert!(!reached(settings("tls", None), short).await, "without the authority");
    let key = key(&stack.configuration(), "sise");
    let words = Raw::connect(address, Some(&key), "").await.err().expect("refused");
    println!("without TLS: refused: {words}");
}

/// A statement, and who may.
const STATEMENTS: &[(&str, &[&str])] = &[
    ("SELECT count() FROM sise_test.trades", &["archiver", "gap-finder", "gateway", "analyst", "sise"]),
    (
        "SELECT count() FROM sise_test.trades_merged",
        &["archiver", "gap-finder", "gateway", "analyst", "sise"],
    ),
    (
        "INSERT INTO sise_test.archived (stream, epoch, first, last) VALUES ('X', 1, 1, 1)",
        &["archiver", "sise"],
    ),
    ("INSERT INTO sise_test.trades (market) VALUES ('kr')", &["archiver", "sise"]),
    ("INSERT INTO sise_test.archived SELECT * FROM sise_test.archived", &["archiver", "sise"]),
    ("ALTER TABLE sise_test.trades ADD COLUMN IF NOT EXISTS x Int8", &["sise"]),
    ("ALTER TABLE sise_test.trades DELETE WHERE 0", &["sise"]),
    ("ALTER TABLE sise_test.trades UPDATE halted = 0 WHERE 0", &["sise"]),
    ("CREATE OR REPLACE VIEW sise_test.v AS SELECT 1 AS a", &["sise"]),
    ("CREATE TABLE IF NOT EXISTS sise_test.t (a Int8) ENGINE = MergeTree ORDER BY a", &["sise"]),
    ("DROP TABLE sise_test.t", &["sise"]),
    ("TRUNCATE TABLE sise_test.trades", &[]),
    ("DROP DATABASE sise_test", &[]),
    ("CREATE DATABASE other", &[]),
    ("CREATE TABLE default.t (a Int8) ENGINE = MergeTree ORDER BY a", &[]),
    ("CREATE USER intruder", &[]),
    ("GRANT ALL ON *.* TO default", &[]),
    ("SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'x Int8')", &[]),
    ("SELECT * FROM file('/etc/passwd', 'LineAsString')", &[]),
    ("SYSTEM SHUTDOWN", &[]),
    ("SYSTEM DROP MARK CACHE", &[]),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_user_of_clickhouse_does_its_own_work_and_nothing_else() {
    let mut stack = Stack::new(1, false);
    let folder = stack.configuration().join("secrets/clickhouse");
    // The file's databases are those of an installation; this one is the tests'.
    let file = folder.join("users.xml");
    let users = std::fs::read_to_string(&file).expect("users");
    std::fs::write(&file, users.replace("sise_demo.", "sise_test.")).expect("users");
    stack.set("SISE__CLICKHOUSE_EMBEDDED__USERS_FILE", &file.display().to_string());
    let url = stack.start_clickhouse_alone().await;

    // As an operator migrates, with a file for a password.
    let mut migrate = stack.command("sise");
    migrate.arg("migrate").env("SISE__CLICKHOUSE__USER", "sise");
    migrate.env("SISE__CLICKHOUSE__PASSWORD_FILE", folder.join("sise"));
    let output = migrate.output().expect("sise");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let password =
        |user: &str| std::fs::read_to_string(folder.join(user)).expect("password").trim().to_owned();
    let ask = async |user: &str, password: &str, sql: &str| {
        let request =
            stack.http.post(&url).header("X-ClickHouse-User", user).header("X-ClickHouse-Key", password);
        let answer = request.body(sql.to_owned()).send().await.expect("clickhouse");
        let code = answer.headers().get("x-clickhouse-exception-code");
        let code = code.map(|code| code.to_str().expect("code").to_owned());
        (code, answer.text().await.expect("text"))
    };
    let made = "CREATE TABLE sise_test.t (a Int8) ENGINE = MergeTree ORDER BY a";
    assert_eq!(ask("sise", &password("sise"), made).await.0, None, "what the others try to drop");
    let mut refusals = 0;
    for user in ["gap-finder", "gateway", "analyst", "archiver", "sise"] {
        let password = password(user);
        for (sql, may) in STATEMENTS {
            let (code, said) = ask(user, &password, sql).await;
            let told = code.as_ref().map_or("granted".to_owned(), |_| {
                format!("refused: {}", said.lines().next().unwrap_or_default())
            });
            println!("{user:<11} {sql:<82} {told}");
            assert_eq!(code.is_none(), may.contains(&user), "{user}: {sql}: {said}");
            // 497 is "not enough privileges"; 344 what nobody may here.
            assert!(code.is_none_or(|code| code == "497" || code == "344"), "{user}: {sql}: {said}");
            refusals += usize::from(!may.contains(&user));
        }
        let (code, _) = ask(user, "wrong", "SELECT 1").await;
        assert_eq!(code.as_deref(), Some("516"), "{user} with a wrong password");
    }
    assert_eq!(ask("default", "", "SELECT 1").await.0.as_deref(), Some("516"), "the user without a password");
    println!("{refusals} statements refused");
}

/// What `scripts/secrets` makes is readable by its owner alone, and a second run changes nothing.
#[test]
fn secrets_are_made_once_and_are_nobody_elses() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("folder");
    let read = || {
        let files = std::process::Command::new("find")
            .arg(folder.path())
            .args(["-type", "f"])
            .output()
            .expect("find");
        let files = String::from_utf8(files.stdout).expect("names");
        let mut files: Vec<(PathBuf, u32, String)> = files
            .lines()
            .map(|path| {
                let mode = std::fs::metadata(path).expect("file").permissions().mode() & 0o777;
                (PathBuf::from(path), mode, std::fs::read_to_string(path).expect("file"))
            })
            .collect();
        files.sort();
        files
    };
    secrets(folder.path(), &["init"]);
    let first = read();
    assert!(first.len() >= 18, "{first:?}");
    for (path, mode, text) in &first {
        let public =
            path.ends_with("users.conf") || path.ends_with("users.xml") || path.ends_with("tls.conf");
        assert_eq!(*mode, if public { 0o644 } else { 0o600 }, "{}", path.display());
        let mut words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
        assert!(
            !public || !words.any(|word| word.len() == 58 && word.starts_with("SU")),
            "{}",
            path.display()
        );
    }
    secrets(folder.path(), &["init"]);
    assert_eq!(read(), first, "a second run changes nothing");
    secrets(folder.path(), &["rotate", "archiver"]);
    let changed = read().iter().zip(&first).filter(|(now, then)| now != then).count();
    assert_eq!(changed, 4, "seed and password, and what the two servers know of them");
    let ignored = std::process::Command::new("git")
        .current_dir(root())
        .args(["check-ignore", "secrets/nats/sise.nk"])
        .output();
    assert!(ignored.expect("git").status.success(), "secrets/ must never be committed");
}
