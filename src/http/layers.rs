//! What holds for every request: an id, limits, time, headers of the answer, and one line in the log.
//!
//! One service does it all, around each route, so that the shortest answers stay cheap: one more box and no task.

mod line;
mod manner;
mod request_id;
#[cfg(test)]
mod tests;
mod unsaid;

use std::any::Any;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequestParts, MatchedPath, Request};
use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderValue, RETRY_AFTER, STRICT_TRANSPORT_SECURITY, TRANSFER_ENCODING,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, Version};
use axum::response::{IntoResponse, Response};
use ipnet::IpNet;
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower::{Layer, Service};
use tracing::Span;

use crate::config::Config;

use super::address::ClientAddress;
use super::forward_auth::host::AppHosts;
use super::pages::brand::Brand;
use super::reply::Remark;
use line::{Line, Route};
use manner::Manner;
pub use request_id::RequestId;
use unsaid::Reader;

/// The header that names a request in the answer and in the log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// What is known of every request.
#[derive(Debug, Clone, Copy)]
pub struct Visit {
    /// Its name.
    pub id: RequestId,
    /// Where it comes from.
    pub address: ClientAddress,
    /// Whether a proxy sent it whose word is believed: one of `server.trusted_proxies`, in development mode any on this machine.
    pub by_proxy: bool,
    /// The bytes of its target and of its body, as far as it told: what may come to be kept.
    pub size: u32,
}

impl Visit {
    fn of(head: &Head<'_>, rules: &Rules, manner: Manner) -> Self {
        let address = ClientAddress::of(head.peer(), head.headers, &rules.proxies);
        // A body of unknown length may be as long as one can be.
        let body = match head.headers.contains_key(TRANSFER_ENCODING) {
            true => rules.body(manner) as u64,
            false => head.declared_length().unwrap_or(0),
        };
        let size = u32::try_from(body.saturating_add(head.target_length() as u64)).unwrap_or(u32::MAX);
        Self { id: RequestId::fresh(), address, by_proxy: rules.believes(head.peer()), size }
    }
}

/// Given by [`Front`].
impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        parts.extensions.get::<Self>().copied().ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// A request without its body.
#[derive(Clone, Copy)]
struct Head<'a> {
    method: &'a Method,
    uri: &'a Uri,
    version: Version,
    headers: &'a HeaderMap,
    /// The other side of the connection. What did not come by the network comes from this process.
    peer: Option<SocketAddr>,
}

impl<'a> Head<'a> {
    fn of<B>(request: &'a Request<B>, peer: Option<SocketAddr>) -> Self {
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        Self { method, uri, version: request.version(), headers, peer }
    }

    fn peer(&self) -> IpAddr {
        self.peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.ip().to_canonical())
    }

    fn target_length(&self) -> usize {
        self.uri.path_and_query().map_or(0, |target| target.as_str().len())
    }

    fn declared_length(&self) -> Option<u64> {
        self.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }
}

/// The answer of the router's fallback: 404 without details.
pub async fn not_found() -> StatusCode {
    StatusCode::NOT_FOUND
}

/// The layer for the whole router: `router.fallback(not_found).layer(Front::new(&config, brand))`.
#[derive(Debug, Clone)]
pub struct Front(Arc<Rules>);

#[derive(Debug)]
struct Rules {
    timeout: Duration,
    body: usize,
    head: usize,
    hsts: bool,
    proxies: Vec<IpNet>,
    /// Plain http that is meant for a proxy: nobody else may speak to it over the network.
    proxies_only: bool,
    /// Plain http on one person's machine.
    development: bool,
    apps: AppHosts,
    brand: Arc<Brand>,
}

/// The largest body where nothing large is expected.
const SMALL_BODY: usize = 8_192;

impl Rules {
    fn body(&self, manner: Manner) -> usize {
        if manner.large { self.body } else { self.body.min(SMALL_BODY) }
    }

    fn admits(&self, peer: IpAddr) -> bool {
        !self.proxies_only || peer.is_loopback() || self.trusts(peer)
    }

    fn believes(&self, peer: IpAddr) -> bool {
        self.trusts(peer) || (self.development && peer.is_loopback())
    }

    fn trusts(&self, peer: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(&peer))
    }

    fn reader(&self, head: &Head<'_>) -> Reader {
        if self.apps.hide(head.uri, head.headers, self.believes(head.peer())) {
            return Reader::of_hidden();
        }
        Reader::of(head.uri.path(), head.headers)
    }
}

