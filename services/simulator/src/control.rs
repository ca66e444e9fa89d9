//! `/control/…`: what a demo or a test asks of the simulator itself. JSON in and out; no broker has this.
//!
//! - `GET /control/status`: `running`, `trades`, `books`, `events` (both), `frames` (replayed), `made`, `by_tr`,
//!   `clients` (`id`, `broker`, `registrations`, `written`, `missed`, `unwritten`), `day` (`day::counts`) if there is one.
//! - `POST /control/stop`: stops making events, waits until all sockets have theirs and the tape is on disk, answers
//!   the status with `drained`.
//! - `POST /control/start`: goes on.
//! - `POST /control/faults`: a list of faults ([`crate::script`]).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, interval};

use crate::script::Fault;
use crate::state::State;
use crate::tr::{Kind, Tr};

/// How long a stop waits for sockets that do not read.
const DRAIN: Duration = Duration::from_secs(10);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(5);

/// The control routes.
pub fn routes() -> Router<Arc<State>> {
    Router::new()
        .route("/control/status", get(status))
        .route("/control/stop", post(stop))
        .route("/control/start", post(start))
        .route("/control/faults", post(faults))
}

async fn status(Shared(state): Shared<Arc<State>>) -> Json<Value> {
    Json(figures(&state))
}

fn figures(state: &State) -> Value {
    let (mut trades, mut books) = (0, 0);
    let mut by_tr = Map::new();
    for &tr in Tr::ALL {
        let count = state.written[tr.index()].load(Ordering::Acquire);
        match tr.kind() {
            Kind::Trade => trades += count,
            Kind::Book => books += count,
            Kind::Expected | Kind::Status | Kind::Program | Kind::Silent => {}
        }
        if count > 0 {
            by_tr.insert(tr.code().to_owned(), count.into());
        }
    }
    let clients: Vec<Value> = state.hub().connections.iter().map(client).collect();
    json!({
        "running": state.running.load(Ordering::Acquire),
        "trades": trades,
        "books": books,
        "events": trades + books,
        "frames": state.replayed.load(Ordering::Acquire),
        "made": state.made.load(Ordering::Acquire),
        "by_tr": by_tr,
        "clients": clients,
        "day": state.day.as_ref().map(crate::day::Day::figures),
    })
}

fn client((id, connection): (&u64, &crate::hub::Connection)) -> Value {
    let registrations: Vec<Value> =
        connection.registrations.keys().map(|(tr, key)| json!([tr.code(), key])).collect();
    json!({
        "id": id,
        "broker": connection.broker.word(),
        "registrations": registrations,
        "written": connection.figures.written.load(Ordering::Acquire),
        "missed": connection.figures.missed.load(Ordering::Acquire),
        "unwritten": connection.figures.unwritten.load(Ordering::Acquire),
    })
}

async fn stop(Shared(state): Shared<Arc<State>>) -> Json<Value> {
    state.running.store(false, Ordering::Release);
    tracing::info!("events stopped");
    let drained = drain(&state).await;
    let mut figures = figures(&state);
    figures["drained"] = drained.into();
    Json(figures)
}

/// Waits until what was made is written and on the tape; false when a socket did not take it in time.
pub async fn drain(state: &State) -> bool {
    let deadline = Instant::now() + DRAIN;
    let mut looks = interval(LOOK);
    let mut drained = state.is_drained();
    while !drained && Instant::now() < deadline {
        looks.tick().await;
        drained = state.is_drained();
    }
    state.tape.flush().await;
    drained
}

async fn start(Shared(state): Shared<Arc<State>>) -> Json<Value> {
    state.running.store(true, Ordering::Release);
    tracing::info!("events started");
    Json(figures(&state))
}

async fn faults(Shared(state): Shared<Arc<State>>, body: Bytes) -> Response {
    match serde_json::from_slice::<Vec<Fault>>(&body) {
        Ok(faults) => {
            state.script().add(faults);
            state.apply_faults();
            Json(figures(&state)).into_response()
        }
        Err(error) => {
            let help = format!("{error}; send a list such as [{{\"at_event\":1000,\"do\":\"cut\"}}]");
            (StatusCode::BAD_REQUEST, Json(json!({ "error": help }))).into_response()
        }
    }
}
