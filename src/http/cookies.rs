//! Every cookie of ours: name, lifetime, SameSite.
//!
//! | cookie     | name                      | SameSite | lives                                         |
//! |------------|---------------------------|----------|-----------------------------------------------|
//! | session    | `__Host-Http-sid`         | Lax      | until the browser closes, or as long as asked |
//! | browser    | `__Host-Http-browser`     | Lax      | a year                                        |
//! | refresh    | `__Host-Http-rt.<tag>`    | Strict   | as the session's: with `Max-Age` or without   |
//! | elevated   | `__Host-Http-elevated`    | Strict   | ten minutes                                   |
//! | app        | `__Host-Http-fa`          | Lax      | as the session's; on the host of an app       |
//! | app state  | `__Host-Http-fa-state`    | Lax      | while somebody signs in there                 |
//! | state      | `__Host-session-state`    | None     | as the session's; with session management     |
//!
//! The prefix makes browsers refuse the name unless it comes over TLS from this very host, with `Path=/`, `Secure` and
//! `HttpOnly` (RFC 6265bis §4.1.3). In development mode, on plain http, the names begin with `dev-` and lack `Secure`.
//!
//! The last one is no secret: scripts of our own frame in pages of apps must read it, so it is not `HttpOnly`.

use std::time::Duration;

use axum::http::header::{COOKIE, HeaderMap, HeaderValue};
use cookie::{Cookie, CookieBuilder, SameSite};

use crate::crypto::digest;
use crate::domain::id::ClientId;

use super::browser_guard::Guarded;

/// How long a browser stays known, in seconds.
const YEAR: u64 = 31_536_000;

/// One row of the table.
struct Row {
    name: &'static str,
    same_site: SameSite,
}

const SESSION: Row = Row { name: "sid", same_site: SameSite::Lax };
const BROWSER: Row = Row { name: "browser", same_site: SameSite::Lax };
const REFRESH: Row = Row { name: "rt", same_site: SameSite::Strict };
const ELEVATED: Row = Row { name: "elevated", same_site: SameSite::Strict };
const APP: Row = Row { name: "fa", same_site: SameSite::Lax };
const APP_STATE: Row = Row { name: "fa-state", same_site: SameSite::Lax };
const STATE: &str = "session-state";

/// Writes and reads the cookies under the names of the mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cookies {
    development: bool,
}

/// The cookies of a request for a page.
#[derive(Default, Clone, Copy)]
pub struct PageCookies<'h> {
    /// The session cookie's value, unchecked.
    pub session: Option<&'h str>,
    /// The browser cookie's value, unchecked.
    pub browser: Option<&'h str>,
    /// The value that lets an admin change things, unchecked.
    pub elevated: Option<&'h str>,
}

/// The cookies of a request to the host of an app behind a proxy.
#[derive(Default, Clone, Copy)]
pub struct AppHostCookies<'h> {
    /// The value that shows who is signed in there, unchecked.
    pub session: Option<&'h str>,
    /// The value of a browser that is on its way to sign in there, unchecked.
    pub state: Option<&'h str>,
}

/// The cookies of a request by a browser app in cookie mode, which has passed the guards.
#[derive(Default, Clone, Copy)]
pub struct AppCookies<'h> {
    /// The session cookie's value, unchecked.
    pub session: Option<&'h str>,
    /// The refresh cookie's value for this app, unchecked.
    pub refresh: Option<&'h str>,
    /// The browser cookie's value, unchecked.
    pub browser: Option<&'h str>,
}

/// Whether they are there; the values are secrets.
impl std::fmt::Debug for PageCookies<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PageCookies")
            .field("session", &self.session.is_some())
            .field("browser", &self.browser.is_some())
            .field("elevated", &self.elevated.is_some())
            .finish()
    }
}

/// Whether they are there; the values are secrets.
impl std::fmt::Debug for AppHostCookies<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppHostCookies")
            .field("session", &self.session.is_some())
            .field("state", &self.state.is_some())
            .finish()
    }
}

