//! Seed and settings turn into what each broker's feed did not deliver of the day: single trades, cut links, a late start;
//! and into the rows that the REST sides do not have. Plain arithmetic, so that every part of the day asks again.

use super::phases;
use crate::config::DaySettings;
use crate::market::random::Random;
use crate::tr::Tape;

/// A feed that carries a part of the day, with a journal of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// KIS, Korea.
    Kis,
    /// Kiwoom, Korea.
    Kiwoom,
    /// KIS, the US.
    Us,
}

/// All of them, in the order of their numbers.
pub const CARRIERS: [Carrier; 3] = [Carrier::Kis, Carrier::Kiwoom, Carrier::Us];
const MILLION: u64 = 1_000_000;

impl Carrier {
    /// The service whose journal it is.
    #[must_use]
    pub fn service(self) -> &'static str {
        match self {
            Self::Kis => "kis-service",
            Self::Kiwoom => "kiwoom-service",
            Self::Us => "us-service",
        }
    }

    /// The broker's word.
    #[must_use]
    pub fn source(self) -> &'static str {
        match self {
            Self::Kis | Self::Us => "kis",
            Self::Kiwoom => "kiwoom",
        }
    }

    /// All connections stand before the first session begins: 07:50 in Korea, 03:50 in New York.
    fn first_up(self) -> u32 {
        let hour = if self == Self::Us { 3 } else { 7 };
        hour * 3_600 + 50 * 60
    }
}

/// A link that was cut; seconds since local midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Whose.
    pub carrier: Carrier,
    /// Which of its connections.
    pub connection: usize,
    /// From this second on nothing is delivered.
    pub from: u32,
    /// Until this one.
    pub until: u32,
}

/// A trade as the losses know it.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Number of the symbol.
    pub symbol: usize,
    /// Its tape.
    pub tape: Tape,
    /// Number of the print in its line.
    pub index: usize,
    /// Second of its local day.
    pub second: u32,
}

/// What is lost, and where.
#[derive(Debug)]
pub struct Losses {
    settings: DaySettings,
    /// The cuts, by time.
    pub cuts: Vec<Cut>,
    /// The connection that begins late, and when.
    pub late: Option<(Carrier, usize, u32)>,
}

/// A number that looks random and that its arguments alone decide.
fn mix(seed: u64, parts: [u64; 3]) -> u64 {
    parts.into_iter().fold(seed ^ 0x5851_F42D_4C95_7F2D, |state, part| {
        let mut z = (state ^ part).wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}

impl Losses {
    /// Draws cuts and the late start.
    #[must_use]
    pub fn new(settings: &DaySettings) -> Self {
        let present: Vec<Carrier> = CARRIERS
            .into_iter()
            .filter(|carrier| match carrier {
                Carrier::Kis => settings.kis_percent > 0 || settings.both_percent > 0,
                Carrier::Kiwoom => settings.kis_percent < 100 || settings.both_percent > 0,
                Carrier::Us => false,
            })
            .collect();
        let (open, close) = phases::regular(settings.kind);
        let mut random = Random::new(settings.seed, "cuts");
        let mut cuts = Vec::new();
        for n in 0..settings.cuts {
            let Some(carrier) = present.get(n % present.len().max(1)) else { break };
            let from = random.between(i64::from(open) + 600, i64::from(close) - 3_600);
            let from = u32::try_from(from).unwrap_or(open);
            let until = from + settings.cut_minutes * 60;
            // One connection is not cut twice at a time: each cut takes the next one.
            let connection = n / present.len().max(1) % settings.connections;
            cuts.push(Cut { carrier: *carrier, connection, from, until });
        }
        cuts.sort_by_key(|cut| cut.from);
        let late = present
            .first()
            .filter(|_| settings.late_minutes > 0)
            .map(|carrier| (*carrier, settings.connections - 1, open + settings.late_minutes * 60));
        Self { settings: settings.clone(), cuts, late }
    }

    /// Whether a feed carries a symbol; those of the US stand behind the Korean ones.
    #[must_use]
    pub fn carries(&self, carrier: Carrier, symbol: usize) -> bool {
        if (symbol >= self.settings.symbols) != (carrier == Carrier::Us) {
            return false;
        }
        let at = |salt| mix(self.settings.seed, [salt, symbol as u64, 0]) % 100;
        let both = at(1) < self.settings.both_percent;
        let kis = at(2) < self.settings.kis_percent;
        carrier == Carrier::Us || both || kis == (carrier == Carrier::Kis)
    }

    /// The connection of a symbol.
    #[must_use]
    pub fn connection(&self, carrier: Carrier, symbol: usize) -> usize {
        let drawn = mix(self.settings.seed, [3, symbol as u64, carrier as u64]);
        usize::try_from(drawn % self.settings.connections as u64).unwrap_or(0)
    }

    /// When a connection was made.
    #[must_use]
    pub fn up(&self, carrier: Carrier, connection: usize) -> u32 {
        match self.late {
            Some((late, at, second)) if (late, at) == (carrier, connection) => second,
            _ => carrier.first_up(),
        }
    }

    /// Whether a feed that carries the symbol delivered the trade.
    #[must_use]
    pub fn delivered(&self, carrier: Carrier, place: Place) -> bool {
        let connection = self.connection(carrier, place.symbol);
        let second = place.second;
        let cut = |cut: &Cut| {
            (cut.carrier, cut.connection) == (carrier, connection) && (cut.from..cut.until).contains(&second)
        };
        if second < self.up(carrier, connection) || self.cuts.iter().any(cut) {
            return false;
        }
        self.drawn(4 + carrier as u64, place.symbol, place.tape, place.index) >= self.settings.loss
    }

    /// Whether the REST sides do not have the row.
    #[must_use]
    pub fn lacks(&self, symbol: usize, tape: Tape, index: usize) -> bool {
        self.settings.rest_lacks > 0 && self.drawn(9, symbol, tape, index) < self.settings.rest_lacks
    }

    fn drawn(&self, salt: u64, symbol: usize, tape: Tape, index: usize) -> u64 {
        let line = (symbol as u64) << 2 | tape.index() as u64;
        mix(self.settings.seed, [salt, line, index as u64]) % MILLION
    }
}
