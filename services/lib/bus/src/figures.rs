//! What is counted here, in words: for the help lines of `/metrics`. What can be counted is there from the start, at zero:
//! a first failure is a rise then, too.

use metrics::{counter, describe_counter, describe_gauge, describe_histogram};

/// What can stand in the way of publishing: `Trouble::reason`, and nothing.
const REASONS: [&str; 6] = ["none", "disconnected", "credentials", "timeout", "no_stream", "refused"];

/// Figures of a connection that is kept up.
pub(crate) fn of_connection() {
    start(&[(
        "sise_bus_slow_consumer_total",
        "times that a live view was too slow, so that messages of it were lost",
    )]);
}

/// Figures of a publisher.
pub(crate) fn of_publisher() {
    start(&[
        ("sise_bus_published_total", "messages handed to the server, each sending of a message counted"),
        ("sise_bus_acknowledged_total", "messages that the server has stored"),
        ("sise_bus_duplicates_total", "acknowledged messages that the server knew already by their ids"),
        ("sise_bus_rolled_back_total", "streams that turned out to have lost acknowledged messages"),
    ]);
    describe_histogram!(
        "sise_bus_ack_seconds",
        "time from the last sending of a message to its acknowledgement"
    );
    describe_histogram!(
        "sise_bus_check_seconds",
        "time to look, on a new connection, whether the server still has what it acknowledged"
    );
    describe_gauge!("sise_bus_window_messages", "messages that were handed over and are not acknowledged");
    let trouble = "sise_bus_publish_trouble_total";
    describe_counter!(trouble, "times that publishing was interrupted, by what stood in the way");
    let retried = "sise_bus_publish_retried_total";
    describe_counter!(retried, "messages under way that were sent again, by what stood in the way");
    for reason in REASONS {
        counter!(trouble, "reason" => reason).increment(0);
        counter!(retried, "reason" => reason).increment(0);
    }
}

/// Figures of a consumer of a stream.
pub(crate) fn of_consumer(stream: &str) {
    let foreign = "sise_bus_foreign_messages_total";
    describe_counter!(foreign, "messages on a subscription that no stream has delivered");
    counter!(foreign, "stream" => stream.to_owned()).increment(0);
    describe_counter!(
        "sise_bus_consumer_rebuilt_total",
        "times that the subscription of a durable was made anew"
    );
}

/// Figures of who answers requests.
pub(crate) fn of_requests() {
    start(&[(
        "sise_bus_requests_late_total",
        "requests that were not answered, because their time was over",
    )]);
    let requests = "sise_bus_requests_total";
    describe_counter!(requests, "requests, by what came of them");
    for outcome in ["answered", "refused", "nobody", "connection_lost"] {
        counter!(requests, "outcome" => outcome).increment(0);
    }
}

fn start(counters: &[(&'static str, &'static str)]) {
    for (name, help) in counters {
        describe_counter!(*name, *help);
        counter!(*name).increment(0);
    }
}
