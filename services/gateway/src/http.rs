//! HTTP: the way into the stream, what is known now, the archive, the page.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{ConnectInfo, Query, Request, State, WebSocketUpgrade};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, VARY,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tower_http::services::{ServeDir, ServeFile};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::access::PROTOCOL;
use crate::app::{App, Failure};
use crate::archive;
use crate::client::Client;
use crate::hub::Command;
use crate::request::{self, Problem};
use crate::socket::{self, MOST_MESSAGE};
use crate::view::{Kinds, Selection, Symbols};

/// A socket reads little at once: requests are short, and there are many sockets.
const READ_BUFFER: usize = 4 << 10;
/// What a socket gathers before it writes: one message at a time.
const WRITE_BUFFER: usize = 0;
/// The most that a socket holds unsent: one message and a farewell.
const MOST_UNSENT: usize = 1 << 20;

/// What the page may do: nothing beyond its own origin.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; \
                      connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Everything that the gateway answers.
pub fn router(app: Arc<App>, page: PathBuf) -> Router {
    let index = page.join("index.html");
    let header = |name, value| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
    let page = Router::new()
        .fallback_service(ServeDir::new(page).fallback(ServeFile::new(index)))
        .layer(header(CONTENT_SECURITY_POLICY, POLICY))
        .layer(header(CACHE_CONTROL, "no-cache"));
    let v1 = Router::new()
        .route("/stream", get(stream))
        .route("/symbols", get(symbols))
        .route("/snapshot", get(snapshot))
        .route("/health", get(health))
        .route("/gaps", get(archive::gaps))
        .route("/bars", get(archive::bars))
        .route("/completeness", get(archive::completeness))
        .fallback(unknown)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), guard));
    Router::new()
        .nest("/v1", v1)
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .fallback_service(page)
        .layer(SetResponseHeaderLayer::if_not_present(
            axum::http::header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .with_state(app)
}

/// Lets through who may, and lets a page of an allowed origin read the answer.
async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let asks_first = request.method() == Method::OPTIONS;
    // A browser asks first, without the token.
    let checked =
        if asks_first { app.access.origin(request.headers()) } else { app.access.check(request.headers()) };
    let foreign = match checked {
        Ok(foreign) => foreign,
        Err((status, problem)) => {
            metrics::counter!("sise_gateway_requests_denied_total").increment(1);
            return Failure(status, problem).into_response();
        }
    };
    let mut response =
        if asks_first { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    if let Some(origin) = foreign {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization"));
        headers.insert(VARY, HeaderValue::from_static("origin"));
    }
    response
}

async fn unknown() -> Failure {
    let hint = "stream, symbols, snapshot, health, gaps, bars, completeness: see docs/gateway.md";
    Failure(StatusCode::NOT_FOUND, Problem::new("path", "there is no such path", hint))
}

async fn ready(State(app): State<Arc<App>>) -> Response {
    if !(app.bus)() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the bus does not answer\n").into_response();
    }
    if !app.ready.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "the last messages are being read\n").into_response();
    }
    "ready\n".into_response()
}

async fn stream(
    State(app): State<Arc<App>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Failure> {
    let place = app.gate.enter(address.ip()).map_err(|(status, problem)| Failure(status, problem))?;
    let id = app.next_client.fetch_add(1, Ordering::Relaxed);
    let client = Client::new(id, app.limits);
    let (commands, settings) = (app.commands.clone(), app.socket.clone());
    let (shutdown, open) = (app.shutdown.clone(), app.sockets.clone());
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(MOST_UNSENT)
        .max_message_size(MOST_MESSAGE)
        .max_frame_size(MOST_MESSAGE);
    Ok(upgrade.on_upgrade(move |socket| async move {
        socket::serve(socket, client, commands, settings, shutdown).await;
        drop((place, open));
    }))
}

/// Asks the hub.
async fn ask<T>(app: &App, question: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Failure> {
    let (answer, answered) = oneshot::channel();
    let stopped = || Failure::unavailable("gateway", "it stops", "ask again in a moment");
    app.commands.send(question(answer)).await.map_err(|_| stopped())?;
    answered.await.map_err(|_| stopped())
}

async fn symbols(State(app): State<Arc<App>>) -> Result<Json<Value>, Failure> {
    ask(&app, Command::Symbols).await.map(Json)
}

async fn health(State(app): State<Arc<App>>) -> Result<Json<Value>, Failure> {
    let (health, archive) = tokio::join!(ask(&app, Command::Health), app.store.answers());
    let mut health = health?;
    health["bus"] = json!((app.bus)());
    health["archive"] = json!(archive);
    health["clients"] = json!(app.gate.open());
    if let Some(replay) = &app.replay {
        health["replay"] = replay.json();
    }
    Ok(Json(health))
}

/// What `/v1/snapshot` takes.
#[derive(Debug, Deserialize)]
struct SnapshotQuery {
    symbol: Option<String>,
    market: Option<String>,
    source: Option<String>,
    tape: Option<String>,
}

async fn snapshot(
    State(app): State<Arc<App>>,
    Query(query): Query<SnapshotQuery>,
) -> Result<Response, Failure> {
    let text = query.symbol.ok_or_else(|| Problem::new("symbol", "missing", "?symbol=005930"))?;
    let market = request::market(query.market.as_deref())?;
    let selection = Selection {
        market,
        view: request::view(query.source.as_deref())?,
        tape: request::tape(query.tape.as_deref(), market)?,
        kinds: Kinds::ALL,
        symbols: Symbols::These([request::symbol("symbol", &text)?].into()),
    };
    let pieces = ask(&app, |answer| Command::Snapshot(selection, answer)).await?;
    let mut body = format!(r#"{{"now_ns":"{}","items":["#, app.clock.now_ns()).into_bytes();
    for (place, piece) in pieces.iter().enumerate() {
        if place > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&piece.items);
    }
    body.extend_from_slice(b"]}");
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}
