//! Pages of KIS's REST interface: a call and its parameters to the broker's body, within the limits of each key.
//!
//! KIS counts all calls of a key together and answers one too many with EGW00201; a short pause is all it wants. Its
//! calls go on by their parameters, so no page has a key for the next. A body begins
//! `{"output":[…],"rt_cd":"0","msg_cd":"MCA00000","msg1":"정상처리 되었습니다."}`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::sleep;

use super::auth::{Credentials, KisAuth};
use crate::backoff::Backoff;
use crate::clock::{jitter, now_ns};
use crate::feed::OpenError;
use crate::http;
use crate::pace::Pace;
use crate::page::{Page, PageError, PageRequest};
use crate::settings::BrokerSettings;

const KOREA: &str = "/uapi/domestic-stock/v1/quotations";
const OVERSEAS: &str = "/uapi/overseas-price/v1/quotations";
/// TR id, folder and name of each call that may be asked for: trades and minutes, no account and no order.
const CALLS: [(&str, &str, &str); 6] = [
    ("FHPST01060000", KOREA, "inquire-time-itemconclusion"),
    ("FHKST01010300", KOREA, "inquire-ccnl"),
    ("FHKST03010200", KOREA, "inquire-time-itemchartprice"),
    ("FHKST03010230", KOREA, "inquire-time-dailychartprice"),
    ("HHDFS76950200", OVERSEAS, "inquire-time-itemchartprice"),
    ("HHDFS76200300", OVERSEAS, "inquire-ccnl"),
];

/// Calls a second with one key: 18 are allowed, and others of the same person may use it too.
const PER_SECOND: u32 = 10;
/// KIS counts a key's calls together, so all are one kind to [`Pace`].
const ALL_CALLS: &str = "all";
/// Pages at once with one key: what live work needs of it is never behind a queue of pages.
const AT_ONCE: usize = 2;
/// One call, from sending to the end of the body.
const LIMIT: Duration = Duration::from_secs(10);
/// Tries while KIS says that it was too much: about two seconds.
const LIMITED_TRIES: u32 = 6;
/// Tries while network or server are in trouble: with [`LIMIT`] they end before the asker gives up (60 s).
const TRIES: u32 = 3;
/// The waits between them.
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MOST: Duration = Duration::from_secs(4);

/// Asks KIS for pages.
#[derive(Debug)]
pub struct KisRest {
    http: reqwest::Client,
    base_url: String,
    auth: KisAuth,
    keys: Vec<Key>,
    /// Counts the pages, so that the keys take turns.
    turn: AtomicUsize,
}

#[derive(Debug)]
struct Key {
    credentials: Credentials,
    pace: Pace,
    slots: Semaphore,
}

/// Why one try gave no page.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    /// Too many calls: a short pause.
    Limited(String),
    /// The token is not accepted any more: another one.
    TokenDead(String),
    /// Again, after a while.
    Temporary(String),
    /// Another try would end the same.
    Final(PageError),
}

/// What every body has, and the second form of gateway errors.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope {
    rt_cd: String,
    msg_cd: String,
    msg1: String,
    error_code: String,
    error_description: String,
}

impl KisRest {
    /// Asks with the keys of `settings` in turn, whose tokens `auth` keeps.
    ///
    /// # Errors
    /// [`OpenError::Temporary`] when the HTTP client cannot be made.
    pub fn new(
        settings: &BrokerSettings,
        tls: &rustls::ClientConfig,
        auth: KisAuth,
    ) -> Result<Self, OpenError> {
        let key = |credentials: &Credentials| Key {
            credentials: credentials.clone(),
            pace: settings.page_pace.map_or_else(|| Pace::new(PER_SECOND), Pace::every),
            slots: Semaphore::new(AT_ONCE),
        };
        Ok(Self {
            http: http::client(tls, LIMIT)?,
            base_url: settings.rest_url.trim_end_matches('/').to_owned(),
            auth,
            keys: settings.keys.iter().map(key).collect(),
            turn: AtomicUsize::new(0),
        })
    }

    /// One page; its body is KIS's own, with `rt_cd` 0.
    ///
    /// # Errors
    /// [`PageError`] after as many tries as make sense.
    pub async fn page(&self, call: &str, request: &PageRequest) -> Result<Page, PageError> {
        let result = self.asked(call, request).await;
        let outcome = result.as_ref().map_or_else(PageError::word, |_| "ok");
        metrics::counter!("sise_broker_pages_total", "outcome" => outcome).increment(1);
        result
    }

    async fn asked(&self, call: &str, request: &PageRequest) -> Result<Page, PageError> {
        let Some((tr_id, folder, name)) = CALLS.into_iter().find(|(tr_id, ..)| *tr_id == call) else {
            let known = CALLS.map(|(tr_id, ..)| tr_id).join(", ");
            return Err(PageError::Request(format!(
                "{call} is not one of the calls of KIS for pages: {known}"
            )));
        };
        if request.next.is_some() {
            let text =
                format!("{call} has no key for the next page: leave `next` out and change its parameters");
            return Err(PageError::Request(text));
        }
        let Some((key, _slot)) = self.free_key().await else {
            return Err(PageError::Credentials("no KIS key is set".to_owned()));
        };
        let url = format!("{}{folder}/{name}", self.base_url);
        let body = self.patiently(key, tr_id, &url, &request.parameters).await?;
        Ok(Page { body, next: None })
    }

    /// The next key that has a slot free, else the next key when it has.
    async fn free_key(&self) -> Option<(&Key, SemaphorePermit<'_>)> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let first = turn.checked_rem(self.keys.len())?;
        let in_turn = self.keys.iter().cycle().skip(first).take(self.keys.len());
        for key in in_turn {
            if let Ok(slot) = key.slots.try_acquire() {
                return Some((key, slot));
            }
        }
        let key = self.keys.get(first)?;
        // Never closed.
        key.slots.acquire().await.ok().map(|slot| (key, slot))
    }

