//! Sessions: a person signed in at a browser.

use super::id::{BrowserId, SessionId, UserId};
use super::time::Timestamp;

/// The authentication context class of a password (our own name; OIDC Core §2).
pub const ACR_PASSWORD: &str = "urn:frontdesk:acr:pwd";

/// The classes we can reach now, weakest first.
pub const ACR_VALUES: [&str; 1] = [ACR_PASSWORD];

/// The authentication method of a password (RFC 8176 §2).
pub const AMR_PASSWORD: &str = "pwd";

/// A person signed in at a browser. Its cookie's digest turns at every sign-in; the row and its id stay.
#[derive(Debug, Clone)]
pub struct Session {
    /// The row.
    pub id: SessionId,
    /// Who is signed in.
    pub user_id: UserId,
    /// At which browser.
    pub browser_id: BrowserId,
    /// When the row began.
    pub created_at: Timestamp,
    /// When the person last proved who they are.
    pub auth_time: Timestamp,
    /// How strongly.
    pub acr: String,
    /// By which means, apart by spaces.
    pub amr: String,
    /// When the session was last used.
    pub last_seen_at: Timestamp,
    /// When it ends if it is not used.
    pub idle_expires_at: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
    /// "Keep me signed in": its cookies outlive the browser's closing.
    pub persistent: bool,
    /// Made by `/auth/login`: opens no other client and no room of the house without the real page.
    pub direct: bool,
    /// The browser's own description of itself.
    pub device: String,
    /// The network address it was signed in from.
    pub address: String,
    /// Since when it is over.
    pub ended_at: Option<Timestamp>,
}

impl Session {
    /// Whether the person is still signed in: not ended, not idle for too long, not too old.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && !self.idle_expires_at.has_passed(now) && !self.expires_at.has_passed(now)
    }

    /// Seconds since the person proved who they are.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> u64 {
        now.seconds_since(self.auth_time)
    }
}
