//! Status events into `feed_status`, of kinds that nobody knew yet too.

use bus::Outgoing;
use market::{Body, Event, Gap, GapReason, Status};
use tokio::time::Instant;

use crate::support::{House, LIMIT, trade};

fn status(number: u64, status: Status) -> Event {
    Event { body: Body::Status(status), ..trade(number) }
}

#[tokio::test]
async fn statuses_of_every_kind_are_rows_and_gaps_are_told_once() {
    let house = House::build().await;
    let mut archiver = house.archiver();
    let from_ns = 1_795_478_400_000_000_000;
    let gap = Gap {
        reason: GapReason::Disconnected,
        connection: Some("main".to_owned()),
        instrument: None,
        from_ns,
        until_ns: None,
        detail: "reset".to_owned(),
        volume: None,
    };
    let closed = Gap { until_ns: Some(from_ns + 1_000_000_000), ..gap.clone() };
    house
        .publish([
            status(1, Status::LinkDown { connection: "main".to_owned(), reason: "reset".to_owned() }),
            status(2, Status::GapOpened(gap)),
            status(3, Status::LinkUp { connection: "main".to_owned(), registered: 40, refused: 0 }),
            status(4, Status::GapClosed(closed)),
        ])
        .await;
    // A kind of a later version: the stamp of an event, and field 99 in the status.
    let known =
        bus::encode(&status(5, Status::LinkUp { connection: String::new(), registered: 0, refused: 0 }));
    let end = known.windows(2).rposition(|at| at[0] == 0x72).expect("status");
    let mut newer = known[..end].to_vec();
    newer.extend_from_slice(&[0x72, 0x05, 0x9a, 0x06, 0x02, 0x08, 0x01]);
    let mut publisher = house.publisher();
    publisher.publish(Outgoing::new("status.kr.kis.eclipse", "s:5", newer), ()).await.expect("published");
    publisher.drain(Instant::now() + LIMIT).await.expect("acknowledged");

    house.until_number("SELECT sum(rows) FROM archived WHERE stream = 'STATUS'", 5).await;
    assert_eq!(house.number("SELECT count() FROM feed_status").await, 5);
    assert_eq!(
        house.number("SELECT count() FROM gaps WHERE NOT is_open AND duration_ns = 1000000000").await,
        1
    );
    let eclipse = "SELECT count() FROM feed_status WHERE what = 'eclipse' AND frame_sequence = 5 \
                   AND endsWith(event, '72059a0602080122}') = 0 AND position(event, '72059a06020801\"}') > 0";
    assert_eq!(house.number(eclipse).await, 1);
    assert!(archiver.stop().await.success());
    assert_eq!(house.unacknowledged("STATUS").await, 0);
}
