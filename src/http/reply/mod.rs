//! The ways out of the house.
//!
//! | file          | for                                                          |
//! |---------------|--------------------------------------------------------------|
//! | `json.rs`     | token, revoke, introspect and everything that answers JSON   |
//! | `bearer.rs`   | endpoints that take an access token (RFC 6750)               |
//! | `redirect.rs` | 303 answers to browsers                                      |
//! | `page.rs`     | pages, with the headers that protect them                    |

pub mod bearer;
pub mod json;
pub mod page;
pub mod redirect;

/// What a reply tells the request's log line about a refusal. Fixed text only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remark {
    /// The error code that was sent.
    pub error: &'static str,
    /// The hint for the developer, or the guard that refused.
    pub hint: &'static str,
}
