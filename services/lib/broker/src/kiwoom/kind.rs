//! Kiwoom's real-time types: what a row is, by its `type`. Case matters: `0s` is not `0S`.

/// What a row of a type becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A trade print.
    Trade,
    /// An order book.
    Book,
    /// Recognised, and neither: counted under this name.
    Apart(&'static str),
}

/// A real-time type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The broker's code, for example `0B`; `unknown` for one that the documents do not have.
    pub code: &'static str,
    /// What its rows become.
    pub shape: Shape,
}

/// A type that the documents do not have.
pub const UNKNOWN: Kind = Kind { code: "unknown", shape: Shape::Apart("unknown_type") };

/// Every documented type. The two that are recorded stand first.
const KINDS: [Kind; 21] = [
    Kind { code: "0B", shape: Shape::Trade },
    Kind { code: "0D", shape: Shape::Book },
    // An expected print of an auction: price and quantity look like a trade's.
    apart("0H", "expected_price"),
    apart("0w", "program_trading"),
    apart("0s", "market_status"),
    apart("1h", "volatility_interruption"),
    // A price without a print: neither time nor quantity.
    apart("0A", "quote_state"),
    apart("0C", "best_quote"),
    apart("0E", "after_hours_book"),
    apart("00", "order"),
    apart("02", "condition_search"),
    apart("04", "balance"),
    apart("0F", "brokers"),
    apart("0G", "etf_value"),
    apart("0I", "gold"),
    apart("0J", "index"),
    apart("0U", "breadth"),
    apart("0g", "stock_information"),
    apart("0m", "elw_theory"),
    apart("0u", "elw_indicators"),
    UNKNOWN,
];

const fn apart(code: &'static str, name: &'static str) -> Kind {
    Kind { code, shape: Shape::Apart(name) }
}

impl Kind {
    /// The kind of a `type` text.
    #[must_use]
    pub fn of(code: &str) -> Self {
        KINDS.into_iter().find(|kind| kind.code == code).unwrap_or(UNKNOWN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_types_are_recorded() {
        assert_eq!((Kind::of("0B").shape, Kind::of("0D").shape), (Shape::Trade, Shape::Book));
        assert_eq!(KINDS.iter().filter(|kind| !matches!(kind.shape, Shape::Apart(_))).count(), 2);
    }

    #[test]
    fn case_matters() {
        assert_eq!(Kind::of("0s").shape, Shape::Apart("market_status"));
        for code in ["0S", "0b", "0d", "", " 0B", "0BB", "unknown"] {
            assert_eq!(Kind::of(code), UNKNOWN, "{code}");
        }
    }
}
