//! Trades and books of a feed to what its own cumulative volumes say is missing, at once: a chain for each tape and symbol
//! (`market::chain`), broken by a print that does not join the one before, or by a book that knows of more shares than
//! the prints do. Time is that of the records, never a clock's: read again, they say the same.

use std::collections::{HashMap, VecDeque};

use market::chain::{Chain, Grown, Link, Missing, OffHours, Place, Print};
use market::time::SECOND;
use market::{
    Codes, Gap, GapReason, MissingVolume, OrderBook, Quantity, Session, Status, Symbol, Tape, Trade,
    TradeDate,
};
use tracing::warn;

/// Instruments whose chains are kept: more than any universe has. About 600 bytes each, and what is open.
const MOST: usize = 20_000;
/// A book and the print of the same instant come in no promised order. So long is the print waited for, ns.
const BOOK_AHEAD: i64 = 2 * SECOND;

/// What the cumulative volumes of one instrument have told.
#[derive(Debug)]
struct Instrument {
    chain: Chain,
    /// How the last trade came.
    seen: Seen,
    /// A book that knows of more shares than the prints.
    awaited: Option<Awaited>,
    /// Whether a note in the queue of books stands for it.
    is_queued: bool,
}

/// How a trade came.
#[derive(Debug, Clone, Copy)]
struct Seen {
    session: Session,
    codes: Codes,
    /// How often it had been unsure by then whether trades and books are listened to.
    trades_unsure: u32,
    books_unsure: u32,
}

#[derive(Debug, Clone, Copy)]
struct Awaited {
    trade_date: TradeDate,
    cumulative_volume: Quantity,
    /// When the book was received, UTC ns.
    since_ns: i64,
}

/// The chains of a feed.
#[derive(Debug, Default)]
pub struct Chains {
    instruments: HashMap<(Tape, Symbol), Instrument>,
    /// Instruments with an awaited print, by the time since when; one note for each instrument at most.
    queue: VecDeque<(i64, (Tape, Symbol))>,
    trades_unsure: u32,
    books_unsure: u32,
}

impl Chains {
    /// Groups have other owners: what passed since an instrument's last trade may have been another broker's to carry,
    /// until its next one.
    pub fn owners_changed(&mut self) {
        self.trades_unsure = self.trades_unsure.wrapping_add(1);
        self.books_unsure = self.books_unsure.wrapping_add(1);
    }

    /// The process was started: owners may have changed without a note. A trade still tells what is missing before it; a
    /// book tells nothing until one has come.
    pub fn started(&mut self) {
        self.books_unsure = self.books_unsure.wrapping_add(1);
    }

    /// What a trade tells of those before it.
    pub fn trade(&mut self, trade: &Trade) -> Vec<Status> {
        let name = (trade.at.tape, trade.at.symbol);
        if self.instruments.len() >= MOST && !self.instruments.contains_key(&name) {
            self.instruments.clear();
            self.queue.clear();
        }
        let seen = Seen {
            session: trade.session,
            codes: trade.session_codes,
            trades_unsure: self.trades_unsure,
            books_unsure: self.books_unsure,
        };
        let instrument = self.instruments.entry(name).or_insert_with(|| Instrument {
            chain: Chain::new(),
            seen,
            awaited: None,
            is_queued: false,
        });
        let before = instrument.seen;
        let place = Place {
            trade_date: trade.at.trade_date,
            session_changed: before.is_other_session(&seen),
            unwatched: before.trades_unsure != seen.trades_unsure,
        };
        let link = instrument.chain.push(Print::from(trade), place);
        // What came behind later ones says nothing of the session that is now.
        if !matches!(link, Link::Late | Link::Duplicate | Link::Correction) {
            instrument.seen = seen;
        }
        let mut told = tell(name, trade.at.trade_date, link);
        for missing in instrument.chain.take_filled() {
            let detail = "prints that came late have filled it".to_owned();
            let gap = gap(name, trade.at.trade_date, missing, Some(Quantity::ZERO), detail);
            told.push(Status::GapClosed(gap));
        }
        told
    }

    /// A book: when it knows of more shares than the prints of its session, these are waited for.
    pub fn book(&mut self, book: &OrderBook, received_ns: i64) {
        let Some(cumulative_volume) = book.cumulative_volume else { return };
        let name = (book.at.tape, book.at.symbol);
        let Some(instrument) = self.instruments.get_mut(&name) else { return };
        let trade_date = book.at.trade_date;
        // Between sessions the counter grows without prints, and books of groups that others carry tell of theirs.
        if !instrument.chain.is_behind(trade_date, cumulative_volume)
            || instrument.seen.session != book.session
            || instrument.seen.books_unsure != self.books_unsure
        {
            return;
        }
        let waits = instrument
            .awaited
            .is_some_and(|awaited| instrument.chain.is_behind(awaited.trade_date, awaited.cumulative_volume));
        if waits {
            return;
        }
        instrument.awaited = Some(Awaited { trade_date, cumulative_volume, since_ns: received_ns });
        if !std::mem::replace(&mut instrument.is_queued, true) {
            self.queue.push_back((received_ns, name));
        }
    }

