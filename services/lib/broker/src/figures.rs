//! What is counted here, in words: for the help lines of `/metrics`. What can be counted is there from the start, at zero:
//! a first failure is a rise then, too.

use metrics::{counter, describe_counter, describe_gauge};

/// Tells of all figures; to be called once, before anything is counted.
pub fn describe() {
    for (name, help) in [
        ("sise_broker_binary_messages_total", "WebSocket messages that are no text, and are left out"),
        (
            "sise_broker_kicked_total",
            "sessions that ended because another one has logged in with the same key",
        ),
        (
            "sise_broker_rate_limited_total",
            "pages that the broker refused because of its limits, and that were asked for again",
        ),
        (
            "sise_broker_requests_too_fast_total",
            "registrations that the broker refused as too fast, and that were sent again",
        ),
        ("sise_broker_tokens_issued_total", "access tokens that were asked for and given"),
        ("sise_broker_unknown_control_total", "control messages of a kind that this version does not know"),
        ("sise_broker_unmatched_answers_total", "answers that belong to no request"),
    ] {
        describe_counter!(name, help);
        counter!(name).increment(0);
    }
    let pages = "sise_broker_pages_total";
    describe_counter!(pages, "pages of the REST interface, by what came of them");
    for outcome in ["ok", "request", "refused", "limited", "temporary", "credentials"] {
        counter!(pages, "outcome" => outcome).increment(0);
    }
    let tolerated = "sise_broker_tolerated_total";
    describe_counter!(tolerated, "things out of the ordinary that were taken as they were meant");
    for what in ["leading_a", "no_cumulative_value", "totals_beyond_levels", "unusable_field"] {
        counter!(tolerated, "what" => what).increment(0);
    }
    describe_gauge!("sise_broker_unheard_items", "registered items of a key that have not been heard of");
}
