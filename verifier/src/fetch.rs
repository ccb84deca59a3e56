//! How the verifier reads documents from the issuer.

use std::fmt;
use std::future::Future;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use reqwest::header::{ACCEPT, AGE, CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::issuer::Issuer;

/// How long a connection may take, and how long a whole answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long a document without `Cache-Control: max-age` counts as fresh.
const DEFAULT_FRESHNESS: Duration = Duration::from_secs(300);

/// Reads documents over HTTP. Implement it to use your own HTTP client, or none in tests.
///
/// An implementation must not follow redirects and must stop reading after `limit` bytes. Status
/// and size are checked again by the verifier.
pub trait Fetch: Send + Sync + 'static {
    /// Sends one GET request and reads the whole answer, `limit` bytes at most.
    fn get<'f>(&'f self, url: &'f Url, limit: usize) -> FetchFuture<'f>;
}

/// What [`Fetch::get`] returns.
pub type FetchFuture<'f> = Pin<Box<dyn Future<Output = Result<Document, FetchError>> + Send + 'f>>;

/// An HTTP answer, as far as the verifier needs it.
#[derive(Debug, Clone)]
pub struct Document {
    status: u16,
    cache_control: String,
    age: Duration,
    body: Vec<u8>,
}

impl Document {
    /// An answer without caching headers.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, cache_control: String::new(), age: Duration::ZERO, body: body.into() }
    }

    /// Adds the value of `Cache-Control`.
    #[must_use]
    pub fn cache_control(mut self, value: impl Into<String>) -> Self {
        self.cache_control = value.into();
        self
    }

    /// Adds the value of `Age`: how long a cache on the way has had the answer.
    #[must_use]
    pub fn age(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// The body of a good answer: status 200 and at most `limit` bytes.
    pub(crate) fn accept(&self, limit: usize) -> Result<&[u8], FetchError> {
        if self.status != 200 {
            return Err(FetchError::new(format!("the answer has status {}", self.status)));
        }
        if self.body.len() > limit {
            return Err(FetchError::too_large());
        }
        Ok(&self.body)
    }

    /// How long the answer stays fresh (RFC 9111 §4.2): `max-age` less `Age`, zero for `no-cache`
    /// and `no-store`.
    pub(crate) fn freshness(&self) -> Duration {
        let mut freshness = DEFAULT_FRESHNESS;
        for directive in self.cache_control.split(',') {
            let directive = directive.trim().to_ascii_lowercase();
            if directive == "no-store" || directive == "no-cache" {
                return Duration::ZERO;
            }
            if let Some(seconds) = directive.strip_prefix("max-age=") {
                // A value that cannot be read counts as stale (RFC 9111 §4.2.1).
                let seconds = seconds.trim_matches('"').parse().unwrap_or(0);
                freshness = Duration::from_secs(seconds);
            }
        }
        freshness.saturating_sub(self.age)
    }
}

/// Why a document could not be read. The text goes to your log.
#[derive(Debug, Clone)]
pub struct FetchError(String);

impl FetchError {
    /// An error with a text for the log.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    fn too_large() -> Self {
        Self::new("the answer is too large")
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for FetchError {}

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

    async fn read(&self, url: &Url, limit: usize) -> Result<Document, FetchError> {
        let failed = |error: reqwest::Error| FetchError::new(causes(&error));
        let request = self.client.get(url.clone()).header(ACCEPT, "application/json");
        let mut response = request.send().await.map_err(failed)?;
        if response.url() != url {
            return Err(FetchError::new("the answer came from another address"));
        }
        let headers = response.headers();
        let cache_control = header(headers, &CACHE_CONTROL);
        let age = header(headers, &AGE).trim().parse().map_or(Duration::ZERO, Duration::from_secs);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > limit {
                return Err(FetchError::too_large());
            }
            body.extend_from_slice(&chunk);
        }
        let status = response.status().as_u16();
        Ok(Document::new(status, body).cache_control(cache_control).age(age))
    }
}

impl Fetch for HttpFetch {
    fn get<'f>(&'f self, url: &'f Url, limit: usize) -> FetchFuture<'f> {
        Box::pin(self.read(url, limit))
    }
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

#[cfg(test)]
mod tests;
