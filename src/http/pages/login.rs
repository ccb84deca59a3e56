//! The sign-in page.

use std::sync::Arc;

use askama::Template;

use crate::http::language::Language;
use crate::http::pages::brand::Brand;
use crate::http::pages::problem::Problems;
use crate::http::pages::{AppShown, Person};

/// `login.html`. Sends `username`, `password`, `remember` (`on` or absent), `csrf`, `txn`, `to`.
#[derive(Debug, Clone, Template)]
#[template(path = "login.html")]
pub struct LoginView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// Where the form goes, a path.
    pub action: String,
    /// The CSRF value of this browser.
    pub csrf: String,
    /// The id of the parked request, inside a transaction.
    pub txn: Option<String>,
    /// The page of ours that was wanted, outside one.
    pub to: Option<String>,
    /// The app that asked, inside a transaction; without one, people go to their account.
    pub app: Option<AppShown>,
    /// Who is expected.
    pub who: Who,
    /// Whether "keep me signed in" is ticked.
    pub remember: bool,
    /// What went wrong with the last try.
    pub problems: Problems,
}

/// Who is expected to sign in.
#[derive(Debug, Clone)]
pub enum Who {
    /// Anybody; the field is filled with this (`login_hint`, or what was typed before).
    Anybody {
        /// The text of the field; often empty.
        username: String,
    },
    /// This person once more (`prompt=login`, `max_age`, step-up, `id_token_hint`).
    Again {
        /// The person of the session.
        person: Person,
        /// The address behind "not you?", a path.
        switch: String,
    },
}

#[cfg(test)]
impl LoginView {
    /// As people and their troubles come.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use crate::http::pages::problem::Problem;
        use crate::http::pages::sample;

        let first = Self {
            t,
            brand: Arc::clone(brand),
            action: "/login".into(),
            csrf: "c5rf".into(),
            txn: Some("01J9ZK".into()),
            to: None,
            app: Some(sample::notes()),
            who: Who::Anybody { username: String::new() },
            remember: false,
            problems: Problems::default(),
        };
        let typed = |name: &str| Who::Anybody { username: name.into() };
        vec![
            ("account", Self { txn: None, app: None, ..first.clone() }),
            ("admin", Self { txn: None, app: None, to: Some("/admin/people".into()), ..first.clone() }),
            (
                "wrong",
                Self {
                    who: typed("alice"),
                    remember: true,
                    problems: Problem::WrongCredentials.into(),
                    ..first.clone()
                },
            ),
            (
                "empty",
                Self {
                    problems: [Problem::UsernameMissing, Problem::PasswordMissing].into_iter().collect(),
                    ..first.clone()
                },
            ),
            ("throttled", Self { who: typed("alice"), problems: Problem::Throttled(130).into(), ..first.clone() }),
            ("busy", Self { who: typed("alice"), problems: Problem::Busy.into(), ..first.clone() }),
            ("expired", Self { who: typed("alice"), problems: Problem::FormExpired.into(), ..first.clone() }),
            (
                "again",
                Self {
                    who: Who::Again { person: sample::alice(), switch: "/login?txn=01J9ZK&switch=1".into() },
                    ..first.clone()
                },
            ),
            (
                "again-wrong",
                Self {
                    who: Who::Again { person: sample::long_person(), switch: "/login?txn=01J9ZK&switch=1".into() },
                    problems: Problem::WrongCredentials.into(),
                    ..first.clone()
                },
            ),
            (
                "long",
                Self { app: Some(sample::long_app()), who: typed(&sample::long_person().username), ..first.clone() },
            ),
            ("hostile", Self { app: Some(sample::hostile_app()), who: typed(sample::HOSTILE), ..first.clone() }),
            ("first", first),
        ]
    }
}
