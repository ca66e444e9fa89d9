//! What a person with `curl` sees.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::{Server, curl};

const TABLE: &str = "CREATE TABLE t (a Int64, s String DEFAULT 'none') ENGINE = MergeTree ORDER BY a";

#[test]
fn inserts_and_reads() {
    let server = Server::start(&[]);
    server.sql(TABLE);
    let csv = server.post(&[("query", "INSERT INTO t FORMAT CSV")], b"1,one\n2,\"two, too\"\n");
    assert_eq!((csv.status, csv.text().as_str()), (200, ""));
    assert!(
        csv.header("x-clickhouse-summary").unwrap().contains("\"written_rows\":\"2\""),
        "{}",
        csv.headers
    );
    server.sql("INSERT INTO t (a) FORMAT JSONEachRow\n{\"a\": 3}\n");
    server.sql("INSERT INTO t VALUES (4, 'four'), (5, 'a;b')");
    assert_eq!(server.post(&[("query", "INSERT INTO t VALUES")], b"(6, 'six')").status, 200);
    assert_eq!(
        server.sql("SELECT * FROM t ORDER BY a"),
        "1\tone\n2\ttwo, too\n3\tnone\n4\tfour\n5\ta;b\n6\tsix\n"
    );
    assert_eq!(server.spooled(), 0);
}

#[test]
fn parameters_settings_and_formats() {
    let server = Server::start(&[]);
    server.sql("CREATE DATABASE d");
    // Values are in TabSeparated form, as in ClickHouse.
    let parameters =
        [("param_x", "a\\tb"), ("param_n", "7"), ("max_threads", "1"), ("default_format", "JSONEachRow")];
    let sql = "SELECT {x:String} AS x, {n:UInt8} AS n, getSetting('max_threads') AS threads, currentDatabase() AS d";
    let answer = curl(
        &["-H", "X-ClickHouse-Database: d", "--data-binary", "@-", &server.url(&parameters)],
        sql.as_bytes(),
    );
    assert_eq!(answer.text(), "{\"x\":\"a\\tb\",\"n\":7,\"threads\":1,\"d\":\"d\"}\n");
    assert_eq!(answer.header("x-clickhouse-format"), Some("JSONEachRow"));
    assert_eq!(answer.header("x-clickhouse-timezone").map(str::is_empty), Some(false));
    let named = server.post(&[("query_id", "mine")], b"SELECT 1 FORMAT JSON");
    assert_eq!(named.header("x-clickhouse-query-id"), Some("mine"));
    assert_eq!(named.header("content-type"), Some("application/json; charset=UTF-8"));
    // The next request knows nothing of the last one's settings and database.
    assert_eq!(server.sql("SELECT getSetting('max_threads') = 1, currentDatabase()"), "0\tdefault\n");
}

#[test]
fn health_checks_need_no_user() {
    let server = Server::start(&[("USERS__A__PASSWORD", "x")]);
    for path in ["ping", "replicas_status", ""] {
        assert_eq!(curl(&[&format!("http://{}/{path}", server.address)], b"").text(), "Ok.\n", "{path}");
    }
    assert_eq!(curl(&[&format!("http://{}/nothing", server.address)], b"").status, 404);
}

