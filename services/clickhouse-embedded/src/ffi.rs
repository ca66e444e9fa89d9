//! The C interface of libchdb, made safe: the only file of this package with unsafe code.
//!
//! Turns a path into a loaded [`Library`], arguments into [`Connection`]s, SQL text into [`QueryResult`]s or a
//! [`ResultStream`]. Knows nothing of HTTP. The signatures are those of `chdb.h` of release 26.5.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;

use bytes::Bytes;

type RawResult = *mut c_void;
type RawConnection = *mut c_void;
type Connect = unsafe extern "C" fn(c_int, *mut *mut c_char) -> *mut RawConnection;
type Close = unsafe extern "C" fn(*mut RawConnection);
type Query = unsafe extern "C" fn(
    RawConnection,
    *const c_char,
    usize,
    *const c_char,
    usize,
    *const *const c_char,
    *const usize,
    *const *const c_char,
    *const usize,
    usize,
) -> RawResult;
type Fetch = unsafe extern "C" fn(RawConnection, RawResult) -> RawResult;
type Cancel = unsafe extern "C" fn(RawConnection, RawResult);
type Destroy = unsafe extern "C" fn(RawResult);
type Text = unsafe extern "C" fn(RawResult) -> *const c_char;
type Length = unsafe extern "C" fn(RawResult) -> usize;
type Count = unsafe extern "C" fn(RawResult) -> u64;

/// Why the library cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FfiError {
    /// The file is missing, is no library, or lacks a function.
    #[error("cannot load libchdb from {path}: {source}")]
    Load {
        /// Where it was looked for.
        path: String,
        /// What the loader says.
        source: libloading::Error,
    },
    /// An argument holds a NUL byte.
    #[error("an argument for the engine holds a NUL byte")]
    Argument,
    /// The engine gave no connection; it has written the reason to standard error.
    #[error("the engine refused the connection; its reason stands on standard error above this line")]
    Connect,
}

/// The loaded library. Never unloaded: the engine's threads may outlive every connection.
#[derive(Debug)]
pub struct Library {
    connect: Connect,
    close: Close,
    query: Query,
    stream: Query,
    fetch: Fetch,
    cancel: Cancel,
    destroy: Destroy,
    error: Text,
    buffer: Text,
    length: Length,
    rows_read: Count,
    bytes_read: Count,
    rows_written: Count,
    bytes_written: Count,
    storage_rows_read: Count,
    storage_bytes_read: Count,
}

impl Library {
    /// Loads the library and leaves this process's signal handlers alone.
    ///
    /// # Errors
    /// [`FfiError::Load`].
    pub fn load(path: &Path) -> Result<&'static Self, FfiError> {
        let failed = |source| FfiError::Load { path: path.display().to_string(), source };
        // SAFETY: loading runs the library's initialisers; it is the ClickHouse engine that the settings name.
        let library = unsafe { libloading::Library::new(path) }.map_err(failed)?;
        // SAFETY: every name is looked up with the signature that `chdb.h` gives it.
        let loaded = unsafe { Self::symbols(&library) }.map_err(failed)?;
        std::mem::forget(library);
        Ok(Box::leak(Box::new(loaded)))
    }

    /// # Safety
    /// `library` must be libchdb 26.5 or compatible, and must stay loaded as long as the result lives.
    unsafe fn symbols(library: &libloading::Library) -> Result<Self, libloading::Error> {
        // SAFETY: the caller vouches for the library; names and types are those of its header.
        unsafe {
            let signals = library.get::<unsafe extern "C" fn(c_int)>(c"chdb_set_signal_handlers_enabled")?;
            signals(0);
            Ok(Self {
                connect: *library.get::<Connect>(c"chdb_connect")?,
                close: *library.get::<Close>(c"chdb_close_conn")?,
                query: *library.get::<Query>(c"chdb_query_with_params_n")?,
                stream: *library.get::<Query>(c"chdb_stream_query_with_params_n")?,
                fetch: *library.get::<Fetch>(c"chdb_stream_fetch_result")?,
                cancel: *library.get::<Cancel>(c"chdb_stream_cancel_query")?,
                destroy: *library.get::<Destroy>(c"chdb_destroy_query_result")?,
                error: *library.get::<Text>(c"chdb_result_error")?,
                buffer: *library.get::<Text>(c"chdb_result_buffer")?,
                length: *library.get::<Length>(c"chdb_result_length")?,
                rows_read: *library.get::<Count>(c"chdb_result_rows_read")?,
                bytes_read: *library.get::<Count>(c"chdb_result_bytes_read")?,
                rows_written: *library.get::<Count>(c"chdb_result_rows_written")?,
                bytes_written: *library.get::<Count>(c"chdb_result_bytes_written")?,
                storage_rows_read: *library.get::<Count>(c"chdb_result_storage_rows_read")?,
                storage_bytes_read: *library.get::<Count>(c"chdb_result_storage_bytes_read")?,
            })
        }
    }

    /// Opens a connection; the first one of the process starts the engine.
    ///
    /// # Errors
    /// [`FfiError::Argument`], [`FfiError::Connect`].
    pub fn open(&'static self, arguments: &[String]) -> Result<Connection, FfiError> {
        let texts: Vec<CString> = std::iter::once("clickhouse")
            .chain(arguments.iter().map(String::as_str))
            .map(CString::new)
            .collect::<Result<_, _>>()
            .map_err(|_| FfiError::Argument)?;
        let mut pointers: Vec<*mut c_char> = texts.iter().map(|text| text.as_ptr().cast_mut()).collect();
        let count = c_int::try_from(pointers.len()).map_err(|_| FfiError::Argument)?;
        // SAFETY: `pointers` holds `count` NUL-terminated texts that outlive the call; the engine only reads them.
        let handle = unsafe { (self.connect)(count, pointers.as_mut_ptr()) };
        if handle.is_null() { Err(FfiError::Connect) } else { Ok(Connection { library: self, handle }) }
    }
}

