//! What is known of the running system at one moment, as `docs/status.schema.json` has it. A part that could not be looked at
//! says why; an empty part that is known is empty.

use serde::Serialize;

/// The version of the form; raised when a field changes its meaning.
pub const VERSION: u32 = 1;

/// What is to be thought of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nobody is needed.
    Ok,
    /// Something needs a person.
    Attention,
    /// The bus does not answer: hardly anything can be looked at.
    Blind,
}

/// Something that needs a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Need {
    /// The part where it stands.
    pub part: &'static str,
    /// Of what, and what is wrong.
    pub what: String,
    /// What to do.
    pub advice: String,
}

/// A list, or why it is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part<T> {
    /// Whether it could be looked at.
    pub known: bool,
    /// Why it, or some of it, is not known.
    pub why: Option<String>,
    /// What was found.
    pub rows: Vec<T>,
}

impl<T> Part<T> {
    /// All of it.
    pub const fn whole(rows: Vec<T>) -> Self {
        Self { known: true, why: None, rows }
    }

    /// Nothing of it.
    pub const fn unknown(why: String) -> Self {
        Self { known: false, why: Some(why), rows: Vec::new() }
    }
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Picture {
    /// [`VERSION`].
    pub version: u32,
    /// When it was taken, UTC ns.
    pub now_ns: i64,
    /// The same for people.
    pub now: String,
    /// The whole in a word.
    pub verdict: Verdict,
    /// What needs a person, the most urgent first.
    pub needs: Vec<Need>,
    /// The servers.
    pub servers: Vec<Server>,
    /// Our processes.
    pub services: Part<Service>,
    /// Connections to brokers.
    pub links: Part<Link>,
    /// How full the keys are.
    pub registrations: Part<Registrations>,
    /// Streams and who reads them.
    pub streams: Part<Stream>,
    /// How far the archive is.
    pub archive: Part<Archive>,
    /// Gaps of today that are open.
    pub gaps: Part<Gaps>,
    /// Who carries what.
    pub ownership: Part<Owned>,
    /// What is taken and free on disk.
    pub disk: Part<Disk>,
}

/// A server that everything needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Server {
    /// nats, clickhouse.
    pub name: &'static str,
    /// Its address.
    pub url: String,
    /// Whether it answers.
    pub answers: bool,
    /// Why not.
    pub why: Option<String>,
}

/// How a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It works.
    Ok,
    /// It works and has no data, and that may be right.
    Quiet,
    /// Its broker is dead.
    Dead,
    /// It was there and says nothing any more.
    Silent,
    /// It does not run.
    Absent,
    /// It cannot be told.
    Unknown,
}

impl State {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Quiet => "quiet",
            Self::Dead => "dead",
            Self::Silent => "silent",
            Self::Absent => "absent",
            Self::Unknown => "unknown",
        }
    }
}

/// A process of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Service {
    /// kis-service, archiver, …
    pub name: &'static str,
    /// The market that it serves; none = all.
    pub market: Option<&'static str>,
    /// How it is.
    pub state: State,
    /// Why, for people.
    pub why: String,
    /// Since when it is so, UTC ns.
    pub since_ns: Option<i64>,
    /// How long ago it was heard of.
    pub heard_ms: Option<i64>,
    /// When the process began, UTC ns.
    pub started_ns: Option<i64>,
    /// Versions of the processes of this name that answer.
    pub versions: Vec<String>,
    /// Whether the calendar expects data now; none = no broker's service.
    pub data_expected: Option<bool>,
    /// Whether the settings here have a key for it; none = it needs none.
    pub has_key: Option<bool>,
}

/// How a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// It is up.
    Up,
    /// It is not, and tries to be.
    Down,
    /// Nothing was heard of the broker while data is expected.
    Dead,
    /// It cannot be told.
    Unknown,
}

impl LinkState {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Dead => "dead",
            Self::Unknown => "unknown",
        }
    }
}