    /// Tries until there is a body or another try makes no sense: each kind of failure has its own bound.
    async fn patiently(
        &self,
        key: &Key,
        tr_id: &'static str,
        url: &str,
        parameters: &BTreeMap<String, String>,
    ) -> Result<Box<RawValue>, PageError> {
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MOST);
        let (mut limited, mut failed, mut token_was_dead) = (0, 0, false);
        loop {
            match self.once(key, tr_id, url, parameters).await {
                Ok(body) => return Ok(body),
                Err(Failure::Limited(text)) => {
                    limited += 1;
                    key.pace.slow_down();
                    if limited == LIMITED_TRIES {
                        return Err(PageError::Limited(text));
                    }
                    sleep(Duration::from_millis(100 + jitter() % 51)).await;
                }
                Err(Failure::TokenDead(text)) if token_was_dead => return Err(PageError::Temporary(text)),
                Err(Failure::TokenDead(text)) => {
                    token_was_dead = true;
                    tracing::warn!(
                        key = key.credentials.name,
                        reason = text,
                        "token refused: another is asked for"
                    );
                }
                Err(Failure::Temporary(text)) => {
                    failed += 1;
                    if failed == TRIES {
                        return Err(PageError::Temporary(text));
                    }
                    sleep(backoff.next(jitter())).await;
                }
                Err(Failure::Final(error)) => return Err(error),
            }
        }
    }

    async fn once(
        &self,
        key: &Key,
        tr_id: &'static str,
        url: &str,
        parameters: &BTreeMap<String, String>,
    ) -> Result<Box<RawValue>, Failure> {
        let token = self.auth.token(&key.credentials, now_ns()).await.map_err(|error| match error {
            OpenError::Temporary(text) => Failure::Temporary(text),
            OpenError::Credentials(text) => Failure::Final(PageError::Credentials(named(key, &text))),
        })?;
        let headers = headers(&key.credentials, token.expose(), tr_id)?;
        key.pace.wait(ALL_CALLS).await;
        // The address in an error is cut off: a query tells what was asked for, not what went wrong.
        let fail = |e: reqwest::Error| Failure::Temporary(format!("{tr_id}: {}", e.without_url()));
        let answer = self.http.get(url).headers(headers).query(parameters).send().await.map_err(fail)?;
        let status = answer.status().as_u16();
        let text = answer.text().await.map_err(fail)?;
        read(tr_id, status, text).map_err(|failure| match failure {
            Failure::TokenDead(text) => {
                token.mark_dead();
                Failure::TokenDead(text)
            }
            Failure::Final(PageError::Credentials(text)) => {
                Failure::Final(PageError::Credentials(named(key, &text)))
            }
            other => other,
        })
    }
}

fn named(key: &Key, text: &str) -> String {
    format!("key {}: {text}", key.credentials.name)
}

fn headers(key: &Credentials, token: &str, tr_id: &'static str) -> Result<HeaderMap, Failure> {
    let secret = |text: &str| {
        let value = HeaderValue::from_str(text).map_err(|_| {
            let text = format!("key {}: app key, secret or token cannot stand in a header", key.name);
            Failure::Final(PageError::Credentials(text))
        });
        // Not shown by the client's own Debug and logs.
        value.map(|mut value| {
            value.set_sensitive(true);
            value
        })
    };
    Ok(HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8")),
        (AUTHORIZATION, secret(&format!("Bearer {token}"))?),
        (HeaderName::from_static("appkey"), secret(&key.app_key)?),
        (HeaderName::from_static("appsecret"), secret(&key.app_secret)?),
        (HeaderName::from_static("tr_id"), HeaderValue::from_static(tr_id)),
        (HeaderName::from_static("custtype"), HeaderValue::from_static("P")),
    ]))
}

/// An answer to a body, or to what it says is wrong.
fn read(tr_id: &str, status: u16, text: String) -> Result<Box<RawValue>, Failure> {
    let Ok(envelope) = serde_json::from_str::<Envelope>(&text) else {
        let what = if text.trim_start().starts_with('<') { "a page of HTML" } else { "no JSON as expected" };
        return Err(Failure::Temporary(format!("{tr_id}: HTTP {status}, {what}")));
    };
    if (200..300).contains(&status) && envelope.rt_cd == "0" {
        let body = RawValue::from_string(text);
        return body.map_err(|e| Failure::Temporary(format!("{tr_id}: HTTP {status}, {e}")));
    }
    let (code, said) = if envelope.msg_cd.is_empty() {
        (envelope.error_code, envelope.error_description)
    } else {
        (envelope.msg_cd, envelope.msg1)
    };
    let said = said.trim();
    let told = format!("{tr_id}: HTTP {status} {code} {said}");
    Err(match code.as_str() {
        "EGW00201" => Failure::Limited(told),
        "EGW00121" | "EGW00123" => Failure::TokenDead(told),
        "EGW00103" | "EGW00105" => Failure::Final(PageError::Credentials(told)),
        // Not offered on the virtual host.
        "EGW00213" => Failure::Final(PageError::Refused { code, text: said.to_owned() }),
        "" => Failure::Temporary(told),
        // The gateway's own trouble; what lies behind it refuses with codes of its own.
        gateway if status >= 500 && gateway.starts_with("EGW") => Failure::Temporary(told),
        _ => Failure::Final(PageError::Refused { code, text: said.to_owned() }),
    })
}

#[cfg(test)]
mod tests;
