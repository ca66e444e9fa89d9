//! The production [`Ask`]: one request to the cell that owns the broker, asked again while the answer is "come again".
//!
//! The cell has token, pace and patience of its own, so what comes back as busy has been waited for there already. Here
//! it is waited for longer, up to a bounded total, and told apart from a cell that is not there.

use std::time::Duration;

use broker::backoff::Backoff;
use broker::clock::{jitter, now_ns};
use broker::page::{Page, PageRequest};
use bus::{ASK_LIMIT, Client};
use bytes::Bytes;
use market::Source;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{Answer, Ask, AskError};

/// How long to try for one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// One answer: a page can wait for its turn in the cell.
    pub answer: Duration,
    /// All tries together while the answer is "come again" or none: no try begins after it.
    pub total: Duration,
    /// All tries together while no cell is connected: the time that a restart takes.
    pub absent: Duration,
    /// The wait before the second try; it doubles with each.
    pub first_wait: Duration,
    /// The longest wait between two tries.
    pub longest_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            answer: ASK_LIMIT,
            total: Duration::from_secs(180),
            absent: Duration::from_secs(15),
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(20),
        }
    }
}

/// Asks cells over the bus.
#[derive(Debug, Clone)]
pub struct BusAsk {
    client: Client,
    patience: Patience,
}

impl BusAsk {
    /// Asks with `client`, whose user may publish to `rest.>`.
    #[must_use]
    pub const fn new(client: Client, patience: Patience) -> Self {
        Self { client, patience }
    }
}

impl Ask for BusAsk {
    async fn ask(
        &self,
        source: Source,
        call: &str,
        parameters: &Value,
        next_key: Option<&str>,
    ) -> Result<Answer, AskError> {
        let payload = request(parameters, next_key)?;
        let begun = Instant::now();
        let mut retry = Retry::new(source, self.patience);
        loop {
            let limit = self.patience.answer;
            let asked = bus::ask(&self.client, source.as_str(), call, payload.clone(), limit).await;
            let error = match asked {
                Ok(answer) => return read(&answer, now_ns()),
                Err(error) => error,
            };
            let wait = retry.judge(error, begun.elapsed(), jitter())?;
            metrics::counter!("sise_history_pages_asked_again_total", "source" => source.as_str())
                .increment(1);
            tracing::debug!(call, wait_ms = wait.as_millis(), "page asked for again");
            sleep(wait).await;
        }
    }
}

fn request(parameters: &Value, next_key: Option<&str>) -> Result<Bytes, AskError> {
    let bad = |problem: serde_json::Error| AskError::Refused {
        word: "request".to_owned(),
        text: format!("parameters are texts by name: {problem}"),
    };
    let parameters = serde_json::from_value(parameters.clone()).map_err(bad)?;
    let request = PageRequest { parameters, next: next_key.map(ToOwned::to_owned) };
    serde_json::to_vec(&request).map(Bytes::from).map_err(bad)
}

fn read(answer: &[u8], received_ns: i64) -> Result<Answer, AskError> {
    let page: Page =
        serde_json::from_slice(answer).map_err(|problem| AskError::NoPage(problem.to_string()))?;
    Ok(Answer { body: page.body.get().to_owned(), next_key: page.next, received_ns })
}

/// Failed tries to a wait before the next, or to the end of patience. No clock.
#[derive(Debug)]
struct Retry {
    source: Source,
    patience: Patience,
    backoff: Backoff,
}

impl Retry {
    const fn new(source: Source, patience: Patience) -> Self {
        Self { source, patience, backoff: Backoff::new(patience.first_wait, patience.longest_wait) }
    }

    /// How long to wait after `error`, `waited` after the first try began.
    fn judge(&mut self, error: bus::AskError, waited: Duration, random: u64) -> Result<Duration, AskError> {
        let text = error.to_string();
        let (total, given_up) = match error {
            bus::AskError::Refused(refused) if refused.code == 429 || refused.code >= 500 => {
                (self.patience.total, AskError::Busy { waited, text: refused.text })
            }
            bus::AskError::Refused(refused) => {
                return Err(AskError::Refused { word: refused.word, text: refused.text });
            }
            bus::AskError::NobodyAnswers { .. } => {
                (self.patience.absent, AskError::CellAbsent { source_word: self.source })
            }
            bus::AskError::TimedOut { .. } | bus::AskError::Connection(_) => {
                (self.patience.total, AskError::NoAnswer { waited, text })
            }
            bus::AskError::Call { .. } | bus::AskError::TooLarge { .. } => {
                return Err(AskError::Refused { word: "request".to_owned(), text });
            }
        };
        let wait = self.backoff.next(random);
        if waited + wait > total { Err(given_up) } else { Ok(wait) }
    }
}

