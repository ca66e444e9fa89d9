//! Who may do what how often: app keys turn into approval keys and access tokens, under the broker's limits
//! (kis.md 1.3, 1.4, 7.1). Pure: the time is an argument.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use process::Secret;
use tokio::time::Instant;

use crate::market::random::Random;

/// Approval keys and tokens live a day.
pub const LIFETIME: Duration = Duration::from_secs(86_400);
/// A second token request within this time is refused.
const TOKEN_PAUSE: Duration = Duration::from_secs(60);
/// Within this time the same token comes back.
const SAME_TOKEN: Duration = Duration::from_secs(6 * 3_600);
/// One approval key a second.
const APPROVAL_PAUSE: Duration = Duration::from_secs(1);
/// Approval keys remembered for an app key: more than a day of reconnects in a test; the oldest is forgotten.
const APPROVALS: usize = 1_000;

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// EGW00103.
    AppKey,
    /// EGW00105.
    AppSecret,
    /// EGW00121.
    Token,
    /// EGW00123.
    TokenExpired,
    /// EGW00133.
    TokenTooOften,
    /// EGW00201.
    Rate,
}

/// A live access token.
#[derive(Debug, Clone)]
pub struct Token {
    /// The bearer text.
    pub text: Secret,
    /// When it was made.
    pub issued: Instant,
    /// When it was last handed out.
    asked: Instant,
}

struct Account {
    secret: Secret,
    approvals: VecDeque<(Secret, Instant)>,
    token: Option<Token>,
    calls: VecDeque<Instant>,
}

/// All app keys with what they hold. No `Debug`: it would show them.
pub struct Credentials {
    accounts: HashMap<String, Account>,
    calls_per_second: usize,
    random: Random,
}

impl Credentials {
    /// The accounts of `keys`; `seed` must differ from start to start, so that old keys are dead after a restart.
    #[must_use]
    pub fn new(keys: &[(Secret, Secret)], calls_per_second: usize, seed: u64) -> Self {
        let account = |secret: &Secret| Account {
            secret: secret.clone(),
            approvals: VecDeque::new(),
            token: None,
            calls: VecDeque::new(),
        };
        let accounts = keys.iter().map(|(key, secret)| (key.expose().to_owned(), account(secret))).collect();
        Self { accounts, calls_per_second, random: Random::new(seed, "credentials") }
    }

    fn account(&mut self, app_key: &str, secret: &str) -> Result<&mut Account, Refusal> {
        let account = self.accounts.get_mut(app_key).ok_or(Refusal::AppKey)?;
        if account.secret.expose() == secret { Ok(account) } else { Err(Refusal::AppSecret) }
    }

    /// A new approval key.
    ///
    /// # Errors
    /// [`Refusal`] for wrong keys, or more than one a second.
    pub fn approve(&mut self, app_key: &str, secret: &str, now: Instant) -> Result<String, Refusal> {
        let text = self.uuid();
        let account = self.account(app_key, secret)?;
        if account.approvals.back().is_some_and(|(_, at)| now.duration_since(*at) < APPROVAL_PAUSE) {
            return Err(Refusal::Rate);
        }
        if account.approvals.len() == APPROVALS {
            account.approvals.pop_front();
        }
        account.approvals.push_back((Secret::new(text.clone()), now));
        Ok(text)
    }

    /// The app key that holds `approval_key`, if it is known and not too old.
    #[must_use]
    pub fn holder(&self, approval_key: &str, now: Instant) -> Option<&str> {
        let holds = |account: &Account| {
            let mut keys = account.approvals.iter();
            keys.any(|(key, at)| key.expose() == approval_key && now.duration_since(*at) < LIFETIME)
        };
        self.accounts.iter().find(|(_, account)| holds(account)).map(|(app_key, _)| app_key.as_str())
    }

    /// Makes every approval key so far unknown.
    pub fn forget_approvals(&mut self) {
        for account in self.accounts.values_mut() {
            account.approvals.clear();
        }
    }

    /// The access token: the same one for six hours.
    ///
    /// # Errors
    /// [`Refusal`] for wrong keys, or more than one request a minute.
    pub fn token(&mut self, app_key: &str, secret: &str, now: Instant) -> Result<Token, Refusal> {
        let text = format!("{}.{}", self.uuid(), self.uuid());
        let account = self.account(app_key, secret)?;
        let token = match account.token.take() {
            Some(token) if now.duration_since(token.asked) < TOKEN_PAUSE => {
                account.token = Some(token);
                return Err(Refusal::TokenTooOften);
            }
            Some(token) if now.duration_since(token.issued) < SAME_TOKEN => Token { asked: now, ..token },
            _ => Token { text: Secret::new(text), issued: now, asked: now },
        };
        account.token = Some(token.clone());
        Ok(token)
    }

