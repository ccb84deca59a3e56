//! A new password.

use std::sync::Arc;

use askama::Template;

use super::{Room, Section};
use crate::http::language::Language;
use crate::http::pages::brand::Brand;
use crate::http::pages::problem::Problems;

/// `account/password.html`. Sends `current_password`, `new_password`, `repeat_password`, `csrf`.
#[derive(Debug, Clone, Template)]
#[template(path = "account/password.html")]
pub struct PasswordView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// The room around it.
    pub room: Room,
    /// Where the form goes, a path.
    pub action: String,
    /// The fewest characters of a password.
    pub password_min: u64,
    /// What went wrong with the last try.
    pub problems: Problems,
}

impl PasswordView {
    const HERE: Section = Section::Password;
}

#[cfg(test)]
impl PasswordView {
    /// At first, and with each thing wrong.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use crate::http::pages::problem::Problem;
        use crate::http::pages::sample;

        let first = Self {
            t,
            brand: Arc::clone(brand),
            room: sample::room(sample::alice(), None),
            action: "/account/password".into(),
            password_min: 12,
            problems: Problems::default(),
        };
        let wrong = |problems: &[Problem]| Self { problems: problems.iter().copied().collect(), ..first.clone() };
        vec![
            (
                "wrong",
                wrong(&[Problem::CurrentPasswordWrong, Problem::NewPasswordTooShort(12), Problem::RepeatDiffers]),
            ),
            ("empty", wrong(&[Problem::CurrentPasswordMissing, Problem::NewPasswordMissing])),
            ("too-long", wrong(&[Problem::NewPasswordTooLong(256)])),
            ("unchanged", wrong(&[Problem::NewPasswordUnchanged])),
            ("throttled", wrong(&[Problem::Throttled(30)])),
            ("first", first),
        ]
    }
}
