//! Metrics: the page, the sources, the alert rules and the dashboard say the same; each rule fires for its cause and for
//! nothing else; running services have what the page says.
//!
//! With a real Prometheus where there is one (`scripts/lib/prometheus.sh` takes Debian's).

mod causes;
mod live;
mod page;
mod prometheus;
mod services;

use std::collections::BTreeSet;
use std::process::Command;

use crate::support::root;
use page::{chosen, dashboard, metric, names, page, rules, sources};

#[test]
fn what_is_counted_is_told_of_and_stands_on_the_page() {
    let (counted, told) = sources();
    let page: BTreeSet<String> = page().into_keys().collect();
    let silent: Vec<_> = counted.difference(&told).collect();
    assert!(silent.is_empty(), "counted, and no figures.rs tells of it: {silent:?}");
    let unused: Vec<_> = told.difference(&counted).filter(|name| *name != "sise_process_info").collect();
    assert!(unused.is_empty(), "told of, and nothing counts it: {unused:?}");
    let unlisted: Vec<_> = told.difference(&page).collect();
    assert!(unlisted.is_empty(), "not in docs/metrics.md: {unlisted:?}");
    let gone: Vec<_> = page.difference(&told).collect();
    assert!(gone.is_empty(), "in docs/metrics.md, and nobody has it: {gone:?}");
}

#[test]
fn names_say_their_unit() {
    for (name, row) in page() {
        assert_eq!(name.ends_with("_total"), row.kind == "counter", "{name}");
        assert!(row.kind != "histogram" || name.ends_with("_seconds"), "{name}");
        let of_symbols = row
            .labels
            .iter()
            .find(|label| ["symbol", "instrument", "code_of_symbol"].contains(&label.as_str()));
        assert_eq!(of_symbols, None, "{name} has as many series as there are symbols");
    }
}

/// Labels that Prometheus adds.
const ADDED: [&str; 4] = ["service", "job", "instance", "le"];

#[test]
fn alerts_and_dashboard_speak_of_what_is_on_the_page() {
    let page = page();
    let rules = rules();
    let of_rules = rules.iter().map(|rule| rule.expr.clone());
    for expression in of_rules.clone().chain(dashboard()) {
        for (series, labels) in chosen(&expression) {
            let name = metric(&series, &page);
            let row = page.get(&name).unwrap_or_else(|| panic!("{name} is not on the page: {expression}"));
            let unknown: Vec<_> = labels
                .iter()
                .filter(|label| !row.labels.contains(*label) && !ADDED.contains(&label.as_str()))
                .collect();
            assert!(unknown.is_empty(), "{name} has no labels {unknown:?}: {expression}");
        }
    }
    // A rise from nothing is none: what an alert waits for has to be there before it happens.
    for expression in of_rules {
        for name in names(&expression).iter().map(|series| metric(series, &page)) {
            let row = &page[&name];
            assert!(
                row.kind != "counter" || row.from_start,
                "{name} is not there from the start: {expression}"
            );
        }
    }
}

#[test]
fn each_alert_has_its_section_in_the_operations_page() {
    let text = std::fs::read_to_string(root().join("docs/operations.md")).expect("docs/operations.md");
    let headings: BTreeSet<String> = text
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"))
        .map(|heading| heading.chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_').collect())
        .collect();
    for rule in rules() {
        for annotation in ["summary", "description"] {
            assert!(rule.annotations.get(annotation).is_some_and(|text| !text.is_empty()), "{}", rule.alert);
        }
        assert!(["critical", "warning"].contains(&rule.labels["severity"].as_str()), "{}", rule.alert);
        let anchor = rule.anchor();
        assert_eq!(rule.annotations["runbook"], format!("docs/operations.md{anchor}"));
        let heading = anchor.trim_start_matches('#');
        let explicit = text.contains(&format!("id=\"{heading}\""));
        assert!(explicit || headings.contains(heading), "docs/operations.md has no heading {anchor}");
    }
}

#[test]
fn each_rule_is_silent_before_its_cause_and_fires_after_it() {
    let Some(promtool) = prometheus::program("SISE_PROMTOOL", "promtool") else { return };
    let test = |what: [&str; 3]| {
        let output = Command::new(&promtool).current_dir(root()).args(what).output().expect("promtool");
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}");
        println!("{said}");
    };
    test(["check", "config", "config/observe/prometheus.yml"]);
    test(["check", "config", "config/observe/prometheus.loopback.yml"]);
    test(["test", "rules", "config/observe/alerts_test.yml"]);
    // And all of them are among the tests, silent once and firing once.
    let tests = std::fs::read_to_string(root().join("config/observe/alerts_test.yml")).expect("tests");
    for rule in rules() {
        let silent = format!("{{alertname: {}, eval_time: ", rule.alert);
        let fires = format!("- alertname: {}\n", rule.alert);
        assert!(tests.contains(&silent) && tests.contains(&fires), "{} is not tested", rule.alert);
    }
}
