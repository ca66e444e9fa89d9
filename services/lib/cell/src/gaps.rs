//! Which gaps are open: one for the whole feed (a lost connection) and one an instrument (refused records).

use std::collections::HashMap;

use market::{Gap, GapReason, Symbol, Tape};

/// Open gaps of instruments kept at most: more than any universe has, so that a mad feed cannot fill the memory.
const MOST: usize = 20_000;

type Instrument = Option<(Tape, Symbol)>;

/// The gaps that are open, by instrument; none = the whole feed.
#[derive(Debug, Default)]
pub struct Gaps {
    open: HashMap<Instrument, Gap>,
}

impl Gaps {
    /// Opens a gap; nothing when one is open already, which then goes on.
    pub fn open(
        &mut self,
        reason: GapReason,
        instrument: Instrument,
        from_ns: i64,
        detail: &str,
    ) -> Option<Gap> {
        if self.open.contains_key(&instrument) || self.open.len() >= MOST {
            return None;
        }
        let gap = Gap { reason, instrument, from_ns, until_ns: None, detail: detail.to_owned() };
        self.open.insert(instrument, gap.clone());
        Some(gap)
    }

    /// Something of the instrument arrived: its gap, and that of the whole feed, end here.
    pub fn arrived(&mut self, instrument: (Tape, Symbol), at_ns: i64) -> impl Iterator<Item = Gap> {
        let mut closed = [None, None];
        // Nearly always nothing is open.
        if !self.open.is_empty() {
            closed = [self.open.remove(&None), self.open.remove(&Some(instrument))];
        }
        closed.into_iter().flatten().map(move |gap| Gap { until_ns: Some(at_ns), ..gap })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_has_two_edges_and_is_told_once() {
        let instrument = (Tape::Krx, Symbol::parse("005930").expect("symbol"));
        let mut gaps = Gaps::default();
        assert!(gaps.open(GapReason::Disconnected, None, 10, "cut").is_some());
        assert!(gaps.open(GapReason::Disconnected, None, 20, "again").is_none());
        assert!(gaps.open(GapReason::Refused, Some(instrument), 30, "field").is_some());
        let closed: Vec<_> =
            gaps.arrived(instrument, 40).map(|gap| (gap.reason, gap.from_ns, gap.until_ns)).collect();
        assert_eq!(closed, [(GapReason::Disconnected, 10, Some(40)), (GapReason::Refused, 30, Some(40))]);
        assert_eq!(gaps.arrived(instrument, 50).count(), 0);
    }
}