/// Whether they are there; the values are secrets.
impl std::fmt::Debug for AppCookies<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppCookies")
            .field("session", &self.session.is_some())
            .field("refresh", &self.refresh.is_some())
            .field("browser", &self.browser.is_some())
            .finish()
    }
}

impl Cookies {
    /// The cookies of an issuer with https.
    #[must_use]
    pub const fn real() -> Self {
        Self { development: false }
    }

    /// The cookies of plain http on loopback.
    #[must_use]
    pub const fn development() -> Self {
        Self { development: true }
    }

    /// The session cookie. Without `max_age` it ends with the browser.
    #[must_use]
    pub fn session(self, value: &str, max_age: Option<Duration>) -> HeaderValue {
        self.write(&SESSION, self.name(&SESSION), value, max_age)
    }

    /// The browser cookie, for a year.
    #[must_use]
    pub fn browser(self, value: &str) -> HeaderValue {
        self.write(&BROWSER, self.name(&BROWSER), value, Some(Duration::from_secs(YEAR)))
    }

    /// The refresh cookie of a client. `left` is what is left of the family's life; the cookie names it only where the
    /// session cookie has an end of its own, so that neither outlives the other (decision 28 of the design).
    #[must_use]
    pub fn refresh(self, client: &ClientId, value: &str, session_persists: bool, left: Duration) -> HeaderValue {
        self.write(&REFRESH, self.refresh_name(client), value, session_persists.then_some(left))
    }

    /// The cookie that lets an admin change things for so long.
    #[must_use]
    pub fn elevated(self, value: &str, left: Duration) -> HeaderValue {
        self.write(&ELEVATED, self.name(&ELEVATED), value, Some(left))
    }

    /// Takes that cookie away.
    #[must_use]
    pub fn clear_elevated(self) -> HeaderValue {
        self.write(&ELEVATED, self.name(&ELEVATED), "", Some(Duration::ZERO))
    }

    /// Who is signed in at an app behind a proxy. Without `max_age` it ends with the browser.
    #[must_use]
    pub fn app(self, value: &str, max_age: Option<Duration>) -> HeaderValue {
        self.write(&APP, self.name(&APP), value, max_age)
    }

    /// Takes that cookie away.
    #[must_use]
    pub fn clear_app(self) -> HeaderValue {
        self.write(&APP, self.name(&APP), "", Some(Duration::ZERO))
    }

    /// Which browser is on its way to sign in at such an app.
    #[must_use]
    pub fn app_state(self, value: &str, left: Duration) -> HeaderValue {
        self.write(&APP_STATE, self.name(&APP_STATE), value, Some(left))
    }

