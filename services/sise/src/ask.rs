//! `sise ask SOURCE CALL name=value…`: one page of a broker's REST interface, or several, asked of the cell that owns the
//! broker. It holds no key and keeps the broker's limits by itself.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use broker::page::{Page, PageRequest};
use bus::{ASK_LIMIT, AskError};
use bytes::Bytes;
use process::config::Sources;

use crate::tap::Raw;

/// How long the bus may take to be there: a person waits.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Asks a broker's cell, for example `sise ask kiwoom ka10079 stk_cd=005930 tic_scope=1 upd_stkpc_tp=0`.
#[derive(clap::Args)]
pub struct Ask {
    /// The broker: `kis` or `kiwoom`.
    source: String,
    /// The broker's name of the call: `ka10079`, `FHPST01060000`.
    call: String,
    /// Its parameters, `name=value`.
    #[arg(value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// Go on where an earlier page ended: the key it told.
    #[arg(long, value_name = "KEY")]
    next: Option<String>,
    /// Follow the keys to the last page; each page is one line.
    #[arg(long)]
    all_pages: bool,
    /// At most so many pages with --all-pages.
    #[arg(long, value_name = "N", default_value_t = 100, requires = "all_pages", value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("must be name=value, an empty value as name=".to_owned()),
    }
}

/// Runs the command: bodies go to standard output, the key of the page after them to standard error.
///
/// # Errors
/// When the bus is away, nobody answers, or the broker refuses; what was printed before stands.
pub async fn run(command: &Ask, config: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let request = command.request()?;
    let raw: Raw = Sources::new("sise", config).load()?;
    let client = bus::connect(&raw.nats, "sise").await?;
    if !bus::connected(&client, CONNECT_LIMIT).await {
        let seconds = CONNECT_LIMIT.as_secs();
        anyhow::bail!(
            "no nats-server within {seconds} s, or it refuses user sise: see nats.url and nats.passwords"
        );
    }
    let ask = async |payload| bus::ask(&client, &command.source, &command.call, payload, ASK_LIMIT).await;
    let pages = if command.all_pages { command.limit } else { 1 };
    print(request, pages, ask, &mut io::stdout().lock(), &mut io::stderr().lock())
        .await
        .with_context(|| format!("{} {}", command.source, command.call))?;
    Ok(ExitCode::SUCCESS)
}

impl Ask {
    fn request(&self) -> anyhow::Result<PageRequest> {
        let mut parameters = BTreeMap::new();
        for (name, value) in &self.parameters {
            if parameters.insert(name.clone(), value.clone()).is_some() {
                anyhow::bail!("parameter {name} is given twice");
            }
        }
        Ok(PageRequest { parameters, next: self.next.clone() })
    }
}

/// Asks for at most `pages` pages, each where the one before ended, and prints them.
async fn print(
    mut request: PageRequest,
    pages: u32,
    mut ask: impl AsyncFnMut(Bytes) -> Result<Bytes, AskError>,
    output: &mut impl Write,
    messages: &mut impl Write,
) -> anyhow::Result<()> {
    for number in 1..=pages {
        let page = match (page(&request, &mut ask).await, &request.next) {
            (Err(error), Some(key)) if number > 1 => {
                return Err(error.context(format!("page {number}, go on with --next {key}")));
            }
            (asked, _) => asked?,
        };
        writeln!(output, "{}", page.body)?;
        output.flush()?;
        match page.next {
            None => return Ok(()),
            // A broker that tells the same key again would be asked for ever.
            Some(key) if request.next.as_ref() == Some(&key) => {
                anyhow::bail!("the key {key} leads to itself")
            }
            next => request.next = next,
        }
    }
    if let Some(key) = &request.next {
        writeln!(messages, "next: {key}")?;
    }
    Ok(())
}

async fn page(
    request: &PageRequest,
    ask: &mut impl AsyncFnMut(Bytes) -> Result<Bytes, AskError>,
) -> anyhow::Result<Page> {
    let payload = serde_json::to_vec(request)?;
    let answer = ask(payload.into()).await.map_err(explained)?;
    serde_json::from_slice(&answer).context("the answer is no page: does the service have another version?")
}

