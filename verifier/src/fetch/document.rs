//! What came back.

use std::fmt;
use std::time::Duration;

use super::FetchError;

/// How long a document without `Cache-Control: max-age` counts as fresh.
const DEFAULT_FRESHNESS: Duration = Duration::from_secs(300);

/// An HTTP answer, as far as the verifier needs it.
#[derive(Clone)]
pub struct Document {
    status: u16,
    cache_control: String,
    age: Duration,
    etag: Option<String>,
    body: Vec<u8>,
}

impl Document {
    /// An answer without caching headers.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, cache_control: String::new(), age: Duration::ZERO, etag: None, body: body.into() }
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

    /// Adds the value of `ETag`, if there is one.
    #[must_use]
    pub fn etag(mut self, etag: Option<String>) -> Self {
        self.etag = etag;
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// What the answer may be asked for by again: its `ETag`.
    pub(crate) fn tag(&self) -> Option<&str> {
        self.etag.as_deref()
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

/// Shows its size instead of the body, which may hold a secret.
impl fmt::Debug for Document {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Document")
            .field("status", &self.status)
            .field("size", &self.body.len())
            .finish_non_exhaustive()
    }
}
