//! The tape: every event that was written to a socket becomes a line of JSON in a file, for comparison with what
//! was archived.
//!
//! A trade is
//! `{"kind":"trade","source":"kis","market":"kr","tape":"krx","symbol":"005930","trade_date":"20261125",`
//! `"exchange_ns":1764030605000000000,"price":"70000","quantity":10,"aggressor_side":"buy","cumulative_volume":1234,`
//! `"cumulative_value":"86380000","best_ask":"70000","best_bid":"69900","connections":[1]}` and a book
//! `{"kind":"order_book",` the same six, `"exchange_ns":…,"asks":[["70100",12],…],"bids":[["70000",3],…],`
//! `"total_ask_quantity":…,"total_bid_quantity":…,"cumulative_volume":…,"connections":[1]}`.
//!
//! - `source` is `kis` or `kiwoom`. Kiwoom's `cumulative_value` is whole million won in won, as it sends no more.
//! - `market` is `kr` or `us`; `tape` is `krx`, `nxt`, `all` (both), `us`, or `day` (the US market of the Korean
//!   daytime); `symbol` is bare (`AAPL`, `BRK/B`).
//! - Prices are decimal text without trailing zeros, best level first; levels without a price are left out.
//! - `exchange_ns` is the whole second of the frame in UTC; `trade_date` is Korea's date, for `us` New York's.
//! - `aggressor_side` (`buy`, `sell`, `none`) is the truth, also for the US, whose first record after a connect does
//!   not tell it. `cumulative_value` is whole won or truncated whole dollars. `cumulative_volume` of a US book is
//!   `null`.
//! - `connections` are the simulator's numbers of the sockets that it was written to (1, 2, … by time of accept). An
//!   event that went to several sockets is one line (Kiwoom: one each). Lines of one connection stand in the order of its frames.
//! - `frame`, the last field, is the number of the data frame on its connection, from 1, frames without a line counted as
//!   well. Events that went to several sockets have none.
//! - In replay of frame files a line is `{"kind":"frame","text":"0|H0STCNT0|…","connections":[1]}`.
//!
//! Beside it `<tape>.faults` keeps what must not be in the archive, or came in another way, with a `reason`: `drop`,
//! `truncate`, `wrong_count`, `garbage` (the record was spoilt, its neighbours in the frame are in the tape),
//! `unwritten` (the socket died first), `slow_reader` (`connections` had no room while another got it), and
//! `duplicate` (in the tape as well, and sent a second time).
//!
//! `<tape>.connections` tells of the sockets: `{"connection":1,"source":"kis","opened_ns":…}` (clock of this machine, UTC,
//! when it was accepted), and once it has ended `{"connection":1,"source":"kis","closed_ns":…,"frames":17,"end":"cut"}`
//! with the number of its data frames that were written. A frame that the script has spoilt is
//! `{"connection":1,"source":"kis","frame":7,"spoilt":"truncate"}` (or `wrong_count`, `garbage`).
//!
//! With `market_goes_on` one more file, `<tape>.market`, has every trade that happened, heard or not: a line as a trade
//! of the tape, of source `kis` and without `connections`, for each tape that counts it. It is what recovery must give.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use tokio::sync::{mpsc, oneshot};

/// Chunks that may wait for the disk: each at most a slice of events, so seconds of a storm; then writers wait.
const WAITING: usize = 256;

enum Command {
    Lines(String),
    Faults(String),
    Market(String),
    Connections(String),
    Flush(oneshot::Sender<()>),
}

/// The writer's address; without a file everything is dropped. Clones write to the same files.
#[derive(Debug, Clone)]
pub struct Tape {
    sender: Option<mpsc::Sender<Command>>,
}

