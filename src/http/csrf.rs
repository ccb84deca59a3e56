//! Guards the forms of our own pages against other sites (RFC 9700 §4.7).
//!
//! Two defences, and a request must pass both: the browser says where the form stood, and the form carries a value that
//! only this browser was given. SameSite alone does not help against sibling hosts: their form posts carry Lax and Strict
//! cookies.

use axum::http::HeaderMap;
use axum::http::header::ORIGIN;

use crate::config::Issuer;
use crate::crypto::encoding;
use crate::crypto::mac::Framed;
use crate::keys::macs::{Macs, Purpose};
use crate::keys::vault::Vault;

/// The hidden field that carries the value.
pub const FIELD: &str = "csrf";

/// Why a form post is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostRefusal {
    /// `Origin` is missing, `null` or not the issuer.
    Origin,
    /// `Sec-Fetch-Site` was sent and is not `same-origin`.
    SecFetchSite,
    /// The value in the form is missing or not this browser's for this purpose.
    Value,
}

impl PostRefusal {
    /// The name in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::SecFetchSite => "sec-fetch-site",
            Self::Value => "csrf",
        }
    }
}

/// Checks that a form post comes from one of our own pages. Runs before anything of the form is used.
///
/// # Errors
/// The first check that fails.
pub fn check_origin(headers: &HeaderMap, issuer: &Issuer) -> Result<(), PostRefusal> {
    let mut origins = headers.get_all(ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (Some(origin), None) if origin == issuer.as_str() => {}
        _ => return Err(PostRefusal::Origin),
    }
    if headers.get_all("sec-fetch-site").iter().any(|site| site != "same-origin") {
        return Err(PostRefusal::SecFetchSite);
    }
    Ok(())
}

/// Makes and checks the values of hidden fields.
#[derive(Debug, Clone)]
pub struct Csrf(Macs);

impl Csrf {
    /// Takes the key out of the vault.
    #[must_use]
    pub fn new(vault: &Vault) -> Self {
        Self(vault.macs(Purpose::Csrf))
    }

    /// The value for a form. `browser` is the id of the browser cookie, `purpose` names the form and, where there is one,
    /// the transaction it belongs to.
    #[must_use]
    pub fn value(&self, browser: &str, purpose: &str) -> String {
        encoding::b64u(self.0.sign(&[Framed::of(&["csrf", browser, purpose]).as_bytes()]))
    }

    /// Checks the value a form brought back, in constant time.
    ///
    /// # Errors
    /// [`PostRefusal::Value`].
    pub fn check(&self, browser: &str, purpose: &str, presented: Option<&str>) -> Result<(), PostRefusal> {
        let mac = presented.and_then(encoding::from_b64u).ok_or(PostRefusal::Value)?;
        if self.0.verifies(&[Framed::of(&["csrf", browser, purpose]).as_bytes()], &mac) {
            Ok(())
        } else {
            Err(PostRefusal::Value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn only_our_own_pages_may_post() {
        let issuer = Issuer::parse("https://id.example.com").unwrap();
        let own = ("origin", "https://id.example.com");
        for (sent, outcome) in [
            (vec![own], Ok(())),
            (vec![own, ("sec-fetch-site", "same-origin")], Ok(())),
            (vec![], Err(PostRefusal::Origin)),
            (vec![("origin", "null")], Err(PostRefusal::Origin)),
            (vec![("origin", "https://app.example.com")], Err(PostRefusal::Origin)),
            (vec![("origin", "http://id.example.com")], Err(PostRefusal::Origin)),
            (vec![("origin", "https://id.example.com:8443")], Err(PostRefusal::Origin)),
            (vec![own, own], Err(PostRefusal::Origin)),
            (vec![own, ("sec-fetch-site", "same-site")], Err(PostRefusal::SecFetchSite)),
            (vec![own, ("sec-fetch-site", "cross-site")], Err(PostRefusal::SecFetchSite)),
            (vec![own, ("sec-fetch-site", "none")], Err(PostRefusal::SecFetchSite)),
            (
                vec![own, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
                Err(PostRefusal::SecFetchSite),
            ),
        ] {
            assert_eq!(check_origin(&headers(&sent), &issuer), outcome, "{sent:?}");
        }
    }

    #[test]
    fn a_value_is_good_for_one_browser_and_one_purpose() {
        let csrf = Csrf::new(&Vault::over([1; 32]));
        let value = csrf.value("browser-1", "login");
        assert_eq!(csrf.check("browser-1", "login", Some(&value)), Ok(()));
        for (browser, purpose, presented) in [
            ("browser-2", "login", Some(value.as_str())),
            ("browser-1", "consent", Some(value.as_str())),
            ("browser-1l", "ogin", Some(value.as_str())),
            ("browser-1", "login", None),
            ("browser-1", "login", Some("")),
            ("browser-1", "login", Some("%%%")),
            ("browser-1", "login", value.get(..42)),
        ] {
            assert_eq!(csrf.check(browser, purpose, presented), Err(PostRefusal::Value), "{browser} {purpose}");
        }
        let other = Csrf::new(&Vault::over([2; 32]));
        assert_eq!(other.check("browser-1", "login", Some(&value)), Err(PostRefusal::Value));
    }
}
