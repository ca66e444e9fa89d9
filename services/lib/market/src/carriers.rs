//! Who carries what: the universe and the brokers that run → what one broker is asked for.
//!
//! Books of core symbols come from every broker at once: a lost book can never be had again. Trades are shared out by
//! group. A broker that does not run is absent, and its group falls to the other.

use crate::instrument::{Market, Source, Tape};
use crate::symbol::Symbol;
use crate::universe::{Entry, Group, Kind, Universe};

/// What one broker carries of one instrument on one tape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The bare symbol.
    pub symbol: Symbol,
    /// The US listing market; none in Korea.
    pub listing: Option<String>,
    /// The tape.
    pub tape: Tape,
    /// Trades, books, or both; never empty.
    pub kinds: Vec<Kind>,
    /// 1 is registered first.
    pub priority: u32,
}

/// What one broker carries while groups change their owners.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Carried {
    /// What is its own when all is well, most important first.
    pub own: Vec<Wanted>,
    /// What it carries for another broker besides, most important first; never takes the room of its own.
    pub guests: Vec<Wanted>,
    /// Symbols of the guests' groups that it may not carry: only their own broker can.
    pub forbidden: Vec<Symbol>,
}

/// Reads the brokers that run as a person writes them: `kis, kiwoom`; nothing written = an empty list.
///
/// # Errors
/// What is wrong with the text.
pub fn read(text: &str) -> Result<Vec<Source>, String> {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    let known = |word| Source::from_word(word).ok_or_else(|| format!("{word:?} is neither kis nor kiwoom"));
    words.map(known).collect()
}

impl Universe {
    /// Instruments of `market` that none of the `carriers` may carry.
    pub fn orphans(&self, market: Market, carriers: &[Source]) -> impl Iterator<Item = &Entry> {
        let here = self.entries.iter().filter(move |entry| entry.market == market);
        here.filter(move |entry| entry.owner(carriers).is_none())
    }

    /// What `source` carries of `market` when `carriers` are the brokers that run; most important first.
    #[must_use]
    pub fn carried(&self, market: Market, source: Source, carriers: &[Source]) -> Vec<Wanted> {
        let entries = self.entries.iter().filter(|entry| entry.market == market);
        entries.flat_map(|entry| entry.wanted(entry.kinds_of(source, carriers))).collect()
    }

    /// What `source` carries of `market` when it has to carry `groups`, whoever's they are, and has `lent` on loan
    /// beside them.
    #[must_use]
    pub fn carried_groups(
        &self,
        market: Market,
        source: Source,
        carriers: &[Source],
        groups: &[Group],
        lent: &[Symbol],
    ) -> Carried {
        let mut carried = Carried::default();
        for entry in self.entries.iter().filter(|entry| entry.market == market) {
            let kinds = entry.kinds_of(source, carriers);
            let given = entry.is_shared(carriers) && !groups.contains(&entry.group);
            let own = if given { entry.kinds_as(source, carriers, false) } else { kinds };
            let asked = groups.contains(&entry.group) || lent.contains(&entry.symbol);
            if entry.owner(carriers) != Some(source) && asked {
                let all = entry.kinds_as(source, carriers, true);
                let more: Vec<Kind> = all.iter().copied().filter(|kind| !own.contains(kind)).collect();
                carried.guests.extend(entry.wanted(more));
                if all.is_empty() && entry.group.home() != source {
                    carried.forbidden.push(entry.symbol);
                }
            }
            carried.own.extend(entry.wanted(own));
        }
        carried
    }
}

impl Entry {
    /// The broker that carries its trades: the group's own where it runs and is allowed, else the next that is.
    #[must_use]
    pub fn owner(&self, carriers: &[Source]) -> Option<Source> {
        let own = self.group.home();
        let mut allowed = self.sources.iter().copied().filter(|source| carriers.contains(source));
        if allowed.clone().any(|source| source == own) { Some(own) } else { allowed.next() }
    }

    /// What `source` carries of it when `carriers` run.
    #[must_use]
    pub fn kinds_of(&self, source: Source, carriers: &[Source]) -> Vec<Kind> {
        self.kinds_as(source, carriers, self.owner(carriers) == Some(source))
    }

    /// Whether several of the brokers that run may carry it, so that its group may move.
    fn is_shared(&self, carriers: &[Source]) -> bool {
        let may = |source: &&Source| carriers.contains(*source) && source.serves(self.market);
        self.sources.iter().filter(may).count() > 1
    }

