//! Apps behind a proxy that asks us about every request (forward-auth), without HTTP types.
//!
//! | file          | says                                                                                 |
//! |---------------|--------------------------------------------------------------------------------------|
//! | `ask.rs`      | whether a request may pass, and as whom                                              |
//! | `way_back.rs` | where somebody wanted to go, carried past the sign-in                                |
//! | `sign_in.rs`  | the code flow of the house with itself, which ends with a cookie on the app's host   |
//! | `sign_out.rs` | the end of a visit                                                                   |
//! | `pass.rs`     | the short-lived access tokens that the apps themselves are given                     |

pub mod ask;
pub mod pass;
pub mod sign_in;
pub mod sign_out;
mod way_back;

use super::provider::Provider;
use crate::config::GatewayApp;
use crate::crypto::encoding;
use crate::crypto::mac::Framed;
use crate::domain::client::Client;
use crate::domain::gateway::AppSession;
use crate::domain::id::AppSessionId;
use crate::domain::time::Timestamp;
use crate::domain::token::{Kind, OpaqueToken};
use crate::keys::macs::Macs;
use crate::store::gateway_sessions::{self, Found};
use crate::store::{Db, StoreError};
use pass::Passes;

/// What the gateway keeps in memory.
#[derive(Debug)]
pub struct Gateway {
    keys: Macs,
    passes: Passes,
}

impl Gateway {
    /// With keys for what it lets browsers carry.
    #[must_use]
    pub fn new(keys: Macs) -> Self {
        Self { keys, passes: Passes::default() }
    }

    /// What proves that the browser that comes back is the one that left (RFC 7636): nobody but us can make it, and not without
    /// the browser's cookie.
    fn verifier(&self, flow: &OpaqueToken, browser: &OpaqueToken) -> String {
        encoding::b64u(self.keys.sign(&[Framed::of(&["verifier", flow.expose(), browser.expose()]).as_bytes()]))
    }
}

/// The app at a host.
#[must_use]
pub fn app_at<'p>(host: &str, provider: &'p Provider) -> Option<&'p GatewayApp> {
    provider.config.gateway.apps.iter().find(|app| app.host == host)
}

/// The origin of an app: it speaks as the house does, https but for development.
#[must_use]
pub fn origin_of(app: &GatewayApp, provider: &Provider) -> String {
    let scheme = if provider.config.is_development() { "http" } else { "https" };
    format!("{scheme}://{}", app.host)
}

/// Where answers for an app go.
#[must_use]
pub fn callback_of(app: &GatewayApp, provider: &Provider) -> String {
    format!("{}/.frontdesk/callback", origin_of(app, provider))
}

/// Whether a client's answer goes to an app of the gateway's.
#[must_use]
pub fn is_callback(client: &Client, redirect_uri: &str, provider: &Provider) -> bool {
    let apps = &provider.config.gateway.apps;
    apps.iter().any(|app| app.client_id == client.id.as_str() && callback_of(app, provider) == redirect_uri)
}

/// Who is signed in at an app by this cookie: a living sign-in there, by a living session of the house. One indexed read.
async fn visit(
    db: &mut Db,
    cookie: &str,
    app: &GatewayApp,
    provider: &Provider,
    now: Timestamp,
) -> Result<Option<Found>, StoreError> {
    let Some(token) = OpaqueToken::parse(Kind::AppSession, cookie) else { return Ok(None) };
    let found = gateway_sessions::find(db, &AppSessionId::new(token.id())).await?;
    Ok(found.filter(|found| is_of(&found.session, &token, app) && lives(found, app, provider, now)))
}

fn is_of(session: &AppSession, token: &OpaqueToken, app: &GatewayApp) -> bool {
    session.digest.matches(&token.digest()) && session.host == app.host
}

/// Idle sessions too are over here: an app behind a proxy has nothing else that would end a visit.
fn lives(found: &Found, app: &GatewayApp, provider: &Provider, now: Timestamp) -> bool {
    found.standing.grant.client_id.as_str() == app.client_id
        && found.ends.is_some_and(|(idle, end)| !idle.has_passed(now) && !end.has_passed(now))
        && provider.grant_keys.is_genuine(&found.standing)
        && found.standing.is_alive(now)
}
