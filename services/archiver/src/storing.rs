//! Rows into their table, however long it takes: repeated while ClickHouse is away, cut in halves around a row that can
//! never be stored.

use std::future::Future;
use std::time::{Duration, Instant};

use process::ready::Part;
use store::{Bisection, Cause, Insert, StoreError};

/// First pause after a failure; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Refused rows in one batch, none stored beside them, that say that not the rows are wrong but the table.
const MAX_REFUSED: usize = 100;

/// What stands in the way of one stream's rows, and since when.
#[derive(Debug)]
pub struct Trouble {
    stream: String,
    longest: Duration,
    pauses: u32,
    since: Option<Instant>,
    ready: Part,
}

impl Trouble {
    /// None yet. `longest` is the longest pause between two tries.
    pub fn new(stream: &str, longest: Duration) -> Self {
        let ready = process::ready::part("clickhouse");
        ready.ready();
        Self { stream: stream.to_owned(), longest, pauses: 0, since: None, ready }
    }

    /// How often something had to be repeated since [`Trouble::over`].
    pub const fn pauses(&self) -> u32 {
        self.pauses
    }

    /// Tells of a failure and waits before the next try.
    pub async fn pause(&mut self, what: &'static str, error: &StoreError) {
        let doublings = self.pauses.min(16);
        let pause = FIRST_PAUSE.saturating_mul(1 << doublings).min(self.longest);
        self.since.get_or_insert_with(Instant::now);
        self.ready.not_ready(format!("{what}: {error}"));
        self.pauses = self.pauses.saturating_add(1);
        let (stream, cause, tries) = (&self.stream, error.cause(), self.pauses);
        metrics::counter!("sise_archiver_retries_total", "stream" => stream.clone(), "cause" => cause.as_str())
            .increment(1);
        match cause {
            Cause::Server => tracing::warn!(stream, what, tries, %error, "clickhouse failed, trying again"),
            Cause::Setup | Cause::Row => {
                tracing::error!(stream, what, tries, %error, "clickhouse refuses, trying again: see to it");
            }
        }
        tokio::time::sleep(pause).await;
    }

    /// It went well.
    pub fn over(&mut self) {
        self.ready.ready();
        if let Some(since) = self.since.take() {
            tracing::info!(
                stream = self.stream,
                tries = self.pauses,
                seconds = since.elapsed().as_secs(),
                "clickhouse answers again"
            );
        }
        self.pauses = 0;
    }
}

/// Asks until there is an answer.
pub async fn ask<T, Answer>(trouble: &mut Trouble, what: &'static str, mut query: impl FnMut() -> Answer) -> T
where
    Answer: Future<Output = Result<T, StoreError>>,
{
    loop {
        match query().await {
            Ok(answer) => return answer,
            Err(error) => trouble.pause(what, &error).await,
        }
    }
}

/// Stores `rows` and returns those that the table refuses, by index, each with its reason.
///
/// Ends when every row is stored or refused: everything else is repeated for ever, same rows, same order, same token.
pub async fn store_rows<R: Sync>(
    target: &impl Insert<R>,
    rows: &[R],
    salt: u32,
    trouble: &mut Trouble,
) -> Vec<(usize, StoreError)> {
    let mut bisection = Bisection::new(rows.len());
    let mut refused = Vec::new();
    while let Some(range) = bisection.next_range() {
        match target.insert(&rows[range], salt).await {
            Ok(()) => bisection.stored(),
            Err(error) if error.is_retryable() => trouble.pause("insert", &error).await,
            Err(error) if refused.len() >= MAX_REFUSED && bisection.rows_stored() == 0 => {
                trouble.pause("every row is refused", &error).await;
                bisection = Bisection::new(rows.len());
                refused.clear();
            }
            Err(error) => refused.extend(bisection.refused().map(|row| (row, error))),
        }
    }
    refused
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A table that answers inserts by a script and keeps what it stored.
    struct Table<F> {
        stored: Mutex<Vec<Vec<u32>>>,
        tries: Mutex<usize>,
        answer: F,
    }

    impl<F: Fn(usize, &[u32]) -> Result<(), i32> + Sync> Insert<u32> for Table<F> {
        async fn insert(&self, rows: &[u32], _salt: u32) -> Result<(), StoreError> {
            let try_number = {
                let mut tries = self.tries.lock().expect("tries");
                *tries += 1;
                *tries
            };
            match (self.answer)(try_number, rows) {
                Ok(()) => {
                    self.stored.lock().expect("stored").push(rows.to_vec());
                    Ok(())
                }
                Err(code) => Err(StoreError::Refused { code, text: "no".into() }),
            }
        }
    }

    async fn run<F: Fn(usize, &[u32]) -> Result<(), i32> + Sync>(
        rows: &[u32],
        answer: F,
    ) -> (Vec<Vec<u32>>, Vec<usize>, u32) {
        let table = Table { stored: Mutex::default(), tries: Mutex::default(), answer };
        let mut trouble = Trouble::new("S", Duration::from_millis(1));
        let refused = store_rows(&table, rows, 0, &mut trouble).await;
        let refused = refused.iter().map(|(row, _)| *row).collect();
        (table.stored.into_inner().expect("stored"), refused, trouble.pauses())
    }

    #[tokio::test]
    async fn good_rows_are_one_insert() {
        assert_eq!(run(&[1, 2, 3], |_, _| Ok(())).await, (vec![vec![1, 2, 3]], vec![], 0));
    }

    #[tokio::test]
    async fn too_many_parts_repeats_the_same_rows_and_sets_none_aside() {
        let answer = |try_number: usize, _: &[u32]| if try_number < 4 { Err(252) } else { Ok(()) };
        assert_eq!(run(&[1, 2, 3], answer).await, (vec![vec![1, 2, 3]], vec![], 3));
    }

    #[tokio::test]
    async fn a_poisoned_row_is_found_and_the_rest_stored() {
        let answer = |_: usize, rows: &[u32]| if rows.contains(&5) { Err(117) } else { Ok(()) };
        let (stored, refused, pauses) = run(&[1, 2, 3, 4, 5, 6, 7, 8], answer).await;
        assert_eq!(stored, [vec![1, 2, 3, 4], vec![6], vec![7, 8]]);
        assert_eq!((refused, pauses), (vec![4], 0));
    }

    #[tokio::test]
    async fn a_server_that_goes_away_amid_the_search_costs_nothing() {
        let answer = |try_number: usize, rows: &[u32]| match try_number {
            2 | 4 => Err(210),
            _ if rows.contains(&2) => Err(53),
            _ => Ok(()),
        };
        let (stored, refused, pauses) = run(&[1, 2, 3, 4], answer).await;
        assert_eq!(stored, [vec![1], vec![3, 4]]);
        assert_eq!((refused, pauses), (vec![1], 2));
    }

    #[tokio::test]
    async fn a_table_that_refuses_everything_is_not_a_thousand_bad_rows() {
        let rows: Vec<u32> = (0..1_000).collect();
        // After the table is mended the whole batch is stored.
        let answer = |try_number: usize, _: &[u32]| if try_number < 500 { Err(53) } else { Ok(()) };
        let (stored, refused, pauses) = run(&rows, answer).await;
        assert_eq!(stored.iter().map(Vec::len).sum::<usize>() + refused.len(), 1_000);
        assert!(refused.len() <= 100 && pauses >= 1, "{} refused, {pauses} pauses", refused.len());
    }
}
