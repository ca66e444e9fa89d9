//! What every handler of the gateway has, and what it answers when it cannot.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;
use process::Shutdown;
use serde_json::json;
use store::Store;
use tokio::sync::mpsc;

use crate::access::{Access, Gate};
use crate::client::Limits;
use crate::clock::Clock;
use crate::hub::Command;
use crate::replay::Progress;
use crate::request::Problem;
use crate::socket::SocketSettings;

/// What every handler has.
pub struct App {
    /// The way to the hub.
    pub commands: mpsc::Sender<Command>,
    /// The archive.
    pub store: Store,
    /// Who may.
    pub access: Access,
    /// How many may.
    pub gate: Arc<Gate>,
    /// How much may wait for a client.
    pub limits: Limits,
    /// What a socket needs.
    pub socket: SocketSettings,
    /// Whether the first snapshot is taken.
    pub ready: AtomicBool,
    /// Whether the bus is there.
    pub bus: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Numbers of clients.
    pub next_client: AtomicU64,
    /// The stop, and a sign that sockets are open.
    pub shutdown: Shutdown,
    /// Held by every socket: the stop waits until all are gone.
    pub sockets: mpsc::Sender<()>,
    /// The time that is told.
    pub clock: Clock,
    /// How far the day is that is played; none = what is live.
    pub replay: Option<Arc<Progress>>,
}

/// An answer that is an error.
pub struct Failure(
    /// Its status.
    pub StatusCode,
    /// What is wrong.
    pub Problem,
);

impl Failure {
    /// Something that the gateway needs does not answer.
    pub fn unavailable(field: &str, problem: impl ToString, hint: &str) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, Problem::new(field, problem.to_string(), hint))
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(StatusCode::BAD_REQUEST, problem)
    }
}

impl axum::response::IntoResponse for Failure {
    fn into_response(self) -> Response {
        axum::response::IntoResponse::into_response((self.0, Json(json!({ "error": self.1 }))))
    }
}
