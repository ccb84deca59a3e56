//! Apps behind a proxy that asks us (forward-auth): who is signed in there, and who is about to be.

use super::id::{AppFlowId, AppSessionId, GrantId};
use super::time::Timestamp;
use super::token::TokenDigest;

/// Somebody signed in at an app. It lives and ends with its grant.
#[derive(Debug, Clone)]
pub struct AppSession {
    /// The row.
    pub id: AppSessionId,
    /// What the digest of the app's cookie must equal.
    pub digest: TokenDigest,
    /// The app's host, with its port where that is not the scheme's own. The cookie is good nowhere else.
    pub host: String,
    /// The grant.
    pub grant_id: GrantId,
    /// Since when.
    pub created_at: Timestamp,
}

/// A sign-in on its way.
#[derive(Debug, Clone)]
pub struct AppFlow {
    /// The row.
    pub id: AppFlowId,
    /// What the digest of `state` must equal.
    pub digest: TokenDigest,
    /// What the digest of the browser's state cookie must equal.
    pub browser: TokenDigest,
    /// The app's host.
    pub host: String,
    /// Where the person wanted to go there: path and query.
    pub path: String,
    /// When it is too late.
    pub expires_at: Timestamp,
}

/// The longest path that is kept for the way back. Longer ones would not fit into everybody's headers.
const LONGEST_PATH: usize = 2_048;

/// The path if somebody may be sent back to it, else the app's front page. It is only ever put behind the app's own origin, so
/// it cannot name another site; what a browser or a proxy could read in two ways is left out all the same.
#[must_use]
pub fn way_back(path: &str) -> &str {
    let proper = path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= LONGEST_PATH
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && !path.starts_with("/.frontdesk/");
    if proper { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_back_to_another_site_or_round_in_circles() {
        for path in ["/", "/notes/7?edit=1&x=%2F%2Fevil.test", "/a//b", "/..%2f"] {
            assert_eq!(way_back(path), path);
        }
        let long = format!("/{}", "a".repeat(LONGEST_PATH));
        for path in [
            "",
            "notes",
            "//evil.test",
            "/\\evil.test",
            "\\\\evil.test",
            "https://evil.test/",
            "/a\r\nset-cookie: x=y",
            "/a b",
            "/\t/evil.test",
            "/ä",
            "/.frontdesk/logout",
            &long,
        ] {
            assert_eq!(way_back(path), "/", "{path:?}");
        }
    }
}
