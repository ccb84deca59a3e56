//! Authorization codes (RFC 6749 §4.1.2).

use super::id::{ClientId, CodeId, GrantId};
use super::pkce::CodeChallenge;
use super::time::Timestamp;
use super::token::TokenDigest;

/// An authorization code as its row knows it.
#[derive(Debug, Clone)]
pub struct AuthorizationCode {
    /// The row.
    pub id: CodeId,
    /// What the presented code's digest must equal.
    pub digest: TokenDigest,
    /// The grant it was born with.
    pub grant_id: GrantId,
    /// Whom it was given to.
    pub client_id: ClientId,
    /// Where it was sent.
    pub redirect_uri: String,
    /// To be repeated in the ID token (OIDC Core §3.1.2.1).
    pub nonce: Option<String>,
    /// What the verifier must meet.
    pub challenge: Option<CodeChallenge>,
    /// Its state.
    pub state: CodeState,
}

/// The life of a code. It ends once, in one of three ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeState {
    /// May be redeemed until then.
    Issued {
        /// The end of its life.
        until: Timestamp,
    },
    /// Was redeemed.
    Used {
        /// When.
        at: Timestamp,
    },
    /// Was spoiled by a wrong attempt of its own client's.
    Burnt {
        /// When.
        at: Timestamp,
    },
}
