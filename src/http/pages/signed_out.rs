//! The last page of a session.

use std::sync::Arc;

use askama::Template;

use crate::http::language::Language;
use crate::http::pages::AppShown;
use crate::http::pages::brand::Brand;

/// `signed_out.html`.
#[derive(Debug, Clone, Template)]
#[template(path = "signed_out.html")]
pub struct SignedOutView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// The app the person came from, with its registered address (http or https only).
    pub back: Option<(AppShown, String)>,
    /// The address of the sign-in page, a path.
    pub sign_in: String,
    /// What is loaded in frames that nobody sees, so that apps are told of the sign-out.
    pub frames: Vec<String>,
}

#[cfg(test)]
impl SignedOutView {
    /// With and without a way back.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use crate::http::pages::sample;

        let plain = Self { t, brand: Arc::clone(brand), back: None, sign_in: "/login".into(), frames: Vec::new() };
        vec![
            ("back", Self { back: Some((sample::notes(), "https://notes.example.com/".into())), ..plain.clone() }),
            ("frames", Self { frames: sample::frames(), ..plain.clone() }),
            ("plain", plain),
        ]
    }
}
