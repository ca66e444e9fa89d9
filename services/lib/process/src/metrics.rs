//! Counters for people: `http://ADDRESS/metrics` in Prometheus form.

use std::net::SocketAddr;

use metrics_exporter_prometheus::PrometheusBuilder;
use serde::Deserialize;

use crate::config::ConfigError;

/// Section `[metrics]`: one address a service, none = no endpoint.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct MetricsSettings {
    /// Service name to listen address, for example `archiver = "127.0.0.1:9104"`.
    #[serde(flatten)]
    pub addresses: std::collections::BTreeMap<String, String>,
}

impl MetricsSettings {
    /// Starts the endpoint of `service` if it has an address. Must run inside the tokio runtime.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] when the address cannot be read or bound.
    pub fn start(&self, service: &str) -> Result<(), ConfigError> {
        let section = service.replace('-', "_");
        let Some(text) = self.addresses.get(&section).filter(|text| !text.is_empty()) else { return Ok(()) };
        let key = format!("metrics.{section}");
        let address: SocketAddr = text.parse().map_err(|e| ConfigError::invalid(&key, e))?;
        PrometheusBuilder::new()
            .with_http_listener(address)
            .install()
            .map_err(|e| ConfigError::invalid(&key, format!("{text}: {e}")))
    }
}