impl Front {
    /// Takes limits, trusted proxies and HSTS from the configuration. Its own pages have the look of `brand`.
    #[must_use]
    pub fn new(config: &Config, brand: Arc<Brand>) -> Self {
        Self(Arc::new(Rules {
            timeout: config.limits.request_timeout,
            body: config.limits.body_bytes as usize,
            head: config.limits.header_bytes as usize,
            hsts: config.server.hsts && !config.is_development(),
            proxies: config.server.trusted_proxies.clone(),
            development: config.is_development(),
            apps: AppHosts::of(config),
            proxies_only: !config.is_development() && config.server.tls.files().is_none(),
            brand,
        }))
    }

    /// Answers what needs neither a route nor time, in the same way as the layer does.
    pub(super) fn at_once<B>(
        &self,
        request: &Request<B>,
        peer: SocketAddr,
        route: &'static str,
        answer: impl FnOnce(ClientAddress) -> Response,
    ) -> Response {
        let head = Head::of(request, Some(peer));
        let reader = self.0.reader(&head);
        let visit = Visit::of(&head, &self.0, reader.manner);
        let mut line = Line::of(head.method, Some(route.into()), visit, reader.manner.voice);
        let answer = || {
            let _entered = line.span().entered();
            catch_unwind(AssertUnwindSafe(|| answer(visit.address)))
                .unwrap_or_else(|panic| panicked(panic.as_ref(), visit.id))
        };
        let response = refusal(&head, &self.0, &reader).unwrap_or_else(answer);
        finished(response, &reader, &mut line, &self.0)
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
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
        let head = Head::of(&request, peer);
        let reader = self.rules.reader(&head);
        let visit = Visit::of(&head, &self.rules, reader.manner);
        let route = request.extensions().get::<MatchedPath>().cloned();
        let line = Line::of(head.method, route.map(Route::from), visit, reader.manner.voice);
        let span = line.span();
        let refusal = refusal(&head, &self.rules, &reader);
        let inner = if refusal.is_none() {
            request.extensions_mut().insert(line.visit);
            if !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
                DefaultBodyLimit::max(self.rules.body(reader.manner)).apply(&mut request);
            }
            Some(self.inner.call(request))
        } else {
            None
        };
        Passage { inner, refusal, deadline: None, span, line, reader, rules: self.rules.clone() }
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
        reader: Reader,
        rules: Arc<Rules>,
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for Passage<F> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let response = match (this.refusal.take(), this.inner.as_mut().as_pin_mut()) {
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
        Poll::Ready(Ok(finished(response, this.reader, this.line, this.rules)))
    }
}

/// An answer on its way out: words where it has none, a line in the log, the headers of every answer.
fn finished(mut response: Response, reader: &Reader, line: &mut Line, rules: &Rules) -> Response {
    reader.complete(&mut response, line.visit.id, &rules.brand);
    line.finish(&mut response);
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(line.visit.id.as_str()) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // How the host of an app is reached, with all below it, is for whoever runs the app to say.
    if rules.hsts && !reader.manner.for_others {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000; includeSubDomains"));
    }
    response
}

/// Refuses what hyper lets through: heads that no two servers read alike (RFC 9112 §3.2), heads above the limit, since
/// hyper's own is only the size of a buffer that may grow, and bodies that say they are too large. And what came past the
/// proxy, except to ask whether the process is well; and what has no place on the host of an app.
fn refusal(request: &Head<'_>, rules: &Rules, reader: &Reader) -> Option<Response> {
    let refused = |status| Some(closing(request.version, status));
    if !rules.admits(request.peer()) && !matches!(request.uri.path(), "/healthz" | "/readyz") {
        let mut response = closing(request.version, StatusCode::MISDIRECTED_REQUEST);
        let hint = "plain http from an address that is not in server.trusted_proxies";
        response.extensions_mut().insert(Remark { error: "invalid_request", hint });
        return Some(response);
    }
    let mut hosts = request.headers.get_all(HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    let on_the_wire = request.peer.is_some();
    let hostless = first.is_none() && on_the_wire && request.version == Version::HTTP_11;
    if second.is_some() || hostless {
        return refused(StatusCode::BAD_REQUEST);
    }
    let lines = request.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    if request.target_length() + lines.sum::<usize>() > rules.head {
        return refused(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    if request.declared_length().unwrap_or(0) > rules.body(reader.manner) as u64 {
        return refused(StatusCode::PAYLOAD_TOO_LARGE);
    }
    reader.hidden.then(|| {
        let mut response = StatusCode::NOT_FOUND.into_response();
        let hint = "on the host of an app behind a proxy only its sign-in is served";
        response.extensions_mut().insert(Remark { error: "invalid_request", hint });
        response
    })
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
