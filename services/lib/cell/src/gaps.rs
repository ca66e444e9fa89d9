//! Which gaps are open: of a connection that was lost, of an instrument whose records were refused, of the whole feed.

use std::collections::HashMap;

use market::{Gap, GapReason, Symbol, Tape};

/// Open gaps kept at most: more than any universe has instruments, so that a mad feed cannot fill the memory.
const MOST: usize = 20_000;

/// What a gap is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Of {
    /// The whole feed.
    Feed,
    /// Everything on a connection, by its name.
    Connection(String),
    /// One instrument.
    Instrument(Tape, Symbol),
}

/// The gaps that are open.
#[derive(Debug, Default)]
pub struct Gaps {
    open: HashMap<Of, Gap>,
}

impl Gaps {
    /// Opens a gap; nothing when one is open already, which then goes on.
    pub fn open(&mut self, of: Of, reason: GapReason, from_ns: i64, detail: &str) -> Option<Gap> {
        if self.open.contains_key(&of) || self.open.len() >= MOST {
            return None;
        }
        let (connection, instrument) = match &of {
            Of::Feed => (None, None),
            Of::Connection(name) => (Some(name.clone()), None),
            Of::Instrument(tape, symbol) => (None, Some((*tape, *symbol))),
        };
        let gap = Gap {
            reason,
            connection,
            instrument,
            from_ns,
            until_ns: None,
            detail: detail.to_owned(),
            volume: None,
        };
        self.open.insert(of, gap.clone());
        Some(gap)
    }

    /// Something of the instrument arrived on a connection: its gap, the connection's and the feed's end here.
    pub fn arrived(
        &mut self,
        connection: &str,
        (tape, symbol): (Tape, Symbol),
        at_ns: i64,
    ) -> impl Iterator<Item = Gap> {
        let mut closed = [None, None, None];
        // Nearly always nothing is open.
        if !self.open.is_empty() {
            let ends = [Of::Feed, Of::Connection(connection.to_owned()), Of::Instrument(tape, symbol)];
            closed = ends.map(|of| self.open.remove(&of));
        }
        closed.into_iter().flatten().map(move |gap| Gap { until_ns: Some(at_ns), ..gap })
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.open.len()
    }

    /// Ends all gaps of a reason.
    pub fn close(&mut self, reason: GapReason, at_ns: i64) -> Vec<Gap> {
        let closed = self.open.extract_if(|_, gap| gap.reason == reason);
        let mut closed: Vec<Gap> = closed.map(|(_, gap)| Gap { until_ns: Some(at_ns), ..gap }).collect();
        // The same record gives the same messages in the same order.
        closed.sort_by_key(|gap| gap.instrument);
        closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(gaps: &mut Gaps, connection: &str, at_ns: i64) -> Vec<(GapReason, i64, Option<i64>)> {
        let instrument = (Tape::Krx, Symbol::parse("005930").expect("symbol"));
        let closed = gaps.arrived(connection, instrument, at_ns);
        closed.map(|gap| (gap.reason, gap.from_ns, gap.until_ns)).collect()
    }

    #[test]
    fn a_gap_has_two_edges_and_is_told_once() {
        let instrument = Of::Instrument(Tape::Krx, Symbol::parse("005930").expect("symbol"));
        let mut gaps = Gaps::default();
        assert!(gaps.open(Of::Feed, GapReason::Disconnected, 10, "cut").is_some());
        assert!(gaps.open(Of::Feed, GapReason::Disconnected, 20, "again").is_none());
        assert!(gaps.open(instrument, GapReason::Refused, 30, "field").is_some());
        assert_eq!(
            closed(&mut gaps, "main", 40),
            [(GapReason::Disconnected, 10, Some(40)), (GapReason::Refused, 30, Some(40))]
        );
        assert!(closed(&mut gaps, "main", 50).is_empty());
    }

    #[test]
    fn one_connections_gap_is_not_closed_by_anothers_data() {
        let mut gaps = Gaps::default();
        let gap = gaps.open(Of::Connection("a".to_owned()), GapReason::Disconnected, 10, "cut");
        assert_eq!(gap.and_then(|gap| gap.connection).as_deref(), Some("a"));
        assert!(closed(&mut gaps, "b", 20).is_empty());
        assert_eq!(closed(&mut gaps, "a", 30), [(GapReason::Disconnected, 10, Some(30))]);
    }

    #[test]
    fn gaps_of_one_reason_end_together() {
        let of = |symbol| Of::Instrument(Tape::Krx, Symbol::parse(symbol).expect("symbol"));
        let mut gaps = Gaps::default();
        for (of, reason) in [
            (of("068270"), GapReason::Failover),
            (of("005380"), GapReason::Failover),
            (of("005930"), GapReason::Refused),
            (Of::Feed, GapReason::JournalDamaged),
        ] {
            assert!(gaps.open(of, reason, 10, "dead").is_some());
        }
        let ended = gaps.close(GapReason::Failover, 20);
        let ended: Vec<_> = ended.iter().map(|gap| (gap.instrument, gap.from_ns, gap.until_ns)).collect();
        let instrument = |symbol| Some((Tape::Krx, Symbol::parse(symbol).expect("symbol")));
        assert_eq!(ended, [(instrument("005380"), 10, Some(20)), (instrument("068270"), 10, Some(20))]);
        assert_eq!(gaps.close(GapReason::Failover, 30), []);
        assert_eq!(closed(&mut gaps, "main", 40).len(), 2);
    }
}
