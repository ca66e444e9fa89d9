//! `sise journal` beside the services that write the journals: what is archived is not published again.

use std::process::Output;

use crate::road::running;
use crate::support::{Stack, until};

const SERVICES: [&str; 3] = ["kis-service", "us-service", "kiwoom-service"];

/// The figure `name` of what a replay has told.
fn figure(told: &str, name: &str) -> u64 {
    let mut figures = told.split_whitespace().filter_map(|word| word.split_once('='));
    let text = figures.find_map(|(found, value)| (found == name).then_some(value));
    text.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no {name}: {told}"))
}

fn sise(stack: &Stack, arguments: &[&str]) -> Output {
    let output = stack.command("sise").args(arguments).output().expect("sise");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    output
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_beside_running_services_publishes_nothing_that_is_archived() {
    let stack = running(1_000, false).await;
    until("a thousand rows", async || stack.archived().await > 1_000).await;
    let said = stack.compare().await;
    assert!(said.contains("lost=0 duplicated=0"), "{said}");
    let rows = stack.archived().await;
    let mut parsed = 0;
    for service in SERVICES {
        let told = String::from_utf8(sise(&stack, &["journal", "replay", "--service", service]).stdout);
        let told = told.expect("text");
        assert!(figure(&told, "parsed") > 0, "{service}: {told}");
        assert_eq!(figure(&told, "already_archived"), figure(&told, "parsed"), "{service}: {told}");
        let others = ["repeated", "published", "still_refused", "damaged"].map(|name| figure(&told, name));
        assert_eq!(others, [0; 4], "{service}: {told}");
        parsed += figure(&told, "parsed");
    }
    // The journals hold every event of the tables, up to what each service has yet to acknowledge.
    assert!(parsed <= rows, "{parsed} of {rows}");
    let verified = sise(&stack, &["journal", "verify"]);
    assert_eq!(String::from_utf8_lossy(&verified.stdout).matches(" 0 damaged places").count(), 3);
    assert_eq!(stack.archived().await, rows);
    assert!(stack.compare_with(&[]).contains("lost=0 duplicated=0"));
}
