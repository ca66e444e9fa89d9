//! Bus against archive: what a stream holds and the ledger lacks → archived, by the archiver, on request.
//!
//! The archiver's own backlog is waited for as long as it shrinks. Only what it will not deliver to itself any more, holes
//! and a tail that stands still, is asked for: `archiver.replay`. Its answer is the truth about a stretch; a sequence that
//! the stream does not hold any more and no table has is lost, and named.

use std::time::Duration;

use bus::{ASK_LIMIT, AskError, Client, ConsumeError, Context, StreamState};
use market::Market;
use serde::Deserialize;
use store::{Store, StoreError};
use tokio::time::{Instant, sleep};

use crate::progress::{Progress, Step};

/// Who archives out of turn.
const REPLAY: &str = "archiver.replay";
/// Between two looks at the ledger.
const LOOK: Duration = Duration::from_millis(250);
/// A tail that does not move for so long is asked for: an archiver inserts at least once in its batch age of a second.
const STANDSTILL: Duration = Duration::from_secs(15);
/// Tries of one request while the archiver is busy or away, with a growing pause.
const TRIES: u32 = 5;

/// Why the archive could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The bus does not tell what a stream holds.
    #[error(
        "stream {stream}: {source}: is nats-server running, and is the stream made (`sise streams apply`)?"
    )]
    Stream {
        /// The stream.
        stream: String,
        /// Why.
        #[source]
        source: ConsumeError,
    },
    /// ClickHouse does not tell what it has.
    #[error("ledger of stream {stream}: {source}")]
    Ledger {
        /// The stream.
        stream: String,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// Nobody archives.
    #[error(
        "archive lacks {lacking} messages of stream {stream}, and nobody answers archiver.replay: start archiver, then run this again"
    )]
    NoArchiver {
        /// The stream.
        stream: String,
        /// How many.
        lacking: u64,
    },
    /// The archiver refuses.
    #[error("archiver.replay of stream {stream} {first} to {last}: {source}")]
    Replay {
        /// The stream.
        stream: String,
        /// First sequence asked for.
        first: u64,
        /// Last sequence asked for.
        last: u64,
        /// Why.
        #[source]
        source: AskError,
    },
    /// An answer that is none.
    #[error(
        "archiver.replay of stream {stream}: the answer cannot be read ({problem}): has archiver another version?"
    )]
    Answer {
        /// The stream.
        stream: String,
        /// What is wrong.
        problem: String,
    },
    /// What is known to be on the bus does not reach the archive.
    #[error("archive lacks {lacking} messages of stream {stream} and got none for {} s: see the log of archiver", limit.as_secs())]
    Stands {
        /// The stream.
        stream: String,
        /// How many.
        lacking: u64,
        /// How long it was waited for.
        limit: Duration,
    },
}

/// What came of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compared {
    /// The stream.
    pub stream: String,
    /// Sequences that it held and the ledger lacked.
    pub lacking: u64,
    /// Archived on request.
    pub archived: u64,
    /// In a table already, under an older epoch or published twice.
    pub there: u64,
    /// In the dead letters.
    pub set_aside: u64,
    /// Neither in the stream nor in a table.
    pub gone: Vec<(u64, u64)>,
}

/// `{"next": 10001, "there": 1, "inserted": 2, "set_aside": 0, "gone": [[1, 2]]}`; the rest of the answer repeats the question.
#[derive(Debug, Deserialize)]
struct Answer {
    next: Option<u64>,
    there: u64,
    inserted: u64,
    set_aside: u64,
    gone: Vec<(u64, u64)>,
}

/// Bus and archive.
#[derive(Debug, Clone)]
pub struct Archive {
    /// To ask the archiver.
    pub client: Client,
    /// To ask the bus.
    pub context: Context,
    /// The ledger.
    pub store: Store,
    /// How long something may stand still that must move.
    pub limit: Duration,
}

/// The streams that hold what a market's day consists of.
#[must_use]
pub fn streams_of(topology: &bus::Topology, market: Market) -> Vec<String> {
    let other = |stream: &str| {
        let of = |market: &Market| stream.contains(&format!("_{}_", market.as_str().to_uppercase()));
        Market::ALL.iter().any(|known| *known != market && of(known))
    };
    topology.streams_of("archiver").filter(|stream| !other(stream)).map(str::to_owned).collect()
}

impl Archive {
    async fn state(&self, stream: &str) -> Result<StreamState, ArchiveError> {
        let state = bus::consumer::stream_state(&self.context, stream).await;
        state.map_err(|source| ArchiveError::Stream { stream: stream.to_owned(), source })
    }

    fn ledger(stream: &str) -> impl Fn(StoreError) -> ArchiveError {
        let stream = stream.to_owned();
        move |source| ArchiveError::Ledger { stream: stream.clone(), source }
    }

    /// Makes the archive have all that `stream` holds now.
    ///
    /// # Errors
    /// [`ArchiveError`]; what was archived stands.
    pub async fn complete(&self, stream: &str, progress: &impl Progress) -> Result<Compared, ArchiveError> {
        let state = self.state(stream).await?;
        let mut compared = Compared { stream: stream.to_owned(), ..Compared::default() };
        if state.messages == 0 {
            return Ok(compared);
        }
        self.tail(stream, &state, STANDSTILL, progress).await?;
        let wanted = state.first_sequence..=state.last_sequence;
        let lacking =
            self.store.lacking(stream, state.created_ns, wanted).await.map_err(Self::ledger(stream))?;
        compared.lacking = lacking.messages();
        for hole in lacking.holes {
            self.replay(*hole.start(), *hole.end(), &mut compared).await?;
        }
        for (first, last) in &compared.gone {
            tracing::error!(stream, first, last, "messages are neither in the stream nor in the archive");
        }
        progress.tell(&Step::Stream { stream, lacking: compared.lacking, archived: compared.archived });
        Ok(compared)
    }

