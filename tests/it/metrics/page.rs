//! `docs/metrics.md`, the sources, the alert rules and the dashboard → which metrics each of them speaks of.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::support::root;

/// A row of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// The names of its labels.
    pub labels: BTreeSet<String>,
    /// Whether it is there from the start.
    pub from_start: bool,
}

/// The rows of `docs/metrics.md` by their names.
pub fn page() -> BTreeMap<String, Row> {
    let text = fs::read_to_string(root().join("docs/metrics.md")).expect("page");
    let mut rows = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `sise_")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, _unit, from, meaning] = cells[..] else { panic!("six columns: {line}") };
        let plain = |text: &str| text.trim_matches('`').to_owned();
        assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
        assert!(["start", "first"].contains(&from) && !meaning.is_empty(), "{line}");
        let labels = labels.split(", ").filter(|label| !label.is_empty()).map(plain).collect();
        let row = Row { kind: kind.to_owned(), labels, from_start: from == "start" };
        assert!(rows.insert(plain(name), row).is_none(), "stands there twice: {line}");
    }
    assert!(rows.len() > 50, "only {} rows found", rows.len());
    rows
}

/// The metric that a series of it belongs to: a histogram has three kinds of series.
pub fn metric(series: &str, page: &BTreeMap<String, Row>) -> String {
    let mut of = ["_bucket", "_sum", "_count"].iter().filter_map(|end| series.strip_suffix(end));
    let histogram = of.find(|name| page.get(*name).is_some_and(|row| row.kind == "histogram"));
    histogram.unwrap_or(series).to_owned()
}

/// Names of metrics in an expression or a source.
pub fn names(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !word(c)).filter(|name| name.starts_with("sise_")).map(ToOwned::to_owned).collect()
}

/// The metrics of an expression with the labels that it chooses by.
pub fn chosen(expression: &str) -> Vec<(String, BTreeSet<String>)> {
    let mut found = Vec::new();
    for (at, _) in expression.match_indices("sise_") {
        let rest = &expression[at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let labels =
            rest[end..].strip_prefix('{').and_then(|rest| rest.split_once('}')).map(|(inside, _)| inside);
        let names =
            labels.unwrap_or_default().split(',').filter_map(|choice| choice.split(['=', '!']).next());
        let names = names.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        found.push((rest[..end].to_owned(), names.collect()));
    }
    found
}

/// What the sources count, and what their files `figures.rs` tell of.
pub fn sources() -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut counted, mut told) = (BTreeSet::new(), BTreeSet::new());
    let mut files = Vec::new();
    rust_files(&root().join("services"), &mut files);
    assert!(files.len() > 100, "only {} files found", files.len());
    for path in files.iter().filter(|path| path.components().any(|part| part.as_os_str() == "src")) {
        let text = fs::read_to_string(path).expect("source");
        // Tests stand at the end, and count what is none of ours.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let code = code
            .lines()
            .map(|line| line.split("//").next().unwrap_or_default())
            .collect::<Vec<_>>()
            .join("\n");
        let behind = code.match_indices("\"sise_").filter_map(|(at, _)| code[at + 1..].split('"').next());
        let literals = behind.filter(|text| is_metric(text)).map(ToOwned::to_owned);
        if path.ends_with("figures.rs") {
            told.extend(literals);
        } else if path.ends_with("process/src/metrics.rs") {
            let literals: Vec<String> = literals.collect();
            told.extend(literals.iter().cloned());
            counted.extend(literals);
        } else {
            counted.extend(literals);
        }
    }
    (counted, told)
}

/// Packages that count.
const PACKAGES: [&str; 9] = [
    "process",
    "cell",
    "broker",
    "bus",
    "archiver",
    "gap_finder",
    "history",
    "gateway",
    "clickhouse_embedded",
];

fn is_metric(text: &str) -> bool {
    let of = |package: &&str| {
        text.strip_prefix("sise_").is_some_and(|rest| rest.starts_with(&format!("{package}_")))
    };
    text.chars().all(|c| c.is_ascii_lowercase() || c == '_') && PACKAGES.iter().any(of)
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            if !path.ends_with("node_modules") && !path.ends_with("target") {
                rust_files(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// `config/observe/alerts.yml`.
#[derive(Debug, Deserialize)]
pub struct Rules {
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

/// An alert rule.
#[derive(Debug, Clone, Deserialize)]
pub struct Rule {
    /// Its name.
    pub alert: String,
    /// When it fires.
    pub expr: String,
    /// Its severity.
    pub labels: BTreeMap<String, String>,
    /// For people.
    pub annotations: BTreeMap<String, String>,
}

impl Rule {
    /// The heading of its section in the operations page, as an address: `#alert-feed-dead`.
    pub fn anchor(&self) -> String {
        let mut anchor = "#alert".to_owned();
        for letter in self.alert.chars() {
            if letter.is_ascii_uppercase() {
                anchor.push('-');
            }
            anchor.push(letter.to_ascii_lowercase());
        }
        anchor
    }
}

/// The alert rules.
pub fn rules() -> Vec<Rule> {
    let text = fs::read_to_string(root().join("config/observe/alerts.yml")).expect("alerts");
    let rules: Rules = serde_saphyr::from_str(&text).expect("rules");
    rules.groups.into_iter().flat_map(|group| group.rules).collect()
}

/// The expressions of the dashboard.
pub fn dashboard() -> Vec<String> {
    let text = fs::read_to_string(root().join("config/observe/dashboard.json")).expect("dashboard");
    let dashboard: serde_json::Value = serde_json::from_str(&text).expect("json");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array()).flatten();
    let expressions: Vec<String> =
        targets.map(|target| target["expr"].as_str().expect("expr").to_owned()).collect();
    assert!(expressions.len() > 30, "only {} expressions", expressions.len());
    expressions
}
