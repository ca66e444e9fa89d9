//! What has been asked and told of a market's day, as it stands in ClickHouse: so a run that was killed goes on, and a second
//! one asks and says nothing again.
//!
//! - A final day total is asked for once, and so is one that a broker refuses for good.
//! - A gap that a broker was asked for after the day, and left a residue of, is not asked for again.
//! - Stretches without a print are remembered as recoveries that added nothing and left nothing.

use std::collections::HashMap;

use market::chain::{Missing, OffHours};
use market::recovery::{Method, Proof};
use market::{Market, Symbol, TradeDate};
use store::history::{InstrumentDay, Outage, ToldGap, ToldRecovery, ToldTotal};
use store::{Store, StoreError};

/// What has been said of one instrument's day.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Gaps in the volume, open and closed, by their beginnings.
    pub gaps: Vec<ToldGap>,
    /// Recoveries, the earliest first.
    pub recoveries: Vec<ToldRecovery>,
    /// The day's total: the last final one, else the last one.
    pub total: Option<ToldTotal>,
}

/// What has been said of a market's day.
#[derive(Debug, Default)]
pub struct Ledger {
    told: HashMap<InstrumentDay, Told>,
    /// Recorded outages of the market's feeds, in the order of their beginnings.
    pub outages: Vec<Outage>,
    /// The end of the day's last phase, UTC ns: what was asked before it is not the last word.
    end_ns: i64,
}

impl Ledger {
    /// Reads what stands in ClickHouse of a day that goes from `start_ns` to `end_ns`; of one symbol or of all.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be asked.
    pub async fn load(
        store: &Store,
        market: Market,
        trade_date: TradeDate,
        (start_ns, end_ns): (i64, i64),
        symbol: Option<&Symbol>,
    ) -> Result<Self, StoreError> {
        let mut told: HashMap<InstrumentDay, Told> = HashMap::new();
        for gap in store.volume_gaps(market, trade_date, symbol).await? {
            told.entry(gap.of).or_default().gaps.push(gap);
        }
        for recovery in store.recoveries(market, trade_date, symbol).await? {
            told.entry(recovery.of).or_default().recoveries.push(recovery);
        }
        for total in store.day_totals(market, trade_date, symbol).await? {
            let of = told.entry(total.of).or_default();
            of.total = Some(total);
        }
        let outages = store.outages(market, start_ns, end_ns).await?;
        Ok(Self { told, outages, end_ns })
    }

    /// What has been said of an instrument.
    #[must_use]
    pub fn of(&self, of: &InstrumentDay) -> Told {
        self.told.get(of).cloned().unwrap_or_default()
    }

    /// The instruments of which something was said.
    pub fn instruments(&self) -> impl Iterator<Item = &InstrumentDay> {
        self.told.keys()
    }

    /// The end of the day's last phase, UTC ns.
    #[must_use]
    pub const fn end_ns(&self) -> i64 {
        self.end_ns
    }

    /// The outages that may concern an instrument.
    pub fn outages_of<'a>(&'a self, of: &'a InstrumentDay) -> impl Iterator<Item = &'a Outage> {
        self.outages.iter().filter(|outage| {
            outage.instrument.is_none_or(|(tape, symbol)| (tape, symbol) == (of.tape, of.symbol))
        })
    }
}

impl Told {
    /// The total of the day, if it can change no more.
    #[must_use]
    pub fn final_total(&self) -> Option<&ToldTotal> {
        self.total.as_ref().filter(|total| total.is_final)
    }

    /// Stretches that are proven to have no print.
    #[must_use]
    pub fn off_hours(&self) -> Vec<OffHours> {
        let proven = self.recoveries.iter().filter(|recovery| {
            recovery.added == 0
                && recovery.residue == 0
                && recovery.until > recovery.after
                && matches!(recovery.proof, Proof::Chained | Proof::Anchored | Proof::Minutes)
        });
        let stretch = |recovery: &ToldRecovery| OffHours {
            after: recovery.after,
            until: recovery.until,
            from_ns: None,
            until_ns: None,
        };
        let mut stretches: Vec<OffHours> = proven.map(stretch).collect();
        stretches.sort_unstable_by_key(|stretch| (stretch.after, stretch.until));
        stretches.dedup_by_key(|stretch| (stretch.after, stretch.until));
        stretches
    }

