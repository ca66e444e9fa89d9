//! A day on the stage with the machine's clock in hand: what is told when, counted.

use bytes::Bytes;
use market::time::SECOND;
use market::{
    AggressorSide, At, Body, Codes, Market, Origin, Price, Quantity, Session, Source, Stamp, Symbol, Tape,
    Trade, TradeDate, Value,
};
use store::played::Stretch;

use super::*;
use crate::client::{Client, Limits, Next};
use crate::hub::Join;
use crate::hub::instruments::MergeSettings;
use crate::view::{Kinds, Selection, Symbols, View};

const BEGIN: i64 = 1_795_478_400 * SECOND;

/// The print of one share that makes `number` of them, `after` nanoseconds from the begin.
fn print(number: i64, after: i64) -> Event {
    let stamp = Stamp {
        market: Market::Kr,
        source: Source::Kis,
        received_ns: BEGIN + after,
        connection_id: 1,
        frame_sequence: number.unsigned_abs(),
        record_index: 0,
        origin: Origin::Live,
    };
    let trade = Trade {
        at: At {
            tape: Tape::Krx,
            symbol: Symbol::parse("005930").expect("symbol"),
            trade_date: TradeDate::parse("20261124").expect("date"),
            exchange_ns: (BEGIN + after) / SECOND * SECOND,
        },
        price: Price::from_units(700_000_000),
        quantity: Quantity::from_units(1),
        aggressor_side: AggressorSide::Buy,
        cumulative_volume: Quantity::from_units(number),
        cumulative_value: Value::ONE,
        cumulative_value_step: Value::ONE,
        best_ask: None,
        best_bid: None,
        session: Session::Continuous,
        session_codes: Codes::default(),
        halted: false,
    };
    Event { stamp, body: Body::Trade(trade) }
}

struct House {
    client: Arc<Client>,
    playing: tokio::task::JoinHandle<()>,
    commands: mpsc::Sender<Command>,
    clock: Clock,
    progress: Arc<Progress>,
}

impl House {
    /// Plays these events; nobody has subscribed yet.
    fn open(events: Vec<Event>, speed: u32) -> Self {
        let until_ns = events.last().expect("events").stamp.received_ns + 1;
        let count = u64::try_from(events.len()).expect("few");
        let day = Arc::new(Day {
            date: TradeDate::parse("20261124").expect("date"),
            market: Market::Kr,
            sources: vec![Source::Kis, Source::Kiwoom],
            stretches: vec![Stretch { from_ns: BEGIN, until_ns, events: count }],
        });
        let clock = Clock::played(BEGIN);
        let progress = Arc::new(Progress::new(&day, speed));
        let tempo = Tempo { speed, batch: Duration::from_millis(50) };
        let player = Player {
            day,
            tempo,
            progress: Arc::clone(&progress),
            clock: clock.clone(),
            wait_ns: 300_000_000,
            slow: Duration::from_secs(600),
        };
        let merge = MergeSettings { wait_ms: 300, book_behind_ns: 2 * SECOND };
        let mut hub = Hub::playing(merge, 3_600 * SECOND, clock.clone());
        let (commands, mut asked) = mpsc::channel(8);
        let (tell, stretches) = mpsc::channel(1);
        let playing = tokio::spawn(async move {
            // Two stretches, as an archive would give them.
            let middle = events.len() / 2;
            let tail = events[middle..].to_vec();
            let head = events[..middle].to_vec();
            let telling = async {
                for part in [head, tail] {
                    tell.send(part).await.expect("told");
                }
                drop(tell);
            };
            let shutdown = Shutdown::new();
            tokio::join!(telling, player.play(&mut hub, &mut asked, stretches, &shutdown));
        });
        let limits = Limits { age: Duration::from_secs(600), bytes: 64 << 20 };
        Self { client: Client::new(1, limits), playing, commands, clock, progress }
    }

    async fn join(&self) {
        let selection = Selection {
            market: Market::Kr,
            view: View::Merged,
            tape: None,
            kinds: Kinds { status: false, ..Kinds::ALL },
            symbols: Symbols::All,
        };
        let join = Join { client: Arc::clone(&self.client), subscription: 1, id: None, selection };
        assert!(self.commands.send(Command::Join(join)).await.is_ok(), "somebody plays");
        let answer = self.client.next().await.expect("open");
        assert!(matches!(answer, Next::Answer(_)), "{answer:?}");
        assert_eq!(self.items().await, Bytes::new(), "a snapshot of nothing");
    }

