//! What is written into the journal beside frames: the life of the connections, as JSON.
//!
//! So everything that is published comes from the journal, and a restart tells the same story with the same ids.

use broker::connection::LinkNote;
use broker::feed::Note;
use market::{Change, Group, Symbol};
use serde::{Deserialize, Serialize};

/// A note in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    /// The connection's name; empty where none is meant.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub connection: String,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// The process started; what came before it ended here.
    Started {
        /// When the journal's last record was received, UTC ns; none in a new journal.
        last_received_ns: Option<i64>,
    },
    /// A connection was made.
    Up,
    /// Every registration was answered.
    Settled {
        /// Confirmed.
        registered: u32,
        /// Refused.
        refused: u32,
    },
    /// A registration was refused.
    Refused {
        /// What was asked for.
        registration: String,
        /// The broker's code.
        code: String,
        /// The broker's text.
        text: String,
    },
    /// Confirmed registrations deliver nothing.
    Silent {
        /// Their symbols.
        symbols: Vec<String>,
        /// For how long, in ms.
        silence_ms: u64,
    },
    /// A connection was closed because its market is, or because nothing is wanted of it.
    Idle,
    /// A connection ended.
    Down {
        /// Why.
        reason: String,
        /// When the last message was read, UTC ns.
        last_received_ns: i64,
    },
    /// This broker carries a group now.
    Took {
        /// Which, from whom, why.
        change: Change,
        /// What nobody carried since the owner before died, as tape and symbol.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        missing: Vec<(String, String)>,
        /// Symbols that it has no room for or may not carry.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        uncovered: Vec<String>,
    },
    /// This broker carries a group no longer.
    Gave {
        /// Which.
        group: Group,
    },
    /// The journal could not keep frames for a while; the sockets were not read.
    JournalFull {
        /// From when, UTC ns.
        from_ns: i64,
        /// Until when, UTC ns.
        until_ns: i64,
    },
}

impl Noted {
    /// A note that no single connection is meant by.
    #[must_use]
    pub const fn of_all(what: What) -> Self {
        Self { connection: String::new(), what }
    }

    /// The note as bytes of a journal record.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Plain text and numbers: this cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl From<LinkNote> for What {
    fn from(note: LinkNote) -> Self {
        match note {
            LinkNote::Up => Self::Up,
            LinkNote::Idle => Self::Idle,
            LinkNote::Down { reason, last_received_ns } => Self::Down { reason, last_received_ns },
            LinkNote::Took { change, missing, uncovered } => {
                let missing = missing.iter().map(|(tape, symbol)| (tape.to_string(), symbol.to_string()));
                let uncovered = uncovered.iter().map(Symbol::to_string).collect();
                Self::Took { change, missing: missing.collect(), uncovered }
            }
            LinkNote::Gave { group } => Self::Gave { group },
            LinkNote::Protocol(Note::Settled { registered, refused }) => {
                Self::Settled { registered, refused }
            }
            LinkNote::Protocol(Note::Refused { registration, code, text }) => {
                Self::Refused { registration, code, text }
            }
            LinkNote::Protocol(Note::Silent { symbols, silence }) => Self::Silent {
                symbols: symbols.iter().map(Symbol::to_string).collect(),
                silence_ms: u64::try_from(silence.as_millis()).unwrap_or(u64::MAX),
            },
        }
    }
}
