//! Users and what they may do, checked by the server.

use crate::support::{Answer, Server, curl};

fn start() -> Server {
    Server::start(&[
        ("USERS__MIGRATE__PASSWORD", "m"),
        ("USERS__MIGRATE__RIGHTS", "all"),
        ("USERS__ARCHIVER__PASSWORD", "a"),
        ("USERS__ARCHIVER__RIGHTS", "insert"),
        ("USERS__ARCHIVER__DATABASES", "sise,sise_demo"),
        ("USERS__ANALYST__PASSWORD", "r"),
        ("USERS__ANALYST__DATABASES", "sise"),
        ("USERS__READER__PASSWORD", "e"),
    ])
}

fn ask(server: &Server, user: &str, sql: &str) -> Answer {
    let key = match user {
        "migrate" => "m",
        "archiver" => "a",
        "analyst" => "r",
        _ => "e",
    };
    let (user, key) = (format!("X-ClickHouse-User: {user}"), format!("X-ClickHouse-Key: {key}"));
    curl(&["-H", &user, "-H", &key, "--data-binary", "@-", &server.url(&[])], sql.as_bytes())
}

fn good(server: &Server, user: &str, sql: &str) -> String {
    let answer = ask(server, user, sql);
    assert_eq!(answer.status, 200, "{user}: {sql}: {}", answer.text());
    answer.text()
}

fn denied(server: &Server, user: &str, sql: &str) {
    let answer = ask(server, user, sql);
    assert_eq!(
        (answer.status, answer.header("x-clickhouse-exception-code")),
        (403, Some("497")),
        "{user}: {sql}: {}",
        answer.text()
    );
    assert!(!answer.text().contains("default:"), "{}", answer.text());
}

#[test]
fn each_user_does_what_its_rights_say() {
    let server = start();
    for sql in [
        "CREATE DATABASE sise",
        "CREATE DATABASE other",
        "CREATE TABLE sise.t (a Int64) ENGINE = MergeTree ORDER BY a",
        "CREATE TABLE other.t (a Int64) ENGINE = MergeTree ORDER BY a",
        "INSERT INTO other.t VALUES (9)",
        "CREATE VIEW sise.v AS SELECT sum(a) AS s FROM sise.t",
    ] {
        good(&server, "migrate", sql);
    }
    good(&server, "archiver", "INSERT INTO sise.t FORMAT CSV\n1\n2\n");
    assert_eq!(good(&server, "archiver", "SELECT count() FROM sise.t"), "2\n");
    good(&server, "archiver", "DESCRIBE TABLE sise.t");
    assert_eq!(good(&server, "analyst", "SELECT s FROM sise.v"), "3\n");
    assert_eq!(good(&server, "reader", "SELECT sum(a) FROM other.t"), "9\n");
    good(&server, "analyst", "EXPLAIN SELECT * FROM sise.t");
    let changes = [
        "CREATE TABLE sise.x (a Int8) ENGINE = Memory",
        "ALTER TABLE sise.t ADD COLUMN b Int8",
        "DROP TABLE sise.t",
        "TRUNCATE TABLE sise.t",
        "RENAME TABLE sise.t TO sise.u",
        "OPTIMIZE TABLE sise.t",
        "ALTER TABLE sise.t DELETE WHERE 1",
        "DROP DATABASE sise",
        "CREATE FUNCTION f AS x -> x",
        "SYSTEM STOP MERGES sise.t",
        "KILL QUERY WHERE 1 SYNC",
    ];
    for user in ["archiver", "analyst", "reader"] {
        for sql in changes {
            // Without the right to see other users' queries there is none to kill.
            if !sql.starts_with("KILL") {
                denied(&server, user, sql);
            }
        }
    }
    for user in ["analyst", "reader"] {
        denied(&server, user, "INSERT INTO sise.t VALUES (3)");
        denied(&server, user, "INSERT INTO sise.t SELECT 3");
    }
    denied(&server, "archiver", "INSERT INTO other.t VALUES (3)");
    denied(&server, "analyst", "SELECT * FROM other.t");
    denied(&server, "archiver", "INSERT INTO sise.t SELECT a FROM other.t");
    assert_eq!(good(&server, "migrate", "SELECT count() FROM sise.t"), "2\n");
}

