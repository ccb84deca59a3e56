//! The page between a sign-out and the way back: apps are told in hidden frames (OpenID Connect Front-Channel Logout 1.0).

use std::sync::Arc;

use askama::Template;

use crate::http::language::Language;
use crate::http::pages::AppShown;
use crate::http::pages::brand::Brand;

/// `leaving.html`. Leaves through `PageReply::with_frames`.
#[derive(Debug, Clone, Template)]
#[template(path = "leaving.html")]
pub struct LeavingView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// What is loaded in frames that nobody sees.
    pub frames: Vec<String>,
    /// The app that the person goes back to.
    pub app: AppShown,
    /// The proven address there.
    pub next: String,
}

impl LeavingView {
    /// Seconds after which the page goes on, whatever the frames do.
    pub const SECONDS: u8 = 3;
}

#[cfg(test)]
impl LeavingView {
    /// A usual and a hostile one.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use crate::http::pages::sample;

        let usual = Self {
            t,
            brand: Arc::clone(brand),
            frames: sample::frames(),
            app: sample::notes(),
            next: "https://notes.example.com/bye?state=af0ifjsldkj".into(),
        };
        vec![
            (
                "hostile",
                Self {
                    frames: vec![format!("https://notes.example.com/?{}", sample::HOSTILE)],
                    app: sample::hostile_app(),
                    next: format!("https://notes.example.com/bye?state={}", sample::HOSTILE),
                    ..usual.clone()
                },
            ),
            ("usual", usual),
        ]
    }
}
