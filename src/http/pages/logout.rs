//! The page that asks before it signs out.

use std::sync::Arc;

use askama::Template;

use crate::http::language::Language;
use crate::http::pages::brand::Brand;
use crate::http::pages::problem::Problems;
use crate::http::pages::{AppShown, Person};

/// `logout.html`. Sends `csrf`, `txn`.
#[derive(Debug, Clone, Template)]
#[template(path = "logout.html")]
pub struct LogoutView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// Where the form goes, a path.
    pub action: String,
    /// The CSRF value of this browser.
    pub csrf: String,
    /// The id of the parked logout request, if an app asked.
    pub txn: Option<String>,
    /// Who is signed in.
    pub person: Option<Person>,
    /// The app that asked.
    pub app: Option<AppShown>,
    /// The address behind "stay signed in", a path.
    pub stay: String,
    /// What went wrong with the last try.
    pub problems: Problems,
}

#[cfg(test)]
impl LogoutView {
    /// Asked by the person, and by an app.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use crate::http::pages::problem::Problem;
        use crate::http::pages::sample;

        let own = Self {
            t,
            brand: Arc::clone(brand),
            action: "/logout".into(),
            csrf: "c5rf".into(),
            txn: None,
            person: Some(sample::alice()),
            app: None,
            stay: "/account".into(),
            problems: Problems::default(),
        };
        vec![
            ("expired", Self { problems: Problem::FormExpired.into(), ..own.clone() }),
            ("by-app", Self { txn: Some("01J9ZK".into()), app: Some(sample::notes()), ..own.clone() }),
            ("nobody", Self { person: None, app: Some(sample::long_app()), ..own.clone() }),
            ("own", own),
        ]
    }
}
