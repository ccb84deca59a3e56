//! Layers that ask for more than a good token: a scope, a better sign-in or a fresher one.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::Request;
use axum::response::{IntoResponse as _, Response};
use tower::{Layer, Service};

use super::no_bearer_layer;
use crate::challenge::Refusal;
use crate::principal::Principal;

/// Lets only requests pass whose token was granted these scope values, separated by spaces.
///
/// Goes inside of a [`BearerLayer`](crate::BearerLayer), on a router or on a single route:
/// `get(notes).layer(require_scope("notes:read"))`. Others get 403 `insufficient_scope`.
pub fn require_scope(scope: impl Into<Arc<str>>) -> Require {
    Require { demand: Demand::Scope(scope.into()) }
}

/// Lets only requests pass whose person signed in by one of these `acr` values, best first.
///
/// Goes inside of a [`BearerLayer`](crate::BearerLayer). Others get 401
/// `insufficient_user_authentication` with the values (RFC 9470 §3).
pub fn require_acr<V: Into<String>>(values: impl IntoIterator<Item = V>) -> Require {
    Require { demand: Demand::Acr(values.into_iter().map(V::into).collect()) }
}

/// Lets only requests pass whose person signed in at most `max_age` ago, in whole seconds.
///
/// Goes inside of a [`BearerLayer`](crate::BearerLayer). Others get 401
/// `insufficient_user_authentication` with `max_age` (RFC 9470 §3).
pub fn require_recent_sign_in(max_age: Duration) -> Require {
    Require { demand: Demand::RecentSignIn(max_age) }
}

/// The layer that [`require_scope`], [`require_acr`] and [`require_recent_sign_in`] make.
#[derive(Debug, Clone)]
pub struct Require {
    demand: Demand,
}

#[derive(Debug, Clone)]
enum Demand {
    Scope(Arc<str>),
    Acr(Arc<[String]>),
    RecentSignIn(Duration),
}

impl Demand {
    fn check(&self, principal: &Principal) -> Result<(), Refusal> {
        match self {
            Self::Scope(scope) => principal.require(scope),
            Self::Acr(values) => {
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                principal.require_acr(&values)
            }
            Self::RecentSignIn(max_age) => principal.require_recent_sign_in(*max_age),
        }
    }
}

impl<S> Layer<S> for Require {
    type Service = RequireService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireService { inner, demand: self.demand.clone() }
    }
}

/// The service that [`Require`] makes.
#[derive(Debug, Clone)]
pub struct RequireService<S> {
    inner: S,
    demand: Demand,
}

impl<S, B> Service<Request<B>> for RequireService<S>
where
    S: Service<Request<B>, Response = Response>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let refusal = match request.extensions().get::<Principal>() {
            Some(principal) => self.demand.check(principal).err().map(Refusal::into_response),
            None => Some(no_bearer_layer()),
        };
        match refusal {
            Some(refusal) => Box::pin(ready(Ok(refusal))),
            None => Box::pin(self.inner.call(request)),
        }
    }
}
