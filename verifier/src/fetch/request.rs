//! What is asked for.

use std::fmt;

use url::Url;

/// A request to the issuer: GET, or POST when it has a body.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    url: &'r Url,
    limit: usize,
    accept: &'r str,
    etag: Option<&'r str>,
    last_event_id: Option<&'r str>,
    authorization: Option<&'r str>,
    body: Option<&'r str>,
}

impl<'r> Request<'r> {
    /// Asks for a JSON document of at most `limit` bytes.
    pub fn new(url: &'r Url, limit: usize) -> Self {
        Self {
            url,
            limit,
            accept: "application/json",
            etag: None,
            last_event_id: None,
            authorization: None,
            body: None,
        }
    }

    pub(crate) fn with_accept(self, accept: &'r str) -> Self {
        Self { accept, ..self }
    }

    pub(crate) fn with_etag(self, etag: Option<&'r str>) -> Self {
        Self { etag, ..self }
    }

    pub(crate) fn with_last_event_id(self, last_event_id: Option<&'r str>) -> Self {
        Self { last_event_id, ..self }
    }

    pub(crate) fn with_authorization(self, authorization: &'r str) -> Self {
        Self { authorization: Some(authorization), ..self }
    }

    pub(crate) fn with_form(self, body: &'r str) -> Self {
        Self { body: Some(body), ..self }
    }

    /// Where to.
    pub fn url(&self) -> &'r Url {
        self.url
    }

    /// The most bytes that the answer may have.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The value of `Accept`.
    pub fn accept(&self) -> &'r str {
        self.accept
    }

    /// The value of `If-None-Match`; the answer may then be 304.
    pub fn etag(&self) -> Option<&'r str> {
        self.etag
    }

    /// The value of `Last-Event-ID`.
    pub fn last_event_id(&self) -> Option<&'r str> {
        self.last_event_id
    }

    /// The value of `Authorization`, a secret.
    pub fn authorization(&self) -> Option<&'r str> {
        self.authorization
    }

    /// A form (`application/x-www-form-urlencoded`) to be sent with POST.
    pub fn body(&self) -> Option<&'r str> {
        self.body
    }
}

/// Shows the place only: the rest may be secret.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Request").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}