#[test]
fn errors_have_code_status_and_header() {
    let server = Server::start(&[]);
    for (sql, code, status) in [
        ("SELECT * FROM missing", 60, 404),
        ("SELECT * FROM missing.t", 81, 404),
        ("SELEC 1", 62, 400),
        ("SELECT 1; SELECT 2", 62, 400),
        ("exit", 62, 400),
        ("SELECT nothing", 47, 404),
        ("SELECT {x:Int8}", 456, 500),
        ("SELECT toInt8('x')", 6, 400),
        ("SELECT 1 FORMAT Nothing", 73, 404),
        ("SELECT throwIf(1)", 395, 500),
        ("SELECT nothing /* { serverError 47 } */", 47, 404),
        ("SELECT 1 INTO OUTFILE '/tmp/x'", 358, 500),
        ("INSERT INTO t FROM INFILE '/etc/passwd' FORMAT CSV", 78, 404),
        ("SELECT * FROM file('/etc/passwd', 'LineAsString')", 497, 403),
        ("CREATE TABLE f (x String) ENGINE = File('CSV', '/tmp/x')", 497, 403),
        ("", 62, 400),
    ] {
        let answer = server.post(&[], sql.as_bytes());
        assert_eq!(answer.status, status, "{sql}: {}", answer.text());
        assert_eq!(answer.header("x-clickhouse-exception-code"), Some(code.to_string().as_str()), "{sql}");
        assert!(
            answer.text().starts_with(&format!("Code: {code}. DB::Exception: ")),
            "{sql}: {}",
            answer.text()
        );
    }
    let unknown = server.post(&[("no_such_setting", "1")], b"SELECT 1");
    assert_eq!((unknown.status, unknown.header("x-clickhouse-exception-code")), (404, Some("115")));
    assert_eq!(server.post(&[("database", "missing")], b"SELECT 1").status, 404);
}

#[test]
fn bad_data_name_the_row_and_not_the_file() {
    let server = Server::start(&[]);
    server.sql(TABLE);
    let answer = server.post(&[("query", "INSERT INTO t FORMAT CSV")], b"1,x\noops,y\n");
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("row 2") && !answer.text().contains("spool"), "{}", answer.text());
    assert_eq!(server.sql("SELECT count() FROM t"), "0\n");
    assert_eq!(server.spooled(), 0);
}

#[test]
fn get_only_reads() {
    let server = Server::start(&[]);
    server.sql(TABLE);
    assert_eq!(curl(&[&server.url(&[("query", "SELECT 1")])], b"").text(), "1\n");
    for sql in ["DROP TABLE t", "INSERT INTO t VALUES (1, 'x')", "SET max_threads = 1"] {
        let answer = curl(&[&server.url(&[("query", sql)])], b"");
        assert_eq!(answer.header("x-clickhouse-exception-code"), Some("164"), "{sql}: {}", answer.text());
    }
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut child = Command::new("gzip").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("gzip");
    child.stdin.take().expect("stdin").write_all(data).expect("write");
    child.wait_with_output().expect("gzip").stdout
}

#[test]
fn compressed_bodies_and_answers() {
    let server = Server::start(&[]);
    server.sql(TABLE);
    let packed = gzip(b"INSERT INTO t FORMAT CSV\n1,one\n");
    let url = server.url(&[]);
    let answer = curl(&["-H", "Content-Encoding: gzip", "--data-binary", "@-", &url], &packed);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer =
        curl(&["--compressed", "-H", "Accept-Encoding: gzip", "--data-binary", "SELECT * FROM t", &url], b"");
    assert_eq!((answer.header("content-encoding"), answer.text().as_str()), (Some("gzip"), "1\tone\n"));
    let broken = curl(&["-H", "Content-Encoding: gzip", "--data-binary", "@-", &url], b"SELECT 1");
    assert_eq!(broken.header("x-clickhouse-exception-code"), Some("271"));
    // What the server packs into blocks it unpacks from blocks.
    let blocks =
        server.post(&[("compress", "1")], b"SELECT number AS a, 'x' AS s FROM numbers(100000) FORMAT Native");
    assert!(blocks.body.len() < 900_000, "{}", blocks.body.len());
    let parameters = [("decompress", "1"), ("query", "INSERT INTO t FORMAT Native")];
    assert_eq!(server.post(&parameters, &blocks.body).status, 200);
    assert_eq!(server.sql("SELECT count(), sum(a) FROM t"), "100001\t4999950001\n");
    let mut damaged = blocks.body;
    damaged[100] ^= 1;
    assert_eq!(server.post(&parameters, &damaged).header("x-clickhouse-exception-code"), Some("40"));
    assert_eq!(server.spooled(), 0);
}

