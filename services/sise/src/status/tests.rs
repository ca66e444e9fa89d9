//! What needs a person and what does not; the lines of a picture; every picture fits its documented schema.

use serde_json::Value;

use super::judge::judge;
use super::picture::*;
use super::text::{Tone, lines};

const NOW: i64 = 1_795_568_400_000_000_000;

fn service(name: &'static str, market: Option<&'static str>, state: State) -> Service {
    Service {
        name,
        market,
        state,
        why: "so".to_owned(),
        since_ns: Some(NOW - 90_000_000_000),
        heard_ms: Some(700),
        started_ns: Some(NOW - 7_200_000_000_000),
        versions: vec!["0.1.0".to_owned()],
        data_expected: market.map(|_| true),
        has_key: market.map(|_| true),
    }
}

fn disk(name: &str, free: u64) -> Disk {
    Disk {
        name: name.to_owned(),
        why: None,
        used: Some(5 << 20),
        limit: Some(8 << 30),
        free: Some(free),
        total: Some(100 << 30),
    }
}

fn server(name: &'static str) -> Server {
    Server { name, url: "x://127.0.0.1:1".to_owned(), answers: true, why: None }
}

fn stream(name: &str, messages: u64) -> Stream {
    let consumer = Consumer {
        name: "archiver".to_owned(),
        why: None,
        pending: Some(1_200),
        ack_pending: Some(3),
        redelivered: Some(0),
    };
    Stream {
        name: name.to_owned(),
        why: None,
        messages: Some(messages),
        bytes: Some(messages * 250),
        max_bytes: Some(4 << 30),
        first_sequence: Some(1),
        last_sequence: Some(messages),
        oldest_ms: (messages > 0).then_some(3_600_000),
        consumers: if name == "DEADLETTER" { Vec::new() } else { vec![consumer] },
    }
}

fn link() -> Link {
    Link {
        market: "kr",
        source: "kis",
        connection: "main".to_owned(),
        state: LinkState::Up,
        since_ns: Some(NOW),
        registered: Some(40),
        refused: Some(0),
        free: 1,
        dead_symbols: 0,
        why: String::new(),
    }
}

/// A system that needs nobody.
fn well() -> Picture {
    let owned = Owned {
        market: "kr",
        group: "A",
        owner: "kis",
        home: "kis",
        is_carried: true,
        hold: None,
        by: None,
        since_ns: None,
        why: String::new(),
        on_loan: 0,
        loan_to: None,
    };
    let archive = Archive {
        market: "kr",
        source: "kis".to_owned(),
        trade_date: "2026-11-25".to_owned(),
        trades: 1_234_567,
        order_books: 2,
        newest_ns: NOW,
        newest_ms: 800,
        behind_ms: Some(60_000),
    };
    let gaps = Gaps {
        market: "kr",
        trade_date: "2026-11-25".to_owned(),
        reason: "chain_break".to_owned(),
        open: 2,
        open_volume: 1_700,
        latest_ns: NOW,
    };
    let registrations = Registrations {
        market: "kr",
        source: "kis",
        used: Some(40),
        limit: Some(41),
        wanted: Some(40),
        uncovered: Some(Vec::new()),
    };
    Picture {
        version: VERSION,
        now_ns: NOW,
        now: crate::json::clock(NOW),
        verdict: Verdict::Blind,
        needs: Vec::new(),
        servers: vec![server("nats"), server("clickhouse")],
        services: Part::whole(vec![
            service("kis-service", Some("kr"), State::Ok),
            // No key, and so no service: a choice.
            Service {
                has_key: Some(false),
                data_expected: None,
                ..service("kiwoom-service", Some("kr"), State::Absent)
            },
            service("archiver", None, State::Ok),
        ]),
        links: Part::whole(vec![link()]),
        registrations: Part::whole(vec![registrations]),
        streams: Part::whole(vec![stream("STATUS", 7), stream("DEADLETTER", 0)]),
        archive: Part::whole(vec![archive]),
        gaps: Part::whole(vec![gaps]),
        ownership: Part::whole(vec![owned]),
        disk: Part::whole(vec![disk("a", 50 << 30), disk("b", 10 << 30), disk("c", 90 << 30)]),
    }
}

