//! A request's URL parameters, headers and form fields into what they ask for.
//!
//! As ClickHouse: a few names are the server's own, `param_x` is a query parameter, and everything else is a setting,
//! which the engine itself refuses when it knows none of that name.

use axum::http::HeaderMap;

use crate::compression::Encoding;
use crate::error::Exception;

/// What one request asks for, besides its body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// `query`, possibly only the beginning of the statement: the body goes on.
    pub query: String,
    /// `database` or `X-ClickHouse-Database`.
    pub database: Option<String>,
    /// `default_format` or `X-ClickHouse-Format`.
    pub format: Option<String>,
    /// `user` and `password` of the URL.
    pub user: Option<String>,
    /// Password of the URL.
    pub password: Option<String>,
    /// `query_id`: given back as header. The engine keeps numbers of its own.
    pub query_id: Option<String>,
    /// `session_id`.
    pub session_id: Option<String>,
    /// `session_timeout`, text.
    pub session_timeout: Option<String>,
    /// `session_check=1`.
    pub session_check: bool,
    /// `compress=1`: the answer in ClickHouse's block compression.
    pub compress: bool,
    /// `decompress=1`: the body is in it.
    pub decompress: bool,
    /// `wait_end_of_query=1`: no answer before the statement has ended.
    pub wait_end: bool,
    /// `enable_http_compression`; on unless 0, as in ClickHouse 26.
    pub http_compression: Option<bool>,
    /// `param_x` as (`x`, text).
    pub parameters: Vec<(String, String)>,
    /// Everything else.
    pub settings: Vec<(String, String)>,
}

fn flag(value: &str) -> bool {
    !matches!(value, "" | "0" | "false")
}

/// The text of a header, if it is text and not empty.
#[must_use]
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty())
}

impl Request {
    /// Reads the query part of a URL and the headers; a URL parameter wins over a header.
    ///
    /// # Errors
    /// As [`Request::set`].
    pub fn parse(url_query: &str, headers: &HeaderMap) -> Result<Self, Exception> {
        let mut request = Self {
            database: header(headers, "x-clickhouse-database").map(str::to_owned),
            format: header(headers, "x-clickhouse-format").map(str::to_owned),
            ..Self::default()
        };
        for (name, value) in form_urlencoded::parse(url_query.as_bytes()) {
            request.set(&name, value.into_owned())?;
        }
        Ok(request)
    }

    /// Takes one parameter of the URL or one field of a form.
    ///
    /// # Errors
    /// Code 48 for what this server cannot do.
    pub fn set(&mut self, name: &str, value: String) -> Result<(), Exception> {
        let given = |value: String| Some(value).filter(|value| !value.is_empty());
        match name {
            "query" => self.query = value,
            "database" => self.database = given(value),
            "default_format" => self.format = given(value),
            "user" => self.user = Some(value),
            "password" => self.password = Some(value),
            "query_id" => self.query_id = given(value),
            "session_id" => self.session_id = given(value),
            "session_timeout" => self.session_timeout = given(value),
            "session_check" => self.session_check = flag(&value),
            "compress" => self.compress = flag(&value),
            "decompress" => self.decompress = flag(&value),
            "wait_end_of_query" | "http_wait_end_of_query" => self.wait_end = flag(&value),
            "enable_http_compression" => self.http_compression = Some(flag(&value)),
            // Nothing to do: answers are gathered before they are sent anyway, quotas are not kept, and a nonzero
            // protocol version is an offer that a server may leave unused.
            "buffer_size"
            | "http_response_buffer_size"
            | "quota_key"
            | "client_protocol_version"
            | "stacktrace"
            | "http_native_compression_disable_checksumming_on_decompress"
            | "" => {}
            "role" => {
                return Err(Exception::not_implemented(
                    "Roles belong to users here; `role` cannot be chosen",
                ));
            }
            _ => match name.strip_prefix("param_") {
                Some(parameter) => self.parameters.push((parameter.to_owned(), value)),
                None => self.settings.push((name.to_owned(), value)),
            },
        }
        Ok(())
    }

    /// How the answer is to be compressed on the HTTP level.
    #[must_use]
    pub fn encoding(&self, headers: &HeaderMap) -> Option<Encoding> {
        let accepted = header(headers, "accept-encoding").filter(|_| self.http_compression != Some(false))?;
        Encoding::choose(accepted).filter(|_| !self.compress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn own_names_parameters_and_settings_are_told_apart() {
        let url =
            "query=SELECT%201&database=d&param_x=a%09b&max_threads=3&compress=1&session_id=s&buffer_size=5";
        let request = Request::parse(url, &HeaderMap::new()).unwrap();
        assert_eq!((request.query.as_str(), request.database.as_deref()), ("SELECT 1", Some("d")));
        assert_eq!(request.parameters, [("x".to_owned(), "a\tb".to_owned())]);
        assert_eq!(request.settings, [("max_threads".to_owned(), "3".to_owned())]);
        assert!(request.compress && !request.decompress);
        assert_eq!(request.session_id.as_deref(), Some("s"));
    }

    #[test]
    fn url_wins_over_headers() {
        let both = headers(&[("x-clickhouse-database", "h"), ("x-clickhouse-format", "JSON")]);
        let request = Request::parse("database=u", &both).unwrap();
        assert_eq!((request.database.as_deref(), request.format.as_deref()), (Some("u"), Some("JSON")));
    }

    #[test]
    fn compression_is_on_unless_switched_off() {
        let accept = headers(&[("accept-encoding", "gzip, zstd")]);
        let encoding = |url: &str| Request::parse(url, &accept).unwrap().encoding(&accept);
        assert_eq!(encoding(""), Some(Encoding::Zstd));
        assert_eq!(encoding("enable_http_compression=0"), None);
        assert_eq!(encoding("compress=1"), None);
    }

    #[test]
    fn roles_cannot_be_chosen() {
        assert_eq!(Request::parse("role=owner", &HeaderMap::new()).unwrap_err().code, 48);
    }
}
