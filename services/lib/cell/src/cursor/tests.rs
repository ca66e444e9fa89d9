//! Journal, cursor and a real nats-server (`SISE_NATS_SERVER`): what the server loses comes again, as it was.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use broker::kis::parse::KisParser;
use bus::{BatchLimits, Consumer, NatsSettings, Topology};
use bytes::Bytes;
use journal::{JournalSettings, RecordKind, Sync, Writer};
use market::AggressorSide;
use market::calendar::Calendar;

use super::*;
use crate::note::{Noted, What};

const LIMIT: Duration = Duration::from_secs(30);
const CONNECTED: i64 = 1_790_053_000_000_000_000;
const STREAMS: [&str; 2] = ["TICKER_US_KIS", "STATUS"];

/// A server, a journal, and the records written so far.
struct House {
    folder: tempfile::TempDir,
    port: u16,
    server: Child,
    written: u64,
}

impl House {
    async fn build() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        let port = free.expect("port").port();
        let house = Self { server: spawn(folder.path(), port), folder, port, written: 0 };
        let topology = Topology::load(&house.settings()).expect("topology");
        bus::topology::apply(&house.context().await, &topology).await.expect("streams");
        house
    }

    fn settings(&self) -> NatsSettings {
        let url = format!("nats://127.0.0.1:{}", self.port);
        NatsSettings { url, max_bytes: Some(64 << 20), ..NatsSettings::default() }
    }

    async fn context(&self) -> bus::Context {
        let client = bus::connect(&self.settings(), "test").await.expect("client");
        assert!(bus::connected(&client, LIMIT).await, "nats-server does not answer");
        bus::jetstream(client)
    }

    fn stop(&mut self) {
        let pid = self.server.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
        self.server.wait().expect("ended");
    }

    fn start(&mut self) {
        self.server = spawn(self.folder.path(), self.port);
    }

    /// The server has only what it had when `earlier` was copied.
    fn put_back(&mut self, earlier: &str) {
        self.server.kill().expect("killed");
        self.server.wait().expect("ended");
        self.copy(earlier, "nats");
        self.start();
    }

    fn copy(&self, from: &str, to: &str) {
        let (from, to) = (self.folder.path().join(from), self.folder.path().join(to));
        let _absent = std::fs::remove_dir_all(&to);
        assert!(Command::new("cp").arg("-a").args([from, to]).status().expect("cp").success());
    }

    fn journal(&self) -> std::path::PathBuf {
        self.folder.path().join("journal")
    }

    /// Small segments: the part that is published again is in another than the tail.
    fn writer(&self) -> Writer {
        self.writer_of(64 << 10)
    }

    fn writer_of(&self, segment_bytes: u64) -> Writer {
        let settings = JournalSettings {
            folder: self.journal(),
            segment_bytes,
            max_bytes: 512 << 20,
            max_age: None,
            compress: None,
            sync: Sync::Never,
        };
        Writer::open(settings).expect("journal").0
    }

    /// Appends records up to `count` and gives the end.
    fn append(&mut self, writer: &mut Writer, count: u64) -> Position {
        while self.written < count {
            self.written += 1;
            writer.append(&record(self.written)).expect("appended");
        }
        writer.flush().expect("flushed")
    }

    /// A cursor as a process has it that finds the position and the checkpoints saved.
    fn cursor(&self, end: Position) -> (Cursor<KisParser>, crate::tail::TailIn, watch::Sender<Position>) {
        let (saved, _) = Acknowledged::load_all_or_start(self.journal()).expect("position");
        let checkpoints = checkpoints::from_bytes(&saved.beside).expect("checkpoints");
        let (tail_in, tail) = crate::tail::tail(16, 1 << 20);
        let (end_in, end) = watch::channel(end);
        let fresh =
            || Interpreter::new(KisParser::new(Calendar::built_in().clone()), Market::Us, Source::Kis);
        let cursor = Cursor {
            folder: self.journal(),
            position: saved.position,
            tail,
            end,
            acknowledged: watch::channel(saved.position).0,
            feed: (Market::Us, Source::Kis),
            fresh: Box::new(fresh),
            interpreter: fresh(),
            publisher: Publisher::remembering(&self.settings(), "us-service", checkpoints)
                .expect("publisher"),
            stop_limit: LIMIT,
            unsaved: false,
            ready: process::ready::part("bus"),
        };
        (cursor, tail_in, end_in)
    }

    /// Publishes up to `count` records as one process does from start to stop.
    async fn publish(&mut self, count: u64) {
        let end = self.append(&mut self.writer(), count);
        let (cursor, _, _) = self.cursor(end);
        cursor.run().await.expect("published");
    }

    /// The payloads of both streams, each in the order of the stream.
    async fn stored(&self) -> [Vec<Bytes>; 2] {
        let context = self.context().await;
        let mut stored = [Vec::new(), Vec::new()];
        for (stream, payloads) in STREAMS.into_iter().zip(&mut stored) {
            let count = bus::stream_state(&context, stream).await.expect("state").messages;
            let mut consumer =
                Consumer::open(&self.settings(), "test", stream, "archiver").await.expect("consumer");
            let limits = BatchLimits { messages: 10_000, bytes: 64 << 20, wait: Duration::from_millis(200) };
            while (payloads.len() as u64) < count {
                let batch = consumer.batch(limits).await.expect("batch");
                payloads.extend(batch.iter().map(|delivery| delivery.payload_bytes()));
            }
        }
        stored
    }

    /// What one interpreter makes of all records.
    fn expected(&self) -> [Vec<Bytes>; 2] {
        let mut interpreter =
            Interpreter::new(KisParser::new(Calendar::built_in().clone()), Market::Us, Source::Kis);
        let mut out = Vec::new();
        (1..=self.written).for_each(|number| interpreter.read(&record(number), &mut out));
        let of = |prefix: &str| {
            let outgoing = out.iter().filter(|outgoing| outgoing.subject.starts_with(prefix));
            outgoing.map(|outgoing| outgoing.payload.clone()).collect::<Vec<_>>()
        };
        [of("ticker."), of("status.")]
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ended = self.server.kill();
        let _reaped = self.server.wait();
    }
}

