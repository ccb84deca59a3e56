//! Form bodies, read strictly: the right content type, UTF-8, no NUL (RFC 6749 appendix B).

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::oauth::params::Params;

use super::content_type::{ContentType, is};
use crate::http::reply::{Remark, json};

/// The parameters of a form body. Whether one was sent twice is for the endpoint to refuse, since some look at the client
/// first.
#[derive(Debug)]
pub struct StrictForm(pub Params);

/// Why a body is not taken. JSON endpoints answer with it as it is; pages take it as a `Result` and answer with a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyRefusal {
    /// Another content type.
    ContentType,
    /// Longer than `limits.body_bytes`.
    TooLarge,
    /// The connection broke or the chunks were malformed.
    Unreadable,
    /// Not UTF-8 after decoding.
    NotUtf8,
    /// A NUL character.
    Nul,
}

impl BodyRefusal {
    /// The status.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The hint for the developer.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        match self {
            Self::ContentType => "the content type is not the one of this endpoint",
            Self::TooLarge => "the body is too large",
            Self::Unreadable => "the body cannot be read",
            Self::NotUtf8 => "a parameter is not UTF-8",
            Self::Nul => "a parameter holds a NUL character",
        }
    }
}

impl IntoResponse for BodyRefusal {
    fn into_response(self) -> Response {
        let mut response = json::error_body(self.status(), "invalid_request", self.hint());
        response.extensions_mut().insert(Remark { error: "invalid_request", hint: self.hint() });
        response
    }
}

impl<S: Send + Sync> FromRequest<S> for StrictForm {
    type Rejection = BodyRefusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, BodyRefusal> {
        if !is(request.headers(), ContentType::Form) {
            return Err(BodyRefusal::ContentType);
        }
        let body = read(request, state).await?;
        strict_params(&body).map(Self)
    }
}

/// Reads parameters from a query or a form body.
///
/// # Errors
/// [`BodyRefusal::NotUtf8`] and [`BodyRefusal::Nul`].
pub fn strict_params(encoded: &[u8]) -> Result<Params, BodyRefusal> {
    // Otherwise broken bytes would become replacement characters, and two different names the same one.
    if !decodes_to_utf8(encoded) {
        return Err(BodyRefusal::NotUtf8);
    }
    let params = Params::parse(encoded);
    params.refuse_nul().map_err(|_| BodyRefusal::Nul)?;
    Ok(params)
}

/// The whole body, as long as the limit lets it be.
async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, BodyRefusal> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            BodyRefusal::TooLarge
        } else {
            BodyRefusal::Unreadable
        }
    })
}

fn decodes_to_utf8(encoded: &[u8]) -> bool {
    if !encoded.contains(&b'%') {
        return std::str::from_utf8(encoded).is_ok();
    }
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let [first, tail @ ..] = rest {
        rest = tail;
        let mut byte = *first;
        if byte == b'%'
            && let [high, low, after @ ..] = tail
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            byte = high << 4 | low;
            rest = after;
        }
        decoded.push(byte);
    }
    std::str::from_utf8(&decoded).is_ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::extract::DefaultBodyLimit;

    const FORM: &str = "application/x-www-form-urlencoded";

    async fn form(content_type: &str, body: &[u8]) -> Result<StrictForm, BodyRefusal> {
        let mut request =
            Request::post("/").header("content-type", content_type).body(Body::from(body.to_vec())).unwrap();
        DefaultBodyLimit::max(32).apply(&mut request);
        StrictForm::from_request(request, &()).await
    }

    #[tokio::test]
    async fn a_form_is_read() {
        let StrictForm(params) = form(FORM, "a=%C3%BC+x&b=ü&c=100%&d=%zz".as_bytes()).await.unwrap();
        assert_eq!((params.get("a"), params.get("b")), (Some("ü x"), Some("ü")));
        assert_eq!((params.get("c"), params.get("d")), (Some("100%"), Some("%zz")));
    }

    #[tokio::test]
    async fn every_other_body_is_refused() {
        for (content_type, body, refusal) in [
            ("text/plain", b"a=1".as_slice(), BodyRefusal::ContentType),
            ("application/json", b"{}", BodyRefusal::ContentType),
            (FORM, &[b'a'; 33], BodyRefusal::TooLarge),
            (FORM, b"a=\xff", BodyRefusal::NotUtf8),
            (FORM, b"a=%FF", BodyRefusal::NotUtf8),
            (FORM, b"a=%C3", BodyRefusal::NotUtf8),
            (FORM, b"a=%ED%A0%80", BodyRefusal::NotUtf8),
            (FORM, b"a=%00", BodyRefusal::Nul),
            (FORM, b"a%00=1", BodyRefusal::Nul),
            (FORM, b"a=\0", BodyRefusal::Nul),
        ] {
            assert_eq!(form(content_type, body).await.unwrap_err(), refusal, "{body:?}");
        }
    }

    #[test]
    fn a_refusal_is_a_json_error_that_nobody_keeps() {
        for (refusal, status) in [(BodyRefusal::ContentType, 400), (BodyRefusal::TooLarge, 413)] {
            let response = refusal.into_response();
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(response.headers()["content-type"], "application/json");
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
    }
}