#[test]
fn insert_tokens_keep_a_repeated_insert_out() {
    let server = Server::start(&[]);
    server.sql(&format!("{TABLE} SETTINGS non_replicated_deduplication_window = 100"));
    let insert = |token: &str| {
        let parameters = [("query", "INSERT INTO t FORMAT CSV"), ("insert_deduplication_token", token)];
        assert_eq!(server.post(&parameters, b"1,x\n").status, 200);
    };
    insert("a");
    insert("a");
    assert_eq!(server.sql("SELECT count() FROM t"), "1\n");
    insert("b");
    assert_eq!(server.sql("SELECT count() FROM t"), "2\n");
    assert_eq!(server.sql("SELECT value FROM system.settings WHERE name = 'async_insert'"), "0\n");
}

#[test]
fn large_bodies_pass_through_the_disk() {
    let server = Server::start(&[]);
    server.sql(TABLE);
    let mut body = b"INSERT INTO t FORMAT CSV\n".to_vec();
    for number in 0..2_000_000 {
        writeln!(body, "{number},text {number}").unwrap();
    }
    let answer = server.post(&[], &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(server.sql("SELECT count(), sum(a) FROM t"), "2000000\t1999999000000\n");
    assert_eq!(server.spooled(), 0);
}

#[test]
fn the_spool_has_a_limit() {
    let server = Server::start(&[("MAX_SPOOL_BYTES", "1000")]);
    server.sql(TABLE);
    let answer = server.post(&[("query", "INSERT INTO t FORMAT CSV")], &b"1,x\n".repeat(1000));
    assert_eq!(answer.header("x-clickhouse-exception-code"), Some("243"), "{}", answer.text());
    assert_eq!(server.post(&[("query", "INSERT INTO t FORMAT CSV")], b"1,x\n").status, 200);
}

#[test]
fn long_statements_are_refused_not_gathered() {
    let server = Server::start(&[]);
    let long = format!("SELECT '{}'", "x".repeat(300_000));
    assert_eq!(server.post(&[], long.as_bytes()).header("x-clickhouse-exception-code"), Some("62"));
    let allowed = server.post(
        &[("max_query_size", "1000000")],
        format!("SELECT length('{}')", "x".repeat(300_000)).as_bytes(),
    );
    assert_eq!(allowed.text(), "300000\n");
}

#[test]
fn results_made_as_a_whole_have_a_limit() {
    let server = Server::start(&[("MAX_RESULT_BYTES", "100000")]);
    let sql = "SELECT number FROM numbers(1000000)";
    let whole = server.post(&[], format!("{sql} FORMAT JSON").as_bytes());
    assert_eq!(whole.header("x-clickhouse-exception-code"), Some("396"), "{}", whole.text());
    let streamed = server.post(&[], format!("{sql} FORMAT TSVWithNames").as_bytes());
    assert_eq!((streamed.status, streamed.text().lines().count()), (200, 1_000_001));
}

#[test]
fn sessions_keep_tables_and_settings() {
    let server = Server::start(&[]);
    let session = |sql: &str, extra: &[(&str, &str)]| {
        let mut parameters = vec![("session_id", "s")];
        parameters.extend_from_slice(extra);
        server.post(&parameters, sql.as_bytes())
    };
    assert_eq!(
        session("SELECT 1", &[("session_check", "1")]).header("x-clickhouse-exception-code"),
        Some("372")
    );
    assert_eq!(session("CREATE TEMPORARY TABLE tt (x Int8)", &[]).status, 200);
    assert_eq!(session("INSERT INTO tt VALUES (7)", &[]).status, 200);
    assert_eq!(session("SET max_threads = 3", &[]).status, 200);
    let sql = "SELECT x, getSetting('max_threads'), currentDatabase() FROM tt";
    assert_eq!(session(sql, &[("max_threads", "2"), ("database", "system")]).text(), "7\t2\tsystem\n");
    assert_eq!(
        session(sql, &[("session_check", "1")]).text(),
        "7\t3\tdefault\n",
        "a request's settings end with it"
    );
    assert_eq!(server.post(&[], sql.as_bytes()).status, 404, "others do not see the session");
}
