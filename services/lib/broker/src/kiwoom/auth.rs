//! Tokens of Kiwoom: one a key, for REST and WebSocket alike, got by `POST /oauth2/token`.
//!
//! ```text
//! {"expires_dt":"20260117213932","return_msg":"정상적으로 처리되었습니다","token_type":"Bearer","return_code":0,"token":"…"}
//! ```
//! A second token may end the first, so everything here goes through one [`TokenKeeper`] a key. Nothing is revoked on
//! exit: other processes may use the same token.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;

use super::answer::Verdict;
use super::control;
use super::session::KeyState;
use crate::credentials::Credentials;
use crate::feed::OpenError;
use crate::http;
use crate::pace::Pace;
use crate::token_file::{Token, TokenKeeper, korean_time};

/// Hosts answer in milliseconds or not at all.
const LIMIT: Duration = Duration::from_secs(10);
/// An answer has about 200 bytes; a web page in its place has some thousand.
const MAX_BODY: usize = 64 << 10;
/// The call's id; it has a rate limit of its own, of about one a second.
const CALL: &str = "au10001";
const PATH: &str = "/oauth2/token";

#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(default)]
    token: String,
    /// `YYYYMMDDHHMMSS` in Korea.
    #[serde(default)]
    expires_dt: String,
}

/// Asks Kiwoom for tokens, one issuer a key.
#[derive(Debug)]
pub struct KiwoomAuth {
    http: reqwest::Client,
    base_url: String,
    pace: Pace,
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    credentials: Credentials,
    keeper: TokenKeeper,
    state: Arc<KeyState>,
    /// Why the credentials are refused: they are not shown again before a restart.
    refused: OnceLock<String>,
}

impl KiwoomAuth {
    /// Asks at `base_url` (`https://host`) for the tokens of `keys`, kept in `token_folder` if given.
    ///
    /// # Errors
    /// [`OpenError::Temporary`] when the HTTP client cannot be made.
    pub fn new(
        base_url: &str,
        tls: &rustls::ClientConfig,
        keys: &[Credentials],
        token_folder: Option<&Path>,
    ) -> Result<Self, OpenError> {
        let base_url = base_url.trim_end_matches('/').to_owned();
        let key = |credentials: &Credentials| Key {
            keeper: TokenKeeper::new(
                token_folder,
                &format!("kiwoom-{}", credentials.name),
                &base_url,
                &credentials.app_key,
            ),
            state: Arc::new(KeyState::new(&credentials.name)),
            credentials: credentials.clone(),
            refused: OnceLock::new(),
        };
        let keys = keys.iter().map(key).collect();
        Ok(Self { http: http::client(tls, LIMIT)?, base_url, pace: Pace::new(1), keys })
    }

    /// How many keys there are.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.keys.len()
    }

    /// What all sessions of a key share; none for a number that does not exist.
    #[must_use]
    pub fn state(&self, index: usize) -> Option<Arc<KeyState>> {
        self.keys.get(index).map(|key| Arc::clone(&key.state))
    }

    /// The living token of key number `index`; a new one when the known one was marked dead or ends soon. `now_ns` is
    /// UTC.
    ///
    /// # Errors
    /// [`OpenError`]: refused credentials are told from trouble on the way (which is tried again for ever).
    pub async fn token(&self, index: usize, now_ns: i64) -> Result<Token, OpenError> {
        let Some(key) = self.keys.get(index) else {
            return Err(OpenError::Credentials(format!("no Kiwoom key number {index}")));
        };
        if let Some(problem) = key.refused.get() {
            return Err(OpenError::Credentials(problem.clone()));
        }
        let token = key.keeper.token(now_ns, self.issue(&key.credentials)).await;
        if let Err(OpenError::Credentials(problem)) = &token {
            let _known_before = key.refused.set(problem.clone());
        }
        token
    }

    async fn issue(&self, key: &Credentials) -> Result<Token, OpenError> {
        self.pace.wait(CALL).await;
        let body = serde_json::json!({
            "grant_type": "client_credentials", "appkey": key.app_key, "secretkey": key.app_secret,
        });
        let fail = |problem: String| OpenError::Temporary(format!("{PATH}: key {}: {problem}", key.name));
        // The error of the client may name the address; the body, with its secrets, it never does.
        let request = self.http.post(format!("{}{PATH}", self.base_url)).header("api-id", CALL);
        let request = request.header(CONTENT_TYPE, http::JSON_UTF8).json(&body);
        let answer = request.send().await.map_err(|e| fail(e.to_string()))?;
        let status = answer.status();
        let text = http::text(answer, MAX_BODY).await.map_err(fail)?;
        let Some(answer) = control::read_answer(&text) else {
            // A filter in front of the interface answers with a web page and status 400.
            return Err(fail(format!("HTTP {status} without an answer in JSON: blocked, or down")));
        };
        match answer.verdict() {
            Verdict::Ok if status.is_success() => {
                let read = serde_json::from_str(&text).ok().and_then(|read: TokenAnswer| {
                    let expires_ns = korean_time(read.expires_dt.trim())?;
                    (!read.token.is_empty()).then(|| Token::new(read.token, expires_ns))
                });
                read.ok_or_else(|| fail("an answer without a usable token and expires_dt".to_owned()))
            }
            Verdict::BadCredentials | Verdict::WrongWorld => {
                let text = answer.text.replace(&key.app_secret, "***").replace(&key.app_key, "***");
                let code = answer.precise_code();
                Err(OpenError::Credentials(format!("{PATH}: key {}: {code}: {text}", key.name)))
            }
            _ => Err(fail(format!("HTTP {status}, code {}", answer.precise_code()))),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
