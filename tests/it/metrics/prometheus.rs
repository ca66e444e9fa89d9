//! A real Prometheus that reads the services of a stack and judges the rules of the repository, faster than in earnest.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::{Stack, root, until};

/// The program of an environment variable, or of the path. Where there is none the test says so, loudly.
pub fn program(variable: &str, name: &str) -> Option<PathBuf> {
    let set = std::env::var_os(variable).map(PathBuf::from);
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found =
        set.or_else(|| std::env::split_paths(&paths).map(|path| path.join(name)).find(|path| path.is_file()));
    if found.is_none() {
        println!("NOT TESTED: no {name} (scripts/lib/prometheus.sh installs Debian's; or set {variable})");
    }
    found
}

/// How often is looked, in place of ten seconds.
const EVERY: &str = "2s";

/// What takes the place of the minutes of the rules.
pub struct Pace {
    /// How long a cause has to last.
    pub hold: &'static str,
    /// How far back a rise counts; none = as in the rules.
    pub range: Option<&'static str>,
}

/// All is over soon, and a busy machine may fail to answer for some seconds.
pub const SHORT: Pace = Pace { hold: "15s", range: Some("20s") };

/// The rules at a pace; each of `thresholds` replaces what stands once in the expression of an alert.
fn faster(rules: &str, pace: &Pace, thresholds: &[(&str, &str, &str)]) -> String {
    let mut alert = String::new();
    let mut replaced = BTreeSet::new();
    let mut out = Vec::new();
    for line in rules.lines() {
        let mut line = line.to_owned();
        if let Some((_, name)) = line.split_once("- alert: ") {
            alert = name.to_owned();
        }
        if let Some((before, _)) = line.split_once("for: ") {
            line = format!("{before}for: {}", pace.hold);
        }
        for (of, from, to) in thresholds.iter().filter(|(of, ..)| *of == alert) {
            if line.trim_start().starts_with("expr:") {
                assert_eq!(line.matches(from).count(), 1, "{of}: {line}");
                line = line.replace(from, to);
                replaced.insert(*of);
            }
        }
        out.push(pace.range.map_or_else(|| line.clone(), |range| shorter(&line, range)));
    }
    assert_eq!(replaced.len(), thresholds.len());
    out.join("\n")
}

/// Ranges such as `[5m]` become short.
fn shorter(line: &str, short: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, behind)) = rest.split_once('[') {
        let (range, after) = behind.split_once(']').expect("the end of a range");
        assert!(range.ends_with(['m', 'h']), "{line}");
        out.push_str(&format!("{before}[{short}]"));
        rest = after;
    }
    out + rest
}

/// A Prometheus of its own.
pub struct Prometheus {
    address: SocketAddr,
    http: reqwest::Client,
}

impl Prometheus {
    /// Starts `program`, which reads `targets` (name and address of each service) and no other service.
    pub async fn start(
        stack: &mut Stack,
        program: PathBuf,
        targets: &[(&'static str, SocketAddr)],
        pace: &Pace,
        thresholds: &[(&str, &str, &str)],
    ) -> Self {
        let folder = stack.folder.path().join("prometheus");
        fs::create_dir(&folder).expect("folder");
        let observe = root().join("config/observe");
        let rules = fs::read_to_string(observe.join("alerts.yml")).expect("alerts");
        fs::write(folder.join("alerts.yml"), faster(&rules, pace, thresholds)).expect("alerts");
        let config = fs::read_to_string(observe.join("prometheus.loopback.yml")).expect("prometheus.yml");
        let mut lines = Vec::new();
        let mut seen = BTreeSet::new();
        for line in config.lines() {
            let line = match line.split_once(": ") {
                Some((key, _)) if key.trim().ends_with("_interval") => format!("{key}: {EVERY}"),
                Some((key, _)) if key.trim() == "scrape_timeout" => format!("{key}: {EVERY}"),
                _ => line.to_owned(),
            };
            if let Some(service) = line.trim().strip_prefix("labels: {service: ") {
                let service = service.trim_end_matches('}');
                lines.pop();
                let Some((_, address)) = targets.iter().find(|(name, _)| *name == service) else { continue };
                lines.push(format!("      - targets: [\"{address}\"]"));
                seen.insert(service.to_owned());
            }
            lines.push(line);
        }
        assert_eq!(seen.len(), targets.len(), "every service has a place in prometheus.loopback.yml");
        fs::write(folder.join("prometheus.yml"), lines.join("\n")).expect("prometheus.yml");
        let mut command = Command::new(program);
        command.current_dir(&folder).args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
        command.arg("--web.listen-address=127.0.0.1:0");
        stack.spawn("prometheus", command);
        let address = stack.address("prometheus", "msg=\"Listening on\" address=").await;
        // It listens before it can answer.
        let ready = format!("http://{address}/-/ready");
        let http = stack.http.clone();
        until("Prometheus is ready", async || {
            http.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        Self { address, http }
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let url = format!("http://{}/api/v1/{path}", self.address);
        let answer = self.http.get(url).query(query).send().await.expect("prometheus");
        let answer: Value = serde_json::from_str(&answer.text().await.expect("text")).expect("json");
        assert_eq!(answer["status"], "success", "{query:?}: {answer}");
        answer["data"].clone()
    }

    /// The series of an expression: their labels.
    pub async fn query(&self, expression: &str) -> Vec<Value> {
        let data = self.get("query", &[("query", expression)]).await;
        data["result"].as_array().expect("result").iter().map(|series| series["metric"].clone()).collect()
    }

    /// The alerts that have been firing at any time until now, each with its service.
    pub async fn ever_fired(&self) -> BTreeSet<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let series = self.query("max_over_time(ALERTS{alertstate=\"firing\"}[1h])").await;
        series.iter().map(|labels| (text(&labels["alertname"]), text(&labels["service"]))).collect()
    }

    /// The rules and what is wrong with each.
    pub async fn rules(&self) -> Vec<(String, String)> {
        let data = self.get("rules", &[]).await;
        let groups = data["groups"].as_array().expect("groups").iter();
        let rules = groups.flat_map(|group| group["rules"].as_array().expect("rules"));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        rules
            .map(|rule| {
                (text(&rule["name"]), format!("{}{}", text(&rule["health"]), text(&rule["lastError"])))
            })
            .collect()
    }
}
