//! The few REST calls of a broker that a feed needs before its WebSocket, and two of our own. One request a connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Shared;

/// No request of these calls is larger.
const LARGEST: usize = 16 << 10;

/// Reads one request and answers it; whoever breaks off gets nothing.
pub async fn answer(mut stream: TcpStream, shared: Arc<Shared>) {
    let Some(path) = read(&mut stream).await else { return };
    let (status, body) = match path.as_str() {
        // Never checked: the sender serves whoever comes.
        "/oauth2/Approval" => ("200 OK", json!({"approval_key": "00000000-0000-4000-8000-000000000000"})),
        "/oauth2/tokenP" => (
            "200 OK",
            json!({
                "access_token": "sender", "token_type": "Bearer", "expires_in": 86_400,
                "access_token_token_expired": "2099-12-31 23:59:59",
            }),
        ),
        "/start" => {
            shared.start();
            ("200 OK", json!({}))
        }
        "/status" => {
            let registered = shared.registered.load(Ordering::SeqCst);
            ("200 OK", json!({"registered": registered, "sent": shared.sent()}))
        }
        _ => ("404 Not Found", json!({})),
    };
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _gone_anyway = stream.write_all(format!("{head}{body}").as_bytes()).await;
}

/// The path of a request that was read whole: what is left unread would reset the connection under the answer.
async fn read(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    loop {
        if let Some((path, whole)) = request(&text)
            && text.len() >= whole
        {
            return Some(path);
        }
        if text.len() > LARGEST || stream.read_buf(&mut text).await.ok()? == 0 {
            return None;
        }
    }
}

/// Path and whole length of a request whose head is there.
fn request(text: &[u8]) -> Option<(String, usize)> {
    let head_end = text.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(text.get(..head_end)?).ok()?;
    let target = head.split_whitespace().nth(1)?;
    let path = target.split('?').next().unwrap_or(target).to_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    Some((path, head_end + length.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_ends_with_its_body() {
        let text = b"POST /oauth2/Approval HTTP/1.1\r\nContent-Length: 7\r\n\r\n{";
        assert_eq!(request(text), Some(("/oauth2/Approval".to_owned(), 60)));
        assert_eq!(request(b"GET /status?x=1 HTTP/1.1\r\n\r\n"), Some(("/status".to_owned(), 28)));
        assert_eq!(request(b"GET /status HTTP/1.1\r\n"), None);
    }
}