/// A connection to a broker: one a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// kr, us.
    pub market: &'static str,
    /// kis, kiwoom.
    pub source: &'static str,
    /// The name of its key.
    pub connection: String,
    /// How it is.
    pub state: LinkState,
    /// When it came up or went down, UTC ns; none = nothing is archived of it.
    pub since_ns: Option<i64>,
    /// Registrations confirmed when it came up.
    pub registered: Option<u32>,
    /// Registrations refused then.
    pub refused: Option<u32>,
    /// Registrations that its key has room for.
    pub free: u32,
    /// Symbols without data, when it is dead.
    pub dead_symbols: usize,
    /// Why it is not up.
    pub why: String,
}

/// How full a broker's keys are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Registrations {
    /// kr, us.
    pub market: &'static str,
    /// kis, kiwoom.
    pub source: &'static str,
    /// Confirmed over all its connections; none = its service says nothing.
    pub used: Option<u32>,
    /// What its keys may hold; none = its service says nothing.
    pub limit: Option<u32>,
    /// What the symbols file wants of it; none = the settings here have no key.
    pub wanted: Option<usize>,
    /// What has no place, in the broker's words; none = the settings here have no key.
    pub uncovered: Option<Vec<String>>,
}

/// A stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// Why it cannot be told; the numbers below are missing then.
    pub why: Option<String>,
    /// Messages.
    pub messages: Option<u64>,
    /// Bytes.
    pub bytes: Option<u64>,
    /// Beyond so many bytes the oldest go; none = no limit.
    pub max_bytes: Option<u64>,
    /// The oldest sequence that it holds.
    pub first_sequence: Option<u64>,
    /// The newest sequence that it ever held.
    pub last_sequence: Option<u64>,
    /// How long ago the oldest message was stored.
    pub oldest_ms: Option<i64>,
    /// Who reads it.
    pub consumers: Vec<Consumer>,
}

/// A durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// Why it cannot be told; the numbers below are missing then.
    pub why: Option<String>,
    /// Messages not delivered yet.
    pub pending: Option<u64>,
    /// Messages delivered and not acknowledged.
    pub ack_pending: Option<u64>,
    /// Of these, delivered more than once.
    pub redelivered: Option<u64>,
}

/// How far the archive is with a broker's live events of today.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Archive {
    /// kr, us.
    pub market: &'static str,
    /// kis, kiwoom.
    pub source: String,
    /// Trading day of the rows.
    pub trade_date: String,
    /// Rows of trades.
    pub trades: u64,
    /// Rows of order books.
    pub order_books: u64,
    /// When the newest row was read from the socket, UTC ns.
    pub newest_ns: i64,
    /// How long ago that was.
    pub newest_ms: i64,
    /// How much older it is than the last frame that the broker's service has read; none = its service says nothing.
    pub behind_ms: Option<i64>,
}

/// The gaps of a market's day that are open, of one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gaps {
    /// kr, us.
    pub market: &'static str,
    /// The trading day.
    pub trade_date: String,
    /// disconnected, `chain_break`, …
    pub reason: String,
    /// How many.
    pub open: usize,
    /// Shares missing in them; 0 = stretches of time.
    pub open_volume: i64,
    /// When the latest of them began, UTC ns.
    pub latest_ns: i64,
}

/// A group of a market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Owned {
    /// kr, us.
    pub market: &'static str,
    /// A, B.
    pub group: &'static str,
    /// Who owns it.
    pub owner: &'static str,
    /// Whose it is when all is well.
    pub home: &'static str,
    /// Whether the owner says that it carries it.
    pub is_carried: bool,
    /// Where a person holds it; none = nobody does.
    pub hold: Option<&'static str>,
    /// Who changed it last: auto, manual; none = nobody ever.
    pub by: Option<&'static str>,
    /// Since when, UTC ns.
    pub since_ns: Option<i64>,
    /// Why.
    pub why: String,
    /// Symbols on loan.
    pub on_loan: usize,
    /// With whom they are.
    pub loan_to: Option<&'static str>,
}

/// Something that takes room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// What it is.
    pub name: String,
    /// Why it cannot be told; the numbers below are missing then.
    pub why: Option<String>,
    /// Bytes that it takes.
    pub used: Option<u64>,
    /// Bytes that it may take; none = no limit of its own.
    pub limit: Option<u64>,
    /// Bytes free on its disk.
    pub free: Option<u64>,
    /// Bytes of its disk.
    pub total: Option<u64>,
}
