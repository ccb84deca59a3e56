//! The doors of relying apps: read the request, ask `oauth`, answer. No decision is taken here.

pub mod authorize;
pub mod browser_logout;
pub mod direct;
pub mod documents;
pub mod end_session;
pub mod introspect;
pub mod revoke;
pub mod token;
pub mod userinfo;