impl Tape {
    /// Creates the files, with the market's when it is wanted, and the thread that writes them.
    ///
    /// # Errors
    /// When a file cannot be created.
    pub fn open(path: Option<&Path>, with_market: bool) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self { sender: None }) };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let beside = |end: &str| {
            let mut path = path.as_os_str().to_owned();
            path.push(end);
            PathBuf::from(path)
        };
        let market = if with_market { Some(create(&beside(".market"))?) } else { None };
        let connections = create(&beside(".connections"))?;
        let files = Files { lines: create(path)?, faults: create(&beside(".faults"))?, market, connections };
        let (sender, receiver) = mpsc::channel(WAITING);
        std::thread::Builder::new().name("tape".to_owned()).spawn(move || write(receiver, files))?;
        Ok(Self { sender: Some(sender) })
    }

    /// Whether lines are kept at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.sender.is_some()
    }

    /// Keeps lines of events that were written.
    pub async fn lines(&self, lines: String) {
        self.send(lines, Command::Lines).await;
    }

    /// Keeps lines of events with a reason.
    pub async fn faults(&self, lines: String) {
        self.send(lines, Command::Faults).await;
    }

    /// Keeps lines of trades that happened.
    pub async fn market(&self, lines: String) {
        self.send(lines, Command::Market).await;
    }

    /// Keeps lines of sockets that were opened or have ended.
    pub async fn connections(&self, lines: String) {
        self.send(lines, Command::Connections).await;
    }

    async fn send(&self, lines: String, command: fn(String) -> Command) {
        let Some(sender) = self.sender.as_ref().filter(|_| !lines.is_empty()) else { return };
        if sender.send(command(lines)).await.is_err() {
            tracing::error!("tape writer is gone, events are not recorded");
        }
    }

    /// Waits until everything kept so far is in the files.
    pub async fn flush(&self) {
        let Some(sender) = &self.sender else { return };
        let (done, wait) = oneshot::channel();
        if sender.send(Command::Flush(done)).await.is_ok() && wait.await.is_ok() {
            return;
        }
        tracing::error!("tape writer is gone, events are not recorded");
    }
}

/// The open files.
struct Files {
    lines: BufWriter<File>,
    faults: BufWriter<File>,
    market: Option<BufWriter<File>>,
    connections: BufWriter<File>,
}

impl Files {
    fn flush(&mut self) -> std::io::Result<()> {
        self.lines.flush()?;
        self.faults.flush()?;
        self.connections.flush()?;
        self.market.as_mut().map_or(Ok(()), Write::flush)
    }
}

fn create(path: &Path) -> anyhow::Result<BufWriter<File>> {
    let file =
        File::create(path).map_err(|e| anyhow::anyhow!("cannot create tape {}: {e}", path.display()))?;
    Ok(BufWriter::with_capacity(1 << 20, file))
}

/// Writes until the last sender is gone; flushes whenever nothing waits, so the file is never a second behind.
fn write(mut receiver: mpsc::Receiver<Command>, mut files: Files) {
    while let Some(command) = receiver.blocking_recv() {
        let mut result = Ok(());
        let mut waiting = None;
        match command {
            Command::Lines(text) => result = files.lines.write_all(text.as_bytes()),
            Command::Faults(text) => result = files.faults.write_all(text.as_bytes()),
            Command::Market(text) => {
                if let Some(market) = &mut files.market {
                    result = market.write_all(text.as_bytes());
                }
            }
            Command::Connections(text) => result = files.connections.write_all(text.as_bytes()),
            Command::Flush(done) => waiting = Some(done),
        }
        if waiting.is_some() || receiver.is_empty() {
            result = result.and_then(|()| files.flush());
        }
        if let Err(error) = result {
            tracing::error!(%error, "tape cannot be written");
            return;
        }
        if let Some(done) = waiting {
            // Nobody waits any more: nothing to tell.
            let _gone = done.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_and_faults_are_in_the_files_after_a_flush() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("deep/tape.jsonl");
        let tape = Tape::open(Some(&path), false).expect("tape");
        tape.lines("{\"a\":1}\n".to_owned()).await;
        tape.faults("{\"b\":2}\n".to_owned()).await;
        tape.flush().await;
        assert_eq!(std::fs::read_to_string(&path).expect("tape"), "{\"a\":1}\n");
        let faults = folder.path().join("deep/tape.jsonl.faults");
        assert_eq!(std::fs::read_to_string(faults).expect("faults"), "{\"b\":2}\n");
    }
}
