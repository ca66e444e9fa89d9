//! KIS as a feed of one market: which keys, which registrations, where to connect.

use std::path::PathBuf;

use market::calendar::Calendar;
use market::universe::Universe;
use market::{Market, Source};

use super::auth::{Credentials, KisAuth};
use super::parse::KisParser;
use super::registration::Registration;
use super::session::{KisSession, SessionRules};
use crate::feed::{Feed, OpenError, Opening};
use crate::tls;

/// What a KIS feed is made of.
#[derive(Debug, Clone)]
pub struct KisSettings {
    /// Market of the feed.
    pub market: Market,
    /// REST address, `https://openapi.koreainvestment.com:9443`.
    pub rest_url: String,
    /// WebSocket address, `ws://ops.koreainvestment.com:21000/tryitout`.
    pub ws_url: String,
    /// One connection each.
    pub keys: Vec<Credentials>,
    /// A private certificate authority, beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// Where tokens are kept.
    pub token_folder: Option<PathBuf>,
    /// Times and limits of a session.
    pub rules: SessionRules,
}

/// KIS as a feed.
#[derive(Debug)]
pub struct KisFeed {
    settings: KisSettings,
    auth: KisAuth,
    calendar: Calendar,
    /// Registrations of each key, most important first.
    wanted: Vec<Vec<Registration>>,
}

impl KisFeed {
    /// A feed of the instruments of `universe` that KIS may carry. They fill one key after the other; what no key has
    /// room for goes to the last, whose session names each as not covered.
    ///
    /// # Errors
    /// [`OpenError::Temporary`] when the certificate authority or the HTTP client cannot be used.
    pub fn new(settings: KisSettings, universe: &Universe, calendar: Calendar) -> Result<Self, OpenError> {
        let client =
            tls::client(settings.ca_file.as_deref()).map_err(|e| OpenError::Temporary(e.to_string()))?;
        let auth = KisAuth::new(&settings.rest_url, &client, settings.token_folder.clone())?;
        let all: Vec<_> = universe.of(settings.market, Source::Kis).flat_map(Registration::of).collect();
        let wanted = spread(all, settings.keys.len(), settings.rules.limit);
        Ok(Self { settings, auth, calendar, wanted })
    }

    /// How many registrations are wanted in all.
    #[must_use]
    pub fn registrations(&self) -> usize {
        self.wanted.iter().map(Vec::len).sum()
    }
}

fn spread(all: Vec<Registration>, keys: usize, limit: usize) -> Vec<Vec<Registration>> {
    let mut spread = vec![Vec::new(); keys];
    for (index, registration) in all.into_iter().enumerate() {
        let key = (index / limit.max(1)).min(keys.saturating_sub(1));
        if let Some(own) = spread.get_mut(key) {
            own.push(registration);
        }
    }
    spread
}

impl Feed for KisFeed {
    type Protocol = KisSession;
    type Parser = KisParser;

    fn market(&self) -> Market {
        self.settings.market
    }

    fn source(&self) -> Source {
        Source::Kis
    }

    fn parser(&self) -> KisParser {
        KisParser::new(self.calendar.clone())
    }

    fn connections(&self) -> Vec<String> {
        // A key without registrations has nothing to say.
        let used = self.settings.keys.iter().zip(&self.wanted).filter(|(_, wanted)| !wanted.is_empty());
        used.map(|(key, _)| key.name.clone()).collect()
    }

    async fn open(&self, index: usize) -> Result<Opening<KisSession>, OpenError> {
        let (Some(key), Some(wanted)) = (self.settings.keys.get(index), self.wanted.get(index)) else {
            return Err(OpenError::Credentials(format!("no key number {index}")));
        };
        // A key in hand may have died unseen ("subscribe succeeds, no data comes"): a fresh one for each connection.
        let approval_key = self.auth.approval_key(key).await?;
        let protocol = KisSession::new(approval_key, self.settings.rules, wanted.clone());
        Ok(Opening { url: self.settings.ws_url.clone(), protocol })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_filled_in_order_and_nothing_is_dropped() {
        let lines: String = (0..45).map(|n| format!("- symbol: {n:06}\n")).collect();
        let universe = Universe::from_yaml(&format!("symbols:\n{lines}")).expect("universe");
        let all: Vec<_> = universe.entries.iter().flat_map(Registration::of).collect();
        let counts = |keys| spread(all.clone(), keys, 41).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(counts(3), [41, 41, 8]);
        assert_eq!(counts(2), [41, 49]);
    }
}
