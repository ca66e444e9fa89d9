//! ClickHouse's HTTP interface: one request in, one response out.
//!
//! `/` with a query (`GET` reads only, `POST` does all), `/ping`, `/replicas_status`.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, Request as HttpRequest, Response, StatusCode, request::Parts};

use crate::auth::Users;
use crate::body;
use crate::engine::Engine;
use crate::error::Exception;
use crate::request::{Request, header};
use crate::response::{Context, random_id};
use crate::session::{self, SessionRequest};
use crate::spool::Spool;
use crate::statement::Statement;
use crate::user::User;

/// What every request needs.
#[derive(Debug)]
pub struct Server {
    /// The engine.
    pub engine: Arc<Engine>,
    /// Insert bodies on disk.
    pub spool: Arc<Spool>,
    /// Who may connect.
    pub users: Users,
}

/// The routes.
pub fn router(server: Arc<Server>) -> Router {
    Router::new().fallback(handle).with_state(server)
}

const NO_HANDLE: &str = "Use / or /ping for health checks.\n\nOr /replicas_status for more sophisticated health \
                         checks.\n\nSend queries from your program with POST method or GET /?query=...\n";

fn plain(status: StatusCode, text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    let value = axum::http::HeaderValue::from_static("text/plain; charset=UTF-8");
    response.headers_mut().insert(axum::http::header::CONTENT_TYPE, value);
    response
}

async fn handle(State(server): State<Arc<Server>>, http: HttpRequest<Body>) -> Response<Body> {
    let started = Instant::now();
    let (parts, body) = http.into_parts();
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    match parts.uri.path() {
        "/ping" | "/replicas_status" if reads => return plain(StatusCode::OK, "Ok.\n"),
        "/" | "/query" => {}
        path => return plain(StatusCode::NOT_FOUND, format!("There is no handle {path}\n\n{NO_HANDLE}")),
    }
    if !reads && parts.method != Method::POST {
        return plain(StatusCode::METHOD_NOT_ALLOWED, NO_HANDLE);
    }
    let url_query = parts.uri.query().unwrap_or_default();
    if reads
        && url_query.is_empty()
        && header(&parts.headers, "content-length").is_none_or(|length| length == "0")
    {
        return plain(StatusCode::OK, "Ok.\n");
    }
    let request = Request::parse(url_query, &parts.headers);
    let context = Context {
        query_id: request
            .as_ref()
            .ok()
            .and_then(|request| request.query_id.clone())
            .unwrap_or_else(random_id),
        version: server.engine.version.clone(),
        timezone: server.engine.timezone.clone(),
        encoding: request.as_ref().ok().and_then(|request| request.encoding(&parts.headers)),
        compress: request.as_ref().is_ok_and(|request| request.compress),
        started,
    };
    metrics::counter!("sise_clickhouse_embedded_requests_total").increment(1);
    let accepted = async {
        let request = request?;
        let user = server.users.authenticate(&parts.headers, &request)?;
        let place = server.engine.admit()?;
        let statement = statement(&server, &parts, body, request, user, reads).await?;
        Ok::<_, Exception>((statement, place))
    };
    match accepted.await {
        Ok((statement, place)) => {
            let replies = server.engine.execute(statement).await;
            context.answer(replies, place).await
        }
        Err(exception) => context.failed(&exception),
    }
}

async fn statement(
    server: &Server,
    parts: &Parts,
    body: Body,
    mut request: Request,
    user: Arc<User>,
    read_only: bool,
) -> Result<Statement, Exception> {
    let (sql, data) = if body::is_form(&parts.headers) {
        body::receive_form(body, &parts.headers, &mut request).await?;
        (std::mem::take(&mut request.query), None)
    } else {
        let received = body::receive(body, &parts.headers, &request, &server.spool).await?;
        (received.sql, received.data)
    };
    if sql.is_empty() {
        return Err(Exception::syntax("Syntax error: Empty query"));
    }
    let timeout = session::timeout(request.session_timeout.as_deref())?;
    let session = request.session_id.take().map(|id| SessionRequest {
        key: (user.name.clone(), id),
        timeout,
        check: request.session_check,
    });
    Ok(Statement {
        user,
        session,
        database: request.database,
        settings: request.settings,
        parameters: request.parameters,
        format: request.format.unwrap_or_else(|| "TabSeparated".to_owned()),
        sql,
        data,
        read_only,
        whole: request.wait_end,
    })
}