fn spawn(folder: &Path, port: u16) -> Child {
    let program =
        std::env::var_os("SISE_NATS_SERVER").expect("SISE_NATS_SERVER is the path of a nats-server");
    let log = std::fs::File::create(folder.join("nats.log")).expect("log");
    let mut command = Command::new(program);
    command.args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"]).arg(folder.join("nats"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("nats-server")
}

/// US trades, each with the volumes by side that tell its side only against the one before; every hundredth record says
/// that the connection was lost, and the trade after it closes the gap.
fn record(number: u64) -> Record {
    let received_ns = CONNECTED + i64::try_from(number).expect("small") * 1_000_000;
    if number.is_multiple_of(100) {
        let what = What::Down { reason: "read: reset".to_owned(), last_received_ns: received_ns - 500_000 };
        let payload = Bytes::from(Noted { connection: "a".to_owned(), what }.to_bytes());
        return Record {
            kind: RecordKind::NOTE,
            connection_id: CONNECTED,
            sequence: number,
            received_ns,
            payload,
        };
    }
    let text = format!(
        "0|HDFSCNT0|001|DNASAAPL^AAPL^4^20230502^20230502^091912^20230502^221912^169.9200^170.1000^169.4200^169.7850\
         ^2^0.1950^+0.11^169.7700^169.7900^201^5^1^{}^18414163^{}^{}^82.86^1",
        100_000 + number,
        50_000 + number / 2,
        50_000 + number.div_ceil(2),
    );
    let payload = Bytes::from(text);
    Record { kind: RecordKind::FRAME, connection_id: CONNECTED, sequence: number, received_ns, payload }
}

