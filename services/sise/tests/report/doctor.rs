//! `sise doctor` with real servers and brokers that only answer: every line; and a recorded day measured.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use bytes::Bytes;
use journal::{JournalSettings, Record, RecordKind, Sync, Writer};

use crate::support::House;
use crate::{fill, seed};

const KIS: &str = include_str!("../../../lib/broker/fixtures/kis/h0stcnt0_46.txt");
const KIWOOM: &str = include_str!("../../../lib/broker/fixtures/kiwoom/0b_captured.txt");
/// 2026-11-20 09:00:30 in Seoul.
const NINE: i64 = 1_795_132_830_000_000_000;

/// An address that answers every request alike, with a date of long ago.
fn answering(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let address = listener.local_addr().expect("address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("connection");
            let mut request = [0; 4_096];
            let _read = stream.read(&mut request).expect("request");
            let upgrade = if status.starts_with("101") {
                "Connection: Upgrade\r\nUpgrade: websocket\r\n"
            } else {
                "Content-Length: 0\r\n"
            };
            let _sent =
                write!(stream, "HTTP/1.1 {status}\r\n{upgrade}Date: Wed, 01 Jan 2020 00:00:00 GMT\r\n\r\n");
        }
    });
    address
}

/// A journal of frames, one each 100 ms.
fn write_journal(folder: &Path, frames: &str) {
    let settings = JournalSettings {
        folder: folder.to_owned(),
        segment_bytes: 1 << 20,
        max_bytes: 1 << 30,
        max_age: None,
        compress: None,
        sync: Sync::Never,
    };
    let (mut writer, _) = Writer::open(settings).expect("journal");
    for (number, text) in (1..).zip(frames.lines()) {
        let record = Record {
            kind: RecordKind::FRAME,
            connection_id: NINE - 1,
            sequence: number,
            received_ns: NINE + i64::try_from(number).expect("small") * 100_000_000,
            payload: Bytes::copy_from_slice(text.as_bytes()),
        };
        writer.append(&record).expect("appended");
    }
    writer.flush().expect("flushed");
}

#[tokio::test]
async fn each_check_is_a_line_and_a_failed_one_is_told_by_the_exit_code() {
    let house = House::build().await;
    let (rest, socket, none) =
        (answering("404 Not Found"), answering("101 Switching Protocols"), answering("200 OK"));
    let config = house.folder().join("doctor.toml");
    let key = "app_key = \"KEY-OF-TEST\"\napp_secret = \"SECRET-OF-TEST\"\n";
    let text = format!(
        "[kis]\nrest_url = \"http://{rest}\"\nws_url = \"ws://{socket}\"\n[kis.keys.main]\n{key}\
         [kiwoom]\nrest_url = \"http://127.0.0.1:1\"\nws_url = \"ws://{none}\"\n[kiwoom.keys.main]\n{key}"
    );
    std::fs::write(&config, text).expect("settings");
    let folder = house.folder().join("journal/kis-service");
    write_journal(&folder, KIS);
    let config = config.display().to_string();
    let doctor = |arguments: &[&str]| {
        let output = house.run(&[&["--config", &config, "doctor"], arguments].concat());
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let told = doctor(&[]);
    let has = |told: &str, line: &str| {
        assert!(told.lines().any(|one| one.starts_with(line)), "no line begins with {line:?}:\n{told}");
    };
    for line in [
        "ok   settings of kis-service: 1 keys: main",
        "ok   settings of us-service: 1 keys: main",
        "ok   settings of kiwoom-service: 1 keys: main",
        "ok   registrations: kis kr: ",
        "ok   calendar kr: through ",
        &format!("ok   kis REST: http://{rest} answers 404 in "),
        "fail clock against kis REST: ours is ",
        &format!("ok   kis WebSocket: ws://{socket} answers 101 in "),
        "fail kiwoom REST: http://127.0.0.1:1: ",
        &format!("fail kiwoom WebSocket: ws://{none} answers 200, not 101 — "),
        "ok   nats: nats://127.0.0.1:",
        "ok   clock against nats: ours is ",
        "ok   nats streams: ",
        "ok   clickhouse tables: database sise is up to date",
        "ok   journal folder: ",
        "ok   journal of kis-service: 1 segments, ends with a whole record",
    ] {
        has(&told, line);
    }
    let secrets =
        ["KEY-OF-TEST", "SECRET-OF-TEST", "p-sise", "p-archiver"].map(|secret| told.contains(secret));
    assert_eq!(secrets, [false; 4], "{told}");

    let segment = folder.join(format!("{:020}.journal", 1));
    let bytes = std::fs::metadata(&segment).expect("segment").len();
    std::fs::OpenOptions::new()
        .write(true)
        .open(&segment)
        .and_then(|file| file.set_len(bytes - 3))
        .expect("cut");
    let lines = doctor(&["--json"]);
    let torn = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("json"));
    let torn = torn.filter(|check| check["what"] == "journal of kis-service").collect::<Vec<_>>();
    assert_eq!(torn[0]["level"], "warn", "{torn:?}");
}

#[tokio::test]
async fn a_recorded_day_answers_the_open_questions() {
    let house = House::build().await;
    fill(&house, vec![seed::two_brokers()]).await;
    write_journal(&house.folder().join("journal/kis-service"), &format!("{KIS}0|H0XXCNT0|001|a^b\n"));
    write_journal(&house.folder().join("journal/kiwoom-service"), KIWOOM);
    let page = house.sise(&["doctor", "--day", "2026-11-20"]);
    for line in [
        "# What 2026-11-20 says to the open questions",
        "- kis-service: 19 frames of 1 connections, 1 cannot be split, 0 damaged places",
        "  - unknown_tr: 1",
        "- kiwoom-service: 2 frames of 1 connections, 0 cannot be split, 0 damaged places",
        "- archive kr: 7 events",
        "- us-service has no journal here",
        "| Chain rate of ACML_VOL by tape | live prints that begin where the one before ends | krx 33.33 % (1 of 3) |",
        "| Off-hours jumps | shares that no print covers | krx: 1 at a change of session with 15 shares, 1 within one with 20, 0 overlaps |",
        "| 1. Chain rate of FID 13 on bare (krx), _NX (nxt), _AL (all) | live prints that begin where the one before ends | krx 100.00 % (2 of 2) |",
        "| 2. Order inside a second | live prints of one second whose FID 13 rises as they come | krx 100.00 % (2 of 2) |",
        "| Do both brokers cut trades alike? | ends of prints on the line of shares, instruments that both brought | krx: ends in common 40.00 % (2 of 5), equal of these 50.00 % (1 of 2), only kis 2, only kiwoom 1 |",
        "| kis | krx | closing_auction | 21 0  2 | 2 | 15:30:00 | 15:30:01 |",
        "| kiwoom | krx | continuous | 2 KRX | 3 | 09:00:30 | 09:00:30 |",
    ] {
        assert!(page.lines().any(|one| one.starts_with(line)), "no line begins with {line:?}:\n{page}");
    }
    let output = house.run(&["doctor", "--day", "2026-11-19"]);
    assert_eq!(output.status.code(), Some(1));
    let problem = String::from_utf8(output.stderr).expect("text");
    assert!(problem.contains("neither a journal nor the archive has anything of this day"), "{problem}");
}
