//! The protocol: every decision an RFC asks for, without HTTP types.
//!
//! | endpoint                 | file                | says                                 |
//! |--------------------------|---------------------|--------------------------------------|
//! | `/.well-known/…`         | `discovery.rs`      | OIDC Discovery, RFC 8414             |
//! | `/oauth2/authorize`      | `authorize/`        | RFC 6749 §4.1.1, OIDC Core §3.1.2    |
//! | `/oauth2/token`          | `grants/`           | RFC 6749 §4.1.3, §4.4, §6            |
//! | `/oauth2/userinfo`       | `userinfo.rs`       | OIDC Core §5.3                       |
//! | `/oauth2/introspect`     | `introspect.rs`     | RFC 7662                             |
//! | `/oauth2/revoke`         | `revoke.rs`         | RFC 7009                             |
//! | `/oauth2/logout`         | `end_session.rs`    | OIDC RP-Initiated Logout             |
//! | `/oauth2/check_session`  | `session_state.rs`  | OIDC Session Management              |
//! | `/oauth2/browser/logout` | `browser_logout.rs` | our cookie mode                      |
//! | `/auth/login`            | `direct_login.rs`   | our first-party JSON flow            |
//! | `/forward-auth/…`        | `gateway/`          | apps behind a proxy that asks us     |
//! | `/admin/…`               | `admin/`            | what an admin may do, and who is one |
//! | registration             | `registration.rs`   | RFC 7591 §2, for the CLI and `apply` |

pub mod admin;
pub mod audience;
pub mod authorize;
pub mod browser_logout;
pub mod client_auth;
pub mod direct_login;
pub mod discovery;
pub mod end_session;
pub mod error;
pub mod gateway;
pub mod grants;
pub mod holding;
pub mod introspect;
pub mod params;
pub mod pointer;
pub mod provider;
pub mod registration;
pub mod revocation_stream;
pub mod revoke;
pub mod session_state;
pub mod userinfo;
