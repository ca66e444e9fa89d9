//! A day with losses: refilled by `sise gaps recover`, proven, and left alone by a second run; also when it is killed.
//!
//! The day is known share for share. What the feed delivered is published as the cell's user would; the pages of the
//! broker are answered here, so that each of them is counted.

pub mod cell;
pub mod day;

use std::process::{Output, Stdio};

use crate::support::{Stack, until};

use cell::Cell;
use day::Day;

/// Servers, archiver and a day of which the archive has what was delivered.
struct Road {
    stack: Stack,
    day: Day,
    cell: Cell,
}

impl Road {
    async fn new(seed: u64) -> Self {
        let mut stack = Stack::new(1, false);
        stack.start_servers().await;
        let day = Day::new(seed);
        let symbols = stack.folder.path().join("symbols.yaml");
        std::fs::write(&symbols, day.symbols_file()).expect("symbols");
        stack.set("SISE__SYMBOLS__FILE", &symbols.display().to_string());
        stack.set("SISE__ARCHIVER__AGE_MS", "100");
        stack.start("archiver");
        let settings = nats(&stack);
        let delivered = day.publish(&settings).await;
        let cell = Cell::start(&settings, day.clone()).await;
        until("the archive has what was delivered", async || {
            stack.number("SELECT count() FROM trades").await == delivered
        })
        .await;
        Self { stack, day, cell }
    }

    fn gaps(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = self.stack.command("sise");
        command.arg("gaps").args(arguments).args(["--date", &self.day.date.to_string()]);
        command
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.gaps(arguments);
        tokio::task::spawn_blocking(move || command.output().expect("sise")).await.expect("ended")
    }

    /// Every trade of the day stands in the archive, and nothing else does.
    async fn is_whole(&self) {
        let trades = "SELECT count() FROM (SELECT DISTINCT symbol, cumulative_volume, exchange_ns, price, quantity FROM trades)";
        assert_eq!(self.stack.number(trades).await, self.day.trades());
        let places = "SELECT uniqExact(symbol, cumulative_volume) FROM trades";
        assert_eq!(self.stack.number(places).await, self.day.trades());
        let sum = "SELECT toUInt64(sum(cumulative_volume * quantity)) FROM (SELECT DISTINCT symbol, cumulative_volume, quantity FROM trades)";
        assert_eq!(self.stack.number(sum).await, self.day.checksum());
    }

    async fn proven(&self) -> u64 {
        let date = self.day.date;
        self.stack
            .number(&format!(
                "SELECT count() FROM completeness WHERE market = 'kr' AND trade_date = '{date}' AND proven"
            ))
            .await
    }

    async fn messages(&self) -> (u64, u64) {
        let trades = self.stack.number("SELECT count() FROM trades").await;
        (trades, self.stack.number("SELECT count() FROM feed_status").await)
    }
}

/// How the brokers' cells connect.
pub fn nats(stack: &Stack) -> bus::NatsSettings {
    let command = stack.command("sise");
    let value = |name: &str| {
        let found = command.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value);
        found.expect("set").to_string_lossy().into_owned()
    };
    let passwords = ["kis_service", "kiwoom_service"].map(|user| {
        let password = value(&format!("SISE__NATS__PASSWORDS__{}", user.to_uppercase()));
        (user.to_owned(), bus::Password::new(password))
    });
    bus::NatsSettings {
        url: value("SISE__NATS__URL"),
        passwords: passwords.into_iter().collect(),
        ..bus::NatsSettings::default()
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_lost_is_refilled_and_proven_and_a_second_run_asks_nothing() {
    let road = Road::new(1).await;
    let found = road.run(&["find"]).await;
    assert_eq!(found.status.code(), Some(1), "{}", said(&found));
    assert_eq!(road.cell.asked(), 0, "to find asks nobody");
    let dry = road.run(&["recover", "--dry-run"]).await;
    assert!(said(&dry).contains("pages"), "{}", said(&dry));
    assert_eq!((road.cell.asked(), road.messages().await.1), (0, 0), "a dry run asks and says nothing");

    let first = road.run(&["recover"]).await;
    assert!(first.status.success(), "{}", said(&first));
    road.is_whole().await;
    assert_eq!(road.proven().await, road.day.symbols(), "{}", said(&first));
    let open = "SELECT count() FROM gaps WHERE is_open";
    assert_eq!(road.stack.number(open).await, 0);
    let recovered = "SELECT count() FROM trades WHERE origin = 'recovered'";
    assert_eq!(road.stack.number(recovered).await, road.day.lost());

    let (asked, messages) = (road.cell.asked(), road.messages().await);
    assert!(asked <= road.day.enough_pages(), "{asked} pages asked: {:?}", road.cell.calls());
    let second = road.run(&["recover"]).await;
    assert!(second.status.success(), "{}", said(&second));
    assert_eq!(road.cell.asked(), asked, "a second run asks nothing: {}", said(&second));
    assert_eq!(road.messages().await, messages, "a second run says nothing");

    let explained = road.run(&["explain", road.day.lossy()]).await;
    assert!(explained.status.success(), "{}", said(&explained));
    for part in ["shares missing", "last print before", "asked: ", "state: closed", "complete, and proven"] {
        assert!(said(&explained).contains(part), "{part}: {}", said(&explained));
    }
    let listed = road.run(&["list"]).await;
    assert!(listed.status.success() && said(&listed).contains("closed"), "{}", said(&listed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_killed_in_the_middle_is_done_by_the_next_one() {
    let road = Road::new(2).await;
    for pages in [3, 5] {
        // Every page after these waits until the run is dead.
        road.cell.stop_after(road.cell.asked() + pages);
        let mut command = road.gaps(&["recover"]);
        let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sise");
        until("the run waits for a page", async || road.cell.waits()).await;
        run.kill().expect("killed");
        run.wait().expect("ended");
        road.cell.go_on();
    }
    let last = road.run(&["recover"]).await;
    assert!(last.status.success(), "{}", said(&last));
    road.is_whole().await;
    assert_eq!(road.proven().await, road.day.symbols(), "{}", said(&last));
    let (asked, messages) = (road.cell.asked(), road.messages().await);
    let again = road.run(&["recover"]).await;
    assert!(again.status.success(), "{}", said(&again));
    assert_eq!((road.cell.asked(), road.messages().await), (asked, messages));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_source_lacks_stays_open_with_its_residue_and_is_not_asked_again() {
    let road = Road::new(3).await;
    let shares = road.cell.lack_a_lost_row();
    let first = road.run(&["recover"]).await;
    assert_eq!(first.status.code(), Some(1), "{}", said(&first));
    assert_eq!(road.proven().await, road.day.symbols() - 1, "{}", said(&first));
    let open = "SELECT toUInt64(sum(open_volume)) FROM gaps WHERE is_open";
    assert_eq!(road.stack.number(open).await, shares, "{}", said(&first));
    let recovered = "SELECT count() FROM trades WHERE origin = 'recovered'";
    assert_eq!(road.stack.number(recovered).await, road.day.lost() - 1);
    let (asked, messages) = (road.cell.asked(), road.messages().await);
    let second = road.run(&["recover"]).await;
    assert_eq!(second.status.code(), Some(1), "{}", said(&second));
    assert_eq!((road.cell.asked(), road.messages().await), (asked, messages), "{}", said(&second));
}
