//! Pages of Kiwoom's REST interface: a call and its parameters to the broker's body, within the limits of each key.
//!
//! All calls are POST; the header `api-id` names the TR, the path only its group. Whether there is more stands in the
//! headers `cont-yn` and `next-key`, never in the body. Five calls a second for each TR were measured; limits over all
//! TRs exist and are not published.

use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use twox_hash::XxHash3_64;

use super::answer::{Limit, Verdict};
use super::auth::KiwoomAuth;
use super::control::{self, Answer};
use crate::backoff::Backoff;
use crate::clock::{jitter, now_ns};
use crate::feed::OpenError;
use crate::http;
use crate::pace::Pace;
use crate::page::{Page, PageError, PageRequest};
use crate::token_file::Token;

/// The TRs that may be asked for, each with the group of its path: trades, minutes, books and symbols, no account and
/// no order.
const CALLS: [(&str, &str); 6] = [
    ("ka10079", CHART),
    ("ka10080", CHART),
    ("ka10084", "stkinfo"),
    ("ka10003", "stkinfo"),
    ("ka10099", "stkinfo"),
    ("ka10004", "mrkcond"),
];
const CHART: &str = "chart";
/// All calls together are one kind to the ceiling.
const ALL_CALLS: &str = "all";
/// Pages at once with one key: what live work needs of it is never behind a queue of pages.
const AT_ONCE: usize = 2;
/// A page of 900 rows has about 250 kB; 2,500 symbols have about 700 kB.
const MAX_BODY: usize = 8 << 20;
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// Rates and patience.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestRules {
    /// Between two calls of one TR with one key.
    pub interval: Duration,
    /// Between any two calls, over all TRs and keys.
    pub ceiling: Duration,
    /// One call, from sending to the end of the body: 5 s were too short for full chart pages.
    pub limit: Duration,
    /// Tries for one page while the broker limits or is in trouble.
    pub tries: u32,
    /// The wait before the second try; it doubles with each.
    pub first_wait: Duration,
    /// No try begins after this: the asker gives up at 60 s.
    pub patience: Duration,
}

impl Default for RestRules {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(250),
            ceiling: Duration::from_millis(125),
            limit: Duration::from_secs(15),
            tries: 5,
            first_wait: Duration::from_secs(1),
            patience: Duration::from_secs(40),
        }
    }
}

impl RestRules {
    /// The rules for an address: paper trading (`mockapi`) allows one call a second. A pace that is given holds instead,
    /// for each TR; twice as many calls for all.
    #[must_use]
    pub fn of(base_url: &str, pace: Option<Duration>) -> Self {
        if let Some(interval) = pace {
            return Self { interval, ceiling: interval / 2, ..Self::default() };
        }
        if !base_url.contains("//mockapi.") {
            return Self::default();
        }
        let once = Duration::from_millis(1_100);
        Self { interval: once, ceiling: once, ..Self::default() }
    }
}

/// Asks Kiwoom for pages.
#[derive(Debug)]
pub struct KiwoomRest {
    http: reqwest::Client,
    base_url: String,
    auth: Arc<KiwoomAuth>,
    rules: RestRules,
    keys: Vec<Key>,
    ceiling: Pace,
}

#[derive(Debug)]
struct Key {
    pace: Pace,
    slots: Semaphore,
}

/// A request, ready to be sent with any key.
struct Asked<'a> {
    call: &'a str,
    url: String,
    request: &'a PageRequest,
    next: Option<HeaderValue>,
}

/// Why one try gave no page.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    /// Too many calls of this TR.
    Limited(String),
    /// Too many calls of a group of TRs, or of all.
    LimitedAll(String),
    /// The token is not accepted: another one.
    TokenDead(String),
    /// Again, after a while.
    Temporary(String),
    /// Another try would end the same.
    Final(PageError),
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Temporary(problem) => Self::Temporary(problem),
            OpenError::Credentials(problem) => Self::Final(PageError::Credentials(problem)),
        }
    }
}

impl From<Failure> for PageError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Limited(text) | Failure::LimitedAll(text) => Self::Limited(text),
            Failure::TokenDead(text) => Self::Temporary(format!("token refused again: {text}")),
            Failure::Temporary(text) => Self::Temporary(text),
            Failure::Final(error) => error,
        }
    }
}

