//! What a cell needs of a broker: parse its frames, speak its protocol, open its connections.
//!
//! Everything here but [`Feed::open`] is free of I/O and clocks: time is an argument.

use std::future::Future;
use std::time::Duration;

use market::carriers::Wanted;
use market::{AggressorSide, Market, OrderBook, Quantity, Source, Symbol, Tape, Trade};

use crate::lines::{Lines, Subscription};
use crate::page::{Page, PageError, PageRequest};

/// One thing read from a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "most items are books: a box would cost an allocation each")]
pub enum Item {
    /// A trade, and the volumes by side where the side must be found against the record before.
    Trade(Trade, Option<SideVolumes>),
    /// A book.
    OrderBook(OrderBook),
    /// Recognised and kept apart from trades and books: counted under this name.
    Apart(&'static str),
    /// A record that cannot be used; its neighbours can.
    Refused(Refusal),
}

/// A frame or record that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// One word, for counters.
    pub reason: &'static str,
    /// What is wrong and where.
    pub detail: String,
    /// Whose record it is, where that can be told.
    pub instrument: Option<(Tape, Symbol)>,
    /// The refused record; none when the whole frame is refused.
    pub raw: Option<String>,
}

/// What a frame was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The broker's name for it, for example `H0STCNT0`.
    pub what: &'static str,
    /// Records in it.
    pub records: usize,
    /// Fields of a record.
    pub width: usize,
    /// Fields beyond the newest known list: tolerated and counted.
    pub extra_fields: usize,
    /// The announced number of records was wrong; the right one was found.
    pub count_was_wrong: bool,
}

/// Turns frames into items: a plain function with scratch memory.
pub trait FrameParser: Send {
    /// Appends what the frame holds to `items`.
    ///
    /// # Errors
    /// [`Refusal`] when the frame as a whole cannot be used; nothing was appended then.
    fn parse(&mut self, text: &str, received_ns: i64, items: &mut Vec<Item>) -> Result<Summary, Refusal>;
}

/// Cumulative volumes of one instrument by side, as a US record tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SideVolumes {
    /// Cumulative volume of the tape.
    pub cumulative_volume: Quantity,
    /// Cumulative volume executed at the bid: sellers took liquidity.
    pub sold: Quantity,
    /// Cumulative volume executed at the ask: buyers took liquidity.
    pub bought: Quantity,
}

impl SideVolumes {
    /// The side of a print of `quantity` that follows `before` directly: the side that grew by it; none when neither
    /// grew (a print between bid and ask); unspecified when prints are missing in between.
    #[must_use]
    pub fn aggressor_side(&self, before: &Self, quantity: Quantity) -> AggressorSide {
        let grown = (self.sold.checked_sub(before.sold), self.bought.checked_sub(before.bought));
        if before.cumulative_volume.checked_add(quantity) != Some(self.cumulative_volume) {
            return AggressorSide::Unspecified;
        }
        match grown {
            (Some(Quantity::ZERO), Some(Quantity::ZERO)) => AggressorSide::None,
            (Some(sold), Some(Quantity::ZERO)) if sold == quantity => AggressorSide::Sell,
            (Some(Quantity::ZERO), Some(bought)) if bought == quantity => AggressorSide::Buy,
            _ => AggressorSide::Unspecified,
        }
    }
}

/// The time of a connection, as its protocol sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since the connection was made.
    pub elapsed: Duration,
    /// Whether the market's calendar expects data at this moment.
    pub data_expected: bool,
}

/// What a protocol wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send a text message. It may hold secrets: never log it.
    Send(String),
    /// Tell people.
    Note(Note),
    /// Close the connection.
    Close {
        /// Why, for people.
        reason: String,
        /// What then.
        then: Retry,
    },
}

/// Something about a connection that people must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Every registration was answered.
    Settled {
        /// Confirmed registrations.
        registered: u32,
        /// Refused registrations.
        refused: u32,
    },
    /// A registration was refused: its symbol is not covered.
    Refused {
        /// What was asked for.
        registration: String,
        /// The broker's code.
        code: String,
        /// The broker's text, or ours where it did not answer.
        text: String,
    },
    /// Confirmed registrations deliver nothing at all.
    Silent {
        /// Their symbols.
        symbols: Vec<Symbol>,
        /// For how long.
        silence: Duration,
    },
}

