//! Who may: the token, the origins of pages, and how many connections.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::header::{AUTHORIZATION, HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use process::Secret;

use crate::request::Problem;

/// The subprotocol of the stream.
pub const PROTOCOL: &str = "sise.v1";
/// Before a token that comes as a subprotocol, which is all that a browser can send.
const BEARER: &str = "bearer.";

/// What is asked of every request below `/v1/`.
#[derive(Debug, Clone)]
pub struct Access {
    token: Option<Secret>,
    origins: Vec<String>,
}

/// Why a request is refused.
pub type Denied = (StatusCode, Problem);

impl Access {
    /// Access with a token, if any, from the gateway's own pages and those of `origins`.
    pub const fn new(token: Option<Secret>, origins: Vec<String>) -> Self {
        Self { token, origins }
    }

    /// Looks at the headers of a request. Returns the foreign origin that may read the answer, if it has one.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn check(&self, headers: &HeaderMap) -> Result<Option<HeaderValue>, Denied> {
        let foreign = self.origin(headers)?;
        let Some(token) = &self.token else { return Ok(foreign) };
        let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = header.and_then(|value| value.strip_prefix("Bearer ")).map(str::trim);
        let protocols =
            headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
        let mut words = protocols.flat_map(|value| value.split(',')).map(str::trim);
        let given = given.or_else(|| words.find_map(|word| word.strip_prefix(BEARER)));
        match given {
            Some(given) if is_same(given.as_bytes(), token.expose().as_bytes()) => Ok(foreign),
            Some(_) => Err(denied(
                StatusCode::UNAUTHORIZED,
                "authorization",
                "wrong token",
                "the gateway.token of its settings",
            )),
            None => {
                let hint =
                    "Authorization: Bearer TOKEN, or the WebSocket subprotocols sise.v1 and bearer.TOKEN";
                Err(denied(StatusCode::UNAUTHORIZED, "authorization", "missing", hint))
            }
        }
    }

    /// Whether the page that asks may. A request without an origin comes from no page.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn origin(&self, headers: &HeaderMap) -> Result<Option<HeaderValue>, Denied> {
        let Some(origin) = headers.get(ORIGIN) else { return Ok(None) };
        let text = origin.to_str().unwrap_or_default();
        let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let authority = text.split_once("://").map(|(_, authority)| authority);
        if !host.is_empty() && authority == Some(host) {
            return Ok(None);
        }
        if self.origins.iter().any(|allowed| allowed == text) {
            return Ok(Some(origin.clone()));
        }
        let hint = "add it to gateway.origins if that page is yours";
        Err(denied(StatusCode::FORBIDDEN, "origin", "this page may not ask", hint))
    }
}

fn denied(status: StatusCode, field: &str, problem: &str, hint: &str) -> Denied {
    (status, Problem::new(field, problem, hint))
}

/// Compares without telling by its time where the first difference is.
fn is_same(given: &[u8], expected: &[u8]) -> bool {
    let differences = given.iter().zip(expected).fold(0, |sum, (a, b)| sum | (a ^ b));
    given.len() == expected.len() && differences == 0
}

/// Counts connections.
#[derive(Debug)]
pub struct Gate {
    most: usize,
    most_per_address: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// A place in the gate, given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    gate: Arc<Gate>,
    address: IpAddr,
}

impl Gate {
    /// A gate for so many connections.
    pub fn new(most: usize, most_per_address: usize) -> Arc<Self> {
        Arc::new(Self { most, most_per_address, open: Mutex::default() })
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    /// A place for a connection from `address`.
    ///
    /// # Errors
    /// [`Denied`] when there is none.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Place, Denied> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = open.values().sum();
        let here = open.get(&address).copied().unwrap_or(0);
        let full = if all >= self.most {
            Some(("gateway.clients", self.most))
        } else if here >= self.most_per_address {
            Some(("gateway.clients_per_address", self.most_per_address))
        } else {
            None
        };
        if let Some((setting, most)) = full {
            let problem = format!("{most} connections are open");
            let hint = format!("close one, come later, or raise {setting}");
            return Err((StatusCode::SERVICE_UNAVAILABLE, Problem::new("connection", problem, hint)));
        }
        *open.entry(address).or_default() += 1;
        metrics::gauge!("sise_gateway_clients").increment(1);
        Ok(Place { gate: Arc::clone(self), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.gate.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
        metrics::gauge!("sise_gateway_clients").decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (axum::http::HeaderName::from_static(name), HeaderValue::from_str(value).expect("value"))
        };
        pairs.iter().map(pair).collect()
    }

    fn status(access: &Access, pairs: &[(&'static str, &str)]) -> u16 {
        access.check(&headers(pairs)).map_or_else(|(status, _)| status.as_u16(), |_| 200)
    }

    #[test]
    fn the_token_comes_as_a_header_or_a_subprotocol() {
        let access = Access::new(Some(Secret::new("secret")), Vec::new());
        assert_eq!(status(&access, &[]), 401);
        assert_eq!(status(&access, &[("authorization", "Bearer secret")]), 200);
        assert_eq!(status(&access, &[("authorization", "Bearer secre")]), 401);
        assert_eq!(status(&access, &[("authorization", "Bearer secrets")]), 401);
        assert_eq!(status(&access, &[("sec-websocket-protocol", "sise.v1, bearer.secret")]), 200);
        assert_eq!(status(&access, &[("sec-websocket-protocol", "sise.v1, bearer.")]), 401);
        assert_eq!(status(&Access::new(None, Vec::new()), &[]), 200);
    }

    #[test]
    fn only_its_own_pages_and_those_allowed_may_ask() {
        let access = Access::new(None, vec!["https://a.example".into()]);
        let host = ("host", "127.0.0.1:8080");
        assert_eq!(status(&access, &[host]), 200);
        assert_eq!(status(&access, &[host, ("origin", "http://127.0.0.1:8080")]), 200);
        assert_eq!(status(&access, &[host, ("origin", "http://evil.example")]), 403);
        assert_eq!(status(&access, &[host, ("origin", "null")]), 403);
        let allowed = access.check(&headers(&[host, ("origin", "https://a.example")])).expect("allowed");
        assert_eq!(allowed.expect("foreign"), "https://a.example");
    }

    #[test]
    fn places_are_counted_and_given_back() {
        let gate = Gate::new(3, 2);
        let (a, b) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let first = gate.enter(a).expect("place");
        let _second = gate.enter(a).expect("place");
        assert!(gate.enter(a).expect_err("full").1.hint.contains("per_address"));
        let _third = gate.enter(b).expect("place");
        assert!(gate.enter(b).expect_err("full").1.hint.ends_with("gateway.clients"));
        drop(first);
        assert_eq!(gate.open(), 2);
        let _fourth = gate.enter(b).expect("place");
    }
}
