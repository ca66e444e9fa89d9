//! One address → what Prometheus and a health check are answered.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;

use crate::ready;
use crate::shutdown::Shutdown;

/// Pause before an address that is taken is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// How often what histograms have gathered is added up: bounds their memory when nobody asks.
const UPKEEP: Duration = Duration::from_secs(5);
/// The format of the answer.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Clone)]
struct Server {
    figures: PrometheusHandle,
    shutdown: Shutdown,
}

/// Serves for as long as the process lives. A taken address is no reason not to record a market: it is told, and tried
/// again, as when a new process takes over from an old one.
pub(super) async fn serve(address: SocketAddr, figures: PrometheusHandle, shutdown: Shutdown) {
    let upkeep = figures.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            upkeep.run_upkeep();
        }
    });
    let mut told = false;
    let listener = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(problem) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(%address, %problem, "metrics cannot be served, trying again: is the address in use? it is set in [metrics]");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    };
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "metrics served");
    }
    if let Err(problem) = axum::serve(listener, router(Server { figures, shutdown })).await {
        tracing::error!(%problem, "metrics are served no longer");
    }
}

fn router(server: Server) -> Router {
    Router::new()
        .route("/metrics", get(figures))
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(readiness))
        .with_state(server)
}

async fn figures(State(server): State<Server>) -> impl IntoResponse {
    for (part, not) in ready::report() {
        metrics::gauge!("sise_process_ready", "part" => part).set(u32::from(not.is_none()));
    }
    ([(CONTENT_TYPE, TEXT)], server.figures.render())
}

async fn readiness(State(server): State<Server>) -> Response {
    if server.shutdown.is_requested() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    match ready::told() {
        Ok(text) => text.into_response(),
        Err(text) => (StatusCode::SERVICE_UNAVAILABLE, text).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[tokio::test]
    async fn figures_life_and_readiness_are_answered() {
        crate::tls::install();
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || metrics::counter!("sise_test_total").increment(3));
        let shutdown = Shutdown::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listener");
        let address = listener.local_addr().expect("address");
        let server = Server { figures: recorder.handle(), shutdown: shutdown.clone() };
        tokio::spawn(async { axum::serve(listener, router(server)).await });
        let ask = async |path: &str| {
            let answer = reqwest::get(format!("http://{address}/{path}")).await.expect("answer");
            (answer.status().as_u16(), answer.text().await.expect("text"))
        };
        let (status, text) = ask("metrics").await;
        assert!(
            status == 200 && text.contains("# TYPE sise_test_total counter\nsise_test_total 3\n"),
            "{text}"
        );
        assert_eq!(ask("livez").await, (200, "alive\n".to_owned()));
        assert_eq!(ask("nothing").await.0, 404);
        shutdown.request();
        assert_eq!(ask("readyz").await, (503, "stopping\n".to_owned()));
    }
}