    /// What a broker was asked for these shares after the day's end, and could not give.
    #[must_use]
    pub fn asked_in_vain(&self, missing: &Missing, end_ns: i64) -> Vec<Method> {
        let concerns = |recovery: &&ToldRecovery| {
            recovery.residue != 0
                && recovery.started_ns >= end_ns
                && recovery.after <= missing.after
                && recovery.until >= missing.until
        };
        self.recoveries.iter().filter(concerns).map(|recovery| recovery.method).collect()
    }

    /// Whether a broker refused for good to tell anything of the instrument's day after its end.
    #[must_use]
    pub fn is_refused(&self, end_ns: i64) -> bool {
        self.recoveries.iter().any(|recovery| {
            recovery.proof == Proof::NoSource && recovery.until.is_zero() && recovery.started_ns >= end_ns
        })
    }

    /// The gap of exactly these shares.
    #[must_use]
    pub fn gap(&self, missing: &Missing) -> Option<&ToldGap> {
        self.gaps.iter().find(|gap| (gap.after, gap.until) == (missing.after, missing.until))
    }
}

#[cfg(test)]
mod tests {
    use market::{Quantity, Source, Tape};

    use super::*;

    const END: i64 = 1_000;

    fn recovery(after: i64, until: i64, added: u64, residue: i64, proof: Proof) -> ToldRecovery {
        ToldRecovery {
            of: InstrumentDay {
                tape: Tape::Krx,
                symbol: Symbol::parse("005930").expect("symbol"),
                trade_date: TradeDate::parse("20261124").expect("date"),
            },
            source: Source::Kiwoom,
            after: Quantity::from_units(after),
            until: Quantity::from_units(until),
            method: Method::Ka10084,
            asked: 1,
            returned: 100,
            added,
            added_volume: Quantity::ZERO,
            residue,
            proof,
            started_ns: END,
            detail: String::new(),
        }
    }

    fn missing(after: i64, until: i64) -> Missing {
        let shares = Quantity::from_units;
        Missing { after: shares(after), until: shares(until), from_ns: None, until_ns: None }
    }

    #[test]
    fn a_recovery_without_trades_and_residue_is_a_stretch_without_prints() {
        let told = Told {
            recoveries: vec![
                recovery(0, 100, 0, 0, Proof::Chained),
                recovery(0, 100, 0, 0, Proof::Chained),
                recovery(300, 400, 3, 0, Proof::Chained),
                recovery(500, 600, 0, 7, Proof::Unproven),
                recovery(0, 0, 0, 0, Proof::NoSource),
            ],
            ..Told::default()
        };
        let stretches: Vec<_> =
            told.off_hours().iter().map(|stretch| (stretch.after.units(), stretch.until.units())).collect();
        assert_eq!(stretches, [(0, 100)]);
    }

    #[test]
    fn what_was_asked_in_vain_is_not_asked_again_unless_the_day_went_on() {
        let mut told =
            Told { recoveries: vec![recovery(500, 600, 0, 7, Proof::Unproven)], ..Told::default() };
        assert_eq!(told.asked_in_vain(&missing(500, 600), END), [Method::Ka10084]);
        assert_eq!(told.asked_in_vain(&missing(520, 530), END), [Method::Ka10084]);
        assert_eq!(told.asked_in_vain(&missing(500, 601), END), []);
        assert_eq!(told.asked_in_vain(&missing(500, 600), END + 1), []);
        told.recoveries = vec![recovery(500, 600, 9, 0, Proof::Chained)];
        assert_eq!(told.asked_in_vain(&missing(500, 600), END), []);
    }

    #[test]
    fn a_refusal_is_remembered_until_the_day_goes_on() {
        let told = Told { recoveries: vec![recovery(0, 0, 0, 0, Proof::NoSource)], ..Told::default() };
        assert!(told.is_refused(END) && !told.is_refused(END + 1));
    }
}
