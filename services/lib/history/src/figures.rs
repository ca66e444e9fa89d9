//! What is counted here, in words: for the help lines of `/metrics`. What can be counted is there from the start, at zero:
//! a first failure is a rise then, too.

use market::Source;
use metrics::{counter, describe_counter};

use crate::fetch::Call;

/// Tells of all figures; to be called once, before anything is counted.
pub fn describe() {
    let again = "sise_history_pages_asked_again_total";
    describe_counter!(
        again,
        "pages that were asked of a cell once more, because it or its broker was busy or away"
    );
    for source in Source::ALL {
        counter!(again, "source" => source.as_str()).increment(0);
    }
    let (pages, refused) = ("sise_history_pages_total", "sise_history_rows_refused_total");
    let broken = "sise_history_fetches_broken_total";
    describe_counter!(pages, "pages that came, by the broker's name of the call");
    describe_counter!(refused, "rows of pages that could not be read");
    describe_counter!(broken, "walks over pages that ended early: no page came, or one could not be used");
    for call in Call::ALL {
        counter!(pages, "call" => call.as_str()).increment(0);
        counter!(refused, "call" => call.as_str()).increment(0);
        for outcome in ["no_page", "not_usable"] {
            counter!(broken, "call" => call.as_str(), "outcome" => outcome).increment(0);
        }
    }
}