/// One connection with its own session: settings, current database, roles, temporary tables.
#[derive(Debug)]
pub struct Connection {
    library: &'static Library,
    handle: *mut RawConnection,
}

// SAFETY: the engine binds no connection to a thread; `&mut self` keeps it to one caller at a time.
unsafe impl Send for Connection {}

impl Connection {
    /// Runs one or more statements and keeps the whole output in memory.
    ///
    /// # Errors
    /// The engine's text, in the form `Code: 60. DB::Exception: …`.
    pub fn query(
        &mut self,
        sql: &str,
        format: &str,
        parameters: &[(String, String)],
    ) -> Result<QueryResult, String> {
        let raw = self.call(self.library.query, sql, format, parameters);
        QueryResult { library: self.library, raw }.checked()
    }

    /// Starts a `SELECT` whose output is fetched piece by piece, each piece a document of its own.
    ///
    /// # Errors
    /// As [`Connection::query`].
    pub fn stream(
        &mut self,
        sql: &str,
        format: &str,
        parameters: &[(String, String)],
    ) -> Result<ResultStream<'_>, String> {
        let raw = self.call(self.library.stream, sql, format, parameters);
        let head = QueryResult { library: self.library, raw }.checked()?;
        Ok(ResultStream { connection: self, head, finished: false })
    }

    fn call(
        &mut self,
        function: Query,
        sql: &str,
        format: &str,
        parameters: &[(String, String)],
    ) -> RawResult {
        let names: Vec<*const c_char> = parameters.iter().map(|(name, _)| name.as_ptr().cast()).collect();
        let name_lengths: Vec<usize> = parameters.iter().map(|(name, _)| name.len()).collect();
        let values: Vec<*const c_char> = parameters.iter().map(|(_, value)| value.as_ptr().cast()).collect();
        let value_lengths: Vec<usize> = parameters.iter().map(|(_, value)| value.len()).collect();
        // SAFETY: the handle is open (it is closed in `drop` alone); every pointer goes with its length and
        // outlives the call, which copies what it keeps.
        unsafe {
            function(
                *self.handle,
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
                names.as_ptr(),
                name_lengths.as_ptr(),
                values.as_ptr(),
                value_lengths.as_ptr(),
                parameters.len(),
            )
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: the handle came from `connect` and is closed once, here.
        unsafe { (self.library.close)(self.handle) }
    }
}

