//! What is counted here, in words: for the help lines of `/metrics`. What can be counted is there from the start, at zero:
//! a first failure is a rise then, too.

use metrics::{counter, describe_counter, describe_gauge, gauge};

/// Tells of all figures; to be called once, before anything is counted.
pub fn describe() {
    for (name, help) in [
        ("sise_gateway_archive_failures_total", "questions that ClickHouse did not answer"),
        ("sise_gateway_events_total", "events that came from the bus"),
        ("sise_gateway_items_skipped_total", "items that a slow client was not sent, and was told so"),
        (
            "sise_gateway_requests_denied_total",
            "HTTP requests without the token or from an origin that may not",
        ),
        ("sise_gateway_requests_refused_total", "requests of clients that could not be meant"),
    ] {
        describe_counter!(name, help);
        counter!(name).increment(0);
    }
    let labelled: [(_, _, &[&str]); 3] = [
        ("sise_gateway_clients_closed_total", "clients that were closed by the gateway", &["slow"]),
        (
            "sise_gateway_events_ignored_total",
            "messages and events that were left out",
            &["undecodable", "too_many_instruments"],
        ),
        (
            "sise_gateway_trades_dropped_total",
            "trades that the merged stream does not show again",
            &["duplicate", "overlap", "old_day"],
        ),
    ];
    for (name, help, reasons) in labelled {
        describe_counter!(name, help);
        for reason in reasons {
            counter!(name, "reason" => *reason).increment(0);
        }
    }
    describe_gauge!("sise_gateway_clients", "clients of the WebSocket that are connected");
    gauge!("sise_gateway_clients").increment(0);
}
