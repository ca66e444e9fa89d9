//! A server that lost what it had acknowledged gets it again, in order, and is not believed before that.

use std::time::Duration;

use async_nats::jetstream::stream::DirectGetErrorKind;
use bus::publisher::{Checkpoint, Rewind};
use bus::{Outgoing, Publisher, Topology, stream_state};
use tokio::time::{Instant, timeout};

use crate::publish::stored;
use crate::support::{LIMIT, NatsServer, until};

/// Every fiftieth is a status, the others are trades.
fn message(number: u64) -> Outgoing {
    let subject = if is_status(&number) { "status.kr.kis.link_up" } else { "ticker.kr.kis.005930.krx" };
    Outgoing::new(subject, format!("id-{number}"), number.to_string())
}

fn is_status(number: &u64) -> bool {
    number.is_multiple_of(50)
}

/// Whoever hands over: the numbers from 0 on; the tag of a message is the number that comes after it.
struct Source {
    publisher: Publisher<u64>,
    next: u64,
    rewinds: Vec<Rewind<u64>>,
}

impl Source {
    fn new(server: &NatsServer, next: u64, saved: Vec<Checkpoint<u64>>) -> Self {
        let publisher = Publisher::remembering(&server.settings(), "kis-service", saved).expect("publisher");
        Self { publisher, next, rewinds: Vec::new() }
    }

    fn saved(&self) -> Vec<Checkpoint<u64>> {
        self.publisher.checkpoints().cloned().collect()
    }

    /// Hands over everything before `end`, and again what the server has lost.
    async fn publish_to(&mut self, end: u64) {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(rewind) = self.publisher.take_rewind() {
                self.next = rewind.from.unwrap_or(0);
                self.rewinds.push(rewind);
            }
            if self.next < end {
                let published = self.publisher.publish(message(self.next), self.next + 1);
                timeout(LIMIT, published).await.expect("in time").expect("taken");
                self.next += 1;
            } else {
                self.publisher.drain(deadline).await.expect("acknowledged");
                if !self.publisher.must_rewind() {
                    return;
                }
            }
        }
    }
}

async fn with_users() -> NatsServer {
    let server = NatsServer::start_with_users().await;
    make_streams(&server).await;
    server
}

async fn make_streams(server: &NatsServer) {
    let topology = Topology::load(&server.settings()).expect("topology");
    bus::topology::apply(&server.context("sise").await, &topology).await.expect("streams");
}

