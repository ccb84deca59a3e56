// The example in the README needs the `axum` feature, so it is compiled as a test only with it.
#![cfg_attr(
    any(feature = "axum", not(doctest)),
    doc = include_str!("../README.md")
)]

mod algorithm;
#[cfg(feature = "axum")]
mod bearer;
mod builder;
mod cache;
mod challenge;
mod claims;
mod clock;
mod cooldown;
#[cfg(feature = "axum")]
mod credentials;
mod denied;
mod discovery;
mod error;
mod fetch;
mod issuer;
mod json;
mod jwks;
#[cfg(test)]
mod loopback_test;
mod metrics;
mod principal;
mod status;
mod stream;
#[cfg(test)]
mod testing;
mod token;
mod trust;
#[cfg(test)]
mod vectors_test;
mod verifier;

pub use algorithm::Algorithm;
#[cfg(feature = "axum")]
pub use bearer::{
    BearerLayer, BearerService, Require, RequireService, require_acr, require_recent_sign_in, require_scope,
};
pub use builder::{BuildError, VerifierBuilder};
pub use challenge::Refusal;
pub use clock::{Clock, SystemClock};
pub use error::{Missing, Reason, VerifyError};
pub use fetch::{Body, ChunkFuture, Document, Fetch, FetchError, FetchFuture, HttpFetch, OpenFuture, Opened, Request};
pub use metrics::{FetchCounts, ListMetrics, Metrics};
pub use principal::Principal;
pub use reqwest;
pub use status::{StatusPolicy, Unreachable};
pub use url::Url;
pub use verifier::Verifier;
