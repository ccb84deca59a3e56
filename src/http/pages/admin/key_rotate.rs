//! The page that asks before a key is turned.

use std::sync::Arc;

use askama::Template;

use super::{Room, Section};
use crate::http::language::Language;
use crate::http::pages::brand::Brand;

/// `admin/key_rotate.html`. Sends `csrf` and, for a turn at once, `now`.
#[derive(Debug, Clone, Template)]
#[template(path = "admin/key_rotate.html")]
pub struct RotateView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// The room around it.
    pub room: Room,
    /// The algorithm.
    pub alg: &'static str,
    /// The key that takes over.
    pub kid: String,
    /// From when on that breaks nobody, in Unix seconds.
    pub safe_from: i64,
    /// Whether that is still to come.
    pub too_early: bool,
    /// Apps that were not yet seen to have the key.
    pub waiting_for: Vec<String>,
    /// How long a turn waits for them, until, in Unix seconds.
    pub patient_until: i64,
    /// Where the form goes.
    pub action: String,
}

impl RotateView {
    #[expect(clippy::unused_self, reason = "every page of the room says where it stands")]
    fn here(&self) -> Section {
        Section::Keys
    }
}

#[cfg(test)]
impl RotateView {
    /// Early with a laggard, and ready.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use crate::http::pages::sample;

        const NOW: i64 = 1_763_900_000;

        let ready = Self {
            t,
            brand: Arc::clone(brand),
            room: sample::admin_room(None),
            alg: "ES256",
            kid: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".into(),
            safe_from: NOW - 9,
            too_early: false,
            waiting_for: vec![],
            patient_until: NOW + 250_000,
            action: "/admin/keys/ES256/rotate".into(),
        };
        let early = Self { too_early: true, safe_from: NOW + 9_000, ..ready.clone() };
        vec![("early", Self { waiting_for: vec!["robot".into()], ..early }), ("ready", ready)]
    }
}
