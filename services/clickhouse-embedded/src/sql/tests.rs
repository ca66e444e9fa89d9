//! Where statements end and data begin.

use super::*;

fn data(text: &str) -> &str {
    match split(text.as_bytes(), true) {
        Split::Data(at) => &text[at..],
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn data_follow_values_or_the_format_and_one_line_end() {
    assert_eq!(data("INSERT INTO t VALUES (1), (2)"), " (1), (2)");
    assert_eq!(data("insert into t (a, b) format CSV\n1,2\n"), "1,2\n");
    assert_eq!(data("INSERT INTO t FORMAT RowBinary \r\n\n\x01"), "\n\x01");
    assert_eq!(data("INSERT INTO t FORMAT JSONEachRow {\"a\":1}"), "{\"a\":1}");
    assert_eq!(
        data("/* VALUES */ INSERT INTO db.t -- FORMAT x\n SETTINGS a = 'FORMAT x' FORMAT CSV\n7"),
        "7"
    );
    assert_eq!(data("INSERT INTO FUNCTION null('x Int') FORMAT CSV\n7"), "7");
    assert_eq!(data("INSERT INTO TABLE {t:Identifier} FORMAT CSV\n7"), "7");
    assert_eq!(data("INSERT INTO t FORMAT Native"), "");
}

#[test]
fn a_table_may_be_called_format_or_values() {
    assert_eq!(data("INSERT INTO format FORMAT CSV\n7"), "7");
    assert_eq!(data("INSERT INTO db.values (`format`) VALUES (7)"), " (7)");
}

#[test]
fn other_statements_are_statements_to_their_end() {
    for text in
        ["SELECT 1 FORMAT CSV", "INSERT INTO t SELECT 1 FORMAT CSV", "INSERT INTO t (a) WITH 1 AS x SELECT x"]
    {
        assert_eq!(split(text.as_bytes(), true), Split::Statement, "{text}");
        assert_eq!(split(format!("{text}\n").as_bytes(), true), Split::Statement, "{text}");
    }
    assert_eq!(split(b"SELECT ", false), Split::Statement);
}

#[test]
fn an_unfinished_head_asks_for_more() {
    let text = b"INSERT INTO t (a) FORMAT RowBinaryWithNames\n\x01";
    let whole = text.len() - 1;
    for end in 0..text.len() {
        let expected = if end >= whole { Split::Data(whole) } else { Split::Unknown };
        assert_eq!(split(&text[..end], false), expected, "{end}");
    }
    assert_eq!(split(b"INSERT INTO t (a, 'b", false), Split::Unknown);
    assert_eq!(split(b"/* INSERT", false), Split::Unknown);
}

#[test]
fn infile_stands_before_settings_and_format() {
    let plain = Formatted::new("INSERT INTO t (a) FORMAT CSV".to_owned());
    assert_eq!(
        plain.taking_infile("/x/y"),
        "INSERT INTO t (a)  FROM INFILE '/x/y' COMPRESSION 'none' FORMAT CSV"
    );
    let settings = Formatted::new("INSERT INTO `SETTINGS` SETTINGS x = 1 FORMAT CSV".to_owned());
    assert_eq!(
        settings.taking_infile("/x"),
        "INSERT INTO `SETTINGS`  FROM INFILE '/x' COMPRESSION 'none' SETTINGS x = 1 FORMAT CSV"
    );
}

#[test]
fn formatted_statements_tell_keyword_format_and_words() {
    let statement =
        Formatted::new("SELECT 'SET ROLE x', (SELECT 1 FORMAT) FROM t FORMAT JSON SETTINGS a = 1".to_owned());
    assert_eq!((statement.keyword.as_str(), statement.format.as_deref()), ("SELECT", Some("JSON")));
    assert!(!statement.has(&["SET", "ROLE"]) && statement.only_reads());
    let hidden = Formatted::new("SELECT 1 PARALLEL WITH SET ROLE x".to_owned());
    assert!(hidden.has(&["SET", "ROLE"]) && !hidden.only_reads());
}

#[test]
fn quoting_is_undone_by_no_quote() {
    assert_eq!(quote(r"a'b\"), r"'a\'b\\'");
    assert_eq!(quote_name("a`b"), r"`a\`b`");
    assert_eq!(escape_parameter("a\tb\\\n"), r"a\tb\\\n");
}

#[test]
fn engines_are_found_in_statements_that_make_something() {
    let engines = |sql: &str| Formatted::new(sql.to_owned()).engines;
    assert_eq!(engines("CREATE TABLE t (`a` Int) ENGINE = MergeTree ORDER BY a"), ["MergeTree"]);
    assert_eq!(engines("ATTACH TABLE t (`a` Int) ENGINE = `File`('CSV', 'x')"), ["`File`"]);
    assert!(engines("SELECT name FROM x WHERE ENGINE = File").is_empty());
}
