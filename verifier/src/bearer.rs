//! The tower layers and the extractor for axum.

mod require;

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use tower::{Layer, Service};

use crate::challenge::Refusal;
use crate::credentials::Credentials;
use crate::principal::Principal;
use crate::verifier::Verifier;

pub use require::{Require, RequireService, require_acr, require_recent_sign_in, require_scope};

/// Lets only requests with a good access token pass and hands on the [`Principal`].
///
/// Others get an answer without a body: 401, 400 or 503 (RFC 6750 §3). A handler takes the
/// principal as an argument. Put a CORS layer outside of this one, since preflight requests
/// carry no token.
#[derive(Debug, Clone)]
pub struct BearerLayer {
    verifier: Verifier,
}

impl BearerLayer {
    /// Makes the layer.
    pub fn new(verifier: Verifier) -> Self {
        Self { verifier }
    }
}

impl<S> Layer<S> for BearerLayer {
    type Service = BearerService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        BearerService { inner, verifier: self.verifier.clone() }
    }
}

/// The service that [`BearerLayer`] makes.
#[derive(Debug, Clone)]
pub struct BearerService<S> {
    inner: S,
    verifier: Verifier,
}

impl<S, B> Service<Request<B>> for BearerService<S>
where
    S: Service<Request<B>, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The service that was polled must be the one that is called; its clone waits its turn.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let verifier = self.verifier.clone();
        Box::pin(async move {
            let (headers, uri) = (request.headers(), request.uri());
            let verdict = match Credentials::of(headers, uri) {
                Credentials::None => Err(verifier.refuse_missing()),
                Credentials::Malformed => Err(verifier.refuse_malformed()),
                Credentials::Bearer(token) => {
                    let token = token.to_owned();
                    verifier.verify(&token).await.map_err(|error| verifier.refusal(&error))
                }
            };
            match verdict {
                Ok(principal) => {
                    hide_token(request.headers_mut());
                    request.extensions_mut().insert(principal);
                    inner.call(request).await
                }
                Err(refusal) => Ok(refusal.into_response()),
            }
        })
    }
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Response;

    fn from_request_parts(parts: &mut Parts, _: &S) -> impl Future<Output = Result<Self, Response>> + Send {
        let principal: Ready<_> = ready(parts.extensions.get::<Self>().cloned().ok_or_else(no_bearer_layer));
        principal
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::UNAUTHORIZED);
        let mut response = status.into_response();
        let headers = response.headers_mut();
        if let Some(value) = self.www_authenticate().and_then(|v| HeaderValue::try_from(v).ok()) {
            headers.insert(WWW_AUTHENTICATE, value);
        }
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// The program forgot the layer that checks tokens: its own fault, and nobody gets in.
fn no_bearer_layer() -> Response {
    tracing::error!("a route asks for a principal but lies outside of every BearerLayer");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// Handlers may still read the token, but `Debug` of the headers does not show it.
fn hide_token(headers: &mut HeaderMap) {
    if let Some(value) = headers.get_mut(AUTHORIZATION) {
        value.set_sensitive(true);
    }
}

#[cfg(test)]
mod tests;
