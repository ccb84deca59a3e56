//! The vocabulary: values and their rules. No input or output happens here.
//!
//! - **User**: a person. **Client**: a relying app. **Resource**: an API that checks tokens.
//! - **Browser**: one browser on one machine, known by a long-lived random cookie, signed in or not.
//! - **Session**: a person signed in at a browser.
//! - **Consent**: what a person lets one client have, remembered.
//! - **Grant**: one authorization, until it is ended. Owns one code, at most one family, one status index.
//! - **Code**: what the browser carries from the authorization endpoint to the client; usable once.
//! - **Family**: the refresh token of one grant through all its generations: one row.
//! - **Sealed**: encrypted under the master key. **MACed**: changed by nobody without the master key.

pub mod alg;
pub mod claims;
pub mod client;
pub mod code;
pub mod consent;
pub mod familiar;
pub mod gateway;
pub mod grant;
pub mod id;
pub mod language;
pub mod origin;
pub mod patience;
pub mod pkce;
pub mod rate_limit;
pub mod redirect_uri;
pub mod refresh_family;
pub mod refresh_token;
pub mod resource;
pub mod scope;
pub mod secret;
pub mod session;
pub mod status;
pub mod strict_json;
pub mod time;
pub mod token;
pub mod user;
pub mod web_uri;
