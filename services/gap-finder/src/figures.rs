//! What is counted here, in words: for the help lines of `/metrics`. What can be counted is there from the start, at zero:
//! a first failure is a rise then, too.

use market::Market;
use metrics::{counter, describe_counter, describe_gauge};

const DAYS: &str = "sise_gap_finder_days_total";
const PAGES: &str = "sise_gap_finder_pages_total";
const RECOVERED: &str = "sise_gap_finder_recovered_total";

/// Tells of all figures; to be called once, before anything is counted.
pub fn describe(markets: &[Market]) {
    describe_counter!(DAYS, "days that were looked at: completed, or to be looked at again");
    describe_counter!(PAGES, "pages that were asked of brokers");
    describe_counter!(RECOVERED, "trades that were missing and were published");
    describe_gauge!("sise_gap_finder_gaps_open", "gaps that are open after the recovery of the last day");
    for market in markets.iter().map(|market| market.as_str()) {
        for outcome in ["completed", "again"] {
            counter!(DAYS, "market" => market, "outcome" => outcome).increment(0);
        }
        counter!(PAGES, "market" => market).increment(0);
        counter!(RECOVERED, "market" => market).increment(0);
    }
}