    /// Reads what is looked at on the host of an app.
    #[must_use]
    pub fn of_app_host(self, headers: &HeaderMap) -> AppHostCookies<'_> {
        AppHostCookies { session: read(headers, &self.name(&APP)), state: read(headers, &self.name(&APP_STATE)) }
    }

    /// Takes the session cookie away.
    #[must_use]
    pub fn clear_session(self) -> HeaderValue {
        self.write(&SESSION, self.name(&SESSION), "", Some(Duration::ZERO))
    }

    /// What scripts may know of the session. Without `max_age` it ends with the browser.
    #[must_use]
    pub fn session_state(self, value: &str, max_age: Option<Duration>) -> HeaderValue {
        // In development mode apps are on the same site, so that they need no more than Lax.
        let same_site = if self.development { SameSite::Lax } else { SameSite::None };
        let name = self.session_state_name();
        self.finish(Cookie::build((name, value)).path("/").same_site(same_site), max_age)
    }

    /// The name of that cookie, for the script that reads it.
    #[must_use]
    pub fn session_state_name(self) -> String {
        format!("{}{STATE}", if self.development { "dev-" } else { "__Host-" })
    }

    /// Takes the refresh cookie of a client away: at sign-out only.
    #[must_use]
    pub fn clear_refresh(self, client: &ClientId) -> HeaderValue {
        self.write(&REFRESH, self.refresh_name(client), "", Some(Duration::ZERO))
    }

    /// Reads what our own pages may look at.
    #[must_use]
    pub fn of_page(self, headers: &HeaderMap) -> PageCookies<'_> {
        PageCookies {
            session: read(headers, &self.name(&SESSION)),
            browser: read(headers, &self.name(&BROWSER)),
            elevated: read(headers, &self.name(&ELEVATED)),
        }
    }

    /// Reads what an endpoint for browser apps may look at. The proof that the guards have passed is asked for, so that
    /// no endpoint gains ambient authority by mistake.
    #[must_use]
    pub fn of_browser_app<'h>(self, guarded: &Guarded<'_>, headers: &'h HeaderMap) -> AppCookies<'h> {
        AppCookies {
            session: read(headers, &self.name(&SESSION)),
            refresh: read(headers, &self.refresh_name(&guarded.client().id)),
            browser: read(headers, &self.name(&BROWSER)),
        }
    }

    /// The cookies of a request without those that open an app and lead to its sign-in: what the app itself may see. `None`: the
    /// request has none at all.
    #[must_use]
    pub fn for_the_app(self, headers: &HeaderMap) -> Option<HeaderValue> {
        let ours = [self.name(&APP), self.name(&APP_STATE)];
        let lines = headers.get_all(COOKIE);
        lines.iter().next()?;
        let pairs = lines.iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';')).map(<[u8]>::trim_ascii);
        let others = pairs.filter(|pair| {
            let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
            !pair.is_empty() && ours.iter().all(|own| own.as_bytes() != name)
        });
        let mut left = HeaderValue::from_bytes(&others.collect::<Vec<_>>().join(&b"; "[..])).ok()?;
        left.set_sensitive(true);
        Some(left)
    }

    fn name(self, row: &Row) -> String {
        format!("{}{}", if self.development { "dev-" } else { "__Host-Http-" }, row.name)
    }

    fn refresh_name(self, client: &ClientId) -> String {
        format!("{}.{}", self.name(&REFRESH), cookie_tag(client))
    }

    fn write(self, row: &Row, name: String, value: &str, max_age: Option<Duration>) -> HeaderValue {
        self.finish(Cookie::build((name, value)).path("/").http_only(true).same_site(row.same_site), max_age)
    }

    fn finish(self, mut cookie: CookieBuilder<'_>, max_age: Option<Duration>) -> HeaderValue {
        if !self.development {
            cookie = cookie.secure(true);
        }
        if let Some(max_age) = max_age {
            let seconds = i64::try_from(max_age.as_secs()).unwrap_or(i64::MAX);
            cookie = cookie.max_age(cookie::time::Duration::seconds(seconds));
        }
        // Our values are base64url, so this cannot fail; an empty header would set nothing.
        let mut header = HeaderValue::try_from(cookie.to_string()).unwrap_or(HeaderValue::from_static(""));
        header.set_sensitive(true);
        header
    }
}

/// What tells the refresh cookies of clients apart, without telling the client's id: 12 characters.
#[must_use]
pub fn cookie_tag(client: &ClientId) -> String {
    let mut tag = digest::sha256_b64u(client.as_str().as_bytes());
    tag.truncate(12);
    tag
}

