//! The one page that is shown on the host of an app behind a proxy. Nothing else of ours is served there, so it has neither
//! style nor script.

use askama::Template;

use crate::http::language::Language;

/// `at_app.html`.
#[derive(Debug, Clone, Template)]
#[template(path = "at_app.html")]
pub struct NotSignedInView {
    /// The language of the page.
    pub t: Language,
    /// The error code of the protocol.
    pub code: &'static str,
    /// The id under which the log knows this request.
    pub request_id: String,
    /// Where it begins anew, on the app's own origin.
    pub again: String,
}

#[cfg(test)]
impl NotSignedInView {
    /// As after a wait that was too long.
    pub(in crate::http) fn samples(t: Language) -> Vec<(&'static str, Self)> {
        let request_id = "01jd9x3q7m5w8t2v".to_owned();
        vec![(
            "expired",
            Self { t, code: "invalid_request", request_id, again: "https://notes.example.com/today".to_owned() },
        )]
    }
}
