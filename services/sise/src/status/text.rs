//! A picture → lines for people: what needs a person first, then a table a part.

use super::judge::{bytes, ms};
use super::picture::{
    Archive, Disk, Gaps, Link, LinkState, Owned, Part, Picture, Registrations, Service, State, Stream,
    Verdict,
};
use crate::json::clock;
use crate::words::{grouped, printable};

/// How a line is to be shown where there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// The name of a part.
    Head,
    /// As it must be.
    Good,
    /// Needs a person.
    Bad,
    /// Is not known, or is explained.
    Faint,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How it is shown.
    pub tone: Tone,
    /// Its text; harmless in a terminal.
    pub text: String,
}

/// All lines of a picture.
pub fn lines(picture: &Picture) -> Vec<Line> {
    let mut page = Page(Vec::new());
    page.verdict(picture);
    let head = ["service", "state", "heard", "since", "version", "why"];
    page.part("services", &picture.services, head, service);
    let head = ["broker", "market", "connection", "state", "since", "registered", "refused", "free", "why"];
    page.part("links", &picture.links, head, link);
    let head = ["broker", "market", "used", "limit", "wanted", "without a place"];
    page.part("registrations", &picture.registrations, head, registrations);
    let head = [
        "stream",
        "messages",
        "bytes",
        "limit",
        "first",
        "last",
        "oldest",
        "reader",
        "waiting",
        "unacknowledged",
        "redelivered",
    ];
    page.part("streams", &picture.streams, head, stream);
    let head = ["broker", "market", "day", "trades", "books", "newest", "age", "behind"];
    page.part("archive, newest rows of today", &picture.archive, head, archive);
    let head = ["market", "day", "reason", "gaps", "shares", "latest"];
    page.part("gaps of today that are open", &picture.gaps, head, gaps);
    let head = ["market", "group", "owner", "home", "carried", "held", "by", "since", "why"];
    page.part("ownership", &picture.ownership, head, owned);
    page.part("disk", &picture.disk, ["what", "takes", "limit", "free", "of"], disk);
    page.0
}

fn service(row: &Service) -> (bool, [String; 6]) {
    let name = row.market.map_or_else(|| row.name.to_owned(), |market| format!("{} {market}", row.name));
    let bad = matches!(row.state, State::Dead | State::Silent);
    let cells = [
        name,
        row.state.as_str().to_owned(),
        ago(row.heard_ms),
        row.since_ns.map_or_else(dash, clock),
        if row.versions.is_empty() { dash() } else { row.versions.join(" ") },
        row.why.clone(),
    ];
    (bad, cells)
}

fn link(row: &Link) -> (bool, [String; 9]) {
    let bad = matches!(row.state, LinkState::Dead | LinkState::Down);
    let dead = match row.dead_symbols {
        0 => String::new(),
        count => format!(": {count} symbols without data"),
    };
    let cells = [
        row.source.to_owned(),
        row.market.to_owned(),
        row.connection.clone(),
        row.state.as_str().to_owned(),
        row.since_ns.map_or_else(dash, clock),
        some(row.registered.map(u64::from)),
        some(row.refused.map(u64::from)),
        row.free.to_string(),
        format!("{}{dead}", row.why),
    ];
    (bad, cells)
}

fn registrations(row: &Registrations) -> (bool, [String; 6]) {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let uncovered = row.uncovered.as_ref().map(|names| match names.as_slice() {
        [] => "none".to_owned(),
        names => format!("{}: {}", names.len(), names.join(", ")),
    });
    let cells = [
        row.source.to_owned(),
        row.market.to_owned(),
        some(row.used.map(u64::from)),
        some(row.limit.map(u64::from)),
        some(row.wanted.map(count)),
        uncovered.unwrap_or_else(|| "not known: no key is set here".to_owned()),
    ];
    (row.uncovered.as_ref().is_some_and(|names| !names.is_empty()), cells)
}

fn archive(row: &Archive) -> (bool, [String; 8]) {
    let cells = [
        row.source.clone(),
        row.market.to_owned(),
        row.trade_date.clone(),
        some(Some(row.trades)),
        some(Some(row.order_books)),
        clock(row.newest_ns),
        ms(row.newest_ms),
        row.behind_ms.map_or_else(dash, |behind| format!("{} ms", grouped(behind))),
    ];
    (false, cells)
}

fn gaps(row: &Gaps) -> (bool, [String; 6]) {
    let cells = [
        row.market.to_owned(),
        row.trade_date.clone(),
        row.reason.clone(),
        row.open.to_string(),
        if row.open_volume == 0 { dash() } else { grouped(row.open_volume) },
        clock(row.latest_ns),
    ];
    (false, cells)
}

