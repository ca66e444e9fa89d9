//! The brokers from here: do their REST and WebSocket addresses answer, how far is our clock from theirs, and, when asked
//! for, do they give a token. Nothing is registered and no session is opened: an upgrade is asked for and let go.

use std::path::Path;
use std::time::Duration;

use broker::http;
use broker::kis::auth::KisAuth;
use broker::kiwoom::auth::KiwoomAuth;
use broker::settings::BrokerSettings;
use market::Source;
use process::clock::now_ns;

use super::check::Check;
use super::services::Services;

/// How long a broker may take.
const LIMIT: Duration = Duration::from_secs(5);
const MILLI: i64 = 1_000_000;
/// Off by more than so much, delays and ages are wrong enough to mislead.
const CLOCK_WARN_NS: i64 = 2_000 * MILLI;
/// Off by more than so much, rows are dated wrongly and tokens are taken for dead.
const CLOCK_FAIL_NS: i64 = 60_000 * MILLI;
const REACH: &str =
    "look at the network, a firewall, the address in the settings; brokers are away at night and at weekends";

/// Checks every address of a broker that has a key, and the tokens of every key when asked for.
pub(super) async fn endpoints(services: &Services, tokens: bool) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut seen: Vec<(Source, String)> = Vec::new();
    // A key that two services share is asked for once.
    let mut asked: Vec<(Source, String)> = Vec::new();
    for (service, settings) in &services.all {
        let (source, settings) = (service.source, &settings.broker);
        for (name, address) in [("REST", &settings.rest_url), ("WebSocket", &settings.ws_url)] {
            if seen.contains(&(source, address.clone())) {
                continue;
            }
            seen.push((source, address.clone()));
            checks.extend(endpoint(source, name, address, settings.ca_file.as_deref()).await);
        }
        if tokens {
            checks.extend(self::tokens(source, settings, &mut asked).await);
        }
    }
    checks
}

async fn endpoint(source: Source, name: &str, address: &str, authority: Option<&Path>) -> Vec<Check> {
    let what = format!("{source} {name}");
    let is_socket = address.starts_with("ws");
    // An upgrade is an HTTP request.
    let url = address.replacen("ws", "http", usize::from(is_socket));
    match ask(&url, is_socket, authority).await {
        Err(problem) => vec![Check::fail(what, format!("{address}: {problem}"), REACH)],
        Ok(Answer { status, .. }) if is_socket && status != 101 => {
            let detail = format!("{address} answers {status}, not 101");
            vec![Check::fail(what, detail, "this is no WebSocket: look at ws_url")]
        }
        Ok(Answer { status, date_ns, sent_ns, received_ns }) => {
            let took = (received_ns - sent_ns) / MILLI;
            let mut checks = vec![Check::ok(&what, format!("{address} answers {status} in {took} ms"))];
            if let Some(date_ns) = date_ns {
                // The date is cut to the second: the middle of it is the least wrong.
                checks.push(clock(&what, date_ns + 500 * MILLI, sent_ns, received_ns, 500 * MILLI));
            }
            checks
        }
    }
}

struct Answer {
    status: u16,
    date_ns: Option<i64>,
    sent_ns: i64,
    received_ns: i64,
}

async fn ask(url: &str, is_socket: bool, authority: Option<&Path>) -> Result<Answer, String> {
    let tls = broker::tls::client(authority).map_err(|error| error.to_string())?;
    let client = http::client(&tls, LIMIT).map_err(|error| error.to_string())?;
    let mut request = client.get(url);
    if is_socket {
        request = request
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            // The example of RFC 6455: sixteen bytes that say nothing.
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    }
    let sent_ns = now_ns();
    let answer = request.send().await.map_err(|error| whole(&error.without_url()))?;
    let date = answer.headers().get("date").and_then(|date| date.to_str().ok());
    let date_ns = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    let date_ns = date_ns.and_then(|date| i64::try_from(date.timestamp().as_nanosecond()).ok());
    Ok(Answer { status: answer.status().as_u16(), date_ns, sent_ns, received_ns: now_ns() })
}

/// An error with what is behind it: the reason is never in its first sentence.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

/// Our clock against a time that was told between `sent_ns` and `received_ns`, and is up to `rounding_ns` wrong itself.
pub(super) fn clock(what: &str, told_ns: i64, sent_ns: i64, received_ns: i64, rounding_ns: i64) -> Check {
    let offset = sent_ns + (received_ns - sent_ns) / 2 - told_ns;
    let unsure = (received_ns - sent_ns) / 2 + rounding_ns;
    let what = format!("clock against {what}");
    let detail = format!("ours is {} ms ahead, give or take {} ms", offset / MILLI, unsure / MILLI);
    let advice = "set the clock: NTP (chrony, systemd-timesyncd)";
    // What the rounding alone may explain is no offset.
    let certain = offset.abs() - unsure;
    if certain > CLOCK_FAIL_NS {
        Check::fail(what, detail, advice)
    } else if certain > CLOCK_WARN_NS {
        Check::warn(what, detail, advice)
    } else {
        Check::ok(what, detail)
    }
}

async fn tokens(source: Source, settings: &BrokerSettings, asked: &mut Vec<(Source, String)>) -> Vec<Check> {
    let mut checks = Vec::new();
    let tls = match broker::tls::client(settings.ca_file.as_deref()) {
        Ok(tls) => tls,
        Err(error) => {
            return vec![Check::fail("certificate authority", error.to_string(), "look at ca_file")];
        }
    };
    for (index, key) in settings.keys.iter().enumerate() {
        if asked.contains(&(source, key.name.clone())) {
            continue;
        }
        asked.push((source, key.name.clone()));
        let token = match source {
            Source::Kis => match KisAuth::new(&settings.rest_url, &tls, settings.token_folder.clone()) {
                Ok(auth) => auth.token(key, now_ns()).await,
                Err(error) => Err(error),
            },
            Source::Kiwoom => {
                let folder = settings.token_folder.as_deref();
                match KiwoomAuth::new(&settings.rest_url, &tls, &settings.keys, folder) {
                    Ok(auth) => auth.token(index, now_ns()).await,
                    Err(error) => Err(error),
                }
            }
        };
        let what = format!("{source} token of key {}", key.name);
        checks.push(match token {
            Ok(_) => Check::ok(what, "there"),
            Err(error) => {
                Check::fail(what, error.to_string(), "look at the key, and whether this address may use it")
            }
        });
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::Level;

    #[test]
    fn a_clock_is_judged_by_what_rounding_cannot_explain() {
        let ask = |told: i64| clock("x", told * MILLI, 10_000 * MILLI, 10_200 * MILLI, 500 * MILLI);
        let levels = [10_100, 7_600, 7_400, -60_000].map(|told| ask(told).level);
        assert_eq!(levels, [Level::Ok, Level::Ok, Level::Warn, Level::Fail]);
        let expected = "warn clock against x: ours is 2700 ms ahead, give or take 600 ms";
        assert!(ask(7_400).to_string().starts_with(expected), "{}", ask(7_400));
    }
}
