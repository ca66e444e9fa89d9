//! What is counted here, in words: for the help lines of `/metrics`. What can be counted is there from the start, at zero:
//! a first failure is a rise then, too.

use metrics::{counter, describe_counter, describe_gauge, describe_histogram};

/// Why a frame or a record can be refused: the words of the brokers' parsers.
const REFUSALS: [&str; 12] = [
    "count",
    "encrypted",
    "field",
    "form",
    "head",
    "json",
    "no_data",
    "not_object",
    "row",
    "trnm",
    "unknown_tr",
    "width",
];

/// Tells of all figures; to be called once, before anything is counted.
pub fn describe() {
    counters();
    gauges();
    describe_histogram!(
        "sise_cell_delay_seconds",
        "from the exchange's time of an event to its arrival here, of the first event of each frame; the exchange's time is in whole seconds"
    );
}

fn counters() {
    for (name, help) in [
        ("sise_cell_connections_ended_total", "connections that have ended, for whatever reason"),
        ("sise_cell_groups_taken_total", "changes of a group's owner that this broker made"),
        (
            "sise_cell_journal_compression_trouble_total",
            "closed journal segments that could not be compressed",
        ),
        ("sise_cell_journal_damaged_total", "damaged places of the journal that were left out"),
        (
            "sise_cell_journal_full_total",
            "times that the sockets were not read because the journal or the disk was full",
        ),
        (
            "sise_cell_lost_acknowledged_total",
            "times that the server lost messages which the journal no longer has",
        ),
        (
            "sise_cell_symbols_silent_total",
            "symbols whose silence became improbably long on a living connection",
        ),
        ("sise_cell_unpublishable_total", "messages that no server would take"),
    ] {
        describe_counter!(name, help);
        counter!(name).increment(0);
    }
    describe_counter!(
        "sise_cell_frames_total",
        "frames that were read, by the broker's name of what is in them"
    );
    describe_counter!("sise_cell_extra_fields_total", "frames whose records have more fields than known");
    describe_counter!(
        "sise_cell_wrong_counts_total",
        "frames whose count of records was wrong and was found out"
    );
    describe_counter!(
        "sise_cell_apart_total",
        "records that are no trade and no order book, and are left out"
    );
    let labelled: [(_, _, _, &[&str]); 3] = [
        (
            "sise_cell_events_total",
            "kind",
            "events that were read and handed to the publisher",
            &["trade", "order_book", "status"],
        ),
        (
            "sise_cell_refused_total",
            "reason",
            "frames and records that could not be used, and are dead letters now",
            &REFUSALS,
        ),
        (
            "sise_cell_chain_total",
            "what",
            "neighbouring prints that do not join: shares missing, off hours, not watched",
            &["gap", "off_hours", "unwatched"],
        ),
    ];
    for (name, label, help, values) in labelled {
        describe_counter!(name, help);
        for value in values {
            counter!(name, label => *value).increment(0);
        }
    }
}

fn gauges() {
    for (name, help) in [
        (
            "sise_cell_connections",
            "connections by state: wanted, up, settled (all registrations answered), dead",
        ),
        ("sise_cell_data_expected", "1 while the market's hours are such that data has to come"),
        ("sise_cell_feed_dead", "1 while nothing at all is heard of the broker though it has to be"),
        ("sise_cell_gaps_open", "gaps that are open now: of the feed, of connections and of instruments"),
        ("sise_cell_group_carried", "1 for the groups of symbols that this broker carries now"),
        ("sise_cell_journal_disk_free_bytes", "free bytes of the disk that the journal is on"),
        (
            "sise_cell_journal_full",
            "1 while the sockets are not read because the journal or the disk is full",
        ),
        ("sise_cell_journal_limit_bytes", "the most that the journal may take on disk"),
        (
            "sise_cell_journal_unacknowledged_bytes",
            "bytes of the journal that are not known to be stored by the server",
        ),
        ("sise_cell_journal_used_bytes", "bytes that the journal takes on disk"),
        ("sise_cell_orphan_symbols", "symbols that no broker which runs may carry"),
        ("sise_cell_registrations", "registrations by state: wanted, confirmed, room for (limit)"),
        ("sise_cell_uncovered_registrations", "registrations that no key has room for"),
    ] {
        describe_gauge!(name, help);
    }
}