/// Judged after a change: the verdict, and of each need its part.
fn judged(change: impl FnOnce(&mut Picture)) -> (Verdict, Vec<&'static str>) {
    let mut picture = well();
    change(&mut picture);
    judge(&mut picture);
    fits(&picture);
    (picture.verdict, picture.needs.iter().map(|need| need.part).collect())
}

/// The schema of the documentation takes it.
fn fits(picture: &Picture) {
    let schema: Value =
        serde_json::from_str(include_str!("../../../../docs/status.schema.json")).expect("schema");
    let validator = jsonschema::draft202012::new(&schema).expect("a schema");
    let value = serde_json::to_value(picture).expect("json");
    let wrong: Vec<_> =
        validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_system_that_is_well_needs_nobody() {
    assert_eq!(judged(|_| ()), (Verdict::Ok, vec![]));
}

#[test]
fn what_needs_a_person_is_named_by_its_part() {
    let one = |part| (Verdict::Attention, vec![part]);
    assert_eq!(judged(|picture| picture.services.rows[0].state = State::Dead), one("services"));
    assert_eq!(judged(|picture| picture.services.rows[0].state = State::Silent), one("services"));
    assert_eq!(judged(|picture| picture.services.rows[1].has_key = Some(true)), one("services"));
    assert_eq!(judged(|picture| picture.services.rows[2].state = State::Absent), one("services"));
    assert_eq!(
        judged(|picture| {
            picture.links.rows[0].state = LinkState::Dead;
            picture.links.rows[0].why = "silence".to_owned();
        }),
        one("links")
    );
    assert_eq!(
        judged(|picture| picture.registrations.rows[0].uncovered = Some(vec!["x".to_owned()])),
        one("registrations")
    );
    assert_eq!(judged(|picture| picture.streams.rows[1] = stream("DEADLETTER", 1)), one("streams"));
    assert_eq!(judged(|picture| picture.archive.rows[0].behind_ms = Some(60_001)), one("archive"));
    assert_eq!(judged(|picture| picture.gaps.rows[0].reason = "journal_full".to_owned()), one("gaps"));
    assert_eq!(judged(|picture| picture.ownership.rows[0].is_carried = false), one("ownership"));
    assert_eq!(judged(|picture| picture.disk.rows[2].free = Some(9 << 30)), one("disk"));
    let away = |picture: &mut Picture, number: usize| {
        picture.servers[number].answers = false;
        picture.servers[number].why = Some("gone".to_owned());
    };
    assert_eq!(judged(|picture| away(picture, 1)), one("servers"));
    assert_eq!(judged(|picture| away(picture, 0)), (Verdict::Blind, vec!["servers"]));
}

#[test]
fn a_closed_market_needs_neither_links_nor_owners() {
    let closed = |picture: &mut Picture| {
        picture.services.rows[0].data_expected = Some(false);
        picture.services.rows[0].state = State::Quiet;
        picture.links.rows[0].state = LinkState::Down;
        picture.ownership.rows[0].is_carried = false;
    };
    assert_eq!(judged(closed), (Verdict::Ok, vec![]));
}

#[test]
fn a_part_that_is_not_known_says_why_in_the_lines_too() {
    let mut picture = well();
    picture.gaps = Part::unknown("clickhouse does not answer".to_owned());
    picture.links = Part::unknown("nats does not answer".to_owned());
    picture.streams.rows[0].why = Some("no such stream".to_owned());
    judge(&mut picture);
    let told: Vec<String> = lines(&picture).into_iter().map(|line| line.text).collect();
    let has = |text: &str| assert!(told.iter().any(|line| line == text), "no line {text:?}: {told:#?}");
    has("2026-11-25 10:00:00 KST: 1 thing needs a person");
    has("  streams: STATUS: no such stream — `sise streams apply`");
    has("GAPS OF TODAY THAT ARE OPEN");
    has("  not known: clickhouse does not answer");
    has("  not known: nats does not answer");
    has("  service            state   heard    since                    version  why");
    has("  kis-service kr     ok      0 s ago  2026-11-25 09:58:30 KST  0.1.0    so");
    has("  broker  market  day         trades     books  newest                   age  behind");
    has("  kis     kr      2026-11-25  1,234,567  2      2026-11-25 10:00:00 KST  0 s  60,000 ms");
    let tones: Vec<Tone> = lines(&picture).into_iter().map(|line| line.tone).collect();
    assert_eq!((tones[0], tones[1]), (Tone::Bad, Tone::Bad));
}
