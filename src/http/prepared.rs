//! Documents held ready as bytes: discovery, the key set, static files.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, EXPIRES, HeaderName, HeaderValue,
    IF_NONE_MATCH,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use crate::crypto::digest;
use crate::domain::time::Timestamp;

/// A public document with a strong ETag, readable by every origin. An answer copies nothing.
#[derive(Debug, Clone)]
pub struct Prepared {
    body: Bytes,
    content_type: HeaderValue,
    cache_control: HeaderValue,
    expires: Option<HeaderValue>,
    etag: HeaderValue,
    embeddable: bool,
}

impl Prepared {
    /// Prepares a document. Its ETag is drawn from the bytes, so two processes agree on it.
    #[must_use]
    pub fn new(body: impl Into<Bytes>, content_type: &'static str, cache_control: HeaderValue) -> Self {
        let body = body.into();
        let mut tag = digest::sha256_b64u(&body);
        tag.truncate(22);
        // base64url within quotes is always a header value; without an ETag nothing would match.
        let etag = HeaderValue::try_from(format!("\"{tag}\"")).unwrap_or(HeaderValue::from_static("\"\""));
        let content_type = HeaderValue::from_static(content_type);
        Self { body, content_type, cache_control, expires: None, etag, embeddable: false }
    }

    /// Prepares a JSON document that others may keep for `max_age` seconds.
    #[must_use]
    pub fn json(body: impl Into<Bytes>, max_age: u64) -> Self {
        Self::new(body, "application/json", kept_for(max_age))
    }

    /// The same document, to be kept for `max_age` from now on. It says the moment too (`Expires`, RFC 9111 §5.3), for caches that
    /// know no better.
    #[must_use]
    pub fn until(mut self, now: Timestamp, max_age: Duration) -> Self {
        self.cache_control = kept_for(max_age.as_secs());
        self.expires = HeaderValue::try_from(now.plus(max_age).http_date()).ok();
        self
    }

    /// The entity tag, with its quotes.
    #[must_use]
    pub fn etag(&self) -> &str {
        self.etag.to_str().unwrap_or_default()
    }

    /// Lets pages of other origins load it with `<script src>` (`Cross-Origin-Resource-Policy`).
    #[must_use]
    pub fn embeddable(mut self) -> Self {
        self.embeddable = true;
        self
    }

    /// The bytes.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Answers GET and HEAD: the document, or 304 if the asker has it (RFC 9110 §13.1.2).
    #[must_use]
    pub fn answer(&self, request: &HeaderMap) -> Response {
        let unchanged = request.contains_key(IF_NONE_MATCH) && self.matches(request);
        let mut response = Response::new(if unchanged { Body::empty() } else { Body::from(self.body.clone()) });
        let headers = response.headers_mut();
        headers.reserve(8);
        headers.insert(ETAG, self.etag.clone());
        headers.insert(CACHE_CONTROL, self.cache_control.clone());
        if let Some(expires) = &self.expires {
            headers.insert(EXPIRES, expires.clone());
        }
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        if self.embeddable {
            const POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
            headers.insert(POLICY, HeaderValue::from_static("cross-origin"));
        }
        if unchanged {
            // That of the document or none (RFC 9110 §8.6); left out, axum would say 0. hyper leaves it out for GET over HTTP/1.1.
            headers.insert(CONTENT_LENGTH, HeaderValue::from(self.body.len()));
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            headers.insert(CONTENT_TYPE, self.content_type.clone());
        }
        response
    }

    /// Compares weakly, as If-None-Match wants it: `W/` does not count.
    fn matches(&self, request: &HeaderMap) -> bool {
        request
            .get_all(IF_NONE_MATCH)
            .iter()
            .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == self.etag.as_bytes())
    }
}

fn kept_for(max_age: u64) -> HeaderValue {
    HeaderValue::try_from(format!("public, max-age={max_age}")).unwrap_or(HeaderValue::from_static("no-cache"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;

    fn document() -> Prepared {
        Prepared::json(r#"{"keys":[]}"#, 300)
    }

    #[tokio::test]
    async fn a_document_comes_with_its_headers() {
        let response = document().answer(&HeaderMap::new());
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.headers()["cache-control"], "public, max-age=300");
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        assert!(!response.headers().contains_key("cross-origin-resource-policy"));
        let etag = response.headers()["etag"].to_str().unwrap().to_owned();
        assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() == 24, "{etag}");
        assert_eq!(to_bytes(response.into_body(), 100).await.unwrap(), r#"{"keys":[]}"#);
        assert_ne!(Prepared::json("{}", 300).answer(&HeaderMap::new()).headers()["etag"], etag.as_str());
    }

    #[tokio::test]
    async fn if_none_match_in_every_form() {
        let document = document();
        let etag = document.etag.to_str().unwrap().to_owned();
        for (lines, unchanged) in [
            (vec![etag.clone()], true),
            (vec![format!("W/{etag}")], true),
            (vec![format!("\"a\", {etag},\"b\"")], true),
            (vec!["\"a\"".to_owned(), etag.clone()], true),
            (vec!["*".to_owned()], true),
            (vec!["\"a\"".to_owned()], false),
            (vec![etag.trim_matches('"').to_owned()], false),
            (vec![String::new()], false),
            (vec![format!("w/{etag}")], false),
        ] {
            let mut headers = HeaderMap::new();
            for line in &lines {
                headers.append(IF_NONE_MATCH, HeaderValue::from_str(line).unwrap());
            }
            let response = document.answer(&headers);
            assert_eq!(response.status() == StatusCode::NOT_MODIFIED, unchanged, "{lines:?}");
            assert_eq!(response.headers()["etag"], etag.as_str());
            assert_eq!(response.headers()["cache-control"], "public, max-age=300");
            let body = to_bytes(response.into_body(), 100).await.unwrap();
            assert_eq!(body.is_empty(), unchanged, "{lines:?}");
        }
    }

    #[test]
    fn a_document_says_until_when_it_may_be_kept() {
        let now = Timestamp::from_seconds(784_111_777);
        let response = document().until(now, Duration::from_secs(7)).answer(&HeaderMap::new());
        assert_eq!(response.headers()["cache-control"], "public, max-age=7");
        assert_eq!(response.headers()["expires"], "Sun, 06 Nov 1994 08:49:44 GMT");
    }

    #[test]
    fn an_embeddable_document_says_so() {
        let response = document().embeddable().answer(&HeaderMap::new());
        assert_eq!(response.headers()["cross-origin-resource-policy"], "cross-origin");
    }
}
