//! What came back, read whole.

use axum::http::{HeaderMap, StatusCode, header};
use serde_json::Value;

/// An answer of the provider.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// A header, empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// A text member of the body; empty where there is none.
    #[track_caller]
    pub(crate) fn text(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap_or_default().to_owned()
    }

    /// Every `Set-Cookie` line.
    pub(crate) fn set_cookies(&self) -> Vec<String> {
        self.headers.get_all(header::SET_COOKIE).iter().map(|line| line.to_str().unwrap().to_owned()).collect()
    }

    /// Fails unless the status is this one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:#?}");
        self
    }

    /// Fails unless it is a refusal with this code and the status that belongs to it.
    #[track_caller]
    pub(crate) fn expect_error(self, error: &str) -> Self {
        let status =
            if matches!(error, "invalid_client" | "invalid_token" | "invalid_credentials") { 401 } else { 400 };
        let this = self.expect(status);
        assert_eq!(this.json()["error"], error, "{this:#?}");
        this
    }
}

/// Pairs as a form or a query.
pub(crate) fn encode(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// A parameter of a URL's query.
pub(crate) fn query_of(url: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(url).unwrap();
    url.query_pairs().find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
}
