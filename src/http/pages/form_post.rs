//! The page of response mode `form_post`: a form that a script sends to the app at once.

use std::sync::Arc;

use askama::Template;

use crate::http::language::Language;
use crate::http::pages::brand::Brand;

/// `form_post.html` (OAuth 2.0 Form Post Response Mode). Leaves through `PageReply::form_post` only.
#[derive(Clone, Template)]
#[template(path = "form_post.html")]
pub struct FormPostView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// The proven redirect URI.
    pub action: String,
    /// The parameters of the answer, `code` among them.
    pub fields: Vec<(String, String)>,
}

impl FormPostView {
    /// The whole script; the policy of the page allows exactly this text by its hash. It has no letter that HTML
    /// would escape, and no field of the form can stand in for its method.
    pub const SCRIPT: &'static str = "HTMLFormElement.prototype.submit.call(document.forms[0])";
}

/// The fields hold a code.
impl std::fmt::Debug for FormPostView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FormPostView").field("action", &self.action).finish_non_exhaustive()
    }
}

#[cfg(test)]
impl FormPostView {
    /// A usual and a hostile one.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use crate::http::pages::sample;

        let fields = |state: &str| {
            [("code", "fd_ac_sample"), ("state", state), ("iss", "https://id.example.com")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec()
        };
        let usual = Self {
            t,
            brand: Arc::clone(brand),
            action: "https://notes.example.com/callback".into(),
            fields: fields("af0ifjsldkj"),
        };
        vec![("hostile", Self { fields: fields(sample::HOSTILE), ..usual.clone() }), ("usual", usual)]
    }
}
