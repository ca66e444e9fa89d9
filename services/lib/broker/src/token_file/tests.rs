//! Keepers that share a folder, as two processes do.

use std::sync::atomic::AtomicU32;

use super::*;

const HOUR: i64 = 3_600 * 1_000_000_000;

/// Issues `token-1`, `token-2`, … that live until hour 24.
#[derive(Default)]
struct Issuer(AtomicU32);

impl Issuer {
    async fn issue(&self) -> Result<Token, OpenError> {
        tokio::task::yield_now().await;
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Token::new(format!("token-{number}"), 24 * HOUR))
    }

    async fn down() -> Result<Token, OpenError> {
        Err(OpenError::Temporary("down".to_owned()))
    }
}

fn keeper(folder: &Path) -> TokenKeeper {
    TokenKeeper::new(Some(folder), "kiwoom-main", "https://one", "key")
}

#[tokio::test]
async fn many_that_ask_at_once_get_one_token() {
    let folder = tempfile::tempdir().expect("folder");
    let (issuer, one, two) = (Issuer::default(), keeper(folder.path()), keeper(folder.path()));
    let asked: Vec<_> = (0..8)
        .map(|number| {
            let keeper = if number % 2 == 0 { &one } else { &two };
            keeper.token(0, issuer.issue())
        })
        .collect();
    for token in futures_util::future::join_all(asked).await {
        assert_eq!(token.expect("token").expose(), "token-1");
    }
    assert_eq!(issuer.0.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_dead_token_is_replaced_once_for_all() {
    let folder = tempfile::tempdir().expect("folder");
    let (issuer, one, two) = (Issuer::default(), keeper(folder.path()), keeper(folder.path()));
    for keeper in [&one, &two] {
        keeper.token(0, issuer.issue()).await.expect("token").mark_dead();
    }
    assert_eq!(one.token(0, issuer.issue()).await.expect("token").expose(), "token-2");
    // The other finds the newer one on disk.
    assert_eq!(two.token(0, issuer.issue()).await.expect("token").expose(), "token-2");
    assert_eq!(issuer.0.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_token_is_renewed_early_and_serves_on_while_it_cannot_be() {
    let (issuer, keeper) = (Issuer::default(), TokenKeeper::new(None, "x", "https://one", "key"));
    let text = |token: Token| token.expose().to_owned();
    keeper.token(0, issuer.issue()).await.expect("token");
    assert_eq!(keeper.token(23 * HOUR, issuer.issue()).await.map(text).expect("token"), "token-1");
    let late = 24 * HOUR - HOUR / 2;
    assert_eq!(keeper.token(late, Issuer::down()).await.map(text).expect("token"), "token-1");
    assert!(keeper.token(24 * HOUR, Issuer::down()).await.is_err());
    assert_eq!(keeper.token(late, issuer.issue()).await.map(text).expect("token"), "token-2");
}

#[tokio::test]
async fn a_token_of_another_key_or_world_is_not_taken() {
    let folder = tempfile::tempdir().expect("folder");
    let issuer = Issuer::default();
    keeper(folder.path()).token(0, issuer.issue()).await.expect("token");
    for (address, key, expected) in [
        ("https://one", "key", "token-1"),
        ("https://mock", "key", "token-2"),
        ("https://one", "new", "token-3"),
    ] {
        let keeper = TokenKeeper::new(Some(folder.path()), "kiwoom-main", address, key);
        assert_eq!(keeper.token(0, issuer.issue()).await.expect("token").expose(), expected);
    }
}

#[tokio::test]
async fn a_kept_token_is_private_and_never_printed() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("folder");
    let token = keeper(folder.path()).token(0, Issuer::default().issue()).await.expect("token");
    let file = folder.path().join("kiwoom-main.json");
    assert_eq!(std::fs::metadata(&file).expect("file").permissions().mode() & 0o777, 0o600);
    assert!(!format!("{token:?}").contains("token-1"));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_told() {
    let file = tempfile::NamedTempFile::new().expect("file");
    let error = keeper(file.path()).token(0, Issuer::default().issue()).await.expect_err("no folder");
    assert!(matches!(error, OpenError::Temporary(problem) if problem.contains("kiwoom-main.lock")));
}