/// An error with what to do.
fn explained(error: AskError) -> anyhow::Error {
    let advice = match &error {
        AskError::NobodyAnswers { subject } if subject.starts_with("rest.kiwoom.") => {
            "is kiwoom-service running?"
        }
        AskError::NobodyAnswers { subject } if subject.starts_with("rest.kis.") => {
            "is kis-service or us-service running?"
        }
        AskError::NobodyAnswers { .. } => "brokers are kis and kiwoom",
        AskError::TimedOut { .. } => "the broker may be slow or away: see the log of its service",
        _ => return error.into(),
    };
    anyhow::anyhow!("{error}: {advice}")
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use bus::Refused;

    use super::*;

    fn request() -> PageRequest {
        let parameters = BTreeMap::from([("stk_cd".to_owned(), "005930".to_owned())]);
        PageRequest { parameters, next: None }
    }

    /// Prints with a cell that gives `answers`: output, messages, requests, and the error.
    async fn printed(
        pages: u32,
        answers: Vec<Result<&'static str, AskError>>,
    ) -> (String, String, Vec<String>, Option<String>) {
        let mut answers = VecDeque::from(answers);
        let mut requests = Vec::new();
        let (mut output, mut messages) = (Vec::new(), Vec::new());
        let ask = async |payload: Bytes| {
            requests.push(String::from_utf8(payload.to_vec()).expect("text"));
            answers.pop_front().expect("no page too many").map(Bytes::from)
        };
        let result = print(request(), pages, ask, &mut output, &mut messages).await;
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (text(output), text(messages), requests, result.err().map(|error| format!("{error:#}")))
    }

    #[tokio::test]
    async fn one_page_is_printed_untouched_with_its_key() {
        let answer = r#"{"body":{"b": 1.50 ,"a":"+71000"},"next":"20261125"}"#;
        let (output, messages, requests, error) = printed(1, vec![Ok(answer)]).await;
        assert_eq!(output, "{\"b\": 1.50 ,\"a\":\"+71000\"}\n");
        assert_eq!(messages, "next: 20261125\n");
        assert_eq!(requests, [r#"{"parameters":{"stk_cd":"005930"}}"#]);
        assert_eq!(error, None);
    }

    #[tokio::test]
    async fn all_pages_follow_the_keys_to_the_end() {
        let answers = vec![Ok(r#"{"body":[1],"next":"k1"}"#), Ok(r#"{"body":[2],"next":null}"#)];
        let (output, messages, requests, error) = printed(10, answers).await;
        assert_eq!((output.as_str(), messages.as_str(), error), ("[1]\n[2]\n", "", None));
        assert_eq!(requests[1], r#"{"parameters":{"stk_cd":"005930"},"next":"k1"}"#);
    }

    #[tokio::test]
    async fn the_limit_ends_them_and_tells_the_key() {
        let answers = vec![Ok(r#"{"body":1,"next":"k1"}"#), Ok(r#"{"body":2,"next":"k2"}"#)];
        let (output, messages, _, error) = printed(2, answers).await;
        assert_eq!((output.as_str(), messages.as_str(), error), ("1\n2\n", "next: k2\n", None));
    }

    #[tokio::test]
    async fn an_error_later_says_where_to_go_on_and_keeps_what_was_printed() {
        let refused = AskError::Refused(Refused::new(429, "limited", "rate limit: 1700"));
        let (output, _, _, error) = printed(9, vec![Ok(r#"{"body":1,"next":"k1"}"#), Err(refused)]).await;
        assert_eq!(output, "1\n");
        assert_eq!(error.as_deref(), Some("page 2, go on with --next k1: limited: rate limit: 1700"));
    }

    #[tokio::test]
    async fn a_key_that_leads_to_itself_ends_it() {
        let answer = r#"{"body":1,"next":"k1"}"#;
        let (_, _, _, error) = printed(9, vec![Ok(answer), Ok(answer)]).await;
        assert_eq!(error.as_deref(), Some("the key k1 leads to itself"));
    }

    #[tokio::test]
    async fn nobody_there_is_told_with_the_service_that_is_missing() {
        let nobody = AskError::NobodyAnswers { subject: "rest.kiwoom.ka10079".to_owned() };
        let (_, _, _, error) = printed(1, vec![Err(nobody)]).await;
        assert_eq!(error.as_deref(), Some("nobody answers rest.kiwoom.ka10079: is kiwoom-service running?"));
    }

    #[test]
    fn parameters_are_pairs_and_each_name_comes_once() {
        assert_eq!(parameter("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(parameter("AUTH="), Ok(("AUTH".to_owned(), String::new())));
        assert!(parameter("stk_cd").is_err() && parameter("=1").is_err());
        let twice = Ask {
            source: "kis".to_owned(),
            call: "x".to_owned(),
            parameters: vec![("a".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())],
            next: None,
            all_pages: false,
            limit: 1,
        };
        assert!(twice.request().expect_err("twice").to_string().contains("parameter a"));
    }
}
