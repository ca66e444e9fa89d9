//! Kiwoom as the feed of the Korean market: which keys, which items, where to connect.

use std::sync::Arc;

use market::calendar::Calendar;
use market::carriers::Wanted;
use market::{Market, Source};

use super::auth::KiwoomAuth;
use super::parse::KiwoomParser;
use super::registration::Item;
use super::rest::{KiwoomRest, RestRules};
use super::session::{KiwoomSession, SessionRules};
use crate::clock::now_ns;
use crate::feed::{Feed, OpenError, Opening};
use crate::lines::Lines;
use crate::page::{Page, PageError, PageRequest};
use crate::settings::BrokerSettings;
use crate::tls;

/// The settings of a feed without keys.
#[must_use]
pub fn defaults() -> BrokerSettings {
    let rules = SessionRules::default();
    BrokerSettings {
        rest_url: "https://api.kiwoom.com".to_owned(),
        ws_url: "wss://api.kiwoom.com:10000/api/dostk/websocket".to_owned(),
        keys: Vec::new(),
        ca_file: None,
        token_folder: None,
        registration_limit: rules.limit,
        pace: rules.pace,
        page_pace: None,
        liveness_limit: rules.liveness_limit,
        silence_limit: rules.silence_limit,
    }
}

/// Kiwoom as a feed.
#[derive(Debug)]
pub struct KiwoomFeed {
    settings: BrokerSettings,
    auth: Arc<KiwoomAuth>,
    rest: KiwoomRest,
    calendar: Calendar,
    lines: Lines<Item>,
}

impl KiwoomFeed {
    /// A feed that carries nothing yet.
    ///
    /// # Errors
    /// [`OpenError::Temporary`] when the certificate authority or the HTTP client cannot be used.
    pub fn new(settings: BrokerSettings, calendar: Calendar) -> Result<Self, OpenError> {
        let client =
            tls::client(settings.ca_file.as_deref()).map_err(|e| OpenError::Temporary(e.to_string()))?;
        let BrokerSettings { rest_url, keys, token_folder, page_pace, .. } = &settings;
        let auth = Arc::new(KiwoomAuth::new(rest_url, &client, keys, token_folder.as_deref())?);
        let rest =
            KiwoomRest::new(rest_url, &client, Arc::clone(&auth), RestRules::of(rest_url, *page_pace))?;
        let lines =
            Lines::new(keys.iter().map(|key| key.name.clone()).collect(), settings.registration_limit);
        Ok(Self { settings, auth, rest, calendar, lines })
    }
}

impl Feed for KiwoomFeed {
    type Protocol = KiwoomSession;
    type Parser = KiwoomParser;

    fn market(&self) -> Market {
        Market::Kr
    }

    fn source(&self) -> Source {
        Source::Kiwoom
    }

    fn parser(&self) -> KiwoomParser {
        KiwoomParser::new(self.calendar.clone())
    }

    fn lines(&self) -> &Lines<Item> {
        &self.lines
    }

    fn registrations(&self, wanted: &[Wanted]) -> Vec<Item> {
        wanted.iter().filter_map(Item::of).collect()
    }

    async fn open(&self, index: usize) -> Result<Opening<KiwoomSession>, OpenError> {
        let Some(state) = self.auth.state(index) else {
            return Err(OpenError::Credentials(format!("no Kiwoom key number {index}")));
        };
        let token = self.auth.token(index, now_ns()).await?;
        let rules = SessionRules {
            limit: self.settings.registration_limit,
            pace: self.settings.pace,
            liveness_limit: self.settings.liveness_limit,
            silence_limit: self.settings.silence_limit,
            ..SessionRules::default()
        };
        let protocol = KiwoomSession::new(token, state, rules);
        Ok(Opening { url: self.settings.ws_url.clone(), protocol })
    }

    async fn page(&self, call: &str, request: &PageRequest) -> Result<Page, PageError> {
        self.rest.page(call, request).await
    }
}

#[cfg(test)]
mod tests;
