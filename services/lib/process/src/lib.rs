//! What every process of sise needs and none should write twice: settings, logs, secrets, metrics, readiness, an orderly stop.
//!
//! Knows no market, no broker, no bus and no store.

pub mod clock;
pub mod config;
pub mod log;
pub mod metrics;
pub mod ready;
pub mod run;
pub mod secret;
pub mod shutdown;
pub mod text_file;
pub mod tls;

pub use config::ConfigError;
pub use run::run;
pub use secret::Secret;
pub use shutdown::Shutdown;
