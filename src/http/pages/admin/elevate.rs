//! The password once more.

use std::sync::Arc;

use askama::Template;

use super::{Room, Section};
use crate::http::language::Language;
use crate::http::pages::brand::Brand;
use crate::http::pages::problem::Problems;

/// `admin/elevate.html`. Sends `current_password`, `to`, `csrf`.
#[derive(Debug, Clone, Template)]
#[template(path = "admin/elevate.html")]
pub struct ElevateView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// The room around it.
    pub room: Room,
    /// Where the form goes, a path.
    pub action: String,
    /// Where one goes on, a path.
    pub to: String,
    /// What went wrong with the last try.
    pub problems: Problems,
}

impl ElevateView {
    #[expect(clippy::unused_self, reason = "every page of the room says where it stands")]
    fn here(&self) -> Section {
        Section::Overview
    }
}

#[cfg(test)]
impl ElevateView {
    /// At first, and with each thing wrong.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use crate::http::pages::problem::Problem;
        use crate::http::pages::sample;

        let first = Self {
            t,
            brand: Arc::clone(brand),
            room: sample::admin_room(None),
            action: "/admin/elevate".into(),
            to: "/admin/people/1/disable".into(),
            problems: Problems::default(),
        };
        vec![
            ("wrong", Self { problems: Problem::CurrentPasswordWrong.into(), ..first.clone() }),
            ("throttled", Self { problems: Problem::Throttled(90).into(), ..first.clone() }),
            ("first", first),
        ]
    }
}
