//! Who stands at the door: which browser, signed in as whom, speaking which language. Made once per request for a page.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::doors::Doors;
use super::language::Language;
use super::layers::Visit;
use super::pages::Person;
use super::pages::brand::Brand;
use super::pages::seen_from::SeenFrom;
use super::trouble;
use crate::accounts::browsers::{self, Browser};
use crate::accounts::sessions;
use crate::domain::id::BrowserId;
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::domain::user::User;
use crate::oauth::error::OAuthError;
use crate::store::users;

/// A visitor of our pages.
#[derive(Debug)]
pub struct Visitor {
    /// The doors.
    pub doors: Doors,
    /// The request's moment.
    pub now: Timestamp,
    /// The browser, if it has been here before.
    pub browser: Option<Browser>,
    /// Who is signed in, if anybody is.
    pub signed_in: Option<(Session, User)>,
    /// The session that nobody ended, although it may be idle or too old by now: its families may live on, so it is what
    /// signing out ends.
    pub held: Option<(Session, User)>,
    /// The language of the page.
    pub language: Language,
    /// The network address.
    pub address: IpAddr,
    /// The browser's own description of itself.
    pub device: String,
    /// The id to quote.
    pub request_id: String,
    /// The value of the cookie that lets an admin change things, unchecked.
    pub(super) elevated: Option<String>,
    /// Cookies to set with the answer.
    set_cookies: Vec<HeaderValue>,
}

impl FromRequestParts<Doors> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, doors: &Doors) -> Result<Self, Response> {
        let Some(visit) = parts.extensions.get::<Visit>().copied() else {
            return Err(axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response());
        };
        let request_id = visit.id.to_string();
        let language = Language::negotiate(None, text(&parts.headers, header::ACCEPT_LANGUAGE));
        let address = visit.address.ip();
        let now = doors.app().clock.now();
        let arrived = match doors.limits().enter(&visit, now) {
            Ok(permit) => {
                let arrived = Self::arrive(doors, &parts.headers, address, language, &request_id, now).await;
                if arrived.as_ref().is_ok_and(|visitor| visitor.signed_in.is_some()) {
                    doors.limits().give_back(permit, now);
                }
                arrived
            }
            Err(error) => Err(error),
        };
        arrived.map_err(|error| trouble::fault(&error, language, doors.brand(), request_id).into_response())
    }
}

impl Visitor {
    async fn arrive(
        doors: &Doors,
        headers: &HeaderMap,
        address: IpAddr,
        language: Language,
        request_id: &str,
        now: Timestamp,
    ) -> Result<Self, OAuthError> {
        let app = doors.app();
        let cookies = doors.cookies().of_page(headers);
        let mut browser = None;
        let mut held = None;
        if cookies.browser.is_some() || cookies.session.is_some() {
            let mut db = app.store.read().await?;
            if let Some(value) = cookies.browser {
                browser = browsers::recognise(&mut db, value).await?;
            }
            if let Some(value) = cookies.session
                && let Some(session) = sessions::find_even_idle(&mut db, value).await?
                && let Some(user) = users::find(&mut db, &session.user_id).await?.filter(User::is_active)
            {
                held = Some((session, user));
            }
        }
        let signed_in = held.clone().filter(|(session, _)| session.is_live(now));
        if let Some(browser) = &browser {
            browsers::touch(&app.store, browser, now).await?;
        }
        if let Some((session, _)) = &signed_in {
            sessions::touch(&app.store, session, app.accounts.session_policy(), now).await?;
        }
        Ok(Self {
            doors: doors.clone(),
            now,
            browser,
            signed_in,
            held,
            language,
            address,
            device: text(headers, header::USER_AGENT).unwrap_or_default().to_owned(),
            request_id: request_id.to_owned(),
            elevated: cookies.elevated.map(str::to_owned),
            set_cookies: Vec::new(),
        })
    }

    /// The operator's look.
    #[must_use]
    pub fn brand(&self) -> Arc<Brand> {
        self.doors.brand()
    }

    /// Where somebody with this address was seen, as pages show it. `None` without an address.
    #[must_use]
    pub fn seen_from(&self, address: &str) -> Option<SeenFrom> {
        self.doors.whereabouts().of(address, self.language)
    }

    /// The browser's identity; one that is here for the first time is given a cookie.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn browser_id(&mut self) -> Result<BrowserId, OAuthError> {
        if let Some(browser) = &self.browser {
            return Ok(browser.id.clone());
        }
        let now = self.now;
        let token = self.doors.app().store.write(async move |tx| browsers::open(tx, now).await).await?;
        self.set_cookies.push(self.doors.cookies().browser(token.expose()));
        let id = BrowserId::new(token.id());
        self.browser = Some(Browser { id: id.clone(), known: false, last_seen_at: now });
        Ok(id)
    }

    /// The CSRF value of this browser's forms.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn csrf(&mut self) -> Result<String, OAuthError> {
        let browser = self.browser_id().await?;
        Ok(self.doors.csrf().value(browser.as_str(), FORM))
    }

    /// Whether the person signed in is the one whom a page of ours named by username when it was shown.
    #[must_use]
    pub fn is(&self, named: Option<&str>) -> bool {
        self.signed_in.as_ref().is_some_and(|(_, user)| named == Some(user.username.as_str()))
    }

    /// Sets a cookie with the answer.
    pub fn set_cookie(&mut self, cookie: HeaderValue) {
        self.set_cookies.push(cookie);
    }

    /// The person signed in, as pages show people.
    #[must_use]
    pub fn person(&self) -> Option<Person> {
        self.signed_in.as_ref().map(|(_, user)| shown(user))
    }

    /// The answer with the cookies that go with it.
    #[must_use]
    pub fn answer(self, reply: impl IntoResponse) -> Response {
        let mut response = reply.into_response();
        for cookie in self.set_cookies {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }

    /// The answer to a fault of ours or a refusal that has no better page.
    #[must_use]
    pub fn fault(self, error: &OAuthError) -> Response {
        let page = trouble::fault(error, self.language, self.brand(), self.request_id.clone());
        self.answer(page)
    }
}

/// What the CSRF values are for.
pub(super) const FORM: &str = "form";

/// A person as pages show people.
#[must_use]
pub fn shown(user: &User) -> Person {
    Person { name: user.display_name().to_owned(), username: user.username.as_str().to_owned() }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
