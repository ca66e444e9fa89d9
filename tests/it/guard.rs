//! `scripts/preflight_check.sh` on a running system, and `scripts/deploy` with a Docker that only writes down what it is told.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::{Stack, root, until};

/// Saturday noon in Seoul: every market is closed until Monday.
const QUIET: &str = "2026-11-21T12:00:00+09:00";
/// Tuesday, the regular session of Korea.
const OPEN: &str = "2026-11-24T10:00:00+09:00";

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The preflight with the environment of a stack, the programs in PATH.
fn preflight(stack: &Stack, variables: &[(&str, &str)], arguments: &[&str]) -> (i32, String) {
    let mut command = stack.command("sise");
    let folder = Path::new(command.get_program()).parent().expect("folder").to_owned();
    let path = std::env::var("PATH").expect("PATH");
    let environment: Vec<_> =
        command.get_envs().map(|(k, v)| (k.to_owned(), v.map(ToOwned::to_owned))).collect();
    command = Command::new(root().join("scripts/preflight_check.sh"));
    command.envs(environment.into_iter().filter_map(|(name, value)| Some((name, value?))));
    command.env("PATH", format!("{}:{path}", folder.display())).env("SISE_DEPLOY", "bare");
    command.env("SISE_PREFLIGHT_FOLDERS", stack.folder.path()).env("SISE_PREFLIGHT_FREE", "0");
    command.env("SISE__MARKET_GUARD__LOG", stack.folder.path().join("overrides.jsonl"));
    command.envs(variables.iter().copied());
    let output = command.args(arguments).output().expect("preflight");
    (output.status.code().expect("code"), said(&output))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_begins_only_when_markets_are_quiet_and_everything_is_well() {
    let mut stack = Stack::new(500, false);
    stack.start_servers().await;
    let quiet = ["--at", QUIET];
    let (code, told) = preflight(&stack, &[], &quiet);
    assert_eq!(code, 0, "{told}");
    for line in [
        "ok    disk",
        "ok    tables: as this version needs",
        "ok    streams: as this version needs",
        "ok    lag: 0 messages",
        "preflight: go",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }

    // In market hours nothing else is looked at; a reason overrules that and leaves a trace.
    let (code, told) = preflight(&stack, &[], &["--at", OPEN]);
    assert!(code == 1 && told.contains("kr is regular") && !told.contains("disk"), "{code}: {told}");
    let (code, told) = preflight(&stack, &[], &["--at", OPEN, "--force", "a key was leaked"]);
    assert!(code == 0 && told.contains("forced: a key was leaked"), "{code}: {told}");
    let trace = std::fs::read_to_string(stack.folder.path().join("overrides.jsonl")).expect("trace");
    assert_eq!(trace.lines().count(), 1, "{trace}");
    let (code, told) = preflight(&stack, &[], &["--at", "2028-03-01T12:00:00Z"]);
    assert!(code == 1 && told.contains("outside the calendar"), "{code}: {told}");

    // A disk that is too full, tables of another version, servers that do not answer.
    let (code, told) = preflight(&stack, &[("SISE_PREFLIGHT_FREE", "101")], &quiet);
    assert!(code == 3 && told.contains("FAIL  disk"), "{code}: {told}");
    stack
        .ask("ALTER TABLE migrations DELETE WHERE number = 23 SETTINGS mutations_sync = 2")
        .await
        .expect("deleted");
    let (code, told) = preflight(&stack, &[], &quiet);
    assert!(
        code == 0 && told.contains("to be changed by the deployment") && told.contains("pending 023_latency"),
        "{code}: {told}"
    );
    stack
        .ask("INSERT INTO migrations (number, name, checksum) VALUES (999, 'later', 1)")
        .await
        .expect("inserted");
    let (code, told) = preflight(&stack, &[], &quiet);
    assert!(code == 3 && told.contains("FAIL  tables") && told.contains("later"), "{code}: {told}");
    stack.kill("nats");
    let (code, told) = preflight(&stack, &[], &quiet);
    assert!(code == 3 && told.contains("FAIL  streams") && told.contains("FAIL  lag"), "{code}: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_to_be_archived_is_a_reason_to_wait() {
    let mut stack = Stack::new(2_000, false);
    stack.start_servers().await;
    stack.start_simulator().await;
    stack.start("kis-service");
    let lag = async || preflight(&stack, &[("SISE_PREFLIGHT_LAG", "100")], &["--at", QUIET]);
    until("messages without an archiver", async || {
        let (code, told) = lag().await;
        code == 3 && told.contains("messages wait to be archived, at most 100 may")
    })
    .await;
}

/// A `docker` that writes down what it is told and answers as the files beside it say: `guard` holds the exit code of the
/// guard, `unhealthy` the name of a service that does not get healthy with a new image.
const DOCKER: &str = r#"#!/bin/bash
here=$(dirname "$0")
said="$*"
echo "${SISE_IMAGE:-new} $said" >> "$here/told"
case "$said" in
  "compose version"*) exit 0 ;;
  *"run --rm"*"market-guard check"*) echo "guard asked"; exit "$(cat "$here/guard")" ;;
  *"run --rm"*"sise migrate --check"*) exit 0 ;;
  *"run --rm"*"sise streams diff"*) exit 0 ;;
  info*) echo / ;;
  *" ps -q us-service") ;;
  *" ps -q "*) echo "id-${said##* }" ;;
  "inspect --format {{.Image}}"*) echo "old-image" ;;
  inspect*) service=${said##*id-}
    if [ "$(cat "$here/unhealthy" 2>/dev/null)" = "$service" ] && ! grep -q "^old-image .*up -d .*$service" "$here/told"; then echo "starting 1"; else echo "healthy 0"; fi ;;
esac
"#;

struct Docker {
    folder: tempfile::TempDir,
}

impl Docker {
    fn new(guard: &str, unhealthy: &str) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let program = folder.path().join("docker");
        std::fs::write(&program, DOCKER).expect("program");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("mode");
        std::fs::write(folder.path().join("guard"), guard).expect("file");
        std::fs::write(folder.path().join("unhealthy"), unhealthy).expect("file");
        // The lag is asked of the bus over HTTP.
        std::fs::write(folder.path().join("curl"), "#!/bin/sh\necho '{\"account_details\":[{\"stream_detail\":[{\"consumer_detail\":[{\"name\":\"archiver\",\"num_pending\":3,\"num_ack_pending\":0}]}]}]}'\n").expect("curl");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path().join("curl"), mode).expect("mode");
        Self { folder }
    }

    /// Runs scripts/deploy; its exit code, what it said, and what Docker was told to start.
    fn deploy(&self, arguments: &[&str]) -> (i32, String, Vec<String>) {
        let path = std::env::var("PATH").expect("PATH");
        let mut command = Command::new(root().join("scripts/deploy"));
        command.env("PATH", format!("{}:{path}", self.folder.path().display())).env("SISE_DEPLOY_PAUSE", "0");
        command.env("SISE_PREFLIGHT_FREE", "0").env_remove("SISE_IMAGE").env_remove("COMPOSE_ARGUMENTS");
        let output = command.args(arguments).output().expect("deploy");
        let told = std::fs::read_to_string(self.folder.path().join("told")).unwrap_or_default();
        let started = told.lines().filter(|line| line.contains(" up -d "));
        let started = started.map(|line| {
            let image = line.split(' ').next().unwrap_or_default();
            format!("{image} {}", line.rsplit(' ').next().unwrap_or_default())
        });
        (output.status.code().expect("code"), said(&output), started.collect())
    }
}

