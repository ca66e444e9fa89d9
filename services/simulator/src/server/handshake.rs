//! A client's handshake turns into a WebSocket or into the refusal of each broker.

use tokio_tungstenite::tungstenite::handshake::server::{Callback, ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, header};

use crate::kiwoom::rest::{BLOCKED, is_blocked};
use crate::tr::Broker;

/// Where Kiwoom's WebSocket is.
const KIWOOM: &str = "/api/dostk/websocket";

/// Path and, for Kiwoom, User-Agent.
pub struct Check<'a> {
    /// Whose socket.
    pub broker: Broker,
    /// What an agent must not contain.
    pub blocked_agents: &'a [String],
}

impl Callback for Check<'_> {
    #[allow(clippy::result_large_err, reason = "the type is the library's")]
    fn on_request(self, request: &Request, response: Response) -> Result<Response, ErrorResponse> {
        let agent =
            request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or("");
        if self.broker == Broker::Kiwoom && is_blocked(agent, self.blocked_agents) {
            let mut refused = ErrorResponse::new(Some(BLOCKED.to_owned()));
            *refused.status_mut() = StatusCode::BAD_REQUEST;
            refused.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
            return Err(refused);
        }
        if has_path(self.broker, request.uri().path()) {
            return Ok(response);
        }
        let mut refused = ErrorResponse::new(None);
        *refused.status_mut() = StatusCode::NOT_FOUND;
        Err(refused)
    }
}

/// KIS: `/tryitout`, `/tryitout/<TR>`, or no path at all (kis.md 1.1).
fn has_path(broker: Broker, path: &str) -> bool {
    match broker {
        Broker::Kis => {
            path.is_empty() || path == "/" || path == "/tryitout" || path.starts_with("/tryitout/")
        }
        Broker::Kiwoom => path == KIWOOM,
    }
}