impl KiwoomRest {
    /// Asks at `base_url` (`https://host`) with the keys of `auth`.
    ///
    /// # Errors
    /// [`OpenError::Temporary`] when the HTTP client cannot be made.
    pub fn new(
        base_url: &str,
        tls: &rustls::ClientConfig,
        auth: Arc<KiwoomAuth>,
        rules: RestRules,
    ) -> Result<Self, OpenError> {
        let key = |_| Key { pace: Pace::every(rules.interval), slots: Semaphore::new(AT_ONCE) };
        Ok(Self {
            http: http::client(tls, rules.limit)?,
            base_url: base_url.trim_end_matches('/').to_owned(),
            keys: (0..auth.keys()).map(key).collect(),
            auth,
            rules,
            ceiling: Pace::every(rules.ceiling),
        })
    }

    /// One page; its body is Kiwoom's own, with `return_code` 0, or 20 for "no data".
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
        let Some((_, group)) = CALLS.into_iter().find(|(id, _)| *id == call) else {
            let known = CALLS.map(|(id, _)| id).join(", ");
            return Err(PageError::Request(format!(
                "{call} is not one of Kiwoom's calls for pages: {known}"
            )));
        };
        let bad_next = |_| PageError::Request("`next` must be the `next` of the page before".to_owned());
        let next = request.next.as_deref().map(HeaderValue::from_str).transpose().map_err(bad_next)?;
        let url = format!("{}/api/dostk/{group}", self.base_url);
        let asked = Asked { call, url, request, next };
        let mut result = Err(PageError::Credentials("no Kiwoom key is set".to_owned()));
        for index in self.turns(&asked) {
            result = self.with_key(index, &asked).await;
            // A key that is refused is no reason to go without the page.
            if !matches!(result, Err(PageError::Credentials(_))) {
                break;
            }
        }
        let again = |page: &Page| page.next.is_some() && page.next == request.next;
        if group == CHART && result.as_ref().is_ok_and(again) {
            // Followed any further, it would give the same page for ever.
            let text = "the page names itself as the next".to_owned();
            return Err(PageError::Refused { code: "NEXT-KEY".to_owned(), text });
        }
        result
    }

    /// The keys in the order to try them. Pages of one request stay with one key, as a next-key may belong to it.
    fn turns(&self, asked: &Asked<'_>) -> impl Iterator<Item = usize> {
        let parameters: Vec<_> =
            asked.request.parameters.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let hash = XxHash3_64::oneshot(format!("{} {}", asked.call, parameters.join("&")).as_bytes());
        let count = self.keys.len();
        let first = hash.checked_rem(count as u64).and_then(|first| usize::try_from(first).ok()).unwrap_or(0);
        (first..count).chain(0..first)
    }

    /// One page with one key: patient with limits and trouble, and once with a dead token.
    async fn with_key(&self, index: usize, asked: &Asked<'_>) -> Result<Page, PageError> {
        let Some(key) = self.keys.get(index) else {
            return Err(PageError::Request(format!("no Kiwoom key number {index}")));
        };
        let (begun, patience) = (Instant::now(), self.rules.patience);
        let Ok(Ok(_slot)) = timeout(patience, key.slots.acquire()).await else {
            return Err(PageError::Limited("more pages are asked for than the rate allows".to_owned()));
        };
        let mut backoff = Backoff::new(self.rules.first_wait, LONGEST_WAIT);
        let (mut tries, mut renewed) = (0, false);
        loop {
            let failure = match self.attempt(index, key, asked).await {
                Ok(page) => return Ok(page),
                Err(Failure::TokenDead(_)) if !renewed => {
                    renewed = true;
                    continue;
                }
                Err(failure @ (Failure::Final(_) | Failure::TokenDead(_))) => return Err(failure.into()),
                Err(failure) => failure,
            };
            tries += 1;
            let wait = backoff.next(jitter());
            if tries >= self.rules.tries || begun.elapsed() + wait > patience {
                return Err(failure.into());
            }
            if matches!(failure, Failure::Limited(_) | Failure::LimitedAll(_)) {
                metrics::counter!("sise_broker_rate_limited_total").increment(1);
            }
            tracing::debug!(call = asked.call, ?failure, wait_ms = wait.as_millis(), "page tried again");
            sleep(wait).await;
        }
    }

    async fn attempt(&self, index: usize, key: &Key, asked: &Asked<'_>) -> Result<Page, Failure> {
        let token = self.auth.token(index, now_ns()).await?;
        key.pace.wait(asked.call).await;
        self.ceiling.wait(ALL_CALLS).await;
        let result = self.ask(&token, asked).await;
        match &result {
            Err(Failure::TokenDead(_)) => token.mark_dead(),
            Err(Failure::Limited(_)) => key.pace.slow_down(),
            Err(Failure::LimitedAll(_)) => self.ceiling.slow_down(),
            _ => {}
        }
        result
    }

    async fn ask(&self, token: &Token, asked: &Asked<'_>) -> Result<Page, Failure> {
        let fail = |problem: String| Failure::Temporary(format!("{}: {problem}", asked.call));
        // The error of the client may name the address; header and body it never does.
        let mut request = self.http.post(&asked.url).header("api-id", asked.call);
        request = request.header(CONTENT_TYPE, http::JSON_UTF8).json(&asked.request.parameters);
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
            .map_err(|_| fail("the token cannot be sent".to_owned()))?;
        bearer.set_sensitive(true);
        request = request.header(AUTHORIZATION, bearer);
        if let Some(next) = &asked.next {
            request = request.header("cont-yn", "Y").header("next-key", next);
        }
        let response = request.send().await.map_err(|e| fail(e.to_string()))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = http::text(response, MAX_BODY).await.map_err(fail)?;
        judge(asked.call, status, &headers, body)
    }
}

