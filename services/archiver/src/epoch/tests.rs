//! The decisions as tables.

use super::*;

const CREATED: i64 = 1_000;

fn facts(created_ns: i64, last_sequence: u64) -> StreamFacts {
    StreamFacts { created_ns, last_sequence }
}

fn tail(epoch: u32, last: u64) -> Option<LedgerTail> {
    Some(LedgerTail { epoch, last, created_ns: CREATED })
}

fn reach(floor: u32, highest: u64) -> Option<LedgerReach> {
    Some(LedgerReach { floor, highest })
}

fn progress(epoch: u32, floor: u32, highest: u64) -> Progress {
    Progress { epoch, floor, highest, created_ns: CREATED }
}

fn stored(epoch: u32, stream_sequence: u64, event_id: u64) -> Stored {
    Stored { epoch, stream_sequence, event_id }
}

#[test]
fn opening() {
    let open = Progress::open;
    // Nothing was ever archived.
    assert_eq!(open(facts(CREATED, 50), None, None), (progress(1, 1, 0), None));
    // As it was left.
    assert_eq!(open(facts(CREATED, 50), tail(1, 40), reach(1, 40)), (progress(1, 1, 40), None));
    // Everything archived, nothing more there.
    assert_eq!(open(facts(CREATED, 40), tail(1, 40), reach(1, 40)), (progress(1, 1, 40), None));
    // The server lost its tail: the old epochs stay within reach.
    assert_eq!(
        open(facts(CREATED, 39), tail(1, 40), reach(1, 40)),
        (progress(2, 1, 40), Some(NewEpoch::Shortened))
    );
    // Rolled back earlier, and the new epoch has not come as far as the old one.
    assert_eq!(open(facts(CREATED, 35), tail(2, 32), reach(1, 40)), (progress(2, 1, 40), None));
    // Made again: sequences start at 1, and nothing of the old stream can come.
    let (recreated, reason) = open(facts(2_000, 500), tail(3, 40), None);
    assert_eq!(recreated, Progress { epoch: 4, floor: 4, highest: 0, created_ns: 2_000 });
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
    ours.adopt(None);
    ours.adopt(tail(1, 30));
    assert_eq!(ours, progress(1, 1, 40));
    ours.adopt(tail(1, 90));
    assert_eq!(ours, progress(1, 1, 90));
    ours.adopt(tail(2, 50));
    assert_eq!(ours, progress(2, 1, 90));
    ours.adopt(tail(1, 200));
    assert_eq!(ours, progress(2, 1, 90));
    ours.adopt(Some(LedgerTail { epoch: 3, last: 7, created_ns: 2_000 }));
    assert_eq!(ours, Progress { epoch: 3, floor: 3, highest: 7, created_ns: 2_000 });
}

/// Deliveries 41 to 43 with the event ids 1041 to 1043.
const DELIVERIES: &[(u64, u64)] = &[(41, 1_041), (42, 1_042), (43, 1_043)];

fn judge(progress: &mut Progress, deliveries: &[(u64, u64)], found: &[Stored]) -> Vec<Fate> {
    progress.judge(deliveries, found, &mut Recent::new(100))
}

#[test]
fn what_is_not_found_is_new() {
    let mut progress = progress(1, 1, 40);
    assert_eq!(progress.conflict(DELIVERIES, &[]), None);
    assert_eq!(judge(&mut progress, DELIVERIES, &[]), [Fate::New, Fate::New, Fate::New]);
}

#[test]
fn the_same_event_at_its_sequence_is_known() {
    let mut progress = progress(1, 1, 42);
    let found = [stored(1, 41, 1_041), stored(1, 42, 1_042), stored(1, 42, 1_042)];
    assert_eq!(progress.conflict(DELIVERIES, &found), None);
    let known = Fate::Known { epoch: 1 };
    assert_eq!(judge(&mut progress, DELIVERIES, &found), [known, known, Fate::New]);
    assert_eq!(progress.epoch, 1);
}

#[test]
fn another_event_at_an_archived_sequence_begins_an_epoch() {
    let mut progress = progress(1, 1, 43);
    let found = [stored(1, 41, 1_041), stored(1, 42, 7), stored(1, 43, 8)];
    assert_eq!(progress.conflict(DELIVERIES, &found), Some(42));
    progress.begin_epoch(&found);
    assert_eq!(progress.epoch, 2);
    assert_eq!(judge(&mut progress, DELIVERIES, &found), [Fate::Known { epoch: 1 }, Fate::New, Fate::New]);
    // The rest of the rolled-back stretch: other events under the old epoch begin no further epoch.
    let rest = [(44, 1_044), (45, 1_045)];
    let found = [stored(1, 44, 9), stored(2, 45, 1_045)];
    assert_eq!(progress.conflict(&rest, &found), None);
    assert_eq!(judge(&mut progress, &rest, &found), [Fate::New, Fate::Known { epoch: 2 }]);
    // A late redelivery from before the roll-back is known under the old epoch.
    let found = [stored(1, 30, 1_030)];
    assert_eq!(progress.conflict(&[(30, 1_030)], &found), None);
    assert_eq!(judge(&mut progress, &[(30, 1_030)], &found), [Fate::Known { epoch: 1 }]);
}

#[test]
fn the_epoch_of_another_archiver_is_taken_over() {
    let mut progress = progress(1, 1, 43);
    let found = [stored(1, 41, 7), stored(2, 41, 1_041), stored(1, 42, 8)];
    assert_eq!(progress.conflict(DELIVERIES, &found), None);
    assert_eq!(judge(&mut progress, DELIVERIES, &found), [Fate::Known { epoch: 2 }, Fate::New, Fate::New]);
    assert_eq!(progress.epoch, 2);
}

#[test]
fn one_delivery_twice_in_a_batch_is_inserted_once() {
    let twice = [(41, 1_041), (41, 1_041), (42, 1_042)];
    let fates = judge(&mut progress(1, 1, 40), &twice, &[]);
    assert_eq!(fates, [Fate::New, Fate::Known { epoch: 1 }, Fate::New]);
}

#[test]
fn an_old_and_a_new_event_of_one_sequence_in_a_batch_are_both_inserted() {
    // Redelivered from before a roll-back, and delivered after it.
    let both = [(1_064, 1), (1_064, 2), (1_064, 1), (1_065, 3)];
    let mut progress = progress(1, 1, 1_000);
    assert_eq!(progress.conflict(&both, &[]), Some(1_064));
    progress.begin_epoch(&[]);
    assert_eq!(judge(&mut progress, &both, &[]), [Fate::New, Fate::New, Fate::Known { epoch: 2 }, Fate::New]);
}

#[test]
fn one_event_at_two_sequences_is_inserted_once() {
    let repeated = [(41, 1_041), (42, 1_042), (43, 1_041)];
    let mut recent = Recent::new(100);
    let mut progress = progress(1, 1, 40);
    assert_eq!(progress.judge(&repeated, &[], &mut recent), [Fate::New, Fate::New, Fate::Repeated]);
    assert_eq!(progress.judge(&[(44, 1_042)], &[], &mut recent), [Fate::Repeated]);
    // Redelivered and not in the table: its insert was never confirmed, so it is inserted again.
    assert_eq!(progress.judge(&[(42, 1_042)], &[], &mut recent), [Fate::New]);
}
