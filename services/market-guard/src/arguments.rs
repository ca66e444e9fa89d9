//! Words of the command line → rules and instants. What cannot be meant is refused with the words that can.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp, civil};
use market::session::MarketState;
use market::time::{DAY, KST};
use market::{Market, TradeDate};

use crate::quiet::{Rule, Rules};

/// `market-guard check`.
#[derive(clap::Args)]
pub struct Check {
    /// What blocks.
    #[command(flatten)]
    pub rules: RawRules,
    /// The instant asked about, with its offset: 2026-11-24T20:10:00+09:00, 2026-11-24T11:10:00Z. Without it, now.
    #[arg(long, value_name = "TIME")]
    pub at: Option<Instant>,
    /// Go on all the same, for this reason: exit code 0, and a line in the log of overrides.
    #[arg(long, value_name = "REASON", value_parser = reason)]
    pub force: Option<String>,
}

/// `market-guard week`.
#[derive(clap::Args)]
pub struct Week {
    /// What blocks.
    #[command(flatten)]
    pub rules: RawRules,
    /// A day of the week that is printed, YYYY-MM-DD in Seoul. Without it, today.
    #[arg(long, value_name = "DATE")]
    pub of: Option<Midnight>,
}

/// What blocks, as typed.
#[derive(clap::Args)]
pub struct RawRules {
    /// The markets that count.
    #[arg(long, value_name = "MARKETS", value_delimiter = ',', default_value = "kr,us")]
    market: Vec<MarketWord>,
    /// From which state on a market blocks: extended or regular.
    #[arg(
        long,
        value_name = "MARKET=STATE",
        value_delimiter = ',',
        default_value = "kr=extended,us=regular"
    )]
    block: Vec<Block>,
    /// How long before a session and after it nothing is deployed: 10m, 90s, 1h, 0.
    #[arg(long, value_name = "TIME", default_value = "10m")]
    margin: Margin,
}

impl RawRules {
    /// The rules. A market whose state is not given keeps its default.
    ///
    /// # Errors
    /// When a market is named twice with two states.
    pub fn understood(&self) -> anyhow::Result<Rules> {
        let mut rules = Vec::new();
        for market in
            Market::ALL.iter().copied().filter(|market| self.market.iter().any(|one| one.0 == *market))
        {
            let mut given = self.block.iter().filter(|block| block.market == market).map(|block| block.from);
            let from = given.next().unwrap_or(match market {
                Market::Kr => MarketState::Extended,
                Market::Us => MarketState::Regular,
            });
            if given.any(|other| other != from) {
                anyhow::bail!("--block names {market} twice");
            }
            rules.push(Rule { market, from });
        }
        Ok(Rules { rules, margin_ns: self.margin.0 })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct MarketWord(Market);

impl FromStr for MarketWord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Market::from_word(text.trim()).map(Self).ok_or_else(|| format!("`{text}`: a market is kr or us"))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Block {
    market: Market,
    from: MarketState,
}

impl FromStr for Block {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("`{text}`: written kr=extended, kr=regular, us=extended or us=regular");
        let (market, state) = text.trim().split_once('=').ok_or_else(wanted)?;
        let market = Market::from_word(market).ok_or_else(wanted)?;
        let from = MarketState::from_word(state).filter(|state| *state != MarketState::Closed);
        Ok(Self { market, from: from.ok_or_else(wanted)? })
    }
}

/// Longest margin: beyond it no night would be left.
const LONGEST_MARGIN: SignedDuration = SignedDuration::from_hours(12);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Margin(i64);

impl FromStr for Margin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("`{text}`: a time from 0 to 12h, such as 10m, 90s or 1h");
        let margin = if text == "0" { SignedDuration::ZERO } else { text.parse().map_err(|_| wanted())? };
        if margin < SignedDuration::ZERO || margin > LONGEST_MARGIN {
            return Err(wanted());
        }
        i64::try_from(margin.as_nanos()).map(Self).map_err(|_| wanted())
    }
}

/// An instant, UTC nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instant(pub i64);

impl FromStr for Instant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || {
            format!(
                "`{text}`: a time with its offset, such as 2026-11-24T20:10:00+09:00 or 2026-11-24T11:10:00Z"
            )
        };
        let at: Timestamp = text.parse().map_err(|_| wanted())?;
        i64::try_from(at.as_nanosecond()).map(Self).map_err(|_| wanted())
    }
}

/// The midnight in Seoul at which a date begins, UTC nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Midnight(pub i64);

impl FromStr for Midnight {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("`{text}`: a date, YYYY-MM-DD, 1970 to 2149");
        let date: civil::Date = text.parse().map_err(|_| wanted())?;
        let date = TradeDate::from_ymd(date.year(), date.month(), date.day()).ok_or_else(wanted)?;
        Ok(Self(i64::from(date.days_since_epoch()) * DAY - KST))
    }
}

fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("say why".to_owned()) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        rules: RawRules,
    }

    fn rules(words: &[&str]) -> Option<Rules> {
        Only::try_parse_from([&["x"], words].concat()).ok()?.rules.understood().ok()
    }

    #[test]
    fn korea_blocks_all_day_and_the_us_in_its_regular_session_unless_told_otherwise() {
        let (kr, us) = (
            Rule { market: Market::Kr, from: MarketState::Extended },
            Rule { market: Market::Us, from: MarketState::Regular },
        );
        let margin_ns = 600_000_000_000;
        assert_eq!(rules(&[]), Some(Rules { rules: vec![kr, us], margin_ns }));
        assert_eq!(rules(&["--market", "us"]), Some(Rules { rules: vec![us], margin_ns }));
        let regular = Rule { market: Market::Kr, from: MarketState::Regular };
        assert_eq!(rules(&["--block", "kr=regular"]), Some(Rules { rules: vec![regular, us], margin_ns }));
        assert_eq!(rules(&["--margin", "0"]), Some(Rules { rules: vec![kr, us], margin_ns: 0 }));
        assert_eq!(rules(&["--margin", "90s"]).map(|rules| rules.margin_ns), Some(90_000_000_000));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for words in [
            ["--market", "jp"],
            ["--market", ""],
            ["--block", "kr"],
            ["--block", "kr=closed"],
            ["--block", "kr=regular,kr=extended"],
            ["--margin", "10"],
            ["--margin", "-10m"],
            ["--margin", "13h"],
        ] {
            assert_eq!(rules(&words), None, "{words:?}");
        }
        assert!("2026-11-24T20:10:00".parse::<Instant>().is_err(), "whose clock?");
        assert_eq!("2026-11-24T09:00:30+09:00".parse(), Ok(Instant(1_795_478_430_000_000_000)));
        assert_eq!("2026-11-24T00:00:30Z".parse(), Ok(Instant(1_795_478_430_000_000_000)));
        assert_eq!("2026-11-24".parse(), Ok(Midnight(1_795_446_000_000_000_000)));
        assert!(reason(" ").is_err());
    }
}