/// What status, headers and body of an answer say.
fn judge(call: &str, status: StatusCode, headers: &HeaderMap, body: String) -> Result<Page, Failure> {
    let Some(answer) = control::read_answer(&body) else {
        let problem = format!("{call}: HTTP {status} without an answer in JSON: blocked, or down");
        return Err(match status {
            StatusCode::TOO_MANY_REQUESTS => Failure::Limited(problem),
            StatusCode::UNAUTHORIZED => Failure::TokenDead(problem),
            _ => Failure::Temporary(problem),
        });
    };
    let verdict = match (answer.verdict(), status) {
        (Verdict::Ok, status) if !status.is_success() => Verdict::ServerTrouble,
        (Verdict::Unknown, StatusCode::UNAUTHORIZED) => Verdict::TokenDead,
        (verdict, _) => verdict,
    };
    if !matches!(verdict, Verdict::Ok | Verdict::NoData) {
        return Err(refused(call, verdict, answer));
    }
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let next = header("next-key").filter(|key| !key.is_empty()).map(ToOwned::to_owned);
    let more = header("cont-yn") == Some("Y");
    if more && next.is_none() {
        // Taken for the last page, this would be an end of data that is none.
        return Err(Failure::Temporary(format!("{call}: more pages and no next-key")));
    }
    let body = RawValue::from_string(body).map_err(|_| Failure::Temporary(format!("{call}: no JSON")))?;
    Ok(Page { body, next: next.filter(|_| more) })
}

fn refused(call: &str, verdict: Verdict, answer: Answer) -> Failure {
    let code = answer.precise_code();
    let text = format!("{call}: {code}: {}", answer.text);
    match verdict {
        Verdict::TokenDead | Verdict::TokenTrouble => Failure::TokenDead(text),
        Verdict::RateLimited(Limit::Wider) => Failure::LimitedAll(text),
        Verdict::RateLimited(_) => Failure::Limited(text),
        Verdict::ServerTrouble => Failure::Temporary(text),
        Verdict::BadCredentials | Verdict::WrongWorld => Failure::Final(PageError::Credentials(text)),
        Verdict::Bug => Failure::Final(PageError::Request(text)),
        _ => Failure::Final(PageError::Refused { code, text: answer.text }),
    }
}

#[cfg(test)]
mod tests;
