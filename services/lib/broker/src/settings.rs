//! What the feed of any broker is made of: addresses, keys, limits. Each broker has defaults of its own.

use std::path::PathBuf;
use std::time::Duration;

use crate::credentials::Credentials;

/// The settings of a broker's feed.
#[derive(Debug, Clone)]
pub struct BrokerSettings {
    /// REST address, `https://host:port`.
    pub rest_url: String,
    /// WebSocket address, `ws://…` or `wss://…`.
    pub ws_url: String,
    /// One connection each.
    pub keys: Vec<Credentials>,
    /// A private certificate authority, beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// Where tokens are kept.
    pub token_folder: Option<PathBuf>,
    /// Registrations that one connection may hold.
    pub registration_limit: usize,
    /// Between two requests on a connection.
    pub pace: Duration,
    /// Between two REST pages of one TR with one key; none = as fast as the broker is known to allow.
    pub page_pace: Option<Duration>,
    /// No message at all for so long: the socket is dead.
    pub liveness_limit: Duration,
    /// Confirmed registrations without any data for so long, while data is expected, are an error.
    pub silence_limit: Duration,
}
