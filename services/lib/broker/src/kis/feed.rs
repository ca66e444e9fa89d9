//! KIS as a feed of one market: which keys, which registrations, where to connect.

use market::calendar::Calendar;
use market::carriers::Wanted;
use market::{Market, Source};

use super::auth::KisAuth;
use super::parse::KisParser;
use super::registration::Registration;
use super::rest::KisRest;
use super::session::{KisSession, SessionRules};
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
        rest_url: "https://openapi.koreainvestment.com:9443".to_owned(),
        ws_url: "ws://ops.koreainvestment.com:21000/tryitout".to_owned(),
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

/// KIS as a feed.
#[derive(Debug)]
pub struct KisFeed {
    market: Market,
    settings: BrokerSettings,
    auth: KisAuth,
    rest: KisRest,
    calendar: Calendar,
    lines: Lines<Registration>,
}

impl KisFeed {
    /// A feed of one market that carries nothing yet.
    ///
    /// # Errors
    /// [`OpenError::Temporary`] when the certificate authority or the HTTP client cannot be used.
    pub fn new(market: Market, settings: BrokerSettings, calendar: Calendar) -> Result<Self, OpenError> {
        let client =
            tls::client(settings.ca_file.as_deref()).map_err(|e| OpenError::Temporary(e.to_string()))?;
        let auth = KisAuth::new(&settings.rest_url, &client, settings.token_folder.clone())?;
        let rest = KisRest::new(&settings, &client, auth.clone())?;
        let names = settings.keys.iter().map(|key| key.name.clone()).collect();
        let lines = Lines::new(names, settings.registration_limit);
        Ok(Self { market, settings, auth, rest, calendar, lines })
    }
}

impl Feed for KisFeed {
    type Protocol = KisSession;
    type Parser = KisParser;

    fn market(&self) -> Market {
        self.market
    }

    fn source(&self) -> Source {
        Source::Kis
    }

    fn parser(&self) -> KisParser {
        KisParser::new(self.calendar.clone())
    }

    fn lines(&self) -> &Lines<Registration> {
        &self.lines
    }

    fn registrations(&self, wanted: &[Wanted]) -> Vec<Registration> {
        wanted.iter().flat_map(Registration::of).collect()
    }

    async fn open(&self, index: usize) -> Result<Opening<KisSession>, OpenError> {
        let Some(key) = self.settings.keys.get(index) else {
            return Err(OpenError::Credentials(format!("no key number {index}")));
        };
        // A key in hand may have died unseen ("subscribe succeeds, no data comes"): a fresh one for each connection.
        let approval_key = self.auth.approval_key(key).await?;
        let rules = SessionRules {
            limit: self.settings.registration_limit,
            pace: self.settings.pace,
            liveness_limit: self.settings.liveness_limit,
            silence_limit: self.settings.silence_limit,
            ..SessionRules::default()
        };
        let protocol = KisSession::new(approval_key, rules);
        Ok(Opening { url: self.settings.ws_url.clone(), protocol })
    }

    async fn page(&self, call: &str, request: &PageRequest) -> Result<Page, PageError> {
        self.rest.page(call, request).await
    }
}