/// When to connect again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// After the next back-off step.
    Backoff,
    /// Not before this time has passed.
    After(Duration),
    /// Only a person can help: the credentials are refused.
    Never,
}

/// The text protocol of one connection, as a state machine without I/O.
pub trait Protocol: Send {
    /// What it asks the broker for.
    type Registration: Subscription;

    /// Replaces what is wanted, most important first: the new is asked for, the rest given back, nothing twice.
    fn want(&mut self, wanted: &[Self::Registration]);
    /// The connection is made.
    fn opened(&mut self, now: Now, actions: &mut Vec<Action>);
    /// A text message came. True when it is a data frame, to be kept and parsed; false when it was control.
    fn received(&mut self, text: &str, now: Now, actions: &mut Vec<Action>) -> bool;
    /// Time has passed; called several times a second.
    fn passed(&mut self, now: Now, actions: &mut Vec<Action>);
    /// The broker closed the connection: when to connect again.
    fn closed(&mut self, code: Option<u16>, reason: &str) -> Retry {
        let _any = (code, reason);
        Retry::Backoff
    }
    /// No message at all for this long means that the socket is dead.
    fn liveness_limit(&self) -> Duration;
}

/// Where to connect, and what to speak there.
#[derive(Debug)]
pub struct Opening<P> {
    /// `ws://` or `wss://` address.
    pub url: String,
    /// The protocol with its credentials; nothing is wanted yet.
    pub protocol: P,
}

/// Why a connection could not even be prepared.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Network, server, maintenance: try again.
    #[error("{0}")]
    Temporary(String),
    /// The broker refuses the credentials: only a person can help.
    #[error("{0}")]
    Credentials(String),
}

/// A broker's feed of one market.
pub trait Feed: Send + Sync + 'static {
    /// Its protocol.
    type Protocol: Protocol + 'static;
    /// Its parser.
    type Parser: FrameParser + 'static;

    /// The market of the feed.
    fn market(&self) -> Market;
    /// The broker.
    fn source(&self) -> Source;
    /// A parser of its frames.
    fn parser(&self) -> Self::Parser;
    /// Its connections, one a key, and what each is to carry.
    fn lines(&self) -> &Lines<<Self::Protocol as Protocol>::Registration>;
    /// What must be registered to carry `wanted`, in the same order.
    fn registrations(&self, wanted: &[Wanted]) -> Vec<<Self::Protocol as Protocol>::Registration>;
    /// Gets credentials for connection number `index` and says where to connect.
    fn open(&self, index: usize) -> impl Future<Output = Result<Opening<Self::Protocol>, OpenError>> + Send;
    /// One page of the broker's REST interface, within its rate limits.
    fn page(&self, call: &str, request: &PageRequest)
    -> impl Future<Output = Result<Page, PageError>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volumes(cumulative: i64, sold: i64, bought: i64) -> SideVolumes {
        SideVolumes {
            cumulative_volume: Quantity::from_units(cumulative),
            sold: Quantity::from_units(sold),
            bought: Quantity::from_units(bought),
        }
    }

    #[test]
    fn the_side_that_grew_by_the_print_names_it() {
        // The two records of the frame captured 2023-05-02 09:19:12 New York: TVOL +3, ASVL +3.
        let before = volumes(108_464, 24_757, 20_513);
        let three = Quantity::from_units(3);
        assert_eq!(volumes(108_467, 24_757, 20_516).aggressor_side(&before, three), AggressorSide::Buy);
        assert_eq!(volumes(108_467, 24_760, 20_513).aggressor_side(&before, three), AggressorSide::Sell);
        assert_eq!(volumes(108_467, 24_757, 20_513).aggressor_side(&before, three), AggressorSide::None);
    }

    #[test]
    fn missing_prints_make_the_side_unknown() {
        let before = volumes(100, 40, 30);
        let five = Quantity::from_units(5);
        for after in [volumes(110, 40, 35), volumes(105, 42, 33), volumes(105, 39, 30), volumes(90, 40, 30)] {
            assert_eq!(after.aggressor_side(&before, five), AggressorSide::Unspecified);
        }
    }
}
