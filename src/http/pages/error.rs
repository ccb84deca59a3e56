//! The error page: what happened, whose fault it was, what to do, and a way back.

use std::borrow::Cow;
use std::sync::Arc;

use askama::Template;
use axum::http::StatusCode;

use crate::http::language::Language;
use crate::http::pages::AppShown;
use crate::http::pages::brand::Brand;

/// `error.html`.
#[derive(Debug, Clone, Template)]
#[template(path = "error.html")]
pub struct ErrorView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// What happened.
    pub trouble: Trouble,
    /// The error code of the protocol, such as `invalid_request`.
    pub code: String,
    /// What the app's developer should know; one of our own texts, never input.
    pub hint: Option<&'static str>,
    /// The id under which the log knows this request.
    pub request_id: String,
    /// The way back.
    pub back: WayBack,
}

/// What can keep a page from being what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// No such client, or a disabled one.
    UnknownApp,
    /// The redirect URI is not one of the client's.
    ReturnAddress,
    /// The app's request breaks a rule, and there is no safe way to tell the app.
    AppRequest,
    /// The app's logout request breaks a rule.
    LogoutRequest,
    /// The parked request is gone.
    Expired,
    /// The request was answered already, and the app was told.
    Answered,
    /// The CSRF value or the `Origin` of a form is not ours.
    ForeignForm,
    /// No such page.
    NotFound,
    /// The person may not see this.
    Forbidden,
    /// Too many requests.
    TooMany,
    /// Overload, or a part we need is away.
    Unavailable,
    /// A fault of ours.
    Broken,
}

/// Where people can go from an error page.
#[derive(Debug, Clone)]
pub enum WayBack {
    /// To the app, by its registered address (http or https only).
    App(AppShown, String),
    /// To the account room, a path.
    Account(String),
    /// To the admin's room, a path.
    Admin(String),
    /// To the sign-in page, a path.
    SignIn(String),
}

impl Trouble {
    /// The status that usually goes with it.
    pub fn status(self) -> StatusCode {
        match self {
            Self::UnknownApp
            | Self::ReturnAddress
            | Self::AppRequest
            | Self::LogoutRequest
            | Self::Expired
            | Self::Answered => StatusCode::BAD_REQUEST,
            Self::ForeignForm | Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn title(self, t: &Language) -> Cow<'static, str> {
        t.get(match self {
            Self::UnknownApp => "error-unknown-app",
            Self::ReturnAddress => "error-return-address",
            Self::AppRequest => "error-app-request",
            Self::LogoutRequest => "error-logout-request",
            Self::Expired => "error-expired",
            Self::Answered => "error-answered",
            Self::ForeignForm => "error-foreign-form",
            Self::NotFound => "error-not-found",
            Self::Forbidden => "error-forbidden",
            Self::TooMany => "error-too-many",
            Self::Unavailable => "error-unavailable",
            Self::Broken => "error-broken",
        })
    }

    /// What happened, and whose fault it was.
    fn what(self, t: &Language) -> Cow<'static, str> {
        t.get(match self {
            Self::UnknownApp => "error-unknown-app-what",
            Self::ReturnAddress => "error-return-address-what",
            Self::AppRequest => "error-app-request-what",
            Self::LogoutRequest => "error-logout-request-what",
            Self::Expired => "error-expired-what",
            Self::Answered => "error-answered-what",
            Self::ForeignForm => "error-foreign-form-what",
            Self::NotFound => "error-not-found-what",
            Self::Forbidden => "error-forbidden-what",
            Self::TooMany => "error-too-many-what",
            Self::Unavailable => "error-unavailable-what",
            Self::Broken => "error-broken-what",
        })
    }

    fn todo(self, t: &Language) -> Cow<'static, str> {
        t.get(match self {
            Self::UnknownApp | Self::ReturnAddress | Self::AppRequest => "error-todo-tell-app",
            Self::LogoutRequest => "error-logout-request-todo",
            Self::Expired => "error-expired-todo",
            Self::Answered => "error-answered-todo",
            Self::ForeignForm => "error-foreign-form-todo",
            Self::NotFound => "error-not-found-todo",
            Self::Forbidden => "error-forbidden-todo",
            Self::TooMany | Self::Unavailable => "error-todo-wait",
            Self::Broken => "error-broken-todo",
        })
    }
}

impl WayBack {
    fn href(&self) -> &str {
        match self {
            Self::App(_, href) | Self::Account(href) | Self::Admin(href) | Self::SignIn(href) => href,
        }
    }

    fn label(&self, t: &Language) -> Cow<'static, str> {
        match self {
            Self::App(app, _) => t.with("back-to-app", "app", &app.name),
            Self::Account(_) => t.get("back-to-account"),
            Self::Admin(_) => t.get("back-to-admin"),
            Self::SignIn(_) => t.get("back-to-login"),
        }
    }
}

#[cfg(test)]
impl ErrorView {
    /// Every trouble there is.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use crate::http::pages::sample;

        let account = || WayBack::Account("/account".into());
        let app = || WayBack::App(sample::notes(), "https://notes.example.com/".into());
        let sign_in = || WayBack::SignIn("/login".into());
        [
            ("unknown-app", Trouble::UnknownApp, "invalid_client", account()),
            ("return-address", Trouble::ReturnAddress, "invalid_request", app()),
            ("app-request", Trouble::AppRequest, "invalid_request", app()),
            ("logout-request", Trouble::LogoutRequest, "invalid_request", account()),
            ("expired", Trouble::Expired, "transaction_expired", app()),
            ("answered", Trouble::Answered, "transaction_answered", app()),
            ("foreign-form", Trouble::ForeignForm, "form_refused", sign_in()),
            ("not-found", Trouble::NotFound, "not_found", account()),
            ("not-found-admin", Trouble::NotFound, "not_found", WayBack::Admin("/admin".into())),
            ("forbidden", Trouble::Forbidden, "access_denied", account()),
            ("too-many", Trouble::TooMany, "temporarily_unavailable", sign_in()),
            ("unavailable", Trouble::Unavailable, "temporarily_unavailable", sign_in()),
            ("broken", Trouble::Broken, "server_error", WayBack::App(sample::long_app(), "https://x.example/".into())),
        ]
        .into_iter()
        .map(|(name, trouble, code, back)| {
            let hint =
                (trouble == Trouble::ReturnAddress).then_some("redirect_uri is not one of the registered addresses");
            let request_id = "01jd9x3q7m5w8t2v".into();
            (name, Self { t, brand: Arc::clone(brand), trouble, code: code.into(), hint, request_id, back })
        })
        .collect()
    }
}