/// The value of a cookie. Two different values under one name are none: one of them was planted, and nobody can tell which.
fn read<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
        .filter_map(|pair| std::str::from_utf8(pair).ok()?.trim().split_once('='))
        .filter_map(|(own, value)| (own == name).then_some(value));
    let value = values.next().filter(|value| !value.is_empty())?;
    values.all(|other| other == value).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::browser_guard::tests::guarded;

    fn spa() -> ClientId {
        ClientId::new("spa-1")
    }

    fn cookie(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, HeaderValue::from_bytes(line.as_bytes()).unwrap())).collect()
    }

    /// Name, value and the sorted attributes.
    fn parts(header: &HeaderValue) -> (String, Vec<String>) {
        let mut parts = header.to_str().unwrap().split("; ").map(str::to_owned);
        let first = parts.next().unwrap();
        let mut attributes: Vec<_> = parts.collect();
        attributes.sort();
        (first, attributes)
    }

    #[test]
    fn the_tag_of_the_published_vector() {
        assert_eq!(cookie_tag(&spa()), "9FzFd1CJmf6z");
    }

    #[test]
    fn every_cookie_has_every_attribute() {
        let week = Duration::from_secs(604_800);
        let real = Cookies::real();
        let development = Cookies::development();
        for (header, first, attributes) in [
            (real.session("v", None), "__Host-Http-sid=v", "HttpOnly|Path=/|SameSite=Lax|Secure"),
            (real.session("v", Some(week)), "__Host-Http-sid=v", "HttpOnly|Max-Age=604800|Path=/|SameSite=Lax|Secure"),
            (real.browser("v"), "__Host-Http-browser=v", "HttpOnly|Max-Age=31536000|Path=/|SameSite=Lax|Secure"),
            (
                real.refresh(&spa(), "v", true, week),
                "__Host-Http-rt.9FzFd1CJmf6z=v",
                "HttpOnly|Max-Age=604800|Path=/|SameSite=Strict|Secure",
            ),
            (
                real.refresh(&spa(), "v", false, week),
                "__Host-Http-rt.9FzFd1CJmf6z=v",
                "HttpOnly|Path=/|SameSite=Strict|Secure",
            ),
            (
                real.clear_refresh(&spa()),
                "__Host-Http-rt.9FzFd1CJmf6z=",
                "HttpOnly|Max-Age=0|Path=/|SameSite=Strict|Secure",
            ),
            (real.clear_session(), "__Host-Http-sid=", "HttpOnly|Max-Age=0|Path=/|SameSite=Lax|Secure"),
            (
                real.elevated("v", Duration::from_secs(600)),
                "__Host-Http-elevated=v",
                "HttpOnly|Max-Age=600|Path=/|SameSite=Strict|Secure",
            ),
            (real.app("v", None), "__Host-Http-fa=v", "HttpOnly|Path=/|SameSite=Lax|Secure"),
            (real.app("v", Some(week)), "__Host-Http-fa=v", "HttpOnly|Max-Age=604800|Path=/|SameSite=Lax|Secure"),
            (real.clear_app(), "__Host-Http-fa=", "HttpOnly|Max-Age=0|Path=/|SameSite=Lax|Secure"),
            (
                real.app_state("v", Duration::from_secs(900)),
                "__Host-Http-fa-state=v",
                "HttpOnly|Max-Age=900|Path=/|SameSite=Lax|Secure",
            ),
            (real.session_state("v", None), "__Host-session-state=v", "Path=/|SameSite=None|Secure"),
            (
                real.session_state("v", Some(week)),
                "__Host-session-state=v",
                "Max-Age=604800|Path=/|SameSite=None|Secure",
            ),
            (development.session_state("v", None), "dev-session-state=v", "Path=/|SameSite=Lax"),
            (development.app("v", None), "dev-fa=v", "HttpOnly|Path=/|SameSite=Lax"),
            (real.clear_elevated(), "__Host-Http-elevated=", "HttpOnly|Max-Age=0|Path=/|SameSite=Strict|Secure"),
            (development.session("v", None), "dev-sid=v", "HttpOnly|Path=/|SameSite=Lax"),
            (development.browser("v"), "dev-browser=v", "HttpOnly|Max-Age=31536000|Path=/|SameSite=Lax"),
            (
                development.refresh(&spa(), "v", true, week),
                "dev-rt.9FzFd1CJmf6z=v",
                "HttpOnly|Max-Age=604800|Path=/|SameSite=Strict",
            ),
        ] {
            let (name, found) = parts(&header);
            assert_eq!(name, first);
            assert_eq!(found.join("|"), attributes, "{first}");
            assert!(header.is_sensitive());
        }
    }

    #[test]
    fn only_the_exact_name_is_read() {
        let real = Cookies::real();
        let headers = cookie(&["a=b; __Host-Http-sid=one; __Host-Http-sidx=two", "__Host-Http-browser=three"]);
        assert_eq!(real.of_page(&headers).session, Some("one"));
        assert_eq!(real.of_page(&headers).browser, Some("three"));
        assert_eq!(Cookies::development().of_page(&headers).session, None);
        for none in ["", "__Host-Http-SID=x", "dev-sid=x", "__Host-Http-sid", "__Host-Http-sid=", "x__Host-Http-sid=x"]
        {
            assert_eq!(real.of_page(&cookie(&[none])).session, None, "{none}");
        }
    }

    #[test]
    fn two_values_under_one_name_are_none() {
        let real = Cookies::real();
        assert_eq!(real.of_page(&cookie(&["__Host-Http-sid=a; __Host-Http-sid=b"])).session, None);
        assert_eq!(real.of_page(&cookie(&["__Host-Http-sid=a", "__Host-Http-sid=b"])).session, None);
        assert_eq!(real.of_page(&cookie(&["__Host-Http-sid=a; __Host-Http-sid=a"])).session, Some("a"));
    }

    #[test]
    fn bytes_of_a_neighbour_do_not_hide_ours() {
        let mut headers = cookie(&["__Host-Http-sid=a"]);
        headers.append(COOKIE, HeaderValue::from_bytes(b"other=\xff\xfe; __Host-Http-browser=b").unwrap());
        let page = Cookies::real().of_page(&headers);
        assert_eq!((page.session, page.browser), (Some("a"), Some("b")));
    }

    #[test]
    fn an_app_behind_a_proxy_sees_its_own_cookies_and_none_of_ours() {
        let real = Cookies::real();
        for (lines, left) in [
            (&["__Host-Http-fa=x"][..], ""),
            (&["a=b; __Host-Http-fa=x; c=d"], "a=b; c=d"),
            (&["__Host-Http-fa=x;a=b", "__Host-Http-fa-state=y", "c=\"d e\""], "a=b; c=\"d e\""),
            (&["__Host-Http-fa=x; __Host-Http-fa=y; __Host-Http-fax=z"], "__Host-Http-fax=z"),
            (&["__Host-Http-fa = x; a"], "a"),
        ] {
            assert_eq!(real.for_the_app(&cookie(lines)).unwrap(), left, "{lines:?}");
        }
        assert_eq!(real.for_the_app(&HeaderMap::new()), None);
        let mut headers = cookie(&["__Host-Http-fa=a"]);
        headers.append(COOKIE, HeaderValue::from_bytes(b"other=\xff\xfe").unwrap());
        assert_eq!(real.for_the_app(&headers).unwrap().as_bytes(), b"other=\xff\xfe");
    }

    #[test]
    fn a_guarded_app_reads_its_own_refresh_cookie_only() {
        let headers =
            cookie(&["__Host-Http-rt.9FzFd1CJmf6z=mine; __Host-Http-rt.AAAAAAAAAAAA=other; __Host-Http-sid=s"]);
        guarded("spa-1", |proof| {
            let cookies = Cookies::real().of_browser_app(proof, &headers);
            assert_eq!((cookies.refresh, cookies.session), (Some("mine"), Some("s")));
            assert!(!format!("{cookies:?}").contains("mine"));
        });
        guarded("spa-2", |proof| {
            assert_eq!(Cookies::real().of_browser_app(proof, &headers).refresh, None);
        });
    }
}