#[test]
fn there_is_no_way_around() {
    let server = start();
    good(&server, "migrate", "CREATE DATABASE sise");
    good(&server, "migrate", "CREATE TABLE sise.t (a Int64) ENGINE = MergeTree ORDER BY a");
    for sql in [
        "SET ROLE owner",
        "SET/**/ROLE ALL",
        "SET DEFAULT ROLE ALL TO default",
        "CREATE TABLE sise.x (a Int8) ENGINE = Memory PARALLEL WITH SET ROLE owner",
        "EXECUTE AS default SELECT 1",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'x Int8')",
        "SELECT * FROM remote('127.0.0.1:1', system.one)",
        "SELECT * FROM `default`.`/etc/passwd`",
        "INSERT INTO FUNCTION file('/tmp/x', 'CSV', 'x Int8') VALUES (1)",
        "CREATE USER x",
        "GRANT ALL ON *.* TO default",
        "CREATE TEMPORARY TABLE x ENGINE = File('LineAsString', '/etc/passwd') AS SELECT 1",
    ] {
        for user in ["analyst", "archiver"] {
            denied(&server, user, sql);
        }
    }
    assert_eq!(ask(&server, "analyst", "SELECT 1; DROP TABLE sise.t").status, 400);
    assert_eq!(ask(&server, "analyst", "SELECT 1; SET ROLE owner; DROP TABLE sise.t").status, 400);
    assert_eq!(ask(&server, "analyst", "SELECT 1 INTO OUTFILE '/tmp/x'").status, 500);
    assert_eq!(ask(&server, "analyst", "SET dialect = 'prql'").status, 500);
    assert_eq!(good(&server, "analyst", "SELECT currentRoles()"), "['user_analyst']\n");
}

#[test]
fn nobody_enters_with_wrong_words() {
    let server = start();
    for arguments in [
        ["-u", "analyst:wrong"],
        ["-u", "nobody:r"],
        ["-H", "X-ClickHouse-User: default"],
        ["-H", "X-ClickHouse-User: analyst"],
    ] {
        let answer = curl(&[arguments[0], arguments[1], &server.url(&[("query", "SELECT 1")])], b"");
        assert_eq!(
            (answer.status, answer.header("x-clickhouse-exception-code")),
            (403, Some("516")),
            "{arguments:?}"
        );
    }
    let url = server.url(&[("query", "SELECT 1"), ("user", "analyst"), ("password", "r")]);
    assert_eq!(curl(&[&url], b"").text(), "1\n");
    let basic = curl(&["-u", "analyst:r", &server.url(&[("query", "SELECT 1")])], b"");
    assert_eq!(basic.text(), "1\n");
}

#[test]
fn sessions_belong_to_their_user() {
    let server = start();
    good(&server, "migrate", "CREATE DATABASE sise");
    let url = server.url(&[("session_id", "s"), ("user", "migrate"), ("password", "m")]);
    assert_eq!(curl(&["--data-binary", "CREATE TEMPORARY TABLE tt (x Int8)", &url], b"").status, 200);
    let url = server.url(&[("session_id", "s"), ("user", "analyst"), ("password", "r")]);
    assert_eq!(curl(&["--data-binary", "SELECT * FROM tt", &url], b"").status, 404);
    let url =
        server.url(&[("session_id", "s"), ("user", "analyst"), ("password", "r"), ("database", "sise")]);
    let denied = curl(&["--data-binary", "CREATE TABLE x (a Int8) ENGINE = Memory", &url], b"");
    assert_eq!(denied.status, 403, "{}", denied.text());
}