    /// Which awaited prints have not come by `now_ns`.
    pub fn due(&mut self, now_ns: i64) -> Vec<Status> {
        let mut told = Vec::new();
        let due_ns = now_ns.saturating_sub(BOOK_AHEAD);
        // What is waited for since later goes to the end, once.
        for _ in 0..self.queue.len() {
            let Some((_, name)) = self.queue.pop_front_if(|(since_ns, _)| *since_ns <= due_ns) else { break };
            let Some(instrument) = self.instruments.get_mut(&name) else { continue };
            instrument.is_queued = false;
            let Some(awaited) = instrument.awaited else { continue };
            if !instrument.chain.is_behind(awaited.trade_date, awaited.cumulative_volume)
                || instrument.seen.books_unsure != self.books_unsure
            {
                instrument.awaited = None;
            } else if awaited.since_ns > due_ns {
                instrument.is_queued = true;
                self.queue.push_back((awaited.since_ns, name));
            } else {
                instrument.awaited = None;
                let link = instrument.chain.lacks(awaited.trade_date, awaited.cumulative_volume);
                told.extend(link.map(|link| tell(name, awaited.trade_date, link)).into_iter().flatten());
            }
        }
        told
    }
}

impl Seen {
    /// Whether a session ended between two trades: volume without a print in between is then off-hours volume. If the
    /// connection was another, it may be as well what was missed meanwhile: the outage is a gap of its own, and the end of
    /// the day tells the two apart.
    fn is_other_session(&self, later: &Self) -> bool {
        self.session != later.session || session_code(&self.codes) != session_code(&later.codes)
    }
}

/// The codes that change with the session: the first one of every broker (KIS `NEW_MKOP_CLS_CODE` and `MTYP`, Kiwoom FID
/// 290) and the fourth of KIS (`MARKET_CLS_CODE`). The others change within a session.
fn session_code(codes: &Codes) -> (Option<&str>, Option<&str>) {
    let mut codes = codes.as_str().split('|');
    (codes.next(), codes.nth(2))
}

/// The statuses of a link.
fn tell(name: (Tape, Symbol), trade_date: TradeDate, link: Link) -> Vec<Status> {
    let count = |what| metrics::counter!("sise_cell_chain_total", "what" => what).increment(1);
    let mut told = Vec::new();
    match link {
        Link::First { .. } | Link::Contiguous | Link::NewDay { .. } => {}
        Link::Gap(missing) => {
            count("gap");
            let detail = match missing.until_ns {
                Some(_) => format!("{} shares between two prints", missing.volume()),
                None => format!("a book knows of {} shares more than the prints", missing.volume()),
            };
            told.push(Status::GapOpened(gap(name, trade_date, missing, None, detail)));
        }
        Link::Grown(grown) => {
            count("gap");
            tell_grown(name, trade_date, &grown, &mut told);
        }
        Link::OffHours(OffHours { .. }) => count("off_hours"),
        Link::Unwatched(_) => count("unwatched"),
        Link::Late => count("late"),
        Link::Duplicate => count("duplicate"),
        Link::Correction => count("correction"),
        Link::Reset(reset) => {
            count("reset");
            warn!(
                tape = %name.0, symbol = %name.1, %trade_date, before = %reset.before,
                "the cumulative volume has started again from zero"
            );
        }
    }
    told
}

/// The break that stands for many, each time that their number has doubled; what was told of it before ends in it.
fn tell_grown(name: (Tape, Symbol), trade_date: TradeDate, grown: &Grown, told: &mut Vec<Status>) {
    let Grown { whole, breaks, volume, tell: true, told: before } = *grown else { return };
    let detail = format!(
        "{breaks} breaks with {volume} shares in one: too many are open to tell each, more follow untold until they are twice as many"
    );
    told.push(Status::GapOpened(gap(name, trade_date, whole, Some(volume), detail)));
    if let Some(before) = before {
        let detail = format!("goes on as a part of the one up to {}", whole.until);
        told.push(Status::GapClosed(gap(name, trade_date, before, Some(Quantity::ZERO), detail)));
    }
}

/// Times are the exchange's: of the prints at both ends.
fn gap(
    name: (Tape, Symbol),
    trade_date: TradeDate,
    missing: Missing,
    residue: Option<Quantity>,
    detail: String,
) -> Gap {
    let Missing { after, until, from_ns, until_ns } = missing;
    Gap {
        reason: GapReason::ChainBreak,
        connection: None,
        instrument: Some(name),
        // A live break always has a print before it.
        from_ns: from_ns.or(until_ns).unwrap_or_default(),
        until_ns,
        detail,
        volume: Some(MissingVolume { trade_date, after, until, residue }),
    }
}

#[cfg(test)]
mod tests;
