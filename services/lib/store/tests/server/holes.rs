//! View `never_archived` over the ledger of streams that were rolled back and made again.

use store::{ClickhouseSettings, Hole, Store};

use crate::support::Engine;

/// A ledger of stream `S`: epoch, first, last, creation.
async fn named(stretches: &str) -> Vec<(u32, u64, u64, i64)> {
    let engine = Engine::start().await;
    let rows = stretches.split_whitespace().map(|stretch| format!("('S', {stretch}, 1, 0)"));
    let rows = rows.collect::<Vec<_>>().join(", ");
    let columns = "stream, epoch, first, last, created_ns, rows, set_aside";
    engine.execute(&format!("INSERT INTO archived ({columns}) VALUES {rows}")).await;
    let settings = ClickhouseSettings { url: engine.url(), ..ClickhouseSettings::default() };
    let holes = Store::new(&settings).expect("store").never_archived(100).await.expect("holes");
    holes
        .into_iter()
        .map(|Hole { epoch, first, last, created_ns, .. }| (epoch, first, last, created_ns))
        .collect()
}

#[tokio::test]
async fn a_roll_back_is_no_hole_and_a_hole_after_it_is_one() {
    assert_eq!(named("1,1,1000,5 1,1001,2000,5 2,1001,1600,5 2,1601,3000,5").await, []);
    // Before the roll-back, after it, and across the end of the older epoch; what the older one lacked behind it stands
    // there no more.
    assert_eq!(
        named("1,1,900,5 1,911,1700,5 1,1801,2000,5 2,1001,1200,5 2,1221,1900,5 2,2101,3000,5").await,
        [(1, 901, 910, 5), (2, 1_201, 1_220, 5), (2, 1_901, 2_100, 5)]
    );
    // The older epoch had not come as far as the roll-back.
    assert_eq!(named("1,1,900,5 2,1001,1200,5").await, [(1, 901, 1_000, 5)]);
    // A late redelivery from before the roll-back, and stretches that overlap.
    assert_eq!(named("1,1,2000,5 2,1001,1500,5 1,990,1000,5 2,1400,1600,5").await, []);
}

#[tokio::test]
async fn several_roll_backs_and_a_stream_made_again() {
    // The third epoch begins before the second: nothing of the second stands.
    assert_eq!(
        named("1,1,2000,5 2,1001,1500,5 2,1601,1700,5 3,801,1000,5 3,1011,1800,5").await,
        [(3, 1_001, 1_010, 5)]
    );
    // One behind the other.
    assert_eq!(named("1,1,2000,5 2,1001,1100,5 2,1121,2500,5 3,1501,1600,5").await, [(2, 1_101, 1_120, 5)]);
    // Each creation begins at 1.
    assert_eq!(named("1,11,2000,5 2,1,50,9 2,61,70,9").await, [(1, 1, 10, 5), (2, 51, 60, 9)]);
}