fn owned(row: &Owned) -> (bool, [String; 9]) {
    let lent = row.loan_to.map(|to| format!("{} symbols at {to}", row.on_loan));
    let why = [Some(row.why.clone()).filter(|why| !why.is_empty()), lent];
    let cells = [
        row.market.to_owned(),
        row.group.to_owned(),
        row.owner.to_owned(),
        row.home.to_owned(),
        if row.is_carried { "yes" } else { "no" }.to_owned(),
        row.hold.map_or_else(|| "no".to_owned(), |hold| format!("at {hold}")),
        row.by.unwrap_or("default").to_owned(),
        row.since_ns.map_or_else(dash, clock),
        why.into_iter().flatten().collect::<Vec<_>>().join("; "),
    ];
    (false, cells)
}

fn stream(row: &Stream) -> (bool, [String; 11]) {
    if let Some(why) = &row.why {
        let mut cells = std::array::from_fn(|_| String::new());
        (cells[0], cells[1]) = (row.name.clone(), why.clone());
        return (true, cells);
    }
    let size = |bytes_: Option<u64>| bytes_.map_or_else(dash, bytes);
    let reader = |of: fn(&super::picture::Consumer) -> Option<u64>| -> String {
        let all: Vec<String> = row.consumers.iter().map(|one| some(of(one))).collect();
        if all.is_empty() { dash() } else { all.join(" ") }
    };
    let names = row.consumers.iter().map(|one| match &one.why {
        Some(why) => format!("{} ({why})", one.name),
        None => one.name.clone(),
    });
    let names: Vec<String> = names.collect();
    let bad = row.consumers.iter().any(|one| one.why.is_some());
    let cells = [
        row.name.clone(),
        some(row.messages),
        size(row.bytes),
        size(row.max_bytes),
        some(row.first_sequence),
        some(row.last_sequence),
        ago(row.oldest_ms),
        if names.is_empty() { dash() } else { names.join(" ") },
        reader(|one| one.pending),
        reader(|one| one.ack_pending),
        reader(|one| one.redelivered),
    ];
    (bad, cells)
}

fn disk(row: &Disk) -> (bool, [String; 5]) {
    let size = |bytes_: Option<u64>| bytes_.map_or_else(dash, bytes);
    let first = match &row.why {
        Some(why) => format!("{}: not known: {why}", row.name),
        None => row.name.clone(),
    };
    (false, [first, size(row.used), size(row.limit), size(row.free), size(row.total)])
}

fn dash() -> String {
    "-".to_owned()
}

fn some(number: Option<u64>) -> String {
    number.map_or_else(dash, |number| grouped(i64::try_from(number).unwrap_or(i64::MAX)))
}

fn ago(age_ms: Option<i64>) -> String {
    age_ms.map_or_else(dash, |age| format!("{} ago", ms(age)))
}

struct Page(Vec<Line>);

impl Page {
    fn add(&mut self, tone: Tone, text: &str) {
        self.0.push(Line { tone, text: printable(text).trim_end().to_owned() });
    }

    fn verdict(&mut self, picture: &Picture) {
        let count = picture.needs.len();
        let (tone, text) = match picture.verdict {
            Verdict::Ok => (Tone::Good, "all is well".to_owned()),
            Verdict::Attention if count == 1 => (Tone::Bad, "1 thing needs a person".to_owned()),
            Verdict::Attention => (Tone::Bad, format!("{count} things need a person")),
            Verdict::Blind => {
                (Tone::Bad, "the bus does not answer: hardly anything can be looked at".to_owned())
            }
        };
        self.add(tone, &format!("{}: {text}", picture.now));
        for need in &picture.needs {
            self.add(Tone::Bad, &format!("  {}: {} — {}", need.part, need.what, need.advice));
        }
        for server in picture.servers.iter().filter(|server| server.answers) {
            self.add(Tone::Plain, &format!("  {} answers at {}", server.name, server.url));
        }
    }

    fn part<T, const N: usize>(
        &mut self,
        name: &str,
        part: &Part<T>,
        head: [&str; N],
        cells: impl Fn(&T) -> (bool, [String; N]),
    ) {
        self.add(Tone::Plain, "");
        self.add(Tone::Head, &name.to_uppercase());
        if let Some(why) = &part.why {
            self.add(Tone::Faint, &format!("  {}{why}", if part.known { "" } else { "not known: " }));
        }
        if !part.known {
            return;
        }
        if part.rows.is_empty() {
            return self.add(Tone::Faint, "  none");
        }
        let rows: Vec<(bool, [String; N])> = part.rows.iter().map(cells).collect();
        let mut widths = head.map(|cell| cell.chars().count());
        for (_, row) in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let text = |cells: &mut dyn Iterator<Item = &str>| {
            let padded = cells.zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            format!("  {}", padded.collect::<Vec<_>>().join("  "))
        };
        self.add(Tone::Faint, &text(&mut head.into_iter()));
        for (bad, row) in &rows {
            let tone = if *bad { Tone::Bad } else { Tone::Plain };
            self.add(tone, &text(&mut row.iter().map(String::as_str)));
        }
    }
}