    async fn items(&self) -> Bytes {
        match self.client.next().await.expect("open") {
            Next::Piece { piece, .. } => piece.items,
            Next::Answer(text) => panic!("{text}"),
        }
    }

    /// The cumulative volumes of the next update, late ones negative.
    async fn update(&self) -> Vec<i64> {
        let text = format!("[{}]", std::str::from_utf8(&self.items().await).expect("text"));
        let items: Vec<serde_json::Value> = serde_json::from_str(&text).expect("items");
        let trades = items.iter().filter(|item| item["kind"] == "trade");
        let volume = |item: &serde_json::Value| {
            let sign = if item["late"] == true { -1 } else { 1 };
            item["cumulative_volume"].as_i64().expect("volume") * sign
        };
        trades.map(volume).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn at_a_speed_each_batch_holds_what_its_stretch_of_the_day_holds() {
    // Ten prints a second over six seconds.
    let events: Vec<Event> = (1..=60).map(|number| print(number, number * SECOND / 10)).collect();
    for speed in [1_u32, 20, 100] {
        let house = House::open(events.clone(), speed);
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert_eq!((house.clock.now_ns(), house.progress.events()), (BEGIN, 0), "the day waits for somebody");
        house.join().await;
        let mut told: Vec<i64> = Vec::new();
        while told.len() < 60 {
            let update = house.update().await;
            let end = house.clock.now_ns();
            told.extend(&update);
            // Everything received before the batch on the day's clock, and nothing else.
            let received = events.iter().filter(|event| event.stamp.received_ns < end).count();
            assert_eq!(told.len(), received, "speed {speed}: {update:?}");
            let batch = i64::from(speed) * 50_000_000;
            assert_eq!((end - BEGIN) % batch, 0, "speed {speed}: batches stand {batch} ns apart");
        }
        assert_eq!(told, (1..=60).collect::<Vec<_>>(), "speed {speed}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_machines_clock_goes_as_many_times_slower_as_the_speed_says() {
    let events: Vec<Event> = (1..=60).map(|number| print(number, number * 10 * SECOND)).collect();
    let house = House::open(events, 20);
    house.join().await;
    let begin = Instant::now();
    let mut told = 0;
    while told < 60 {
        told += house.update().await.len();
    }
    // Six hundred seconds of the day and the batch that follows: on a clock that only this test moves.
    assert_eq!(begin.elapsed().as_millis() / 50, 601, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn without_a_pause_a_day_is_told_whole_and_alike_and_then_it_is_over() {
    // Hours without anything, a hole that is filled in time, one that is filled late, and one that stays.
    let hour = 3_600 * SECOND;
    // Both brokers have the first: for a broker that tells nothing of an instrument nobody waits.
    let mut copy = print(1, 1_000_000);
    copy.stamp.source = Source::Kiwoom;
    let mut events =
        vec![print(1, 0), copy, print(3, hour), print(2, hour + 200_000_000), print(6, 2 * hour)];
    events.extend([print(5, 2 * hour + 900_000_000), print(7, 3 * hour), print(9, 4 * hour)]);
    let mut days = Vec::new();
    for _ in 0..2 {
        let house = House::open(events.clone(), 0);
        let begin = Instant::now();
        house.join().await;
        let mut updates = Vec::new();
        while updates.iter().flatten().count() < 7 {
            let update = house.update().await;
            if !update.is_empty() {
                updates.push(update);
            }
        }
        // The socket asks for more: it has sent everything.
        let nothing = tokio::time::timeout(Duration::from_secs(1), house.client.next()).await;
        assert!(nothing.is_err(), "{nothing:?}");
        house.playing.await.expect("played");
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "no pause but for who reads: {:?}",
            begin.elapsed()
        );
        assert_eq!(house.progress.json()["state"], "over");
        assert_eq!((house.progress.events(), house.progress.percent()), (8, 100));
        days.push(updates);
    }
    let day = [vec![1], vec![2, 3], vec![6], vec![-5], vec![7], vec![9]];
    assert_eq!(days, [&day[..], &day[..]]);
}
