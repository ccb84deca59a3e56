//! The client that comes along: reqwest with rustls.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::Response;
use reqwest::header::{
    ACCEPT, AGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH,
};
use url::Url;

use super::{Body, ChunkFuture, Document, Fetch, FetchError, FetchFuture, OpenFuture, Opened, Request};
use crate::issuer::Issuer;

/// How long a connection may take, and how long a whole answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long a stream is read at most; then it is opened anew.
const LONGEST_STREAM: Duration = Duration::from_secs(24 * 60 * 60);

/// Of server-sent events; not among the names that `http` knows.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The default [`Fetch`]: reqwest with rustls.
///
/// Redirects are not followed; an answer takes at most five seconds.
#[derive(Debug, Clone)]
pub struct HttpFetch {
    client: reqwest::Client,
}

impl HttpFetch {
    /// Uses your client, for example one that trusts another root certificate
    /// ([`reqwest::ClientBuilder::tls_certs_merge`]) or resolves the issuer's name differently
    /// ([`reqwest::ClientBuilder::resolve`]).
    ///
    /// Build it with `redirect(Policy::none())`: an answer from another address is refused.
    pub fn with_client(client: reqwest::Client) -> Self {
        Self { client }
    }

    /// The client for an issuer: https only, unless the issuer is on loopback.
    pub(crate) fn for_issuer(issuer: &Issuer, app: Option<HeaderValue>) -> Result<Self, reqwest::Error> {
        let app = app.map(|app| (HeaderName::from_static("frontdesk-app"), app));
        let mut client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .default_headers(app.into_iter().collect())
            .user_agent(concat!("frontdesk-verifier/", env!("CARGO_PKG_VERSION")));
        client = if issuer.is_plain_http() {
            // `*.localhost` must not depend on what a name server says (RFC 6761 §6.3), and
            // loopback must not go through a proxy.
            let loopback: [SocketAddr; 2] = [(Ipv4Addr::LOCALHOST, 0).into(), (Ipv6Addr::LOCALHOST, 0).into()];
            let host = issuer.url().host_str().unwrap_or_default();
            client.resolve_to_addrs(host, &loopback).no_proxy()
        } else {
            client.https_only(true)
        };
        Ok(Self { client: client.build()? })
    }

    /// Sends a request and looks at nothing but where the answer comes from.
    async fn begin(&self, request: Request<'_>, timeout: Option<Duration>) -> Result<Response, FetchError> {
        let mut building = match request.body() {
            None => self.client.get(request.url().clone()),
            Some(form) => self
                .client
                .post(request.url().clone())
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.to_owned()),
        };
        building = building.header(ACCEPT, request.accept());
        for (name, value) in [(IF_NONE_MATCH, request.etag()), (LAST_EVENT_ID, request.last_event_id())] {
            if let Some(value) = value {
                building = building.header(name, value);
            }
        }
        if let Some(authorization) = request.authorization() {
            let mut value = HeaderValue::from_str(authorization)
                .map_err(|_| FetchError::new("the credentials do not fit into a header"))?;
            value.set_sensitive(true);
            building = building.header(AUTHORIZATION, value);
        }
        if let Some(timeout) = timeout {
            building = building.timeout(timeout);
        }
        let response = building.send().await.map_err(failed)?;
        if response.url() != request.url() {
            return Err(FetchError::new("the answer came from another address"));
        }
        Ok(response)
    }

    async fn read(&self, request: Request<'_>) -> Result<Document, FetchError> {
        let limit = request.limit();
        let mut response = self.begin(request, None).await?;
        let headers = response.headers();
        let cache_control = header(headers, &CACHE_CONTROL);
        let age = header(headers, &AGE).trim().parse().map_or(Duration::ZERO, Duration::from_secs);
        let etag = headers.get(ETAG).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > limit {
                return Err(FetchError::too_large());
            }
            body.extend_from_slice(&chunk);
        }
        let status = response.status().as_u16();
        Ok(Document::new(status, body).cache_control(cache_control).age(age).etag(etag))
    }

    async fn stream(&self, request: Request<'_>) -> Result<Opened, FetchError> {
        let response = self.begin(request, Some(LONGEST_STREAM)).await?;
        let content_type = header(response.headers(), &CONTENT_TYPE);
        Ok(Opened { status: response.status().as_u16(), content_type, body: Box::new(Pieces(response)) })
    }
}

impl Fetch for HttpFetch {
    fn get<'f>(&'f self, url: &'f Url, limit: usize) -> FetchFuture<'f> {
        self.send(Request::new(url, limit))
    }

    fn send<'f>(&'f self, request: Request<'f>) -> FetchFuture<'f> {
        Box::pin(self.read(request))
    }

    fn open<'f>(&'f self, request: Request<'f>) -> OpenFuture<'f> {
        Box::pin(self.stream(request))
    }
}

/// The body of an answer that has begun.
struct Pieces(Response);

impl Body for Pieces {
    fn chunk(&mut self) -> ChunkFuture<'_> {
        Box::pin(async {
            let piece = self.0.chunk().await.map_err(failed)?;
            Ok(piece.map(|bytes| bytes.to_vec()))
        })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands behind map_err")]
fn failed(error: reqwest::Error) -> FetchError {
    FetchError::new(causes(&error))
}

/// All values of a header as one list (RFC 9110 §5.3).
fn header(headers: &HeaderMap, name: &HeaderName) -> String {
    let values: Vec<_> = headers.get_all(name).iter().filter_map(|v| v.to_str().ok()).collect();
    values.join(",")
}

/// An error with its causes: reqwest says what was tried, the causes say what went wrong.
fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
