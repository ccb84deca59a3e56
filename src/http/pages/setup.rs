//! The one-time set-up of the first admin.

use std::sync::Arc;

use askama::Template;

use crate::http::language::Language;
use crate::http::pages::brand::Brand;
use crate::http::pages::problem::Problems;

/// `setup.html`. Sends `username`, `name`, `email`, `new_password`, `repeat_password`, `csrf`.
#[derive(Debug, Clone, Template)]
#[template(path = "setup.html")]
pub struct SetupView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// Where the form goes, a path (with the token).
    pub action: String,
    /// The CSRF value of this browser.
    pub csrf: String,
    /// What was typed before; empty at first.
    pub username: String,
    /// What was typed before; empty at first.
    pub name: String,
    /// What was typed before; empty at first.
    pub email: String,
    /// The fewest characters of a password.
    pub password_min: u64,
    /// What went wrong with the last try.
    pub problems: Problems,
}

/// `setup_invalid.html`: the link is used up, too old, wrong, or no longer needed; the page does not say which.
#[derive(Debug, Clone, Template)]
#[template(path = "setup_invalid.html")]
pub struct SetupInvalidView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// The address of the sign-in page, a path.
    pub sign_in: String,
}

#[cfg(test)]
impl SetupView {
    /// At first, and with everything wrong.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use crate::http::pages::problem::Problem;

        let first = Self {
            t,
            brand: Arc::clone(brand),
            action: "/setup/token".into(),
            csrf: "c5rf".into(),
            username: String::new(),
            name: String::new(),
            email: String::new(),
            password_min: 12,
            problems: Problems::default(),
        };
        let wrong = [
            Problem::UsernameInvalid,
            Problem::NameMissing,
            Problem::EmailInvalid,
            Problem::NewPasswordTooShort(12),
            Problem::RepeatDiffers,
        ];
        let other = [Problem::UsernameTaken, Problem::EmailTaken, Problem::NewPasswordTooEasy];
        vec![
            (
                "wrong",
                Self {
                    username: "al\tice".into(),
                    email: "alice".into(),
                    problems: wrong.into_iter().collect(),
                    ..first.clone()
                },
            ),
            (
                "taken",
                Self {
                    username: "alice".into(),
                    name: "Alice Liddell".into(),
                    problems: other.into_iter().collect(),
                    ..first.clone()
                },
            ),
            ("first", first),
        ]
    }
}

#[cfg(test)]
impl SetupInvalidView {
    /// There is only one.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        vec![("invalid", Self { t, brand: Arc::clone(brand), sign_in: "/login".into() })]
    }
}
