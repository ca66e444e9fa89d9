//! Kiwoom's app keys turn into tokens, and tokens into the key that they stand for (kiwoom.md 2). Pure: the time is
//! an argument.

use std::collections::HashMap;
use std::time::Duration;

use process::Secret;
use tokio::time::Instant;

use super::window::Window;
use crate::config::KiwoomSettings;
use crate::market::random::Random;

/// Tokens a second and app key.
const ISSUES: usize = 2;

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 8001.
    AppKey,
    /// 8002.
    SecretKey,
    /// 8005.
    Token,
    /// 1700.
    Rate,
}

struct Account {
    secret: Secret,
    token: Option<(Secret, Instant)>,
    issues: Window,
    /// By TR.
    calls: HashMap<String, Window>,
}

/// All app keys with what they hold. No `Debug`: it would show them.
pub struct Tokens {
    accounts: HashMap<String, Account>,
    life: Duration,
    second_kills: bool,
    calls_per_second: usize,
    random: Random,
}

impl Tokens {
    /// The accounts of the settings; `seed` must differ from start to start, so that old tokens are dead after a
    /// restart.
    #[must_use]
    pub fn new(settings: &KiwoomSettings, seed: u64) -> Self {
        let account = |secret: &Secret| Account {
            secret: secret.clone(),
            token: None,
            issues: Window::default(),
            calls: HashMap::new(),
        };
        let keys = settings.keys.iter();
        Self {
            accounts: keys.map(|(key, secret)| (key.expose().to_owned(), account(secret))).collect(),
            life: settings.token_life,
            second_kills: settings.second_token_kills,
            calls_per_second: settings.requests_per_second,
            random: Random::new(seed, "tokens"),
        }
    }

    fn account(&mut self, app_key: &str, secret: &str) -> Result<&mut Account, Refusal> {
        let account = self.accounts.get_mut(app_key).ok_or(Refusal::AppKey)?;
        if account.secret.expose() == secret { Ok(account) } else { Err(Refusal::SecretKey) }
    }

    /// A token and the time that is left to it: a new one, which ends the old one, or by the settings the living one.
    ///
    /// # Errors
    /// [`Refusal`] for wrong keys, or more than two a second.
    pub fn issue(
        &mut self,
        app_key: &str,
        secret: &str,
        now: Instant,
    ) -> Result<(Secret, Duration), Refusal> {
        let words: [u64; 4] = std::array::from_fn(|_| self.random.next());
        let (life, kills) = (self.life, self.second_kills);
        let account = self.account(app_key, secret)?;
        if !account.issues.admit(ISSUES, now) {
            return Err(Refusal::Rate);
        }
        let living = account.token.take().filter(|(_, at)| !kills && now.duration_since(*at) < life);
        let text = || words.map(|word| format!("{word:016X}")).concat();
        let (token, at) = living.unwrap_or_else(|| (Secret::new(text()), now));
        account.token = Some((token.clone(), at));
        Ok((token, life.saturating_sub(now.duration_since(at))))
    }

    /// Ends a token.
    ///
    /// # Errors
    /// [`Refusal`] for wrong keys or an unknown token.
    pub fn revoke(&mut self, app_key: &str, secret: &str, token: &str) -> Result<(), Refusal> {
        let account = self.account(app_key, secret)?;
        if account.token.as_ref().is_none_or(|(held, _)| held.expose() != token) {
            return Err(Refusal::Token);
        }
        account.token = None;
        Ok(())
    }

    /// The app key of a living token.
    #[must_use]
    pub fn holder(&self, token: &str, now: Instant) -> Option<&str> {
        let holds = |account: &Account| {
            let held = account.token.as_ref();
            held.is_some_and(|(held, at)| held.expose() == token && now.duration_since(*at) < self.life)
        };
        self.accounts.iter().find(|(_, account)| holds(account)).map(|(app_key, _)| app_key.as_str())
    }

    /// Counts a call of a TR and checks its token and its rate.
    ///
    /// # Errors
    /// [`Refusal::Token`] or [`Refusal::Rate`].
    pub fn call(&mut self, token: &str, tr: &str, now: Instant) -> Result<(), Refusal> {
        let app_key = self.holder(token, now).map(str::to_owned).ok_or(Refusal::Token)?;
        let limit = self.calls_per_second;
        let account = self.accounts.get_mut(&app_key).ok_or(Refusal::Token)?;
        let window = account.calls.entry(tr.to_owned()).or_default();
        if window.admit(limit, now) { Ok(()) } else { Err(Refusal::Rate) }
    }

    /// Ends every token.
    pub fn forget(&mut self) {
        for account in self.accounts.values_mut() {
            account.token = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(second_token_kills: bool) -> Tokens {
        let settings = KiwoomSettings {
            addresses: None,
            keys: vec![(Secret::new("key"), Secret::new("secret"))],
            items: 200,
            registrations_per_second: 5,
            requests_per_second: 5,
            ping: Duration::from_secs(10),
            pong_limit: Duration::from_secs(30),
            delay_ms: 20..=60,
            token_life: Duration::from_secs(100),
            second_token_kills,
            blocked_agents: Vec::new(),
        };
        Tokens::new(&settings, 1)
    }

    #[tokio::test]
    async fn a_second_token_ends_the_first_or_is_the_first() {
        let now = Instant::now();
        let mut killing = tokens(true);
        let first = killing.issue("key", "secret", now).expect("token").0;
        assert_eq!(killing.holder(first.expose(), now), Some("key"));
        let second = killing.issue("key", "secret", now).expect("token").0;
        assert_eq!(killing.holder(first.expose(), now), None);
        assert_eq!(killing.holder(second.expose(), now), Some("key"));
        assert_eq!(killing.issue("key", "secret", now).unwrap_err(), Refusal::Rate);
        killing.forget();
        assert_eq!(killing.call(second.expose(), "ka10079", now), Err(Refusal::Token));

        let mut sparing = tokens(false);
        let first = sparing.issue("key", "secret", now).expect("token").0;
        let (again, left) = sparing.issue("key", "secret", now + Duration::from_secs(40)).expect("token");
        assert_eq!((again == first, left), (true, Duration::from_secs(60)));
        assert_eq!(sparing.holder(first.expose(), now + Duration::from_secs(100)), None);
    }

    #[tokio::test]
    async fn calls_are_counted_by_tr() {
        let (mut tokens, now) = (tokens(true), Instant::now());
        assert_eq!(tokens.issue("other", "secret", now).unwrap_err(), Refusal::AppKey);
        assert_eq!(tokens.issue("key", "", now).unwrap_err(), Refusal::SecretKey);
        let token = tokens.issue("key", "secret", now).expect("token").0;
        for _ in 0..5 {
            assert_eq!(tokens.call(token.expose(), "ka10079", now), Ok(()));
        }
        assert_eq!(tokens.call(token.expose(), "ka10079", now), Err(Refusal::Rate));
        assert_eq!(tokens.call(token.expose(), "ka10084", now), Ok(()));
        assert_eq!(tokens.revoke("key", "secret", token.expose()), Ok(()));
        assert_eq!(tokens.call(token.expose(), "ka10084", now), Err(Refusal::Token));
    }
}
