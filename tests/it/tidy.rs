//! The house keeps itself: who may import whom, file sizes, module comments, no float near data.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which of our packages each may import (`services/README.md` draws it). A new edge is a change of architecture.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("market", &[]),
    ("journal", &[]),
    ("process", &[]),
    ("broker", &["market"]),
    ("bus", &["market"]),
    ("store", &["market"]),
    ("cell", &["market", "broker", "journal", "bus", "process"]),
    ("history", &["market", "broker", "bus", "store", "process"]),
    ("kis-service", &["market", "broker", "cell", "process"]),
    ("us-service", &["market", "broker", "cell", "process"]),
    ("kiwoom-service", &["market", "broker", "cell", "process"]),
    ("archiver", &["market", "bus", "store", "process"]),
    ("gap-finder", &["market", "bus", "store", "history", "process"]),
    ("gateway", &["market", "bus", "store", "process"]),
    ("market-guard", &["market", "process"]),
    ("simulator", &["journal", "process"]),
    ("clickhouse-embedded", &["process"]),
    ("sise", &["market", "broker", "journal", "bus", "store", "cell", "history", "process"]),
    ("bench", &["market", "broker", "journal", "bus", "store", "cell", "process"]),
];

/// Packages between the socket and the column: no float may exist in them.
const WITHOUT_FLOAT: &[&str] =
    &["market", "broker", "journal", "bus", "store", "cell", "history", "archiver", "gateway"];

const MOST_LINES: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("workspace").to_owned()
}

fn members() -> Vec<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let list = manifest.split_once("members = [").expect("members").1.split_once(']').expect("end").0;
    list.split('"').skip(1).step_by(2).map(ToOwned::to_owned).collect()
}

/// Names that stand before `.workspace` or ` =` in `[dependencies]`; development ones are the tests' own matter.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let Some((_, rest)) = manifest.split_once("\n[dependencies]") else { return BTreeSet::new() };
    let section = rest.split("\n[").next().unwrap_or_default();
    section.lines().filter_map(|line| line.split(['.', ' ', '=']).next()).map(ToOwned::to_owned).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            if !path.ends_with("generated") && !path.ends_with("target") {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for member in members() {
        sources(&root().join(member), &mut found);
    }
    assert!(found.len() > 50, "only {} files found", found.len());
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(&path).expect("source"))).collect()
}

#[test]
fn imports_keep_to_the_table() {
    let table: BTreeMap<_, _> = MAY_IMPORT.iter().copied().collect();
    for member in members().iter().filter(|member| *member != "tests") {
        let name = member.rsplit('/').next().expect("name");
        let allowed = table.get(name).unwrap_or_else(|| panic!("{name} is not in the import table"));
        let manifest = fs::read_to_string(root().join(member).join("Cargo.toml")).expect("manifest");
        for dependency in dependencies(&manifest) {
            let ours = table.contains_key(dependency.as_str());
            assert!(!ours || allowed.contains(&dependency.as_str()), "{name} may not import {dependency}");
        }
    }
}

#[test]
fn files_can_be_held_in_the_head() {
    for (path, text) in all_sources() {
        let lines = text.lines().count();
        assert!(
            lines <= MOST_LINES,
            "{} has {lines} lines, more than {MOST_LINES}: split it",
            path.display()
        );
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    let sources = all_sources();
    let silent: Vec<_> =
        sources.iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "without a module comment at their head: {silent:#?}");
}

#[test]
fn no_float_between_socket_and_column() {
    for (path, text) in all_sources() {
        let parts: Vec<_> = path.components().map(|part| part.as_os_str()).collect();
        let of = parts.windows(2).rfind(|pair| pair[1] == "src").map(|pair| pair[0]);
        if !WITHOUT_FLOAT.iter().any(|name| of == Some(name.as_ref())) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let float = ["f32", "f64"].iter().any(|word| {
                code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|token| token == *word)
            });
            // A duration for a histogram is no price.
            assert!(!float || code.contains("as_secs_f64"), "{}:{}: a float", path.display(), number + 1);
        }
    }
}

/// Columns that only the archive has.
const OF_THE_ARCHIVE: &[&str] = &["stream", "epoch", "stream_sequence", "event_id"];
/// Columns that in Rust are the levels of `asks` and `bids`.
const LEVELS: &[&str] = &["ask_prices", "ask_quantities", "bid_prices", "bid_quantities"];

fn columns(file: &str) -> Vec<String> {
    let sql = fs::read_to_string(root().join("clickhouse").join(file)).expect("sql");
    let body = sql.split_once("\n(\n").expect("columns").1.split_once("\n)\n").expect("end").0;
    names(body)
}

/// Columns that a file adds to a table.
fn added_columns(file: &str) -> Vec<String> {
    let sql = fs::read_to_string(root().join("clickhouse").join(file)).expect("sql");
    let added = sql.lines().filter_map(|line| line.trim().strip_prefix("ADD COLUMN IF NOT EXISTS "));
    names(&added.collect::<Vec<_>>().join("\n"))
}

fn names(body: &str) -> Vec<String> {
    let names = body.lines().filter_map(|line| line.trim().split(' ').next());
    names.filter(|name| !name.is_empty() && !matches!(*name, "--" | "INDEX")).map(ToOwned::to_owned).collect()
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect()
}

#[test]
fn one_spelling_in_rust_protobuf_and_sql() {
    let mut proto = String::new();
    for entry in fs::read_dir(root().join("proto/sise/v1")).expect("proto") {
        proto.push_str(&fs::read_to_string(entry.expect("entry").path()).expect("proto"));
    }
    let market: String = ["event", "trade", "book", "status", "recovery"]
        .iter()
        .map(|file| {
            fs::read_to_string(root().join(format!("services/lib/market/src/{file}.rs"))).expect("market")
        })
        .collect();
    let (proto, market) = (words(&proto), words(&market));
    for (file, columns, least) in [
        ("001_trades.sql", columns("001_trades.sql"), 20),
        ("002_order_books.sql", columns("002_order_books.sql"), 20),
        ("008_feed_status.sql", columns("008_feed_status.sql"), 20),
        ("014_feed_status_volume.sql", added_columns("014_feed_status_volume.sql"), 13),
    ] {
        assert!(columns.len() >= least, "{file}: {columns:?}");
        for column in columns.iter().map(String::as_str).filter(|column| !OF_THE_ARCHIVE.contains(column)) {
            assert!(proto.contains(column), "{file}: {column} is spelled otherwise in proto/");
            assert!(LEVELS.contains(&column) || market.contains(column), "{file}: {column} is not in market");
        }
    }
}
