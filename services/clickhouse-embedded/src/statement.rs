//! One statement of one user as the engine is to run it: what it sets first, what is refused, how its errors read.

use std::sync::Arc;

use bytes::Bytes;

use crate::access;
use crate::error::Exception;
use crate::ffi::Statistics;
use crate::session::SessionRequest;
use crate::spool::SpoolFile;
use crate::sql::{Formatted, quote, quote_name};
use crate::user::User;

/// One request as the engine sees it.
#[derive(Debug)]
pub struct Statement {
    /// Who asks.
    pub user: Arc<User>,
    /// Where its settings stay.
    pub session: Option<SessionRequest>,
    /// Current database of this statement.
    pub database: Option<String>,
    /// Settings of this statement.
    pub settings: Vec<(String, String)>,
    /// Values of `{name:Type}`.
    pub parameters: Vec<(String, String)>,
    /// Output format unless the statement names one.
    pub format: String,
    /// One statement.
    pub sql: String,
    /// The data of an `INSERT`.
    pub data: Option<SpoolFile>,
    /// Whether it came by `GET`, which may only read.
    pub read_only: bool,
    /// Whether nothing may be sent before the end.
    pub whole: bool,
}

/// What comes back, in this order: `Format`, then pieces and `Done`, or `Whole`; `Failed` at any time ends it.
#[derive(Debug)]
pub enum Reply {
    /// The statement is accepted; its output format.
    Format(String),
    /// A piece of the output.
    Piece(Bytes),
    /// The end of the pieces.
    Done(Statistics),
    /// The whole output.
    Whole(Bytes, Statistics),
    /// The statement failed.
    Failed(Exception),
}

impl Statement {
    /// The statements that make a connection this user's and this request's.
    /// `max_result_bytes` is given for a result that is made as a whole.
    ///
    /// # Errors
    /// Code 115 for a setting whose name is none.
    pub fn setup(&self, max_result_bytes: Option<u64>) -> Result<String, Exception> {
        let mut setup = format!("SET ROLE {}", quote_name(&access::role(&self.user)));
        let is_current = |database: &&String| database.as_str() == "default" && self.session.is_none();
        if let Some(database) = self.database.as_ref().filter(|database| !is_current(database)) {
            setup += &format!("; USE {}", quote_name(database));
        }
        let mut settings: Vec<String> = Vec::new();
        for (name, value) in &self.settings {
            if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.')) {
                let text = format!("Code: 115. DB::Exception: Unknown setting '{name}'. (UNKNOWN_SETTING)");
                return Err(Exception::parse(&text));
            }
            if name != "max_result_bytes" || max_result_bytes.is_none() {
                settings.push(format!("{name} = {}", quote(value)));
            }
        }
        if let Some(limit) = max_result_bytes {
            let given = self.settings.iter().rfind(|(name, _)| name == "max_result_bytes");
            let given = given.and_then(|(_, value)| value.parse().ok()).filter(|bytes| *bytes > 0);
            let bytes = given.unwrap_or(limit).min(limit);
            settings.push(format!("max_result_bytes = {bytes}"));
        }
        if !settings.is_empty() {
            setup += &format!("; SET {}", settings.join(", "));
        }
        Ok(setup)
    }

    /// What this server refuses whatever the rights; see the heads of `engine.rs` and `access.rs`.
    ///
    /// # Errors
    /// Codes 48, 78, 108, 164, 358, 497.
    pub fn check(&self, formatted: &Formatted) -> Result<(), Exception> {
        if formatted.has(&["INTO", "OUTFILE"]) {
            return Err(Exception::outfile("INTO OUTFILE is not allowed"));
        }
        if formatted.has(&["FROM", "INFILE"]) {
            let text = "Query has infile and was send directly to server: send the data as the request's body instead";
            return Err(Exception::unknown_type_of_query(text));
        }
        let roles = [&["SET", "ROLE"][..], &["SET", "DEFAULT", "ROLE"], &["EXECUTE", "AS"]];
        if roles.iter().any(|words| formatted.has(words)) {
            let name = &self.user.name;
            return Err(Exception::access_denied(format!(
                "{name}: Not enough privileges: roles belong to the server"
            )));
        }
        if let Some(engine) = formatted.engines.iter().find(|engine| !is_own_engine(engine)) {
            let text = format!(
                "Engine {engine} is not allowed here: it reaches files, programs or networks of this machine"
            );
            return Err(Exception::access_denied(text));
        }
        if self.read_only && !formatted.only_reads() {
            let text = "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly. \
                        You should use method POST for modifying queries.";
            return Err(Exception::readonly(text));
        }
        if formatted.keyword == "INSERT" && self.data.is_none() {
            if formatted.has(&["input", "("]) {
                let text = "INSERT … SELECT … FROM input() is not supported by this server";
                return Err(Exception::not_implemented(text));
            }
            // The engine would look for the data on this process's standard input.
            if formatted.format.is_some() && !formatted.has(&["SELECT"]) {
                let text = "No data to insert: send the statement and its data as the body, not as a form";
                return Err(Exception::no_data(text));
            }
        }
        Ok(())
    }

    /// The exception in words that the client knows: its own name, and no path of this machine.
    #[must_use]
    pub fn told(&self, mut exception: Exception) -> Exception {
        if let Some(rest) = exception.message.strip_prefix("default: ") {
            exception.message = format!("{}: {rest}", self.user.name);
        }
        if let Some(file) = &self.data {
            exception.message =
                exception.message.replace(&file.path().display().to_string(), "the request's body");
        }
        exception
    }
}