/// What a statement did. Rows and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Rows of the result; of an insert: rows taken from its data.
    pub result_rows: u64,
    /// Bytes of those rows in the engine's memory.
    pub result_bytes: u64,
    /// Rows read from tables.
    pub rows_read: u64,
    /// Bytes read from tables, unpacked.
    pub bytes_read: u64,
    /// Rows written to tables.
    pub rows_written: u64,
    /// Bytes written to tables, before compression.
    pub bytes_written: u64,
}

impl std::ops::AddAssign for Statistics {
    fn add_assign(&mut self, other: Self) {
        self.result_rows += other.result_rows;
        self.result_bytes += other.result_bytes;
        self.rows_read += other.rows_read;
        self.bytes_read += other.bytes_read;
        self.rows_written += other.rows_written;
        self.bytes_written += other.bytes_written;
    }
}

/// The output of a statement, in memory of the engine until dropped.
#[derive(Debug)]
pub struct QueryResult {
    library: &'static Library,
    raw: RawResult,
}

// SAFETY: a result owns its buffer, refers to no connection, and is read through `&self` only.
unsafe impl Send for QueryResult {}

impl QueryResult {
    fn checked(self) -> Result<Self, String> {
        if self.raw.is_null() {
            return Err(
                "Code: 1002. DB::Exception: the engine gave no result. (UNKNOWN_EXCEPTION)".to_owned()
            );
        }
        // SAFETY: `raw` is a live result; the text belongs to it and is copied before it goes.
        let error = unsafe {
            let text = (self.library.error)(self.raw);
            if text.is_null() { None } else { Some(CStr::from_ptr(text).to_string_lossy().into_owned()) }
        };
        match error {
            Some(text) if !text.is_empty() => Err(text),
            _ => Ok(self),
        }
    }

    /// Counters of this result.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        // SAFETY: `raw` is a live result without error (only then are its counters defined).
        unsafe {
            Statistics {
                result_rows: (self.library.rows_read)(self.raw),
                result_bytes: (self.library.bytes_read)(self.raw),
                rows_read: (self.library.storage_rows_read)(self.raw),
                bytes_read: (self.library.storage_bytes_read)(self.raw),
                rows_written: (self.library.rows_written)(self.raw),
                bytes_written: (self.library.bytes_written)(self.raw),
            }
        }
    }

    /// The output, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        if self.as_ref().is_empty() { Bytes::new() } else { Bytes::from_owner(self) }
    }
}

impl AsRef<[u8]> for QueryResult {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: buffer and length belong together and live as long as the result, which `self` owns.
        unsafe {
            let length = (self.library.length)(self.raw);
            let buffer = (self.library.buffer)(self.raw);
            if length == 0 || buffer.is_null() {
                &[]
            } else {
                std::slice::from_raw_parts(buffer.cast(), length)
            }
        }
    }
}

impl Drop for QueryResult {
    fn drop(&mut self) {
        if !self.raw.is_null() {
            // SAFETY: the result came from the engine and is destroyed once, here.
            unsafe { (self.library.destroy)(self.raw) }
        }
    }
}

/// A running `SELECT`. Dropping it before its end cancels the statement.
#[derive(Debug)]
pub struct ResultStream<'a> {
    connection: &'a mut Connection,
    head: QueryResult,
    finished: bool,
}

impl ResultStream<'_> {
    /// The next piece, `None` at the end.
    ///
    /// # Errors
    /// As [`Connection::query`]; the stream is over then.
    pub fn fetch(&mut self) -> Result<Option<QueryResult>, String> {
        if self.finished {
            return Ok(None);
        }
        let library = self.connection.library;
        // SAFETY: connection and stream are open, and `&mut self` lets nobody else use them meanwhile.
        let raw = unsafe { (library.fetch)(*self.connection.handle, self.head.raw) };
        let piece = QueryResult { library, raw }.checked().inspect_err(|_| self.finished = true)?;
        // A piece without rows is the last one; it may still hold the header of an empty result.
        self.finished = piece.statistics().result_rows == 0;
        Ok(if piece.as_ref().is_empty() { None } else { Some(piece) })
    }
}

impl Drop for ResultStream<'_> {
    fn drop(&mut self) {
        if !self.finished {
            let library = self.connection.library;
            // SAFETY: connection and stream are still open; cancelling is what the header asks for here.
            unsafe { (library.cancel)(*self.connection.handle, self.head.raw) }
        }
    }
}
