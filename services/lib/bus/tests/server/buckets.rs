//! Key-value buckets against a real server: compare-and-set, what is missing, and who may write what.

use bus::bucket::{HEALTH, OWNERSHIP};
use bus::{Bucket, BucketError, Topology, Versioned};
use market::{ChangedBy, Ownership, Source};

use crate::support::{NatsServer, until};

fn ownership(owner: Source, from: Source) -> Ownership {
    Ownership {
        owner,
        from,
        since_ns: 1_795_478_430_123_456_789,
        by: ChangedBy::Auto,
        hold: None,
        why: "kis is dead: no message for 60 s".to_owned(),
        missed_since_ns: Some(1_795_478_430_000_000_001),
        failovers: 1,
        loan: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_change_at_once_one_is_told_to_look_again() {
    let server = NatsServer::start().await.with_streams().await;
    let context = server.context("kis-service").await;
    let bucket = Bucket::open(&context, OWNERSHIP).await.expect("bucket");
    assert_eq!(bucket.get::<Ownership>("kr.A").await.expect("read"), None);
    let (taken, back) = (ownership(Source::Kiwoom, Source::Kis), ownership(Source::Kis, Source::Kiwoom));
    let first = bucket.replace("kr.A", &taken, 0).await.expect("first");
    let changed = BucketError::Changed { bucket: OWNERSHIP, key: "kr.A".to_owned() };
    assert_eq!(bucket.replace("kr.A", &back, 0).await, Err(changed.clone()));
    // Another key has revisions of its own.
    bucket.replace("kr.B", &back, 0).await.expect("another");
    let second = bucket.replace("kr.A", &back, first).await.expect("second");
    assert_eq!(bucket.replace("kr.A", &taken, first).await, Err(changed));
    let read = bucket.get::<Ownership>("kr.A").await.expect("read");
    assert_eq!(read, Some(Versioned { value: back, revision: second }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_keeps_what_was_set_and_nothing_is_asked_of_it_meanwhile() {
    let mut server = NatsServer::start().await.with_streams().await;
    let context = server.context("kis-service").await;
    let bucket = Bucket::open(&context, OWNERSHIP).await.expect("bucket");
    let taken = ownership(Source::Kiwoom, Source::Kis);
    let revision = bucket.replace("kr.A", &taken, 0).await.expect("set");
    server.kill();
    until("it is known to be away", || async {
        matches!(bucket.get::<Ownership>("kr.A").await, Err(BucketError::Server { .. }))
    })
    .await;
    let back = ownership(Source::Kis, Source::Kiwoom);
    assert!(matches!(bucket.replace("kr.A", &back, revision).await, Err(BucketError::Server { .. })));
    server.start_again().await;
    until("it is back", || async { bucket.get::<Ownership>("kr.A").await.is_ok() }).await;
    // The change that was refused is not made behind our back.
    let read = bucket.get::<Ownership>("kr.A").await.expect("read");
    assert_eq!(read, Some(Versioned { value: taken, revision }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_missing_is_named_with_what_to_do() {
    let server = NatsServer::start().await;
    let error = Bucket::open(&server.context("sise").await, HEALTH).await.expect_err("missing");
    assert_eq!(error.to_string(), "bucket health is not there: run `sise streams apply`");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cell_tells_its_own_health_and_takes_groups_of_its_own_market() {
    let server = NatsServer::start_with_users().await;
    let topology = Topology::load(&server.settings()).expect("topology");
    bus::topology::apply(&server.context("sise").await, &topology).await.expect("applied");
    for (service, own, other) in [
        ("kis-service", "kr.kis", "kr.kiwoom"),
        ("kiwoom-service", "kr.kiwoom", "kr.kis"),
        ("us-service", "us.kis", "kr.kis"),
    ] {
        let context = server.context(service).await;
        let health = Bucket::open(&context, HEALTH).await.expect("health");
        health.put(own, &service).await.expect("own health");
        assert!(health.put(other, &service).await.is_err(), "{service} must not write {other}");
        let seen = health.get::<String>(own).await.expect("read").expect("there");
        assert_eq!(seen.value, service);
        let ownership = Bucket::open(&context, OWNERSHIP).await.expect("ownership");
        let group = format!("{}.A", &own[..2]);
        let revision = ownership.get::<String>(&group).await.expect("read").map_or(0, |seen| seen.revision);
        ownership.replace(&group, &service, revision).await.expect("own market");
    }
    let context = server.context("sise").await;
    let ownership = Bucket::open(&context, OWNERSHIP).await.expect("ownership");
    ownership.put("kr.B", &"a person").await.expect("a person may");
    let health = Bucket::open(&context, HEALTH).await.expect("health");
    assert!(health.put("kr.kis", &"a person").await.is_err(), "nobody tells another's health");
    assert!(Bucket::open(&server.context("observer").await, HEALTH).await.is_err());
}
