//! What holds for every request: an id, limits, time, headers of the answer, and one line in the log.
//!
//! One service does it all, around each route, so that the shortest answers stay cheap: one more box and no task.

use std::any::Any;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequestParts, MatchedPath, Request};
use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderValue, RETRY_AFTER, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderName, Method, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ipnet::IpNet;
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower::{Layer, Service};
use tracing::Span;

use crate::config::Config;
use crate::crypto::random;

use super::address::ClientAddress;
use super::reply::Remark;

/// The header that names a request in the answer and in the log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// Names a request: 128 random bits as base64url. Never taken from the request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId([u8; 22]);

impl RequestId {
    fn fresh() -> Self {
        let mut text = [b'A'; 22];
        // Sixteen bytes are 22 characters.
        let _ = URL_SAFE_NO_PAD.encode_slice(random::bytes::<16>(), &mut text);
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Debug for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Given by [`Front`].
impl<S: Send + Sync> FromRequestParts<S> for RequestId {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        parts.extensions.get::<Visit>().map(|visit| visit.id).ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// What is known of every request.
#[derive(Debug, Clone, Copy)]
pub struct Visit {
    /// Its name.
    pub id: RequestId,
    /// Where it comes from.
    pub address: ClientAddress,
}

/// The answer of the router's fallback: 404 without details.
pub async fn not_found() -> StatusCode {
    StatusCode::NOT_FOUND
}

/// The layer for the whole router: `router.fallback(not_found).layer(Front::new(&config))`.
#[derive(Debug, Clone)]
pub struct Front(Arc<Rules>);

#[derive(Debug)]
struct Rules {
    timeout: Duration,
    body: usize,
    hsts: bool,
    proxies: Vec<IpNet>,
}

impl Front {
    /// Takes limits, trusted proxies and HSTS from the configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self(Arc::new(Rules {
            timeout: config.limits.request_timeout,
            body: config.limits.body_bytes as usize,
            hsts: config.server.hsts && !config.is_development(),
            proxies: config.server.trusted_proxies.clone(),
        }))
    }
}

impl<S> Layer<S> for Front {
    type Service = Fronted<S>;

    fn layer(&self, inner: S) -> Fronted<S> {
        Fronted { inner, rules: self.0.clone() }
    }
}

/// A route with [`Front`] around it.
#[derive(Debug, Clone)]
pub struct Fronted<S> {
    inner: S,
    rules: Arc<Rules>,
}

impl<S: Service<Request, Response = Response, Error = Infallible>> Service<Request> for Fronted<S> {
    type Response = Response;
    type Error = Infallible;
    type Future = Passage<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let line = Line::of(&request, &self.rules.proxies);
        let span = line.span();
        let refusal = refusal(&request, self.rules.body);
        let inner = if refusal.is_none() {
            request.extensions_mut().insert(line.visit);
            if !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
                DefaultBodyLimit::max(self.rules.body).apply(&mut request);
            }
            Some(self.inner.call(request))
        } else {
            None
        };
        Passage { inner, refusal, deadline: None, span, line, rules: self.rules.clone() }
    }
}

pin_project! {
    /// A request on its way through.
    #[derive(Debug)]
    pub struct Passage<F> {
        #[pin]
        inner: Option<F>,
        refusal: Option<Response>,
        #[pin]
        deadline: Option<Sleep>,
        span: Span,
        line: Line,
        rules: Arc<Rules>,
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for Passage<F> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let mut response = match (this.refusal.take(), this.inner.as_mut().as_pin_mut()) {
            (Some(refusal), _) => refusal,
            (None, Some(inner)) => {
                let _entered = this.span.enter();
                match catch_unwind(AssertUnwindSafe(|| inner.poll(context))) {
                    Ok(Poll::Ready(Ok(response))) => response,
                    Ok(Poll::Pending) => {
                        // Only now, since most requests that need no database are answered at once.
                        if this.deadline.is_none() {
                            let end = this.line.started + this.rules.timeout;
                            this.deadline.set(Some(tokio::time::sleep_until(end.into())));
                        }
                        if let Some(deadline) = this.deadline.as_mut().as_pin_mut() {
                            ready!(deadline.poll(context));
                        }
                        this.inner.set(None);
                        timed_out()
                    }
                    Err(panic) => {
                        let response = panicked(panic.as_ref(), this.line.visit.id);
                        // What a handler leaves behind may panic too when it goes.
                        if catch_unwind(AssertUnwindSafe(|| this.inner.set(None))).is_err() {
                            tracing::error!("a handler panicked again while it was dropped");
                        }
                        response
                    }
                }
            }
            (None, None) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        };
        this.line.finish(&mut response);
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_bytes(&this.line.visit.id.0) {
            headers.insert(REQUEST_ID, id);
        }
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if this.rules.hsts {
            headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000; includeSubDomains"));
        }
        Poll::Ready(Ok(response))
    }
}