/// Engines whose data lie in the server's own folder or in memory. libchdb does not confine the paths of the others.
fn is_own_engine(name: &str) -> bool {
    const OTHERS: [&str; 13] = [
        "Log",
        "TinyLog",
        "StripeLog",
        "Memory",
        "Null",
        "Set",
        "Join",
        "Buffer",
        "Merge",
        "Dictionary",
        "GenerateRandom",
        "Atomic",
        "Alias",
    ];
    name.ends_with("MergeTree") || OTHERS.contains(&name)
}

#[cfg(test)]
mod tests {
    use process::Secret;

    use super::*;
    use crate::user::Rights;

    fn statement(settings: &[(&str, &str)]) -> Statement {
        let user = User {
            name: "u".to_owned(),
            password: Secret::default().into(),
            rights: Rights::Read,
            databases: Vec::new(),
            grants: Vec::new(),
        };
        Statement {
            user: Arc::new(user),
            session: None,
            database: Some("d`".to_owned()),
            settings: settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            parameters: Vec::new(),
            format: "TSV".to_owned(),
            sql: String::new(),
            data: None,
            read_only: false,
            whole: false,
        }
    }

    #[test]
    fn setup_quotes_everything_that_came_from_outside() {
        let setup = statement(&[("a", "x' y")]).setup(None).unwrap();
        assert_eq!(setup, "SET ROLE `user_u`; USE `d\\``; SET a = 'x\\' y'");
        assert_eq!(statement(&[("a = 1; DROP", "x")]).setup(None).unwrap_err().code, 115);
    }

    #[test]
    fn nobody_raises_the_limit_of_a_whole_result() {
        let limited = |value: &str| statement(&[("max_result_bytes", value)]).setup(Some(100)).unwrap();
        for (value, bytes) in [("7", 7), ("0", 100), ("1000", 100), ("x", 100)] {
            assert!(
                limited(value).ends_with(&format!("SET max_result_bytes = {bytes}")),
                "{}",
                limited(value)
            );
        }
    }

    #[test]
    fn inserts_without_data_do_not_reach_the_engine() {
        let code =
            |sql: &str| statement(&[]).check(&Formatted::new(sql.to_owned())).map_err(|error| error.code);
        assert_eq!(code("INSERT INTO t FORMAT Values"), Err(108));
        assert_eq!(code("INSERT INTO t SELECT * FROM input('x Int8') FORMAT CSV"), Err(48));
        assert_eq!(code("INSERT INTO t SELECT 1"), Ok(()));
    }
}
