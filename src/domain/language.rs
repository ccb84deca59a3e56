//! Language tags that a person or an app prefers (BCP 47).

/// Preferred languages in order, as `ui_locales` gives them: at most ten, well-formed ones only. Never an error.
#[must_use]
pub fn preferences(ui_locales: &str) -> Vec<String> {
    let proper =
        |tag: &&str| !tag.is_empty() && tag.len() <= 35 && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    ui_locales.split(' ').filter(proper).take(10).map(str::to_owned).collect()
}
