//! What is counted here, in words: for the help lines of `/metrics`. What can be counted is there from the start, at zero:
//! a first failure is a rise then, too.

use metrics::{counter, describe_counter};

/// Tells of all figures; to be called once, before anything is counted.
pub fn describe() {
    for (name, help) in [
        ("sise_clickhouse_embedded_requests_total", "requests with a statement"),
        ("sise_clickhouse_embedded_rows_inserted_total", "rows that were inserted"),
    ] {
        describe_counter!(name, help);
        counter!(name).increment(0);
    }
    describe_counter!(
        "sise_clickhouse_embedded_failed_total",
        "requests that ended in an error, by ClickHouse's code"
    );
    let refused = "sise_clickhouse_embedded_refused_total";
    describe_counter!(refused, "requests that were not begun");
    for reason in ["authentication", "queue_full", "spool_full"] {
        counter!(refused, "reason" => reason).increment(0);
    }
}
