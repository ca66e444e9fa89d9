//! Frames as they are split into rows, whole and damaged.

use super::*;

fn rows(text: &str) -> Vec<Result<Row<'_>, String>> {
    split(text).expect("frame").expect("rows").into_iter().map(Row::read).collect()
}

fn row(text: &str) -> Row<'_> {
    let mut rows = rows(text);
    assert_eq!(rows.len(), 1);
    rows.remove(0).expect("row")
}

fn text(row: &Row<'_>, fid: u16) -> Option<String> {
    row.text(fid).expect("text").map(str::to_owned)
}

#[test]
fn rows_keep_their_order_and_a_bad_one_stands_alone() {
    let frame = r#"{"data":[{"values":{"10":"+1"},"type":"0B","item":"A"},7,{"type":"0D","item":"B_NX","values":{}},
        {"item":"C","values":{}},{"type":"0s","item":null,"values":null}],"trnm":"REAL"}"#;
    let rows = rows(frame);
    let codes: Vec<_> = rows.iter().map(|row| row.as_ref().map(|row| row.kind.code).ok()).collect();
    assert_eq!(codes, [Some("0B"), None, Some("0D"), None, Some("0s")]);
    assert_eq!(rows[2].as_ref().map(|row| row.item.as_ref()), Ok("B_NX"));
    assert!(rows[3].as_ref().is_err_and(|problem| problem.contains("without a type")));
}

#[test]
fn a_fid_has_one_spelling_and_one_value() {
    let frame = |values: &str| {
        format!(r#"{{"trnm":"REAL","data":[{{"type":"0B","item":"1","values":{{{values}}}}}]}}"#)
    };
    let once = frame(r#""010":"1","+10":"2"," 10":"3","1O":"4","99910":"5","65546":"6","00000000010":"7""#);
    assert_eq!(text(&row(&once), 10), None);
    let same = frame(r#""10":"5","10":"5""#);
    assert_eq!(text(&row(&same), 10).as_deref(), Some("5"));
    let other = frame(r#""10":"5","20":"1","10":"6""#);
    assert!(rows(&other)[0].as_ref().is_err_and(|problem| problem.contains("FID 10")));
    for twice in [r#"{"type":"0B","type":"0D","item":"1"}"#, r#"{"type":"0B","item":"1","item":"2"}"#] {
        let frame = format!(r#"{{"trnm":"REAL","data":[{twice}]}}"#);
        assert!(rows(&frame)[0].as_ref().is_err_and(|problem| problem.contains("twice")), "{twice}");
    }
}

#[test]
fn empty_texts_are_missing_and_escapes_are_read() {
    let frame = r#"{"trnm":"REAL","data":[{"typ\u0065":"0\u0042","item":"\u0041B","values":{
        "10":"","13":"  ","14":null,"15":" +8 ","\u0032\u0030":"\u0031\u003051\u00301","27":-5,"28":["x"],"290":{"a":1}}}]}"#;
    let row = row(frame);
    assert_eq!((row.kind.code, row.item.as_ref()), ("0B", "AB"));
    for missing in [10, 13, 14, 16] {
        assert_eq!(text(&row, missing), None, "{missing}");
    }
    assert_eq!(text(&row, 15).as_deref(), Some("+8"));
    assert_eq!(text(&row, 20).as_deref(), Some("105101"));
    assert_eq!(text(&row, 27).as_deref(), Some("-5"));
    assert_eq!((row.text(28), row.text(290)), (Err(NoText), Err(NoText)));
}

#[test]
fn other_shapes_are_tolerated_and_told() {
    let shapes = [
        (r#""values":{"10":"7"}"#, None),
        (r#""values":[{"20":"1"},{"10":"7"}]"#, Some("values_list")),
        (r#""10":"7","values":null"#, Some("fields_in_row")),
    ];
    for (shape, tolerated) in shapes {
        let frame = format!(r#"{{"trnm":"REAL","data":[{{"type":"0B","item":"1",{shape}}}]}}"#);
        let row = row(&frame);
        assert_eq!((text(&row, 10).as_deref(), row.tolerated), (Some("7"), tolerated), "{shape}");
    }
    // Two answers to one question.
    let frame = r#"{"trnm":"REAL","data":[{"type":"0B","item":"1","values":[{"10":"7"},{"10":"8"}]}]}"#;
    assert!(rows(frame)[0].is_err());
}

#[test]
fn fids_beyond_the_documents_are_counted() {
    let frame = r#"{"trnm":"REAL","data":[{"type":"0B","item":"1","values":{"10":"7","9081":"1","9999":"1","620":"2"}}]}"#;
    let row = row(frame);
    assert_eq!((row.width, row.unknown), (4, 1));
}

#[test]
fn what_is_no_data_is_refused_as_a_whole() {
    for (text, reason) in [
        ("", "not_object"),
        ("005930^090000", "not_object"),
        (r#"["REAL",[]]"#, "not_object"),
        ("<html>Request Blocked</html>", "not_object"),
        (r#"{"trnm":"REAL""#, "json"),
        (r#"{"trnm":"REAL","data":[]} x"#, "json"),
        (r#"{"trnm":"REAL","data":{}}"#, "json"),
        (r#"{"trnm":"REAL","trnm":"REAL","data":[]}"#, "json"),
        (r#"{"trnm":"REAL"}"#, "no_data"),
        (r#"{"trnm":"REAL","data":null}"#, "no_data"),
        (r#"{"data":[]}"#, "trnm"),
        (r#"{"trnm":"real","data":[]}"#, "trnm"),
    ] {
        assert_eq!(split(text).expect_err("refused").reason, reason, "{text}");
    }
    assert!(split(r#"{"trnm":"REAL","data":[]}"#).expect("frame").is_some_and(|rows| rows.is_empty()));
    assert!(split(r#"{"trnm":"PING"}"#).expect("control").is_none());
}
