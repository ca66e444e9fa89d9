//! The filters of the command line → subjects to follow, and whether an event is let through.

use market::universe::Universe;
use market::{Body, Event, Market, Origin, Source, Symbol};

use crate::symbols::named;

/// Symbols that have subjects of their own; beyond it all are followed and most thrown away.
const MOST_SUBJECTS: usize = 32;

/// What a person wants; nothing of a kind = all of it.
#[derive(Debug, Default, clap::Args)]
pub struct Wanted {
    /// Only these symbols, by code or by the name in the symbols file; several with commas or again.
    #[arg(long, value_name = "SYMBOL", value_delimiter = ',')]
    pub symbol: Vec<String>,
    /// Only these kinds: trade, `order_book`, status.
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    pub kind: Vec<Kind>,
    /// Only these brokers: kis, kiwoom.
    #[arg(long, value_name = "BROKER", value_delimiter = ',', value_parser = source)]
    pub source: Vec<Source>,
    /// Only these markets: kr, us.
    #[arg(long, value_name = "MARKET", value_delimiter = ',', value_parser = market)]
    pub market: Vec<Market>,
    /// Only what came so: live, recovered.
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',', value_parser = origin)]
    pub origin: Vec<Origin>,
}

/// What an event is, in the words of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `ticker.>`.
    Trade,
    /// `orderbook.>`.
    OrderBook,
    /// `status.>`.
    Status,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Trade, Self::OrderBook, Self::Status];

    const fn of(body: &Body) -> Self {
        match body {
            Body::Trade(_) => Self::Trade,
            Body::OrderBook(_) => Self::OrderBook,
            Body::Status(_) => Self::Status,
        }
    }
}

fn kind(text: &str) -> Result<Kind, String> {
    match text {
        "trade" => Ok(Kind::Trade),
        "order_book" => Ok(Kind::OrderBook),
        "status" => Ok(Kind::Status),
        _ => Err("kinds are trade, order_book and status".to_owned()),
    }
}

fn source(text: &str) -> Result<Source, String> {
    Source::from_word(text).ok_or_else(|| "brokers are kis and kiwoom".to_owned())
}

fn market(text: &str) -> Result<Market, String> {
    Market::from_word(text).ok_or_else(|| "markets are kr and us".to_owned())
}

fn origin(text: &str) -> Result<Origin, String> {
    Origin::from_word(text).ok_or_else(|| "origins are live and recovered".to_owned())
}

/// The filters, understood.
#[derive(Debug)]
pub struct Filter {
    symbols: Vec<Symbol>,
    kinds: Vec<Kind>,
    sources: Vec<Source>,
    markets: Vec<Market>,
    origins: Vec<Origin>,
}

impl Filter {
    /// Understands what is wanted.
    ///
    /// # Errors
    /// A symbol that is neither a code nor a name of the symbols file.
    pub fn new(wanted: &Wanted, universe: &Universe) -> anyhow::Result<Self> {
        let mut symbols = Vec::new();
        for text in &wanted.symbol {
            symbols.extend(named(text, universe)?);
        }
        Ok(Self {
            symbols,
            kinds: wanted.kind.clone(),
            sources: wanted.source.clone(),
            markets: wanted.market.clone(),
            origins: wanted.origin.clone(),
        })
    }

    /// Whether it lets everything through.
    pub const fn is_empty(&self) -> bool {
        self.symbols.is_empty()
            && self.kinds.is_empty()
            && self.sources.is_empty()
            && self.markets.is_empty()
            && self.origins.is_empty()
    }

    /// The subjects that together have all that is wanted, and as little else as may be.
    pub fn subjects(&self) -> Vec<String> {
        let wants = |kind: Kind| self.kinds.is_empty() || self.kinds.contains(&kind);
        let from = |origin: Origin| self.origins.is_empty() || self.origins.contains(&origin);
        let place =
            format!("{}.{}", only(&self.markets, Market::as_str), only(&self.sources, Source::as_str));
        let symbols: Vec<&str> = match self.symbols.len() {
            1..=MOST_SUBJECTS => self.symbols.iter().map(Symbol::as_str).collect(),
            _ => vec!["*"],
        };
        let mut subjects = Vec::new();
        for kind in Kind::ALL.into_iter().filter(|kind| wants(*kind)) {
            let word = match kind {
                Kind::Trade => "ticker",
                Kind::OrderBook => "orderbook",
                Kind::Status => {
                    subjects.push(format!("status.{place}.>"));
                    continue;
                }
            };
            let of = |prefix: &str| {
                symbols.iter().map(|symbol| format!("{prefix}{word}.{place}.{symbol}.>")).collect::<Vec<_>>()
            };
            if from(Origin::Live) {
                subjects.extend(of(""));
            }
            // Books cannot be recovered.
            if from(Origin::Recovered) && kind == Kind::Trade {
                subjects.extend(of("recovered."));
            }
        }
        subjects
    }