/// All trades before `end`, in order and each once.
async fn assert_trades(server: &NatsServer, end: u64) {
    let stored = stored(server, "TICKER_KR_KIS").await;
    assert_eq!(stored.len(), (0..end).filter(|number| !is_status(number)).count());
    assert!(stored.into_iter().eq((0..end).filter(|number| !is_status(number))), "in order, each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_put_back_gets_again_what_it_lost_and_before_anything_new() {
    let mut server = with_users().await;
    let mut source = Source::new(&server, 0, Vec::new());
    source.publish_to(3_000).await;
    server.stop().await;
    server.keep_store();
    server.start_again().await;
    source.publish_to(6_000).await;

    server.kill();
    server.put_store_back();
    // In flight when the server comes back: behind what is lost.
    source.publisher.publish(message(6_000), 6_001).await.expect("taken");
    source.next += 1;
    server.start_again().await;
    source.publish_to(7_000).await;

    let [rewind] = source.rewinds.as_slice() else { panic!("{:?}", source.rewinds) };
    assert_eq!(rewind.streams.len(), 2, "{rewind:?}");
    let trades = rewind.streams.iter().find(|stream| &*stream.stream == "TICKER_KR_KIS").expect("trades");
    assert_eq!((trades.acknowledged, trades.last_sequence), (5_880, 2_940));
    assert!((2_600..=2_940).contains(&trades.standing), "{trades:?}");
    assert!(rewind.from >= Some(2_500) && rewind.from <= Some(3_000), "{rewind:?}");
    assert_trades(&server, 7_000).await;
    let status = stored(&server, "STATUS").await;
    assert!(status.into_iter().eq((0..7_000).filter(is_status)));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_found_after_a_restart_of_both_and_though_others_filled_the_stream() {
    let mut server = with_users().await;
    let mut source = Source::new(&server, 0, Vec::new());
    source.publish_to(1_000).await;
    server.stop().await;
    server.keep_store();
    server.start_again().await;
    source.publish_to(2_000).await;
    let saved = source.saved();
    drop(source);

    server.stop().await;
    server.put_store_back();
    server.start_again().await;
    // Another's statuses hide that the last sequence was higher once.
    let mut other = Publisher::new(&server.settings(), "us-service").expect("publisher");
    for number in 0..100_u64 {
        let status = Outgoing::new("status.us.kis.link_up", format!("other-{number}"), "0");
        other.publish(status, number).await.expect("taken");
    }
    other.drain(Instant::now() + LIMIT).await.expect("stored");

    let mut source = Source::new(&server, 2_000, saved);
    // Nothing new is needed for it to be found.
    timeout(LIMIT, source.publisher.progress()).await.expect("found");
    assert!(source.publisher.must_rewind());
    source.publish_to(2_500).await;
    let [rewind] = source.rewinds.as_slice() else { panic!("{:?}", source.rewinds) };
    let status = rewind.streams.iter().find(|stream| &*stream.stream == "STATUS").expect("status");
    assert!(status.last_sequence > status.acknowledged, "hidden: {status:?}");
    assert_trades(&server, 2_500).await;
    let mut status = stored(&server, "STATUS").await;
    status.sort_unstable();
    status.dedup();
    assert!(status.into_iter().eq((0..2_500).filter(is_status)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_made_again_under_the_connection_gets_everything_again() {
    let server = with_users().await;
    let mut source = Source::new(&server, 0, Vec::new());
    source.publish_to(1_000).await;
    let context = server.context("sise").await;
    context.delete_stream("TICKER_KR_KIS").await.expect("deleted");
    make_streams(&server).await;
    source.publish_to(1_500).await;
    assert_eq!(source.rewinds.iter().map(|rewind| rewind.from).collect::<Vec<_>>(), [None]);
    // What found it out stands first: it was stored before anybody could know.
    let mut trades = stored(&server, "TICKER_KR_KIS").await;
    trades.sort_unstable();
    assert!(trades.into_iter().eq((0..1_500).filter(|number| !is_status(number))), "each once");
    // The other stream was complete: nothing of it was sent again.
    assert_eq!(stream_state(&context, "STATUS").await.expect("state").last_sequence, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_limits_evicted_is_not_lost_and_a_restart_costs_milliseconds() {
    let mut server = with_users().await;
    let mut source = Source::new(&server, 0, Vec::new());
    source.publish_to(1_000).await;
    let context = server.context("sise").await;
    context.get_stream("TICKER_KR_KIS").await.expect("stream").purge().await.expect("purged");
    server.stop().await;
    server.start_again().await;
    let started = Instant::now();
    let mut again = Source::new(&server, 1_000, source.saved());
    again.publish_to(1_001).await;
    println!("connected, looked and published after {:?}", started.elapsed());
    source.next = 1_001;
    source.publish_to(1_002).await;
    assert_eq!((again.rewinds.len(), source.rewinds.len()), (0, 0));
    assert_eq!(stream_state(&context, "TICKER_KR_KIS").await.expect("state").messages, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_stream_nothing_is_sent() {
    let mut server = with_users().await;
    let mut source = Source::new(&server, 0, Vec::new());
    source.publish_to(500).await;
    let context = server.context("sise").await;
    server.kill();
    server.start_again().await;
    until("the streams can be asked", || async { stream_state(&context, "STATUS").await.is_ok() }).await;
    context.delete_stream("TICKER_KR_KIS").await.expect("deleted");
    source.publisher.publish(message(500), 501).await.expect("taken");
    source.next = 501;
    let stands = source.publisher.drain(Instant::now() + Duration::from_secs(5)).await;
    assert_eq!(stands.expect_err("no stream").trouble, Some(bus::publisher::Trouble::NoStream));
    assert_eq!(stream_state(&context, "STATUS").await.expect("state").last_sequence, 10);
    make_streams(&server).await;
    source.publish_to(600).await;
    assert_trades(&server, 600).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cell_reads_its_own_streams_by_sequence_and_nothing_more() {
    let server = with_users().await;
    Source::new(&server, 0, Vec::new()).publish_to(51).await;
    let mut context = server.context("kis-service").await;
    context.set_timeout(Duration::from_secs(2));
    let own = context.get_stream("TICKER_KR_KIS").await.expect("state of its own stream");
    assert_eq!(own.get_raw_message(1).await.expect("message").payload, "1");
    let error = own.direct_get(1).await.expect_err("another way of reading");
    assert!(!matches!(error.kind(), DirectGetErrorKind::NotFound), "{error}");
    assert!(own.purge().await.is_err() && own.delete_message(1).await.is_err());
    assert!(context.get_stream("TICKER_KR_KIWOOM").await.is_err());
    let others = context.get_stream_no_info("TICKER_KR_KIWOOM").await.expect("no question");
    assert!(others.get_raw_message(1).await.is_err());
    let sise = server.context("sise").await;
    assert_eq!(stream_state(&sise, "TICKER_KR_KIS").await.expect("state").messages, 49);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: takes a release build and a quiet machine"]
async fn what_remembering_costs() {
    let server = NatsServer::start().await.with_streams().await;
    for round in 0..4 {
        for remembering in [false, true] {
            let mut publisher = if remembering {
                Publisher::remembering(&server.settings(), "speed", Vec::new()).expect("publisher")
            } else {
                Publisher::new(&server.settings(), "speed").expect("publisher")
            };
            let started = Instant::now();
            for number in 0..100_000_u64 {
                let id = format!("{round}-{remembering}-{number}");
                let outgoing = Outgoing::new("ticker.kr.kis.005930.krx", id, vec![7; 250]);
                publisher.publish(outgoing, number).await.expect("taken");
            }
            publisher.drain(Instant::now() + LIMIT).await.expect("stored");
            println!("remembering {remembering}: 100,000 messages in {:?}", started.elapsed());
        }
    }
}
