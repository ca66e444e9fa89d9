//! The engine of this process: statements in, replies out, several at once.
//!
//! A request gets a connection of its own (or its session's), since a connection *is* a session: roles, settings,
//! current database, temporary tables. Opening one takes about 0.2 ms. Before a statement runs, a second connection that
//! no user's setting ever touches lets the engine's own parser write it down in its one spelling
//! (`formatQuerySingleLine`); what was looked at is then what is run. Rights: see `access.rs`.
//!
//! What libchdb cannot do, and what is done instead: it takes no insert data by call (a file and `FROM INFILE`), it has
//! no users (roles), it executes several statements separated by `;` and comments such as `{ serverError 60 }` that
//! swallow errors (the formatter refuses the first and leaves out the second), and it opens any file of the machine for
//! `INTO OUTFILE` and `FROM INFILE` (refused).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::access;
use crate::config::Settings;
use crate::error::Exception;
use crate::ffi::{Connection, FfiError, Library, Statistics};
use crate::session::{SessionRequest, Sessions};
use crate::sql::{Formatted, escape_parameter, quote, quote_name};
use crate::statement::{Reply, Statement};
use crate::streaming::{self, Header};

/// Replies on their way to the client: pieces of about 65,000 rows, so that the engine is one ahead, not the memory.
const REPLIES: usize = 2;
/// How long a client may leave a piece unread before its query is given up (`http_send_timeout` of ClickHouse).
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a statement ends early.
#[derive(Debug)]
enum Stop {
    Failed(Exception),
    /// The client is gone or does not read.
    Unread,
}

impl From<Exception> for Stop {
    fn from(exception: Exception) -> Self {
        Self::Failed(exception)
    }
}

/// The running engine.
#[derive(Debug)]
pub struct Engine {
    library: &'static Library,
    arguments: Vec<String>,
    sessions: Sessions,
    /// Connections that only format; at most one for each statement at once.
    formatters: Mutex<Vec<Connection>>,
    /// Keeps the engine running: it stops with its last connection.
    keeper: Mutex<Option<Connection>>,
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
    connections: u32,
    max_result_bytes: u64,
    /// Version of the engine, for example `26.5.1.1`.
    pub version: String,
    /// Time zone of the engine, for example `Etc/UTC`.
    pub timezone: String,
}

impl Engine {
    /// Starts the engine on `settings.path`, which must be locked already. Takes about 0.1 s and more with many tables.
    ///
    /// # Errors
    /// When the library or the folder cannot be used.
    pub fn start(settings: &Settings) -> anyhow::Result<Arc<Self>> {
        let library = Library::load(&settings.library)?;
        let config = access::write(&settings.path.join("access"), settings)?;
        let path = settings.path.display();
        let arguments = vec![format!("--path={path}"), format!("--config-file={}", config.display())];
        let mut keeper = library.open(&arguments)?;
        let mut ask = |sql: &str| {
            let result = keeper.query(sql, "RawBLOB", &[]).map_err(|error| anyhow::anyhow!(error))?;
            anyhow::Ok(String::from_utf8_lossy(result.as_ref()).into_owned())
        };
        let (version, timezone) = (ask("SELECT version()")?, ask("SELECT timezone()")?);
        let connections = u32::try_from(settings.connections)?;
        Ok(Arc::new(Self {
            library,
            arguments,
            sessions: Sessions::new(settings.sessions),
            formatters: Mutex::default(),
            keeper: Mutex::new(Some(keeper)),
            running: Arc::new(Semaphore::new(settings.connections)),
            admitted: Arc::new(Semaphore::new(settings.connections + settings.queue)),
            connections,
            max_result_bytes: settings.max_result_bytes,
            version,
            timezone,
        }))
    }