    /// The last sequence that `stream` gave out.
    ///
    /// # Errors
    /// [`ArchiveError::Stream`].
    pub async fn last(&self, stream: &str) -> Result<u64, ArchiveError> {
        Ok(self.state(stream).await?.last_sequence)
    }

    /// Waits until the archive has all that `stream` holds now behind sequence `after`: what this process has published.
    ///
    /// # Errors
    /// [`ArchiveError::Stands`] when the archive gets nothing of it for too long.
    pub async fn caught_up(
        &self,
        stream: &str,
        after: u64,
        progress: &impl Progress,
    ) -> Result<(), ArchiveError> {
        let state = self.state(stream).await?;
        let began = Instant::now();
        let (mut least, mut moved) = (u64::MAX, began);
        // A stream that was made again is younger than `after`.
        if after >= state.last_sequence {
            return Ok(());
        }
        loop {
            let wanted = after + 1..=state.last_sequence;
            let lacking = self.store.lacking(stream, state.created_ns, wanted).await;
            let lacking = lacking.map_err(Self::ledger(stream))?.messages();
            if lacking == 0 {
                return Ok(());
            }
            if lacking < least {
                (least, moved) = (lacking, Instant::now());
            } else if moved.elapsed() >= self.limit {
                return Err(ArchiveError::Stands { stream: stream.to_owned(), lacking, limit: self.limit });
            }
            progress.tell(&Step::Waiting { messages: lacking, waited: began.elapsed() });
            sleep(LOOK).await;
        }
    }

    /// Waits until the ledger has the stream's last sequence, or gets nothing for as long as `limit`. Returns how many
    /// sequences the tail lacks then.
    async fn tail(
        &self,
        stream: &str,
        state: &StreamState,
        limit: Duration,
        progress: &impl Progress,
    ) -> Result<u64, ArchiveError> {
        let began = Instant::now();
        let (mut highest, mut moved) = (None, Instant::now());
        loop {
            let epochs =
                self.store.ledger_epochs(stream, state.created_ns).await.map_err(Self::ledger(stream))?;
            // What older epochs had behind the beginning of the last one stands there no more.
            let now = epochs.last().map_or(state.first_sequence.saturating_sub(1), |epoch| epoch.last);
            let lacking = state.last_sequence.saturating_sub(now);
            if lacking == 0 {
                return Ok(0);
            }
            if highest != Some(now) {
                (highest, moved) = (Some(now), Instant::now());
            } else if moved.elapsed() >= limit {
                return Ok(lacking);
            }
            progress.tell(&Step::Waiting { messages: lacking, waited: began.elapsed() });
            sleep(LOOK).await;
        }
    }

    /// Has a stretch archived, in as many requests as the archiver makes of it.
    async fn replay(&self, first: u64, last: u64, compared: &mut Compared) -> Result<(), ArchiveError> {
        let mut from = first;
        loop {
            let answer = self.ask(&compared.stream, from, last, compared.lacking).await?;
            compared.archived += answer.inserted;
            compared.there += answer.there;
            compared.set_aside += answer.set_aside;
            compared.gone.extend(answer.gone);
            match answer.next {
                Some(next) if next > from => from = next,
                _ => return Ok(()),
            }
        }
    }

    async fn ask(&self, stream: &str, first: u64, last: u64, lacking: u64) -> Result<Answer, ArchiveError> {
        let request = serde_json::json!({ "stream": stream, "first": first, "last": last }).to_string();
        let mut tries = 0;
        let answer = loop {
            tries += 1;
            match bus::ask_at(&self.client, REPLAY.to_owned(), request.clone().into(), ASK_LIMIT).await {
                Ok(answer) => break answer,
                Err(error) if error.is_retryable() && tries < TRIES => {
                    tracing::warn!(stream, first, last, %error, "archiver does not do it now, asking again");
                    sleep(Duration::from_secs(1 << tries)).await;
                }
                Err(AskError::NobodyAnswers { .. }) => {
                    return Err(ArchiveError::NoArchiver { stream: stream.to_owned(), lacking });
                }
                Err(source) => {
                    return Err(ArchiveError::Replay { stream: stream.to_owned(), first, last, source });
                }
            }
        };
        serde_json::from_slice(&answer)
            .map_err(|error| ArchiveError::Answer { stream: stream.to_owned(), problem: error.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_market_has_its_own_streams_and_the_common_ones() {
        let topology = bus::Topology::load(&bus::NatsSettings::default()).expect("topology");
        assert_eq!(
            streams_of(&topology, Market::Us),
            ["TICKER_US_KIS", "ORDERBOOK_US_KIS", "RECOVERED", "STATUS"]
        );
        assert_eq!(streams_of(&topology, Market::Kr).len(), 6);
    }

    #[test]
    fn an_answer_is_read_with_what_is_gone() {
        let answer = r#"{"stream":"S","first":1,"last":9,"next":null,"there":1,"inserted":2,"set_aside":0,"gone":[[4,9]]}"#;
        let answer: Answer = serde_json::from_str(answer).expect("answer");
        assert_eq!((answer.next, answer.inserted, answer.gone), (None, 2, vec![(4, 9)]));
    }
}
