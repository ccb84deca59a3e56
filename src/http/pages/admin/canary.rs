//! The next key tried on one app.

use std::sync::Arc;

use askama::Template;

use super::keys::CanaryShown;
use super::{Room, Section};
use crate::http::language::Language;
use crate::http::pages::brand::Brand;

/// `admin/key_canary.html`. Sends `csrf` and `client_id`, and `stop` to end it.
#[derive(Debug, Clone, Template)]
#[template(path = "admin/key_canary.html")]
pub struct CanaryView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// The room around it.
    pub room: Room,
    /// The algorithm.
    pub alg: &'static str,
    /// The key that is tried.
    pub kid: String,
    /// From when on it can be tried, in Unix seconds, if that is still to come.
    pub from: Option<i64>,
    /// Apps that try it now.
    pub running: Vec<CanaryShown>,
    /// Apps to choose from.
    pub apps: Vec<AppChoice>,
    /// What was typed and is no app.
    pub unknown: Option<String>,
    /// Where the forms go.
    pub action: String,
}

/// An app to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppChoice {
    /// The client id.
    pub id: String,
    /// What people call it.
    pub name: String,
}

impl CanaryView {
    #[expect(clippy::unused_self, reason = "every page of the room says where it stands")]
    fn here(&self) -> Section {
        Section::Keys
    }
}

#[cfg(test)]
impl CanaryView {
    /// Too early, asked, and while it goes on.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use crate::http::pages::sample;

        let now = 1_763_900_000;
        let first = Self {
            t,
            brand: Arc::clone(brand),
            room: sample::admin_room(None),
            alg: "ES256",
            kid: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".into(),
            from: None,
            running: vec![],
            apps: vec![AppChoice { id: "robot".into(), name: sample::HOSTILE.into() }],
            unknown: None,
            action: "/admin/keys/ES256/canary".into(),
        };
        let robot = CanaryShown { id: "robot".into(), until: now + 3_600 };
        vec![
            ("early", Self { from: Some(now + 9_000), ..first.clone() }),
            ("running", Self { running: vec![robot], ..first.clone() }),
            ("hostile", Self { unknown: Some(sample::HOSTILE.into()), ..first.clone() }),
            ("first", first),
        ]
    }
}
