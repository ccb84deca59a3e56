//! The bare model: an axum server that parses the form, checks the client, stores, signs and answers JSON, and nothing else.
//! It is what a provider on this machine can come near to.
//!
//! It answers with the bytes, the headers and the claims of samples that were taken from the product, and stores with the same
//! batching (`store`), so that what differs is the product's own work.

mod answer;
mod refresh;
mod signing;
mod store;
mod token_endpoint;
mod tokens;
mod units;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use serde::{Deserialize, Serialize};

pub(crate) use answer::Sample;
pub(crate) use signing::{Algorithm, Signatures};

use crate::samples::DOCUMENTS;
use crate::{Result, failure};
use answer::{Filling, Pattern};
use store::Store;
use tokens::TokenPattern;

/// What the model is made from; a file written by the program that starts it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Specification {
    /// `sqlite://path` or `postgres://…`.
    pub(crate) database: String,
    /// The secret of all clients.
    pub(crate) secret: String,
    /// The client of people's grants, where its codes go, and the PKCE challenge of all of them.
    pub(crate) client: String,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    /// Clients that act for themselves, each with the name of its sample.
    pub(crate) services: BTreeMap<String, String>,
    /// The product's answers by name.
    pub(crate) samples: BTreeMap<String, Sample>,
}

/// The running model.
struct Model {
    store: Store,
    signatures: Signatures,
    secret: [u8; 32],
    client: String,
    redirect_uri: String,
    challenge: String,
    root: hmac::Key,
    services: BTreeMap<String, (Reply, TokenPattern)>,
    code: Option<Exchange>,
    refresh: Option<Exchange>,
    introspection: Option<Reply>,
    revocation: Option<Reply>,
    fixed: BTreeMap<String, (HeaderMap, Bytes)>,
}

/// An answer that is filled in anew each time.
struct Reply {
    headers: HeaderMap,
    body: Pattern,
}

impl Reply {
    fn fill(&self, filling: &Filling<'_>) -> Response {
        with_headers(&self.headers, self.body.fill(filling))
    }
}

/// Just these headers: axum would add a content type to text.
fn with_headers(headers: &HeaderMap, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    headers.clone_into(response.headers_mut());
    response
}

/// The answer of an exchange, and the tokens in it.
struct Exchange {
    reply: Reply,
    access: TokenPattern,
    id: Option<TokenPattern>,
}

/// Serves until the process is ended.
pub(crate) async fn serve(specification: &Path, listen: SocketAddr) -> Result<()> {
    run(serde_json::from_slice(&std::fs::read(specification)?)?, tokio::net::TcpListener::bind(listen).await?).await
}

/// Serves on a listener that is there.
pub(crate) async fn run(specification: Specification, listener: tokio::net::TcpListener) -> Result<()> {
    let model = Arc::new(Model::new(specification).await?);
    let routes = Router::new()
        .route("/readyz", get(async || "ready"))
        .route("/.well-known/jwks.json", get(jwks))
        .route("/status", get(status_lists))
        .route("/status/{list}", get(status_list))
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/oauth2/token", post(token_endpoint::token))
        .route("/oauth2/introspect", post(token_endpoint::introspect))
        .route("/oauth2/revoke", post(token_endpoint::revoke))
        .route("/model/codes", get(codes))
        .with_state(model);
    let listener = listener.tap_io(|stream| {
        // Without it small answers would wait; if it is refused the figures show it.
        drop(stream.set_nodelay(true));
    });
    axum::serve(listener, routes).await?;
    Ok(())
}

impl Model {
    async fn new(given: Specification) -> Result<Self> {
        let reply = |name: &str| {
            given.samples.get(name).map(|sample| {
                Ok::<_, crate::Failure>(Reply { headers: sample.header_map()?, body: Pattern::of_body(&sample.body)? })
            })
        };
        let exchange = |name: &str| {
            given.samples.get(name).map(|sample| {
                let reply = Reply { headers: sample.header_map()?, body: Pattern::of_body(&sample.body)? };
                let access = TokenPattern::of_member(&sample.body, "access_token")?;
                let access = access.ok_or_else(|| failure("a token answer without access_token"))?;
                Ok::<_, crate::Failure>(Exchange {
                    reply,
                    access,
                    id: TokenPattern::of_member(&sample.body, "id_token")?,
                })
            })
        };
        let mut services = BTreeMap::new();
        for (client, name) in &given.services {
            if let Some(made) = exchange(name) {
                let made = made?;
                services.insert(client.clone(), (made.reply, made.access));
            }
        }
        let mut fixed = BTreeMap::new();
        for name in DOCUMENTS {
            if let Some(sample) = given.samples.get(name) {
                fixed.insert(name.to_owned(), (sample.header_map()?, Bytes::from(sample.body.clone())));
            }
        }
        let mut secret = [0; 32];
        secret.copy_from_slice(digest(&SHA256, given.secret.as_bytes()).as_ref());
        Ok(Self {
            store: Store::open(&given.database, &given.client, &given.redirect_uri, &given.challenge).await?,
            signatures: Signatures::generate()?,
            secret,
            root: hmac::Key::generate(hmac::HMAC_SHA256, &aws_lc_rs::rand::SystemRandom::new())
                .map_err(|_| failure("no randomness"))?,
            code: exchange("code").transpose()?,
            refresh: exchange("refresh").transpose()?,
            introspection: reply("introspection").transpose()?,
            revocation: reply("revocation").transpose()?,
            services,
            fixed,
            client: given.client,
            redirect_uri: given.redirect_uri,
            challenge: given.challenge,
        })
    }

    fn document(&self, name: &str) -> Response {
        match self.fixed.get(name) {
            Some((headers, body)) => with_headers(headers, body.clone()),
            None => axum::http::StatusCode::NOT_FOUND.into_response(),
        }
    }
}

async fn jwks(State(model): State<Arc<Model>>) -> Response {
    model.document("jwks")
}

async fn status_lists(State(model): State<Arc<Model>>) -> Response {
    model.document("status_lists")
}

async fn status_list(State(model): State<Arc<Model>>) -> Response {
    model.document("status_list")
}

async fn discovery(State(model): State<Arc<Model>>) -> Response {
    model.document("discovery")
}

#[derive(Deserialize)]
struct Wanted {
    count: usize,
}

/// Makes codes as the authorization endpoint would; one a line. Not measured.
async fn codes(State(model): State<Arc<Model>>, Query(wanted): Query<Wanted>) -> Response {
    match model.store.make_codes(wanted.count.min(100_000)).await {
        Ok(codes) => codes.join("\n").into_response(),
        Err(error) => (axum::http::StatusCode::INTERNAL_SERVER_ERROR, error).into_response(),
    }
}