    /// A place for one request, to be held until it is answered.
    ///
    /// # Errors
    /// Code 202 (HTTP 503) when `connections` + `queue` requests are here already.
    pub fn admit(&self) -> Result<OwnedSemaphorePermit, Exception> {
        Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| {
            metrics::counter!("sise_clickhouse_embedded_refused_total", "reason" => "queue_full")
                .increment(1);
            let text = "Too many simultaneous requests: all connections are busy and the queue is full \
                        (clickhouse_embedded.connections, .queue); try again later";
            Exception::too_many_queries(text)
        })
    }

    /// Runs a statement on a thread of its own as soon as a connection is free. Dropping the receiver ends a streamed
    /// query; any other statement runs to its end.
    pub async fn execute(self: &Arc<Self>, statement: Statement) -> mpsc::Receiver<Reply> {
        let (replies, receiver) = mpsc::channel(REPLIES);
        // Closed never: the semaphore lives as long as the engine.
        let permit = Arc::clone(&self.running).acquire_owned().await.ok();
        let engine = Arc::clone(self);
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let send = |reply: Reply| {
                let sent =
                    runtime.block_on(async { tokio::time::timeout(SEND_TIMEOUT, replies.send(reply)).await });
                if matches!(sent, Ok(Ok(()))) { Ok(()) } else { Err(Stop::Unread) }
            };
            // The last reply goes out when the session is free again: the client may use it at once.
            match engine.run(&statement, &send).and_then(send) {
                Ok(()) => {}
                Err(Stop::Failed(exception)) => {
                    let _unread = send(Reply::Failed(statement.told(exception)));
                }
                Err(Stop::Unread) => {
                    tracing::info!(user = statement.user.name, "client left before the result's end")
                }
            }
        });
        receiver
    }

    /// Ends idle sessions; to be called now and then.
    pub fn expire_sessions(&self) {
        self.sessions.expire();
    }

    /// Waits for running statements, then closes every connection, which stops the engine.
    pub async fn close(&self) {
        let _all = self.running.acquire_many(self.connections).await;
        self.sessions.clear();
        self.formatters.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _closed = tokio::task::spawn_blocking(move || drop(keeper)).await;
    }

    fn open(&self) -> Result<Connection, Exception> {
        self.library.open(&self.arguments).map_err(|error: FfiError| Exception::unknown(error.to_string()))
    }

    /// Returns the last reply.
    fn run(&self, statement: &Statement, send: &dyn Fn(Reply) -> Result<(), Stop>) -> Result<Reply, Stop> {
        let formatted = self.format(statement)?;
        statement.check(&formatted)?;
        let format = formatted.format.clone().unwrap_or_else(|| statement.format.clone());
        let header = streaming::plan(&formatted, &format, &statement.settings).filter(|_| !statement.whole);
        let limit = (header.is_none() && statement.data.is_none()).then_some(self.max_result_bytes);
        let setup = statement.setup(limit)?;
        let work = |connection: &mut Connection| {
            connection.query(&setup, "Null", &[]).map_err(|text| Exception::parse(&text))?;
            send(Reply::Format(format.clone()))?;
            match header {
                Some(header) => stream(connection, statement, &formatted.sql, &format, header, send),
                None => whole(connection, statement, &formatted, &format),
            }
        };
        match &statement.session {
            None => work(&mut self.open()?),
            Some(request) => self.in_session(request, statement, work),
        }
    }

    fn in_session(
        &self,
        request: &SessionRequest,
        statement: &Statement,
        work: impl FnOnce(&mut Connection) -> Result<Reply, Stop>,
    ) -> Result<Reply, Stop> {
        let taken = self.sessions.take(request)?;
        // From here on the session is marked busy; the guard frees it however this ends.
        let mut guard = SessionGuard { sessions: &self.sessions, request, connection: None };
        let mut connection = match taken {
            Some(connection) => connection,
            None => self.open()?,
        };
        let before = remember(&mut connection, statement)?;
        let result = work(&mut connection);
        match before.map_or(Ok(()), |sql| connection.query(&sql, "Null", &[]).map(drop)) {
            Ok(()) => guard.connection = Some(connection),
            Err(error) => tracing::warn!(error, "session ended: its settings could not be restored"),
        }
        result
    }

    /// Lets the engine's parser write the statement down.
    fn format(&self, statement: &Statement) -> Result<Formatted, Exception> {
        let lock = || self.formatters.lock().unwrap_or_else(PoisonError::into_inner);
        let free = lock().pop();
        let mut connection = match free {
            Some(connection) => connection,
            None => self.open()?,
        };
        let size = statement.sql.len() + 1024;
        let sql = format!("SELECT formatQuerySingleLine({{sql:String}}) SETTINGS max_query_size = {size}");
        let parameters = [("sql".to_owned(), escape_parameter(&statement.sql))];
        let answer = connection.query(&sql, "RawBLOB", &parameters);
        let answer = answer.map(|result| String::from_utf8_lossy(result.as_ref()).into_owned());
        lock().push(connection);
        answer.map(Formatted::new).map_err(|text| {
            let mut exception = Exception::parse(&text);
            if let Some(at) = exception.message.find(": In scope SELECT formatQuerySingleLine") {
                exception.message.truncate(at);
            }
            exception
        })
    }
}

