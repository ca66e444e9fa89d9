//! What is counted here, in words: for the help lines of `/metrics`. What can be counted is there from the start, at zero,
//! for each stream: a first failure is a rise then, too.

use metrics::{counter, describe_counter, describe_gauge, describe_histogram};

/// Counters of each stream.
const COUNTERS: &[(&str, &str)] = &[
    ("sise_archiver_discarded_total", "sequences that the stream discarded before they were archived"),
    ("sise_archiver_known_total", "messages that were delivered again and stood in a table already"),
    (
        "sise_archiver_messages_total",
        "messages that were dealt with; they are acknowledged as soon as the ledger has them",
    ),
    (
        "sise_archiver_missing_total",
        "rows that ClickHouse had confirmed and did not have, and that were inserted again",
    ),
    (
        "sise_archiver_near_eviction_total",
        "times that the oldest message not archived came near to being discarded",
    ),
    ("sise_archiver_repeated_total", "messages whose event stood in a table already under another sequence"),
    ("sise_archiver_rows_total", "rows that were inserted"),
    ("sise_archiver_set_aside_total", "messages that could not be archived and are dead letters now"),
    ("sise_archiver_unreadable_total", "messages that are no event of this version"),
];

const RETRIES: &str = "sise_archiver_retries_total";
const EPOCHS: &str = "sise_archiver_epochs_total";

/// Tells of all figures; to be called once, before anything is counted.
pub fn describe() {
    for (name, help) in COUNTERS {
        describe_counter!(*name, *help);
    }
    describe_counter!(
        RETRIES,
        "things asked of ClickHouse that were repeated: its server failed, its set-up refuses, a row is refused"
    );
    describe_counter!(EPOCHS, "times that a stream was rolled back or made again");
    for (name, help) in [
        ("sise_archiver_lag_messages", "messages of the stream that are not archived"),
        (
            "sise_archiver_lag_ratio",
            "how far the oldest message that is not archived has gone on its way to being discarded, 0 to 1",
        ),
        ("sise_archiver_lag_seconds", "age of the oldest message that is not archived"),
        ("sise_archiver_stream_bytes", "bytes that the stream holds"),
        (
            "sise_archiver_stream_limit_bytes",
            "the most that the stream may hold; beyond it the oldest messages go",
        ),
    ] {
        describe_gauge!(name, help);
    }
    for (name, help) in [
        (
            "sise_archiver_batch_seconds",
            "time from a batch in hand to its rows confirmed; their count is that of the batches",
        ),
        (
            "sise_archiver_stored_delay_seconds",
            "from the arrival at the socket to the row confirmed, of the oldest live event of each batch",
        ),
    ] {
        describe_histogram!(name, help);
    }
}

/// Begins to count for a stream.
pub fn of_stream(stream: &str) {
    for (name, _) in COUNTERS {
        counter!(*name, "stream" => stream.to_owned()).increment(0);
    }
    for cause in ["server", "setup", "row"] {
        counter!(RETRIES, "stream" => stream.to_owned(), "cause" => cause).increment(0);
    }
    for reason in ["recreated", "shortened", "other_event"] {
        counter!(EPOCHS, "stream" => stream.to_owned(), "reason" => reason).increment(0);
    }
}
