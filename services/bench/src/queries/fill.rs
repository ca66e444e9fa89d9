//! A synthetic archive, made by the server itself: days of a market of many symbols with plausible values, as two brokers tell
//! them. The same counts make the same rows.

use anyhow::{Context as _, ensure};

use super::sql::Database;

const TRADES: &str = include_str!("trades.sql");
const ORDER_BOOKS: &str = include_str!("order_books.sql");
const FEED_STATUS: &str = include_str!("feed_status.sql");
const ARCHIVED: &str = include_str!("archived.sql");

/// Both brokers.
const SOURCES: [&str; 2] = ["kis", "kiwoom"];
/// Rows of a table that a day has, of both brokers.
const ROWS_A_DAY: u64 = 2_000_000;
/// Of so many prints of a symbol one came recovered and one is lost, as `trades.sql` has it.
const PERIOD: u64 = 499;
const RECOVERED: u64 = 101;
const LOST: u64 = 301;

/// How large a market is, and for how long it is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Trading days, the first of them a Monday.
    pub days: u64,
    /// Symbols.
    pub symbols: u64,
    /// The symbol of rank r has so many prints (or books) by r + 20 on a day, at least one.
    pub scale: u64,
}

impl Plan {
    /// Of nearly so many rows in one table.
    #[must_use]
    pub fn of(rows: u64) -> Self {
        let days = (rows / ROWS_A_DAY).max(2);
        let symbols = (rows / days / 2_000).clamp(20, 1_000);
        let mut plan = Self { days, symbols, scale: 1 };
        // The largest scale that stays below, by halves.
        let (mut low, mut high) = (1, rows.saturating_mul(20).max(2));
        while high - low > 1 {
            plan.scale = low.midpoint(high);
            if 2 * days * plan.a_day() <= rows { low = plan.scale } else { high = plan.scale }
        }
        plan.scale = low;
        plan
    }

    /// Prints or books of one symbol on a day.
    fn of_symbol(self, rank: u64) -> u64 {
        (self.scale / (rank + 20)).max(1)
    }

    /// Prints or books of a day, of one broker that misses none.
    fn a_day(self) -> u64 {
        (0..self.symbols).map(|rank| self.of_symbol(rank)).sum()
    }

    /// Of all prints of a day: those that one broker tells live, and those that came recovered.
    fn told(self) -> (u64, u64) {
        let counts = (0..self.symbols).map(|rank| self.of_symbol(rank));
        counts.fold((0, 0), |(live, recovered), prints| {
            let (came, lost) = (which(prints, RECOVERED), which(prints, LOST));
            (live + prints - came - lost, recovered + came)
        })
    }

    /// Rows of `trades` when everything is filled.
    #[must_use]
    pub fn trades(self) -> u64 {
        let (live, recovered) = self.told();
        self.days * (2 * live + recovered)
    }

    /// Rows of `order_books` when everything is filled.
    #[must_use]
    pub fn books(self) -> u64 {
        self.days * 2 * self.a_day()
    }
}

/// The symbol of a rank, as the statements have it.
#[must_use]
pub fn symbol(rank: u64) -> String {
    format!("{:06}", 10 * ((593 + rank * 7_919) % 99_991))
}

/// How many of the numbers 1 to `count` leave `rest` when divided by the period.
const fn which(count: u64, rest: u64) -> u64 {
    (count + PERIOD - rest) / PERIOD
}

/// Fills `trades`, what is said of its volume, and the ledger. Returns the rows of `trades`.
///
/// # Errors
/// What ClickHouse says, and another number of rows than was meant.
pub async fn trades(database: &Database, plan: Plan) -> anyhow::Result<u64> {
    let (live, recovered) = plan.told();
    for day in 0..plan.days {
        for source in SOURCES {
            let told = if source == "kiwoom" { live + recovered } else { live };
            one_day(database, TRADES, plan, (day, source, told)).await?;
        }
        one_day(database, FEED_STATUS, plan, (day, "", 0)).await?;
    }
    finish(database, "trades", plan.trades()).await
}

/// Fills `order_books` and its ledger. Returns the rows of `order_books`.
///
/// # Errors
/// As [`trades`].
pub async fn books(database: &Database, plan: Plan) -> anyhow::Result<u64> {
    for day in 0..plan.days {
        for source in SOURCES {
            one_day(database, ORDER_BOOKS, plan, (day, source, plan.a_day())).await?;
        }
    }
    finish(database, "order_books", plan.books()).await
}

/// A day of one broker, which has told so many events on each day before.
async fn one_day(
    database: &Database,
    sql: &str,
    plan: Plan,
    (day, source, told): (u64, &str, u64),
) -> anyhow::Result<()> {
    let number = |number: u64| number.to_string();
    let (before, day, scale, symbols) =
        (number(day * told), number(day), number(plan.scale), number(plan.symbols));
    let values = [
        ("day", day.as_str()),
        ("source", source),
        ("scale", &scale),
        ("symbols", &symbols),
        ("before", &before),
    ];
    database.run(sql, &values).await.with_context(|| format!("fill day {day} of {source}"))?;
    Ok(())
}

/// Writes the ledger, merges what was inserted into one part a month, and counts.
async fn finish(database: &Database, table: &str, expected: u64) -> anyhow::Result<u64> {
    database.run(ARCHIVED, &[("table", table)]).await.context("fill the ledger")?;
    database.run(&format!("OPTIMIZE TABLE {table} FINAL"), &[]).await.context("merge")?;
    let rows = database.number(&format!("SELECT count() FROM {table}")).await?;
    ensure!(rows == expected, "{table} has {rows} rows in place of {expected}");
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_has_nearly_the_rows_that_are_asked_for() {
        let plan = Plan::of(20_000_000);
        assert_eq!((plan.days, plan.symbols), (10, 1_000));
        assert!((19_900_000..=20_000_000).contains(&plan.books()), "{}", plan.books());
        assert!((19_900_000..=20_000_000).contains(&plan.trades()), "{}", plan.trades());
        let small = Plan::of(20_000);
        assert_eq!((small.days, small.symbols), (2, 20));
        assert!((19_500..=20_000).contains(&small.books()), "{}", small.books());
    }

    #[test]
    fn symbols_are_those_of_the_statements() {
        assert!([TRADES, ORDER_BOOKS].iter().all(|sql| sql.contains("10 * ((593 + rank * 7919) % 99991)")));
        assert_eq!([symbol(0), symbol(999)], ["005930", "123850"]);
    }

    #[test]
    fn what_is_lost_is_counted_as_the_statement_has_it() {
        assert_eq!([which(100, 101), which(101, 101), which(599, 101), which(600, 101)], [0, 1, 1, 2]);
        let plan = Plan { days: 1, symbols: 1, scale: 20 * 600 };
        assert_eq!(plan.told(), (597, 2));
        assert_eq!((plan.trades(), plan.books()), (1_196, 1_200));
    }
}
