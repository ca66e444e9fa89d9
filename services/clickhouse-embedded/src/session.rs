//! Sessions (`session_id`): a connection kept between requests, with its temporary tables and `SET`s.
//!
//! As ClickHouse has it: a session belongs to one user, serves one request at a time, and ends when it was idle for
//! `session_timeout` seconds (60 unless given, at most 3600). A request without `session_id` gets a connection of its
//! own, so nothing that it sets is seen by another one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Exception;
use crate::ffi::Connection;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_TIMEOUT: Duration = Duration::from_secs(3600);

/// What a request says about its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRequest {
    /// The user's name and the session's.
    pub key: (String, String),
    /// How long it is kept when idle.
    pub timeout: Duration,
    /// Whether it must be there already.
    pub check: bool,
}

/// Reads `session_timeout`.
///
/// # Errors
/// Code 374.
pub fn timeout(text: Option<&str>) -> Result<Duration, Exception> {
    let Some(text) = text else { return Ok(DEFAULT_TIMEOUT) };
    match text.parse().map(Duration::from_secs) {
        Ok(timeout) if timeout <= MAX_TIMEOUT => Ok(timeout),
        _ => {
            Err(Exception::session_timeout(format!("Invalid session timeout: '{text}' (0 to 3600 seconds)")))
        }
    }
}

#[derive(Debug)]
enum State {
    Busy,
    Idle { connection: Connection, until: Instant },
}

/// The open sessions.
#[derive(Debug)]
pub struct Sessions {
    /// Most sessions at once; the one that would end first makes place.
    limit: usize,
    states: Mutex<HashMap<(String, String), State>>,
}

impl Sessions {
    /// None yet.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, states: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the session's connection, or `None` when the session is new: the caller opens one.
    ///
    /// # Errors
    /// Code 373 when another request uses it, 372 when it must be there and is not.
    pub fn take(&self, request: &SessionRequest) -> Result<Option<Connection>, Exception> {
        self.expire();
        let mut states = self.lock();
        let name = &request.key.1;
        match states.remove(&request.key) {
            Some(State::Busy) => {
                states.insert(request.key.clone(), State::Busy);
                Err(Exception::session_locked(format!("Session {name} is locked by a concurrent client")))
            }
            None if request.check => Err(Exception::session_not_found(format!("Session {name} not found"))),
            None => {
                let until = |state: &State| match state {
                    State::Idle { until, .. } => Some(*until),
                    State::Busy => None,
                };
                let ends = states.iter().filter_map(|(key, state)| Some((until(state)?, key.clone())));
                let first = ends.min().filter(|_| states.len() >= self.limit);
                let _ended = first.and_then(|(_, key)| states.remove(&key));
                states.insert(request.key.clone(), State::Busy);
                Ok(None)
            }
            Some(State::Idle { connection, .. }) => {
                states.insert(request.key.clone(), State::Busy);
                Ok(Some(connection))
            }
        }
    }

    /// Gives a session's connection back; `None` ends the session.
    pub fn put_back(&self, request: &SessionRequest, connection: Option<Connection>) {
        let mut states = self.lock();
        states.remove(&request.key);
        if let Some(connection) = connection.filter(|_| states.len() < self.limit) {
            let until = Instant::now() + request.timeout;
            states.insert(request.key.clone(), State::Idle { connection, until });
        }
    }

    /// Ends the sessions that were idle for too long.
    pub fn expire(&self) {
        let now = Instant::now();
        self.lock().retain(|_, state| !matches!(state, State::Idle { until, .. } if *until <= now));
    }

    /// Ends all idle sessions.
    pub fn clear(&self) {
        self.lock().retain(|_, state| matches!(state, State::Busy));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(check: bool) -> SessionRequest {
        SessionRequest { key: ("u".to_owned(), "s".to_owned()), timeout: DEFAULT_TIMEOUT, check }
    }

    #[test]
    fn one_request_at_a_time() {
        let sessions = Sessions::new(2);
        assert!(sessions.take(&request(false)).unwrap().is_none());
        assert_eq!(sessions.take(&request(false)).unwrap_err().code, 373);
        sessions.put_back(&request(false), None);
        assert!(sessions.take(&request(false)).unwrap().is_none());
    }

    #[test]
    fn a_checked_session_must_exist() {
        assert_eq!(Sessions::new(2).take(&request(true)).unwrap_err().code, 372);
    }

    #[test]
    fn timeouts_have_a_limit() {
        assert_eq!(timeout(None).unwrap(), Duration::from_secs(60));
        assert_eq!(timeout(Some("3600")).unwrap(), Duration::from_secs(3600));
        assert_eq!(timeout(Some("3601")).unwrap_err().code, 374);
        assert_eq!(timeout(Some("x")).unwrap_err().code, 374);
    }
}
