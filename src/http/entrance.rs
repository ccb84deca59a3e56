//! The way in: what relying apps fetch all the time is answered at once, everything else by its route.
//!
//! The key set takes less time to answer than its way through a router: the boxes and the map of extensions that a route costs.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;

use axum::Router;
use axum::body::{Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::{Method, Request};
use axum::response::Response;
use axum::routing::future::RouteFuture;
use tokio_util::either::Either;
use tower::Service as _;

use super::address::ClientAddress;
use super::doors::Doors;
use super::layers::Front;
use super::protocol::documents::{self, Asked};

/// What a server serves.
#[derive(Debug, Clone)]
pub struct Entrance {
    router: Router,
    house: Option<(Front, Doors)>,
}

/// An answer that is there, or one that a route gives.
pub(super) type Answering = Either<Ready<Result<Response, Infallible>>, RouteFuture<Infallible>>;

/// Nothing but routes.
impl From<Router> for Entrance {
    fn from(router: Router) -> Self {
        Self { router: ready_to_serve(router), house: None }
    }
}

impl Entrance {
    /// The routes of a house, with `front` around each of them.
    #[must_use]
    pub fn new(router: Router, front: Front, doors: Doors) -> Self {
        Self { router: ready_to_serve(router), house: Some((front, doors)) }
    }

    /// Answers a request that came by the network. A router is always ready for one.
    pub(super) fn call<B>(&mut self, mut request: Request<B>, peer: SocketAddr) -> Answering
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        if let Some((front, doors)) = &self.house
            && request.method() == Method::GET
            && let Some((route, answer)) = documents::at(doors, request.uri().path())
        {
            let asked = |address: ClientAddress| Asked {
                address: address.ip(),
                path: request.uri().path(),
                query: request.uri().query(),
                headers: request.headers(),
            };
            let answer = |address| answer(doors, &asked(address));
            return Either::Left(ready(Ok(front.at_once(&request, peer, route, answer))));
        }
        request.extensions_mut().insert(ConnectInfo(peer));
        Either::Right(self.router.call(request))
    }
}

/// Once for all, since it costs something to make it one service.
fn ready_to_serve(router: Router) -> Router {
    router.with_state(())
}
