//! Keys of KIS: the approval key of a WebSocket session and the token of REST calls, each got by one POST.
//!
//! The field of the app secret is `secretkey` for the one and `appsecret` for the other. Every token issued sends
//! the account's owner a phone message, and more than one a minute is refused: it is kept on disk and shared.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

pub use crate::credentials::Credentials;
use crate::feed::OpenError;
use crate::http;
pub use crate::token_file::Token;
use crate::token_file::TokenKeeper;

/// Hosts answer in milliseconds or not at all.
const LIMIT: Duration = Duration::from_secs(10);
/// KIS issues one token a minute and key.
const BETWEEN_TOKENS: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
struct ApprovalAnswer {
    approval_key: Option<String>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Option<String>,
    /// `YYYY-MM-DD HH:MM:SS` in Korea: the one to trust, `expires_in` was seen off by an hour.
    access_token_token_expired: Option<String>,
}

/// The code of a refusal, in either of the two forms that KIS has.
#[derive(Default, Deserialize)]
struct Refused {
    #[serde(default)]
    error_code: String,
    #[serde(default)]
    msg_cd: String,
}

/// Asks KIS for keys.
#[derive(Debug, Clone)]
pub struct KisAuth {
    http: reqwest::Client,
    base_url: String,
    token_folder: Option<PathBuf>,
    /// By the name of the key.
    keepers: Arc<Mutex<HashMap<String, Arc<TokenKeeper>>>>,
    /// When KIS was last asked for a token and gave or refused one, by the name of the key.
    issued: Arc<Mutex<HashMap<String, Instant>>>,
}

impl KisAuth {
    /// Asks at `base_url` (`https://host:port`). Tokens are kept in `token_folder`, if given.
    ///
    /// # Errors
    /// [`OpenError::Temporary`] when the HTTP client cannot be made.
    pub fn new(
        base_url: &str,
        tls: &rustls::ClientConfig,
        token_folder: Option<PathBuf>,
    ) -> Result<Self, OpenError> {
        let http = http::client(tls, LIMIT)?;
        Ok(Self {
            http,
            base_url: base_url.trim_end_matches('/').to_owned(),
            token_folder,
            keepers: Arc::default(),
            issued: Arc::default(),
        })
    }

    /// A new approval key for one WebSocket session.
    ///
    /// # Errors
    /// [`OpenError`]: refused credentials are told from trouble on the way (which is tried again for ever).
    pub async fn approval_key(&self, key: &Credentials) -> Result<String, OpenError> {
        let body = serde_json::json!({
            "grant_type": "client_credentials", "appkey": key.app_key, "secretkey": key.app_secret,
        });
        let answer: ApprovalAnswer = self.post("/oauth2/Approval", &body).await?;
        answer.approval_key.filter(|key| !key.is_empty()).ok_or_else(|| no_field("Approval", "approval_key"))
    }

    /// The token of a key: the kept one while it lives, a new one otherwise. `now_ns` is the time, UTC ns. After
    /// [`Token::mark_dead`] the next call issues another.
    ///
    /// # Errors
    /// As [`KisAuth::approval_key`].
    pub async fn token(&self, key: &Credentials, now_ns: i64) -> Result<Token, OpenError> {
        self.keeper(key).token(now_ns, self.issue(key)).await
    }

    fn keeper(&self, key: &Credentials) -> Arc<TokenKeeper> {
        let mut keepers = self.keepers.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let (folder, name) = (self.token_folder.as_deref(), format!("kis-{}", key.name));
            Arc::new(TokenKeeper::new(folder, &name, &self.base_url, &key.app_key))
        };
        Arc::clone(keepers.entry(key.name.clone()).or_insert_with(new))
    }

    /// A new token, at most one a minute: one too many is refused and keeps the refusal alive.
    async fn issue(&self, key: &Credentials) -> Result<Token, OpenError> {
        let last = self.issued.lock().unwrap_or_else(PoisonError::into_inner).get(&key.name).copied();
        if last.is_some_and(|last| last.elapsed() < BETWEEN_TOKENS) {
            let text = "tokenP: a token was asked for less than a minute ago: ask again in a minute";
            return Err(OpenError::Temporary(text.to_owned()));
        }
        let token = self.issue_now(key).await;
        // What got lost on the way counts for nothing.
        let counts = match &token {
            Ok(_) => true,
            Err(error) => error.to_string().contains("EGW00133"),
        };
        if counts {
            let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
            issued.insert(key.name.clone(), Instant::now());
        }
        token
    }

    async fn issue_now(&self, key: &Credentials) -> Result<Token, OpenError> {
        let body = serde_json::json!({
            "grant_type": "client_credentials", "appkey": key.app_key, "appsecret": key.app_secret,
        });
        let answer: TokenAnswer = self.post("/oauth2/tokenP", &body).await?;
        let access_token = answer
            .access_token
            .filter(|t| !t.is_empty())
            .ok_or_else(|| no_field("tokenP", "access_token"))?;
        let expires = answer.access_token_token_expired.as_deref().and_then(korean_time);
        let expires_ns = expires.ok_or_else(|| no_field("tokenP", "access_token_token_expired"))?;
        Ok(Token::new(access_token, expires_ns))
    }

    async fn post<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<T, OpenError> {
        // The error of the client may name the address; the body, with its secrets, it never does.
        let request = self.http.post(format!("{}{path}", self.base_url)).json(body);
        let answer = request.send().await.map_err(|e| OpenError::Temporary(format!("{path}: {e}")))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|e| OpenError::Temporary(format!("{path}: {e}")))?;
        if status.is_success() {
            let read = serde_json::from_str(&text);
            return read
                .map_err(|_| OpenError::Temporary(format!("{path}: the answer is not the JSON expected")));
        }
        let refused: Refused = serde_json::from_str(&text).unwrap_or_default();
        let code = if refused.error_code.is_empty() { refused.msg_cd } else { refused.error_code };
        match code.as_str() {
            "EGW00103" | "EGW00105" => {
                Err(OpenError::Credentials(format!("{path}: {code}: app key or secret refused")))
            }
            "" => Err(OpenError::Temporary(format!("{path}: HTTP {status}"))),
            _ => Err(OpenError::Temporary(format!("{path}: HTTP {status} {code}"))),
        }
    }
}

fn no_field(call: &str, field: &str) -> OpenError {
    OpenError::Temporary(format!("{call}: answer without a usable {field}"))
}

/// `2026-11-26 09:00:00` in Korea as UTC ns.
fn korean_time(text: &str) -> Option<i64> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    crate::token_file::korean_time(&digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_token_is_korean_time() {
        assert_eq!(korean_time("2026-11-24 09:00:30"), Some(1_795_478_430_000_000_000));
        assert_eq!(korean_time("tomorrow"), None);
    }
}
