//! Figures for Prometheus, and whether the process lives and is ready: `/metrics`, `/livez` and `/readyz` of one address.
//!
//! Each metric is told of in the file `figures.rs` of the package that counts it, and in `docs/metrics.md`.

mod endpoint;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use metrics_exporter_prometheus::PrometheusBuilder;
use serde::Deserialize;

use crate::config::ConfigError;
use crate::shutdown::Shutdown;

/// Where each service is asked when its settings do not say otherwise.
pub const ADDRESSES: &[(&str, &str)] = &[
    ("kis_service", "127.0.0.1:9101"),
    ("us_service", "127.0.0.1:9102"),
    ("kiwoom_service", "127.0.0.1:9103"),
    ("archiver", "127.0.0.1:9104"),
    ("gap_finder", "127.0.0.1:9105"),
    ("gateway", "127.0.0.1:9106"),
    ("simulator", "127.0.0.1:9107"),
    ("clickhouse_embedded", "127.0.0.1:9108"),
];

/// No endpoint. An empty value in a file says the same; an empty variable says nothing.
const OFF: &str = "off";

/// Bounds of the buckets of all histograms, in seconds: from a round trip on one machine to an outage.
const BUCKETS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
    1800.0,
];

/// Section `[metrics]`: an address for each service.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct MetricsSettings {
    /// Service name to listen address, for example `archiver = "127.0.0.1:9104"`; `off` or nothing = no endpoint.
    #[serde(flatten)]
    pub addresses: BTreeMap<String, String>,
}

impl MetricsSettings {
    /// Where `service` is to be asked; none when nobody may.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for an address that cannot be read and for a service that there is not.
    pub fn address(&self, service: &str) -> Result<Option<SocketAddr>, ConfigError> {
        let known = |name: &str| ADDRESSES.iter().find(|(service, _)| *service == name);
        if let Some(name) = self.addresses.keys().find(|name| known(name).is_none()) {
            let names: Vec<_> = ADDRESSES.iter().map(|(service, _)| *service).collect();
            let problem = format!("no service has this name (known: {})", names.join(", "));
            return Err(ConfigError::invalid(format!("metrics.{name}"), problem));
        }
        let section = service.replace('-', "_");
        let set = self.addresses.get(&section).map(String::as_str);
        let text = set.or_else(|| known(&section).map(|(_, address)| *address)).unwrap_or_default();
        if text.is_empty() || text == OFF {
            return Ok(None);
        }
        let address = text.parse().map_err(|error| {
            let problem = format!("{text:?}: {error}; an address such as 127.0.0.1:9101, or {OFF}");
            ConfigError::invalid(format!("metrics.{section}"), problem)
        })?;
        Ok(Some(address))
    }
}

/// Starts to count, and the endpoint of `service`. Must run inside the tokio runtime, before anything is counted.
///
/// # Errors
/// [`ConfigError::Invalid`] when this process counts already.
pub fn start(service: &str, address: SocketAddr, shutdown: Shutdown) -> Result<(), ConfigError> {
    let invalid =
        |problem: String| ConfigError::invalid(format!("metrics.{}", service.replace('-', "_")), problem);
    let builder =
        PrometheusBuilder::new().set_buckets(BUCKETS).map_err(|error| invalid(error.to_string()))?;
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|error| invalid(error.to_string()))?;
    metrics::describe_gauge!("sise_process_info", "1, with the version of the service");
    metrics::describe_gauge!(
        "sise_process_ready",
        "1 when this part of the service can do its work, 0 when not"
    );
    let version = env!("CARGO_PKG_VERSION");
    metrics::gauge!("sise_process_info", "version" => version).set(1);
    tokio::spawn(endpoint::serve(address, handle, shutdown));
    Ok(())
}

/// A whole number for a gauge, which holds those below 2⁵³ exactly: nine million gigabytes.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "exact below 2⁵³, and nothing here is above")]
pub const fn whole(number: u64) -> f64 {
    number as f64
}

/// A share for a gauge, 0 to 1, from one in thousandths.
#[must_use]
#[expect(clippy::float_arithmetic, reason = "a figure for people, and no data")]
pub fn ratio(permille: u32) -> f64 {
    f64::from(permille) / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(addresses: &[(&str, &str)], service: &str) -> Result<Option<SocketAddr>, String> {
        let addresses = addresses.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        MetricsSettings { addresses }.address(service).map_err(|error| error.to_string())
    }

    #[test]
    fn every_service_has_an_address_of_its_own_unless_it_is_set_or_off() {
        let of = |text: &str| Ok(Some(text.parse().expect("address")));
        assert_eq!(address(&[], "kis-service"), of("127.0.0.1:9101"));
        assert_eq!(address(&[], "clickhouse-embedded"), of("127.0.0.1:9108"));
        assert_eq!(address(&[("archiver", "0.0.0.0:1")], "archiver"), of("0.0.0.0:1"));
        assert_eq!(address(&[("archiver", "")], "archiver"), Ok(None));
        assert_eq!(address(&[("archiver", "off")], "archiver"), Ok(None));
        assert_eq!(address(&[], "market-guard"), Ok(None));
        let mut ports: Vec<_> = ADDRESSES.iter().map(|(_, address)| address).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), ADDRESSES.len());
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        let error = address(&[("archiver", "nowhere")], "archiver").expect_err("refused");
        assert!(error.contains("metrics.archiver") && error.contains("nowhere"), "{error}");
        let error = address(&[("archivar", "127.0.0.1:1")], "archiver").expect_err("refused");
        assert!(error.contains("metrics.archivar") && error.contains("kiwoom_service"), "{error}");
    }

    #[test]
    fn numbers_for_gauges() {
        assert_eq!(
            (whole(8_589_934_593).to_string(), ratio(850).to_string()),
            ("8589934593".into(), "0.85".into())
        );
    }
}