    /// What `source` carries of it, as the owner of its trades or beside that one.
    fn kinds_as(&self, source: Source, carriers: &[Source], owner: bool) -> Vec<Kind> {
        if !self.sources.contains(&source) || !carriers.contains(&source) {
            return Vec::new();
        }
        let book = owner || self.core;
        // Kiwoom counts symbols, whatever is asked of them: beside a book the trades cost nothing.
        let trades = owner || (book && source == Source::Kiwoom && self.kinds.contains(&Kind::Orderbook));
        let carried = |kind: &Kind| match kind {
            Kind::Ticker => trades,
            Kind::Orderbook => book,
        };
        self.kinds.iter().copied().filter(carried).collect()
    }

    /// These kinds of it on each of its tapes; nothing for no kinds.
    fn wanted(&self, kinds: Vec<Kind>) -> impl Iterator<Item = Wanted> {
        let tapes = if kinds.is_empty() { &[] } else { self.tapes.as_slice() };
        tapes.iter().map(move |tape| Wanted {
            symbol: self.symbol,
            listing: self.listing.clone(),
            tape: *tape,
            kinds: kinds.clone(),
            priority: self.priority,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Source; 2] = [Source::Kis, Source::Kiwoom];

    fn carried(yaml: &str, source: Source, carriers: &[Source]) -> Vec<String> {
        let universe = Universe::from_yaml(&format!("symbols:\n{yaml}")).expect("universe");
        let wanted = universe.carried(Market::Kr, source, carriers);
        wanted.iter().map(|w| format!("{} {} {:?}", w.symbol, w.tape, w.kinds)).collect()
    }

    #[test]
    fn trades_are_shared_out_by_group() {
        let yaml = "- {symbol: 005380, group: A}\n- {symbol: 068270, group: B}\n";
        assert_eq!(carried(yaml, Source::Kis, &BOTH), ["005380 krx [Ticker, Orderbook]"]);
        assert_eq!(carried(yaml, Source::Kiwoom, &BOTH), ["068270 krx [Ticker, Orderbook]"]);
    }

    #[test]
    fn books_of_core_symbols_come_from_both_and_kiwoom_brings_the_trades() {
        let yaml = "- {symbol: 005930, core: true, group: A}\n- {symbol: 000660, core: true, group: B}\n";
        assert_eq!(
            carried(yaml, Source::Kis, &BOTH),
            ["005930 krx [Ticker, Orderbook]", "000660 krx [Orderbook]"]
        );
        assert_eq!(
            carried(yaml, Source::Kiwoom, &BOTH),
            ["005930 krx [Ticker, Orderbook]", "000660 krx [Ticker, Orderbook]"]
        );
    }

    #[test]
    fn the_group_of_a_broker_that_does_not_run_falls_to_the_other() {
        let yaml = "- {symbol: 005380, group: A, tapes: [krx, nxt]}\n- {symbol: 068270, group: B}\n";
        let all = [
            "005380 krx [Ticker, Orderbook]",
            "005380 nxt [Ticker, Orderbook]",
            "068270 krx [Ticker, Orderbook]",
        ];
        assert_eq!(carried(yaml, Source::Kis, &[Source::Kis]), all);
        assert_eq!(carried(yaml, Source::Kiwoom, &[Source::Kiwoom]), all);
        assert!(carried(yaml, Source::Kiwoom, &[Source::Kis]).is_empty());
    }

    #[test]
    fn what_nobody_may_carry_is_told() {
        let universe =
            Universe::from_yaml("symbols:\n- {symbol: 005930, source: [kiwoom]}\n- symbol: 000660\n");
        let universe = universe.expect("universe");
        let orphans = |carriers: &[Source]| universe.orphans(Market::Kr, carriers).count();
        assert_eq!((orphans(&BOTH), orphans(&[Source::Kis]), orphans(&[])), (0, 1, 2));
    }

    #[test]
    fn carriers_are_read_by_their_words() {
        assert_eq!(read("kis, kiwoom").expect("both"), BOTH);
        assert_eq!(read("").expect("none"), []);
        assert!(read("kis,krx").expect_err("word").contains("\"krx\""));
    }

    #[test]
    fn only_what_is_wanted_and_allowed_is_carried() {
        let yaml = "- {symbol: 005930, core: true, source: [kis]}\n- {symbol: 000660, core: true, kinds: [orderbook]}\n- {symbol: 035720, group: A, source: [kiwoom]}\n- {symbol: 035420, core: true, kinds: [ticker]}\n";
        assert_eq!(
            carried(yaml, Source::Kis, &BOTH),
            ["005930 krx [Ticker, Orderbook]", "000660 krx [Orderbook]", "035420 krx [Ticker]"]
        );
        assert_eq!(
            carried(yaml, Source::Kiwoom, &BOTH),
            ["000660 krx [Orderbook]", "035720 krx [Ticker, Orderbook]"]
        );
    }

    #[test]
    fn a_guest_group_is_carried_beside_ones_own() {
        let yaml = "- {symbol: 005930, core: true, group: A}\n- {symbol: 005380, group: A}\n- {symbol: 0155E0, group: A, source: [kis]}\n- {symbol: 000660, core: true, group: B}\n- {symbol: 068270, group: B}\n- {symbol: 035720, group: A, source: [kiwoom]}\n";
        let universe = Universe::from_yaml(&format!("symbols:\n{yaml}")).expect("universe");
        let named = |wanted: &[Wanted]| {
            wanted.iter().map(|w| format!("{} {:?}", w.symbol, w.kinds)).collect::<Vec<_>>().join(", ")
        };
        let all = |source, groups: &[Group]| {
            let carried = universe.carried_groups(Market::Kr, source, &BOTH, groups, &[]);
            [named(&carried.own), named(&carried.guests), format!("{:?}", carried.forbidden)]
        };
        let kiwoom = "005930 [Ticker, Orderbook], 000660 [Ticker, Orderbook], 068270 [Ticker, Orderbook], 035720 [Ticker, Orderbook]";
        assert_eq!(all(Source::Kiwoom, &[Group::B]), [kiwoom, "", "[]"]);
        assert_eq!(
            all(Source::Kiwoom, &[Group::A, Group::B]),
            [kiwoom, "005380 [Ticker, Orderbook]", "[0155E0]"]
        );
        // Trades of a core symbol whose book it has already.
        assert_eq!(all(Source::Kis, &[Group::A, Group::B])[1], "000660 [Ticker], 068270 [Ticker, Orderbook]");
        // A group that a person holds elsewhere: core books stay, and what nobody else may carry.
        assert_eq!(
            all(Source::Kis, &[]),
            ["005930 [Orderbook], 0155E0 [Ticker, Orderbook], 000660 [Orderbook]", "", "[]"]
        );
    }

    #[test]
    fn a_loan_is_carried_and_not_the_rest_of_its_group() {
        let yaml = "symbols:\n- {symbol: 005930, core: true, group: A}\n- {symbol: 005380, group: A}\n- {symbol: 035720, group: A}\n- {symbol: 0155E0, group: A, source: [kis]}\n- {symbol: 068270, group: B}\n";
        let universe = Universe::from_yaml(yaml).expect("universe");
        let lent = ["005380", "0155E0"].map(|text| Symbol::parse(text).expect("symbol"));
        let carried = universe.carried_groups(Market::Kr, Source::Kiwoom, &BOTH, &[Group::B], &lent);
        let named = |wanted: &[Wanted]| wanted.iter().map(|w| w.symbol.to_string()).collect::<Vec<_>>();
        assert_eq!(
            (named(&carried.own), named(&carried.guests)),
            (vec!["005930".to_owned(), "068270".to_owned()], vec!["005380".to_owned()])
        );
        assert_eq!(format!("{:?}", carried.forbidden), "[0155E0]");
    }

    #[test]
    fn without_a_change_all_is_as_it_was() {
        let yaml = "symbols:\n- {symbol: 005930, core: true}\n- symbol: 005380\n- {symbol: 068270, group: B}\n- {symbol: AAPL, market: us, listing: NAS}\n";
        let universe = Universe::from_yaml(yaml).expect("universe");
        for (market, source, groups) in [
            (Market::Kr, Source::Kis, [Group::A].as_slice()),
            (Market::Kr, Source::Kiwoom, &[Group::B]),
            (Market::Us, Source::Kis, &[Group::A]),
        ] {
            let carried = universe.carried_groups(market, source, &BOTH, groups, &[]);
            assert_eq!(carried.own, universe.carried(market, source, &BOTH), "{market} {source}");
            assert_eq!(carried.guests, []);
        }
    }
}