    /// Whether an event is wanted.
    pub fn lets(&self, event: &Event) -> bool {
        let symbol = match &event.body {
            Body::Trade(trade) => Some(trade.at.symbol),
            Body::OrderBook(book) => Some(book.at.symbol),
            Body::Status(status) => status.instrument().map(|(_, symbol)| symbol),
        };
        let stamp = &event.stamp;
        (self.symbols.is_empty() || symbol.is_some_and(|symbol| self.symbols.contains(&symbol)))
            && (self.kinds.is_empty() || self.kinds.contains(&Kind::of(&event.body)))
            && (self.sources.is_empty() || self.sources.contains(&stamp.source))
            && (self.markets.is_empty() || self.markets.contains(&stamp.market))
            && (self.origins.is_empty() || self.origins.contains(&stamp.origin))
    }
}

/// The word of the only one, or the token that stands for all.
fn only<T: Copy>(wanted: &[T], word: fn(T) -> &'static str) -> &'static str {
    if let [one] = wanted { word(*one) } else { "*" }
}

#[cfg(test)]
mod tests {
    use market::{DayTotal, Method, Quantity, Stamp, Status, Tape, TradeDate};

    use super::*;

    const FILE: &str = "symbols:
- {symbol: 005930, name: 삼성전자}
- {symbol: 035420, name: NAVER}
";

    fn filter(change: impl FnOnce(&mut Wanted)) -> Filter {
        let mut wanted = Wanted::default();
        change(&mut wanted);
        Filter::new(&wanted, &Universe::from_yaml(FILE).expect("universe")).expect("filter")
    }

    fn total(symbol: &str, source: Source) -> Event {
        let total = DayTotal {
            instrument: (Tape::Krx, Symbol::parse(symbol).expect("symbol")),
            trade_date: TradeDate::parse("20261124").expect("date"),
            volume: Quantity::ZERO,
            method: Method::Ka10084,
            is_final: true,
            off_hours: Quantity::ZERO,
        };
        let stamp = Stamp {
            market: Market::Kr,
            source,
            received_ns: 1,
            connection_id: 1,
            frame_sequence: 1,
            record_index: 0,
            origin: Origin::Live,
        };
        Event { stamp, body: Body::Status(Status::DayTotal(total)) }
    }

    #[test]
    fn the_subjects_are_as_narrow_as_the_filters() {
        let all = ["ticker.*.*.*.>", "recovered.ticker.*.*.*.>", "orderbook.*.*.*.>", "status.*.*.>"];
        assert_eq!(filter(|_| ()).subjects(), all);
        let narrow = filter(|wanted| {
            wanted.symbol = vec!["삼성전자".to_owned(), "naver".to_owned(), "BRK.B".to_owned()];
            wanted.kind = vec![Kind::OrderBook];
            wanted.market = vec![Market::Kr];
            wanted.source = vec![Source::Kis, Source::Kiwoom];
        });
        let expected = ["orderbook.kr.*.005930.>", "orderbook.kr.*.035420.>", "orderbook.kr.*.BRK/B.>"];
        assert_eq!(narrow.subjects(), expected);
        let recovered = filter(|wanted| {
            wanted.origin = vec![Origin::Recovered];
            wanted.kind = vec![Kind::Trade, Kind::OrderBook];
        });
        assert_eq!(recovered.subjects(), ["recovered.ticker.*.*.*.>"]);
    }

    #[test]
    fn what_is_not_wanted_is_not_let_through() {
        let samsung = filter(|wanted| wanted.symbol = vec!["삼성전자".to_owned()]);
        assert!(samsung.lets(&total("005930", Source::Kis)) && !samsung.lets(&total("000660", Source::Kis)));
        let kis = filter(|wanted| wanted.source = vec![Source::Kis]);
        assert!(kis.lets(&total("005930", Source::Kis)) && !kis.lets(&total("005930", Source::Kiwoom)));
        assert!(!filter(|wanted| wanted.kind = vec![Kind::Trade]).lets(&total("005930", Source::Kis)));
        assert!(!filter(|wanted| wanted.market = vec![Market::Us]).lets(&total("005930", Source::Kis)));
        assert!(
            !filter(|wanted| wanted.origin = vec![Origin::Recovered]).lets(&total("005930", Source::Kis))
        );
        assert!(filter(|_| ()).is_empty() && !kis.is_empty());
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_what_can() {
        let wanted = Wanted { symbol: vec!["삼성".to_owned()], ..Wanted::default() };
        let error = Filter::new(&wanted, &Universe::from_yaml(FILE).expect("universe")).expect_err("no name");
        assert!(error.to_string().contains("no such name"), "{error}");
        assert_eq!(kind("ticker"), Err("kinds are trade, order_book and status".to_owned()));
        assert!(origin("replayed").is_err_and(|text| text.contains("live and recovered")));
    }
}
