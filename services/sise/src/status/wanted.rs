//! Settings and symbols file → what this system is meant to carry.

use std::path::PathBuf;

use market::{Group, Market};

use crate::{look, symbols};

/// What settings and symbols file want.
pub struct Wanted {
    /// Each broker in each market that has a key or is wanted.
    pub rooms: Result<Vec<symbols::Room>, String>,
    /// The groups that have symbols, by market.
    pub groups: Result<Vec<(Market, Group)>, String>,
}

impl Wanted {
    /// Reads both here.
    pub fn read(config: &[PathBuf]) -> Self {
        let universe = symbols::configured(config).map_err(|error| format!("{error:#}"));
        let groups = universe
            .map(|universe| universe.entries.iter().map(|entry| (entry.market, entry.group)).collect());
        Self { rooms: symbols::rooms(config).map_err(|error| format!("{error:#}")), groups }
    }

    /// Whether the settings here have a key for a service; none = they cannot be read.
    pub fn has_key(&self, service: &cell::Service) -> Option<bool> {
        let rooms = self.rooms.as_ref().ok()?;
        let of = |room: &&symbols::Room| room.source == service.source && room.market == service.market;
        Some(rooms.iter().find(of).is_some_and(|room| room.room > 0))
    }
}

/// The name of the service of a broker in a market.
pub fn service_of(market: &str, source: &str) -> &'static str {
    let of = |one: &&cell::Service| one.market.as_str() == market && one.source.as_str() == source;
    look::SERVICES.iter().find(of).map_or("", |service| service.name)
}
