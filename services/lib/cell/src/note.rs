//! What is written into the journal beside frames: the life of the connections, as JSON.
//!
//! So everything that is published comes from the journal, and a restart tells the same story with the same ids.

use broker::connection::LinkNote;
use broker::feed::Note;
use market::Symbol;
use serde::{Deserialize, Serialize};

/// A note in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Noted {
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
    /// A connection ended.
    Down {
        /// Why.
        reason: String,
        /// When the last message was read, UTC ns.
        last_received_ns: i64,
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
    /// The note as bytes of a journal record.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Plain text and numbers: this cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl From<LinkNote> for Noted {
    fn from(note: LinkNote) -> Self {
        match note {
            LinkNote::Up => Self::Up,
            LinkNote::Down { reason, last_received_ns } => Self::Down { reason, last_received_ns },
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
