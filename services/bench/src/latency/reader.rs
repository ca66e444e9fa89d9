//! A client of the gateway that costs next to nothing, so that the gateway is measured and not its client; times of receipt out
//! of messages.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Before each time of receipt in a message.
const MARK: &[u8] = b"\"received_ns\":\"";
/// A client's first buffer; it grows to the largest message, which the gateway bounds.
const BUFFER: usize = 16 << 10;

/// This machine's clock, UTC ns.
///
/// # Errors
/// When it is set before 1970 or after 2262.
pub fn now_ns() -> anyhow::Result<i64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock")?;
    i64::try_from(since.as_nanos()).context("the clock")
}

/// A client of `/v1/stream` that reads text messages and nothing else: no library, no copy of what it reads.
pub struct Reader {
    socket: TcpStream,
    buffer: Vec<u8>,
    /// Where in the buffer what was not told yet begins and ends.
    unread: (usize, usize),
}

impl Reader {
    /// Opens the stream at `HOST:PORT` and subscribes.
    ///
    /// # Errors
    /// When the gateway does not take it.
    pub async fn open(gateway: &str, request: &str) -> anyhow::Result<Self> {
        let mut socket = TcpStream::connect(gateway).await.context("the gateway listens")?;
        socket.set_nodelay(true)?;
        let upgrade = format!(
            "GET /v1/stream HTTP/1.1\r\nHost: {gateway}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        socket.write_all(upgrade.as_bytes()).await?;
        let mut reader = Self { socket, buffer: vec![0; BUFFER], unread: (0, 0) };
        let end = loop {
            reader.fill().await.context("no answer")?;
            let answer = reader.buffer.get(..reader.unread.1).unwrap_or_default();
            if let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") {
                if !answer.starts_with(b"HTTP/1.1 101") {
                    bail!("the gateway answers {}", String::from_utf8_lossy(answer));
                }
                break end + 4;
            }
        };
        reader.unread.0 = end;
        // Masked with zeros: what a client must do, and what leaves the text as it is.
        let length = u16::try_from(request.len())?;
        let mut frame = vec![0x81, 0x80 | 126];
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(request.as_bytes());
        reader.socket.write_all(&frame).await?;
        Ok(reader)
    }

    /// The next text message; none when the connection has ended.
    pub async fn next(&mut self) -> Option<&[u8]> {
        loop {
            let (from, to) = self.unread;
            match frame(&self.buffer[from..to]) {
                Some((opcode, head, length)) if to - from >= head + length => {
                    self.unread.0 += head + length;
                    match opcode {
                        1 => return Some(&self.buffer[from + head..from + head + length]),
                        8 => return None,
                        _ => {}
                    }
                }
                _ => self.fill().await?,
            }
        }
    }

    /// Reads more behind what is unread, which moves to the front when there is no room.
    async fn fill(&mut self) -> Option<()> {
        let (from, to) = self.unread;
        if to == self.buffer.len() {
            self.buffer.copy_within(from..to, 0);
            self.unread = (0, to - from);
            if from == 0 {
                self.buffer.resize(2 * self.buffer.len(), 0);
            }
        }
        let end = self.unread.1;
        let count = self.socket.read(&mut self.buffer[end..]).await.ok()?;
        self.unread.1 += count;
        if count == 0 { None } else { Some(()) }
    }
}

/// The beginning of a frame of a server: its opcode, the bytes of its head, and how many follow.
fn frame(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let opcode = bytes.first()? & 0x0f;
    let (head, length) = match bytes.get(1)? & 0x7f {
        126 => (4, u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)),
        short => (2, u64::from(short)),
    };
    Some((opcode, head, usize::try_from(length).ok()?))
}

/// The times of receipt in a message, ns, in the order in which they stand.
pub fn received(message: &[u8]) -> impl Iterator<Item = i64> {
    let mut rest = message;
    std::iter::from_fn(move || {
        let at = rest.windows(MARK.len()).position(|window| window == MARK)? + MARK.len();
        let digits = rest[at..].iter().take_while(|byte| byte.is_ascii_digit());
        let number = digits.fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
        rest = &rest[at..];
        Some(number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_frames_and_times_of_receipt_are_read() {
        assert_eq!(frame(&[0x81, 5, b'x']), Some((1, 2, 5)));
        assert_eq!(frame(&[0x81, 126, 1, 2]), Some((1, 4, 258)));
        assert_eq!(frame(&[0x88]), None);
        let message = br#"{"a":[{"received_ns":"17","b":1},{"received_ns":"1700"}]}"#;
        assert_eq!(received(message).collect::<Vec<_>>(), [17, 1_700]);
    }
}
