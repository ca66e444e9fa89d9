//! Looks that more than one command takes at the running system: its buckets, its disks, the work of the gap finder.

pub mod board;
pub mod disk;
pub mod gap_finder;

use cell::Service;
use market::{Market, Source};

/// The services of the brokers, as they name themselves.
pub const SERVICES: [Service; 3] = [
    Service { name: "kis-service", source: Source::Kis, market: Market::Kr },
    Service { name: "us-service", source: Source::Kis, market: Market::Us },
    Service { name: "kiwoom-service", source: Source::Kiwoom, market: Market::Kr },
];