    /// Ends a token.
    ///
    /// # Errors
    /// [`Refusal`] for wrong keys or an unknown token.
    pub fn revoke(&mut self, app_key: &str, secret: &str, token: &str) -> Result<(), Refusal> {
        let account = self.account(app_key, secret)?;
        if account.token.as_ref().is_none_or(|held| held.text.expose() != token) {
            return Err(Refusal::Token);
        }
        account.token = None;
        Ok(())
    }

    /// Counts a call and checks its keys, its token and its rate.
    ///
    /// # Errors
    /// [`Refusal`] with the first rule that is broken.
    pub fn call(&mut self, app_key: &str, secret: &str, bearer: &str, now: Instant) -> Result<(), Refusal> {
        let limit = self.calls_per_second;
        let account = self.account(app_key, secret)?;
        let Some(token) = account.token.as_ref().filter(|token| token.text.expose() == bearer) else {
            return Err(Refusal::Token);
        };
        if now.duration_since(token.issued) >= LIFETIME {
            return Err(Refusal::TokenExpired);
        }
        while account.calls.front().is_some_and(|at| now.duration_since(*at) >= Duration::from_secs(1)) {
            account.calls.pop_front();
        }
        if account.calls.len() >= limit {
            return Err(Refusal::Rate);
        }
        account.calls.push_back(now);
        Ok(())
    }

    fn uuid(&mut self) -> String {
        let (high, low) = (self.random.next(), self.random.next());
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        Credentials::new(&[(Secret::new("key"), Secret::new("secret"))], 3, 1)
    }

    #[test]
    fn approval_needs_both_keys_and_a_second() {
        let (mut credentials, now) = (credentials(), Instant::now());
        assert_eq!(credentials.approve("", "secret", now), Err(Refusal::AppKey));
        assert_eq!(credentials.approve("key", "", now), Err(Refusal::AppSecret));
        let approval = credentials.approve("key", "secret", now).expect("approval");
        assert_eq!(approval.len(), 36);
        assert_eq!(credentials.holder(&approval, now), Some("key"));
        assert_eq!(credentials.holder(&approval, now + LIFETIME), None);
        assert_eq!(credentials.approve("key", "secret", now), Err(Refusal::Rate));
        let later = credentials.approve("key", "secret", now + APPROVAL_PAUSE).expect("approval");
        assert_ne!(approval, later);
        assert_eq!(credentials.holder(&approval, now), Some("key"));
        credentials.forget_approvals();
        assert_eq!(credentials.holder(&later, now), None);
    }

    #[test]
    fn token_once_a_minute_and_the_same_for_six_hours() {
        let (mut credentials, now) = (credentials(), Instant::now());
        let first = credentials.token("key", "secret", now).expect("token");
        let early = credentials.token("key", "secret", now + Duration::from_secs(59));
        assert_eq!(early.unwrap_err(), Refusal::TokenTooOften);
        let second = credentials.token("key", "secret", now + Duration::from_secs(60)).expect("token");
        assert_eq!((second.text == first.text, second.issued == first.issued), (true, true));
        let third = credentials.token("key", "secret", now + SAME_TOKEN).expect("token");
        assert_ne!(third.text, first.text);
    }

    #[test]
    fn calls_need_a_live_token_and_keep_the_rate() {
        let (mut credentials, now) = (credentials(), Instant::now());
        assert_eq!(credentials.call("key", "secret", "", now), Err(Refusal::Token));
        let token = credentials.token("key", "secret", now).expect("token");
        let bearer = token.text.expose();
        for _ in 0..3 {
            assert_eq!(credentials.call("key", "secret", bearer, now), Ok(()));
        }
        assert_eq!(credentials.call("key", "secret", bearer, now), Err(Refusal::Rate));
        let second = now + Duration::from_secs(1);
        assert_eq!(credentials.call("key", "secret", bearer, second), Ok(()));
        assert_eq!(credentials.call("key", "secret", bearer, now + LIFETIME), Err(Refusal::TokenExpired));
        assert_eq!(credentials.revoke("key", "secret", bearer), Ok(()));
        assert_eq!(credentials.call("key", "secret", bearer, second), Err(Refusal::Token));
    }
}