fn sides(payloads: &[Bytes]) -> Vec<AggressorSide> {
    let side = |payload: &Bytes| match bus::decode(payload).expect("event").body {
        Body::Trade(trade) => trade.aggressor_side,
        other => panic!("{other:?}"),
    };
    payloads.iter().map(side).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_of_both_what_the_server_lost_comes_again_as_it_was() {
    let mut house = House::build().await;
    house.publish(2_050).await;
    house.stop();
    house.copy("nats", "earlier");
    house.start();
    house.publish(4_050).await;
    house.put_back("earlier");
    house.publish(5_000).await;
    let stored = house.stored().await;
    assert_eq!(stored, house.expected());
    // A restart in between costs no side.
    let unknown = sides(&stored[0]).into_iter().filter(|side| *side == AggressorSide::Unspecified).count();
    assert!(unknown <= 51, "{unknown}: the first, and one after each lost connection at most");
    let saved = Acknowledged::load(house.journal()).expect("position");
    assert_eq!(saved, house.writer().end());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_cursor_goes_back_and_then_goes_on() {
    let mut house = House::build().await;
    let mut writer = house.writer();
    let end = house.append(&mut writer, 2_050);
    let (cursor, tail, ends) = house.cursor(end);
    let (acknowledged, mut seen) = watch::channel(Position::START);
    let running = tokio::spawn(Cursor { acknowledged, ..cursor }.run());
    ends.send_replace(end);
    let until = async |seen: &mut watch::Receiver<Position>, end: Position| {
        let reached = tokio::time::timeout(LIMIT, seen.wait_for(|position| *position >= end)).await;
        reached.expect("in time").expect("running");
    };
    until(&mut seen, end).await;
    house.stop();
    house.copy("nats", "earlier");
    house.start();
    let end = house.append(&mut writer, 4_050);
    ends.send_replace(end);
    until(&mut seen, end).await;

    house.put_back("earlier");
    // The keeper is told that what was acknowledged is needed again.
    tokio::time::timeout(LIMIT, seen.wait_for(|position| *position < end))
        .await
        .expect("back")
        .expect("running");
    until(&mut seen, end).await;
    let end = house.append(&mut writer, 5_000);
    ends.send_replace(end);
    drop(tail);
    running.await.expect("joined").expect("published");
    assert_eq!(house.stored().await, house.expected());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_or_missing_position_publishes_everything_again_and_the_stream_has_it_once() {
    let mut house = House::build().await;
    house.publish(1_000).await;
    let file = house.journal().join("acknowledged");
    let bytes = std::fs::read(&file).expect("saved");
    std::fs::write(&file, &bytes[..bytes.len() / 2]).expect("torn");
    house.publish(1_500).await;
    std::fs::remove_file(&file).expect("removed");
    house.publish(2_000).await;
    assert_eq!(house.stored().await, house.expected());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_journal_no_longer_has_is_a_gap() {
    let mut house = House::build().await;
    house.stop();
    house.copy("nats", "earlier");
    house.start();
    house.publish(3_000).await;
    let oldest = house.journal().join("00000000000000000001.journal");
    std::fs::remove_file(oldest).expect("deleted");
    house.put_back("earlier");
    house.publish(3_500).await;

    let [trades, statuses] = house.stored().await;
    let [all, _] = house.expected();
    let kept = &all[all.len() - trades.len()..];
    assert!(
        trades.len() < all.len() && sides(&trades)[1..] == sides(kept)[1..],
        "the rest is there, in order"
    );
    let first = bus::decode(&statuses[0]).expect("event");
    let Body::Status(Status::GapClosed(gap)) = first.body else { panic!("{first:?}") };
    assert_eq!((gap.from_ns, gap.until_ns), (first.stamp.received_ns, Some(first.stamp.received_ns)));
    assert!(gap.detail.contains("no longer has 0:0 to 2:0"), "{}", gap.detail);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: takes a quiet machine"]
async fn warming_up() {
    let mut house = House::build().await;
    let mut writer = house.writer_of(128 << 20);
    house.append(&mut writer, 300_000);
    let end = Position { segment: 1, offset: u64::MAX };
    let started = Instant::now();
    let fresh = Interpreter::new(KisParser::new(Calendar::built_in().clone()), Market::Us, Source::Kis);
    warm(fresh, &house.journal(), end);
    println!("300,000 frames read before publishing: {:?}", started.elapsed());
}
