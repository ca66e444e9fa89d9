//! The decisions as tables.

use super::*;

const CREATED: i64 = 1_000;

fn facts(created_ns: i64, last_sequence: u64) -> StreamFacts {
    StreamFacts { created_ns, last_sequence }
}

fn tail(epoch: u32, last: u64) -> Option<LedgerTail> {
    Some(LedgerTail { epoch, last, created_ns: CREATED })
}

fn ledger(epochs: &[(u32, u64, u64)]) -> Vec<LedgerEpoch> {
    epochs.iter().map(|&(epoch, first, last)| LedgerEpoch { epoch, first, last }).collect()
}

fn progress(epoch: u32, floor: u32, highest: u64) -> Progress {
    Progress { epoch, floor, highest, created_ns: CREATED, timeline: Timeline::new(floor) }
}

/// The same with a later epoch that begins with `first`.
fn rolled_back(epoch: u32, first: u64, progress: Progress) -> Progress {
    let mut timeline = progress.timeline.clone();
    timeline.begin(epoch, first);
    Progress { timeline, ..progress }
}

fn stored(epoch: u32, stream_sequence: u64, event_id: u64) -> Stored {
    Stored { epoch, stream_sequence, event_id }
}

#[test]
fn opening() {
    let open = |facts, tail, epochs: &[(u32, u64, u64)]| Progress::open(facts, tail, &ledger(epochs));
    // Nothing was ever archived.
    assert_eq!(open(facts(CREATED, 50), None, &[]), (progress(1, 1, 0), None));
    // As it was left.
    assert_eq!(open(facts(CREATED, 50), tail(1, 40), &[(1, 1, 40)]), (progress(1, 1, 40), None));
    // Everything archived, nothing more there.
    assert_eq!(open(facts(CREATED, 40), tail(1, 40), &[(1, 1, 40)]), (progress(1, 1, 40), None));
    // The server lost its tail: the old epochs stay within reach, and what comes behind it is of the new one.
    assert_eq!(
        open(facts(CREATED, 39), tail(1, 40), &[(1, 1, 40)]),
        (rolled_back(2, 40, progress(2, 1, 40)), Some(NewEpoch::Shortened))
    );
    // Rolled back earlier, and the new epoch has not come as far as the old one.
    assert_eq!(
        open(facts(CREATED, 35), tail(2, 32), &[(1, 1, 40), (2, 21, 32)]),
        (rolled_back(2, 21, progress(2, 1, 40)), None)
    );
    // Made again: sequences start at 1, and nothing of the old stream can come.
    let (recreated, reason) = open(facts(2_000, 500), tail(3, 40), &[]);
    assert_eq!(recreated, Progress { created_ns: 2_000, ..progress(4, 4, 0) });
    assert_eq!(reason, Some(NewEpoch::Recreated));
}

#[test]
fn rows_without_a_ledger_row_are_doubtful() {
    // A crash between insert and ledger: the table knows more than the ledger.
    let mut opened = progress(1, 1, 40);
    opened.reach(None);
    assert_eq!(opened, progress(1, 1, 40));
    assert!(!opened.is_doubtful(41, 1));
    opened.reach(Some(Highest { epoch: 1, stream_sequence: 60 }));
    assert_eq!(opened, progress(1, 1, 60));
    assert!(opened.is_doubtful(41, 1) && opened.is_doubtful(60, 1) && !opened.is_doubtful(61, 1));
    assert!(opened.is_doubtful(61, 2));
}

#[test]
fn what_other_archivers_wrote_counts() {
    let mut ours = progress(1, 1, 40);
    assert!(!ours.adopt(None) && !ours.adopt(tail(1, 30)));
    assert_eq!(ours, progress(1, 1, 40));
    assert!(!ours.adopt(tail(1, 90)));
    assert_eq!(ours, progress(1, 1, 90));
    assert!(ours.adopt(tail(2, 50)), "news");
    ours.learn(&ledger(&[(1, 1, 90), (2, 41, 50)]));
    assert_eq!(ours, rolled_back(2, 41, progress(2, 1, 90)));
    assert!(!ours.adopt(tail(1, 200)) && !ours.adopt(tail(2, 60)));
    assert_eq!(ours, rolled_back(2, 41, progress(2, 1, 90)));
    assert!(!ours.adopt(Some(LedgerTail { epoch: 3, last: 7, created_ns: 2_000 })));
    assert_eq!(ours, Progress { created_ns: 2_000, ..progress(3, 3, 7) });
}

/// Deliveries 41 to 43 with the event ids 1041 to 1043.
const DELIVERIES: &[(u64, u64)] = &[(41, 1_041), (42, 1_042), (43, 1_043)];

fn judge(deliveries: &[(u64, u64)], found: &[Stored]) -> Vec<Fate> {
    Progress::judge(deliveries, found, &mut Recent::new(100))
}

#[test]
fn what_is_not_found_is_new() {
    let mut progress = progress(1, 1, 40);
    assert_eq!(progress.reconcile(DELIVERIES, &[]), None);
    assert_eq!(judge(DELIVERIES, &[]), [Fate::New, Fate::New, Fate::New]);
}

#[test]
fn the_same_event_at_its_sequence_is_known() {
    let mut progress = progress(1, 1, 42);
    let found = [stored(1, 41, 1_041), stored(1, 42, 1_042), stored(1, 42, 1_042)];
    assert_eq!(progress.reconcile(DELIVERIES, &found), None);
    let known = Fate::Known;
    assert_eq!(judge(DELIVERIES, &found), [known, known, Fate::New]);
    assert_eq!(progress.epoch, 1);
}