#[cfg(test)]
mod tests {
    use bus::Refused;

    use super::*;

    fn refused(code: u16, word: &str, text: &str) -> bus::AskError {
        bus::AskError::Refused(Refused::new(code, word, text))
    }

    fn nobody() -> bus::AskError {
        bus::AskError::NobodyAnswers { subject: "rest.kiwoom.ka10084".to_owned() }
    }

    const SECOND: Duration = Duration::from_secs(1);

    fn retry() -> Retry {
        Retry::new(Source::Kiwoom, Patience::default())
    }

    #[test]
    fn busy_is_asked_again_with_growing_waits_and_a_bounded_total() {
        let text = "rate limit: ka10084: 1700: 허용된 요청 개수를 초과하였습니다";
        let limited = || refused(429, "limited", text);
        let mut retry = retry();
        let mut waited = Duration::ZERO;
        let mut waits = Vec::new();
        let end = loop {
            match retry.judge(limited(), waited, 0) {
                Ok(wait) => {
                    waits.push(wait.as_secs());
                    waited += wait;
                }
                Err(error) => break error,
            }
        };
        assert_eq!(waits[..6], [1, 2, 4, 8, 16, 20]);
        assert!(waited <= Duration::from_secs(180) && waits.len() == 12, "{waits:?}");
        assert_eq!(end, AskError::Busy { waited, text: text.to_owned() });
        assert!(end.is_retryable());
    }

    #[test]
    fn what_is_refused_for_good_is_asked_once() {
        for (code, word, text) in [
            // 1634 begins like 1700 and never succeeds unchanged.
            (422, "refused", "1634: 허용된 요청 개수를 초과하였습니다[1634:종목 개수를 초과]"),
            (422, "refused", "1902: 종목코드가 없습니다"),
            (400, "request", "ka10079: 1511: 필수 입력값이 없습니다"),
            (401, "credentials", "key a: EGW00103"),
            (413, "too_large", "ask for less"),
        ] {
            let error = retry().judge(refused(code, word, text), Duration::ZERO, 0).expect_err("final");
            assert_eq!(error, AskError::Refused { word: word.to_owned(), text: text.to_owned() });
            assert!(!error.is_retryable());
            assert_eq!(error.is_unknown_symbol(), text.starts_with("1902"), "{text}");
        }
    }

    #[test]
    fn an_absent_cell_is_told_apart_and_soon() {
        let mut absent = retry();
        assert_eq!(absent.judge(nobody(), Duration::ZERO, 0), Ok(SECOND));
        assert_eq!(absent.judge(nobody(), SECOND, 0), Ok(SECOND * 2));
        let gone = AskError::CellAbsent { source_word: Source::Kiwoom };
        assert_eq!(absent.judge(nobody(), SECOND * 14, 0), Err(gone));
        let silent = bus::AskError::TimedOut { subject: "rest.kis.x".to_owned(), limit: SECOND * 60 };
        let mut retry = retry();
        assert_eq!(retry.judge(silent.clone(), SECOND * 60, 0), Ok(SECOND));
        assert!(matches!(
            retry.judge(silent, SECOND * 180, 0),
            Err(AskError::NoAnswer { waited, .. }) if waited == SECOND * 180
        ));
    }

    #[test]
    fn a_request_is_as_the_cell_reads_it_and_a_page_as_it_came() {
        let parameters = serde_json::json!({"stk_cd": "005930", "tm": ""});
        let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).expect("text");
        assert_eq!(
            request(&parameters, Some("k1")).map(text),
            Ok(r#"{"parameters":{"stk_cd":"005930","tm":""},"next":"k1"}"#.to_owned())
        );
        assert!(matches!(request(&serde_json::json!({"n": 1}), None), Err(AskError::Refused { .. })));
        let body = r#"{"b": 1.50 ,"return_code":0}"#;
        let answer = read(format!(r#"{{"body":{body},"next":"k2"}}"#).as_bytes(), 7).expect("page");
        let expected = Answer { body: body.to_owned(), next_key: Some("k2".to_owned()), received_ns: 7 };
        assert_eq!(answer, expected);
        assert!(matches!(read(b"{}", 7), Err(AskError::NoPage(_))));
    }
}
