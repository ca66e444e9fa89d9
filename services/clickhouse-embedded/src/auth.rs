//! Who asks: headers `X-ClickHouse-User` and `X-ClickHouse-Key`, basic authentication, or the URL; one of them.

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::HeaderMap;
use base64::Engine as _;
use process::Secret;

use crate::error::Exception;
use crate::request::{Request, header};
use crate::user::User;

/// The users of this server by name.
#[derive(Debug)]
pub struct Users(HashMap<String, Arc<User>>);

/// A name and a password as given.
struct Given {
    name: String,
    password: Secret,
}

fn given(headers: &HeaderMap, request: &Request) -> Result<Given, Exception> {
    let of = |name: Option<&str>, password: Option<&str>| Given {
        name: name.filter(|name| !name.is_empty()).unwrap_or("default").to_owned(),
        password: Secret::new(password.unwrap_or_default()),
    };
    let (user, key) = (header(headers, "x-clickhouse-user"), header(headers, "x-clickhouse-key"));
    let by_header = (user.is_some() || key.is_some()).then(|| of(user, key));
    let by_url = (request.user.is_some() || request.password.is_some())
        .then(|| of(request.user.as_deref(), request.password.as_deref()));
    let by_basic = header(headers, "authorization").map(basic).transpose()?.map(|(name, password)| Given {
        name: if name.is_empty() { "default".to_owned() } else { name },
        password: Secret::new(password),
    });
    let mut ways = [by_header, by_basic, by_url].into_iter().flatten();
    let first = ways.next().unwrap_or_else(|| of(None, None));
    if ways.next().is_some() {
        let text = "Invalid authentication: it is not allowed to use headers X-ClickHouse-User and X-ClickHouse-Key, \
                    the Authorization header and parameters of the URL simultaneously";
        return Err(Exception::authentication(text));
    }
    Ok(first)
}

fn basic(text: &str) -> Result<(String, String), Exception> {
    let invalid =
        || Exception::authentication("Invalid authentication: the Authorization header is not `Basic`");
    let (scheme, encoded) = text.split_once(' ').ok_or_else(invalid)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(invalid());
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).map_err(|_| invalid())?;
    let decoded = String::from_utf8(decoded).map_err(|_| invalid())?;
    let (name, password) = decoded.split_once(':').ok_or_else(invalid)?;
    Ok((name.to_owned(), password.to_owned()))
}

impl Users {
    /// The users of the settings.
    #[must_use]
    pub fn new(users: &[User]) -> Self {
        Self(users.iter().map(|user| (user.name.clone(), Arc::new(user.clone()))).collect())
    }

    /// Finds out who asks.
    ///
    /// # Errors
    /// Code 516, the same for a wrong name and a wrong password.
    pub fn authenticate(&self, headers: &HeaderMap, request: &Request) -> Result<Arc<User>, Exception> {
        let given = given(headers, request)?;
        let user = self.0.get(&given.name).filter(|user| user.password.is(&given.password));
        user.cloned().ok_or_else(|| {
            metrics::counter!("sise_clickhouse_embedded_refused_total", "reason" => "authentication")
                .increment(1);
            Exception::authentication(format!(
                "{}: Authentication failed: password is incorrect, or there is no user with such name.",
                given.name
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::Rights;

    fn users() -> Users {
        let user = |name: &str, password: &str| User {
            name: name.to_owned(),
            password: Secret::new(password).into(),
            rights: Rights::Read,
            databases: Vec::new(),
            grants: Vec::new(),
        };
        Users::new(&[user("analyst", "secret"), user("default", "")])
    }

    fn ask(url: &str, pairs: &[(&'static str, &str)]) -> Result<String, u32> {
        let headers: HeaderMap =
            pairs.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect();
        let request = Request::parse(url, &headers).unwrap();
        users().authenticate(&headers, &request).map(|user| user.name.clone()).map_err(|error| error.code)
    }

    #[test]
    fn each_way_alone_is_good() {
        assert_eq!(ask("", &[]), Ok("default".to_owned()));
        assert_eq!(ask("user=analyst&password=secret", &[]), Ok("analyst".to_owned()));
        assert_eq!(
            ask("", &[("x-clickhouse-user", "analyst"), ("x-clickhouse-key", "secret")]),
            Ok("analyst".to_owned())
        );
        assert_eq!(ask("", &[("authorization", "Basic YW5hbHlzdDpzZWNyZXQ=")]), Ok("analyst".to_owned()));
    }

    #[test]
    fn wrong_names_passwords_and_mixtures_are_refused() {
        assert_eq!(ask("user=analyst&password=secre", &[]), Err(516));
        assert_eq!(ask("user=nobody", &[]), Err(516));
        assert_eq!(ask("password=x", &[]), Err(516));
        assert_eq!(ask("user=analyst&password=secret", &[("x-clickhouse-user", "analyst")]), Err(516));
        assert_eq!(ask("", &[("authorization", "Bearer x")]), Err(516));
        assert_eq!(ask("", &[("authorization", "Basic !!")]), Err(516));
    }
}