/// Refuses what hyper lets through but no two servers read alike (RFC 9112 §3.2), and bodies that say they are too large.
fn refusal(request: &Request, body: usize) -> Option<Response> {
    let headers = request.headers();
    let mut hosts = headers.get_all(HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    let on_the_wire = request.extensions().get::<ConnectInfo<SocketAddr>>().is_some();
    let hostless = first.is_none() && on_the_wire && request.version() == Version::HTTP_11;
    if second.is_some() || hostless {
        return Some(closing(request.version(), StatusCode::BAD_REQUEST));
    }
    let length = headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse::<u64>().ok()?;
    (length > body as u64).then(|| closing(request.version(), StatusCode::PAYLOAD_TOO_LARGE))
}

/// An answer after which nothing more is read from this connection.
fn closing(version: Version, status: StatusCode) -> Response {
    let mut response = status.into_response();
    if version <= Version::HTTP_11 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn timed_out() -> Response {
    tracing::warn!("a request took too long and was given up");
    let mut response =
        (StatusCode::SERVICE_UNAVAILABLE, "The server took too long. Try again in a moment.\n").into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn panicked(panic: &(dyn Any + Send), id: RequestId) -> Response {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    tracing::error!(alarm = "panic", panic = message, "a handler panicked");
    let text = format!("The server failed. Its log tells why, under request {id}.\n");
    (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
}

/// The line in the log. Neither the path itself nor the query: both may hold secrets.
#[derive(Debug)]
struct Line {
    visit: Visit,
    method: Method,
    route: Option<MatchedPath>,
    started: Instant,
    finished: bool,
}

/// How a route is logged when all went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Voice {
    /// A document that everybody fetches all the time.
    Document,
    /// A call by a program.
    Call,
    /// A page, or something an administrator did.
    Page,
}

/// By the start of the route.
const VOICES: [(&str, Voice); 9] = [
    ("/.well-known/", Voice::Document),
    ("/static/", Voice::Document),
    ("/healthz", Voice::Document),
    ("/readyz", Voice::Document),
    ("/oauth2/token", Voice::Call),
    ("/oauth2/introspect", Voice::Call),
    ("/oauth2/revoke", Voice::Call),
    ("/oauth2/userinfo", Voice::Call),
    ("/auth/refresh", Voice::Call),
];

impl Line {
    fn of(request: &Request, proxies: &[IpNet]) -> Self {
        let peer = request
            .extensions()
            .get::<ConnectInfo<SocketAddr>>()
            .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |ConnectInfo(peer)| peer.ip());
        Self {
            visit: Visit { id: RequestId::fresh(), address: ClientAddress::of(peer, request.headers(), proxies) },
            method: request.method().clone(),
            route: request.extensions().get::<MatchedPath>().cloned(),
            started: Instant::now(),
            finished: false,
        }
    }

    fn route(&self) -> &str {
        self.route.as_ref().map_or("(none)", MatchedPath::as_str)
    }

    fn voice(&self) -> Voice {
        let route = self.route();
        VOICES.iter().find(|(start, _)| route.starts_with(start)).map_or(Voice::Page, |(_, voice)| *voice)
    }

    /// The span in which the handler runs, so that whatever it logs carries the request's id.
    fn span(&self) -> Span {
        if self.voice() == Voice::Document {
            tracing::debug_span!("request", id = %self.visit.id)
        } else {
            tracing::error_span!("request", id = %self.visit.id)
        }
    }

    fn finish(&mut self, response: &mut Response) {
        /// The levels of `tracing` must be known when it is compiled.
        macro_rules! log {
            ($level:ident, $line:expr, $status:expr, $remark:expr) => {
                tracing::$level!(
                    request_id = %$line.visit.id,
                    method = %$line.method,
                    route = $line.route(),
                    status = $status.as_u16(),
                    duration_us = $line.duration_us(),
                    client = %$line.visit.address,
                    error = $remark.map(|remark| remark.error),
                    hint = $remark.map(|remark| remark.hint),
                    "request"
                )
            };
        }
        self.finished = true;
        let status = response.status();
        let remark: Option<Remark> = response.extensions_mut().remove();
        let quiet = self.voice() != Voice::Page && !status.is_client_error();
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            log!(error, self, status, remark);
        } else if status.is_server_error() {
            log!(warn, self, status, remark);
        } else if quiet {
            log!(debug, self, status, remark);
        } else {
            log!(info, self, status, remark);
        }
    }

    fn duration_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// A request whose client has left has a line too.
impl Drop for Line {
    fn drop(&mut self) {
        if !self.finished {
            tracing::info!(
                request_id = %self.visit.id,
                method = %self.method,
                route = self.route(),
                duration_us = self.duration_us(),
                client = %self.visit.address,
                "request given up by its client"
            );
        }
    }
}

#[cfg(test)]
mod tests;