#[test]
fn services_are_replaced_one_after_another() {
    let (code, told, started) = Docker::new("0", "").deploy(&[]);
    assert_eq!(code, 0, "{told}");
    let expected = ["new archiver", "new gap-finder", "new gateway", "new kiwoom-service", "new kis-service"];
    assert_eq!(started, expected, "{told}");
    assert!(told.contains("us-service does not run here: left out"), "{told}");
    let (code, told, started) = Docker::new("0", "").deploy(&["gateway"]);
    assert_eq!((code, started), (0, vec!["new gateway".to_owned()]), "{told}");
}

#[test]
fn in_market_hours_nothing_is_touched() {
    for guard in ["1", "2"] {
        let docker = Docker::new(guard, "");
        let (code, told, started) = docker.deploy(&[]);
        assert_eq!((code.to_string().as_str(), started.len()), (guard, 0), "{told}");
        assert!(told.contains("refused by the preflight"), "{told}");
        let orders = std::fs::read_to_string(docker.folder.path().join("told")).expect("told");
        assert!(!orders.contains("sise streams apply") && !orders.contains("sise migrate"), "{orders}");
    }
    let (code, told, started) = Docker::new("0", "").deploy(&["no-service"]);
    assert_eq!((code, started.len()), (2, 0), "{told}");
}

#[test]
fn a_service_that_does_not_get_healthy_is_put_back_and_ends_it() {
    let (code, told, started) = Docker::new("0", "gateway").deploy(&[]);
    assert_eq!(code, 4, "{told}");
    assert_eq!(started, ["new archiver", "new gap-finder", "new gateway", "old-image gateway"], "{told}");
    assert!(told.contains("gateway runs as before; nothing after it was touched"), "{told}");
}
