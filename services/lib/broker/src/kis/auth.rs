//! Keys of KIS: the approval key of a WebSocket session and the token of REST calls, each got by one POST.
//!
//! The field of the app secret is `secretkey` for the one and `appsecret` for the other. Every token issued sends
//! the account's owner a phone message, and more than one a minute is refused: it is kept on disk and shared.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::feed::OpenError;

/// Hosts answer in milliseconds or not at all.
const LIMIT: Duration = Duration::from_secs(10);
/// A kept token is used only while this much of its life is left.
const SPARE_NS: i64 = 30 * 60 * 1_000_000_000;

/// The credentials of one key. `Debug` hides both.
#[derive(Clone)]
pub struct Credentials {
    /// Name in the settings, for people.
    pub name: String,
    /// App key, 36 characters.
    pub app_key: String,
    /// App secret, 180 characters.
    pub app_secret: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A REST token and the end of its life.
#[derive(Clone, Serialize, Deserialize)]
pub struct Token {
    /// The bearer text.
    access_token: String,
    /// End of life, UTC ns.
    pub expires_ns: i64,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("expires_ns", &self.expires_ns).finish_non_exhaustive()
    }
}

impl Token {
    /// The text itself, for the header of a call.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.access_token
    }
}

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
        let builder = reqwest::Client::builder().timeout(LIMIT).tls_backend_preconfigured(tls.clone());
        let http = builder.build().map_err(|e| OpenError::Temporary(format!("http client: {e}")))?;
        Ok(Self { http, base_url: base_url.trim_end_matches('/').to_owned(), token_folder })
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

    /// The token of a key: the kept one while it lives, a new one otherwise. `now_ns` is the time, UTC ns.
    ///
    /// # Errors
    /// As [`KisAuth::approval_key`].
    pub async fn token(&self, key: &Credentials, now_ns: i64) -> Result<Token, OpenError> {
        let file = self.token_folder.as_ref().map(|folder| folder.join(format!("kis-{}.json", key.name)));
        if let Some(token) = file.as_deref().and_then(kept)
            && token.expires_ns - now_ns > SPARE_NS
        {
            return Ok(token);
        }
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
        let token = Token { access_token, expires_ns };
        if let Some(file) = file {
            keep(&file, &token).map_err(|e| OpenError::Temporary(format!("token file: {e}")))?;
        }
        Ok(token)
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
    let (date, time) = (digits.get(..8)?, digits.get(8..)?);
    let date = market::TradeDate::parse(date).ok()?;
    Some(market::time::kst(date, market::time::parse_hhmmss(time).ok()?))
}

fn kept(file: &Path) -> Option<Token> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

fn keep(file: &Path, token: &Token) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let new = file.with_extension("new");
    // Readable by us alone, from the first byte.
    let mut options = std::fs::OpenOptions::new();
    let mut open = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    open.write_all(serde_json::to_string(token)?.as_bytes())?;
    std::fs::rename(new, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_token_is_korean_time() {
        assert_eq!(korean_time("2026-11-24 09:00:30"), Some(1_795_478_430_000_000_000));
        assert_eq!(korean_time("tomorrow"), None);
    }

    #[test]
    fn a_kept_token_is_read_back_and_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("kis-main.json");
        keep(&file, &Token { access_token: "text".to_owned(), expires_ns: 7 }).expect("kept");
        let token = kept(&file).expect("token");
        assert_eq!((token.expose(), token.expires_ns), ("text", 7));
        assert_eq!(std::fs::metadata(&file).expect("file").permissions().mode() & 0o777, 0o600);
        assert!(!format!("{token:?}").contains("text"));
    }
}