#[test]
fn another_event_at_an_archived_sequence_begins_an_epoch() {
    let mut progress = progress(1, 1, 43);
    let found = [stored(1, 41, 1_041), stored(1, 42, 7), stored(1, 43, 8)];
    assert_eq!(progress.reconcile(DELIVERIES, &found), Some(42));
    assert_eq!(progress.epoch, 2);
    assert_eq!(judge(DELIVERIES, &found), [Fate::Known, Fate::New, Fate::New]);
    // The rest of the rolled-back stretch: other events under the old epoch begin no further epoch.
    let rest = [(44, 1_044), (45, 1_045)];
    let found = [stored(1, 44, 9), stored(2, 45, 1_045)];
    assert_eq!(progress.reconcile(&rest, &found), None);
    assert_eq!(judge(&rest, &found), [Fate::New, Fate::Known]);
    // A late redelivery from before the roll-back is known under the old epoch.
    let found = [stored(1, 30, 1_030)];
    assert_eq!(progress.reconcile(&[(30, 1_030)], &found), None);
    assert_eq!(judge(&[(30, 1_030)], &found), [Fate::Known]);
}

#[test]
fn the_epoch_of_another_archiver_is_taken_over() {
    let mut progress = progress(1, 1, 43);
    let found = [stored(1, 41, 7), stored(2, 41, 1_041), stored(1, 42, 8)];
    assert_eq!(progress.reconcile(DELIVERIES, &found), None);
    assert_eq!(judge(DELIVERIES, &found), [Fate::Known, Fate::New, Fate::New]);
    assert_eq!(progress.epoch, 2);
}

#[test]
fn one_delivery_twice_in_a_batch_is_inserted_once() {
    let twice = [(41, 1_041), (41, 1_041), (42, 1_042)];
    let fates = judge(&twice, &[]);
    assert_eq!(fates, [Fate::New, Fate::Known, Fate::New]);
}

#[test]
fn an_old_and_a_new_event_of_one_sequence_in_a_batch_are_both_inserted() {
    // Redelivered from before a roll-back, and delivered after it.
    let both = [(1_064, 1), (1_064, 2), (1_064, 1), (1_065, 3)];
    let mut progress = progress(1, 1, 1_000);
    assert_eq!(progress.reconcile(&both, &[]), Some(1_064));
    assert_eq!(judge(&both, &[]), [Fate::New, Fate::New, Fate::Known, Fate::New]);
}

#[test]
fn one_event_at_two_sequences_is_inserted_once() {
    let repeated = [(41, 1_041), (42, 1_042), (43, 1_041)];
    let mut recent = Recent::new(100);
    assert_eq!(Progress::judge(&repeated, &[], &mut recent), [Fate::New, Fate::New, Fate::Repeated]);
    assert_eq!(Progress::judge(&[(44, 1_042)], &[], &mut recent), [Fate::Repeated]);
    // Redelivered and not in the table: its insert was never confirmed, so it is inserted again.
    assert_eq!(Progress::judge(&[(42, 1_042)], &[], &mut recent), [Fate::New]);
}

#[test]
fn each_sequence_belongs_to_the_epoch_of_the_last_roll_back_before_it() {
    let mut progress = progress(1, 1, 2_000);
    // Rolled back to 1,000: the events of 1,001 and 1,002 happen to stand where they stood.
    let deliveries = [(1_001, 11), (1_002, 12), (1_003, 93)];
    let found = [stored(1, 1_001, 11), stored(1, 1_002, 12), stored(1, 1_003, 13)];
    assert_eq!(progress.reconcile(&deliveries, &found), Some(1_003));
    assert_eq!(judge(&deliveries, &found), [Fate::Known, Fate::Known, Fate::New]);
    let epochs = |progress: &Progress, sequences: &[u64]| -> Vec<u32> {
        sequences.iter().map(|sequence| progress.timeline.epoch_of(*sequence)).collect()
    };
    assert_eq!(epochs(&progress, &[1_000, 1_002, 1_003, 3_000]), [1, 1, 2, 2]);
    // And again, deeper: what was seen of the second epoch is contradicted only further on.
    let deliveries = [(901, 701), (1_003, 703)];
    let found = [stored(1, 901, 1), stored(1, 1_003, 13), stored(2, 1_003, 93)];
    assert_eq!(progress.reconcile(&deliveries, &found), Some(1_003));
    assert_eq!(progress.epoch, 3);
    assert_eq!(epochs(&progress, &[900, 901, 1_002, 1_003]), [1, 2, 2, 3]);
}

#[test]
fn a_shortened_stream_begins_its_epoch_where_the_first_other_event_stands() {
    let (mut progress, _) = Progress::open(facts(CREATED, 39), tail(1, 60), &ledger(&[(1, 1, 60)]));
    // The server had gone on before it was looked at: 30 to 39 are new events already.
    let found = [stored(1, 29, 29), stored(1, 30, 30), stored(1, 31, 31)];
    assert_eq!(progress.reconcile(&[(29, 29), (30, 130), (31, 131)], &found), None);
    assert_eq!((progress.epoch, progress.timeline.epoch_of(29), progress.timeline.epoch_of(30)), (2, 1, 2));
}
