//! The HTTP client for brokers' REST interfaces: our trust, our name, a limit on every call.

use std::time::Duration;

use crate::feed::OpenError;

/// The content type of our JSON. To be set before the body: set after it, it would be a second header.
pub const JSON_UTF8: &str = "application/json;charset=UTF-8";

/// A client that gives a call up after `limit`.
///
/// # Errors
/// [`OpenError::Temporary`] when the client cannot be made.
pub fn client(tls: &rustls::ClientConfig, limit: Duration) -> Result<reqwest::Client, OpenError> {
    let builder = reqwest::Client::builder().timeout(limit).user_agent(crate::USER_AGENT);
    // Headers of our own (app key and secret) would follow a redirect to another host.
    let built =
        builder.redirect(reqwest::redirect::Policy::none()).tls_backend_preconfigured(tls.clone()).build();
    built.map_err(|e| OpenError::Temporary(format!("http client: {e}")))
}

/// The body as text, of at most `most` bytes.
///
/// # Errors
/// What is wrong, for people: trouble on the way, too long, or no UTF-8.
pub async fn text(mut response: reqwest::Response, most: usize) -> Result<String, String> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|e| e.to_string())? {
        if body.len() + part.len() > most {
            return Err(format!("a body of more than {most} bytes"));
        }
        body.extend_from_slice(&part);
    }
    String::from_utf8(body).map_err(|_| "a body that is not UTF-8".to_owned())
}
