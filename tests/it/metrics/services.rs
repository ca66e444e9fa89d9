//! What the tests with a real Prometheus share: running services that tell their figures, and waiting for alerts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use super::prometheus::Prometheus;
use crate::support::{Stack, until};

/// Few enough for one key of each broker: a core symbol of group A, another one, one of group B, one of the US.
pub const SYMBOLS: &str = "symbols:
- {symbol: 005930, core: true, group: A}
- {symbol: 005380, group: A}
- {symbol: 068270, group: B}
- {symbol: AAPL, market: us, listing: NAS}
";

/// Where each service tells its figures.
pub type Addresses = Vec<(&'static str, SocketAddr)>;

pub fn write_symbols(stack: &Stack, text: &str) -> String {
    // As an editor does: a new file takes the old one's place.
    let (new, file) = (stack.folder.path().join("symbols.new"), stack.folder.path().join("symbols.yaml"));
    std::fs::write(&new, text).expect("symbols");
    std::fs::rename(new, &file).expect("symbols");
    file.display().to_string()
}

/// Waits until the services are ready, which log JSON; after a restart each is asked at the same address.
pub async fn ready(stack: &mut Stack, services: &[&'static str]) -> Addresses {
    let mut addresses = Vec::new();
    for service in services {
        let address = stack.address(service, r#""message":"metrics served","address":""#).await;
        let variable = format!("SISE__METRICS__{}", service.replace('-', "_").to_uppercase());
        stack.set(&variable, &address.to_string());
        addresses.push((*service, address));
    }
    for (service, address) in &addresses {
        until(&format!("{service} is ready"), async || ask(stack, *address, "readyz").await.0 == 200).await;
        assert_eq!(ask(stack, *address, "livez").await, (200, "alive\n".to_owned()));
    }
    addresses
}

pub async fn ask(stack: &Stack, address: SocketAddr, path: &str) -> (u16, String) {
    let Ok(answer) = stack.http.get(format!("http://{address}/{path}")).send().await else {
        return (0, String::new());
    };
    (answer.status().as_u16(), answer.text().await.unwrap_or_default())
}

/// Waits until the figures of a service are as wanted: as it tells them itself, for Prometheus still has what a process
/// that is gone told last.
pub async fn says(
    stack: &Stack,
    addresses: &Addresses,
    service: &str,
    what: &str,
    wanted: impl Fn(&BTreeMap<&str, f64>) -> bool,
) {
    let (_, address) = addresses.iter().find(|(name, _)| *name == service).expect("its address");
    until(&format!("{service} {what}"), async || {
        let (_, text) = ask(stack, *address, "metrics").await;
        let figures = text.lines().filter_map(|line| line.rsplit_once(' '));
        wanted(&figures.filter_map(|(name, value)| Some((name, value.parse().ok()?))).collect())
    })
    .await;
}

/// Waits until each alert has fired for its service.
pub async fn fires(prometheus: &Prometheus, begun: Instant, causes: &[(&str, &str)]) {
    for (alert, service) in causes {
        let wanted = ((*alert).to_owned(), (*service).to_owned());
        until(&format!("{alert} fires for {service}"), async || {
            prometheus.ever_fired().await.contains(&wanted)
        })
        .await;
        println!("{alert} fires for {service} {} s after the causes were made", begun.elapsed().as_secs());
    }
}
