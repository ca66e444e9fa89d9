//! What the crowd is measured with: a client that costs next to nothing, so that the gateway is measured and not its clients;
//! times of receipt out of messages; figures.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Before each time of receipt in a message.
const MARK: &[u8] = b"\"received_ns\":\"";
/// A client's first buffer; it grows to the largest message, which the gateway bounds.
const BUFFER: usize = 16 << 10;

/// This machine's clock, UTC ns.
pub fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_nanos()).expect("before 2262")
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
    pub async fn open(gateway: &str, request: &str) -> Self {
        let mut socket = TcpStream::connect(gateway).await.expect("the gateway listens");
        socket.set_nodelay(true).expect("option");
        let upgrade = format!(
            "GET /v1/stream HTTP/1.1\r\nHost: {gateway}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        socket.write_all(upgrade.as_bytes()).await.expect("asked");
        let mut reader = Self { socket, buffer: vec![0; BUFFER], unread: (0, 0) };
        let end = loop {
            reader.fill().await.expect("an answer");
            let answer = &reader.buffer[..reader.unread.1];
            if let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") {
                assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(answer));
                break end + 4;
            }
        };
        reader.unread.0 = end;
        // Masked with zeros: what a client must do, and what leaves the text as it is.
        let length = u16::try_from(request.len()).expect("short");
        let mut frame = vec![0x81, 0x80 | 126];
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(request.as_bytes());
        reader.socket.write_all(&frame).await.expect("subscribed");
        reader
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

/// Delays as a line: `p50 26.1 p90 46.0 p99 51.2 p99.9 53.0 max 54.9 ms (12345 samples)`.
pub fn figures(delays: &mut [i64]) -> String {
    delays.sort_unstable();
    let at = |thousandth: usize| {
        delays.get(delays.len().saturating_sub(1) * thousandth / 1_000).copied().unwrap_or(0)
    };
    let ms = |ns: i64| format!("{}.{}", ns / 1_000_000, ns.rem_euclid(1_000_000) / 100_000);
    format!(
        "p50 {} p90 {} p99 {} p99.9 {} max {} ms ({} samples)",
        ms(at(500)),
        ms(at(900)),
        ms(at(990)),
        ms(at(999)),
        ms(at(1_000)),
        delays.len()
    )
}

/// Resident memory of a process, now and at its peak.
pub fn memory(pid: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let lines = status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM"));
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(", ")
}

/// Processor time of a process, in hundredths of a second.
pub fn ticks(pid: &str) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    [11, 12].iter().filter_map(|place| fields.get(*place)?.parse::<u64>().ok()).sum()
}

/// The load of the machine over the last minute, as the kernel tells it.
pub fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
