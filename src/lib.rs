//! Frontdesk: an OAuth 2 and OpenID Connect identity provider in one binary.
//!
//! The layers from the bottom to the top, which is also the order to read them in. A module names only modules above it in
//! this list; `tests/layers.rs` keeps it so.

pub mod accounts;
pub mod app;
pub mod audit;
pub mod cli;
pub mod config;
pub mod crypto;
pub mod demo;
pub mod domain;
pub mod http;
pub mod jobs;
pub mod keys;
pub mod logging;
pub mod oauth;
pub mod outbound;
pub mod store;
pub mod tokens;
