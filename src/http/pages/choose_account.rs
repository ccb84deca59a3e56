//! The account chooser (`prompt=select_account`).

use std::sync::Arc;

use askama::Template;

use crate::http::language::Language;
use crate::http::pages::brand::Brand;
use crate::http::pages::problem::Problems;
use crate::http::pages::{AppShown, Person};

/// `choose_account.html`. Sends `choice` (`continue` or `other`), `csrf`, `txn`, and in `person` who was shown.
#[derive(Debug, Clone, Template)]
#[template(path = "choose_account.html")]
pub struct ChooseAccountView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// Where the form goes, a path.
    pub action: String,
    /// The CSRF value of this browser.
    pub csrf: String,
    /// The id of the parked request.
    pub txn: String,
    /// The app that asked.
    pub app: AppShown,
    /// Who is signed in here.
    pub person: Person,
    /// What went wrong with the last try.
    pub problems: Problems,
}

#[cfg(test)]
impl ChooseAccountView {
    /// A usual and a long one.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use crate::http::pages::problem::Problem;
        use crate::http::pages::sample;

        let usual = Self {
            t,
            brand: Arc::clone(brand),
            action: "/login/choose".into(),
            csrf: "c5rf".into(),
            txn: "01J9ZK".into(),
            app: sample::notes(),
            person: sample::alice(),
            problems: Problems::default(),
        };
        vec![
            ("expired", Self { problems: Problem::FormExpired.into(), ..usual.clone() }),
            ("long", Self { app: sample::long_app(), person: sample::long_person(), ..usual.clone() }),
            ("usual", usual),
        ]
    }
}