struct SessionGuard<'a> {
    sessions: &'a Sessions,
    request: &'a SessionRequest,
    connection: Option<Connection>,
}

impl Drop for SessionGuard<'_> {
    fn drop(&mut self) {
        self.sessions.put_back(self.request, self.connection.take());
    }
}

/// What undoes this request's database and settings: they end with the request, the session goes on.
fn remember(connection: &mut Connection, statement: &Statement) -> Result<Option<String>, Exception> {
    let mut names: Vec<String> = statement.settings.iter().map(|(name, _)| quote(name)).collect();
    names.push(quote("max_result_bytes"));
    let sql =
        format!("SELECT name, value, changed FROM system.settings WHERE name IN ({})", names.join(", "));
    let failed = |text: String| Exception::parse(&text);
    let rows = connection.query(&sql, "JSONCompactEachRow", &[]).map_err(failed)?;
    let mut undo = Vec::new();
    for row in serde_json::Deserializer::from_slice(rows.as_ref()).into_iter::<(String, String, u8)>() {
        let (name, value, changed) = row.map_err(|error| Exception::unknown(error.to_string()))?;
        undo.push(if changed == 0 {
            format!("{name} = DEFAULT")
        } else {
            format!("{name} = {}", quote(&value))
        });
    }
    let mut sql = format!("SET {}", undo.join(", "));
    if statement.database.is_some() {
        let current = connection.query("SELECT currentDatabase()", "RawBLOB", &[]).map_err(failed)?;
        sql += &format!("; USE {}", quote_name(&String::from_utf8_lossy(current.as_ref())));
    }
    Ok(Some(sql))
}

fn whole(
    connection: &mut Connection,
    statement: &Statement,
    formatted: &Formatted,
    format: &str,
) -> Result<Reply, Stop> {
    let infile =
        statement.data.as_ref().map(|file| formatted.taking_infile(&file.path().display().to_string()));
    let sql = infile.as_deref().unwrap_or(&formatted.sql);
    let result =
        connection.query(sql, format, &statement.parameters).map_err(|text| Exception::parse(&text))?;
    let statistics = result.statistics();
    if statement.data.is_some() {
        metrics::counter!("sise_clickhouse_embedded_rows_inserted_total").increment(statistics.rows_written);
    }
    Ok(Reply::Whole(result.into_bytes(), statistics))
}

fn stream(
    connection: &mut Connection,
    statement: &Statement,
    sql: &str,
    format: &str,
    header: Header,
    send: &dyn Fn(Reply) -> Result<(), Stop>,
) -> Result<Reply, Stop> {
    let failed = |text: String| Stop::Failed(Exception::parse(&text));
    let mut pieces = connection.stream(sql, format, &statement.parameters).map_err(failed)?;
    let mut total = Statistics::default();
    let mut first = true;
    while let Some(piece) = pieces.fetch().map_err(failed)? {
        total += piece.statistics();
        let mut bytes = piece.into_bytes();
        if !first {
            let cut = streaming::length(header, &bytes)
                .ok_or_else(|| Exception::unknown("a piece without header"))?;
            bytes = bytes.slice(cut..);
        }
        first = false;
        if !bytes.is_empty() {
            send(Reply::Piece(bytes))?;
        }
    }
    Ok(Reply::Done(total))
}
